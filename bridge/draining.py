"""Taking what is due from the outbox, and writing down what came of it, under one lease per connection.

acquire -> (claim -> send, with no transaction open -> settle)* -> release. Every write after `acquire` is fenced by the lease's token: a
drain that lost its lease, for whatever reason it slept, changes nothing.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, bindparam, case, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from bridge import backoff, digest
from bridge.backoff import Outcome
from bridge.database import database_now_s
from bridge.envelope import Judgement
from bridge.errors import LeaseLost
from bridge.models import Attempt, Connection, Delivery, Lease, OutboxEvent, Stream
from bridge.vocabulary import ADVANCING, BATCH_LIMIT_BYTES, BATCH_LIMIT_EVENTS, ConnectionState, Verdict


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once, how often, how long. Seconds unless the name says otherwise."""

    lease_s: float = 30.0
    batch_events: int = BATCH_LIMIT_EVENTS
    batch_bytes: int = BATCH_LIMIT_BYTES
    rejected_tries: int = 3
    rejected_pause_s: float = 60.0
    busy_pause_s: float = 1.0
    alone_tries: int = 3
    """How often an event must fail alone, with probes succeeding, before the fault is called its own."""


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
    """What one claim took. Items of a stream are consecutive and in order."""

    connection: Connection
    token: str
    items: Sequence[Item]
    failures: Mapping[int, int] = field(default_factory=dict)
    digests: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why nothing can be concluded about what was sent."""

    outcome: Outcome
    detail: str
    status: int | None = None
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of sending a batch: verdicts by delivery id, and a fault if it ended early. Both may be there for a series of calls."""

    started_at: datetime
    duration_s: float
    judgements: Mapping[str, Judgement]
    fault: Fault | None = None
    event_at_fault: bool = False
    """The only item failed alone, again, while an empty probe went through."""


def acquire(session: Session, connection_id: str, *, limits: Limits) -> str | None:
    """A lease token for the connection, or None while another drain holds it.

    Its deadline is the database's clock. One further away than a whole lease was written before that clock was set back: it counts as over.
    """
    token, now_s = str(uuid4()), database_now_s()
    free = or_(Lease.token.is_(None), Lease.deadline_s < now_s, Lease.deadline_s > now_s + limits.lease_s)
    values = {"token": token, "deadline_s": now_s + limits.lease_s}
    taken = session.execute(
        update(Lease).where(Lease.connection_id == connection_id, free).values(values).returning(Lease.token)
    ).first()
    if taken is None:
        dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
        first = (
            dialect.insert(Lease)
            .values(connection_id=connection_id, **values)
            .on_conflict_do_nothing()
            .returning(Lease.token)
        )
        taken = session.execute(first).first()
    return token if taken else None


def release(session: Session, connection_id: str, token: str) -> None:
    session.execute(update(Lease).where(Lease.connection_id == connection_id, Lease.token == token).values(token=None))


def is_slow(session: Session, connection_id: str, fast_s: float) -> bool:
    """Whether the last answer of the connection took as long as the fast lane waits."""
    slow = select(Lease.connection_id).where(
        Lease.connection_id == connection_id, Lease.last_duration_s >= fast_s * 0.9
    )
    return session.execute(slow).first() is not None


