"""Incidents and the remote tasks that tie them, for our own people."""

from typing import Any

import flask

from bridge.web import Blueprint
from provider.api.auth import requires
from provider.api.context import here
from provider.api.paging import PageSchema, page_document, page_schema
from provider.api.schemas_remote_tasks import (
    DisconnectSchema,
    IncidentChangeSchema,
    IncidentDetailSchema,
    IncidentEntrySchema,
    IncidentSchema,
    NewIncidentSchema,
    RemoteTaskSchema,
    WrittenSchema,
)
from provider.models.remote_tasks import Incident, IncidentEntry, RemoteTask
from provider.services import incidents, remote_task_care

blueprint = Blueprint("incidents", __name__, url_prefix="/api/v1", description="Incidents, and what ties them.")


def _who() -> dict[str, Any]:
    return {"actor": flask.g.actor, "now": here().clock()}


@blueprint.route("/incidents", methods=["GET"])
@requires("case.read")
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, page_schema(IncidentSchema))
def list_all(page: dict[str, Any]) -> dict[str, Any]:
    """All incidents, by number."""
    with here().database.reading() as session:
        return page_document(incidents.list_incidents(session, limit=page["limit"], after=page["cursor"]))


@blueprint.route("/incidents", methods=["POST"])
@requires("case.write")
@blueprint.arguments(NewIncidentSchema)
@blueprint.response(201, IncidentSchema)
def open_one(body: dict[str, Any]) -> Incident:
    """A new incident of our own."""
    with here().transaction() as session:
        return incidents.open_incident(session, body, **_who())


@blueprint.route("/incidents/<number>", methods=["GET"])
@requires("case.read")
@blueprint.response(200, IncidentDetailSchema)
def get(number: str) -> dict[str, Any]:
    """One incident with what was written on it."""
    with here().database.reading() as session:
        found = incidents.get_incident(session, number)
        row = {column.key: getattr(found, column.key) for column in Incident.__table__.columns}
        return row | {"entries": incidents.list_entries(session, found)}


@blueprint.route("/incidents/<number>/edit", methods=["POST"])
@requires("case.write")
@blueprint.arguments(IncidentChangeSchema)
@blueprint.response(200, IncidentSchema)
def change(body: dict[str, Any], number: str) -> Incident:
    """Change fields; the consumer is told, if one is tied."""
    with here().transaction() as session:
        return incidents.change_incident(session, number, body, **_who())


@blueprint.route("/incidents/<number>", methods=["DELETE"])
@requires("case.write")
@blueprint.response(204)
def delete(number: str) -> None:
    """Delete our record; nothing of the consumer's is deleted."""
    with here().transaction() as session:
        incidents.delete_incident(session, number, **_who())


@blueprint.route("/incidents/<number>/comments", methods=["POST"])
@requires("comment.write")
@blueprint.arguments(WrittenSchema)
@blueprint.response(201, IncidentEntrySchema)
def comment(body: dict[str, str], number: str) -> IncidentEntry:
    """Say something that both sides read."""
    author = flask.g.actor.removeprefix("user/")
    with here().transaction() as session:
        return incidents.add_comment(session, number, text=body["text"], author_name=author, now=here().clock())


@blueprint.route("/incidents/<number>/work-notes", methods=["POST"])
@requires("work_note.write")
@blueprint.arguments(WrittenSchema)
@blueprint.response(201, IncidentEntrySchema)
def note(body: dict[str, str], number: str) -> IncidentEntry:
    """Write something that stays here."""
    author, now = flask.g.actor.removeprefix("user/"), here().clock()
    with here().transaction() as session:
        incident = incidents.get_incident(session, number, lock=True)
        return incidents.add_work_note(session, incident, text=body["text"], author_name=author, now=now)


@blueprint.route("/remote-tasks", methods=["GET"])
@requires("case.read")
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, page_schema(RemoteTaskSchema))
def list_tasks(page: dict[str, Any]) -> dict[str, Any]:
    """All remote tasks, by number."""
    with here().database.reading() as session:
        return page_document(remote_task_care.list_tasks(session, limit=page["limit"], after=page["cursor"]))


@blueprint.route("/remote-tasks/<task_number>", methods=["GET"])
@requires("case.read")
@blueprint.response(200, RemoteTaskSchema)
def get_task(task_number: str) -> RemoteTask:
    """One of them, with what did not get through."""
    with here().database.reading() as session:
        return remote_task_care.get_task(session, task_number)


@blueprint.route("/remote-tasks/<task_number>/disconnect", methods=["POST"])
@requires("case.write")
@blueprint.arguments(DisconnectSchema)
@blueprint.response(200, RemoteTaskSchema)
def disconnect(body: dict[str, str], task_number: str) -> RemoteTask:
    """Stop all copying, both ways."""
    with here().transaction() as session:
        return remote_task_care.disconnect_task(session, task_number, reason=body["reason"], **_who())


@blueprint.route("/remote-tasks/<task_number>/connect", methods=["POST"])
@requires("case.write")
@blueprint.response(200, RemoteTaskSchema)
def connect(task_number: str) -> RemoteTask:
    """Let it go on; what changed meanwhile follows."""
    with here().transaction() as session:
        return remote_task_care.connect_task(session, task_number, **_who())


@blueprint.route("/remote-tasks/<task_number>/replay", methods=["POST"])
@requires("case.write")
@blueprint.response(200, RemoteTaskSchema)
def replay(task_number: str) -> RemoteTask:
    """Try again what waits for a row of a transform."""
    with here().transaction() as session:
        return remote_task_care.replay_task(session, task_number, **_who())
