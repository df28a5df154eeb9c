"""Tasks without an order, ours and those that the provider opens: what it tells of them, and our answers to it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import case, insert, select
from sqlalchemy.orm import Session

from bridge.carriers import CallAnswer
from bridge.database import insert_into
from bridge.envelope import Event
from bridge.inbox import Rejection
from bridge.vocabulary import EventType
from consumer_sim.models import ProviderTask, TaskState
from consumer_sim.models_cases import Case
from consumer_sim.services import fields, requests, tasks, writing
from consumer_sim.services.errors import MoveRefused, NotFound

SIDES = ("consumer", "provider")
PRIORITIES = ("critical", "high", "moderate", "low")
OVER = ("closed", "cancelled")

_RESOLUTION: fields.Rules = {
    "code": fields.text(40),
    "label": fields.text(255),
    "text": fields.text(20_000, least=0),
}
_RULES: Mapping[str, fields.Rules] = {
    EventType.CASE_CHANGED: {
        "task_id": fields.uuid,
        "number": fields.text(40),
        "state": fields.choice(*tasks.STATES),
        "state_label": fields.text(255),
        "reason": fields.or_null(fields.text(10_000, least=0)),
        "opened_by": fields.choice(*SIDES),
        "short_description": fields.text(255),
        "description": fields.text(20_000, least=0),
        "priority": fields.choice(*PRIORITIES),
        "resolution": fields.or_null(fields.members(_RESOLUTION)),
        "acknowledged_by": fields.or_null(fields.text(255)),
        "acknowledged_at": fields.or_null(fields.time),
        "opened_at": fields.time,
    }
}
_RECORD: Mapping[str, str] = {EventType.CASE_CHANGED: "task_id"}
_UNANSWERED = {"answer": None, "answer_sent": None, "answer_problem": None}
_STATE = ("state", "state_label", "reason", "updated_at")


class CaseHandler:
    """Sets each task and its case to the last of what was told, and appends all of it to the timeline, in four
    statements. A solution that is proposed anew is to be answered anew.
    """

    def check(self, session: Session, connection_id: str, events: Sequence[Event]) -> Mapping[str, Rejection]:
        return fields.rejections(events, _RULES, _RECORD)

    def apply(self, session: Session, connection_id: str, events: Sequence[Event], now: datetime) -> None:
        states = _read_states(session, connection_id, {event.data["task_id"] for event in events})
        told: dict[str, dict[str, Any]] = {}
        rows: dict[str, dict[str, Any]] = {}
        for event in events:
            task_id, state = event.data["task_id"], event.data["state"]
            told[task_id] = _task_row(connection_id, event, now)
            proposes = state == "resolved" and states.get(task_id) != "resolved"
            rows[task_id] = rows.get(task_id, {}) | _row(connection_id, event) | (_UNANSWERED if proposes else {})
            states[task_id] = state
        _set_states(session, [told[task_id] for task_id in sorted(told)])
        for alike in writing.by_columns([rows[task_id] for task_id in sorted(rows)]):
            _set_cases(session, alike)
        timeline = [_step(connection_id, event, now) for event in events]
        session.connection().execute(insert(TaskState.__table__), timeline)  # type: ignore[arg-type]


def find_case(session: Session, task: ProviderTask) -> Case | None:
    """None for a task with an order, and for one of which the provider has not told yet."""
    return session.get(Case, (task.connection_id, task.id))


def find_cases(session: Session, found: Iterable[ProviderTask]) -> dict[tuple[str, str], Case]:
    """The cases of some tasks, by connection and task, in one query."""
    ids = [task.id for task in found if task.order_number is None]
    rows = session.scalars(select(Case).where(Case.task_id.in_(ids))) if ids else ()
    return {(row.connection_id, row.task_id): row for row in rows}


def answer_solution(
    session: Session, task: ProviderTask, answer: str, reason: str, *, person: str, now: datetime
) -> Case:
    """Accept or reject what the provider proposes; `answer` is accept or reject. Raises NotFound, MoveRefused."""
    found = _get_case(session, task)
    if task.state != "resolved":
        raise MoveRefused(task.number, f"is {task.state_label}: there is no solution to {answer}")
    if found.answer_sent == "waiting":
        raise MoveRefused(task.number, f"has an answer under way already: {found.answer}")
    if answer == "reject" and not reason.strip():
        raise MoveRefused(task.number, "is rejected with a reason only: the provider reads it")
    found.answer, found.answer_sent, found.answer_problem = answer, "waiting", None
    task.updated_at = now
    body = {"answer": answer, "reason": reason.strip(), "answered_by": {"name": person}}
    requests.send(session, task, "answer", body, now)
    return found


def acknowledge_case(session: Session, task: ProviderTask, *, person: str, now: datetime) -> Case:
    """Tell the provider that somebody has seen what it opened; once is enough. Raises NotFound, MoveRefused."""
    found = _get_case(session, task)
    if found.opened_by != "provider":
        raise MoveRefused(task.number, "is our own request: there is nothing to acknowledge")
    if found.acknowledged_at is None and found.acknowledgement != "waiting":
        found.acknowledgement = "waiting"
        body = {"acknowledged_by": {"name": person}}
        requests.send(session, task, "acknowledgement", body, now)
    return found


def settle_answer(session: Session, task: ProviderTask, answer: CallAnswer, problem: str | None) -> None:
    """What became of an answer of ours. One that is refused can be given anew."""
    found = find_case(session, task)
    if found is not None and found.answer_sent == "waiting":
        found.answer_sent, found.answer_problem = ("accepted" if answer.accepted else "refused"), problem


def settle_acknowledgement(session: Session, task: ProviderTask, answer: CallAnswer) -> None:
    found = find_case(session, task)
    if found is not None:
        found.acknowledgement = "accepted" if answer.accepted else "refused"


def can_answer(task: ProviderTask, found: Case | None) -> bool:
    """Whether a solution waits for an answer that is not on its way yet."""
    return found is not None and task.state == "resolved" and found.answer_sent in (None, "refused")


def _get_case(session: Session, task: ProviderTask) -> Case:
    found = session.get(Case, (task.connection_id, task.id), with_for_update=True)
    if found is None:
        raise NotFound("proposed solution", task.id)
    return found


def _read_states(session: Session, connection_id: str, task_ids: set[str]) -> dict[str, str | None]:
    query = select(ProviderTask.id, ProviderTask.state)
    found = session.execute(query.where(ProviderTask.connection_id == connection_id, ProviderTask.id.in_(task_ids)))
    return {row.id: row.state for row in found}


def _task_row(connection_id: str, event: Event, now: datetime) -> dict[str, Any]:
    data = event.data
    row = tasks.placeholder(connection_id, data["task_id"], fields.parse_time(data["opened_at"]) or now, now)
    return row | {name: data[name] for name in ("number", "state", "state_label", "reason")}


def _row(connection_id: str, event: Event) -> dict[str, Any]:
    data = event.data
    resolution = data["resolution"] or {}
    named = ("task_id", "opened_by", "short_description", "description", "priority", "acknowledged_by")
    row = {name: data[name] for name in named} | {"connection_id": connection_id}
    row |= {f"resolution_{name}": resolution.get(name) for name in ("code", "label", "text")}
    return row | {"acknowledged_at": data["acknowledged_at"] and fields.parse_time(data["acknowledged_at"])}


def _step(connection_id: str, event: Event, now: datetime) -> dict[str, Any]:
    told = {name: event.data[name] for name in ("task_id", "state", "state_label", "reason")}
    return told | {
        "connection_id": connection_id,
        "sequence": event.sequence,
        "order_state": None,
        "order_state_label": None,
        "cancellation": None,
        "at": fields.parse_time(event.time),
        "received_at": now,
    }


def _set_states(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """The number is ours, except for a task that we only know from the provider."""
    statement = insert_into(session, ProviderTask)
    values: dict[str, Any] = {name: statement.excluded[name] for name in _STATE}
    values["number"] = case((ProviderTask.placeholder, statement.excluded["number"]), else_=ProviderTask.number)
    upsert = statement.on_conflict_do_update(index_elements=["connection_id", "id"], set_=values)
    session.connection().execute(upsert, list(rows))


def _set_cases(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    statement = insert_into(session, Case)
    keys = ["connection_id", "task_id"]
    values = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    session.connection().execute(statement.on_conflict_do_update(index_elements=keys, set_=values), list(rows))
