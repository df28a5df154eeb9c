"""What was sent or waits to be sent, why it waits, and what people do with what got stuck."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from bridge import outbox
from bridge.models import Connection, Delivery, Lease, OutboxEvent, Stream
from bridge.vocabulary import ConnectionState
from provider.domain.errors import NotFound
from provider.services.audit import record_audit
from provider.services.pages import Page, read_page

Document = dict[str, Any]

SENT, SKIPPED, WAITING, FAILING, PARKED = "sent", "skipped", "waiting", "failing", "parked"


@dataclass(frozen=True)
class Ways:
    """What deliveries have to pass: their streams by id, each with its first parked sequence, if it has one, and their
    connections and leases by the connection's id.
    """

    streams: Mapping[int, Stream]
    parked: Mapping[int, int]
    connections: Mapping[str, Connection]
    leases: Mapping[str, Lease]


@dataclass(frozen=True, slots=True)
class Place:
    """The word for where a delivery is, why it is not further, and when that is tried again."""

    state: str
    reason: str | None = None
    next_try_at: datetime | None = None


def list_deliveries(
    session: Session, *, connection_id: str | None, state: str | None, limit: int, after: Sequence[Any] | None = None
) -> Page[Document]:
    """Deliveries in the order in which they were recorded, of one connection or in one state if these are given."""
    query = select(Delivery)
    if connection_id is not None:
        query = query.where(Delivery.connection_id == connection_id)
    if state is not None:
        query = query.where(Delivery.state == state)
    page = read_page(session, query, [Delivery.event_id, Delivery.id], limit=limit, after=after)
    return Page(_documents(session, page.items), page.next_key)


def get_delivery(session: Session, delivery_id: str) -> Document:
    """One delivery. Raises NotFound."""
    return _documents(session, [_get(session, delivery_id)])[0]


def replay_delivery(session: Session, delivery_id: str, *, actor: str, now: datetime) -> Document:
    """Send a parked delivery again. Raises NothingToReplay, MappingHole."""
    outbox.replay(session, delivery_id, now=now)
    record_audit(session, actor, "delivery.replay", f"delivery/{delivery_id}", now)
    return _documents(session, [_get(session, delivery_id)])[0]


def skip_delivery(session: Session, delivery_id: str, *, reason: str, actor: str, now: datetime) -> Document:
    """Give a parked delivery up; a tombstone with an id of its own takes its place. Raises NothingToReplay."""
    delivery = _get(session, delivery_id)
    outbox.skip(session, delivery_id, reason=reason, now=now)
    record_audit(session, actor, "delivery.skip", f"delivery/{delivery_id}", now, {"reason": reason})
    return _documents(session, [delivery])[0]


def read_ways(session: Session, stream_ids: Collection[int] | Select[int]) -> Ways:
    """As they are in the database now, whatever the session has read before. The ids may be a query for them."""

    def read(model: Any, key: Any, wanted: Any) -> dict[Any, Any]:
        query = select(model).where(key.in_(wanted)).execution_options(populate_existing=True)
        return {getattr(row, key.key): row for row in session.execute(query).scalars()}

    streams = read(Stream, Stream.id, stream_ids)
    connection_ids = {stream.connection_id for stream in streams.values()}
    first = select(Delivery.stream_id, func.min(Delivery.sequence)).where(
        Delivery.stream_id.in_(streams), Delivery.state == "parked"
    )
    return Ways(
        streams,
        {row[0]: row[1] for row in session.execute(first.group_by(Delivery.stream_id))},
        read(Connection, Connection.id, connection_ids),
        read(Lease, Lease.connection_id, connection_ids),
    )


def find_place(ways: Ways, delivery: Delivery) -> Place:
    """Where a delivery is on its way."""
    if delivery.state == "parked":
        return Place(PARKED, delivery.error)
    if delivery.state != "pending":
        return Place(SKIPPED, delivery.error) if delivery.original_id else Place(SENT)
    parked = ways.parked.get(delivery.stream_id)
    if parked is not None and parked < delivery.sequence:
        return Place(WAITING, f"behind event {parked} of its stream, which is parked")
    connection = ways.connections[delivery.connection_id]
    if connection.state != ConnectionState.ACTIVE:
        why = f": {connection.state_reason}" if connection.state_reason else ""
        return Place(WAITING, f"the connection is {connection.state}{why}")
    return _trouble(ways, delivery)


def _trouble(ways: Ways, delivery: Delivery) -> Place:
    """Nobody stands in its way: either it is about to be sent, or sending fails."""
    stream, lease = ways.streams[delivery.stream_id], ways.leases.get(delivery.connection_id)
    times = [time for time in (stream.due_at, lease.not_before if lease else None) if time is not None]
    next_try_at = max(times, default=None)
    if stream.failures and delivery.sequence == stream.head:
        return Place(FAILING, delivery.error, next_try_at)
    if lease is not None and lease.failures:
        return Place(FAILING, lease.last_error, next_try_at)
    return Place(WAITING, None, next_try_at)


def _get(session: Session, delivery_id: str) -> Delivery:
    delivery = session.execute(select(Delivery).where(Delivery.id == delivery_id)).scalar_one_or_none()
    if delivery is None:
        raise NotFound("delivery", delivery_id)
    return delivery


def _documents(session: Session, deliveries: Sequence[Delivery]) -> list[Document]:
    wanted = select(OutboxEvent).where(OutboxEvent.id.in_({delivery.event_id for delivery in deliveries}))
    events = {event.id: event for event in session.execute(wanted).scalars()}
    ways = read_ways(session, {delivery.stream_id for delivery in deliveries})
    return [_document(delivery, events[delivery.event_id], find_place(ways, delivery)) for delivery in deliveries]


def _document(delivery: Delivery, event: OutboxEvent, place: Place) -> Document:
    return {
        "id": delivery.id,
        "connection_id": delivery.connection_id,
        "type": event.type,
        "stream": event.stream,
        "sequence": delivery.sequence,
        "state": delivery.state,
        "error": delivery.error,
        "reason": place.reason,
        "next_try_at": place.next_try_at,
        "original_id": delivery.original_id,
        "occurred_at": event.occurred_at,
        "settled_at": delivery.settled_at,
    }
