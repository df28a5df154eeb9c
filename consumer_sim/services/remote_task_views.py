"""Tickets, remote tasks and definitions as documents, for the API and the pages."""

from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from bridge.models import Connection
from consumer_sim.models_remote_tasks import RemoteTask, RemoteTaskDefinition, Ticket, TicketEntry
from consumer_sim.services.remote_task_definitions import effective_lines, list_named
from consumer_sim.services.requests import moment
from consumer_sim.services.tickets import list_entries

Document = dict[str, Any]


def ticket_document(ticket: Ticket) -> Document:
    return _document(ticket)


def ticket_detail(session: Session, ticket: Ticket) -> Document:
    """With what was written on it, and what ties it."""
    tied = select(RemoteTask).where(RemoteTask.ticket_id == ticket.id).order_by(RemoteTask.number)
    return _document(ticket) | {
        "entries": [entry_document(entry) for entry in list_entries(session, ticket)],
        "remote_tasks": [remote_task_document(task) for task in session.scalars(tied)],
    }


def entry_document(entry: TicketEntry) -> Document:
    return _document(entry)


def remote_task_document(task: RemoteTask) -> Document:
    return _document(task)


def definition_document(definition: RemoteTaskDefinition) -> Document:
    """`decided` are the lines as they are in force once the newest revision is activated."""
    return _document(definition) | {"decided": effective_lines(definition.lines, definition.overrides)}


def _document(row: Any) -> Document:
    """Every column; times as the wire writes them."""
    values = {attribute.key: getattr(row, attribute.key) for attribute in inspect(type(row)).column_attrs}
    return {name: moment(value) if hasattr(value, "isoformat") else value for name, value in values.items()}


def show_ticket(session: Session, ticket: Ticket) -> Document:
    """For its page: what was written, what ties it with the providers' names, and by what it can be tied."""
    tied = (
        select(RemoteTask, RemoteTaskDefinition.name, Connection.name)
        .join(Connection, Connection.id == RemoteTask.connection_id)
        .join(
            RemoteTaskDefinition,
            (RemoteTaskDefinition.connection_id == RemoteTask.connection_id)
            & (RemoteTaskDefinition.id == RemoteTask.definition_id),
        )
        .where(RemoteTask.ticket_id == ticket.id)
        .order_by(RemoteTask.number)
    )
    rows = session.execute(tied).all()
    used = {(row[0].connection_id, row[0].definition_id) for row in rows}
    possible = [
        {"definition": definition, "provider": provider}
        for definition, provider in list_named(session)
        if definition.state == "active" and (definition.connection_id, definition.id) not in used
    ]
    tasks = [{"task": row[0], "definition": row[1], "provider": row[2]} for row in rows]
    return {"ticket": ticket, "entries": list_entries(session, ticket), "tasks": tasks, "possible": possible}
