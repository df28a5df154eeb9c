"""Orders that are wished away: asked for by either side, decided by us, and undone piece by piece.

A cancellation and the task that is the point of no return lock the same order (`order_locks`), so one of them is first,
and the other is refused. ADRs 16 to 18 tell why it is so.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from provider.domain.errors import Conflict, DomainError, FieldError, InvalidFields
from provider.domain.orders import ORDER_LINE_MOVES, ORDER_MOVES, CancellationStatus, OrderState, roll_up
from provider.models.orders import CustomerOrder, OrderLine, OrderStateChange, OrderTask
from provider.services.audit import record_audit
from provider.services.comments import add_reply
from provider.services.fulfilment import SETTLED, by_line, is_done, open_tasks, plan_compensation
from provider.services.order_locks import LockedOrder, lock_order, lock_order_of_task, read_order
from provider.services.order_moves import (
    begin_cancellation,
    change_state,
    complete_lines,
    end_lines,
    find_cancellable,
    past_point_of_no_return,
    tell_state,
)

_S = OrderState
_CANCELLING = frozenset({_S.ASSESSING_CANCELLATION, _S.CANCELLATION_IN_PROGRESS, _S.CANCELLED})

Document = dict[str, Any]


def cancel_order(session: Session, number: str, *, reason: str, actor: str, now: datetime) -> CustomerOrder:
    """Ask for a cancellation in the place of the consumer, and on the same way.

    Raises NotFound, IllegalMove, and Conflict `past_point_of_no_return` or, a second time, `cancellation_under_way`.
    """
    locked = lock_order(session, number)
    if locked.state in _CANCELLING:
        message = f"order {number} is {locked.state.label} already; nothing was changed"
        raise Conflict("cancellation_under_way", message, order_number=number, order_state=str(locked.state))
    request_cancellation(session, locked, reason=reason, asked_by=None, actor=actor, now=now)
    return locked.order


def request_cancellation(
    session: Session, locked: LockedOrder, *, reason: str, asked_by: str | None, actor: str, now: datetime
) -> None:
    """Before approval an order is cancelled at once, afterwards the wish is assessed. Asking twice is asking once.

    Raises IllegalMove, and Conflict `past_point_of_no_return`, after which nothing has changed.
    """
    if locked.state in _CANCELLING:
        return
    if locked.order.ponr or locked.state is _S.COMPLETED:
        raise past_point_of_no_return(locked.order)
    at_once = _S.CANCELLED in ORDER_MOVES.legal(locked.state)
    locked.order.cancellation_asked_by = asked_by
    wanted = _S.CANCELLED if at_once else _S.ASSESSING_CANCELLATION
    change_state(session, locked, wanted, reason=reason, actor=actor, now=now)


def note_refusal(
    session: Session, connection_id: str, external_id: str, error: DomainError, *, asked_by: str | None, now: datetime
) -> None:
    """Tell a consumer, beside the answer to its call, that it came too late; the order stays as it is.

    Other errors say nothing of the cancellation. The same refusal again is no news.
    """
    if not isinstance(error, Conflict) or error.code != "past_point_of_no_return":
        return
    locked = lock_order_of_task(session, connection_id, external_id)
    order, told = locked.order, (CancellationStatus.REFUSED, str(error))
    if (order.cancellation, order.cancellation_message) == told:
        return
    order.cancellation, order.cancellation_message = told
    order.cancellation_asked_by = asked_by
    actor = f"connection/{connection_id}"
    record_audit(session, actor, "order.cancel_refused", f"order/{order.number}", now, {"message": str(error)})
    tell_state(session, locked, now=now)
    session.flush()


def approve_cancellation(
    session: Session, number: str, *, message: str | None, actor: str, now: datetime
) -> CustomerOrder:
    """Agree: what was done is undone by tasks, the last first; without anything to undo it is cancelled at once.

    Where lines past the point of no return stay, the order goes on with them, and loses the others.
    Raises NotFound, and Conflict `nothing_to_decide`.
    """
    locked = _lock_assessed(session, number)
    locked.order.cancellation = CancellationStatus.APPROVED
    locked.order.cancellation_message = message
    leaving = [line for line in locked.lines if line.state == _S.ASSESSING_CANCELLATION]
    if any(line.ponr for line in locked.lines):
        _let_go(locked, leaving)
        follow_ponr(session, locked)
        change_state(session, locked, _S(locked.order.saved_states[-1]), reason=message, actor=actor, now=now)
        begin_cancellation(session, locked, leaving, now=now)
    else:
        change_state(session, locked, _S.CANCELLATION_IN_PROGRESS, reason=message, actor=actor, now=now)
    finish_cancellation(session, locked, actor=actor, now=now)
    return locked.order


def decline_cancellation(session: Session, number: str, *, reason: str, actor: str, now: datetime) -> CustomerOrder:
    """Refuse: every level has again what it had, and the consumer reads why, as a comment, too.

    Raises NotFound, InvalidFields, and Conflict `nothing_to_decide`.
    """
    if not reason.strip():
        raise InvalidFields([FieldError("/reason", "required", "the consumer needs to know why")])
    locked = _lock_assessed(session, number)
    change_state(session, locked, _S(locked.order.saved_states[-1]), reason=reason, actor=actor, now=now)
    add_reply(session, number, text=reason, author_name=actor.removeprefix("user/"), now=now)
    return locked.order


def finish_cancellation(session: Session, locked: LockedOrder, *, actor: str, now: datetime) -> None:
    """End the lines for which everything is undone, and with the last of them the order."""
    waiting = {task.order_line_id for task in open_tasks(locked.order_tasks) if task.compensates_id}
    leaving = (line for line in locked.lines if line.state == _S.CANCELLATION_IN_PROGRESS)
    ended = [line for line in leaving if line.id not in waiting]
    for line in ended:
        line.state = ORDER_LINE_MOVES.move(_S.CANCELLATION_IN_PROGRESS, _S.CANCELLED)
    if ended:
        end_lines(session, locked, ended, now=now)
    complete_lines(session, locked, now=now)  # of what stays, some may have waited for a part that was cancelled
    end = roll_up(_S(line.state) for line in locked.lines)
    if end in (_S.CANCELLED, _S.COMPLETED) and end in ORDER_MOVES.legal(locked.state):
        change_state(session, locked, end, reason=locked.order.reason, actor=actor, now=now)
    session.flush()


def follow_ponr(session: Session, locked: LockedOrder) -> bool:
    """Set the order's point of no return from its lines; whether that is news."""
    before = locked.order.ponr
    locked.order.ponr = any(line.ponr for line in locked.lines) and not find_cancellable(session, locked)
    return locked.order.ponr and not before


