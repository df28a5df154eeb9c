"""What the lines of an order do to products that are there already: begun with approval, performed when the order is
complete, given up when it is cancelled.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from provider.domain.inventory import ACTION_RULES, OperationState, ProductAction, ProductState
from provider.domain.orders import LineAction
from provider.models.inventory import InventoryOperation, Product
from provider.models.orders import OrderLine
from provider.services.order_locks import LockedOrder
from provider.services.product_changes import Step, record_steps

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation that is not over, its product, locked, and its line."""

    row: InventoryOperation
    product: Product
    line: OrderLine

    @property
    def action(self) -> ProductAction:
        return ProductAction(self.row.action)

    @property
    def previous_state(self) -> ProductState:
        return ProductState(self.row.previous["state"])

    def step(self, state: ProductState, changed: Document | None = None) -> Step:
        return Step(self.product, self.action, None if self.product.state == state else state, changed)


def begin_operations(session: Session, locked: LockedOrder, *, now: datetime) -> None:
    """The order is approved: what will change or go says so. Nothing where that was done before."""
    waiting = (operation for operation in _open(session, locked))
    steps = [
        operation.step(pending)
        for operation in waiting
        if (pending := ACTION_RULES[operation.action].pending) and operation.product.state != pending
    ]
    record_steps(session, locked.task.id, steps, now=now)


def perform_operations(session: Session, locked: LockedOrder, *, now: datetime) -> None:
    """The order is complete, and its time has come: each product is what it was to become."""
    operations = _open(session, locked)
    steps = [_PERFORM[operation.action](operation) for operation in operations]
    _end(operations, OperationState.COMPLETED)
    record_steps(session, locked.task.id, steps, now=now)


def cancel_operations(session: Session, locked: LockedOrder, lines: Iterable[OrderLine], *, now: datetime) -> None:
    """These lines are cancelled: each product is what it was, and others may act on it."""
    given_up = {line.id for line in lines}
    operations = [operation for operation in _open(session, locked) if operation.line.id in given_up]
    begun = [operation for operation in operations if operation.product.state != operation.previous_state]
    steps = [operation.step(operation.previous_state) for operation in begun]
    _end(operations, OperationState.CANCELLED)
    record_steps(session, locked.task.id, steps, now=now)


def waits_for_date(session: Session, locked: LockedOrder) -> bool:
    """Whether the order is not to be completed before a date; then it is scheduled once its work is done."""
    if all(line.action == LineAction.ADD for line in locked.lines):
        return False
    dated = select(InventoryOperation.order_line_id).where(
        InventoryOperation.order_id == locked.order.id,
        InventoryOperation.state == OperationState.SCHEDULED,
        InventoryOperation.starts_at.is_not(None),
    )
    return session.execute(dated.limit(1)).first() is not None


def location_name(location: Mapping[str, Any] | None) -> str | None:
    """By which products are found."""
    name = (location or {}).get("name")
    return name[:255] if isinstance(name, str) else None


def _open(session: Session, locked: LockedOrder) -> list[Operation]:
    """Parents first. Orders that only add have none, and are not asked for them."""
    lines = {line.id: line for line in locked.lines if line.action != LineAction.ADD}
    if not lines:
        return []
    query = (
        select(InventoryOperation, Product)
        .join(Product, Product.id == InventoryOperation.product_id)
        .where(InventoryOperation.order_id == locked.order.id, InventoryOperation.state == OperationState.SCHEDULED)
        .order_by(Product.id)
        .with_for_update(of=Product)
        .execution_options(populate_existing=True)
    )
    found = [Operation(row, product, lines[row.order_line_id]) for row, product in session.execute(query)]
    return sorted(found, key=lambda operation: operation.line.position)


def _end(operations: Iterable[Operation], state: OperationState) -> None:
    for operation in operations:
        operation.row.state = state


def _suspend(operation: Operation) -> Step:
    operation.product.resumes_at = operation.row.ends_at
    return operation.step(ProductState.SUSPENDED)


def _resume(operation: Operation) -> Step:
    operation.product.resumes_at = None
    return operation.step(ProductState.ACTIVE)


def _disconnect(operation: Operation) -> Step:
    operation.product.resumes_at = None
    return operation.step(ProductState.INACTIVE)


def _change(operation: Operation) -> Step:
    before, after = operation.row.previous["characteristics"], operation.line.characteristics
    operation.product.characteristics = after
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    different = {key: [before.get(key), after.get(key)] for key in keys}
    return operation.step(operation.previous_state, {"characteristics": different})


def _relocate(operation: Operation) -> Step:
    product, after = operation.product, operation.line.location
    product.location, product.location_name = after, location_name(after)
    return operation.step(operation.previous_state, {"location": [operation.row.previous["location"], after]})


_PERFORM: Mapping[ProductAction, Callable[[Operation], Step]] = {
    ProductAction.SUSPEND: _suspend,
    ProductAction.RESUME: _resume,
    ProductAction.DISCONNECT: _disconnect,
    ProductAction.CHANGE: _change,
    ProductAction.MOVE: _relocate,
}
