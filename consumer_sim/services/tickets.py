"""Tickets: work of this instance, which remote tasks may tie to records of providers.

Whatever changes a ticket tells all that tie it but the one the change came by, and makes remote tasks where a trigger
says so.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from bridge.field_maps import COMMENTS, INBOUND, JOURNAL, TICKET, comments_line, count_on
from bridge.forms import FormError, FormErrors
from bridge.ids import new_id
from bridge.models import Connection
from bridge.vocabulary import ConnectionState
from consumer_sim.models_remote_tasks import RemoteTask, RemoteTaskDefinition, Ticket, TicketEntry
from consumer_sim.services import numbers
from consumer_sim.services import remote_task_calls as calls
from consumer_sim.services.errors import ActionRefused, NotFound
from consumer_sim.services.requests import must_be_usable

FIELDS = tuple(name for name, field in TICKET.fields.items() if field.kind != JOURNAL)
SORTS = ("number", "short_description", "state", "priority", "updated")
_DEFAULTS = {"state": "new", "priority": "low"}


def list_tickets(session: Session, *, after: str | None, limit: int) -> tuple[list[Ticket], str | None]:
    """By number; `after` is that of the last one of the page before."""
    query = select(Ticket).order_by(Ticket.number).limit(limit + 1)
    rows = list(session.scalars(query if after is None else query.where(Ticket.number > after)))
    return rows[:limit], rows[limit - 1].number if len(rows) > limit else None


def search_tickets(
    session: Session, *, text: str = "", state: str = "", sort: str = "updated", descending: bool = True,
    offset: int = 0, limit: int = 25,
) -> tuple[list[tuple[Ticket, list[RemoteTask]]], int]:  # fmt: skip
    """One page of the tickets that match, each with what ties it, and how many match in all."""
    conditions = [Ticket.state == state] if state else []
    if text:
        searched = (Ticket.number, Ticket.short_description, Ticket.opened_by)
        conditions.append(or_(*(column.icontains(text, autoescape=True) for column in searched)))
    total = session.scalar(select(func.count()).select_from(Ticket).where(*conditions)) or 0
    key = Ticket.updated_at if sort == "updated" else getattr(Ticket, sort)
    query = select(Ticket).where(*conditions).order_by(key.desc() if descending else key, Ticket.number)
    found = session.scalars(query.offset(offset).limit(limit)).all()
    tied: dict[str, list[RemoteTask]] = {ticket.id: [] for ticket in found}
    for task in session.scalars(select(RemoteTask).where(RemoteTask.ticket_id.in_(tied)).order_by(RemoteTask.number)):
        tied[str(task.ticket_id)].append(task)
    return [(ticket, tied[ticket.id]) for ticket in found], total


def get_ticket(session: Session, ticket_id: str, *, lock: bool = False) -> Ticket:
    """Raises NotFound."""
    query = select(Ticket).where(Ticket.id == ticket_id)
    ticket = session.scalars(query.with_for_update() if lock else query).first()
    if ticket is None:
        raise NotFound("ticket", ticket_id)
    return ticket


def list_entries(session: Session, ticket: Ticket) -> Sequence[TicketEntry]:
    """What was written on it, in the order in which both sides show comments."""
    query = select(TicketEntry).where(TicketEntry.ticket_id == ticket.id)
    return session.scalars(query.order_by(TicketEntry.created_at, TicketEntry.id)).all()


def open_ticket(session: Session, values: Mapping[str, Any], *, opened_by: str, now: datetime) -> Ticket:
    """A new ticket, and the remote tasks that a trigger wants for it. Raises FormErrors."""
    whole = {**_DEFAULTS, **{name: value for name, value in values.items() if value is not None}}
    _check(whole, FIELDS)
    ticket = Ticket(
        id=new_id(), number=numbers.next_ticket_number(session), opened_by=opened_by, opened_at=now, updated_at=now,
        **whole,
    )  # fmt: skip
    session.add(ticket)
    session.flush()
    _start_triggered(session, ticket, now)
    return ticket


def change_ticket(session: Session, ticket: Ticket, changes: Mapping[str, Any], *, now: datetime) -> set[str]:
    """Change fields of a locked ticket; what really changed is told. Raises FormErrors."""
    _check(changes, changes)
    changed = {name for name, value in changes.items() if getattr(ticket, name) != value}
    for name in changed:
        setattr(ticket, name, changes[name])
    tell_change(session, ticket, changed, now=now)
    return changed


def tell_change(
    session: Session, ticket: Ticket, changed: Iterable[str], *, now: datetime, origin: RemoteTask | None = None
) -> None:
    """These fields of a locked ticket are not what they were."""
    names = set(changed)
    if names:
        ticket.updated_at = now
        session.flush()
        calls.capture_changes(session, ticket, names, now=now, origin=origin)
        _start_triggered(session, ticket, now)


def add_comment(
    session: Session, ticket: Ticket, text: str, author_name: str, *, work_note: bool = False, now: datetime
) -> TicketEntry:
    """Say something on a locked ticket: to providers that it is tied to, or, as a work note, to nobody outside."""
    at = now.replace(microsecond=now.microsecond // 1000 * 1000)
    kind = "work_notes" if work_note else COMMENTS
    entry = TicketEntry(ticket_id=ticket.id, id=new_id(), kind=kind, author_name=author_name, text=text, created_at=at)
    session.add(entry)
    ticket.updated_at = now
    session.flush()
    if not work_note:
        calls.capture_comment(session, ticket, entry, now=now)
    return entry


def delete_ticket(session: Session, ticket: Ticket, *, now: datetime) -> None:
    """Delete a locked ticket, and nothing of a provider's: what tied it is in error, and providers are told."""
    reason = f"Ticket {ticket.number} was deleted."
    for task in calls.tasks_of(session, ticket):
        task.ticket_id, task.error, task.updated_at = None, reason, now
        calls.settle_status(task)
        calls.send_standing(session, task, now, error=reason)
    session.flush()
    session.delete(ticket)
    session.flush()


