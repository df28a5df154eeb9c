"""Products in the words of the wire, and the one way in which one changes: a row of its history, and an event."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, func, insert, select
from sqlalchemy.orm import Session

from bridge.models import table_of
from bridge.outbox import NewEvent, record_events
from bridge.vocabulary import EventType
from provider.domain.inventory import IN_USE, PRODUCT_MOVES, ProductAction, ProductState
from provider.models.criteria import EntitlementCheck
from provider.models.inventory import Product, ProductChange
from provider.models.orders import CustomerOrder, OrderLine, ProviderTask

Document = dict[str, Any]

_ADD_HISTORY = insert(table_of(ProductChange))
_LOOK_AGAIN = insert(table_of(EntitlementCheck))


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one product. `state` None: it stays as it is. `changed` is as in `ProductChange`."""

    product: Product
    action: ProductAction
    state: ProductState | None = None
    changed: Document | None = None
    is_new: bool = False


def record_steps(session: Session, task_id: str, steps: Iterable[Step], *, now: datetime) -> None:
    """Take these steps on behalf of a provider task, and tell the owner, of whom all products are. The caller holds the
    lock that `order_locks` tells of. Raises IllegalMove.
    """
    taken = list(steps)
    if not taken:
        return
    history = [_take(step, task_id, now) for step in taken]
    session.flush()
    session.connection().execute(_ADD_HISTORY, history)
    if any((row["from_state"] in IN_USE) != (row["to_state"] in IN_USE) for row in history):
        # What a consumer has decides what it may order: computed soon, and not while the order is locked.
        look_again = {"connection_id": taken[0].product.connection_id, "reason": "product", "created_at": now}
        session.connection().execute(_LOOK_AGAIN, look_again)
    tell_products(session, [step.product for step in taken], now=now)


def tell_products(session: Session, products: Sequence[Product], *, now: datetime) -> None:
    """Tell the owner, of whom all of them are, how they are now."""
    if not products:
        return
    documents = products_data(session, products)
    events = [NewEvent(f"product/{data['product_id']}", EventType.PRODUCT_CHANGED, data) for data in documents]
    record_events(session, events, to=[products[0].connection_id], now=now)


def products_data(session: Session, products: Sequence[Product]) -> list[Document]:
    """Products in the words of the wire, in three queries however many there are."""
    ids = [product.id for product in products]
    tasks = session.execute(
        select(ProviderTask.id, ProviderTask.external_id, CustomerOrder.number)
        .join(CustomerOrder, CustomerOrder.id == ProviderTask.order_id)
        .where(ProviderTask.id.in_({product.provider_task_id for product in products}))
    )
    origins = {row.id: (row.external_id, row.number) for row in tasks}
    lines = session.execute(
        select(OrderLine.id, OrderLine.number).where(OrderLine.id.in_({product.order_line_id for product in products}))
    )
    line_numbers = {row.id: row.number for row in lines}
    causes = _last_changes(session, ids)
    return [
        _data(product, *origins[product.provider_task_id], line_numbers[product.order_line_id], causes[product.id])
        for product in products
    ]


def show_history(session: Session, product_id: str) -> list[Document]:
    """Each step of a product, oldest first, with the request and the order that brought it."""
    steps = (
        select(ProductChange, ProviderTask.number, CustomerOrder.number.label("order_number"))
        .join(ProviderTask, ProviderTask.id == ProductChange.provider_task_id)
        .join(CustomerOrder, CustomerOrder.id == ProviderTask.order_id)
        .where(ProductChange.product_id == product_id)
    )
    return [
        {
            "action": step.action,
            "action_label": ProductAction(step.action).label,
            "from_state": step.from_state,
            "to_state": step.to_state,
            "to_state_label": ProductState(step.to_state).label,
            "task_number": task_number,
            "order_number": order_number,
            "changed": step.changed,
            "at": step.at,
        }
        for step, task_number, order_number in session.execute(steps.order_by(ProductChange.id))
    ]


def moment(at: datetime | None) -> str | None:
    """A time as the wire writes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


def _take(step: Step, task_id: str, now: datetime) -> Document:
    product = step.product
    before = None if step.is_new else product.state
    if before is not None and step.state is not None:
        product.state = PRODUCT_MOVES.move(ProductState(before), step.state)
    return {
        "product_id": product.id,
        "action": str(step.action),
        "from_state": before,
        "to_state": str(product.state),
        "provider_task_id": task_id,
        "changed": step.changed,
        "at": now,
    }


def _last_changes(session: Session, product_ids: Sequence[str]) -> Mapping[str, Row[Any]]:
    newest = (
        select(func.max(ProductChange.id))
        .where(ProductChange.product_id.in_(product_ids))
        .group_by(ProductChange.product_id)
    )
    rows = session.execute(
        select(
            ProductChange.product_id,
            ProductChange.action,
            ProductChange.changed,
            ProviderTask.external_id,
            CustomerOrder.number,
        )
        .join(ProviderTask, ProviderTask.id == ProductChange.provider_task_id)
        .join(CustomerOrder, CustomerOrder.id == ProviderTask.order_id)
        .where(ProductChange.id.in_(newest))
    )
    return {row.product_id: row for row in rows}


def _data(product: Product, task_id: str, order_number: str, line_number: str, cause: Row[Any]) -> Document:
    return {
        "product_id": product.id,
        "number": product.number,
        "name": product.name,
        "state": str(product.state),
        "state_label": ProductState(product.state).label,
        "task_id": task_id,
        "order_number": order_number,
        "line_number": line_number,
        "characteristics": product.characteristics,
        "location": product.location,
        "catalog_item_id": product.catalog_item_id,
        "parent_id": product.parent_id,
        "part": product.part,
        "resumes_at": moment(product.resumes_at),
        "changed_by": {
            "action": cause.action,
            "task_id": cause.external_id,
            "order_number": cause.number,
            "changed": cause.changed,
        },
    }
