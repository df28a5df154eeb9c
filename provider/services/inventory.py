"""What consumers have: products come and go with the lines of their orders, each change is one event."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, insert, select
from sqlalchemy.orm import Session

from bridge.ids import new_id
from bridge.outbox import NewEvent, record_events
from bridge.vocabulary import EventType
from provider.domain.errors import NotFound
from provider.domain.inventory import PRODUCT_MOVES, ProductState
from provider.domain.orders import LineAction
from provider.models.inventory import Product
from provider.models.orders import CustomerOrder, OrderLine, ProviderTask
from provider.services.numbers import next_numbers
from provider.services.order_locks import LockedOrder
from provider.services.pages import Page, read_page

Document = dict[str, Any]


def create_products(session: Session, locked: LockedOrder, *, now: datetime) -> None:
    """The products of every adding line that has none yet: one per piece, a part's per piece of its parent."""
    have = set(
        session.execute(select(Product.order_line_id).where(Product.order_id == locked.order.id).distinct()).scalars()
    )
    pieces = count_pieces(locked.lines)
    rows = [
        _row(locked, line, unit)
        for line in locked.lines
        if line.id not in have and line.action == LineAction.ADD
        for unit in range(1, pieces[line.id] + 1)
    ]
    if not rows:
        return
    for row, number in zip(rows, next_numbers(session, "product", len(rows)), strict=True):
        row["number"] = number
    session.execute(insert(Product), rows)
    _record(session, locked, [Product(**row) for row in rows], now)


def count_pieces(lines: Iterable[OrderLine]) -> dict[str, int]:
    """How many products each line makes, by line id; parents come first."""
    pieces: dict[str, int] = {}
    for line in lines:
        pieces[line.id] = line.quantity * (pieces[line.parent_line_id] if line.parent_line_id else 1)
    return pieces


def activate_products(session: Session, locked: LockedOrder, lines: Iterable[OrderLine], *, now: datetime) -> None:
    """The lines are fulfilled: their products are in use."""
    ends = {ProductState.INSTALLATION_PENDING: ProductState.ACTIVE}
    _move(session, locked, _products_of_lines(session, locked, lines), ends, now)


def begin_withdrawal(session: Session, locked: LockedOrder, lines: Iterable[OrderLine], *, now: datetime) -> None:
    """The lines are being cancelled: what they put to use is taken out of it."""
    ends = {ProductState.ACTIVE: ProductState.INACTIVATION_PENDING}
    _move(session, locked, _products_of_lines(session, locked, lines), ends, now)


def withdraw_products(session: Session, locked: LockedOrder, lines: Iterable[OrderLine], *, now: datetime) -> None:
    """The lines are cancelled: nothing of what they added remains."""
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
    session: Session, connection_id: str | None, *, limit: int, after: Sequence[Any] | None = None
) -> Page[Document]:
    """The products of one connection, or of all, by number."""
    query: Select[tuple[Product]] = select(Product)
    if connection_id is not None:
        query = query.where(Product.connection_id == connection_id)
    page = read_page(session, query, [Product.number], limit=limit, after=after)
    return Page(products_data(session, page.items), page.next_key)


def products_data(session: Session, products: Sequence[Product]) -> list[Document]:
    """Products in the words of the wire, in two queries however many there are."""
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
    return [
        _data(product, *origins[product.provider_task_id], line_numbers[product.order_line_id]) for product in products
    ]


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
        "catalog_item_id": locked.task.catalog_item_id,
    }


def _data(product: Product, task_id: str, order_number: str, line_number: str) -> Document:
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
    moved = list(_moved(products, ends))
    session.flush()
    _record(session, locked, moved, now)


def _moved(products: Iterable[Product], ends: dict[ProductState, ProductState]) -> Iterator[Product]:
    for product in products:
        state = ProductState(product.state)
        if state in ends:
            product.state = PRODUCT_MOVES.move(state, ends[state])
            yield product


def _record(session: Session, locked: LockedOrder, products: Iterable[Product], now: datetime) -> None:
    line_numbers = {line.id: line.number for line in locked.lines}
    events = [
        NewEvent(
            f"product/{product.id}",
            EventType.PRODUCT_CHANGED,
            _data(product, locked.task.external_id, locked.order.number, line_numbers[product.order_line_id]),
        )
        for product in products
    ]
    record_events(session, events, to=[locked.order.connection_id], now=now)
