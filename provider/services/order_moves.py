"""The one way in which an order changes its state, with everything that follows from it on every level."""

from datetime import datetime

from sqlalchemy import insert
from sqlalchemy.orm import Session

from bridge.models import table_of
from bridge.outbox import NewEvent, record_event, record_events_for
from bridge.vocabulary import EventType
from provider.domain.errors import Conflict, IllegalMove
from provider.domain.orders import ORDER_LINE_MOVES, ORDER_MOVES, OrderState
from provider.models.orders import CustomerOrder, OrderLine, OrderStateChange, ProviderTask
from provider.services.fulfilment import (
    cancel_order_tasks,
    create_order_tasks,
    hold_order_tasks,
    open_tasks,
    release_order_tasks,
)
from provider.services.inventory import activate_products, begin_withdrawal, create_products, withdraw_products
from provider.services.order_locks import LockedOrder
from provider.services.provider_tasks import state_data, task_stream

_S = OrderState

OPENING = (_S.DRAFT, _S.SUBMITTED, _S.NEW)
"""The way of a new order."""

_ADD_HISTORY = insert(table_of(OrderStateChange))

_INTERRUPTIONS = frozenset({_S.ON_HOLD, _S.REVISION_IN_PROGRESS, _S.ASSESSING_CANCELLATION})
"""States that save what they interrupt, on every level."""

REQUESTS = frozenset({_S.REVISION_IN_PROGRESS, _S.ASSESSING_CANCELLATION})
"""Each makes a new version, gives back what it interrupted when declined, and is barred past the point of no return."""

_WORK_RESTS = _INTERRUPTIONS | {_S.CANCELLATION_IN_PROGRESS}
_WORK_GOES_ON = frozenset({_S.IN_PROGRESS, _S.SCHEDULED, _S.AWAITING_INFORMATION})
_FINISHED = frozenset({_S.CANCELLED, _S.COMPLETED})
_FULFILMENT = _WORK_GOES_ON | {_S.ON_HOLD}


def legal_moves(order: CustomerOrder) -> tuple[OrderState, ...]:
    """Where this very order may go: what the table says, less what its history and its point of no return rule out."""
    return tuple(state for state in _remembered(order) if not (order.ponr and state in REQUESTS))


def change_state(
    session: Session, locked: LockedOrder, wanted: OrderState, *, reason: str | None, actor: str, now: datetime
) -> None:
    """Move a locked order, and with it its lines, order tasks and products. One row in its history, one event.

    Raises IllegalMove, and Conflict `past_point_of_no_return` or `tasks_open`.
    """
    before = locked.state
    _check(locked, wanted)
    declined = _is_given_back(locked.order, wanted)
    if wanted in REQUESTS and not declined:
        locked.order.version += 1
    _move_levels(locked, before, wanted, declined)
    record_state(session, locked, before, reason=reason, actor=actor, now=now)
    _follow(session, locked, wanted, now)
    session.flush()


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
    history, events = [], []
    for before, state in zip((None, *OPENING), OPENING, strict=False):
        order.state = ORDER_MOVES.move(before, state) if before else state
        change = {"order_id": order.id, "from_state": before, "to_state": state, "reason": None, "actor": actor}
        history.append(change | {"at": now})
        events.append(NewEvent(task_stream(task), EventType.PROVIDER_TASK_STATE_CHANGED, state_data(task, order)))
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
    waiting = open_tasks(locked.order_tasks)
    if wanted is _S.COMPLETED and waiting:
        numbers = ", ".join(order_task.number for order_task in waiting[:5])
        message = f"order {order.number} completes when its tasks are closed; {len(waiting)} are open: {numbers}"
        raise Conflict("tasks_open", message, open_tasks=[order_task.number for order_task in waiting])


def past_point_of_no_return(order: CustomerOrder) -> Conflict:
    message = f"order {order.number} is past the point of no return and can no longer be cancelled or revised"
    return Conflict("past_point_of_no_return", message, order_number=order.number, order_state=order.state)


def _is_given_back(order: CustomerOrder, wanted: OrderState) -> bool:
    return _S(order.state) in _INTERRUPTIONS and order.saved_states[-1:] == [wanted]


def _move_levels(locked: LockedOrder, before: OrderState, wanted: OrderState, declined: bool) -> None:
    """The order, and the lines that are not finished. The states to give back are a stack: a hold may be cancelled."""
    levels: list[CustomerOrder | OrderLine] = [locked.order]
    levels += [line for line in locked.lines if line.state not in _FINISHED]
    for level in levels:
        saved = list(level.saved_states)
        if wanted in _INTERRUPTIONS and not declined:
            level.saved_states, level.state = [*saved, level.state], wanted
        elif declined and saved:
            level.saved_states, level.state = saved[:-1], saved[-1]
        else:
            level.saved_states, level.state = [], _line_state(level, before, wanted)


def _line_state(level: CustomerOrder | OrderLine, before: OrderState, wanted: OrderState) -> OrderState:
    """A line that stands elsewhere than its order follows only where its own table leads."""
    return wanted if level.state == before else ORDER_LINE_MOVES.move(_S(level.state), wanted)


def _follow(session: Session, locked: LockedOrder, state: OrderState, now: datetime) -> None:
    """What the new state means for the work and for the inventory."""
    if state in _WORK_GOES_ON:
        create_order_tasks(session, locked)
        release_order_tasks(locked)
        create_products(session, locked, now=now)
    elif state in _WORK_RESTS:
        hold_order_tasks(locked)
    elif state is _S.CANCELLED:
        cancel_order_tasks(locked)
        withdraw_products(session, locked, locked.lines, now=now)
    elif state is _S.COMPLETED:
        activate_products(session, locked, locked.lines, now=now)
    if state is _S.CANCELLATION_IN_PROGRESS:
        begin_withdrawal(session, locked, locked.lines, now=now)
