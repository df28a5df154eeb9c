"""What came of a batch, written down: streams advance, wait or stop, and the connection's breaker learns."""

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, bindparam, case, insert, select, update
from sqlalchemy.orm import Session

from bridge import backoff, digest, leases, repairing
from bridge.backoff import Outcome
from bridge.draining import Batch, Fault, Item, Limits, Result
from bridge.envelope import Judgement
from bridge.leases import Held
from bridge.models import Attempt, Connection, Delivery, Stream, table_of
from bridge.vocabulary import ADVANCING, BATCH_LIMIT_EVENTS, ConnectionState, Verdict

_REFUSED_PAUSE_S = 5.0
_BLAMED_PAUSE_S = 16.0
"""At most so long a record waits that happened to be the probe of an outage: its end is noticed by others, too."""
_STREAMS, _DELIVERIES = table_of(Stream), table_of(Delivery)
_ADVANCE = (
    update(_STREAMS)
    .where(_STREAMS.c.id == bindparam("b_id"))
    .values(
        head=bindparam("b_head"),
        digest=bindparam("b_digest"),
        failures=0,
        due_at=case(
            (_STREAMS.c.next_sequence > bindparam("b_head"), bindparam("b_now", type_=_STREAMS.c.due_at.type)),
            else_=None,
        ),
    )
)
_MARK_DONE = (
    update(_DELIVERIES)
    .where(_DELIVERIES.c.id.in_(bindparam("b_ids", expanding=True)))
    .values(
        state=case((_DELIVERIES.c.original_id.is_not(None), "skipped"), else_="delivered"),
        error=None,
        settled_at=bindparam("b_now"),
    )
)
_ADD_ATTEMPT = insert(table_of(Attempt))


def settle(session: Session, held: Held, batch: Batch, result: Result, *, limits: Limits, now: datetime) -> None:
    """Write what was learnt about the batch, under the renewed lease `held`, which learns too."""
    advanced = _settle_streams(session, batch, result, limits, now)
    fault = result.fault
    if fault is None and not advanced:  # else a receiver that refuses everything would be asked without end
        fault = Fault(Outcome.FAILED, "no event of the batch was applied")
    _learn(held, result, fault, now)
    if result.fault and len(batch.items) == 1 and result.fault.outcome is not Outcome.SLOW:
        _blame_event(session, held, batch, result, result.fault, limits, now)
    leases.learn(session, held)
    attempt = {
        "connection_id": held.connection_id,
        "started_at": result.started_at,
        "duration_s": result.duration_s,
        "events": len(batch.items),
        "outcome": str(fault.outcome if fault else Outcome.JUDGED),
        "status": fault.status if fault else 200,
        "detail": fault.detail[:2000] if fault else None,
    }
    session.connection().execute(_ADD_ATTEMPT, attempt)


def _settle_streams(session: Session, batch: Batch, result: Result, limits: Limits, now: datetime) -> bool:
    """True when at least one stream advanced."""
    done: list[Item] = []
    moved: list[dict[str, Any]] = []
    # Streams are locked by name, as recording locks them: two orders would be a deadlock on PostgreSQL.
    by_name = sorted(batch.items, key=lambda item: item.stream)
    for stream_id, group in groupby(by_name, key=lambda item: item.stream_id):
        accepted, stopper = _split(list(group), result.judgements)
        if accepted:
            rolled = batch.digests[stream_id]
            for item in accepted:
                rolled = digest.extend(rolled, *_applied(item, result.judgements[item.id]))
            moved.append({"b_id": stream_id, "b_head": accepted[-1].sequence + 1, "b_digest": rolled, "b_now": now})
            done += accepted
        if stopper:
            failures = 0 if accepted else batch.failures[stream_id]
            # Heads are moved first, for what holds the stream must have the last word on when it is due.
            _advance(session, moved)
            moved.clear()
            _hold(session, batch.connection, stopper, result.judgements[stopper.id], failures, limits, now,
                  advanced=bool(accepted))  # fmt: skip
    _advance(session, moved)
    if done:
        session.connection().execute(_MARK_DONE, {"b_ids": [item.id for item in done], "b_now": now})
    return bool(done)


def _advance(session: Session, moved: Sequence[Mapping[str, Any]]) -> None:
    if moved:
        session.connection().execute(_ADVANCE, list(moved))


def _split(items: Sequence[Item], judgements: Mapping[str, Judgement]) -> tuple[list[Item], Item | None]:
    """The items that went through, and the first one that was judged and did not."""
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


