"""What providers are told of the tickets that are tied to their records: recorded in the transaction of the change."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from bridge.field_maps import (
    COMMENTS,
    INBOUND,
    OUTBOUND,
    active_lines,
    comments_line,
    count_first,
    count_on,
    tell_fields,
)
from bridge.outbox import record_call
from bridge.vocabulary import EXCHANGE_PATH
from consumer_sim.models_remote_tasks import RemoteTask, RemoteTaskEntry, Ticket, TicketEntry
from consumer_sim.services.requests import moment

CREATE, FIELDS, COMMENT = "remote_task", "remote_task_fields", "remote_task_comment"
STANDING, PROBLEMS = "remote_task_standing", "remote_task_problems"
_PATHS = {FIELDS: "fields", COMMENT: "comments", STANDING: "standing", PROBLEMS: "problems"}


def settle_status(task: RemoteTask) -> bool:
    """Say in one word how the task stands now. Returns whether it has just become connected."""
    before = task.status
    stopped = task.stopped_here is not None or task.stopped_there is not None
    if task.error is not None or task.submission == "refused":
        task.status = "error"
    elif task.submission == "waiting":
        task.status = "new"
    else:
        task.status = "disconnected" if stopped else "connected"
    return task.status == "connected" and before != "connected"


def tasks_of(session: Session, ticket: Ticket) -> Sequence[RemoteTask]:
    """What ties a ticket, to be changed; the ticket is locked already."""
    query = select(RemoteTask).where(RemoteTask.ticket_id == ticket.id)
    return session.scalars(query.order_by(RemoteTask.connection_id, RemoteTask.id).with_for_update()).all()


def send_create(session: Session, task: RemoteTask, ticket: Ticket, now: datetime) -> None:
    """Ask for a record at the provider, with all that may cross of ours."""
    told, refused = tell_fields(task.lines, INBOUND, _record(task, ticket), task.stamps)
    note_unsent(task, refused)
    body = {
        "id": task.id, "number": task.number, "revision": task.revision, "definition_id": task.definition_id,
        "definition_revision": task.definition_revision, "parent": {"id": ticket.id, "number": ticket.number},
        "fields": told, "requested_by": {"name": task.opened_by}, "opened_at": moment(task.opened_at),
    }  # fmt: skip
    target = f"POST {EXCHANGE_PATH}/remote-tasks"
    record_call(session, stream_of(task), CREATE, target, body, to=task.connection_id, now=now)


def capture_changes(
    session: Session, ticket: Ticket, names: Iterable[str], *, now: datetime, origin: RemoteTask | None = None
) -> None:
    """These fields of the ticket changed: tell all that tie it but the one the change came by, or remember that they
    changed, while it is not connected.
    """
    changed = set(names)
    for task in tasks_of(session, ticket):
        tied = {line["source"] for line in active_lines(task.lines, INBOUND)} & changed
        if task is origin or not tied:
            continue
        task.stamps = count_on(task.lines, INBOUND, tied, task.stamps)
        task.updated_at = now
        send_fields(session, task, ticket, tied, now)


def capture_comment(
    session: Session, ticket: Ticket, entry: TicketEntry, *, now: datetime, origin: RemoteTask | None = None
) -> None:
    """A comment was written: tell all that tie the ticket but the one it came by."""
    for task in tasks_of(session, ticket):
        if task is not origin and task.status == "connected":
            send_comments(session, task, [entry], now)


def send_fields(
    session: Session, task: RemoteTask, ticket: Ticket, names: Iterable[str] | None, now: datetime,
    known: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Tell these fields, all if none are named, but for what the provider is `known` to have; nothing while the task is
    not connected.
    """
    if task.status != "connected":
        return
    told, refused = tell_fields(task.lines, INBOUND, _record(task, ticket), task.stamps, names)
    note_unsent(task, refused, told)
    had = known or {}
    fields = {key: one for key, one in told.items() if key not in had or one["version"] > had[key]["version"]}
    if fields:
        _send(session, task, FIELDS, {"fields": fields}, now)


