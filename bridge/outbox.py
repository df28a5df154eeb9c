"""What is to be sent: recorded in the transaction of the change, numbered without gaps per stream, final as text.

A *stream* is (connection, record). `record_event` addresses webhooks, `record_call` the REST calls of a consumer;
claiming and settling, which belong to the drain, are in `bridge.draining`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import bindparam, case, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from bridge import envelope
from bridge.errors import EventTooLarge, NothingToReplay
from bridge.mapping import MappingHole, Tables
from bridge.models import Connection, Delivery, Lease, MappingVersion, OutboxEvent, Stream, table_of
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
    select(_CONNECTIONS.c.id, _CONNECTIONS.c.mapping_version)
    .where(_CONNECTIONS.c.id.in_(bindparam("wanted", expanding=True)), _CONNECTIONS.c.state != ConnectionState.REVOKED)
    .order_by(_CONNECTIONS.c.id)
)
_ADD_EVENT = insert(_EVENTS).returning(_EVENTS.c.id)
_ADD_DELIVERIES = insert(_DELIVERIES)


def _take_places(dialect: Any) -> Any:
    """Insert the stream, or count its next sequence on; an idle one becomes due, a waiting or blocked one stays as it
    is.
    """
    statement = dialect.insert(_STREAMS)
    idle = _STREAMS.c.due_at.is_(None) & _STREAMS.c.blocked_by.is_(None)
    return statement.on_conflict_do_update(
        index_elements=[_STREAMS.c.connection_id, _STREAMS.c.stream],
        set_={
            "next_sequence": _STREAMS.c.next_sequence + 1,
            "due_at": case((idle, statement.excluded.due_at), else_=_STREAMS.c.due_at),
        },
    ).returning(_STREAMS.c.connection_id, _STREAMS.c.id, _STREAMS.c.next_sequence)


_TAKE_PLACES = {"sqlite": _take_places(sqlite), "postgresql": _take_places(postgresql)}


@dataclass(frozen=True, slots=True)
class _Rendered:
    """An event's data for all connections of one mapping version: the text, or why there is none."""

    text: str | None
    hole: str | None


def record_event(
    session: Session,
    stream: str,
    event_type: EventType,
    data: Mapping[str, Any],
    *,
    to: Iterable[str],
    now: datetime,
    origin: str | None = None,
    traceparent: str | None = None,
) -> None:
    """Record one fact for the connections `to`, except revoked ones and the `origin` it came from.

    `data` is the fact before mapping; each mapping version renders it once. A hole in a mapping parks that delivery
    unrendered and blocks neither the change nor other connections. Raises EventTooLarge, which refuses the change.
    """
    wanted = sorted(set(to) - {origin})
    if not wanted:
        return
    rendering: Rendering = session.info["outbox"]
    session.flush()
    connections = session.connection().execute(_OPEN_CONNECTIONS, {"wanted": wanted}).all()
    if not connections:
        return
    versions = {version for _, version in connections}
    rendered = {version: _render(rendering.tables_of(session, version), event_type, data) for version in versions}
    fact = _Fact(session, stream, event_type, envelope.render_data(data), now, origin, traceparent)
    places = fact.take_sequences([connection_id for connection_id, _ in connections])
    rows = []
    for connection_id, version in connections:
        event_id, (stream_id, sequence) = str(uuid4()), places[connection_id]
        row = fact.row(connection_id, stream_id, sequence, event_id)
        data_text = rendered[version].text
        if data_text is None:
            row |= {"state": "parked", "error": rendered[version].hole}
        else:
            row["text"] = envelope.render(
                event_id=event_id,
                source=rendering.source,
                event_type=event_type,
                subject=stream,
                time=now,
                data_text=data_text,
                stream=stream,
                sequence=sequence,
                traceparent=traceparent,
            )
            row["contenthash"] = envelope.contenthash(data_text)
        rows.append(row)
    fact.insert(rows)


