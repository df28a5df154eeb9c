"""What this instance holds of remote tasks and their definitions, in the wire's words, to compare with the provider."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.field_maps import INBOUND, OUTBOUND, comments_line, stamp_key, two_way_lines
from consumer_sim.models_remote_tasks import RemoteTask, RemoteTaskDefinition, RemoteTaskEntry, Ticket, TicketEntry
from consumer_sim.services.requests import moment

Row = dict[str, Any]


def definition_rows(session: Session, connection_id: str, definitions: Sequence[RemoteTaskDefinition]) -> list[Row]:
    shown = ("revision", "name", "description", "provider_table", "consumer_table")
    return [
        {"definition_id": one.id, **{name: getattr(one, name) for name in shown}, **one.lines} for one in definitions
    ]


def remote_task_rows(session: Session, connection_id: str, tasks: Sequence[RemoteTask]) -> list[Row]:
    """Fields and comments are told of connected ones alone: while one is stopped, each side goes on by itself."""
    ids = {task.ticket_id for task in tasks if task.ticket_id}
    tickets = {one.id: one for one in session.scalars(select(Ticket).where(Ticket.id.in_(ids)))}
    said = _comments(session, connection_id, [task for task in tasks if task.status == "connected"])
    shown = ("number", "definition_id", "definition_revision", "parent_number", "error", "status")
    rows = []
    for task in tasks:
        row = {"task_id": task.id, **{name: getattr(task, name) for name in shown}}
        row |= {"stopped": task.stopped_there, "stopped_by_consumer": task.stopped_here}
        row["problems"] = [
            {name: one[name] for name in ("key", "label", "kind", "reason")} for one in task.problems_there
        ]
        ticket = tickets.get(task.ticket_id or "")
        if task.status == "connected" and ticket is not None:
            row["comments"], row["fields"] = said[task.id], _fields(task, ticket)
        rows.append(row)
    return rows


def _fields(task: RemoteTask, ticket: Ticket) -> Row:
    """Of fields that cross both ways who changed them last, for which time, and what they are."""
    troubled = {one["key"] for one in (*task.problems_here, *task.problems_there)}
    found: Row = {}
    for there, back in two_way_lines(task.lines):
        stamp = task.stamps.get(stamp_key(back, OUTBOUND))
        if stamp is not None and not troubled & {there["key"], back["key"]}:
            value = getattr(ticket, back["target"])
            found[back["key"]] = {"version": stamp[0], "by": stamp[1], "value": value}
    return found


def _comments(session: Session, connection_id: str, tasks: Sequence[RemoteTask]) -> Mapping[str, list[Row]]:
    """What has crossed, by task, in its order; not what was there before and stays here."""
    query = (
        select(RemoteTaskEntry.remote_task_id, RemoteTaskEntry.from_provider, TicketEntry)
        .join(
            RemoteTask,
            (RemoteTask.connection_id == RemoteTaskEntry.connection_id)
            & (RemoteTask.id == RemoteTaskEntry.remote_task_id),
        )
        .join(
            TicketEntry, (TicketEntry.ticket_id == RemoteTask.ticket_id) & (TicketEntry.id == RemoteTaskEntry.entry_id)
        )
        .where(RemoteTask.connection_id == connection_id, RemoteTask.id.in_([task.id for task in tasks]))
        .order_by(TicketEntry.created_at, TicketEntry.id)
    )
    by_id = {task.id: task for task in tasks}
    found: Mapping[str, list[Row]] = defaultdict(list)
    for task_id, from_provider, entry in session.execute(query):
        if from_provider or not _stays(by_id[task_id], entry):
            told = {"comment_id": entry.id, "text": entry.text, "created_at": moment(entry.created_at)}
            found[task_id].append(told)
    return found


def _stays(task: RemoteTask, entry: TicketEntry) -> bool:
    line = comments_line(task.lines, INBOUND)
    return line is not None and not line["pre_existing"] and entry.created_at <= task.opened_at
