"""Order tasks for those who do the work: which are free, which are mine, what each waits for, what may be done now."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from provider.domain.errors import NotFound
from provider.domain.order_tasks import ORDER_TASK_MOVES, OrderTaskState, may_be_worked
from provider.domain.orders import OrderState
from provider.models.orders import CustomerOrder, OrderLine, OrderTask
from provider.services.fulfilment import SETTLED
from provider.services.slices import read_slice

Document = dict[str, Any]

_S = OrderTaskState
FREE, MINE, OTHERS, UNSETTLED = "free", "mine", "others", "unsettled"
_OPEN = OrderTask.state.not_in([str(state) for state in SETTLED])
_COLUMNS: Mapping[str, Any] = {
    "number": OrderTask.number,
    "name": OrderTask.name,
    "item": OrderLine.name,
    "order": CustomerOrder.number,
    "company": CustomerOrder.company,
    "state": OrderTask.state,
    "assigned_to": OrderTask.assigned_to,
    "since": CustomerOrder.updated_at,
}
SORTABLE = tuple(_COLUMNS)


def search_order_tasks(
    session: Session, *, actor: str, whose: str = "", text: str = "", state: str = "", sort: str = "number",
    descending: bool = False, offset: int = 0, limit: int = 25,
) -> tuple[list[Document], int]:  # fmt: skip
    """One page of the tasks that match, and how many match in all.

    `whose`: FREE (ready, and nobody's), MINE or OTHERS (unsettled ones of somebody), UNSETTLED, empty for all. `text`
    is part of the number or name of a task, of its order or company, or of what was ordered.
    """
    key = _COLUMNS[sort]
    query = (
        select(OrderTask.id)
        .join(OrderLine, OrderLine.id == OrderTask.order_line_id)
        .join(CustomerOrder, CustomerOrder.id == OrderTask.order_id)
        .where(*_conditions(actor, whose, text, state))
        .order_by(key.desc() if descending else key.asc(), OrderTask.number)
    )
    page, total = read_slice(session, query, offset=offset, limit=limit)
    ids = [row[0] for row in page]
    rows = {row["id"]: row for row in _of(session, OrderTask.id.in_(ids))}
    return [rows[task_id] for task_id in ids], total


def count_order_tasks(session: Session, actor: str) -> dict[str, int]:
    """How many unsettled tasks are free, mine and of others, in one query."""
    counts = [func.count().filter(whose(kind, actor)) for kind in (FREE, MINE, OTHERS)]
    query = select(*counts).select_from(OrderTask).join(CustomerOrder, CustomerOrder.id == OrderTask.order_id)
    return dict(zip((FREE, MINE, OTHERS), session.execute(query.where(_OPEN)).one(), strict=True))


def show_order_task(session: Session, number: str) -> Document:
    """Raises NotFound."""
    rows = _of(session, OrderTask.number == number)
    if not rows:
        raise NotFound("order task", number)
    return rows[0]


def tasks_of_order(session: Session, number: str) -> list[Document]:
    """All tasks of an order, by number."""
    return _of(session, CustomerOrder.number == number)


def whose(kind: str, actor: str) -> ColumnElement[bool]:
    """The condition that a kind means to this person."""
    if kind == MINE:
        return and_(_OPEN, OrderTask.assigned_to == actor)
    if kind == OTHERS:
        return and_(_OPEN, OrderTask.assigned_to != actor)
    if kind == UNSETTLED:
        return _OPEN
    # Held with their order, or given up with their line, tasks are not Open.
    ready = CustomerOrder.state.in_([str(OrderState.IN_PROGRESS), str(OrderState.CANCELLATION_IN_PROGRESS)])
    return and_(OrderTask.assigned_to.is_(None), OrderTask.state == _S.OPEN, ready)


def _conditions(actor: str, kind: str, text: str, state: str) -> list[ColumnElement[bool]]:
    found = [whose(kind, actor)] if kind else []
    if state:
        found.append(OrderTask.state == state)
    if text:
        columns = (OrderTask.number, OrderTask.name, CustomerOrder.number, CustomerOrder.company, OrderLine.name)
        found.append(or_(*(column.icontains(text, autoescape=True) for column in columns)))
    return found


def _of(session: Session, condition: ColumnElement[bool]) -> list[Document]:
    query = (
        select(OrderTask, OrderLine, CustomerOrder)
        .join(OrderLine, OrderLine.id == OrderTask.order_line_id)
        .join(CustomerOrder, CustomerOrder.id == OrderTask.order_id)
        .where(condition)
    )
    return _rows(session, session.execute(query.order_by(OrderTask.number)).all())


def _rows(session: Session, rows: Sequence[Any]) -> list[Document]:
    lines = {line.id for _, line, _ in rows}
    unsettled = select(OrderTask).where(OrderTask.order_line_id.in_(lines), _OPEN).order_by(OrderTask.number)
    waiting = {(task.order_line_id, task.key): task for task in session.scalars(unsettled)}
    left = select(OrderTask.order_id, func.count()).where(
        OrderTask.order_id.in_({order.id for *_, order in rows}), _OPEN
    )
    counts = {row[0]: row[1] for row in session.execute(left.group_by(OrderTask.order_id))}
    return [_row(task, line, order, waiting) | _last(task, counts) for task, line, order in rows]


def _last(task: OrderTask, counts: Mapping[str, int]) -> Document:
    """Whether the order is complete with this task: no other is left, and it does not undo anything."""
    return {"is_last": task.state not in SETTLED and task.compensates_id is None and counts[task.order_id] == 1}


def _row(
    task: OrderTask, line: OrderLine, order: CustomerOrder, waiting: Mapping[tuple[str, str], OrderTask]
) -> Document:
    before = [waiting[line.id, key] for key in task.depends_on if (line.id, key) in waiting]
    is_open = task.state not in SETTLED
    return {
        "id": task.id,
        "number": task.number,
        "name": task.name,
        "state": task.state,
        "state_label": _S(task.state).label,
        "assigned_to": task.assigned_to,
        "reason": task.reason,
        "completed_at": task.completed_at,
        "point_of_no_return": task.point_of_no_return,
        "is_open": is_open,
        "waits_for": [{"number": one.number, "name": one.name} for one in before] if is_open else [],
        "compensates_id": task.compensates_id,
        "moves": _moves(task, order, line, waits=bool(before)),
        "order_number": order.number,
        "order_state": order.state,
        "order_state_label": OrderState(order.state).label,
        "company": order.company,
        "since": order.updated_at,
        "line_id": line.id,
        "line_number": line.number,
        "item": line.name,
    }


def _moves(task: OrderTask, order: CustomerOrder, line: OrderLine, *, waits: bool) -> list[str]:
    """What `move_task` would do now and not refuse: the table, less what its order and its predecessors forbid."""
    compensates = task.compensates_id is not None
    if not may_be_worked(OrderState(order.state), OrderState(line.state), compensates=compensates):
        return []
    legal = {*ORDER_TASK_MOVES.legal(_S(task.state))}
    if task.state == _S.OPEN:
        legal.add(_S.CLOSED_COMPLETE)  # begun and closed in one
    not_now = {_S.OPEN, _S.IN_PROGRESS, _S.CLOSED_COMPLETE} if waits else {_S.DRAFT}
    return [str(state) for state in _S if state in legal - not_now]
