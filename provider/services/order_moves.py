"""The one way in which an order changes its state, with everything that follows from it on every level."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from bridge.models import table_of
from bridge.outbox import NewEvent, record_event, record_events_for
from bridge.vocabulary import EventType
from provider.domain.errors import Conflict, IllegalMove
from provider.domain.orders import (
    ORDER_LINE_MOVES,
    ORDER_MOVES,
    CancellationStatus,
    LineAction,
    OrderState,
    PlacedLine,
    RevisionOperation,
    cancellable,
    roll_up,
)
from provider.models.catalog import ProductOffering
from provider.models.orders import CustomerOrder, OrderLine, OrderStateChange, ProviderTask
from provider.services.fulfilment import (
    by_line,
    cancel_order_tasks,
    create_compensation,
    create_order_tasks,
    hold_order_tasks,
    is_fulfilled,
    open_tasks,
    release_order_tasks,
)
from provider.services.inventory import activate_products, begin_withdrawal, create_products, withdraw_products
from provider.services.inventory_operations import waits_for_date
from provider.services.order_locks import LockedOrder
from provider.services.provider_tasks import state_data, task_stream
from provider.services.task_approvals import end_approvals

_S = OrderState
_C = CancellationStatus

OPENING = (_S.DRAFT, _S.SUBMITTED, _S.NEW)
"""The way of a new order."""

_OPENING_MOVES = [(None, _S.DRAFT), *((before, ORDER_MOVES.move(before, state)) for before, state in pairwise(OPENING))]

_ADD_HISTORY = insert(table_of(OrderStateChange))

_INTERRUPTIONS = frozenset({_S.ON_HOLD, _S.REVISION_IN_PROGRESS, _S.ASSESSING_CANCELLATION})
"""States that save what they interrupt, on every level."""

_OPERATIONS = {
    _S.REVISION_IN_PROGRESS: RevisionOperation.UPDATE,
    _S.ASSESSING_CANCELLATION: RevisionOperation.CANCEL,
}
REQUESTS = frozenset(_OPERATIONS)
"""Each makes a new version, gives back what it interrupted when declined, and is barred past the point of no return."""

_WORK_GOES_ON = frozenset({_S.IN_PROGRESS, _S.SCHEDULED, _S.AWAITING_INFORMATION})
_LEAVING = frozenset({_S.CANCELLATION_IN_PROGRESS, _S.CANCELLED})
_FINISHED = frozenset({_S.CANCELLED, _S.COMPLETED})
_FULFILMENT = _WORK_GOES_ON | {_S.ON_HOLD}


def legal_moves(order: CustomerOrder) -> tuple[OrderState, ...]:
    """Where this very order may go: what the table says, less what its history and its point of no return rule out."""
    return tuple(state for state in _remembered(order) if not (order.ponr and state in REQUESTS))


def change_state(
    session: Session, locked: LockedOrder, wanted: OrderState, *, reason: str | None, actor: str, now: datetime
) -> None:
    """Move a locked order, and with it its lines, order tasks and products. One row in its history, one event.

    Raises IllegalMove, and Conflict `past_point_of_no_return`, `lines_stay` or `tasks_open`.
    """
    before = locked.state
    _check(locked, wanted)
    if _is_given_back(locked.order, wanted):
        _give_back(locked)
    elif wanted in _INTERRUPTIONS:
        _interrupt(locked, wanted, find_cancellable(session, locked))
    else:
        _go_on(locked, before, wanted)
    _note_cancellation(locked.order, before, wanted, reason)
    record_state(session, locked, before, reason=reason, actor=actor, now=now)
    if wanted in _FINISHED:
        end_approvals(session, locked.task, actor=actor, now=now)
    _follow(session, locked, wanted, now)
    session.flush()


def complete_lines(session: Session, locked: LockedOrder, *, now: datetime) -> None:
    """Complete the lines that are fulfilled, and put their products to use: parts before what they are parts of, for a
    whole is there once all of it is. Not before the date that an order is to wait for.
    """
    done = _find_fulfilled(locked)
    if not done or waits_for_date(session, locked):
        return
    for line in done:
        line.state = ORDER_LINE_MOVES.move(_S(line.state), _S.COMPLETED)
    activate_products(session, locked, done, now=now)


def complete_order(session: Session, locked: LockedOrder, *, actor: str, now: datetime) -> None:
    """Complete what was held back only by what has just been decided: lines, and the order with the last of them."""
    complete_lines(session, locked, now=now)
    if locked.state is _S.IN_PROGRESS and roll_up(_S(line.state) for line in locked.lines) is _S.COMPLETED:
        change_state(session, locked, _S.COMPLETED, reason=locked.order.reason, actor=actor, now=now)


def record_state(
    session: Session, locked: LockedOrder, before: OrderState | None, *, reason: str | None, actor: str, now: datetime
) -> None:
    """Write down the state that the order has now; `before` is None for the first one."""
    order = locked.order
    order.reason, order.updated_at = reason, now
    session.add(
        OrderStateChange(order_id=order.id, from_state=before, to_state=order.state, reason=reason, actor=actor, at=now)
    )
    tell_state(session, locked, now=now)


def record_opening(
    session: Session,
    task: ProviderTask,
    order: CustomerOrder,
    mapping_version: int | None,
    *,
    actor: str,
    now: datetime,
) -> None:
    """Write down the way of an order that was made as New: each state of it is a row of history, and an event.

    Neither record need be in the session. The caller has locked the connection, which has that mapping version.
    """
    stream, told, history, events = task_stream(task), state_data(task, order), [], []
    for before, state in _OPENING_MOVES:
        change = {"order_id": order.id, "from_state": before, "to_state": state, "reason": None, "actor": actor}
        history.append(change | {"at": now})
        data = told | {"order_state": str(state), "order_state_label": state.label}
        events.append(NewEvent(stream, EventType.PROVIDER_TASK_STATE_CHANGED, data))
    session.connection().execute(_ADD_HISTORY, history)
    record_events_for(session, events, order.connection_id, mapping_version, now=now)


def tell_state(session: Session, locked: LockedOrder, *, now: datetime) -> None:
    """Tell the consumer how its request stands. By itself for news that are no move: the point of no return."""
    record_event(
        session,
        task_stream(locked.task),
        EventType.PROVIDER_TASK_STATE_CHANGED,
        state_data(locked.task, locked.order),
        to=[locked.order.connection_id],
        now=now,
    )


def _find_fulfilled(locked: LockedOrder) -> list[OrderLine]:
    """The lines in progress whose own tasks are done, and whose parts are over or among them; parents first."""
    tasks, found = by_line(locked.order_tasks), set[str]()
    open_parts_of = set[str | None]()
    for line in sorted(locked.lines, key=lambda one: one.position, reverse=True):
        if line.state == _S.IN_PROGRESS and line.id not in open_parts_of and is_fulfilled(tasks[line.id]):
            found.add(line.id)
        elif line.state not in _FINISHED:
            open_parts_of.add(line.parent_line_id)
    return [line for line in locked.lines if line.id in found]


def _remembered(order: CustomerOrder) -> tuple[OrderState, ...]:
    """A request that is declined gives back the state it was made in, and no other of that kind."""
    current = _S(order.state)
    legal = ORDER_MOVES.legal(current)
    if current not in REQUESTS or not order.saved_states:
        return legal
    others = (_FULFILMENT | {_S.REVISION_IN_PROGRESS}) - {_S(order.saved_states[-1])}
    return tuple(state for state in legal if state not in others)


def _check(locked: LockedOrder, wanted: OrderState) -> None:
    order, current = locked.order, locked.state
    legal = _remembered(order)
    if wanted not in legal:
        raise IllegalMove(ORDER_MOVES.noun, current, wanted, legal)
    if order.ponr and wanted in REQUESTS:
        raise past_point_of_no_return(order)
    if wanted is _S.REVISION_IN_PROGRESS and any(line.action != LineAction.ADD for line in locked.lines):
        message = f"order {order.number} acts on products that its consumer has; it can be cancelled, not revised"
        raise Conflict("not_revisable", message, order_number=order.number)
    if wanted is _S.CANCELLATION_IN_PROGRESS and any(line.ponr for line in locked.lines):
        message = f"a part of order {order.number} is past the point of no return and stays; cancel the others only"
        raise Conflict("lines_stay", message, order_number=order.number)
    _check_tasks(locked, wanted)


def _check_tasks(locked: LockedOrder, wanted: OrderState) -> None:
    if wanted not in _FINISHED:
        return
    waiting = open_tasks(task for task in locked.order_tasks if wanted is _S.COMPLETED or task.compensates_id)
    if waiting:
        numbers = ", ".join(order_task.number for order_task in waiting[:5])
        ends = "completes" if wanted is _S.COMPLETED else "is cancelled"
        message = f"order {locked.order.number} {ends} when its tasks are closed; {len(waiting)} are open: {numbers}"
        raise Conflict("tasks_open", message, open_tasks=[order_task.number for order_task in waiting])


def past_point_of_no_return(order: CustomerOrder) -> Conflict:
    why = "is completed" if order.state == _S.COMPLETED else "is past the point of no return"
    message = f"Order {order.number} {why} and can no longer be cancelled or revised."
    return Conflict("past_point_of_no_return", message, order_number=order.number, order_state=order.state)


def _is_given_back(order: CustomerOrder, wanted: OrderState) -> bool:
    return _S(order.state) in _INTERRUPTIONS and order.saved_states[-1:] == [wanted]


def _interrupt(locked: LockedOrder, wanted: OrderState, leaving: frozenset[str]) -> None:
    """Save what each level has. The states to give back are a stack: a hold may be cancelled.

    Finished lines rest as they are, unless they are to be cancelled, too; what is to stay is held meanwhile.
    """
    operation = _OPERATIONS.get(wanted)
    levels: list[tuple[CustomerOrder | OrderLine, OrderState]] = [(locked.order, wanted)]
    for line in locked.lines:
        is_asked_for = wanted is not _S.ASSESSING_CANCELLATION or line.id in leaving
        is_undone = wanted is _S.ASSESSING_CANCELLATION and line.id in leaving
        if line.state not in _LEAVING and (line.state != _S.COMPLETED or is_undone):
            levels.append((line, wanted if is_asked_for else _S.ON_HOLD))
    for level, state in levels:
        level.saved_states, level.state = [*level.saved_states, level.state], state
        if operation and state is wanted:
            level.version += 1
            level.revision_operation = operation


def _give_back(locked: LockedOrder) -> None:
    """What was declined or is over: each level has again what it had."""
    levels: list[CustomerOrder | OrderLine] = [locked.order, *locked.lines]
    for level in levels:
        if level.state in _INTERRUPTIONS and level.saved_states:
            is_declined = level.state in REQUESTS and locked.order.cancellation != _C.APPROVED
            *saved, level.state = level.saved_states
            level.saved_states = saved
            if is_declined:
                level.revision_operation = _OPERATIONS.get(_S(level.state))


def _go_on(locked: LockedOrder, before: OrderState, wanted: OrderState) -> None:
    """The order, and the lines that are not finished."""
    lines = [line for line in locked.lines if line.state not in _FINISHED and not _leaves_alone(line, wanted)]
    levels: list[CustomerOrder | OrderLine] = [locked.order, *lines]
    for level in levels:
        level.saved_states, level.state = [], _line_state(level, before, wanted)


def _leaves_alone(line: OrderLine, wanted: OrderState) -> bool:
    """A line that is being cancelled goes its own way while its order goes on without it."""
    return line.state == _S.CANCELLATION_IN_PROGRESS and wanted is not _S.CANCELLED


def _note_cancellation(order: CustomerOrder, before: OrderState, wanted: OrderState, reason: str | None) -> None:
    """What the consumer is told of its wish to cancel, beside the state."""
    if wanted is _S.ASSESSING_CANCELLATION and before is not wanted:
        order.cancellation, order.cancellation_message = _C.REQUESTED, None
    elif wanted in (_S.CANCELLATION_IN_PROGRESS, _S.CANCELLED) and order.cancellation != _C.APPROVED:
        order.cancellation, order.cancellation_message = _C.APPROVED, reason if before in REQUESTS else None
    elif before is _S.ASSESSING_CANCELLATION and order.cancellation == _C.REQUESTED:
        order.cancellation, order.cancellation_message = _C.DECLINED, reason


def _line_state(level: CustomerOrder | OrderLine, before: OrderState, wanted: OrderState) -> OrderState:
    """A line that stands elsewhere than its order follows only where its own table leads."""
    return wanted if level.state == before else ORDER_LINE_MOVES.move(_S(level.state), wanted)


def _follow(session: Session, locked: LockedOrder, state: OrderState, now: datetime) -> None:
    """What the new state means for the work and for the inventory."""
    if state in _WORK_GOES_ON:
        create_order_tasks(session, locked)
        release_order_tasks(locked)
        create_products(session, locked, now=now)
    elif state in _INTERRUPTIONS:
        hold_order_tasks(locked)
    elif state is _S.CANCELLATION_IN_PROGRESS:
        begin_cancellation(session, locked, locked.lines, now=now)
    elif state is _S.CANCELLED:
        end_lines(session, locked, locked.lines, now=now)
    elif state is _S.COMPLETED:
        activate_products(session, locked, [line for line in locked.lines if line.state == state], now=now)


def begin_cancellation(session: Session, locked: LockedOrder, lines: Sequence[OrderLine], *, now: datetime) -> None:
    """These lines are being cancelled: what was done for them is to be undone, what they brought is not to be used."""
    create_compensation(session, locked, lines)
    begin_withdrawal(session, locked, lines, now=now)


def end_lines(session: Session, locked: LockedOrder, lines: Sequence[OrderLine], *, now: datetime) -> None:
    """These lines are cancelled: no work is left for them, and nothing of what they brought."""
    cancel_order_tasks(locked, lines)
    withdraw_products(session, locked, lines, now=now)


def find_cancellable(session: Session, locked: LockedOrder) -> frozenset[str]:
    """The ids of the lines that a cancellation would take."""
    placed = [PlacedLine(line.id, line.parent_line_id, _S(line.state), line.ponr) for line in locked.lines]
    line_level = any(line.ponr for line in locked.lines) and _is_line_level(session, locked.lines[0])
    return cancellable(placed, line_level=line_level)


def _is_line_level(session: Session, top: OrderLine) -> bool:
    """What the offering says that was ordered; services are sold without one."""
    option = select(ProductOffering.line_level_ponr).where(ProductOffering.id == top.product_offering_id)
    return bool(session.execute(option).scalar())
