"""Heartbeats of providers: ours are calls, theirs come as events, and their digests are answered with ours."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from bridge.egress import SendFailed
from bridge.envelope import Event
from bridge.heartbeats import Beat, note_heard
from bridge.inbox import Rejection
from bridge.models import Connection
from bridge.vocabulary import SLOW_DEADLINE_S
from consumer_sim.services.calling import Caller
from consumer_sim.services.errors import ProviderRefused
from consumer_sim.services.rotations import SECRETS, want_rotation


def beat_provider(caller: Caller, connection: Connection, said: Mapping[str, Any]) -> Beat:
    """Send one beat and wait for its answer, as long as a slow provider may take."""
    began_s = time.perf_counter()
    try:
        caller.call(connection, "POST", "/connection/heartbeat", said, deadline_s=SLOW_DEADLINE_S)
    except (SendFailed, ProviderRefused) as failed:
        return Beat(None, str(failed))
    return Beat(round(time.perf_counter() - began_s, 4))


class HeartbeatHandler:
    """The last beat is kept, for those who look how the connection does; what it asks for is begun."""

    def check(self, session: Session, connection_id: str, events: Sequence[Event]) -> Mapping[str, Rejection]:
        return {}

    def apply(self, session: Session, connection_id: str, events: Sequence[Event], now: datetime) -> None:
        data = events[-1].data
        note_heard(session, connection_id, data, now=now)
        asked = data.get("rotate")
        if wanted := [secret for secret in SECRETS if isinstance(asked, list) and secret in asked]:
            want_rotation(session, connection_id, wanted, now=now)
