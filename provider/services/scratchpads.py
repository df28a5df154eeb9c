"""The scratchpad of a provider task: what programs of both sides leave there.

Of two writes of one name the one that reaches us last stands. Each is told to the consumer in the task's stream, also
its own: so both sides see the same order.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, func, or_, select
from sqlalchemy.orm import Session

from bridge.outbox import NewEvent, record_events
from bridge.vocabulary import EventType
from provider.domain.cases import OVER
from provider.domain.errors import Conflict, NotFound
from provider.domain.orders import ORDER_MOVES, OrderState
from provider.domain.scratchpads import check_entry, check_room
from provider.models.cases import Case, ScratchpadEntry
from provider.models.orders import CustomerOrder, ProviderTask
from provider.services.case_view import moment
from provider.services.order_locks import lock_connection
from provider.services.provider_tasks import company_of, get_task, own_name, task_stream

Document = dict[str, Any]
Transaction = Callable[[], AbstractContextManager[Session]]

_ENDS = [str(state) for state in OrderState if ORDER_MOVES.is_final(state)]
_AT_ONCE = 200


def list_entries(session: Session, task: ProviderTask) -> Sequence[ScratchpadEntry]:
    """By name."""
    query = select(ScratchpadEntry).where(ScratchpadEntry.provider_task_id == task.id)
    return session.scalars(query.order_by(ScratchpadEntry.name)).all()


def list_own_entries(session: Session, connection_id: str, external_id: str) -> list[Document]:
    """Of a consumer's task. Raises NotFound."""
    task = get_task(session, connection_id, external_id)
    return [entry_data(one, task) for one in list_entries(session, task)]


def show_entries(session: Session, number: str) -> list[Document]:
    """By the number of the task. Raises NotFound."""
    found = read_entries(session, number)
    if not found:
        find_by_number(session, number)
    return found


def read_entries(session: Session, number: str) -> list[Document]:
    """The same for a task that is known to be there, in one query."""
    query: Any = select(ScratchpadEntry, ProviderTask)
    query = query.join(ProviderTask, ProviderTask.id == ScratchpadEntry.provider_task_id)
    query = query.where(ProviderTask.number == number).order_by(ScratchpadEntry.name)
    return [entry_data(entry, task) for entry, task in session.execute(query)]


def get_entry(session: Session, number: str, name: str) -> Document:
    """By the number of the task. Raises NotFound."""
    task = find_by_number(session, number)
    entry = session.get(ScratchpadEntry, (task.id, name))
    if entry is None:
        raise NotFound("scratchpad entry", name)
    return entry_data(entry, task)


def write_entry(
    session: Session, number: str, name: str, value: str | None, *, client_visible: bool, author: str, now: datetime
) -> Document:
    """Put an entry of ours, or with None remove it: the number is the task's. What it is now.

    Raises NotFound, InvalidFields, and Conflict `scratchpad_full` or `task_over`.
    """
    task = _lock(session, find_by_number(session, number))
    said = {"client_visible": client_visible, "author_name": author, "from_consumer": False}
    return _write(session, task, name, value, said, write_id=None, now=now)


def take_entry(
    session: Session, connection_id: str, external_id: str, *, write_id: str, name: str, value: str | None,
    client_visible: bool, author: str, now: datetime,
) -> Document:  # fmt: skip
    """The same by a consumer, whose write is known by an id of its own. Raises the same."""
    task = _lock(session, get_task(session, connection_id, external_id))
    said = {"client_visible": client_visible, "author_name": author, "from_consumer": True}
    return _write(session, task, name, value, said, write_id=write_id, now=now)


def tell_entries(session: Session, task: ProviderTask, *, now: datetime) -> None:
    """Tell all of them again, as they are here."""
    entries = [entry_data(one, task) for one in list_entries(session, task)]
    if entries:
        _tell(session, task, entries, None, now)


def forget_old(reading: Transaction, transaction: Transaction, kept: timedelta, *, now: datetime) -> int:
    """Remove the entries of tasks that were over that long ago, and tell so; each task by itself. How many tasks."""
    with reading() as session:
        due = _find_over(session, now - kept)
    for task_id in due:
        with transaction() as session:
            _clear(session, session.get_one(ProviderTask, task_id), now)
    return len(due)


