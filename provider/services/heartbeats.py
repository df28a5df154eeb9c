"""Heartbeats of consumers: ours go as unsequenced events, signed as all others; theirs come as calls."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bridge.carriers import WebhookCarrier
from bridge.draining import Fault
from bridge.heartbeats import Beat, read_digests
from bridge.identity import Identity
from bridge.models import Connection
from bridge.vocabulary import ADVANCING, SLOW_DEADLINE_S, EventType
from provider.services.registrations import render_unsequenced


def beat_consumer(
    carrier: WebhookCarrier, identity: Identity, connection: Connection, said: Mapping[str, Any], *, now: datetime
) -> Beat:
    """Send one beat and wait for its answer as long as a slow consumer may take. A consumer that does not know
    heartbeats has answered all the same.
    """
    event_text = render_unsequenced(identity, EventType.HEARTBEAT, connection.id, said, now)
    began_s = time.perf_counter()
    answer = carrier.deliver_now(connection, event_text, deadline_s=SLOW_DEADLINE_S)
    took_s = round(time.perf_counter() - began_s, 4)
    if isinstance(answer, Fault):
        return Beat(None, answer.detail)
    if answer.verdict not in ADVANCING:
        return Beat(None, f"answered {answer.verdict}: {answer.reason or 'no reason given'}")
    return Beat(took_s, digests=read_digests(answer.digests))
