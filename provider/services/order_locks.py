"""An order and all that moves with it, locked: whoever changes any of it comes through here.

Locks are taken in one order everywhere: connection (shared), provider task, order. Lines, order tasks and products are
changed under their order's lock only, so they need none of their own.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from bridge.models import Connection
from provider.domain.errors import NotFound
from provider.domain.orders import OrderState
from provider.models.orders import CustomerOrder, OrderLine, OrderTask, ProviderTask


@dataclass
class LockedOrder:
    """Lines by position, order tasks by number."""

    task: ProviderTask
    order: CustomerOrder
    lines: list[OrderLine]
    order_tasks: list[OrderTask]

    @property
    def state(self) -> OrderState:
        return OrderState(self.order.state)


def lock_order(session: Session, number: str) -> LockedOrder:
    """Raises NotFound."""
    return _lock(session, CustomerOrder.number == number, "order", number)


def read_order(session: Session, number: str) -> LockedOrder:
    """The same without locks, to be looked at only. Raises NotFound."""
    row = session.execute(
        select(ProviderTask, CustomerOrder)
        .join(CustomerOrder, CustomerOrder.id == ProviderTask.order_id)
        .where(CustomerOrder.number == number)
    ).first()
    if row is None:
        raise NotFound("order", number)
    return _with_work(session, row[0], row[1])


def lock_order_of_task(session: Session, connection_id: str, external_id: str) -> LockedOrder:
    """The order of a consumer's task. Raises NotFound, also for a task of another connection."""
    mine = (ProviderTask.connection_id == connection_id) & (ProviderTask.external_id == external_id)
    return _lock(session, mine, "provider task", external_id)


def lock_order_of_order_task(session: Session, number: str) -> tuple[LockedOrder, OrderTask]:
    """The order that an order task works for, and the order task. Raises NotFound."""
    owner = select(OrderTask.order_id).where(OrderTask.number == number).scalar_subquery()
    locked = _lock(session, CustomerOrder.id == owner, "order task", number)
    return locked, next(order_task for order_task in locked.order_tasks if order_task.number == number)


def lock_connection(session: Session, connection_id: str) -> Connection:
    """Shared: many may work for a connection at once, none while it is being paused or revoked."""
    return session.execute(
        select(Connection).where(Connection.id == connection_id).with_for_update(read=True)
    ).scalar_one()


def _lock(session: Session, condition: ColumnElement[bool], noun: str, key: str) -> LockedOrder:
    keys = session.execute(
        select(ProviderTask.id, CustomerOrder.id, CustomerOrder.connection_id)
        .join(CustomerOrder, CustomerOrder.id == ProviderTask.order_id)
        .where(condition)
    ).first()
    if keys is None:
        raise NotFound(noun, key)
    task_id, order_id, connection_id = keys
    lock_connection(session, connection_id)
    # key_share: rows that refer to these may be inserted meanwhile.
    task = session.execute(
        select(ProviderTask)
        .where(ProviderTask.id == task_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).scalar_one()
    order = session.execute(
        select(CustomerOrder)
        .where(CustomerOrder.id == order_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).scalar_one()
    return _with_work(session, task, order)


def _with_work(session: Session, task: ProviderTask, order: CustomerOrder) -> LockedOrder:
    lines = session.execute(
        select(OrderLine)
        .where(OrderLine.order_id == order.id)
        .order_by(OrderLine.position)
        .execution_options(populate_existing=True)
    ).scalars()
    order_tasks = session.execute(
        select(OrderTask)
        .where(OrderTask.order_id == order.id)
        .order_by(OrderTask.number)
        .execution_options(populate_existing=True)
    ).scalars()
    return LockedOrder(task, order, list(lines), list(order_tasks))
