"""The scratchpad of a task: what programs of both sides leave there.

The provider decides which of two writes stands: the one that reached it last. Until it tells of ours, ours is shown
above what it told before.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from bridge.carriers import CallAnswer
from bridge.database import insert_into
from bridge.envelope import Event
from bridge.forms import FormError, FormErrors
from bridge.ids import new_id
from bridge.inbox import Rejection
from bridge.vocabulary import EventType
from consumer_sim.models import ProviderTask
from consumer_sim.models_cases import ScratchpadEntry
from consumer_sim.services import cases, fields, requests, tasks
from consumer_sim.services.comments import AUTHOR
from consumer_sim.services.errors import MoveRefused, NotFound

ENTRIES_MOST, NAME_MOST, VALUE_MOST = 50, 100, 4000

_RULES: Mapping[str, fields.Rules] = {
    EventType.SCRATCHPAD_CHANGED: {
        "task_id": fields.uuid,
        "name": fields.text(NAME_MOST),
        "value": fields.or_null(fields.text(VALUE_MOST, least=0)),
        "client_visible": fields.boolean,
        "author": fields.members(AUTHOR),
        "written_at": fields.time,
        "write_id": fields.or_null(fields.uuid),
    }
}
_RECORD: Mapping[str, str] = {EventType.SCRATCHPAD_CHANGED: "task_id"}
_SETTLED = {"write_id": None, "own_value": None, "own_visible": False, "sent": None, "problem": None}


class ScratchpadHandler:
    """Keeps each entry as the events leave it; what we wrote ourselves gives way when the provider tells of it."""

    def check(self, session: Session, connection_id: str, events: Sequence[Event]) -> Mapping[str, Rejection]:
        return fields.rejections(events, _RULES, _RECORD)

    def apply(self, session: Session, connection_id: str, events: Sequence[Event], now: datetime) -> None:
        first = {event.data["task_id"]: fields.parse_time(event.time) or now for event in reversed(events)}
        tasks.ensure_tasks(session, connection_id, first, now)
        for event in events:
            _take(session, connection_id, event.data)


def show_entries(session: Session, task: ProviderTask) -> list[dict[str, Any]]:
    """All entries as they are shown here, by name."""
    query = select(ScratchpadEntry).where(
        ScratchpadEntry.connection_id == task.connection_id, ScratchpadEntry.task_id == task.id
    )
    return [shown for row in session.scalars(query.order_by(ScratchpadEntry.name)) if (shown := _show(row)) is not None]


def get_entry(session: Session, task: ProviderTask, name: str) -> dict[str, Any]:
    """Raises NotFound."""
    row = session.get(ScratchpadEntry, (task.connection_id, task.id, name))
    shown = _show(row) if row is not None else None
    if shown is None:
        raise NotFound("scratchpad entry", name)
    return shown


def write_entry(
    session: Session, task: ProviderTask, name: str, value: str | None, *, client_visible: bool, author: str,
    now: datetime,
) -> None:  # fmt: skip
    """Put an entry, or with None remove it; the task is locked. Raises FormErrors, MoveRefused."""
    _check(name, value)
    if task.submission == "withdrawn" or _is_over(task):
        raise MoveRefused(task.number, "is over: nothing is written to its scratchpad any more")
    row = _lock_entry(session, task, name)
    is_new = row.value is None and row.own_value is None
    if is_new and value is not None and _count(session, task) >= ENTRIES_MOST:
        raise MoveRefused(task.number, f"has {ENTRIES_MOST} entries in its scratchpad, and no more fit")
    row.write_id, row.own_value, row.own_visible = new_id(), value, client_visible
    row.sent, row.problem = "waiting", None
    session.flush()
    body = {"id": row.write_id, "name": name, "value": value, "client_visible": client_visible}
    requests.send(session, task, "scratchpad", body | {"author": {"name": author}}, now)


def settle_write(session: Session, task: ProviderTask, answer: CallAnswer, problem: str | None) -> None:
    """What became of a write of ours: a refused one is told, and what the provider told last is shown again."""
    row = session.get(ScratchpadEntry, (answer.connection_id, task.id, str(answer.body.get("name"))))
    if row is not None and row.write_id == answer.body.get("id"):
        row.sent, row.problem = ("accepted" if answer.accepted else "refused"), problem


def _lock_entry(session: Session, task: ProviderTask, name: str) -> ScratchpadEntry:
    """To write it, made if need be: the provider may be telling of it, or of its end, at this moment."""
    key = {"connection_id": task.connection_id, "task_id": task.id, "name": name}
    statement = insert_into(session, ScratchpadEntry).values(**key, client_visible=False, own_visible=False)
    session.execute(statement.on_conflict_do_update(index_elements=list(key), set_={"name": name}))
    return session.get_one(ScratchpadEntry, tuple(key.values()), populate_existing=True)


def _take(session: Session, connection_id: str, data: Mapping[str, Any]) -> None:
    key = {"connection_id": connection_id, "task_id": data["task_id"], "name": data["name"]}
    told = {
        "value": data["value"],
        "client_visible": data["client_visible"],
        "author_name": data["author"]["name"],
        "author_company": data["author"].get("company"),
        "written_at": fields.parse_time(data["written_at"]),
    }
    statement = insert_into(session, ScratchpadEntry).values(**key, **told, own_visible=False)
    keys = ["connection_id", "task_id", "name"]
    session.execute(statement.on_conflict_do_update(index_elements=keys, set_=told))
    this = and_(*(getattr(ScratchpadEntry, name) == value for name, value in key.items()))
    if data["write_id"] is not None:
        ours = and_(this, ScratchpadEntry.write_id == data["write_id"])
        session.execute(update(ScratchpadEntry).where(ours).values(_SETTLED))
    gone = ScratchpadEntry.value.is_(None) & ScratchpadEntry.write_id.is_(None)
    session.execute(delete(ScratchpadEntry).where(this, gone))


def _show(row: ScratchpadEntry) -> dict[str, Any] | None:
    """Ours, unless it was refused; None for what is not there, or is being removed."""
    own = row.sent in ("waiting", "accepted")
    value = row.own_value if own else row.value
    if value is None and row.sent != "refused":
        return None
    return {
        "name": row.name,
        "value": value,
        "client_visible": row.own_visible if own else row.client_visible,
        "author": None if own or row.author_name is None else {"name": row.author_name, "company": row.author_company},
        "written_at": None if own else row.written_at,
        "sent": row.sent,
        "problem": row.problem,
    }


def _check(name: str, value: str | None) -> None:
    wrong = []
    if not 1 <= len(name) <= NAME_MOST or "/" in name:  # the name stands in addresses, where a slash would end it
        wrong.append(FormError("/name", "invalid", f"A name has 1 to {NAME_MOST} characters, and no slash."))
    if value is not None and len(value) > VALUE_MOST:
        wrong.append(FormError("/value", "too_long", f"A value has at most {VALUE_MOST} characters."))
    if wrong:
        raise FormErrors(wrong)


def _count(session: Session, task: ProviderTask) -> int:
    mine = and_(ScratchpadEntry.connection_id == task.connection_id, ScratchpadEntry.task_id == task.id)
    there = or_(ScratchpadEntry.value.is_not(None), ScratchpadEntry.own_value.is_not(None))
    return session.scalar(select(func.count()).select_from(ScratchpadEntry).where(mine, there)) or 0


def _is_over(task: ProviderTask) -> bool:
    """Cancelled is final where there is no order; of an order it may be a wish that is only assessed."""
    if task.order_state is None:
        return task.state in cases.OVER
    return task.order_state in ("completed", "cancelled")
