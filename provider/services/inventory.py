"""What consumers have: products come and go with the lines of their orders, each change is one event."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, insert, select
from sqlalchemy.orm import Session

from bridge.ids import new_id
from provider.domain.errors import NotFound
from provider.domain.inventory import ProductAction, ProductState
from provider.domain.orders import LineAction, OrderState
from provider.models.inventory import Product
from provider.models.orders import OrderLine
from provider.services.inventory_operations import (
    begin_operations,
    cancel_operations,
    location_name,
    perform_operations,
)
from provider.services.numbers import next_numbers
from provider.services.order_locks import LockedOrder
from provider.services.pages import Page, read_page
from provider.services.product_changes import Step, products_data, record_steps

Document = dict[str, Any]


def create_products(session: Session, locked: LockedOrder, *, now: datetime) -> None:
    """The products of every adding line that has none yet: one per piece, a part's per piece of its parent. Those that
    other lines act on show that.
    """
    have = set(
        session.execute(select(Product.order_line_id).where(Product.order_id == locked.order.id).distinct()).scalars()
    )
    begin_operations(session, locked, now=now)
    rows = _rows(locked, [line for line in locked.lines if line.id not in have and line.action == LineAction.ADD])
    if not rows:
        return
    for row, number in zip(rows, next_numbers(session, "product", len(rows)), strict=True):
        row["number"] = number
    session.execute(insert(Product), rows)
    steps = [Step(Product(**row), ProductAction.ADD, is_new=True) for row in rows]
    record_steps(session, locked.task.id, steps, now=now)


def count_pieces(lines: Iterable[OrderLine]) -> dict[str, int]:
    """How many products each line makes, by line id; parents come first."""
    pieces: dict[str, int] = {}
    for line in lines:
        pieces[line.id] = line.quantity * (pieces[line.parent_line_id] if line.parent_line_id else 1)
    return pieces


def activate_products(session: Session, locked: LockedOrder, lines: Iterable[OrderLine], *, now: datetime) -> None:
    """The lines are fulfilled: their products are in use. What is done to others is done with the whole order."""
    ends = {ProductState.INSTALLATION_PENDING: ProductState.ACTIVE}
    _move(session, locked, _products_of_lines(session, locked, lines), ends, now)
    if locked.state is OrderState.COMPLETED:
        perform_operations(session, locked, now=now)


def begin_withdrawal(session: Session, locked: LockedOrder, lines: Iterable[OrderLine], *, now: datetime) -> None:
    """The lines are being cancelled: what they put to use is taken out of it."""
    ends = {ProductState.ACTIVE: ProductState.INACTIVATION_PENDING}
    _move(session, locked, _products_of_lines(session, locked, lines), ends, now)


def withdraw_products(session: Session, locked: LockedOrder, lines: Iterable[OrderLine], *, now: datetime) -> None:
    """The lines are cancelled: nothing of what they added remains, and what they acted on is what it was."""
    lines = list(lines)
    cancel_operations(session, locked, lines, now=now)
    ends = dict.fromkeys((ProductState.INSTALLATION_PENDING, ProductState.INACTIVATION_PENDING), ProductState.INACTIVE)
    _move(session, locked, _products_of_lines(session, locked, lines), ends, now)


def show_product(session: Session, connection_id: str, product_id: str) -> Document:
    """One product of a connection. Raises NotFound."""
    found = select(Product).where(Product.connection_id == connection_id, Product.id == product_id)
    product = session.execute(found).scalar_one_or_none()
    if product is None:
        raise NotFound("product", product_id)
    return products_data(session, [product])[0]


def list_products(
    session: Session,
    connection_id: str | None,
    *,
    state: str | None = None,
    location: str | None = None,
    limit: int,
    after: Sequence[Any] | None = None,
) -> Page[Document]:
    """The products of one connection, or of all, by number; only those in a state or at a location, if it is given."""
    query: Select[tuple[Product]] = select(Product)
    wanted = ((Product.connection_id, connection_id), (Product.state, state), (Product.location_name, location))
    query = query.where(*(column == value for column, value in wanted if value is not None))
    page = read_page(session, query, [Product.number], limit=limit, after=after)
    return Page(products_data(session, page.items), page.next_key)


def _rows(locked: LockedOrder, lines: Sequence[OrderLine]) -> list[dict[str, Any]]:
    """The products that the lines make, parents first, each with the piece of the parent that it belongs to."""
    pieces = count_pieces(locked.lines)
    paths: dict[str, list[str]] = {}
    made: dict[tuple[str, int], str] = {}
    rows = []
    for line in lines:
        whole = line.parent_line_id
        paths[line.id] = [*paths[whole], line.part_key or ""] if whole else []
        for unit in range(1, pieces[line.id] + 1):
            row = _row(locked, line, unit) | {"part": paths[line.id]}
            row["parent_id"] = made[whole, (unit - 1) // line.quantity + 1] if whole else None
            made[line.id, unit] = row["id"]
            rows.append(row)
    return rows


def _row(locked: LockedOrder, line: OrderLine, unit: int) -> dict[str, Any]:
    return {
        "id": new_id(),
        "connection_id": locked.order.connection_id,
        "provider_task_id": locked.task.id,
        "order_id": locked.order.id,
        "order_line_id": line.id,
        "specification_id": line.specification_id,
        "name": line.name,
        "unit": unit,
        "state": str(ProductState.INSTALLATION_PENDING),
        "characteristics": line.characteristics,
        "location": line.location,
        "location_name": location_name(line.location),
        "catalog_item_id": locked.task.catalog_item_id,
        "resumes_at": None,
    }


def _products_of_lines(session: Session, locked: LockedOrder, lines: Iterable[OrderLine]) -> list[Product]:
    mine = select(Product).where(Product.order_id == locked.order.id).order_by(Product.number)
    products = session.execute(mine.execution_options(populate_existing=True)).scalars()
    wanted = {line.id for line in lines}
    return [product for product in products if product.order_line_id in wanted]


def _move(
    session: Session, locked: LockedOrder, products: Iterable[Product], ends: dict[ProductState, ProductState],
    now: datetime,
) -> None:  # fmt: skip
    """Move the products whose state is a key of `ends`; the others stay."""
    found = ((product, ends.get(ProductState(product.state))) for product in products)
    steps = [Step(product, ProductAction.ADD, end) for product, end in found if end is not None]
    record_steps(session, locked.task.id, steps, now=now)
