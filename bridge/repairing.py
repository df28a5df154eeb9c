"""One side lost data, as by a restore: its streams are brought together again with what the other side still has.

A receiver that is behind is sent what it lacks once more: texts, ids and sequences never change, so it applies each
once. A sender that is behind, for it was restored itself, goes on counting after what the receiver has applied.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, insert, select, update
from sqlalchemy.orm import Session

from bridge import digest, envelope, leases
from bridge.errors import DatabaseBusy
from bridge.ids import new_id
from bridge.models import Delivery, OutboxEvent, Stream
from bridge.outbox import Rendering
from bridge.vocabulary import EventType

POSITIONS_LIMIT = 200
"""Streams that are brought together at once."""
_FORGOTTEN = "exchange.forgotten"
_AT_ONCE = 500


class Standing(StrEnum):
    """What came of one stream."""

    SAME = "same"
    REPLAYED = "replayed"
    """The receiver lacked some: they are sent again."""
    RENUMBERED = "renumbered"
    """We know of less than was told: what follows is counted from there."""
    DIFFERS = "differs"
    """Both have as many, or the receiver fewer, and they are others: people must look."""
    UNKNOWN = "unknown"
    """Nothing is known here of that stream."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a stream was applied by its receiver, the digest there, and ids of the last events up to there."""

    sequence: int
    digest: bytes
    ids: Collection[str] = ()


def read_digest(text: str) -> bytes:
    """From hex; what is none is no digest of anything."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def list_streams(
    session: Session, connection_id: str, *, after: str | None, limit: int
) -> tuple[list[tuple[str, int, int]], str | None]:
    """The streams to a connection by name, each with the last sequence that is settled and the last that is recorded;
    and the name to go on after, if there are more.
    """
    query = select(Stream.stream, Stream.head, Stream.next_sequence).where(Stream.connection_id == connection_id)
    if after is not None:
        query = query.where(Stream.stream > after)
    rows = session.execute(query.order_by(Stream.stream).limit(limit + 1)).all()
    found = [(str(name), int(head) - 1, int(following) - 1) for name, head, following in rows[:limit]]
    return found, found[-1][0] if len(rows) > limit else None


def find_forgotten(session: Session, connection_id: str, positions: Mapping[str, Position]) -> list[str]:
    """The streams of which more was applied than is known here. Changes nothing."""
    query = select(Stream).where(Stream.connection_id == connection_id, Stream.stream.in_(sorted(positions)))
    return [
        one.stream
        for one in session.scalars(query.order_by(Stream.stream))
        if (position := positions[one.stream]).sequence >= one.head
        and (position.sequence >= one.next_sequence or digest_at(session, one, position.sequence) != position.digest)
    ]


def bring_together(
    session: Session, connection_id: str, positions: Mapping[str, Position], *, lease_s: float, now: datetime
) -> dict[str, Standing]:
    """Do for each of these streams what its receiver's position asks for. Costs grow with what was lost.

    Nothing may be under way meanwhile: raises DatabaseBusy while somebody drains the connection.
    """
    token = leases.acquire(session, connection_id, lease_s=lease_s)
    if token is None:
        raise DatabaseBusy("the connection is being drained")
    query = _locked(connection_id).where(Stream.stream.in_(sorted(positions)))
    known = {one.stream: one for one in session.scalars(query)}
    found = {
        name: _settle(session, known[name], position, now) if name in known else Standing.UNKNOWN
        for name, position in positions.items()
    }
    session.flush()
    leases.release(session, connection_id, token)
    session.info.setdefault("due", set()).add(connection_id)
    return found


def keep_place(session: Session, connection_id: str, name: str, position: Position, *, now: datetime) -> None:
    """Of a stream that is not known here: should its record come back, it is counted from where the receiver is."""
    following = position.sequence + 1
    stream = Stream(connection_id=connection_id, stream=name, head=following, next_sequence=following, due_at=None)
    stream.digest, stream.failures = position.digest, 0
    session.add(stream)
    session.flush()
    _mark(session, stream, position, now)


def rewind(session: Session, stream: Stream, applied: int, *, due_at: datetime) -> None:
    """Send again what comes after `applied`; what was parked there before parks again."""
    between = (Delivery.stream_id == stream.id, Delivery.sequence > applied, Delivery.sequence < stream.head)
    done = Delivery.state.in_(["delivered", "skipped"])
    session.execute(update(Delivery).where(*between, done).values(state="pending", settled_at=None))
    stream.digest = digest_at(session, stream, applied)
    stream.head, stream.blocked_by, stream.failures, stream.due_at = applied + 1, None, 0, due_at


def digest_at(session: Session, stream: Stream, applied: int) -> bytes:
    """The digest of our own events up to there."""
    rolled, last = digest.EMPTY, 0
    while last < applied:
        rows = session.execute(_chain(stream).where(Delivery.sequence > last, Delivery.sequence <= applied)).all()
        if not rows:
            break
        for row in rows:
            extended = digest.extend(rolled, row.id, row.contenthash or "")
            rolled = bytes.fromhex(row.contenthash) if row.type == _FORGOTTEN else extended
        last = rows[-1].sequence
    return rolled


def _settle(session: Session, stream: Stream, position: Position, now: datetime) -> Standing:
    _settle_known(session, stream, position, now)
    settled = stream.head - 1
    if position.sequence > settled:
        _renumber(session, stream, position, now)
        return Standing.RENUMBERED
    ours = stream.digest if position.sequence == settled else digest_at(session, stream, position.sequence)
    if ours != position.digest:
        return Standing.DIFFERS
    if position.sequence < settled:
        rewind(session, stream, position.sequence, due_at=now)
        return Standing.REPLAYED
    return Standing.SAME


def _settle_known(session: Session, stream: Stream, position: Position, now: datetime) -> None:
    """What they have applied already and we do not know of: an answer was lost, or our memory of it."""
    for delivery in session.scalars(_waiting(stream, Delivery.sequence)):
        if delivery.id not in position.ids or delivery.sequence > position.sequence:
            return
        delivery.state, delivery.error, delivery.settled_at = "delivered", None, now
        stream.digest = digest.extend(stream.digest, delivery.id, delivery.contenthash or "")
        stream.head, stream.blocked_by, stream.failures = delivery.sequence + 1, None, 0
        stream.due_at = now if stream.next_sequence > stream.head else None


def _renumber(session: Session, stream: Stream, position: Position, now: datetime) -> None:
    """What is not settled gets sequences behind the receiver's; a marker keeps its digest, where ours begins anew."""
    waiting = session.scalars(_waiting(stream, Delivery.sequence.desc())).all()
    following = position.sequence + 1 + len(waiting)
    for place, delivery in enumerate(waiting, 1):  # from the last one on: no two have one sequence meanwhile
        _move(session, delivery, following - place)
    _mark(session, stream, position, now)
    stream.head, stream.next_sequence = position.sequence + 1, following
    stream.digest, stream.failures = position.digest, 0
    is_parked = bool(waiting) and waiting[-1].state == "parked"
    stream.blocked_by = stream.head if is_parked else None
    stream.due_at = now if waiting and not is_parked else None


