"""What is to be sent: recorded in the transaction of the change, numbered without gaps per stream, final as text.

A *stream* is (connection, record). `record_event` addresses webhooks, `record_call` the REST calls of a consumer;
claiming and settling, which belong to the drain, are in `bridge.draining` and `bridge.settling`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import repeat
from typing import Any

from sqlalchemy import bindparam, case, insert, select, update
from sqlalchemy.orm import Session

from bridge import envelope
from bridge.database import inserts_into
from bridge.errors import EventTooLarge, NothingToReplay
from bridge.ids import new_id
from bridge.mapping import MappingHole, Tables
from bridge.models import Connection, Delivery, HeldEvent, Lease, MappingVersion, OutboxEvent, Stream, table_of
from bridge.vocabulary import EVENT_LIMIT_BYTES, ConnectionState, EventType


@dataclass
class Rendering:
    """What turns facts into text on this instance: its source URN and its mapping tables by version.

    Versions are immutable, so they are kept once read. `default_version` applies to connections that have no version of
    their own.
    """

    source: str
    default_version: int | None = None
    tables: dict[int | None, Tables] = field(default_factory=dict)

    def tables_of(self, session: Session, version: int | None) -> Tables | None:
        version = version or self.default_version
        if version is not None and version not in self.tables:
            document = session.execute(
                select(MappingVersion.document).where(MappingVersion.version == version)
            ).scalar_one()
            self.tables[version] = Tables.from_json(document)
        return self.tables.get(version)


_EVENTS, _STREAMS, _DELIVERIES = table_of(OutboxEvent), table_of(Stream), table_of(Delivery)
_CONNECTIONS = table_of(Connection)

# Built once: putting such a statement together costs more than running it.
_OPEN_CONNECTIONS = (
    select(_CONNECTIONS.c.id, _CONNECTIONS.c.mapping_version, _CONNECTIONS.c.unspoken)
    .where(_CONNECTIONS.c.id.in_(bindparam("wanted", expanding=True)), _CONNECTIONS.c.state != ConnectionState.REVOKED)
    .order_by(_CONNECTIONS.c.id)
)
_ADD_EVENTS = insert(_EVENTS).returning(_EVENTS.c.stream, _EVENTS.c.id)
_ADD_DELIVERIES = insert(_DELIVERIES)


def _take_places(statement: Any) -> Any:
    """Insert the stream, or count its next sequence on by as many; an idle one becomes due, a waiting or blocked one
    stays as it is.
    """
    idle = _STREAMS.c.due_at.is_(None) & _STREAMS.c.blocked_by.is_(None)
    return statement.on_conflict_do_update(
        index_elements=[_STREAMS.c.connection_id, _STREAMS.c.stream],
        set_={
            "next_sequence": _STREAMS.c.next_sequence + statement.excluded.next_sequence - 1,
            "due_at": case((idle, statement.excluded.due_at), else_=_STREAMS.c.due_at),
        },
    ).returning(_STREAMS.c.connection_id, _STREAMS.c.stream, _STREAMS.c.id, _STREAMS.c.next_sequence)


_TAKE_PLACES = inserts_into(_STREAMS, _take_places)


@dataclass(frozen=True, slots=True)
class NewEvent:
    """One fact to be told. `data` is plain JSON before any mapping."""

    stream: str
    type: EventType
    data: Mapping[str, Any]


def record_event(
    session: Session,
    stream: str,
    event_type: EventType,
    data: Mapping[str, Any],
    *,
    to: Iterable[str],
    now: datetime,
    origin: str | None = None,
) -> None:
    """Record one fact; see `record_events`."""
    record_events(session, [NewEvent(stream, event_type, data)], to=to, now=now, origin=origin)


def record_events(
    session: Session, events: Sequence[NewEvent], *, to: Iterable[str], now: datetime, origin: str | None = None
) -> None:
    """Record facts for the connections `to`, except revoked ones and the `origin` they came from; those of one stream
    in their order.

    What a receiver does not know yet is held for it. Each mapping version renders a fact once. A hole in a mapping
    parks that delivery unrendered and blocks neither the change nor other connections. Raises EventTooLarge, which
    refuses the change.
    """
    wanted = sorted(set(to) - {origin})
    session.flush()
    connections = session.connection().execute(_OPEN_CONNECTIONS, {"wanted": wanted}).all() if wanted else []
    for found in (found for found in connections if found.unspoken):
        spoken = [event for event in events if event.type not in found.unspoken]
        hold_events(session, [event for event in events if event.type in found.unspoken], found.id, now=now)
        if spoken:
            _record(session, spoken, [(found.id, found.mapping_version)], origin, now)
    understood = [(found.id, found.mapping_version) for found in connections if not found.unspoken]
    if understood and events:
        _record(session, events, understood, origin, now)


def hold_events(session: Session, events: Sequence[NewEvent], connection_id: str, *, now: datetime) -> None:
    """Keep facts that the receiver does not know yet, without a number: the streams go on without them."""
    if not events:
        return
    event_ids = _add_facts(session, [(e.stream, e.type, envelope.render_data(e.data)) for e in events], None, now)
    rows = [
        {"connection_id": connection_id, "event_id": next(event_ids[e.stream]), "type": str(e.type), "held_at": now}
        for e in events
    ]
    session.execute(insert(HeldEvent), rows)


def record_events_for(
    session: Session, events: Sequence[NewEvent], connection_id: str, mapping_version: int | None, *, now: datetime
) -> None:
    """As `record_events`, for a caller who has locked that one connection and knows it to be open."""
    _record(session, events, [(connection_id, mapping_version)], None, now)


def _record(
    session: Session,
    events: Sequence[NewEvent],
    connections: Sequence[tuple[str, int | None]],
    origin: str | None,
    now: datetime,
) -> None:
    event_ids = _add_facts(session, [(e.stream, e.type, envelope.render_data(e.data)) for e in events], origin, now)
    counts = Counter(event.stream for event in events)
    places = _take(session, {(c, stream): count for c, _ in connections for stream, count in counts.items()}, now)
    rows = []
    for event in events:
        event_id = next(event_ids[event.stream])
        rendered = {version: _map(session, version, event) for version in {version for _, version in connections}}
        for connection_id, version in connections:
            row = _row(connection_id, event_id, *next(places[connection_id, event.stream]))
            rows.append(row | _render(session, event, rendered[version], row, now))
    _add(session, rows)


def record_call(
    session: Session, stream: str, operation: str, target: str, body: Mapping[str, Any], *, to: str, now: datetime
) -> str:
    """Record one REST call to the provider behind connection `to`, in order within `stream`; its id is the
    Idempotency-Key.

    `target` is method and path below the peer's base URL, as in `POST /exchange/v1/provider-tasks`; `operation` is our
    word for it, by which the answer is recognised.
    """
    text = envelope.render_data(body)
    event_id = next(_add_facts(session, [(stream, operation, text)], None, now)[stream])
    row = _row(to, event_id, *next(_take(session, {(to, stream): 1}, now)[to, stream]))
    _add(session, [row | {"text": text, "target": target, "contenthash": envelope.contenthash(text)}])
    delivery_id: str = row["id"]
    return delivery_id


def replay(session: Session, delivery_id: str, *, now: datetime) -> None:
    """Send a parked delivery again, in its old place; one behind a mapping hole is rendered with the tables of now.

    Raises NothingToReplay if it is not parked, MappingHole if the table still does not say.
    """
    delivery = _parked(session, delivery_id)
    if delivery.text is None:
        _render_again(session, delivery)
    delivery.state, delivery.error = "pending", None
    _unblock(session, delivery, now)


def skip(session: Session, delivery_id: str, *, reason: str, now: datetime) -> None:
    """Give a parked delivery up: a tombstone takes its sequence, so that the stream stays without gaps.

    Raises NothingToReplay if it is not parked.
    """
    delivery = _parked(session, delivery_id)
    event = session.get_one(OutboxEvent, delivery.event_id)
    rendering: Rendering = session.info["outbox"]
    data_text = envelope.render_data({"skipped_type": event.type, "reason": reason})
    delivery.original_id, delivery.id = delivery.original_id or delivery.id, new_id()
    delivery.text = envelope.render(
        event_id=delivery.id,
        source=rendering.source,
        event_type=EventType.TOMBSTONE,
        subject=event.stream,
        time=now,
        data_text=data_text,
        stream=event.stream,
        sequence=delivery.sequence,
    )
    delivery.contenthash = envelope.contenthash(data_text)
    delivery.state, delivery.error = "pending", f"skipped: {reason}"
    _unblock(session, delivery, now)


def give_up(session: Session, delivery_id: str, *, reason: str, now: datetime) -> Delivery:
    """A parked call is made no more, and later ones of its stream go on: the other side counts events and not calls.

    Raises NothingToReplay if it is not parked.
    """
    delivery = _parked(session, delivery_id)
    delivery.state, delivery.error, delivery.settled_at = "skipped", reason[:2000], now
    session.flush()
    following = delivery.sequence + 1
    at_head = (Stream.id == delivery.stream_id) & (Stream.head == delivery.sequence)
    due_at = case((Stream.next_sequence > following, now), else_=None)
    freed = {"head": following, "due_at": due_at, "blocked_by": None, "failures": 0}
    session.execute(update(Stream).where(at_head).values(freed).execution_options(synchronize_session=False))
    session.info.setdefault("due", set()).add(delivery.connection_id)
    return delivery


def wake(session: Session, connection_id: str, *, now: datetime) -> None:
    """The peer has just spoken to us, so it is alive: end a pause between probes, and ring for one that has just run
    out. One read when nothing is wrong.
    """
    held = select(Lease.connection_id).where(Lease.connection_id == connection_id, Lease.not_before.is_not(None))
    if session.execute(held).first() is None:
        return
    session.execute(update(Lease).where(Lease.connection_id == connection_id).values(not_before=now))
    session.info.setdefault("due", set()).add(connection_id)


def _add_facts(
    session: Session, facts: Sequence[tuple[str, str, str]], origin: str | None, now: datetime
) -> dict[str, Iterator[int]]:
    """The ids of the event rows for (stream, type, data text), by stream, in that order."""
    trace = session.info.get("traceparent")
    rows = [
        {"stream": stream, "type": str(kind), "data": text, "origin": origin, "traceparent": trace, "occurred_at": now}
        for stream, kind, text in facts
    ]
    ids = defaultdict[str, list[int]](list)
    for stream, row_id in session.connection().execute(_ADD_EVENTS, _one_or_many(rows)):
        ids[stream].append(row_id)
    return {stream: iter(sorted(those)) for stream, those in ids.items()}  # databases count up, and return in any order


def _take(
    session: Session, counts: Mapping[tuple[str, str], int], now: datetime
) -> dict[tuple[str, str], Iterator[tuple[int, int]]]:
    """The stream's row id with each of its next sequences, as many as are wanted of each (connection, stream); these
    are locked in that order everywhere.
    """
    new = [
        {
            "connection_id": connection_id,
            "stream": stream,
            "next_sequence": counts[connection_id, stream] + 1,
            "head": 1,
            "due_at": now,
            "failures": 0,
            "digest": bytes(32),
        }
        for connection_id, stream in sorted(counts)
    ]
    connection = session.connection()
    rows = connection.execute(_TAKE_PLACES[connection.dialect.name], _one_or_many(new))
    return {
        (connection_id, stream): zip(repeat(row_id), range(following - counts[connection_id, stream], following))
        for connection_id, stream, row_id, following in rows
    }


def _one_or_many(rows: list[dict[str, Any]]) -> Any:
    """One row is sent as it is: the machinery for many costs half as much again."""
    return rows[0] if len(rows) == 1 else rows


def _row(connection_id: str, event_id: int, stream_id: int, sequence: int) -> dict[str, Any]:
    return {
        "stream_id": stream_id,
        "sequence": sequence,
        "id": new_id(),
        "connection_id": connection_id,
        "event_id": event_id,
        "target": None,
        "text": None,
        "contenthash": None,
        "state": "pending",
        "error": None,
    }


def _add(session: Session, rows: list[dict[str, Any]]) -> None:
    session.connection().execute(_ADD_DELIVERIES, _one_or_many(rows))
    session.info.setdefault("due", set()).update(row["connection_id"] for row in rows)


def _map(session: Session, version: int | None, event: NewEvent) -> str | MappingHole:
    """The data text in the words of one mapping version, or the hole that keeps it from being said."""
    rendering: Rendering = session.info["outbox"]
    tables = rendering.tables_of(session, version)
    try:
        mapped = tables.apply(event.type, dict(event.data)) if tables else event.data
    except MappingHole as hole:
        return hole
    text = envelope.render_data(mapped)
    size = len(text.encode())
    if size > EVENT_LIMIT_BYTES:
        raise EventTooLarge(size, EVENT_LIMIT_BYTES)
    return text


def _render(
    session: Session, event: NewEvent, data: str | MappingHole, row: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """What a delivery's row gets from its event: the final text, or the reason why there is none."""
    if isinstance(data, MappingHole):
        return {"state": "parked", "error": str(data)}
    rendering: Rendering = session.info["outbox"]
    text = envelope.render(
        event_id=row["id"],
        source=rendering.source,
        event_type=event.type,
        subject=event.stream,
        time=now,
        data_text=data,
        stream=event.stream,
        sequence=row["sequence"],
        traceparent=session.info.get("traceparent"),
    )
    return {"text": text, "contenthash": envelope.contenthash(data)}


