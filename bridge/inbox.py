"""What arrived: duplicates dropped, gaps refused, the rest applied once, all in the transaction of the effects.

Verifying the signature comes before (`bridge.signing`), the answer after (`envelope.Judgement.to_json`).
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Protocol

from sqlalchemy import and_, bindparam, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from bridge import digest
from bridge.envelope import Event, Judgement
from bridge.models import InboxMessage, InboxStream, table_of
from bridge.vocabulary import Verdict

log = logging.getLogger(__name__)

_STREAMS, _MESSAGES = table_of(InboxStream), table_of(InboxMessage)
_OPEN_STREAMS = {
    "sqlite": sqlite.insert(_STREAMS).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(_STREAMS).on_conflict_do_nothing(),
}
_LOCK_STREAMS = (
    select(_STREAMS.c.stream, _STREAMS.c.id, _STREAMS.c.applied_sequence, _STREAMS.c.digest)
    .where(
        _STREAMS.c.connection_id == bindparam("connection_id"),
        _STREAMS.c.stream.in_(bindparam("streams", expanding=True)),
    )
    .order_by(_STREAMS.c.stream)
    .with_for_update()
)
_REMEMBER = insert(_MESSAGES)
_ADVANCE = (
    update(_STREAMS)
    .where(_STREAMS.c.id == bindparam("b_id"))
    .values(applied_sequence=bindparam("b_applied"), digest=bindparam("b_digest"))
)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an event cannot be accepted; `fields` are `{"pointer", "message"}` pairs."""

    reason: str
    fields: Sequence[Mapping[str, str]] = ()


class Handler(Protocol):
    """What a kind of event does here. One handler may serve several types; its events come in stream order."""

    def check(self, session: Session, connection_id: str, events: Sequence[Event]) -> Mapping[str, Rejection]:
        """The events, by id, that cannot be accepted. Changes nothing."""
        ...

    def apply(self, session: Session, connection_id: str, events: Sequence[Event], now: datetime) -> None:
        """The effects of all these events, with a number of statements that does not grow with theirs."""
        ...


@dataclass(slots=True)
class _Place:
    """Where a stream stands while a batch is judged."""

    id: int
    applied: int
    digest: bytes
    stopped: bool = False


def receive(
    session: Session, connection_id: str, events: Sequence[Event], handlers: Mapping[str, Handler], *, now: datetime
) -> list[Judgement]:
    """The judgement of each event of a batch, with the effects of those that are `applied`.

    Handlers see whole batches. If one of them raises, the batch is taken back and applied event by event, so that only
    the event that cannot be applied is rejected.
    """
    try:
        with session.begin_nested():
            return _receive(session, connection_id, events, handlers, now)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.warning("a batch failed, applying it event by event", exc_info=True, extra={"connection_id": connection_id})
        return _one_by_one(session, connection_id, events, handlers, now)


def _one_by_one(
    session: Session, connection_id: str, events: Sequence[Event], handlers: Mapping[str, Handler], now: datetime
) -> list[Judgement]:
    judgements = []
    for event in events:
        try:
            with session.begin_nested():
                judgements += _receive(session, connection_id, [event], handlers, now)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("an event cannot be applied", extra={"connection_id": connection_id, "event_id": event.id})
            judgements.append(Judgement(event.id, Verdict.REJECTED, reason="the receiver failed to apply this event"))
    return judgements


def _receive(
    session: Session, connection_id: str, events: Sequence[Event], handlers: Mapping[str, Handler], now: datetime
) -> list[Judgement]:
    places = _places(session, connection_id, sorted({event.stream for event in events if event.sequence}))
    known = _known(session, places, events)
    rejections = _rejections(session, connection_id, events, handlers)
    judgements, fresh = [], []
    for event in events:
        judgement = _judge(event, places.get(event.stream), known, rejections, handlers)
        judgements.append(judgement)
        if judgement.verdict in (Verdict.APPLIED, Verdict.IGNORED) and event.sequence:
            fresh.append(event)
    accepted = {j.id for j in judgements if j.verdict is Verdict.APPLIED}
    _apply(session, connection_id, [event for event in events if event.id in accepted], handlers, now)
    _remember(session, fresh, places, now)
    return judgements


