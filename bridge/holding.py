"""What a receiver does not know yet: held for it without a number, and sent once it says that it knows it."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge import envelope
from bridge.models import Connection, HeldEvent, OutboxEvent
from bridge.outbox import NewEvent, record_events
from bridge.vocabulary import REQUIRED, UNSEQUENCED, EventType

_RELEASED_AT_ONCE = 200
"""The rest goes with the next heartbeat."""


def release_events(session: Session, connection_id: str, *, now: datetime) -> int:
    """Record, in their order, the held facts that the receiver knows by now. How many."""
    connection = session.get_one(Connection, connection_id, with_for_update=True)
    held = session.execute(
        select(HeldEvent, OutboxEvent)
        .join(OutboxEvent, OutboxEvent.id == HeldEvent.event_id)
        .where(HeldEvent.connection_id == connection_id, HeldEvent.type.not_in(connection.unspoken or []))
        .order_by(HeldEvent.id)
        .limit(_RELEASED_AT_ONCE)
    ).all()
    for row, fact in held:
        event = NewEvent(fact.stream, EventType(fact.type), envelope.parse_data(fact.data))
        record_events(session, [event], to=[connection_id], now=now)
        session.delete(row)
    return len(held)


def note_spoken(session: Session, connection_id: str, spoken: Any, *, now: datetime) -> None:
    """Keep which sequenced types of ours the receiver says it knows; nothing else of what it says is kept. What was
    held for it and is known now is sent.
    """
    if not isinstance(spoken, list):
        return
    unspoken = sorted(str(one) for one in set(EventType) - UNSEQUENCED - REQUIRED if one not in spoken)
    connection = session.get_one(Connection, connection_id)
    if (connection.unspoken or []) != unspoken:
        connection.unspoken = unspoken
        session.flush()
    if session.scalar(select(HeldEvent.id).where(HeldEvent.connection_id == connection_id).limit(1)) is not None:
        release_events(session, connection_id, now=now)
