"""Tickets, and the remote tasks that tie them to records of providers."""

from typing import Any
from uuid import UUID

from bridge.web import Blueprint
from consumer_sim.api.auth import protect
from consumer_sim.api.context import here
from consumer_sim.api.schemas_remote_tasks import (
    DecisionSchema,
    EntrySchema,
    NewTicketSchema,
    PairPageSchema,
    StopSchema,
    TicketChangeSchema,
    TicketPageSchema,
    TieSchema,
)
from consumer_sim.services import remote_task_definitions as definitions
from consumer_sim.services import remote_task_views as views
from consumer_sim.services import remote_tasks, tickets

blueprint = protect(Blueprint("tickets", __name__, url_prefix="/api/v1", description="Tickets, and what ties them."))

Document = dict[str, Any]


@blueprint.route("/tickets", methods=["POST"])
@blueprint.arguments(NewTicketSchema)
@blueprint.response(201)
def open_one(body: Document) -> Document:
    """A new ticket; a trigger may tie it to a provider's record at once."""
    opened_by = body.pop("opened_by")
    with here().database.transaction() as session:
        ticket = tickets.open_ticket(session, body, opened_by=opened_by, now=here().clock())
        return views.ticket_detail(session, ticket)


@blueprint.route("/tickets", methods=["GET"])
@blueprint.arguments(TicketPageSchema, location="query")
@blueprint.response(200)
def list_all(page: Document) -> Document:
    """All tickets, by number."""
    with here().database.reading() as session:
        found, following = tickets.list_tickets(session, after=page["cursor"], limit=page["limit"])
        return {"items": [views.ticket_document(ticket) for ticket in found], "next": following}


@blueprint.route("/tickets/<uuid:ticket_id>", methods=["GET"])
@blueprint.response(200)
def get(ticket_id: UUID) -> Document:
    """One ticket, with what was written on it and what ties it."""
    with here().database.reading() as session:
        return views.ticket_detail(session, tickets.get_ticket(session, str(ticket_id)))


@blueprint.route("/tickets/<uuid:ticket_id>/edit", methods=["POST"])
@blueprint.arguments(TicketChangeSchema)
@blueprint.response(200)
def change(body: Document, ticket_id: UUID) -> Document:
    """Change fields; providers that it is tied to are told."""
    with here().database.transaction() as session:
        ticket = tickets.get_ticket(session, str(ticket_id), lock=True)
        tickets.change_ticket(session, ticket, body, now=here().clock())
        return views.ticket_detail(session, ticket)


@blueprint.route("/tickets/<uuid:ticket_id>", methods=["DELETE"])
@blueprint.response(204)
def delete(ticket_id: UUID) -> None:
    """Delete it; nothing of a provider's is deleted."""
    with here().database.transaction() as session:
        ticket = tickets.get_ticket(session, str(ticket_id), lock=True)
        tickets.delete_ticket(session, ticket, now=here().clock())


@blueprint.route("/tickets/<uuid:ticket_id>/entries", methods=["POST"])
@blueprint.arguments(EntrySchema)
@blueprint.response(201)
def write(body: Document, ticket_id: UUID) -> Document:
    """Say something to providers it is tied to, or write a work note, which stays here."""
    with here().database.transaction() as session:
        ticket = tickets.get_ticket(session, str(ticket_id), lock=True)
        said: dict[str, Any] = {"work_note": body["work_note"], "now": here().clock()}
        return views.entry_document(tickets.add_comment(session, ticket, body["text"], body["author_name"], **said))