def _render_again(session: Session, delivery: Delivery) -> None:
    fact = session.get_one(OutboxEvent, delivery.event_id)
    event = NewEvent(fact.stream, EventType(fact.type), envelope.parse_data(fact.data))
    version = session.execute(
        select(Connection.mapping_version).where(Connection.id == delivery.connection_id)
    ).scalar_one()
    data = _map(session, version, event)
    if isinstance(data, MappingHole):
        raise data
    place = {"id": delivery.id, "sequence": delivery.sequence}
    rendered = _render(session, event, data, place, fact.occurred_at)
    delivery.text, delivery.contenthash = rendered["text"], rendered["contenthash"]


def _parked(session: Session, delivery_id: str) -> Delivery:
    delivery = session.execute(
        select(Delivery).where(Delivery.id == delivery_id).with_for_update()
    ).scalar_one_or_none()
    if delivery is None or delivery.state != "parked":
        raise NothingToReplay(delivery_id, delivery.state if delivery else "unknown")
    return delivery


def _unblock(session: Session, delivery: Delivery, now: datetime) -> None:
    """The stream goes on if this delivery was what it waited for."""
    session.flush()
    session.execute(
        update(Stream)
        .where(Stream.id == delivery.stream_id, Stream.head == delivery.sequence)
        .values(due_at=now, blocked_by=None, failures=0)
    )
    session.info.setdefault("due", set()).add(delivery.connection_id)