def record_call(
    session: Session, stream: str, operation: str, target: str, body: Mapping[str, Any], *, to: str, now: datetime
) -> str:
    """Record one REST call to the provider behind connection `to`, in order within `stream`; its id is the
    Idempotency-Key.

    `target` is method and path below the peer's base URL, as in `POST /exchange/v1/provider-tasks`; `operation` is our
    word for it, by which the answer is recognised.
    """
    text = envelope.render_data(body)
    fact = _Fact(session, stream, operation, text, now, None, None)
    stream_id, sequence = fact.take_sequences([to])[to]
    delivery_id = str(uuid4())
    row = fact.row(to, stream_id, sequence, delivery_id)
    fact.insert([row | {"text": text, "target": target, "contenthash": envelope.contenthash(text)}])
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
    delivery.original_id, delivery.id = delivery.original_id or delivery.id, str(uuid4())
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


def wake(session: Session, connection_id: str, *, now: datetime) -> None:
    """The peer has just spoken to us, so it is alive: end a pause between probes. Costs one read when nothing is wrong.
    """
    held = select(Lease.connection_id).where(Lease.connection_id == connection_id, Lease.not_before > now)
    if session.execute(held).first() is None:
        return
    session.execute(update(Lease).where(Lease.connection_id == connection_id).values(not_before=now))
    session.info.setdefault("due", set()).add(connection_id)


class _Fact:
    """One fact being written: the event row, the next place in each stream, the deliveries."""

    def __init__(
        self,
        session: Session,
        stream: str,
        event_type: str,
        data_text: str,
        now: datetime,
        origin: str | None,
        traceparent: str | None,
    ) -> None:
        self._session = session
        self._stream = stream
        self._type = str(event_type)
        self._now = now
        values = {
            "type": self._type,
            "stream": stream,
            "data": data_text,
            "origin": origin,
            "traceparent": traceparent,
            "occurred_at": now,
        }
        self._connection = session.connection()
        self._event_id = self._connection.execute(_ADD_EVENT, values).scalar_one()

    def take_sequences(self, connection_ids: list[str]) -> dict[str, tuple[int, int]]:
        """The stream's row id and the next sequence per connection. The ids must be sorted: that is the order of the
        locks.
        """
        new = [
            {
                "connection_id": c,
                "stream": self._stream,
                "next_sequence": 2,
                "head": 1,
                "due_at": self._now,
                "failures": 0,
                "digest": bytes(32),
            }
            for c in connection_ids
        ]
        rows = self._connection.execute(_TAKE_PLACES[self._connection.dialect.name], new)
        return {connection_id: (stream_id, following - 1) for connection_id, stream_id, following in rows}

    def row(self, connection_id: str, stream_id: int, sequence: int, delivery_id: str) -> dict[str, Any]:
        return {
            "stream_id": stream_id,
            "sequence": sequence,
            "id": delivery_id,
            "connection_id": connection_id,
            "event_id": self._event_id,
            "target": None,
            "text": None,
            "contenthash": None,
            "state": "pending",
            "error": None,
        }

    def insert(self, rows: list[dict[str, Any]]) -> None:
        self._connection.execute(_ADD_DELIVERIES, rows)
        self._session.info.setdefault("due", set()).update(row["connection_id"] for row in rows)


def _render(tables: Tables | None, event_type: EventType, data: Mapping[str, Any]) -> _Rendered:
    try:
        mapped = tables.apply(event_type, dict(data)) if tables else dict(data)
    except MappingHole as hole:
        return _Rendered(None, str(hole))
    text = envelope.render_data(mapped)
    size = len(text.encode())
    if size > EVENT_LIMIT_BYTES:
        raise EventTooLarge(size, EVENT_LIMIT_BYTES)
    return _Rendered(text, None)


def _render_again(session: Session, delivery: Delivery) -> None:
    rendering: Rendering = session.info["outbox"]
    event = session.get_one(OutboxEvent, delivery.event_id)
    version = session.execute(
        select(Connection.mapping_version).where(Connection.id == delivery.connection_id)
    ).scalar_one()
    tables = rendering.tables_of(session, version)
    data = envelope.parse_data(event.data)
    data_text = envelope.render_data(tables.apply(event.type, data) if tables else data)
    delivery.text = envelope.render(
        event_id=delivery.id,
        source=rendering.source,
        event_type=event.type,
        subject=event.stream,
        time=event.occurred_at,
        data_text=data_text,
        stream=event.stream,
        sequence=delivery.sequence,
        traceparent=event.traceparent,
    )
    delivery.contenthash = envelope.contenthash(data_text)


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
        .values(due_at=now, blocked_by=None, failures=0, failed_at=None)
    )
    session.info.setdefault("due", set()).add(delivery.connection_id)
