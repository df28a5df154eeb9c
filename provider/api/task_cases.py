"""What consumers say of provider tasks without an order, and of scratchpads. `docs/wire.md`, 4.5, describes it."""

from typing import Any

import flask

from bridge.web import Blueprint
from provider.api.auth import connected
from provider.api.context import here
from provider.api.idempotency import answer_once
from provider.api.schemas_cases import (
    AcknowledgementSchema,
    NewScratchpadEntrySchema,
    ScratchpadEntrySchema,
    ScratchpadSchema,
    SolutionAnswerSchema,
)
from provider.api.schemas_orders import ProviderTaskSchema
from provider.services import cases, scratchpads
from provider.services.connections import as_id

blueprint = Blueprint("exchange_cases", __name__, url_prefix="/exchange/v1", description="For consumers: solutions.")

Document = dict[str, Any]


@blueprint.route("/provider-tasks/<task_id>/answer", methods=["POST"])
@connected
@blueprint.arguments(SolutionAnswerSchema)
@blueprint.response(200, ProviderTaskSchema)
def answer(body: Document, task_id: str) -> flask.Response:
    """Accept a proposed solution, which closes the task, or reject it: then the work goes on."""
    me, task_id = flask.g.connection, as_id("provider task", task_id)
    said: Document = {"is_accepted": body["answer"] == "accept", "reason": body["reason"]}
    said["person"] = body.get("answered_by", {}).get("name")
    return answer_once(200, lambda session, now: cases.answer_solution(session, me, task_id, **said, now=now))


@blueprint.route("/provider-tasks/<task_id>/acknowledgement", methods=["POST"])
@connected
@blueprint.arguments(AcknowledgementSchema)
@blueprint.response(200, ProviderTaskSchema)
def acknowledge(body: Document, task_id: str) -> flask.Response:
    """Say that you have seen what the provider opened; whoever says so first is kept."""
    me, task_id, person = flask.g.connection, as_id("provider task", task_id), body["acknowledged_by"]["name"]
    return answer_once(200, lambda session, now: cases.acknowledge_case(session, me, task_id, person=person, now=now))


@blueprint.route("/provider-tasks/<task_id>/scratchpad", methods=["GET"])
@connected
@blueprint.response(200, ScratchpadSchema)
def list_entries(task_id: str) -> Document:
    """Both sides' entries, by name."""
    with here().database.reading() as session:
        found = scratchpads.list_own_entries(session, flask.g.connection, as_id("provider task", task_id))
        return {"items": found}


@blueprint.route("/provider-tasks/<task_id>/scratchpad", methods=["POST"])
@connected
@blueprint.arguments(NewScratchpadEntrySchema)
@blueprint.response(200, ScratchpadEntrySchema)
def write_entry(body: Document, task_id: str) -> flask.Response:
    """Write an entry, or with null remove it. Of two writes of one name the one that comes last stands."""
    me, task_id, author = flask.g.connection, as_id("provider task", task_id), body.pop("author")["name"]
    said = body | {"write_id": str(body.pop("id")), "author": author}
    return answer_once(200, lambda session, now: scratchpads.take_entry(session, me, task_id, **said, now=now))
