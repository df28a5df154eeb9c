"""What people do with orders. Consumers make them through `services.intake`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from provider.domain.errors import Conflict, FieldError, InvalidFields
from provider.domain.orders import OrderState
from provider.models.orders import CustomerOrder
from provider.services.cancellations import decline_cancellation
from provider.services.order_locks import lock_order
from provider.services.order_moves import REQUESTS, change_state, complete_order
from provider.services.pages import Page, read_page

_S = OrderState


def approve_order(session: Session, number: str, *, actor: str, now: datetime) -> CustomerOrder:
    """Accept an order, or its revision, and begin to fulfil it: Acknowledged, then In progress.

    Makes the order tasks and the products of every line. Raises NotFound, IllegalMove.
    """
    locked = lock_order(session, number)
    change_state(session, locked, _S.ACKNOWLEDGED, reason=None, actor=actor, now=now)
    change_state(session, locked, _S.IN_PROGRESS, reason=None, actor=actor, now=now)
    complete_order(session, locked, actor=actor, now=now)
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
    if wanted is _S.IN_PROGRESS:
        complete_order(session, locked, actor=actor, now=now)
    return locked.order


def decline_request(session: Session, number: str, *, reason: str, actor: str, now: datetime) -> CustomerOrder:
    """Refuse a cancellation or a revision: the order gets the state back in which it was asked for.

    Raises NotFound, InvalidFields, and Conflict `nothing_to_decline`.
    """
    locked = lock_order(session, number)
    if locked.state is _S.ASSESSING_CANCELLATION:
        return decline_cancellation(session, number, reason=reason, actor=actor, now=now)
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
