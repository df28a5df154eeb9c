"""What people do with order tasks; when the last one of a line is closed, line, products and order follow."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from provider.domain.errors import Conflict
from provider.domain.order_tasks import ORDER_TASK_MOVES, OrderTaskState, may_be_worked
from provider.domain.orders import OrderState, roll_up
from provider.models.orders import CustomerOrder, OrderLine, OrderTask
from provider.services.audit import record_audit
from provider.services.cancellations import finish_cancellation, follow_ponr
from provider.services.fulfilment import SETTLED, by_line, is_fulfilled, open_successors, ready_keys
from provider.services.inventory_operations import waits_for_date
from provider.services.order_locks import LockedOrder, lock_order_of_order_task
from provider.services.order_moves import change_state, complete_lines, tell_state
from provider.services.pages import Page, read_page

_S = OrderTaskState


def start_task(session: Session, number: str, *, actor: str, now: datetime) -> dict[str, Any]:
    """Begin to work on a task; who begins takes it. Raises as `move_task` does."""
    return move_task(session, number, _S.IN_PROGRESS, reason=None, actor=actor, now=now)


def complete_task(session: Session, number: str, *, actor: str, now: datetime) -> dict[str, Any]:
    """Close a task, after beginning it if nobody did. Raises as `move_task` does."""
    return move_task(session, number, _S.CLOSED_COMPLETE, reason=None, actor=actor, now=now)


def move_task(
    session: Session, number: str, wanted: OrderTaskState, *, reason: str | None, actor: str, now: datetime
) -> dict[str, Any]:
    """Move a task, and what its end brings about: successors open, its line and its order complete.

    Raises NotFound, IllegalMove, and Conflict `order_not_in_progress` or `task_waits`. A task that is the point of no
    return and a cancellation lock the same order: whoever is second is refused.
    """
    locked, order_task = lock_order_of_order_task(session, number)
    before = order_task.state
    if wanted is _S.CLOSED_COMPLETE and before == _S.OPEN:
        _check(locked, order_task, _S.IN_PROGRESS)
        _take(order_task, _S.IN_PROGRESS, None, actor, now)
    _check(locked, order_task, wanted)
    _take(order_task, wanted, reason, actor, now)
    detail = {"from": before, "to": str(wanted), "reason": reason}
    record_audit(session, actor, "order_task.move", f"order_task/{number}", now, detail)
    if wanted in SETTLED:
        _settle(session, locked, order_task, actor, now)
    session.flush()
    return order_tasks_data(session, [order_task])[0]


def assign_task(session: Session, number: str, assignee: str | None, *, actor: str, now: datetime) -> dict[str, Any]:
    """Give an unsettled task to somebody, or back to all (None). Raises NotFound, and Conflict `task_settled`."""
    _, order_task = lock_order_of_order_task(session, number)
    if order_task.state in SETTLED:
        raise Conflict("task_settled", f"task {number} is {OrderTaskState(order_task.state).label} already")
    detail = {"from": order_task.assigned_to, "to": assignee}
    order_task.assigned_to = assignee
    record_audit(session, actor, "order_task.assign", f"order_task/{number}", now, detail)
    session.flush()
    return order_tasks_data(session, [order_task])[0]


def list_order_tasks(
    session: Session, *, state: str | None, order: str | None, limit: int, after: Sequence[Any] | None = None
) -> Page[dict[str, Any]]:
    """Order tasks by number, of one state or of one order if these are given."""
    query: Select[tuple[OrderTask]] = select(OrderTask)
    if state is not None:
        query = query.where(OrderTask.state == state)
    if order is not None:
        of_order = select(CustomerOrder.id).where(CustomerOrder.number == order).scalar_subquery()
        query = query.where(OrderTask.order_id == of_order)
    page = read_page(session, query, [OrderTask.number], limit=limit, after=after)
    return Page(order_tasks_data(session, page.items), page.next_key)


def order_tasks_data(session: Session, order_tasks: Sequence[OrderTask]) -> list[dict[str, Any]]:
    """Order tasks for people, with the numbers of what they work for."""
    lines = session.execute(
        select(OrderLine.id, OrderLine.number, OrderLine.name, CustomerOrder.number.label("order_number"))
        .join(CustomerOrder, CustomerOrder.id == OrderLine.order_id)
        .where(OrderLine.id.in_({order_task.order_line_id for order_task in order_tasks}))
    )
    owners = {line.id: line for line in lines}
    undone = select(OrderTask.id, OrderTask.number).where(
        OrderTask.id.in_({order_task.compensates_id for order_task in order_tasks})
    )
    numbers = {row.id: row.number for row in session.execute(undone)}
    return [
        _data(order_task, owners[order_task.order_line_id], numbers.get(order_task.compensates_id or ""))
        for order_task in order_tasks
    ]


def _data(order_task: OrderTask, line: Any, compensates: str | None) -> dict[str, Any]:
    return {
        "number": order_task.number,
        "key": order_task.key,
        "name": order_task.name,
        "state": order_task.state,
        "state_label": OrderTaskState(order_task.state).label,
        "depends_on": order_task.depends_on,
        "point_of_no_return": order_task.point_of_no_return,
        "compensates": compensates,
        "assigned_to": order_task.assigned_to,
        "reason": order_task.reason,
        "completed_at": order_task.completed_at,
        "order_number": line.order_number,
        "line_number": line.number,
        "line_name": line.name,
        "legal_moves": [str(state) for state in ORDER_TASK_MOVES.legal(OrderTaskState(order_task.state))],
    }


def _check(locked: LockedOrder, order_task: OrderTask, wanted: OrderTaskState) -> None:
    line = next(line for line in locked.lines if line.id == order_task.order_line_id)
    line_state = OrderState(line.state)
    if not may_be_worked(locked.state, line_state, compensates=order_task.compensates_id is not None):
        state = line_state if locked.state is OrderState.IN_PROGRESS else locked.state
        message = f"order {locked.order.number} is {state.label}; its tasks move while it is In progress"
        raise Conflict("order_not_in_progress", message, order_state=str(locked.state))
    ORDER_TASK_MOVES.move(_S(order_task.state), wanted)
    tasks = {task.key: task for task in _of_same_line(locked, order_task)}
    if wanted in (_S.OPEN, _S.IN_PROGRESS) and order_task.key not in ready_keys(tasks):
        waits_for = [tasks[key].number for key in order_task.depends_on if tasks[key].state not in SETTLED]
        message = f"task {order_task.number} waits for {', '.join(waits_for)}"
        raise Conflict("task_waits", message, waits_for=waits_for)


def _take(order_task: OrderTask, state: OrderTaskState, reason: str | None, actor: str, now: datetime) -> None:
    order_task.state = state
    order_task.reason = reason
    if state is _S.IN_PROGRESS and order_task.assigned_to is None:
        order_task.assigned_to = actor
    if state is _S.CLOSED_COMPLETE:
        order_task.completed_at = now


def _settle(session: Session, locked: LockedOrder, order_task: OrderTask, actor: str, now: datetime) -> None:
    siblings = _of_same_line(locked, order_task)
    open_successors(siblings)
    if order_task.compensates_id is not None:
        finish_cancellation(session, locked, actor=actor, now=now)
        return
    line = next(line for line in locked.lines if line.id == order_task.order_line_id)
    if order_task.state == _S.CLOSED_COMPLETE and order_task.point_of_no_return:
        line.ponr = True
    news = follow_ponr(session, locked)
    is_dated = waits_for_date(session, locked)
    complete_lines(session, locked, now=now)
    if is_dated and all(is_fulfilled(tasks) for tasks in by_line(locked.order_tasks).values()):
        change_state(session, locked, OrderState.SCHEDULED, reason=None, actor=actor, now=now)
    elif roll_up(OrderState(each.state) for each in locked.lines) is OrderState.COMPLETED:
        change_state(session, locked, OrderState.COMPLETED, reason=None, actor=actor, now=now)
    elif news:
        tell_state(session, locked, now=now)


def _of_same_line(locked: LockedOrder, order_task: OrderTask) -> list[OrderTask]:
    return by_line(locked.order_tasks)[order_task.order_line_id]