def show_cancellation(session: Session, number: str) -> Document:
    """What those need to know who decide: who wishes it and why, what stays, what was done, and what would undo it.

    `asked_at` is None unless a wish is being assessed or carried out. Raises NotFound.
    """
    read = read_order(session, number)
    asked = _find_asked(session, read)
    leaving = _leaving(session, read)
    tasks = [task for task in read.order_tasks if task.order_line_id in leaving and task.compensates_id is None]
    plan = [step for work in by_line(tasks).values() for step in plan_compensation(work)]
    return {
        "status": read.order.cancellation,
        "message": read.order.cancellation_message,
        "asked_by": read.order.cancellation_asked_by,
        "actor": asked.actor if asked else None,
        "reason": asked.reason if asked else None,
        "asked_at": asked.at if asked else None,
        "stays": [_line(line) for line in read.lines if line.id not in leaving and line.state != _S.CANCELLED],
        "done": [_task(task) for task in tasks if is_done(task)],
        "begun": [_task(task) for task in tasks if _is_begun(task)],
        "compensation": [{"name": undo.name, "compensates": done.number} for done, undo in plan],
    }


def _lock_assessed(session: Session, number: str) -> LockedOrder:
    locked = lock_order(session, number)
    if locked.state is not _S.ASSESSING_CANCELLATION:
        message = f"order {number} is {locked.state.label}; there is no cancellation to decide"
        raise Conflict("nothing_to_decide", message, order_number=number, order_state=str(locked.state))
    return locked


def _let_go(locked: LockedOrder, leaving: Iterable[OrderLine]) -> None:
    for line in leaving:
        line.state = ORDER_LINE_MOVES.move(_S(line.state), _S.CANCELLATION_IN_PROGRESS)
        line.saved_states = []


def _find_asked(session: Session, read: LockedOrder) -> OrderStateChange | None:
    """The move by which the wish came that is being assessed or carried out."""
    if read.state not in _CANCELLING:
        return None
    moves = select(OrderStateChange).where(
        OrderStateChange.order_id == read.order.id, OrderStateChange.to_state == _S.ASSESSING_CANCELLATION
    )
    return session.execute(moves.order_by(OrderStateChange.id.desc()).limit(1)).scalars().first()


def _leaving(session: Session, read: LockedOrder) -> frozenset[str]:
    return find_cancellable(session, read) | {
        line.id for line in read.lines if line.state == _S.CANCELLATION_IN_PROGRESS
    }


def _is_begun(task: OrderTask) -> bool:
    """Work that will be given up half done."""
    return not is_done(task) and task.state not in SETTLED and task.assigned_to is not None


def _line(line: OrderLine) -> Document:
    return {"number": line.number, "name": line.name, "ponr": line.ponr}


def _task(task: OrderTask) -> Document:
    return {"number": task.number, "name": task.name, "assigned_to": task.assigned_to}