def find_by_number(session: Session, number: str) -> ProviderTask:
    """Raises NotFound."""
    task = session.scalars(select(ProviderTask).where(ProviderTask.number == number)).first()
    if task is None:
        raise NotFound("provider task", number)
    return task


def find_order_number(session: Session, number: str) -> str | None:
    """Of the order behind a task, by the task's number; None if it has none. Raises NotFound."""
    order_id = find_by_number(session, number).order_id
    return session.get_one(CustomerOrder, order_id).number if order_id else None


def is_over(session: Session, task: ProviderTask) -> bool:
    """Whether what stands behind a task has come to its end."""
    if task.order_id is None:
        return session.get_one(Case, task.id).state in OVER
    return session.get_one(CustomerOrder, task.order_id).state in _ENDS


def entry_data(entry: ScratchpadEntry, task: ProviderTask) -> Document:
    return {
        "task_id": task.external_id,
        "name": entry.name,
        "value": entry.value,
        "client_visible": entry.client_visible,
        "author": entry.author_name,
        "from_consumer": entry.from_consumer,
        "written_at": moment(entry.written_at),
    }


def _write(
    session: Session, task: ProviderTask, name: str, value: str | None, said: Document, *, write_id: str | None,
    now: datetime,
) -> Document:  # fmt: skip
    check_entry(name, value)
    if is_over(session, task):
        raise Conflict("task_over", "this provider task is over: nothing is written to its scratchpad any more")
    entry = session.get(ScratchpadEntry, (task.id, name))
    if value is None:
        if entry is not None:
            session.delete(entry)
    elif entry is None:
        check_room(_count(session, task))
        session.add(ScratchpadEntry(provider_task_id=task.id, name=name, value=value, written_at=now, **said))
    else:
        entry.value, entry.written_at = value, now
        for column, told in said.items():
            setattr(entry, column, told)
    session.flush()
    told = {"task_id": task.external_id, "name": name, "value": value, "written_at": moment(now)}
    told |= {"client_visible": said["client_visible"], "author": said["author_name"]}
    told |= {"from_consumer": said["from_consumer"]}
    _tell(session, task, [told], write_id, now)
    return told


def _tell(session: Session, task: ProviderTask, told: Sequence[Document], write_id: str | None, now: datetime) -> None:
    companies = {True: company_of(session, task), False: own_name(session)}
    events = []
    for one in told:
        author = {"name": one["author"], "company": companies[one["from_consumer"]]}
        data = {name: one[name] for name in ("task_id", "name", "value", "client_visible", "written_at")}
        data |= {"author": author, "write_id": write_id}
        events.append(NewEvent(task_stream(task), EventType.SCRATCHPAD_CHANGED, data))
    record_events(session, events, to=[task.connection_id], now=now)


def _clear(session: Session, task: ProviderTask, now: datetime) -> None:
    entries = list_entries(session, _lock(session, task))
    gone = [entry_data(one, task) | {"value": None, "written_at": moment(now)} for one in entries]
    session.execute(delete(ScratchpadEntry).where(ScratchpadEntry.provider_task_id == task.id))
    if gone:
        _tell(session, task, gone, None, now)


def _find_over(session: Session, before: datetime) -> Sequence[str]:
    query = (
        select(ScratchpadEntry.provider_task_id)
        .join(ProviderTask, ProviderTask.id == ScratchpadEntry.provider_task_id)
        .outerjoin(Case, Case.provider_task_id == ProviderTask.id)
        .outerjoin(CustomerOrder, CustomerOrder.id == ProviderTask.order_id)
        .where(
            or_(
                Case.over_at <= before,
                and_(CustomerOrder.state.in_(_ENDS), CustomerOrder.updated_at <= before),
            )
        )
    )
    return session.scalars(query.distinct().limit(_AT_ONCE)).all()


def _count(session: Session, task: ProviderTask) -> int:
    query = select(func.count()).where(ScratchpadEntry.provider_task_id == task.id)
    return session.execute(query).scalar_one()


def _lock(session: Session, task: ProviderTask) -> ProviderTask:
    """One writer of a task's scratchpad at a time; in the order of `order_locks`."""
    lock_connection(session, task.connection_id)
    session.refresh(task, with_for_update={"key_share": True})
    return task
