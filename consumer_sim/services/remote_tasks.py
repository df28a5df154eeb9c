"""Remote tasks as their providers tell of them, and what our people do with them."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bridge.carriers import CallAnswer
from bridge.database import insert_into
from bridge.envelope import Event
from bridge.field_maps import (
    COMMENTS,
    CONSUMER,
    LINES_LIMIT,
    OUTBOUND,
    PROVIDER,
    TICKET,
    VERSION_LIMIT,
    comments_line,
    hear_fields,
    takes_in,
)
from bridge.inbox import Rejection
from bridge.vocabulary import EventType
from consumer_sim.models_remote_tasks import RemoteTask, RemoteTaskDefinition, RemoteTaskEntry, Ticket, TicketEntry
from consumer_sim.services import comments, fields, numbers
from consumer_sim.services import remote_task_calls as calls
from consumer_sim.services import remote_task_definitions as definitions
from consumer_sim.services.errors import ActionRefused, NotFound
from consumer_sim.services.remote_task_restoring import want_remote_tasks
from consumer_sim.services.tickets import tell_change

log = logging.getLogger(__name__)


def _version(value: Any) -> str | None:
    return None if type(value) is int and 1 <= value <= VERSION_LIMIT else "is not a version"


_VALUE: fields.Rules = {
    "value": fields.or_null(fields.text(10_000, least=0)),
    "version": _version,
    "by": fields.choice(CONSUMER, PROVIDER),
}
_PROBLEM: fields.Rules = {
    "key": fields.text(40), "label": fields.text(120), "kind": fields.text(20), "reason": fields.text(4000, least=0),
}  # fmt: skip


def _values(value: Any) -> str | None:
    if not isinstance(value, dict) or len(value) > LINES_LIMIT:
        return f"is not an object of at most {LINES_LIMIT} fields"
    wrong = (fields.text(40)(key) or fields.members(_VALUE)(one) for key, one in value.items())
    return next((fault for fault in wrong if fault), None)


def _problems(value: Any) -> str | None:
    if not isinstance(value, list) or len(value) > 2 * LINES_LIMIT:
        return "is not a list of problems"
    return next((fault for fault in map(fields.members(_PROBLEM), value) if fault), None)


_RULES: Mapping[str, fields.Rules] = {
    EventType.REMOTE_TASK_CHANGED: {
        "task_id": fields.uuid,
        "number": fields.text(40),
        "parent_number": fields.or_null(fields.text(40)),
        "stopped": fields.or_null(fields.text(4000, least=0)),
        "error": fields.or_null(fields.text(4000, least=0)),
        "problems": _problems,
        "fields": _values,
        "initial": fields.boolean,
    },
    EventType.REMOTE_TASK_COMMENT_ADDED: comments.RULES,
}
_RECORD: Mapping[str, str] = dict.fromkeys(_RULES, "task_id")


class RemoteTaskHandler:
    """Takes in what providers tell of the records that are tied to our tickets. Reads all of a batch at once; what it
    writes grows with what changed.
    """

    def check(self, session: Session, connection_id: str, events: Sequence[Event]) -> Mapping[str, Rejection]:
        found = fields.rejections(events, _RULES, _RECORD)
        for event in events:
            said = event.type == EventType.REMOTE_TASK_COMMENT_ADDED and event.id not in found
            if said and (wrong := fields.faults(event.data["author"], comments.AUTHOR)):
                found[event.id] = Rejection(f"{event.type} with an unacceptable author", wrong)
        return found

    def apply(self, session: Session, connection_id: str, events: Sequence[Event], now: datetime) -> None:
        known = _lock_tasks(session, connection_id, {event.data["task_id"] for event in events})
        for event in events:
            if event.data["task_id"] not in known:
                log.warning("news of a remote task that is not known here", extra={"task": event.data["task_id"]})
                want_remote_tasks(session, connection_id, now=now)
                continue
            task, ticket = known[event.data["task_id"]]
            if event.type == EventType.REMOTE_TASK_CHANGED:
                _take_standing(session, task, ticket, event.data, now)
            else:
                _take_comment(session, task, ticket, event.data, now)


def _lock_tasks(session: Session, connection_id: str, ids: set[str]) -> dict[str, tuple[RemoteTask, Ticket | None]]:
    """By id, each with its ticket: tickets first, as everywhere."""
    where = (RemoteTask.connection_id == connection_id, RemoteTask.id.in_(ids))
    tied = select(RemoteTask.ticket_id).where(*where)
    fresh = {"populate_existing": True}  # as they are now that they are locked, also where they were read before
    tickets = select(Ticket).where(Ticket.id.in_(tied)).order_by(Ticket.id).with_for_update()
    by_id = {ticket.id: ticket for ticket in session.scalars(tickets, execution_options=fresh)}
    locked = select(RemoteTask).where(*where).order_by(RemoteTask.id).with_for_update()
    tasks = session.scalars(locked, execution_options=fresh)
    return {task.id: (task, by_id.get(task.ticket_id or "")) for task in tasks}


def _take_standing(
    session: Session, task: RemoteTask, ticket: Ticket | None, data: Mapping[str, Any], now: datetime
) -> None:
    """How the task stands at the provider, and the fields that changed there."""
    task.parent_number, task.stopped_there = data["parent_number"], data["stopped"]
    if task.submission == "waiting" and data["error"] is None:
        task.submission = "accepted"  # the event overtook the answer
    if ticket is not None:
        task.error = data["error"]
    task.problems_there, task.updated_at = data["problems"], now
    connected = calls.settle_status(task)
    if ticket is None or task.status != "connected":
        return
    _take_fields(session, task, ticket, data["fields"], data["initial"], now)
    if connected:
        calls.catch_up(session, task, ticket, now)


def _take_fields(
    session: Session, task: RemoteTask, ticket: Ticket, told: Mapping[str, Any], initial: bool, now: datetime
) -> None:
    """Write the news into the ticket, line by line; what the ticket does not take is told to the provider."""
    news, task.stamps, unknown = hear_fields(task.lines, OUTBOUND, told, task.stamps)
    heard = {one.line["key"] for one in news} | set(unknown)
    refused = [one for one in task.problems_here if one["direction"] != OUTBOUND or one["key"] not in heard]
    changed = set()
    for one in news:
        line = one.line
        if not takes_in(line, initial=initial):
            continue
        if line["virtual"]:
            task.virtual = {**task.virtual, line["key"]: {"label": line["label"], "value": one.value}}
        elif wrong := TICKET.fields[line["target"]].fault(one.value):
            refused.append(_problem(line["key"], line["label"], wrong))
        elif getattr(ticket, line["target"]) != one.value:
            setattr(ticket, line["target"], one.value)
            changed.add(line["target"])
    if refused != task.problems_here:
        task.problems_here = refused
        calls.send_problems(session, task, now)
    tell_change(session, ticket, changed, now=now, origin=task)


def _problem(key: str, label: str, reason: str) -> dict[str, Any]:
    return {"direction": OUTBOUND, "key": key, "label": label, "kind": "refused", "reason": f"{reason}."}


def _take_comment(
    session: Session, task: RemoteTask, ticket: Ticket | None, data: Mapping[str, Any], now: datetime
) -> None:
    """Once, however often it comes; while the task is not connected it is left for later."""
    line = comments_line(task.lines, OUTBOUND)
    if ticket is None or line is None:
        return
    if task.status != "connected":
        task.missed = [*(one for one in task.missed if one != data["comment_id"]), data["comment_id"]]
        return
    row = {
        "ticket_id": ticket.id, "id": data["comment_id"], "text": data["text"],
        "kind": "work_notes" if line["sync_when"] == "never" else COMMENTS,
        "author_name": data["author"]["name"], "author_company": data["author"].get("company"),
        "created_at": fields.parse_time(data["created_at"]),
    }  # fmt: skip
    insert = insert_into(session, TicketEntry).values(row).on_conflict_do_nothing().returning(TicketEntry.id)
    if session.execute(insert).first() is None:
        return
    calls.note_crossed(session, task, [row["id"]], from_provider=True)
    ticket.updated_at = now
    if row["kind"] == COMMENTS:
        calls.capture_comment(
            session, ticket, session.get_one(TicketEntry, (ticket.id, row["id"])), now=now, origin=task
        )


# --- our people


def list_tasks(session: Session, *, after: str | None, limit: int) -> tuple[list[RemoteTask], str | None]:
    """By id and connection; the cursor `{id}_{connection}` names both."""
    query = select(RemoteTask).order_by(RemoteTask.id, RemoteTask.connection_id)
    if after is not None:
        task_id, _, of_connection = after.partition("_")
        same = (RemoteTask.id == task_id) & (RemoteTask.connection_id > of_connection)
        query = query.where((RemoteTask.id > task_id) | same)
    found = list(session.scalars(query.limit(limit + 1)))
    last = found[limit - 1] if len(found) > limit else None
    return found[:limit], f"{last.id}_{last.connection_id}" if last else None


def get_task(session: Session, task_id: str) -> RemoteTask:
    """Raises NotFound."""
    found = session.scalars(select(RemoteTask).where(RemoteTask.id == task_id).limit(1)).first()
    if found is None:
        raise NotFound("remote task", task_id)
    return found


def lock_task(session: Session, task_id: str) -> tuple[RemoteTask, Ticket | None]:
    """To change it. Raises NotFound."""
    found = get_task(session, task_id)
    return _lock_tasks(session, found.connection_id, {found.id})[found.id]


def disconnect_task(session: Session, task: RemoteTask, *, reason: str, now: datetime) -> None:
    """Stop all copying, both ways. Raises ActionRefused when it is stopped."""
    if task.stopped_here is not None:
        raise ActionRefused(f"{task.number} is disconnected already")
    task.stopped_here, task.updated_at = reason.strip() or "The consumer disconnected it.", now
    calls.settle_status(task)
    calls.send_standing(session, task, now)


def connect_task(session: Session, task: RemoteTask, ticket: Ticket | None, *, now: datetime) -> None:
    """Let it go on with what is active now; what changed meanwhile follows. One in error is tried again. Raises
    ActionRefused.
    """
    definition = definitions.get_definition(session, task.definition_id, connection_id=task.connection_id)
    if ticket is None:
        raise ActionRefused(f"{task.number} has no ticket any more")
    if definition.state != "active":
        raise ActionRefused(f"“{definition.name}” is not active here")
    if task.status == "error":
        definitions.create_again(session, task, ticket, definition, now=now)
        return
    if task.stopped_here is None:
        why = " by us; the provider stopped it, and has to let it go on" if task.stopped_there is not None else ""
        raise ActionRefused(f"{task.number} is not disconnected{why}")
    task.stopped_here, task.updated_at = None, now
    task.lines, task.definition_revision = definition.active_lines or task.lines, definition.active_revision or 1
    missed, task.missed = task.missed, []
    connected = calls.settle_status(task)
    calls.send_standing(session, task, now, definition_revision=task.definition_revision, missed=missed)
    if connected:
        calls.catch_up(session, task, ticket, now)


# --- what providers answered


OPERATIONS: Mapping[str, set[str]] = {
    calls.CREATE: {"not_found", "number_taken", "remote_task_exists", "revision_archived"},
    calls.FIELDS: set(),
    calls.COMMENT: {"comment_exists"},
    calls.STANDING: {"revision_archived"},
    calls.PROBLEMS: set(),
    definitions.ACTIVATION: {"not_found", "revision_archived"},
}
"""Our calls, each with the codes that answer it."""


def settle_answer(session: Session, answer: CallAnswer, now: datetime) -> None:
    """Safe to repeat, and silent about a record that is gone."""
    record_id = answer.stream.partition("/")[2]
    if answer.operation == definitions.ACTIVATION:
        _settle_activation(session, answer, record_id)
        return
    known = _lock_tasks(session, answer.connection_id, {record_id})
    if record_id not in known:
        return
    task, ticket = known[record_id]
    task.updated_at = now
    if answer.operation == calls.CREATE:
        _settle_create(session, task, ticket, answer, now)
    elif answer.operation == calls.COMMENT:
        _settle_comment(session, task, answer)
    elif not answer.accepted:
        problem = {"direction": "", "key": "", "label": "A change", "kind": "refused", "reason": _refusal(answer)}
        task.problems_here = [*(one for one in task.problems_here if one != problem), problem]


def _settle_create(
    session: Session, task: RemoteTask, ticket: Ticket | None, answer: CallAnswer, now: datetime
) -> None:
    if answer.body.get("revision") != task.revision:
        return  # it was asked for again meanwhile
    if not answer.accepted and answer.code == "number_taken" and ticket is not None:
        task.number, task.revision = numbers.next_remote_task_number(session, task.connection_id), task.revision + 1
        calls.send_create(session, task, ticket, now)
        return
    if not answer.accepted:
        task.submission, task.error = "refused", _refusal(answer)
        calls.settle_status(task)
        return
    task.submission, task.parent_number = "accepted", answer.document.get("parent_number") or task.parent_number
    calls.settle_status(task)
    if ticket is None:  # it was deleted meanwhile
        calls.send_standing(session, task, now, error=task.error)
    elif task.stopped_here is not None:
        calls.send_standing(session, task, now)
    else:
        calls.catch_up(session, task, ticket, now, known=answer.body.get("fields", {}))


def _settle_comment(session: Session, task: RemoteTask, answer: CallAnswer) -> None:
    """One that the provider did not take, for the task was stopped there, crosses again once it is connected."""
    if answer.accepted and answer.document.get("taken") is False:
        session.execute(
            delete(RemoteTaskEntry).where(
                RemoteTaskEntry.connection_id == task.connection_id, RemoteTaskEntry.remote_task_id == task.id,
                RemoteTaskEntry.entry_id == str(answer.body.get("id")),
            )
        )  # fmt: skip


def _settle_activation(session: Session, answer: CallAnswer, definition_id: str) -> None:
    found = session.get(RemoteTaskDefinition, (answer.connection_id, definition_id))
    if found is not None:
        found.activation_problem = None if answer.accepted else _refusal(answer)


def _refusal(answer: CallAnswer) -> str:
    text = answer.document.get("detail") or answer.document.get("title")
    errors = answer.document.get("errors")
    if isinstance(errors, list):
        text = " ".join(str(one.get("message")) for one in errors if isinstance(one, dict)) or text
    return str(text or f"refused: {answer.code}")[:2000]
