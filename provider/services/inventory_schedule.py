"""What is to happen to products at a date happens here, once, by whichever sweeper comes first."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session, aliased

from bridge import failpoints
from bridge.errors import DatabaseBusy
from bridge.failpoints import FailpointReached
from provider.domain.inventory import OperationState, ProductAction, ProductState
from provider.domain.orders import OrderState
from provider.models.inventory import InventoryOperation, Product, ProductChange
from provider.models.orders import CustomerOrder
from provider.services.fulfilment import open_tasks
from provider.services.inventory_actions import Tree, lock_products
from provider.services.order_locks import lock_connection, lock_order
from provider.services.order_moves import change_state
from provider.services.product_changes import Step, record_steps

log = logging.getLogger(__name__)

ACTOR = "system/schedule"
AT_ONCE = 200
"""How many orders, and how many groups of suspended products, one round looks after; the next one goes on."""

Transaction = Callable[[], AbstractContextManager[Session]]


def perform_due(reading: Transaction, transaction: Transaction, *, now: datetime) -> int:
    """Complete the orders whose date has come, and resume what was suspended until now. Each in a transaction of its
    own: what a crash interrupts is found again, and what cannot be done holds up nothing else. Returns how many there
    were.
    """
    with reading() as session:
        orders, suspended = find_due_orders(session, now), find_due_resumptions(session, now)
    for number in orders:
        _perform(transaction, complete_due_order, number, now)
    for order_id in suspended:
        _perform(transaction, resume_due_products, order_id, now)
    return len(orders) + len(suspended)


def _perform(transaction: Transaction, perform: Callable[..., None], key: str, now: datetime) -> None:
    try:
        with transaction() as session:
            perform(session, key, now=now)
            failpoints.hit("schedule.in_tx")
    except (DatabaseBusy, FailpointReached):
        raise
    except Exception:
        log.exception("what is due cannot be done, and is looked at again in the next round", extra={"order": key})


def find_due_orders(session: Session, now: datetime) -> list[str]:
    """The numbers of scheduled orders whose date has come."""
    due = exists().where(
        InventoryOperation.order_id == CustomerOrder.id,
        InventoryOperation.state == OperationState.SCHEDULED,
        InventoryOperation.starts_at <= now,
    )
    scheduled = select(CustomerOrder.number).where(CustomerOrder.state == OrderState.SCHEDULED, due)
    return list(session.scalars(scheduled.order_by(CustomerOrder.number).limit(AT_ONCE)))


def complete_due_order(session: Session, number: str, *, now: datetime) -> None:
    """Complete the order if it is still scheduled. Where people have put off work that is not done, it goes on to be
    done.
    """
    locked = lock_order(session, number)
    if locked.state is not OrderState.SCHEDULED:
        return
    change_state(session, locked, OrderState.IN_PROGRESS, reason=None, actor=ACTOR, now=now)
    if not open_tasks(locked.order_tasks):
        change_state(session, locked, OrderState.COMPLETED, reason=None, actor=ACTOR, now=now)


def find_due_resumptions(session: Session, now: datetime) -> list[str]:
    """The orders that brought products whose suspension ends now, unless something else acts on them."""
    whole = aliased(Product)
    busy = exists().where(
        InventoryOperation.product_id == Product.id, InventoryOperation.state == OperationState.SCHEDULED
    )
    held: ColumnElement[bool] = and_(
        whole.state == ProductState.SUSPENDED, or_(whole.resumes_at.is_(None), whole.resumes_at > now)
    )
    due = (
        select(Product.order_id)
        .outerjoin(whole, whole.id == Product.parent_id)
        .where(Product.resumes_at <= now, Product.state == ProductState.SUSPENDED, ~busy)
        .where(or_(whole.id.is_(None), ~held))
    )
    return list(session.scalars(due.distinct().order_by(Product.order_id).limit(AT_ONCE)))


def resume_due_products(session: Session, order_id: str, *, now: datetime) -> None:
    """Resume what an order brought and whose suspension ends now. A part stays suspended while its whole is."""
    owner = session.execute(select(CustomerOrder.connection_id).where(CustomerOrder.id == order_id)).scalar_one()
    lock_connection(session, owner)
    products = lock_products(session, order_id)
    tree = Tree(session, products)
    for product in sorted(products, key=lambda one: len(list(tree.wholes_of(one)))):
        if _is_due(product, now) and not _is_held(tree, product):
            product.resumes_at = None
            step = Step(product, ProductAction.RESUME, ProductState.ACTIVE)
            record_steps(session, _suspended_by(session, product), [step], now=now)


def _is_due(product: Product, now: datetime) -> bool:
    is_over = product.resumes_at is not None and product.resumes_at <= now
    return is_over and product.state == ProductState.SUSPENDED


def _is_held(tree: Tree, product: Product) -> bool:
    return tree.is_busy(product) or any(
        whole.state == ProductState.SUSPENDED or tree.is_busy(whole) for whole in tree.wholes_of(product)
    )


def _suspended_by(session: Session, product: Product) -> str:
    """The provider task that suspended it: its resumption is the end of that."""
    last = select(ProductChange.provider_task_id).where(ProductChange.product_id == product.id)
    found: str = session.execute(last.order_by(ProductChange.id.desc()).limit(1)).scalar_one()
    return found
