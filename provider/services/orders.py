"""What people do with orders. Consumers make them through `services.intake`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from provider.domain.errors import Conflict, FieldError, InvalidFields
from provider.domain.orders import ORDER_MOVES, OrderState
from provider.models.orders import CustomerOrder
from provider.services.order_locks import LockedOrder, lock_order
from provider.services.order_moves import REQUESTS, change_state, past_point_of_no_return
from provider.services.pages import Page, read_page

_S = OrderState

_CANCELLING = frozenset({_S.ASSESSING_CANCELLATION, _S.CANCELLATION_IN_PROGRESS, _S.CANCELLED})


def approve_order(session: Session, number: str, *, actor: str, now: datetime) -> CustomerOrder:
    """Accept an order, or its revision, and begin to fulfil it: Acknowledged, then In progress.

    Makes the order tasks and the products of every line. Raises NotFound, IllegalMove.
    """
    locked = lock_order(session, number)
    change_state(session, locked, _S.ACKNOWLEDGED, reason=None, actor=actor, now=now)
    change_state(session, locked, _S.IN_PROGRESS, reason=None, actor=actor, now=now)
    return locked.order


def reject_order(session: Session, number: str, *, reason: str, actor: str, now: datetime) -> CustomerOrder:
    """Send an order back to the consumer, who reads the reason. Raises NotFound, IllegalMove, InvalidFields."""
    return move_order(session, number, _S.REJECTED, reason=reason, actor=actor, now=now)


def move_order(
    session: Session, number: str, wanted: OrderState, *, reason: str | None, actor: str, now: datetime
) -> CustomerOrder:
    """Perform any legal move. Raises NotFound, IllegalMove, InvalidFields, and Conflict as `change_state` does."""
    if wanted is _S.REJECTED and not (reason or "").strip():
        raise InvalidFields([FieldError("/reason", "required", "the consumer needs to know why")])
    locked = lock_order(session, number)
    change_state(session, locked, wanted, reason=reason, actor=actor, now=now)
    return locked.order


def cancel_order(session: Session, number: str, *, reason: str, actor: str, now: datetime) -> CustomerOrder:
    """Ask for a cancellation, as the consumer can. Raises NotFound, IllegalMove, Conflict `past_point_of_no_return`."""
    locked = lock_order(session, number)
    request_cancellation(session, locked, reason=reason, actor=actor, now=now)
    return locked.order


def request_cancellation(session: Session, locked: LockedOrder, *, reason: str, actor: str, now: datetime) -> None:
    """Before approval an order is cancelled at once, afterwards the wish is assessed. Asking twice is asking once.

    Raises IllegalMove, and Conflict `past_point_of_no_return`, after which nothing has changed.
    """
    if locked.state in _CANCELLING:
        return
    if locked.order.ponr or locked.state is _S.COMPLETED:
        raise past_point_of_no_return(locked.order)
    at_once = _S.CANCELLED in ORDER_MOVES.legal(locked.state)
    wanted = _S.CANCELLED if at_once else _S.ASSESSING_CANCELLATION
    change_state(session, locked, wanted, reason=reason, actor=actor, now=now)


def decline_request(session: Session, number: str, *, reason: str, actor: str, now: datetime) -> CustomerOrder:
    """Refuse a cancellation or a revision: the order gets the state back in which it was asked for.

    Raises NotFound, and Conflict `nothing_to_decline`.
    """
    locked = lock_order(session, number)
    if locked.state not in REQUESTS or not locked.order.saved_states:
        message = f"order {number} is {locked.state.label}; there is no request to decline"
        raise Conflict("nothing_to_decline", message, order_state=str(locked.state))
    change_state(session, locked, _S(locked.order.saved_states[-1]), reason=reason, actor=actor, now=now)
    return locked.order


def list_orders(
    session: Session, *, state: str | None, limit: int, after: Sequence[Any] | None = None
) -> Page[CustomerOrder]:
    """Orders by number, of one state if it is given."""
    query: Select[tuple[CustomerOrder]] = select(CustomerOrder)
    if state is not None:
        query = query.where(CustomerOrder.state == state)
    return read_page(session, query, [CustomerOrder.number], limit=limit, after=after)
