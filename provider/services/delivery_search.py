"""Deliveries for those who look after them: found by state, connection and record, and one with all that is known."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from bridge.models import Attempt, Connection, Delivery, Lease, OutboxEvent, Stream
from bridge.vocabulary import ConnectionState, EventType
from provider.models.inventory import Product
from provider.models.orders import CustomerOrder, ProviderTask
from provider.services.connections import as_id
from provider.services.deliveries import FAILING, PARKED, SENT, SKIPPED, WAITING, find_place, get_delivery, read_ways
from provider.services.slices import read_slice

Document = dict[str, Any]

STATES = (PARKED, FAILING, WAITING, SENT, SKIPPED)
ATTEMPTS_LIMIT = 10
_COLUMNS: Mapping[str, Any] = {
    "recorded": Delivery.event_id,
    "connection": Connection.name,
    "type": OutboxEvent.type,
    "record": Stream.stream,
    "settled": Delivery.settled_at,
}
SORTABLE = tuple(_COLUMNS)

_BEFORE = Delivery.__table__.alias("before")
_IS_BEHIND_PARKED = exists(
    select(_BEFORE.c.sequence).where(
        _BEFORE.c.stream_id == Delivery.stream_id, _BEFORE.c.state == "parked", _BEFORE.c.sequence < Delivery.sequence
    )
)
_FAILS = and_(
    Delivery.state == "pending",
    Connection.state == ConnectionState.ACTIVE,
    or_(Lease.failures > 0, and_(Stream.failures > 0, Stream.head == Delivery.sequence)),
    ~_IS_BEHIND_PARKED,
)
_IN_STATE: Mapping[str, ColumnElement[bool]] = {
    PARKED: Delivery.state == "parked",
    FAILING: _FAILS,
    WAITING: and_(Delivery.state == "pending", ~func.coalesce(_FAILS, False)),
    SENT: and_(Delivery.state.in_(("delivered", "skipped")), Delivery.original_id.is_(None)),
    SKIPPED: and_(Delivery.state.in_(("delivered", "skipped")), Delivery.original_id.is_not(None)),
}


def search_deliveries(
    session: Session, *, text: str = "", state: str = "", connection_id: str = "", sort: str = "recorded",
    descending: bool = True, offset: int = 0, limit: int = 25,
) -> tuple[list[Document], int]:  # fmt: skip
    """One page of the deliveries that match, and how many match in all.

    `state` is one of STATES, as `find_place` means them; `text` is the number of an order or of a consumer's task, else
    part of an event's type or record.
    """
    key = _COLUMNS[sort]
    order = (key.desc(), Delivery.event_id.desc()) if descending else (key.asc(), Delivery.event_id.asc())
    wanted = _joined(select(Delivery.id), state, sort).where(*_conditions(session, text, state, connection_id))
    keys, total = read_slice(session, wanted.order_by(*order, Delivery.id), offset=offset, limit=limit)
    query = (
        select(Delivery, OutboxEvent, Connection.name)
        .join(OutboxEvent, OutboxEvent.id == Delivery.event_id)
        .join(Connection, Connection.id == Delivery.connection_id)
        .join(Stream, Stream.id == Delivery.stream_id)
        .where(Delivery.id.in_([key[0] for key in keys]))
    )
    rows = session.execute(query.order_by(*order, Delivery.id)).all()
    ways = read_ways(session, {delivery.stream_id for delivery, _, _ in rows})
    records = _records(session, [(delivery.connection_id, event.stream) for delivery, event, _ in rows])
    return [
        {
            "id": delivery.id,
            "connection_id": delivery.connection_id,
            "connection": name,
            "type": event.type,
            "record": records.get((delivery.connection_id, event.stream)),
            "stream": event.stream,
            "sequence": delivery.sequence,
            "place": find_place(ways, delivery),
            "occurred_at": event.occurred_at,
            "settled_at": delivery.settled_at,
        }
        for delivery, event, name in rows
    ], total


def show_delivery_page(session: Session, delivery_id: str) -> Document:
    """One delivery: where it is and why, what it says, and the newest attempts on its connection. Raises NotFound.

    `data` is what is sent, `before_mapping` what was recorded. Attempts carry many events: they are the connection's.
    """
    found = get_delivery(session, as_id("delivery", delivery_id))
    delivery, event, connection = session.execute(
        select(Delivery, OutboxEvent, Connection)
        .join(OutboxEvent, OutboxEvent.id == Delivery.event_id)
        .join(Connection, Connection.id == Delivery.connection_id)
        .where(Delivery.id == found["id"])
    ).one()
    since = select(Attempt).where(Attempt.connection_id == connection.id, Attempt.started_at >= event.occurred_at)
    if delivery.settled_at is not None:
        since = since.where(Attempt.started_at <= delivery.settled_at)
    stream = (connection.id, event.stream)
    return found | {
        "connection": connection.name,
        "record": _records(session, [stream]).get(stream),
        "place": find_place(read_ways(session, [delivery.stream_id]), delivery),
        "data": json.loads(delivery.text)["data"] if delivery.text else None,
        "before_mapping": json.loads(event.data),
        "attempts": session.scalars(since.order_by(Attempt.id.desc()).limit(ATTEMPTS_LIMIT)).all(),
    }


def _conditions(session: Session, text: str, state: str, connection_id: str) -> list[ColumnElement[bool]]:
    found = [_IN_STATE[state]] if state in _IN_STATE else []
    if connection_id:
        found.append(Delivery.connection_id == connection_id)
    if text:
        named = _streams_of_number(session, text)
        streams = Stream.stream.in_(named) if named else Stream.stream.icontains(text, autoescape=True)
        types = [] if named else [str(type_) for type_ in EventType if text.lower() in type_]
        of_type = select(OutboxEvent.id).where(OutboxEvent.type.in_(types))
        of_record = Delivery.stream_id.in_(select(Stream.id).where(streams))
        found.append(or_(of_record, Delivery.event_id.in_(of_type)) if types else of_record)
    return found


def _joined(query: Select[Any], state: str, sort: str) -> Select[Any]:
    """With the tables that this state and this order look at, and no others: there may be a million rows to join."""
    if sort == "type":
        query = query.join(OutboxEvent, OutboxEvent.id == Delivery.event_id)
    if sort == "record" or state in (FAILING, WAITING):
        query = query.join(Stream, Stream.id == Delivery.stream_id)
    if sort == "connection" or state in (FAILING, WAITING):
        query = query.join(Connection, Connection.id == Delivery.connection_id)
    if state in (FAILING, WAITING):
        query = query.outerjoin(Lease, Lease.connection_id == Delivery.connection_id)
    return query


def _streams_of_number(session: Session, number: str) -> list[str]:
    """The streams of a request, and of the products of its order, if it has one, given the number of either."""
    row = session.execute(
        select(ProviderTask.external_id, CustomerOrder.id)
        .outerjoin(CustomerOrder, CustomerOrder.id == ProviderTask.order_id)
        .where(or_(CustomerOrder.number == number.upper(), ProviderTask.number == number.upper()))
    ).first()
    if row is None:
        return []
    products = session.scalars(select(Product.id).where(Product.order_id == row.id)) if row.id else ()
    return [f"provider_task/{row.external_id}", *(f"product/{product_id}" for product_id in products)]


def _records(session: Session, streams: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Document]:
    """What streams are about, for people: the number of the record, and of the order it belongs to."""
    ids: dict[str, set[str]] = {"provider_task": set(), "product": set()}
    for _, stream in streams:
        kind, _, record_id = stream.partition("/")
        if kind in ids:
            ids[kind].add(record_id)
    tasks = session.execute(
        select(ProviderTask.connection_id, ProviderTask.external_id, ProviderTask.number, CustomerOrder.number)
        .outerjoin(CustomerOrder, CustomerOrder.id == ProviderTask.order_id)
        .where(ProviderTask.external_id.in_(ids["provider_task"]))
    )
    products = session.execute(
        select(Product.connection_id, Product.id, Product.number, CustomerOrder.number)
        .join(CustomerOrder, CustomerOrder.id == Product.order_id)
        .where(Product.id.in_(ids["product"]))
    )
    found = {(row[0], f"provider_task/{row[1]}"): {"number": row[2], "order_number": row[3]} for row in tasks}
    return found | {(row[0], f"product/{row[1]}"): {"number": row[2], "order_number": row[3]} for row in products}
