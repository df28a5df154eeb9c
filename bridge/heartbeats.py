"""Which connection is to be beaten, what a beat says, and what is kept of it: at most two rows for a connection.

A beat is no delivery: it has no sequence, is never stored to be sent later, and waits behind nothing. One that is due
is claimed by moving its next time on, so that beats of one connection neither pile up nor are sent by two processes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from bridge import outbox
from bridge.database import insert_into
from bridge.flow import read_flow
from bridge.flow_recent import read_directions
from bridge.models import Connection, Heartbeat, InboxStream, Stream
from bridge.vocabulary import ConnectionState

DIGESTS_LIMIT = 50
"""Streams that one beat compares."""
EVERY_LIMIT_S = 3600.0
_BEATEN = (ConnectionState.ACTIVE, ConnectionState.PAUSED, ConnectionState.DIVERGED)
_FIGURES = ("round_trip_s", "waiting", "parked", "oldest_s", "p95_s")
_FIGURE_LIMIT = 1e12

Digests = Mapping[str, tuple[int, str]]
"""By stream: the last sequence that was settled or applied, and the digest there, in hex."""


@dataclass(frozen=True, slots=True)
class Beat:
    """What came of one beat. `error` is empty for one that was answered well; `digests` are the other side's."""

    round_trip_s: float | None
    error: str | None = None
    digests: Digests = field(default_factory=dict)


def claim_beats(session: Session, *, every_s: float, now: datetime, limit: int) -> list[str]:
    """The connections to beat now, those that answered last time first. Raises DatabaseBusy."""
    due = _find_due(session, now, limit)
    if not due:
        return []
    rows = [
        {"connection_id": one, "direction": "out", "beat_at": now, "every_s": every_s, "missed": 0, "told": {},
         "next_at": now + timedelta(seconds=every_s)}
        for one in due
    ]  # fmt: skip
    statement = insert_into(session, Heartbeat).values(rows)
    changes = {name: statement.excluded[name] for name in ("beat_at", "every_s", "next_at")}
    claimed = statement.on_conflict_do_update(
        index_elements=["connection_id", "direction"], set_=changes,
        where=or_(Heartbeat.next_at.is_(None), Heartbeat.next_at <= now),
    ).returning(Heartbeat.connection_id)  # fmt: skip
    return list(session.scalars(claimed))


def find_due(session: Session, now: datetime) -> bool:
    """Whether any connection is to be beaten: a read, where claiming writes."""
    return bool(_find_due(session, now, 1))


def _find_due(session: Session, now: datetime, limit: int) -> list[str]:
    last = and_(Heartbeat.connection_id == Connection.id, Heartbeat.direction == "out")
    query = (
        select(Connection.id)
        .outerjoin(Heartbeat, last)
        .where(Connection.state.in_(_BEATEN), or_(Heartbeat.next_at.is_(None), Heartbeat.next_at <= now))
        .order_by(Heartbeat.missed, Heartbeat.next_at, Connection.id)
        .limit(limit)
    )
    return list(session.scalars(query))


def beat_soon(session: Session, connection_id: str, *, now: datetime) -> None:
    """Something is to be told: the next beat is due at once."""
    ours = (Heartbeat.connection_id == connection_id) & (Heartbeat.direction == "out")
    session.execute(update(Heartbeat).where(ours).values(next_at=now))


def compose_beat(session: Session, connection_id: str, *, every_s: float, now: datetime) -> dict[str, Any]:
    """What a beat says of this side: how often it comes, the last round trip, and what waits here."""
    ours = read_directions(session, read_flow(session, connection_id), now)["out"]
    return {"every_s": every_s, **{name: ours[name] for name in _FIGURES}}


def note_beat(session: Session, connection_id: str, beat: Beat, sent: Digests, *, now: datetime) -> list[str]:
    """Keep what came of our beat; the streams of which the other side holds something else, in words. An answer ends a
    pause between probes.
    """
    ours = (Heartbeat.connection_id == connection_id) & (Heartbeat.direction == "out")
    if beat.error is not None:
        values = {"missed": Heartbeat.missed + 1, "error": beat.error[:2000]}
        session.execute(update(Heartbeat).where(ours).values(values))
        return []
    outbox.wake(session, connection_id, now=now)
    learnt = {"missed": 0, "error": None, "answered_at": now, "round_trip_s": beat.round_trip_s}
    session.execute(update(Heartbeat).where(ours).values(compared_to=max(sent, default=None), **learnt))
    return _compare(session, connection_id, sent, beat.digests) if beat.digests else []