def claim(session: Session, connection_id: str, token: str, *, limits: Limits, now: datetime) -> Batch | None:
    """The next batch of the connection, oldest due streams first, or None when nothing may be sent now.

    Renews the lease; raises LeaseLost. Streams whose head is parked, or that are empty, are put to rest on the way.
    """
    lease = _renew(session, connection_id, token, limits)
    connection = session.get_one(Connection, connection_id)
    if connection.state != ConnectionState.ACTIVE or (lease.not_before and lease.not_before > now):
        return None
    count = min(lease.batch_limit, limits.batch_events)
    while streams := _due_streams(session, connection_id, count, now):
        per_stream = max(1, count // len(streams))
        batch = _take(session, connection, token, streams, per_stream, limits)
        if batch.items:
            return batch
    return None


def is_due(session: Session, connection_id: str, *, now: datetime) -> bool:
    """Whether a drain of the connection would find something to send."""
    return bool(due_connections(session, now=now, only=connection_id))


def due_connections(session: Session, *, now: datetime, limit: int = 1000, only: str | None = None) -> list[str]:
    """Connections with something to send that nobody drains and no pause holds back."""
    now_s = database_now_s()
    pending = select(Stream.id).where(Stream.connection_id == Connection.id, Stream.due_at <= now).exists()
    free = or_(Lease.token.is_(None), Lease.deadline_s < now_s)
    may = or_(Lease.not_before.is_(None), Lease.not_before <= now)
    query = (
        select(Connection.id)
        .outerjoin(Lease, Lease.connection_id == Connection.id)
        .where(Connection.state == ConnectionState.ACTIVE, free, may, pending)
        .limit(limit)
    )
    return list(session.scalars(query.where(Connection.id == only) if only else query))


def settle(session: Session, batch: Batch, result: Result, *, limits: Limits, now: datetime) -> bool:
    """Write what was learnt. True when at least one stream advanced. Raises LeaseLost, and then nothing was written."""
    lease = _renew(session, batch.connection.id, batch.token, limits)
    advanced = _settle_streams(session, batch, result, limits, now)
    fault = result.fault
    if fault is None and not advanced:
        fault = Fault(Outcome.FAILED, "no event of the batch was applied")
    _settle_lease(session, lease, result, fault, now)
    if result.fault and batch.size == 1 and result.fault.outcome is Outcome.FAILED:
        _blame_event(session, batch, result, limits, now)
    session.execute(
        insert(Attempt).values(
            connection_id=batch.connection.id, started_at=result.started_at, duration_s=result.duration_s, events=batch.size,
            outcome=str(fault.outcome if fault else Outcome.JUDGED), status=fault.status if fault else 200,
            detail=fault.detail[:2000] if fault else None,
        )
    )  # fmt: skip
    return advanced


def _renew(session: Session, connection_id: str, token: str, limits: Limits) -> Lease:
    renewed = session.execute(
        update(Lease)
        .where(Lease.connection_id == connection_id, Lease.token == token)
        .values(deadline_s=database_now_s() + limits.lease_s)
        .returning(Lease)
    ).scalar_one_or_none()
    if renewed is None:
        raise LeaseLost(f"the lease of connection {connection_id} was taken by another drain")
    return renewed


def _due_streams(session: Session, connection_id: str, count: int, now: datetime) -> Sequence[Any]:
    return session.execute(
        select(Stream.id, Stream.stream, Stream.head, Stream.failures, Stream.digest)
        .where(Stream.connection_id == connection_id, Stream.due_at <= now)
        .order_by(Stream.due_at, Stream.id)
        .limit(count)
    ).all()


def _take(
    session: Session, connection: Connection, token: str, streams: Sequence[Any], per_stream: int, limits: Limits
) -> Batch:
    """Consecutive pending deliveries from the head of each stream, until the batch is full in bytes."""
    found = session.execute(
        select(
            Delivery.stream_id, Delivery.sequence, Delivery.id, Delivery.text, Delivery.contenthash, Delivery.target,
            Delivery.state, Delivery.original_id, OutboxEvent.type,
        )
        .join(Stream, Stream.id == Delivery.stream_id)
        .join(OutboxEvent, OutboxEvent.id == Delivery.event_id)
        .where(
            Stream.id.in_([stream.id for stream in streams]),
            Delivery.sequence >= Stream.head,
            Delivery.sequence < Stream.head + per_stream,
        )
        .order_by(Delivery.stream_id, Delivery.sequence)
    )  # fmt: skip
    waiting = {stream_id: list(rows) for stream_id, rows in groupby(found, key=lambda row: row.stream_id)}
    items: list[Item] = []
    room = limits.batch_bytes
    for stream in streams:
        rows = waiting.get(stream.id, [])
        if not rows or rows[0].state != "pending":
            _rest(session, stream, blocked=bool(rows))
        for row in rows:
            room -= len(row.text.encode()) + 1 if row.text else 0
            if row.state != "pending" or (room < 0 and items):
                break
            items.append(
                Item(
                    row.stream_id,
                    row.sequence,
                    row.id,
                    row.text,
                    row.contenthash,
                    row.target,
                    row.type,
                    stream.stream,
                    row.original_id,
                )  # fmt: skip
            )
    return Batch(
        connection,
        token,
        items,
        {stream.id: stream.failures for stream in streams},
        {stream.id: stream.digest for stream in streams},
    )


def _rest(session: Session, stream: Any, *, blocked: bool) -> None:
    """Nothing to send here until something is recorded or unblocked; unless it happened just now."""
    quiet = Stream.next_sequence > stream.head if blocked else Stream.next_sequence == stream.head
    session.execute(
        update(Stream)
        .where(Stream.id == stream.id, Stream.head == stream.head, quiet)
        .values(due_at=None, blocked_by=stream.head if blocked else None)
    )


def _settle_streams(session: Session, batch: Batch, result: Result, limits: Limits, now: datetime) -> bool:
    done: list[Item] = []
    moved: list[dict[str, Any]] = []
    for stream_id, group in groupby(batch.items, key=lambda item: item.stream_id):
        items = list(group)
        accepted, stopper = _split(items, result.judgements)
        if accepted:
            rolled = batch.digests[stream_id]
            for item in accepted:
                rolled = digest.extend(rolled, *_applied(item, result.judgements[item.id]))
            moved.append({"b_id": stream_id, "b_head": accepted[-1].sequence + 1, "b_digest": rolled, "b_now": now})
            done += accepted
        if stopper:
            failures = 0 if accepted else batch.failures[stream_id]
            _hold(session, stopper, result.judgements[stopper.id], failures, limits, now)
    if moved:
        session.connection().execute(_ADVANCE, moved)
        _mark_done(session, done, now)
    return bool(moved)


_ADVANCE = (
    update(Stream.__table__)  # type: ignore[arg-type]
    .where(Stream.__table__.c.id == bindparam("b_id"))
    .values(
        head=bindparam("b_head"),
        digest=bindparam("b_digest"),
        failures=0,
        failed_at=None,
        due_at=case((Stream.__table__.c.next_sequence > bindparam("b_head"), bindparam("b_now")), else_=None),
    )
)


def _split(items: Sequence[Item], judgements: Mapping[str, Judgement]) -> tuple[list[Item], Item | None]:
    """The items that went through, and the first one that did not and was judged."""
    accepted: list[Item] = []
    for item in items:
        judgement = judgements.get(item.id)
        if judgement is None:
            return accepted, None
        if judgement.verdict not in ADVANCING and not _tombstone_was_needless(item, judgement):
            return accepted, item
        accepted.append(item)
    return accepted, None


def _tombstone_was_needless(item: Item, judgement: Judgement) -> bool:
    """The receiver had applied the event that was then given up: it is delivered after all."""
    return (
        judgement.verdict is Verdict.CONFLICT
        and item.original_id is not None
        and judgement.applied_id == item.original_id
    )


def _applied(item: Item, judgement: Judgement) -> tuple[str, str]:
    if judgement.verdict is Verdict.CONFLICT and judgement.applied_id and judgement.applied_contenthash:
        return judgement.applied_id, judgement.applied_contenthash
    return item.id, item.contenthash


def _mark_done(session: Session, items: Sequence[Item], now: datetime) -> None:
    delivered = case((Delivery.original_id.is_not(None), "skipped"), else_="delivered")
    session.execute(
        update(Delivery)
        .where(Delivery.id.in_([item.id for item in items]))
        .values(state=delivered, error=None, settled_at=now),
        execution_options={"synchronize_session": False},
    )


def _hold(session: Session, item: Item, judgement: Judgement, failures: int, limits: Limits, now: datetime) -> None:
    """The stream stops at `item`: for a while, until people act, or with the whole connection."""
    failures += 1
    reason = judgement.reason or str(judgement.verdict)
    if judgement.verdict is Verdict.REJECTED:
        if failures >= limits.rejected_tries:
            park(session, item, f"rejected: {reason}")
            return
        pause_s = backoff.stream_pause_s(limits.rejected_pause_s, failures, random.random())  # noqa: S311 - jitter
    else:
        pause_s = backoff.stream_pause_s(limits.busy_pause_s, failures, random.random())  # noqa: S311 - jitter
    if judgement.verdict is Verdict.CONFLICT:
        _stop_connection(session, item, judgement)
    _pause_stream(session, item, failures, now + timedelta(seconds=pause_s), now, f"{judgement.verdict}: {reason}")


def park(session: Session, item: Item, error: str) -> None:
    """People must look at this delivery; later ones of its stream wait behind it."""
    session.execute(update(Delivery).where(_is(item)).values(state="parked", error=error[:2000]))
    session.execute(
        update(Stream).where(Stream.id == item.stream_id).values(due_at=None, blocked_by=item.sequence, failures=0)
    )


def _pause_stream(session: Session, item: Item, failures: int, until: datetime, now: datetime, error: str) -> None:
    session.execute(update(Delivery).where(_is(item)).values(error=error[:2000]))
    session.execute(
        update(Stream)
        .where(Stream.id == item.stream_id)
        .values(
            due_at=until, failures=failures, failed_at=case((Stream.failed_at.is_(None), now), else_=Stream.failed_at)
        )
    )


def _stop_connection(session: Session, item: Item, judgement: Judgement) -> None:
    reason = f"{item.stream} #{item.sequence}: the receiver has applied {judgement.applied_id} there, we sent {item.id}"
    connection_id = session.execute(select(Delivery.connection_id).where(_is(item))).scalar_one()
    session.execute(
        update(Connection)
        .where(Connection.id == connection_id, Connection.state == ConnectionState.ACTIVE)
        .values(state=ConnectionState.DIVERGED, state_reason=reason)
    )


def _is(item: Item) -> ColumnElement[bool]:
    return (Delivery.stream_id == item.stream_id) & (Delivery.sequence == item.sequence)


def _settle_lease(session: Session, lease: Lease, result: Result, fault: Fault | None, now: datetime) -> None:
    lease.last_duration_s = result.duration_s
    if fault is None:
        lease.batch_limit = min(max(lease.batch_limit, 1) * 2, BATCH_LIMIT_EVENTS)
        lease.failures, lease.failing_since, lease.not_before, lease.last_error = 0, None, None, None
        lease.last_success_at = now
        return
    lease.last_error = fault.detail[:2000]
    if fault.outcome is Outcome.SLOW:
        return
    lease.failures += 1
    lease.failing_since = lease.failing_since or now
    if result.fault:
        lease.batch_limit = 1
    pause_s = backoff.probe_pause_s(lease.failures, (now - lease.failing_since).total_seconds(), random.random())  # noqa: S311
    if fault.outcome is Outcome.REFUSED:
        pause_s = max(pause_s, 5.0)
    lease.not_before = now + timedelta(seconds=max(pause_s, fault.retry_after_s or 0.0))


def _blame_event(session: Session, batch: Batch, result: Result, limits: Limits, now: datetime) -> None:
    """An event failed alone: let other streams go first, and park it once the connection is known to be well without it."""
    item = batch.items[0]
    fault = result.fault
    assert fault is not None  # noqa: S101 - the caller asked
    failures = batch.failures[item.stream_id] + 1
    if result.event_at_fault and failures >= limits.alone_tries:
        park(session, item, f"fails alone while probes succeed: {fault.detail}")
        session.execute(
            update(Lease)
            .where(Lease.connection_id == batch.connection.id)
            .values(failures=0, failing_since=None, not_before=None)
        )
        return
    pause_s = backoff.stream_pause_s(limits.busy_pause_s, failures, random.random())  # noqa: S311 - jitter
    _pause_stream(session, item, failures, now + timedelta(seconds=pause_s), now, fault.detail)
