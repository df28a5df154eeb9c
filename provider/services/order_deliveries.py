"""How far the consumer is with one order: what it was told of the request and the products, event by event."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.models import Delivery, OutboxEvent, Stream
from provider.domain.errors import NotFound
from provider.models.inventory import Product
from provider.models.orders import CustomerOrder, ProviderTask
from provider.services.deliveries import FAILING, PARKED, SENT, WAITING, Ways, find_place, read_ways, replay_delivery
from provider.services.provider_tasks import task_stream

Document = dict[str, Any]

EVENTS_LIMIT = 200


def show_delivery(session: Session, task: ProviderTask) -> Document:
    """The sums over all events about an order, and the newest of them one by one, oldest first.

    `state` is that of the worst event. `parked` is the first event that others wait behind.
    """
    ways = _ways(session, task)
    parked = _parked(session, ways)
    events = _events(session, ways)
    waiting = sum(stream.next_sequence - stream.head for stream in ways.streams.values())
    states = {event["state"] for event in events} | ({PARKED} if parked else set()) | ({WAITING} if waiting else set())
    return {
        "state": next((state for state in (PARKED, FAILING, WAITING) if state in states), SENT),
        "recorded": sum(stream.next_sequence - 1 for stream in ways.streams.values()),
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
    for delivery in _parked(session, _ways(session, task)):
        replay_delivery(session, delivery.id, actor=actor, now=now)


def _ways(session: Session, task: ProviderTask) -> Ways:
    products = select(Product.id).where(Product.order_id == task.order_id)
    names = [task_stream(task), *(f"product/{product_id}" for product_id in session.execute(products).scalars())]
    streams = select(Stream.id).where(Stream.connection_id == task.connection_id, Stream.stream.in_(names))
    return read_ways(session, streams)


def _parked(session: Session, ways: Ways) -> Sequence[Delivery]:
    query = select(Delivery).where(Delivery.stream_id.in_(ways.streams), Delivery.state == "parked")
    return session.execute(query.order_by(Delivery.event_id, Delivery.id)).scalars().all()


def _events(session: Session, ways: Ways) -> list[Document]:
    query = (
        select(Delivery, OutboxEvent)
        .join(OutboxEvent, OutboxEvent.id == Delivery.event_id)
        .where(Delivery.stream_id.in_(ways.streams))
        .order_by(Delivery.event_id.desc(), Delivery.id)
        .limit(EVENTS_LIMIT)
    )
    newest = [_event(ways, delivery, event) for delivery, event in session.execute(query)]
    return newest[::-1]


def _event(ways: Ways, delivery: Delivery, event: OutboxEvent) -> Document:
    place = find_place(ways, delivery)
    return {
        "id": delivery.id,
        "type": event.type,
        "stream": event.stream,
        "sequence": delivery.sequence,
        "state": place.state,
        "reason": place.reason,
        "next_try_at": place.next_try_at,
        "occurred_at": event.occurred_at,
        "settled_at": delivery.settled_at,
    }