@blueprint.route("/tickets/<uuid:ticket_id>/remote-tasks", methods=["POST"])
@blueprint.arguments(TieSchema)
@blueprint.response(201)
def tie(body: Document, ticket_id: UUID) -> Document:
    """Hand the ticket over: a record of the provider's follows it from then on."""
    named, opened_by = str(body["connection_id"]) if body.get("connection_id") else None, body["opened_by"]
    with here().database.transaction() as session:
        ticket = tickets.get_ticket(session, str(ticket_id), lock=True)
        definition = definitions.get_definition(session, str(body["definition_id"]), connection_id=named)
        task = tickets.tie_ticket(session, ticket, definition, opened_by=opened_by, now=here().clock())
        return views.remote_task_document(task)


@blueprint.route("/remote-tasks", methods=["GET"])
@blueprint.arguments(PairPageSchema, location="query")
@blueprint.response(200)
def list_tasks(page: Document) -> Document:
    """All remote tasks."""
    with here().database.reading() as session:
        found, following = remote_tasks.list_tasks(session, after=page["cursor"], limit=page["limit"])
        return {"items": [views.remote_task_document(task) for task in found], "next": following}


@blueprint.route("/remote-tasks/<uuid:remote_task_id>", methods=["GET"])
@blueprint.response(200)
def get_task(remote_task_id: UUID) -> Document:
    """One of them, with what did not get through."""
    with here().database.reading() as session:
        return views.remote_task_document(remote_tasks.get_task(session, str(remote_task_id)))


@blueprint.route("/remote-tasks/<uuid:remote_task_id>/disconnect", methods=["POST"])
@blueprint.arguments(StopSchema)
@blueprint.response(200)
def disconnect(body: dict[str, str], remote_task_id: UUID) -> Document:
    """Stop all copying, both ways."""
    with here().database.transaction() as session:
        task, _ = remote_tasks.lock_task(session, str(remote_task_id))
        remote_tasks.disconnect_task(session, task, reason=body["reason"], now=here().clock())
        return views.remote_task_document(task)


@blueprint.route("/remote-tasks/<uuid:remote_task_id>/connect", methods=["POST"])
@blueprint.response(200)
def connect(remote_task_id: UUID) -> Document:
    """Let it go on; what changed meanwhile follows. One in error is tried again."""
    with here().database.transaction() as session:
        task, ticket = remote_tasks.lock_task(session, str(remote_task_id))
        remote_tasks.connect_task(session, task, ticket, now=here().clock())
        return views.remote_task_document(task)


@blueprint.route("/remote-task-definitions", methods=["GET"])
@blueprint.arguments(PairPageSchema, location="query")
@blueprint.response(200)
def list_definitions(page: Document) -> Document:
    """What providers let us tie to their records."""
    with here().database.reading() as session:
        found, following = definitions.list_definitions(session, after=page["cursor"], limit=page["limit"])
        return {"items": [views.definition_document(one) for one in found], "next": following}


@blueprint.route("/remote-task-definitions/<uuid:definition_id>", methods=["GET"])
@blueprint.response(200)
def get_definition(definition_id: UUID) -> Document:
    """One of them, with its lines as they are decided."""
    with here().database.reading() as session:
        return views.definition_document(definitions.get_definition(session, str(definition_id)))


@blueprint.route("/remote-task-definitions/<uuid:definition_id>/activate", methods=["POST"])
@blueprint.arguments(DecisionSchema)
@blueprint.response(200)
def activate(body: Document, definition_id: UUID) -> Document:
    """Use the newest revision, with what is decided of our side of its lines."""
    with here().database.transaction() as session:
        definition = definitions.get_definition(session, str(definition_id), lock=True)
        definitions.decide_definition(session, definition, body, now=here().clock())
        return views.definition_document(definition)


@blueprint.route("/remote-task-definitions/<uuid:definition_id>/deactivate", methods=["POST"])
@blueprint.response(200)
def deactivate(definition_id: UUID) -> Document:
    """Make no more remote tasks by it; those that are there go on."""
    with here().database.transaction() as session:
        definition = definitions.get_definition(session, str(definition_id), lock=True)
        definitions.deactivate_definition(session, definition, now=here().clock())
        return views.definition_document(definition)