def _judge(
    event: Event,
    place: _Place | None,
    known: Mapping[tuple[int, int], Any],
    rejections: Mapping[str, Rejection],
    handlers: Mapping[str, Handler],
) -> Judgement:
    if place is None:  # an unsequenced type
        return Judgement(event.id, Verdict.APPLIED)
    if event.sequence <= place.applied:
        return _judge_old(event, known.get((place.id, event.sequence)))
    if place.stopped or event.sequence > place.applied + 1:
        return Judgement(event.id, Verdict.GAP, expected=place.applied + 1)
    if rejection := rejections.get(event.id):
        place.stopped = True
        return Judgement(event.id, Verdict.REJECTED, reason=rejection.reason, fields=rejection.fields or None)
    place.applied = event.sequence
    place.digest = digest.extend(place.digest, event.id, event.contenthash)
    return Judgement(event.id, Verdict.APPLIED if event.type in handlers else Verdict.IGNORED)


def _judge_old(event: Event, stored: Any) -> Judgement:
    if stored is not None and stored.id == event.id:
        return Judgement(event.id, Verdict.DUPLICATE)
    return Judgement(
        event.id,
        Verdict.CONFLICT,
        reason="another event was applied at this sequence",
        applied_id=stored.id if stored else None,
        applied_contenthash=stored.contenthash if stored else None,
    )


def _places(session: Session, connection_id: str, streams: list[str]) -> dict[str, _Place]:
    """The streams of the batch, made if new, locked in one order, so that two copies of a batch wait for each other."""
    if not streams:
        return {}
    connection = session.connection()
    wanted = {"connection_id": connection_id, "streams": streams}
    rows = connection.execute(_LOCK_STREAMS, wanted).all()
    if len(rows) < len(streams):
        new = [
            {"connection_id": connection_id, "stream": s, "applied_sequence": 0, "digest": digest.EMPTY}
            for s in streams
        ]
        connection.execute(_OPEN_STREAMS[connection.dialect.name], new)
        rows = connection.execute(_LOCK_STREAMS, wanted).all()
    return {row.stream: _Place(row.id, row.applied_sequence, row.digest) for row in rows}


def _known(session: Session, places: Mapping[str, _Place], events: Sequence[Event]) -> dict[tuple[int, int], Any]:
    """What was applied at the sequences that come again; nothing is asked when none does."""
    old = [(places[e.stream].id, e.sequence) for e in events if e.sequence and e.sequence <= places[e.stream].applied]
    if not old:
        return {}
    # One comparison of pairs would be shorter, but for that SQLite reads the whole inbox.
    ours = or_(*(and_(_MESSAGES.c.stream_id == stream_id, _MESSAGES.c.sequence == n) for stream_id, n in old))
    columns = (_MESSAGES.c[name] for name in ("stream_id", "sequence", "id", "contenthash"))
    rows = session.connection().execute(select(*columns).where(ours))
    return {(row.stream_id, row.sequence): row for row in rows}


def _rejections(
    session: Session, connection_id: str, events: Sequence[Event], handlers: Mapping[str, Handler]
) -> dict[str, Rejection]:
    found: dict[str, Rejection] = {}
    for handler, group in _by_handler(events, handlers):
        found |= handler.check(session, connection_id, group)
    return found


def _apply(
    session: Session, connection_id: str, events: Sequence[Event], handlers: Mapping[str, Handler], now: datetime
) -> None:
    for handler, group in _by_handler(events, handlers):
        handler.apply(session, connection_id, group, now)


def _by_handler(events: Sequence[Event], handlers: Mapping[str, Handler]) -> list[tuple[Handler, list[Event]]]:
    """Each handler once, with all its events in their order, whatever their types."""
    handled = [(handlers[event.type], event) for event in events if event.type in handlers]
    handled.sort(key=lambda pair: id(pair[0]))
    groups = groupby(handled, key=lambda pair: id(pair[0]))
    return [(pairs[0][0], [event for _, event in pairs]) for pairs in (list(group) for _, group in groups)]


def _remember(session: Session, fresh: Sequence[Event], places: Mapping[str, _Place], now: datetime) -> None:
    if not fresh:
        return
    connection = session.connection()
    connection.execute(
        _REMEMBER,
        [
            {
                "stream_id": places[e.stream].id,
                "sequence": e.sequence,
                "id": e.id,
                "contenthash": e.contenthash,
                "received_at": now,
            }
            for e in fresh
        ],
    )
    moved = [places[stream] for stream in sorted({event.stream for event in fresh})]
    connection.execute(_ADVANCE, [{"b_id": p.id, "b_applied": p.applied, "b_digest": p.digest} for p in moved])
