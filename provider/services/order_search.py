"""Orders as a list for people: found by what they remember of one, in the order in which they work on them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select
from sqlalchemy.orm import Session

from bridge.models import Delivery, Lease, Stream
from provider.domain.orders import OrderState
from provider.models.inventory import Product
from provider.models.orders import Comment, CustomerOrder, OrderLine, ProviderTask
from provider.services.deliveries import FAILING, PARKED, SENT, WAITING
from provider.services.provider_tasks import task_stream
from provider.services.slices import read_slice

Document = dict[str, Any]

_TOP = and_(OrderLine.order_id == CustomerOrder.id, OrderLine.position == 1)
_COLUMNS: Mapping[str, Any] = {
    "number": CustomerOrder.number,
    "item": OrderLine.name,
    "company": CustomerOrder.company,
    "task": ProviderTask.number,
    "state": CustomerOrder.state,
    "since": CustomerOrder.updated_at,
    "created": CustomerOrder.created_at,
}
SORTABLE = tuple(_COLUMNS)


def search_orders(  # noqa: PLR0913 - the filters of a list, each by its name
    session: Session, *, text: str = "", state: str = "", company: str = "", category: str = "",
    sort: str = "number", descending: bool = False, offset: int = 0, limit: int = 25, has_new_comment: bool = False,
) -> tuple[list[Document], int]:  # fmt: skip
    """One page of the orders that match, and how many match in all.

    `text` is part of a number, a company, a consumer's task number or the name of a line. `sort` is one of SORTABLE;
    `since` is when an order took the state it has. `has_new_comment` leaves those that `said_since` tells.
    """
    query = (
        select(CustomerOrder, ProviderTask, OrderLine.name, said_since().label("is_said"))
        .join(ProviderTask, ProviderTask.order_id == CustomerOrder.id)
        .outerjoin(OrderLine, _TOP)
    )
    query = query.where(*_conditions(text, state, company, category, has_new_comment))
    key = _COLUMNS[sort]
    ordered = query.order_by(key.desc() if descending else key.asc(), CustomerOrder.number)
    keys, total = read_slice(session, ordered.with_only_columns(CustomerOrder.id), offset=offset, limit=limit)
    rows = session.execute(ordered.where(CustomerOrder.id.in_([key[0] for key in keys]))).all()
    states = _delivery_states(session, [(row[0], row[1]) for row in rows])
    return [_row(order, task, name, states[order.id], said) for order, task, name, said in rows], total


def said_since() -> ColumnElement[bool]:
    """Whether the consumer of an order said something after our last comment, and after the order took its state.

    The query has CustomerOrder and its ProviderTask. Their comments bear their clock's time, ours our clock's.
    """
    said, answer = Comment.__table__.alias("said"), Comment.__table__.alias("answer")
    answered = exists(
        select(answer.c.id).where(
            answer.c.provider_task_id == said.c.provider_task_id, answer.c.from_consumer.is_(False),
            answer.c.created_at >= said.c.created_at,
        )
    )  # fmt: skip
    return exists(
        select(said.c.id).where(
            said.c.provider_task_id == ProviderTask.id, said.c.from_consumer.is_(True),
            said.c.created_at > CustomerOrder.updated_at, ~answered,
        )
    )  # fmt: skip


def list_companies(session: Session) -> list[str]:
    """Those that ever ordered, by name."""
    return list(session.scalars(select(CustomerOrder.company).distinct().order_by(CustomerOrder.company)))


def _conditions(text: str, state: str, company: str, category: str, has_new_comment: bool) -> list[ColumnElement[bool]]:
    wanted = ((CustomerOrder.state, state), (CustomerOrder.company, company), (CustomerOrder.category, category))
    found: list[ColumnElement[bool]] = [column == value for column, value in wanted if value]
    if has_new_comment:
        found.append(said_since())
    if text:
        named = exists(_line_names(text))
        columns = (CustomerOrder.number, CustomerOrder.company, ProviderTask.number)
        found.append(or_(*(column.icontains(text, autoescape=True) for column in columns), named))
    return found


def _line_names(text: str) -> Select[Any]:
    line = OrderLine.__table__.alias("named_line")
    return select(line.c.id).where(line.c.order_id == CustomerOrder.id, line.c.name.icontains(text, autoescape=True))


def _row(order: CustomerOrder, task: ProviderTask, item: str | None, delivery: str, is_said: bool) -> Document:
    return {
        "number": order.number,
        "item": item,
        "company": order.company,
        "category": order.category,
        "task_number": task.number,
        "requested_by": task.requested_by.get("name"),
        "state": order.state,
        "state_label": OrderState(order.state).label,
        "since": order.updated_at,
        "created_at": order.created_at,
        "delivery": delivery,
        "has_new_comment": is_said,
    }


def _delivery_states(session: Session, orders: Sequence[tuple[CustomerOrder, ProviderTask]]) -> dict[str, str]:
    """How far the consumer is with each order: the state of the worst of its streams."""
    owners = {(task.connection_id, task_stream(task)): order.id for order, task in orders}
    products = select(Product.id, Product.connection_id, Product.order_id)
    for product in session.execute(products.where(Product.order_id.in_([order.id for order, _ in orders]))):
        owners[product.connection_id, f"product/{product.id}"] = product.order_id
    streams = session.execute(
        select(Stream.id, Stream.connection_id, Stream.stream, Stream.head, Stream.next_sequence, Stream.failures)
        .where(Stream.connection_id.in_({key[0] for key in owners}), Stream.stream.in_([key[1] for key in owners]))
        .where(Stream.head < Stream.next_sequence)
    ).all()
    parked = set(session.scalars(
        select(Delivery.stream_id).where(
            Delivery.stream_id.in_([stream.id for stream in streams]), Delivery.state == "parked"
        )
    ))  # fmt: skip
    failing = set(session.scalars(
        select(Lease.connection_id).where(
            Lease.connection_id.in_({stream.connection_id for stream in streams}), Lease.failures > 0
        )
    ))  # fmt: skip
    found: dict[str, set[str]] = defaultdict(set)
    for stream in streams:
        fails = stream.failures > 0 or stream.connection_id in failing
        state = PARKED if stream.id in parked else FAILING if fails else WAITING
        if owner := owners.get((stream.connection_id, stream.stream)):
            found[owner].add(state)
    return {
        order.id: next((state for state in (PARKED, FAILING, WAITING) if state in found[order.id]), SENT)
        for order, _ in orders
    }
