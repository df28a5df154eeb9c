"""Telling consumers that we have ended their connection."""

from datetime import datetime

from bridge.carriers import WebhookCarrier
from bridge.draining import Fault
from bridge.farewells import Parting
from bridge.identity import Identity
from bridge.vocabulary import ADVANCING, FAST_DEADLINE_S, EventType
from provider.services.registrations import render_unsequenced

_GONE = 410
"""The consumer has ended the connection itself."""


def tell_consumer(carrier: WebhookCarrier, identity: Identity, parting: Parting, *, now: datetime) -> str | None:
    """What went wrong, None if the consumer knows."""
    connection = parting.connection
    event_text = render_unsequenced(identity, EventType.CLOSED, connection.id, {"reason": parting.reason}, now)
    answer = carrier.deliver_now(connection, event_text, deadline_s=FAST_DEADLINE_S)
    if isinstance(answer, Fault):
        return None if answer.status == _GONE else answer.detail
    return None if answer.verdict in ADVANCING else f"answered {answer.verdict}: {answer.reason or 'no reason given'}"