def _move(session: Session, delivery: Delivery, sequence: int) -> None:
    delivery.sequence = sequence
    if delivery.text is not None:
        fact = session.get_one(OutboxEvent, delivery.event_id)
        rendering: Rendering = session.info["outbox"]
        delivery.text = envelope.render(
            event_id=delivery.id, source=rendering.source, subject=fact.stream, time=fact.occurred_at,
            event_type=EventType.TOMBSTONE if delivery.original_id else fact.type, stream=fact.stream,
            data_text=delivery.text.partition(',"data":')[2][:-1], sequence=sequence, traceparent=fact.traceparent,
        )  # fmt: skip
    session.flush()


def _mark(session: Session, stream: Stream, position: Position, now: datetime) -> None:
    fact = OutboxEvent(type=_FORGOTTEN, stream=stream.stream, data="{}", origin=None, traceparent=None, occurred_at=now)
    session.add(fact)
    session.flush()
    row = {
        "stream_id": stream.id, "sequence": position.sequence, "id": new_id(), "connection_id": stream.connection_id,
        "event_id": fact.id, "target": None, "text": None, "contenthash": position.digest.hex(), "state": "skipped",
        "error": f"{position.sequence} events were told before a restore; some of them are not known here any more",
        "settled_at": now,
    }  # fmt: skip
    session.execute(insert(Delivery), row)


def _waiting(stream: Stream, order: Any) -> Select[Delivery]:
    return select(Delivery).where(Delivery.stream_id == stream.id, Delivery.sequence >= stream.head).order_by(order)


def _chain(stream: Stream) -> Select[Any]:
    columns: list[Any] = [Delivery.sequence, Delivery.id, Delivery.contenthash, OutboxEvent.type]
    query: Select[Any] = select(*columns).join(OutboxEvent, OutboxEvent.id == Delivery.event_id)
    return query.where(Delivery.stream_id == stream.id).order_by(Delivery.sequence).limit(_AT_ONCE)


def _locked(connection_id: str) -> Select[Stream]:
    return select(Stream).where(Stream.connection_id == connection_id).order_by(Stream.stream).with_for_update()