def send_comments(session: Session, task: RemoteTask, entries: Iterable[TicketEntry], now: datetime) -> None:
    """Each once; which ones have crossed is kept."""
    if comments_line(task.lines, INBOUND) is None:
        return
    for entry in entries:
        session.flush()
        note_crossed(session, task, [entry.id], from_provider=False)
        author = f"{entry.author_name} ({entry.author_company})" if entry.author_company else entry.author_name
        body = {"id": entry.id, "text": entry.text, "author": {"name": author}, "created_at": moment(entry.created_at)}
        _send(session, task, COMMENT, body, now)


def note_crossed(session: Session, task: RemoteTask, entry_ids: Sequence[str], *, from_provider: bool) -> None:
    rows = [
        {
            "connection_id": task.connection_id,
            "remote_task_id": task.id,
            "entry_id": entry_id,
            "from_provider": from_provider,
        }
        for entry_id in entry_ids
    ]
    if rows:
        session.execute(insert(RemoteTaskEntry), rows)


def missing_comments(session: Session, task: RemoteTask, ticket: Ticket) -> Sequence[TicketEntry]:
    """Comments of the ticket that have not crossed, in their order."""
    crossed = select(RemoteTaskEntry.entry_id).where(
        RemoteTaskEntry.connection_id == task.connection_id, RemoteTaskEntry.remote_task_id == task.id
    )
    missing = select(TicketEntry).where(
        TicketEntry.ticket_id == ticket.id, TicketEntry.kind == COMMENTS, TicketEntry.id.not_in(crossed)
    )
    return session.scalars(missing.order_by(TicketEntry.created_at, TicketEntry.id)).all()


def catch_up(
    session: Session, task: RemoteTask, ticket: Ticket, now: datetime, known: Mapping[str, Any] | None = None
) -> None:
    """The task is connected (again): tell what the provider may have missed. What it has already changes nothing."""
    task.stamps = count_first(task.lines, INBOUND, task.stamps)
    send_fields(session, task, ticket, None, now, known)
    send_comments(session, task, missing_comments(session, task, ticket), now)


def send_standing(session: Session, task: RemoteTask, now: datetime, **more: Any) -> None:
    """Tell whether our side lets it go on; the provider has to know of it already."""
    if task.submission == "accepted":
        _send(session, task, STANDING, {"stopped": task.stopped_here, **more}, now)


def send_problems(session: Session, task: RemoteTask, now: datetime) -> None:
    """Tell what of the provider's we did not take, all of it."""
    problems = [
        {"key": one["key"], "reason": one["reason"]} for one in task.problems_here if one["direction"] == OUTBOUND
    ]
    _send(session, task, PROBLEMS, {"problems": problems}, now)


def stream_of(task: RemoteTask) -> str:
    return f"remote_task/{task.id}"


def note_unsent(task: RemoteTask, refused: Mapping[str, str], told: Iterable[str] = ()) -> None:
    """Keep which of our values may not cross, and why."""
    gone = {*refused, *told}
    labels = {line["key"]: line["label"] for line in task.lines[INBOUND]}
    kept = [one for one in task.problems_here if one["direction"] != INBOUND or one["key"] not in gone]
    found = [
        {"direction": INBOUND, "key": key, "label": labels[key], "kind": "refused", "reason": reason}
        for key, reason in refused.items()
    ]
    if task.problems_here != kept + found:
        task.problems_here = kept + found


def _record(task: RemoteTask, ticket: Ticket) -> dict[str, Any]:
    return {line["source"]: getattr(ticket, line["source"]) for line in active_lines(task.lines, INBOUND)}


def _send(session: Session, task: RemoteTask, operation: str, body: Mapping[str, Any], now: datetime) -> None:
    target = f"POST {EXCHANGE_PATH}/remote-tasks/{task.id}/{_PATHS[operation]}"
    record_call(session, stream_of(task), operation, target, body, to=task.connection_id, now=now)
