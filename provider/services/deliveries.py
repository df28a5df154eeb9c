"""What was sent or waits to be sent, and what people do with what got stuck."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge import outbox
from bridge.models import Delivery, OutboxEvent
from provider.domain.errors import NotFound
from provider.services.audit import record_audit
from provider.services.pages import Page, read_page

Document = dict[str, Any]


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


def _get(session: Session, delivery_id: str) -> Delivery:
    delivery = session.execute(select(Delivery).where(Delivery.id == delivery_id)).scalar_one_or_none()
    if delivery is None:
        raise NotFound("delivery", delivery_id)
    return delivery


def _documents(session: Session, deliveries: Sequence[Delivery]) -> list[Document]:
    wanted = select(OutboxEvent).where(OutboxEvent.id.in_({delivery.event_id for delivery in deliveries}))
    events = {event.id: event for event in session.execute(wanted).scalars()}
    return [_document(delivery, events[delivery.event_id]) for delivery in deliveries]


def _document(delivery: Delivery, event: OutboxEvent) -> Document:
    return {
        "id": delivery.id,
        "connection_id": delivery.connection_id,
        "type": event.type,
        "stream": event.stream,
        "sequence": delivery.sequence,
        "state": delivery.state,
        "error": delivery.error,
        "original_id": delivery.original_id,
        "occurred_at": event.occurred_at,
        "settled_at": delivery.settled_at,
    }
