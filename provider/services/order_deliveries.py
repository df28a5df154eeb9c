"""How far the consumer is with one order: what it was told of the request and the products, event by event."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bridge.models import Connection, Delivery, Lease, OutboxEvent, Stream
from bridge.vocabulary import ConnectionState
from provider.domain.errors import NotFound
from provider.models.inventory import Product
from provider.models.orders import CustomerOrder, ProviderTask
from provider.services.deliveries import replay_delivery
from provider.services.provider_tasks import task_stream

Document = dict[str, Any]

EVENTS_LIMIT = 200
SENT, SKIPPED, WAITING, FAILING, PARKED = "sent", "skipped", "waiting", "failing", "parked"


@dataclass(frozen=True)
class _Way:
    """What all events of an order have to pass: the connection, its lease, and their streams by id."""

    connection: Connection
    lease: Lease | None
    streams: dict[int, Stream]


def show_delivery(session: Session, task: ProviderTask) -> Document:
    """The sums over all events about an order, and the newest of them one by one, oldest first.

    `state` is that of the worst event. `parked` is the first event that others wait behind.
    """
    way = _way(session, task)
    parked = _parked(session, way)
    events = _events(session, way)
    waiting = sum(stream.next_sequence - stream.head for stream in way.streams.values())
    states = {event["state"] for event in events} | ({PARKED} if parked else set()) | ({WAITING} if waiting else set())
    return {
        "state": next((state for state in (PARKED, FAILING, WAITING) if state in states), SENT),
        "recorded": sum(stream.next_sequence - 1 for stream in way.streams.values()),
        "waiting": waiting,
        "parked": parked[0].id if parked else None,
        "error": parked[0].error if parked else None,
        "events": events,
    }


def replay_order_deliveries(session: Session, number: str, *, actor: str, now: datetime) -> None:
    """Send everything again that is parked of one order, oldest first. Raises NotFound, MappingHole.

    When nothing is parked nothing happens: somebody else was faster.
    """
    task = session.execute(
        select(ProviderTask)
        .join(CustomerOrder, CustomerOrder.id == ProviderTask.order_id)
        .where(CustomerOrder.number == number)
    ).scalar_one_or_none()
    if task is None:
        raise NotFound("order", number)
    for delivery in _parked(session, _way(session, task)):
        replay_delivery(session, delivery.id, actor=actor, now=now)


def _way(session: Session, task: ProviderTask) -> _Way:
    products = select(Product.id).where(Product.order_id == task.order_id)
    names = [task_stream(task), *(f"product/{product_id}" for product_id in session.execute(products).scalars())]
    streams = select(Stream).where(Stream.connection_id == task.connection_id, Stream.stream.in_(names))
    found = session.execute(streams.execution_options(populate_existing=True)).scalars()
    return _Way(
        session.get_one(Connection, task.connection_id),
        session.get(Lease, task.connection_id, populate_existing=True),
        {stream.id: stream for stream in found},
    )


def _parked(session: Session, way: _Way) -> Sequence[Delivery]:
    query = select(Delivery).where(Delivery.stream_id.in_(way.streams), Delivery.state == "parked")
    return session.execute(query.order_by(Delivery.event_id, Delivery.id)).scalars().all()


def _events(session: Session, way: _Way) -> list[Document]:
    query = (
        select(Delivery, OutboxEvent)
        .join(OutboxEvent, OutboxEvent.id == Delivery.event_id)
        .where(Delivery.stream_id.in_(way.streams))
        .order_by(Delivery.event_id.desc(), Delivery.id)
        .limit(EVENTS_LIMIT)
    )
    heads = _parked_heads(session, way)
    newest = [_event(way, heads, delivery, event) for delivery, event in session.execute(query)]
    return newest[::-1]


def _parked_heads(session: Session, way: _Way) -> dict[int, int]:
    """The sequence of the first parked event of each stream that has one: what comes later waits behind it."""
    query = select(Delivery.stream_id, func.min(Delivery.sequence)).where(
        Delivery.stream_id.in_(way.streams), Delivery.state == "parked"
    )
    return {row[0]: row[1] for row in session.execute(query.group_by(Delivery.stream_id))}


def _event(way: _Way, heads: dict[int, int], delivery: Delivery, event: OutboxEvent) -> Document:
    state, reason, next_try_at = _state(way, heads, delivery)
    return {
        "id": delivery.id,
        "type": event.type,
        "stream": event.stream,
        "sequence": delivery.sequence,
        "state": state,
        "reason": reason,
        "next_try_at": next_try_at,
        "occurred_at": event.occurred_at,
        "settled_at": delivery.settled_at,
    }


def _state(way: _Way, heads: dict[int, int], delivery: Delivery) -> tuple[str, str | None, datetime | None]:
    """The word for where an event is, why it is not further, and when that is tried again."""
    if delivery.state == "parked":
        return PARKED, delivery.error, None
    if delivery.state != "pending":
        return (SKIPPED if delivery.original_id else SENT), delivery.error if delivery.original_id else None, None
    head = heads.get(delivery.stream_id)
    if head is not None and head < delivery.sequence:
        return WAITING, f"behind event {head} of its stream, which is parked", None
    if way.connection.state != ConnectionState.ACTIVE:
        return WAITING, f"the connection is {way.connection.state}", None
    return _trouble(way, delivery)


def _trouble(way: _Way, delivery: Delivery) -> tuple[str, str | None, datetime | None]:
    """Nobody stands in this event's way: either it is about to be sent, or sending fails."""
    stream, lease = way.streams[delivery.stream_id], way.lease
    times = [time for time in (stream.due_at, lease.not_before if lease else None) if time is not None]
    next_try_at = max(times, default=None)
    if stream.failures and delivery.sequence == stream.head:
        return FAILING, delivery.error, next_try_at
    if lease is not None and lease.failures:
        return FAILING, lease.last_error, next_try_at
    return WAITING, None, next_try_at