def tie_ticket(
    session: Session, ticket: Ticket, definition: RemoteTaskDefinition, *, opened_by: str, now: datetime
) -> RemoteTask:
    """Make a remote task from a locked ticket; the provider's record follows. Raises ActionRefused where there is one
    by this definition already, or the definition is not active; ConnectionNotUsable.
    """
    must_be_usable(session, definition.connection_id)
    if definition.state != "active" or definition.active_lines is None or definition.active_revision is None:
        raise ActionRefused(f"“{definition.name}” is not active here")
    same = select(RemoteTask.number).where(
        RemoteTask.ticket_id == ticket.id,
        RemoteTask.connection_id == definition.connection_id,
        RemoteTask.definition_id == definition.id,
    )
    if (number := session.scalars(same).first()) is not None:
        raise ActionRefused(f"{number} ties {ticket.number} by “{definition.name}” already")
    lines = definition.active_lines
    task = RemoteTask(
        connection_id=definition.connection_id, id=new_id(), revision=1, definition_id=definition.id,
        number=numbers.next_remote_task_number(session, definition.connection_id),
        definition_revision=definition.active_revision, lines=lines, ticket_id=ticket.id, ticket_number=ticket.number,
        opened_by=opened_by, submission="waiting", status="new", stamps=count_on(lines, INBOUND, FIELDS, {}),
        virtual={}, problems_there=[], problems_here=[], missed=[], opened_at=now, updated_at=now,
    )  # fmt: skip
    session.add(task)
    session.flush()
    said = comments_line(lines, INBOUND)
    if said is not None and not said["pre_existing"]:
        crossed = [entry.id for entry in calls.missing_comments(session, task, ticket)]
        calls.note_crossed(session, task, crossed, from_provider=False)
    calls.send_create(session, task, ticket, now)
    return task


def _start_triggered(session: Session, ticket: Ticket, now: datetime) -> None:
    """Make the remote tasks that a trigger wants for the ticket as it is now, once each."""
    exists = select(RemoteTask.id).where(
        RemoteTask.ticket_id == ticket.id,
        RemoteTask.connection_id == RemoteTaskDefinition.connection_id,
        RemoteTask.definition_id == RemoteTaskDefinition.id,
    )
    usable = Connection.state.not_in([ConnectionState.PENDING, ConnectionState.REVOKED])
    query = (
        select(RemoteTaskDefinition)
        .join(Connection, Connection.id == RemoteTaskDefinition.connection_id)
        .where(RemoteTaskDefinition.state == "active", usable, ~exists.exists())
    )
    ordered = query.order_by(RemoteTaskDefinition.connection_id, RemoteTaskDefinition.id)
    for definition in session.scalars(ordered).all():
        wanted = definition.trigger
        if wanted and all(getattr(ticket, name) == value for name, value in wanted.items()):
            tie_ticket(session, ticket, definition, opened_by=ticket.opened_by, now=now)


def check_values(values: Mapping[str, Any], names: Iterable[str], pointer: str = "") -> list[FormError]:
    """What is wrong with the values of these fields."""
    faults = []
    for name in names:
        if name not in FIELDS:
            faults.append(FormError(f"{pointer}/{name}", "unknown", f"There is no field {name}."))
        elif (wrong := TICKET.fields[name].fault(values.get(name))) is not None:
            faults.append(FormError(f"{pointer}/{name}", "invalid", f"{wrong}."))
    return faults


def _check(values: Mapping[str, Any], names: Iterable[str]) -> None:
    if faults := check_values(values, names):
        raise FormErrors(faults)
