"""What consumers call to tie their records to ours. `docs/wire.md`, section 7, describes it."""

from typing import Any

import flask

from bridge.web import Blueprint
from provider.api.auth import connected
from provider.api.context import here
from provider.api.idempotency import answer_once
from provider.api.paging import PageSchema, page_document, page_schema
from provider.api.schemas_remote_tasks import (
    ChangedFieldsSchema,
    DefinitionActivationSchema,
    DefinitionActivationStateSchema,
    FieldProblemsSchema,
    NewRemoteTaskSchema,
    OfferedDefinitionSchema,
    OwnRemoteTaskSchema,
    RemoteCommentSchema,
    RemoteRecordSchema,
    StandingSchema,
    TakenCommentSchema,
)
from provider.models.remote_tasks import RemoteTaskEntitlement
from provider.services import remote_task_entitlements as definitions
from provider.services import remote_tasks
from provider.services.connections import as_id
from provider.services.remote_task_records import show_record

blueprint = Blueprint(
    "exchange_remote_tasks", __name__, url_prefix="/exchange/v1", description="For consumers: tie records."
)

Document = dict[str, Any]


@blueprint.route("/remote-task-definitions", methods=["GET"])
@connected
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, page_schema(OfferedDefinitionSchema))
def list_definitions(page: Document) -> Document:
    """The definitions you may use."""
    with here().database.reading() as session:
        found = definitions.list_for_connection(session, flask.g.connection, limit=page["limit"], after=page["cursor"])
        return page_document(found, definitions.definition_data)


@blueprint.route("/remote-task-definitions/<definition_id>/activation", methods=["POST"])
@connected
@blueprint.arguments(DefinitionActivationSchema)
@blueprint.response(200, DefinitionActivationStateSchema)
def report_activation(body: Document, definition_id: str) -> RemoteTaskEntitlement:
    """Tell what you did with a definition."""
    identity, now = as_id("remote task definition", definition_id), here().clock()
    with here().transaction() as session:
        return definitions.accept_activation(session, flask.g.connection, identity, **body, now=now)


@blueprint.route("/remote-tasks", methods=["POST"])
@connected
@blueprint.arguments(NewRemoteTaskSchema)
@blueprint.response(201, OwnRemoteTaskSchema)
def connect(body: Document) -> flask.Response:
    """Tie a record of yours to a new one here. The same again is the same answer."""
    me = flask.g.connection
    told = body | {"id": str(body["id"]), "definition_id": str(body["definition_id"])}
    told["parent"] = body["parent"] | {"id": str(body["parent"]["id"])}
    return answer_once(201, lambda session, now: remote_tasks.accept_task(session, me, told, now=now))


@blueprint.route("/remote-tasks", methods=["GET"])
@connected
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, page_schema(OwnRemoteTaskSchema))
def list_all(page: Document) -> Document:
    """Your remote tasks, by number."""
    with here().database.reading() as session:
        return page_document(
            remote_tasks.list_own_tasks(session, flask.g.connection, limit=page["limit"], after=page["cursor"])
        )


@blueprint.route("/remote-tasks/<remote_task_id>", methods=["GET"])
@connected
@blueprint.response(200, OwnRemoteTaskSchema)
def get(remote_task_id: str) -> Document:
    """One of them."""
    with here().database.reading() as session:
        return remote_tasks.show_own_task(session, flask.g.connection, as_id("remote task", remote_task_id))


@blueprint.route("/remote-tasks/<remote_task_id>/record", methods=["GET"])
@connected
@blueprint.response(200, RemoteRecordSchema)
def get_record(remote_task_id: str) -> Document:
    """One of them with all that has crossed, after you lost yours: values in your words, and comments."""
    with here().database.reading() as session:
        return show_record(session, flask.g.connection, as_id("remote task", remote_task_id))


@blueprint.route("/remote-tasks/<remote_task_id>/fields", methods=["POST"])
@connected
@blueprint.arguments(ChangedFieldsSchema)
@blueprint.response(200, OwnRemoteTaskSchema)
def change_fields(body: Document, remote_task_id: str) -> flask.Response:
    """Fields of your record that changed. What does not get through is told in an event."""
    me, task_id = flask.g.connection, as_id("remote task", remote_task_id)
    return answer_once(
        200, lambda session, now: remote_tasks.take_fields(session, me, task_id, body["fields"], now=now)
    )


@blueprint.route("/remote-tasks/<remote_task_id>/comments", methods=["POST"])
@connected
@blueprint.arguments(RemoteCommentSchema)
@blueprint.response(201, TakenCommentSchema)
def add_comment(body: Document, remote_task_id: str) -> flask.Response:
    """Say something; it is not sent back to you."""
    me, task_id = flask.g.connection, as_id("remote task", remote_task_id)
    said = {"id": str(body["id"]), "text": body["text"], "author_name": body["author"]["name"]}
    said["created_at"] = body["created_at"]
    return answer_once(201, lambda session, now: remote_tasks.take_comment(session, me, task_id, said, now=now))


@blueprint.route("/remote-tasks/<remote_task_id>/standing", methods=["POST"])
@connected
@blueprint.arguments(StandingSchema)
@blueprint.response(200, OwnRemoteTaskSchema)
def settle_standing(body: Document, remote_task_id: str) -> flask.Response:
    """Stop it, let it go on, or tell that your record is gone."""
    me, task_id = flask.g.connection, as_id("remote task", remote_task_id)
    told = body | {"missed": [str(one) for one in body.get("missed", [])]}
    return answer_once(200, lambda session, now: remote_tasks.take_standing(session, me, task_id, told, now=now))


@blueprint.route("/remote-tasks/<remote_task_id>/problems", methods=["POST"])
@connected
@blueprint.arguments(FieldProblemsSchema)
@blueprint.response(200, OwnRemoteTaskSchema)
def tell_problems(body: Document, remote_task_id: str) -> flask.Response:
    """What of ours you did not take, and why."""
    me, task_id = flask.g.connection, as_id("remote task", remote_task_id)
    return answer_once(
        200, lambda session, now: remote_tasks.take_problems(session, me, task_id, body["problems"], now=now)
    )
