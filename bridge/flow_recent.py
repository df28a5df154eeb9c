"""What crosses just now, how fast, and what stands still? For boards that people watch.

Every query is bounded and goes by an index: it costs the same whatever the history has grown to.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, bindparam, literal_column, select, true
from sqlalchemy.orm import Session

from bridge.ailments import Ailment, find_ailments
from bridge.backoff import Outcome
from bridge.flow import Flow, read_flows
from bridge.health import Beats, Condition
from bridge.models import Attempt, Connection, Delivery, OutboxEvent, Stream, table_of
from bridge.vocabulary import ConnectionState

LATELY = timedelta(minutes=1)
ATTEMPTS_LIMIT = 50
"""The newest attempts of a connection: latency is told of these."""
PASSING_LIMIT = 20

_CONNECTIONS, _STREAMS, _ATTEMPTS = table_of(Connection), table_of(Stream), table_of(Attempt)
_DELIVERIES, _EVENTS = table_of(Delivery), table_of(OutboxEvent)


@dataclass(frozen=True, slots=True)
class Pulse:
    """How one connection does just now.

    `sent` counts the events that were sent and answered within `LATELY`; with `sent_more` it may have been more, for
    only so many attempts are looked at. Latencies are those of whole attempts, in seconds, empty before the first one.
    `breaker` is `closed`, `open` until `flow.not_before`, or `half_open`: the next attempt is a probe.
    """

    flow: Flow
    ailments: Sequence[Ailment]
    breaker: str
    sent: int
    sent_more: bool
    p50_s: float | None
    p95_s: float | None
    outbound: Condition
    inbound: Condition


@dataclass(frozen=True, slots=True)
class Passing:
    """One event on its way to one connection, or there."""

    id: str
    connection_id: str
    connection: str
    type: str
    stream: str
    state: str
    error: str | None
    occurred_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Arrival:
    """One thing that came from the other side. `text` is for people, `number` what it is called here."""

    at: datetime
    connection_id: str
    connection: str
    number: str
    text: str


@dataclass(frozen=True, slots=True)
class Queue:
    """The events of one record that wait: how many, and the first of them, which the others wait for."""

    stream: str
    waiting: int
    delivery_id: str
    type: str
    state: str
    error: str | None
    occurred_at: datetime
    due_at: datetime | None


def read_pulses(session: Session, now: datetime) -> list[Pulse]:
    """Every connection that is not revoked, oldest first, in two queries."""
    attempts: dict[str, list[Any]] = defaultdict(list)
    connection = session.connection()
    for row in connection.execute(_NEWEST_ATTEMPTS[connection.dialect.name]):
        attempts[row.connection_id].append(row)
    flows = [flow for flow in read_flows(session) if flow.state != ConnectionState.REVOKED]
    return [_pulse(flow, attempts[flow.connection_id], now) for flow in flows]


def read_passing(session: Session, limit: int = PASSING_LIMIT) -> list[Passing]:
    """The newest events with each connection they go to, newest first, in three queries."""
    connection = session.connection()
    events = {row.id: row for row in connection.execute(_NEWEST_EVENTS.limit(limit))}
    names = {row.id: row.name for row in connection.execute(select(_CONNECTIONS.c.id, _CONNECTIONS.c.name))}
    wanted = {
        "b_connections": list(names),
        "b_streams": sorted({row.stream for row in events.values()}),
        "b_events": list(events),
        "b_limit": limit,
    }
    rows = connection.execute(_DELIVERIES_OF_EVENTS.limit(limit), wanted)
    return [_passing(row, events[row.event_id], names[row.connection_id]) for row in rows]


def read_queues(session: Session, connection_id: str, limit: int = 20) -> list[Queue]:
    """The records of which something waits for a connection: those that people must look at first, then the longest
    due.
    """
    blocked = _QUEUES.where(
        _DELIVERIES.c.connection_id == connection_id, _DELIVERIES.c.state == literal_column("'parked'")
    )
    due = _QUEUES.where(_STREAMS.c.connection_id == connection_id, _STREAMS.c.due_at.is_not(None))
    connection = session.connection()
    rows = [
        *connection.execute(blocked.where(_STREAMS.c.due_at.is_(None)).order_by(_STREAMS.c.id).limit(limit)),
        *connection.execute(due.order_by(_STREAMS.c.due_at).limit(limit)),
    ]
    return [Queue(*row) for row in rows[:limit]]


def read_directions(session: Session, flow: Flow, now: datetime) -> dict[str, dict[str, Any]]:
    """Both directions of one connection for people and programs: `out` with our queue and the latency of our newest
    attempts, `in` with what the other side last told of its own.
    """
    newest = select(_ATTEMPTS.c.duration_s).where(_ATTEMPTS.c.connection_id == flow.connection_id)
    durations = sorted(session.scalars(newest.order_by(_ATTEMPTS.c.id.desc()).limit(ATTEMPTS_LIMIT)))
    oldest_s = None if flow.oldest_at is None else max(0.0, (now - flow.oldest_at).total_seconds())
    ours = {"waiting": flow.waiting, "parked": flow.parked, "oldest_s": oldest_s, "p95_s": _percentile(durations, 95)}
    theirs = {name: flow.inbound.told.get(name) for name in ours}
    return {"out": _direction(flow.outbound, now) | ours, "in": _direction(flow.inbound, now) | theirs}


def _direction(beats: Beats, now: datetime) -> dict[str, Any]:
    names = ("beat_at", "answered_at", "every_s", "round_trip_s", "missed", "error")
    return {"condition": str(beats.condition(now)), **{name: getattr(beats, name) for name in names}}


def _pulse(flow: Flow, attempts: Sequence[Any], now: datetime) -> Pulse:
    lately = [row for row in attempts if row.started_at > now - LATELY]
    durations = sorted(row.duration_s for row in attempts)
    return Pulse(
        flow=flow,
        ailments=find_ailments(flow, now),
        breaker=_breaker(flow, now),
        sent=sum(row.events for row in lately if row.outcome == Outcome.JUDGED),
        sent_more=len(lately) == ATTEMPTS_LIMIT,
        p50_s=_percentile(durations, 50),
        p95_s=_percentile(durations, 95),
        outbound=flow.outbound.condition(now),
        inbound=flow.inbound.condition(now),
    )


def _breaker(flow: Flow, now: datetime) -> str:
    if flow.not_before is None:
        return "closed"
    return "open" if flow.not_before > now else "half_open"


def _percentile(ascending: Sequence[float], percent: int) -> float | None:
    """The nearest rank."""
    return ascending[math.ceil(len(ascending) * percent / 100) - 1] if ascending else None


def _passing(row: Any, event: Any, connection: str) -> Passing:
    return Passing(
        id=row.id,
        connection_id=row.connection_id,
        connection=connection,
        type=event.type,
        stream=event.stream,
        state=row.state,
        error=row.error,
        occurred_at=event.occurred_at,
        settled_at=row.settled_at,
    )


def _newest_attempts(*, lateral: bool) -> Select[Any]:
    """The newest attempts of each connection. Each database is asked in the way that it answers by the index:
    PostgreSQL would run the subquery of the other way for every attempt there ever was, SQLite knows no LATERAL.
    """
    mine = _ATTEMPTS.alias()
    names = ("connection_id", "started_at", "duration_s", "events", "outcome")  # `detail` can be long
    newest = select(*(mine.c[name] for name in (names if lateral else ("id",)))).where(
        mine.c.connection_id == _CONNECTIONS.c.id
    )
    newest = newest.order_by(mine.c.id.desc()).limit(ATTEMPTS_LIMIT).correlate(_CONNECTIONS)
    if lateral:
        found = newest.lateral()
        return select(found).select_from(_CONNECTIONS.join(found, true()))
    joined = _CONNECTIONS.outerjoin(_ATTEMPTS, _ATTEMPTS.c.id.in_(newest))  # outer: connections first, then by the key
    return select(*(_ATTEMPTS.c[name] for name in names)).select_from(joined).where(_ATTEMPTS.c.id.is_not(None))


_NEWEST_ATTEMPTS = {name: _newest_attempts(lateral=name == "postgresql") for name in ("postgresql", "sqlite")}
_NEWEST_EVENTS = select(_EVENTS.c.id, _EVENTS.c.type, _EVENTS.c.stream, _EVENTS.c.occurred_at).order_by(
    _EVENTS.c.id.desc()
)
# Deliveries have no index by event. Of one stream the newest events are the newest sequences, and streams are found by
# connection and name.
_DELIVERIES_OF_EVENTS = (
    select(*(_DELIVERIES.c[name] for name in ("id", "connection_id", "event_id", "state", "error", "settled_at")))
    .select_from(_STREAMS.join(_DELIVERIES, _DELIVERIES.c.stream_id == _STREAMS.c.id))
    .where(
        _STREAMS.c.connection_id.in_(bindparam("b_connections", expanding=True)),
        _STREAMS.c.stream.in_(bindparam("b_streams", expanding=True)),
        _DELIVERIES.c.sequence >= _STREAMS.c.next_sequence - bindparam("b_limit"),
        _DELIVERIES.c.event_id.in_(bindparam("b_events", expanding=True)),
    )
    .order_by(_DELIVERIES.c.event_id.desc(), _DELIVERIES.c.connection_id)
)
_QUEUES = (
    select(
        _STREAMS.c.stream,
        _STREAMS.c.next_sequence - _STREAMS.c.head,
        _DELIVERIES.c.id,
        _EVENTS.c.type,
        _DELIVERIES.c.state,
        _DELIVERIES.c.error,
        _EVENTS.c.occurred_at,
        _STREAMS.c.due_at,
    )
    .select_from(_STREAMS)
    .join(_DELIVERIES, and_(_DELIVERIES.c.stream_id == _STREAMS.c.id, _DELIVERIES.c.sequence == _STREAMS.c.head))
    .join(_EVENTS, _EVENTS.c.id == _DELIVERIES.c.event_id)
)