def note_heard(session: Session, connection_id: str, data: Mapping[str, Any], *, now: datetime) -> None:
    """Keep a beat of the other side. Whatever it says is bounded, and nothing of it is trusted beyond being shown."""
    told = {name: figure for name in _FIGURES if (figure := _figure(data.get(name), _FIGURE_LIMIT)) is not None}
    every_s = _figure(data.get("every_s"), EVERY_LIMIT_S) or EVERY_LIMIT_S
    values = {"beat_at": now, "every_s": every_s, "answered_at": now, "round_trip_s": told.pop("round_trip_s", None)}
    row = {"connection_id": connection_id, "direction": "in", "missed": 0, "told": told, **values}
    kept = insert_into(session, Heartbeat).values(row)
    session.execute(
        kept.on_conflict_do_update(index_elements=["connection_id", "direction"], set_={"told": told, **values})
    )


def _figure(value: Any, limit: float) -> float | int | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return min(max(value, 0), limit) if known else None


# --- do both sides hold the same?


def next_digests(session: Session, connection_id: str) -> Digests:
    """Of the streams behind those compared last, a bounded number; all come round in turn."""
    compared_to = session.scalar(
        select(Heartbeat.compared_to).where(Heartbeat.connection_id == connection_id, Heartbeat.direction == "out")
    )
    settled = select(Stream.stream, Stream.head, Stream.digest).where(
        Stream.connection_id == connection_id, Stream.head > 1
    )
    query = settled.where(Stream.stream > compared_to) if compared_to else settled
    rows = session.execute(query.order_by(Stream.stream).limit(DIGESTS_LIMIT)).all()
    if not rows and compared_to:
        rows = session.execute(settled.order_by(Stream.stream).limit(DIGESTS_LIMIT)).all()
    return {row.stream: (row.head - 1, row.digest.hex()) for row in rows}


def answer_digests(session: Session, connection_id: str, asked: Any) -> dict[str, tuple[int, str]]:
    """Ours, of the streams that a beat asks for and that are known here."""
    names = [name for name in asked if isinstance(name, str)][:DIGESTS_LIMIT] if isinstance(asked, dict) else []
    if not names:
        return {}
    query = select(InboxStream.stream, InboxStream.applied_sequence, InboxStream.digest).where(
        InboxStream.connection_id == connection_id, InboxStream.stream.in_(names)
    )
    return {row.stream: (row.applied_sequence, row.digest.hex()) for row in session.execute(query)}


def read_digests(value: Any) -> dict[str, tuple[int, str]]:
    """Those of an answer, as many as a beat asks for; whatever is not one is left out."""
    rows = list(value.items())[:DIGESTS_LIMIT] if isinstance(value, dict) else []
    return {
        stream: (pair[0], pair[1])
        for stream, pair in rows
        if isinstance(pair, list) and len(pair) == 2 and type(pair[0]) is int and isinstance(pair[1], str)
    }


def _compare(session: Session, connection_id: str, sent: Digests, theirs: Digests) -> list[str]:
    """Events may have been sent since `sent` was read, so their being ahead of it says something only beyond what was
    ever recorded here.
    """
    query = select(Stream.stream, Stream.next_sequence).where(
        Stream.connection_id == connection_id, Stream.stream.in_(list(sent))
    )
    recorded = {row.stream: row.next_sequence - 1 for row in session.execute(query)}
    found = ((stream, _difference(ours, theirs.get(stream), recorded.get(stream, 0))) for stream, ours in sent.items())
    return [f"{stream}: {difference}" for stream, difference in found if difference]


def _difference(ours: tuple[int, str], theirs: tuple[int, str] | None, recorded: int) -> str:
    sequence, digest = ours
    if theirs is None:
        return f"they know nothing of it, {sequence} were applied there"
    if theirs[0] < sequence:
        return f"they have {theirs[0]} events, {sequence} were applied there"
    if theirs[0] > recorded:
        return f"they have {theirs[0]} events, only {recorded} were recorded here"
    if theirs[0] == sequence and theirs[1] != digest:
        return f"other events than ours up to {sequence}"
    return ""


def rows_of(digests: Digests) -> dict[str, Sequence[Any]]:
    """As they stand on the wire."""
    return {stream: list(pair) for stream, pair in digests.items()}
