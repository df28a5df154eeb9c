"""What is due, in batches: consecutive deliveries of the streams that waited longest, under the connection's lease.

acquire -> (claim -> send, with no transaction open -> settle)* -> release; the steps around this one are in
`bridge.leases` and `bridge.settling`, and `bridge.jobs` puts them together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from bridge.backoff import Outcome
from bridge.envelope import Judgement
from bridge.leases import Held
from bridge.models import Connection, Delivery, OutboxEvent, Stream, table_of
from bridge.vocabulary import BATCH_LIMIT_BYTES, BATCH_LIMIT_EVENTS, ConnectionState

ALONE_TRIES = 12
"""How often an event or call must fail alone, with the other side being well, before the fault is called its own. With
their pauses these take two minutes: whoever is being replaced, or has lost its database, may be well in all else.
"""
PROBES = 3
"""How often in a row, at the last of these tries, the other side must be well: once it may just be coming back."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once, how often, how long. Seconds unless the name says otherwise."""

    lease_s: float = 30.0
    batch_events: int = BATCH_LIMIT_EVENTS
    batch_bytes: int = BATCH_LIMIT_BYTES
    rejected_tries: int = 3
    rejected_pause_s: float = 60.0
    busy_pause_s: float = 1.0
    alone_tries: int = ALONE_TRIES


@dataclass(frozen=True, slots=True)
class Item:
    """One delivery on its way."""

    stream_id: int
    sequence: int
    id: str
    text: str
    contenthash: str
    target: str | None
    operation: str
    stream: str
    original_id: str | None


@dataclass(frozen=True, slots=True)
class Batch:
    """What one claim took. Items of a stream are consecutive and in order; failures and digests are by stream id."""

    connection: Connection
    items: Sequence[Item]
    failures: Mapping[int, int] = field(default_factory=dict)
    digests: Mapping[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why nothing can be concluded about what was sent."""

    outcome: Outcome
    detail: str
    status: int | None = None
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of sending a batch: judgements by delivery id, and a fault if it ended early. A series of calls may
    have both.
    """

    started_at: datetime
    duration_s: float
    judgements: Mapping[str, Judgement]
    fault: Fault | None = None
    well_without: bool | None = None
    """Whether the other side was well without the only item, which failed alone once more; None if it was not asked."""


_STREAMS, _DELIVERIES, _EVENTS = table_of(Stream), table_of(Delivery), table_of(OutboxEvent)
_DUE_STREAMS = (
    select(_STREAMS.c.id, _STREAMS.c.stream, _STREAMS.c.head, _STREAMS.c.failures, _STREAMS.c.digest)
    .where(_STREAMS.c.connection_id == bindparam("connection_id"), _STREAMS.c.due_at <= bindparam("now"))
    .order_by(_STREAMS.c.due_at, _STREAMS.c.id)
    .limit(bindparam("count"))
)
_FROM_HEADS = (
    select(
        *(_DELIVERIES.c[name] for name in ("stream_id", "sequence", "id", "text", "contenthash", "target")),
        _EVENTS.c.type,
        _DELIVERIES.c.original_id,
        _DELIVERIES.c.state,
    )
    .join(_STREAMS, _STREAMS.c.id == _DELIVERIES.c.stream_id)
    .join(_EVENTS, _EVENTS.c.id == _DELIVERIES.c.event_id)
    .where(
        _STREAMS.c.id.in_(bindparam("stream_ids", expanding=True)),
        _DELIVERIES.c.sequence >= _STREAMS.c.head,
        _DELIVERIES.c.sequence < _STREAMS.c.head + bindparam("per_stream"),
    )
    .order_by(_DELIVERIES.c.stream_id, _DELIVERIES.c.sequence)
)


def claim(session: Session, held: Held, *, limits: Limits, now: datetime) -> Batch | None:
    """The next batch of the connection, streams that waited longest first, or None when nothing may be sent now.

    Streams whose head is parked, or that are empty, are put to rest on the way.
    """
    connection = session.get_one(Connection, held.connection_id)
    if connection.state != ConnectionState.ACTIVE or (held.not_before and held.not_before > now):
        return None
    count = min(held.batch_limit, limits.batch_events)
    wanted = {"connection_id": held.connection_id, "now": now, "count": count}
    while streams := session.connection().execute(_DUE_STREAMS, wanted).all():
        items = _take(session, streams, max(1, count // len(streams)), limits)
        if items:
            return Batch(connection, items, {s.id: s.failures for s in streams}, {s.id: s.digest for s in streams})
    return None


def _take(session: Session, streams: Sequence[Any], per_stream: int, limits: Limits) -> list[Item]:
    """Consecutive pending deliveries from the head of each stream, until the batch is full in bytes."""
    wanted = {"stream_ids": [stream.id for stream in streams], "per_stream": per_stream}
    found = session.connection().execute(_FROM_HEADS, wanted)
    waiting = {stream_id: list(rows) for stream_id, rows in groupby(found, key=lambda row: row.stream_id)}
    items: list[Item] = []
    room = limits.batch_bytes
    for stream in streams:
        rows = waiting.get(stream.id, [])
        if not rows or rows[0].state != "pending":
            _rest(session, stream, blocked=bool(rows))
            continue
        for row in rows:
            if row.state != "pending":
                break
            room -= len(row.text.encode()) + 1
            if room < 0 and items:
                return items
            items.append(_item(row, stream.stream))
    return items


def _item(row: Any, stream: str) -> Item:
    stream_id, sequence, delivery_id, text, contenthash, target, operation, original_id, _ = row
    return Item(stream_id, sequence, delivery_id, text, contenthash, target, operation, stream, original_id)


def _rest(session: Session, stream: Any, *, blocked: bool) -> None:
    """Nothing to send here until something is recorded or unblocked; unless that happened just now."""
    unchanged = Stream.head == stream.head if blocked else Stream.next_sequence == stream.head
    session.execute(
        update(Stream)
        .where(Stream.id == stream.id, unchanged)
        .values(due_at=None, blocked_by=stream.head if blocked else None)
        .execution_options(synchronize_session=False)
    )
