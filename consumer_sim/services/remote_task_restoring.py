"""Remote tasks that a provider knows and we do not, as after a restore here: made again, with their tickets."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bridge.database import insert_into
from bridge.field_maps import COMMENTS, INBOUND, OUTBOUND, TICKET, active_lines, stamp_key
from bridge.issues import DIFFERS, Finding, note_finding
from consumer_sim.models import ProviderConnection
from consumer_sim.models_remote_tasks import RemoteTask, RemoteTaskDefinition, Ticket, TicketEntry
from consumer_sim.services import comments, fields, numbers
from consumer_sim.services import remote_task_calls as calls
from consumer_sim.services.remote_task_definitions import effective_lines

REMOTE_TASKS = "remote_tasks"
"""The step of the history that fetches them."""
_PARENT: fields.Rules = {"id": fields.uuid, "number": fields.text(20)}
_VALUE: fields.Rules = {"key": fields.text(40), "value": fields.or_null(fields.text(10_000, least=0)),
                        "version": fields.number_from(1), "by": fields.text(20)}  # fmt: skip
_SAID: fields.Rules = {**comments.RULES, "author": fields.members(comments.AUTHOR)}
_RULES: fields.Rules = {
    "task_id": fields.uuid,
    "number": fields.text(40),
    "revision": fields.number_from(1),
    "definition_id": fields.uuid,
    "definition_revision": fields.number_from(1),
    "parent": fields.members(_PARENT),
    "parent_number": fields.or_null(fields.text(40)),
    "requested_by": fields.members({"name": fields.text(255)}),
    "opened_at": fields.time,
    "stopped": fields.or_null(fields.text(4000, least=0)),
    "stopped_by_consumer": fields.or_null(fields.text(4000, least=0)),
    "error": fields.or_null(fields.text(4000, least=0)),
}

Document = Mapping[str, Any]


def want_remote_tasks(session: Session, connection_id: str, *, now: datetime) -> None:
    """One that we do not know was heard of: have them fetched, unless all is being fetched already."""
    idle = (ProviderConnection.connection_id == connection_id) & ProviderConnection.history_due_at.is_(None)
    begin = {"history_due_at": now, "history_cursor": f"{REMOTE_TASKS}|"}
    session.execute(update(ProviderConnection).where(idle).values(begin))


def find_unknown(session: Session, connection_id: str, ids: list[str]) -> list[str]:
    """Those of the remote tasks that are not known here."""
    mine = (RemoteTask.connection_id == connection_id, RemoteTask.id.in_(ids))
    known = set(session.scalars(select(RemoteTask.id).where(*mine)))
    return [one for one in ids if one not in known]


def restore_task(session: Session, connection_id: str, document: Document, *, now: datetime) -> None:
    """Make the remote task and, where that is gone, its ticket, with what has crossed. What cannot be made again stands
    as an issue.
    """
    if fields.faults(document, _RULES):
        return
    definition = session.get(RemoteTaskDefinition, (connection_id, document["definition_id"]))
    same_number = select(RemoteTask.id).where(
        RemoteTask.connection_id == connection_id, RemoteTask.number == document["number"]
    )
    if definition is None or session.scalars(same_number).first() is not None:
        why = "its definition is not known here" if definition is None else "another one has its number here"
        said = f"remote task {document['number']} is known to the provider and not here, and {why}"
        subject = f"remote_task/{document['task_id']}"
        note_finding(session, Finding(connection_id, DIFFERS, said, subject), now=now)
        return
    lines = definition.active_lines or effective_lines(definition.lines, definition.overrides)
    values, stamps = _read_fields(lines, document)
    ticket = _find_or_make_ticket(session, document, values, now)
    task = _new_task(connection_id, document, ticket, lines, stamps, now)
    calls.settle_status(task)
    session.add(task)
    session.flush()
    _restore_comments(session, task, ticket, document)


def _read_fields(lines: Document, document: Document) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Values of our record and the stamps of all lines; the greater stamp of two lines of one field counts."""
    values: dict[str, Any] = {}
    stamps: dict[str, list[Any]] = {}
    told = document.get("fields") or {}
    for direction, end in ((INBOUND, "source"), (OUTBOUND, "target")):
        by_key = {line["key"]: line for line in active_lines(lines, direction) if not line["virtual"]}
        rows = told.get(direction) if isinstance(told, dict) else None
        for one in rows if isinstance(rows, list) else []:
            line = by_key.get(one.get("key")) if isinstance(one, dict) and not fields.faults(one, _VALUE) else None
            if line is None:
                continue
            stamps[stamp_key(line, direction)] = [one["version"], one["by"]]
            field = TICKET.fields.get(line[end] or "")
            if field is not None and field.fault(one["value"]) is None:
                values[line[end]] = one["value"]
    return values, stamps


def _find_or_make_ticket(session: Session, document: Document, values: Mapping[str, Any], now: datetime) -> Ticket:
    """One that is here, from the backup, stays as it is but for what is told of it."""
    parent = document["parent"]
    ticket = session.get(Ticket, parent["id"], with_for_update=True)
    if ticket is None:
        ticket = Ticket(
            id=parent["id"], number=numbers.keep_ticket_number(session, parent["number"]), state="new", priority="low",
            short_description=f"{parent['number']}, fetched from the provider", opened_at=now, updated_at=now,
            opened_by=document["requested_by"]["name"],
        )  # fmt: skip
        session.add(ticket)
    for name, value in values.items():
        setattr(ticket, name, value)
    session.flush()
    return ticket


def _new_task(
    connection_id: str, document: Document, ticket: Ticket, lines: dict[str, Any], stamps: dict[str, Any], now: datetime
) -> RemoteTask:
    problems = document.get("problems")
    return RemoteTask(
        connection_id=connection_id, id=document["task_id"], number=document["number"], revision=document["revision"],
        definition_id=document["definition_id"], definition_revision=document["definition_revision"], lines=lines,
        ticket_id=ticket.id, ticket_number=ticket.number, parent_number=document["parent_number"],
        opened_by=document["requested_by"]["name"], submission="accepted", status="new", error=document["error"],
        stopped_here=document["stopped_by_consumer"], stopped_there=document["stopped"], stamps=stamps, virtual={},
        problems_there=problems if isinstance(problems, list) else [], problems_here=[], missed=[],
        opened_at=fields.parse_time(document["opened_at"]) or now, updated_at=now,
    )  # fmt: skip


def _restore_comments(session: Session, task: RemoteTask, ticket: Ticket, document: Document) -> None:
    said = document.get("comments")
    for one in said if isinstance(said, list) else []:
        if not isinstance(one, dict) or fields.faults(one, _SAID):
            continue
        own = one.get("from_consumer") is True
        row = {
            "ticket_id": ticket.id, "id": one["comment_id"], "text": one["text"], "kind": COMMENTS,
            "author_name": one["author"]["name"], "author_company": None if own else one["author"].get("company"),
            "created_at": fields.parse_time(one["created_at"]),
        }  # fmt: skip
        session.execute(insert_into(session, TicketEntry).values(row).on_conflict_do_nothing())
        calls.note_crossed(session, task, [one["comment_id"]], from_provider=not own)
