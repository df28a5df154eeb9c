"""Tasks without an order: answer solutions, acknowledge what the provider opened; and the scratchpad of any task."""

from typing import Any
from uuid import UUID

from bridge.web import Blueprint
from consumer_sim.api.auth import protect
from consumer_sim.api.context import here
from consumer_sim.api.schemas_cases import (
    ScratchpadEntrySchema,
    ScratchpadRemovalSchema,
    SeenSchema,
    SolutionAnswerSchema,
)
from consumer_sim.services import cases, scratchpads, tasks, views

blueprint = protect(Blueprint("cases", __name__, url_prefix="/api/v1", description="Solutions, and scratchpads."))

Document = dict[str, Any]


@blueprint.route("/requests/<uuid:task_id>/answer", methods=["POST"])
@blueprint.arguments(SolutionAnswerSchema)
@blueprint.response(200)
def answer(body: Document, task_id: UUID) -> Document:
    """Accept what the provider proposes, or reject it with a reason: then the work goes on."""
    context = here()
    with context.database.transaction() as session:
        task = tasks.get_task(session, str(task_id), lock=True)
        said: Document = {"person": body["answered_by"], "now": context.clock()}
        cases.answer_solution(session, task, body["answer"], body["reason"], **said)
        return views.task_detail(session, task)


@blueprint.route("/requests/<uuid:task_id>/acknowledge", methods=["POST"])
@blueprint.arguments(SeenSchema)
@blueprint.response(200)
def acknowledge(body: Document, task_id: UUID) -> Document:
    """Tell the provider that somebody has seen what it opened."""
    context = here()
    with context.database.transaction() as session:
        task = tasks.get_task(session, str(task_id), lock=True)
        cases.acknowledge_case(session, task, person=body["acknowledged_by"], now=context.clock())
        return views.task_detail(session, task)


@blueprint.route("/requests/<uuid:task_id>/scratchpad", methods=["GET"])
@blueprint.response(200)
def list_entries(task_id: UUID) -> Document:
    """What programs of both sides left on a task, by name."""
    with here().database.reading() as session:
        found = scratchpads.show_entries(session, tasks.get_task(session, str(task_id)))
        return {"items": [views.entry_document(one) for one in found]}


@blueprint.route("/requests/<uuid:task_id>/scratchpad/<name>", methods=["GET"])
@blueprint.response(200)
def get_entry(task_id: UUID, name: str) -> Document:
    """One entry."""
    with here().database.reading() as session:
        return views.entry_document(scratchpads.get_entry(session, tasks.get_task(session, str(task_id)), name))


@blueprint.route("/requests/<uuid:task_id>/scratchpad/<name>", methods=["PUT"])
@blueprint.arguments(ScratchpadEntrySchema)
@blueprint.response(200)
def put_entry(body: Document, task_id: UUID, name: str) -> Document:
    """Write an entry; the provider is told."""
    return _write(task_id, name, **body)


@blueprint.route("/requests/<uuid:task_id>/scratchpad/<name>", methods=["DELETE"])
@blueprint.arguments(ScratchpadRemovalSchema, location="query")
@blueprint.response(200)
def remove_entry(query: Document, task_id: UUID, name: str) -> Document:
    """Remove an entry, if it is there; the provider is told."""
    return _write(task_id, name, None, False, query["author_name"])


def _write(task_id: UUID, name: str, value: str | None, client_visible: bool, author_name: str) -> Document:
    context = here()
    said: Document = {"client_visible": client_visible, "author": author_name, "now": context.clock()}
    with context.database.transaction() as session:
        task = tasks.get_task(session, str(task_id), lock=True)
        scratchpads.write_entry(session, task, name, value, **said)
        return {"items": [views.entry_document(one) for one in scratchpads.show_entries(session, task)]}