def _hold(
    session: Session,
    connection: Connection,
    item: Item,
    judgement: Judgement,
    failures: int,
    limits: Limits,
    now: datetime,
    *,
    advanced: bool,
) -> None:
    """The stream stops at `item`: for a while, until people act, or with the whole connection."""
    failures += 1
    said = f"{judgement.verdict}: {judgement.reason or 'no reason given'}"
    if judgement.verdict is Verdict.REJECTED and failures >= limits.rejected_tries:
        _park(session, item, said)
        return
    if judgement.verdict is Verdict.CONFLICT:
        _stop(
            session,
            connection.id,
            f"{item.stream} #{item.sequence}: {judgement.applied_id} was applied there, we sent {item.id}",
        )
    if judgement.verdict is Verdict.GAP and 0 < (judgement.expected or 0) < item.sequence and not advanced:
        _send_again(session, item, (judgement.expected or 1) - 1, limits, now)
        return
    base_s = limits.rejected_pause_s if judgement.verdict is Verdict.REJECTED else limits.busy_pause_s
    _pause(session, item, failures, base_s, said, now)


def _send_again(session: Session, item: Item, applied: int, limits: Limits, now: datetime) -> None:
    """The receiver lost what it had applied, as by a restore: it gets it once more."""
    pause_s = backoff.stream_pause_s(limits.busy_pause_s, 1, random.random())  # noqa: S311 - jitter
    stream = session.scalars(select(Stream).where(Stream.id == item.stream_id).with_for_update()).one()
    repairing.rewind(session, stream, applied, due_at=now + timedelta(seconds=pause_s))
    session.flush()


def _stop(session: Session, connection_id: str, reason: str) -> None:
    """The sides disagree on what happened: nothing more is sent until people have looked."""
    active = (Connection.id == connection_id) & (Connection.state == ConnectionState.ACTIVE)
    session.execute(update(Connection).where(active).values(state=ConnectionState.DIVERGED, state_reason=reason))


def _blame_event(
    session: Session, held: Held, batch: Batch, result: Result, fault: Fault, limits: Limits, now: datetime
) -> None:
    """An event failed alone: let other streams go first, and park it once the connection is known to be well without
    it. Failing beside a connection that is not well says nothing of the event.
    """
    item = batch.items[0]
    failures = 0 if result.well_without is False else batch.failures[item.stream_id] + 1
    if result.well_without and failures >= limits.alone_tries:
        _park(session, item, f"fails alone while probes succeed: {fault.detail}")
        held.failures, held.failing_since, held.not_before = 0, None, None
    else:
        _pause(session, item, failures, limits.busy_pause_s, fault.detail, now, limit_s=_BLAMED_PAUSE_S)


def _park(session: Session, item: Item, error: str) -> None:
    """People must look at this delivery; later ones of its stream wait behind it."""
    session.connection().execute(update(_DELIVERIES).where(_is(item)).values(state="parked", error=error[:2000]))
    rest = (
        update(_STREAMS)
        .where(_STREAMS.c.id == item.stream_id)
        .values(due_at=None, blocked_by=item.sequence, failures=0)
    )
    session.connection().execute(rest)


def _pause(
    session: Session,
    item: Item,
    failures: int,
    base_s: float,
    error: str,
    now: datetime,
    limit_s: float = backoff.RETRY_AFTER_LIMIT_S,
) -> None:
    pause_s = min(backoff.stream_pause_s(base_s, failures, random.random()), limit_s)  # noqa: S311 - jitter
    until = now + timedelta(seconds=pause_s)
    session.connection().execute(update(_DELIVERIES).where(_is(item)).values(error=error[:2000]))
    wait = update(_STREAMS).where(_STREAMS.c.id == item.stream_id).values(due_at=until, failures=failures)
    session.connection().execute(wait)


def _is(item: Item) -> ColumnElement[bool]:
    return (_DELIVERIES.c.stream_id == item.stream_id) & (_DELIVERIES.c.sequence == item.sequence)


def _learn(held: Held, result: Result, fault: Fault | None, now: datetime) -> None:
    held.last_duration_s = result.duration_s
    if fault is None:
        held.batch_limit = min(max(held.batch_limit, 1) * 2, BATCH_LIMIT_EVENTS)
        held.failures, held.failing_since, held.not_before, held.last_error = 0, None, None, None
        held.last_success_at = now
        return
    held.last_error = fault.detail[:2000]
    if fault.outcome is Outcome.SLOW:
        return
    held.failures += 1
    held.failing_since = held.failing_since or now
    if result.fault:
        held.batch_limit = 1
    failing_for_s = (now - held.failing_since).total_seconds()
    pause_s = backoff.probe_pause_s(held.failures, failing_for_s, random.random())  # noqa: S311 - jitter
    floor_s = _REFUSED_PAUSE_S if fault.outcome is Outcome.REFUSED else fault.retry_after_s or 0.0
    held.not_before = now + timedelta(seconds=max(pause_s, floor_s))
