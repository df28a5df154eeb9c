"""What the provider tells of our requests: the state they are in now, and the way there."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, insert, or_, select
from sqlalchemy.orm import Session

from bridge.database import insert_into
from bridge.envelope import Event
from bridge.inbox import Rejection
from bridge.models import Delivery, Stream
from bridge.vocabulary import EventType
from consumer_sim.models import ProviderTask, TaskState
from consumer_sim.services import fields, writing
from consumer_sim.services.errors import NotFound

STATES = ("received", "work_in_progress", "awaiting_info", "resolved", "closed", "cancelled")

CANCELLATIONS = ("requested", "approved", "declined", "refused")

_SHOWN = (
    "state", "state_label", "order_number", "order_state", "order_state_label", "order_version", "ponr", "reason",
    "cancellation_message",
)  # fmt: skip
_RULES: Mapping[str, fields.Rules] = {
    EventType.PROVIDER_TASK_STATE_CHANGED: {
        "task_id": fields.uuid,
        "number": fields.text(40),
        "state": fields.choice(*STATES),
        "state_label": fields.text(255),
        "order_number": fields.or_null(fields.text(40)),
        "order_state": fields.text(40),
        "order_state_label": fields.text(255),
        "order_version": fields.or_null(fields.number_from(0)),
        "ponr": fields.boolean,
        "reason": fields.or_null(fields.text(10_000, least=0)),
        "cancellation": fields.or_null(fields.choice(*CANCELLATIONS)),
        "cancellation_message": fields.or_null(fields.text(10_000, least=0)),
    }
}
_RECORD: Mapping[str, str] = {EventType.PROVIDER_TASK_STATE_CHANGED: "task_id"}


class TaskStateHandler:
    """Sets each task to the last of its states and appends all of them to its timeline, in two statements; in more if
    some events leave members out. Null, empty and missing are three values: nothing, an empty text, and as before.
    """

    def check(self, session: Session, connection_id: str, events: Sequence[Event]) -> Mapping[str, Rejection]:
        return fields.rejections(events, _RULES, _RECORD)

    def apply(self, session: Session, connection_id: str, events: Sequence[Event], now: datetime) -> None:
        tasks: dict[str, dict[str, Any]] = {}
        for event in events:
            tasks[event.data["task_id"]] = tasks.get(event.data["task_id"], {}) | _task_row(connection_id, event, now)
        for rows in writing.by_columns([tasks[task_id] for task_id in sorted(tasks)]):
            _set_states(session, rows)
        timeline = [_timeline_row(connection_id, event, now) for event in events]
        session.connection().execute(insert(TaskState.__table__), timeline)  # type: ignore[arg-type]


def ensure_tasks(session: Session, connection_id: str, first: Mapping[str, datetime], now: datetime) -> None:
    """Placeholders for those of the tasks that are not known here; `first` is when each was first heard of."""
    rows = [placeholder(connection_id, task_id, first[task_id], now) for task_id in sorted(first)]
    writing.insert_missing(session, ProviderTask, rows)


def placeholder(connection_id: str, task_id: str, first_at: datetime, now: datetime) -> dict[str, Any]:
    return {
        "connection_id": connection_id,
        "id": task_id,
        "number": None,
        "placeholder": True,
        "revision": 0,
        "submission": "accepted",
        "opened_at": first_at,
        "updated_at": now,
    }


def get_task(session: Session, task_id: str, *, lock: bool = False) -> ProviderTask:
    """Raises NotFound. Of two tasks with one id, which only a provider that guesses our ids could make, ours is
    found.
    """
    query = select(ProviderTask).where(ProviderTask.id == task_id)
    query = query.order_by(ProviderTask.placeholder, ProviderTask.opened_at).limit(1)
    task = session.scalars(query.with_for_update() if lock else query).first()
    if task is None:
        raise NotFound("request", task_id)
    return task


def lock_task(session: Session, connection_id: str, task_id: str) -> ProviderTask:
    """To change it. Raises NotFound."""
    task = session.get(ProviderTask, (connection_id, task_id), with_for_update=True)
    if task is None:
        raise NotFound("request", task_id)
    return task


def list_tasks(session: Session, *, after: str | None, limit: int) -> tuple[list[ProviderTask], str | None]:
    """Newest first; `after` is the id of the last one of the page before."""
    query = select(ProviderTask).order_by(ProviderTask.opened_at.desc(), ProviderTask.id)
    if after is not None:
        last = get_task(session, after)
        older = ProviderTask.opened_at < last.opened_at
        query = query.where(or_(older, and_(ProviderTask.opened_at == last.opened_at, ProviderTask.id > last.id)))
    rows = list(session.scalars(query.limit(limit + 1)))
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def find_parked(session: Session, connection_id: str, streams: Sequence[str]) -> dict[str, str]:
    """Why calls about these streams wait for people, by stream: the provider denies what it accepted before."""
    query = (
        select(Stream.stream, Delivery.error)
        .join(Delivery, (Delivery.stream_id == Stream.id) & (Delivery.sequence == Stream.head))
        .where(Stream.connection_id == connection_id, Stream.stream.in_(streams), Delivery.state == "parked")
    )
    return {stream: error or "parked" for stream, error in session.execute(query)}


def get_timeline(session: Session, task: ProviderTask) -> Sequence[TaskState]:
    """The task's states in the order the provider gave them."""
    query = select(TaskState).where(TaskState.connection_id == task.connection_id, TaskState.task_id == task.id)
    return session.scalars(query.order_by(TaskState.sequence)).all()


def _task_row(connection_id: str, event: Event, now: datetime) -> dict[str, Any]:
    data = event.data
    row = placeholder(connection_id, data["task_id"], fields.parse_time(event.time) or now, now)
    told = {name: data[name] for name in _SHOWN if name in data}  # what an event does not speak of stays as it was
    if "cancellation" in data:
        told["cancellation_told"] = data["cancellation"]
    return row | {"number": data["number"], **told}


def _timeline_row(connection_id: str, event: Event, now: datetime) -> dict[str, Any]:
    data = event.data
    return {
        "connection_id": connection_id,
        "task_id": data["task_id"],
        "sequence": event.sequence,
        "state": data["state"],
        "state_label": data["state_label"],
        "order_state": data["order_state"],
        "order_state_label": data["order_state_label"],
        "reason": data.get("reason"),
        "cancellation": data.get("cancellation"),
        "at": fields.parse_time(event.time),
        "received_at": now,
    }


def _set_states(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """The number is ours, except for a task that we only know from the provider."""
    statement = insert_into(session, ProviderTask)
    told = [name for name in (*_SHOWN, "cancellation_told", "updated_at") if name in rows[0]]
    values: dict[str, Any] = {name: statement.excluded[name] for name in told}
    values["number"] = case((ProviderTask.placeholder, statement.excluded["number"]), else_=ProviderTask.number)
    upsert = statement.on_conflict_do_update(index_elements=["connection_id", "id"], set_=values)
    session.connection().execute(upsert, list(rows))
