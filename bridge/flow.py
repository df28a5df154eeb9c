"""How does the flow to each connection do? Few indexed queries, whatever the history has grown to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, ScalarSelect, and_, func, literal_column, select
from sqlalchemy.orm import Session

from bridge.database import database_now_s
from bridge.health import Beats
from bridge.models import Connection, Delivery, Heartbeat, HeldEvent, Lease, OutboxEvent, Stream, table_of

_CONNECTIONS, _STREAMS, _LEASES = table_of(Connection), table_of(Stream), table_of(Lease)
_DELIVERIES, _EVENTS = table_of(Delivery), table_of(OutboxEvent)
_AS_IT_IS = (
    *("connection_id", "name", "state", "state_reason", "oldest_at", "due_at"),
    *("failing_since", "not_before", "last_success_at", "last_error", "refused_epoch"),
)
_HELD = table_of(HeldEvent)
_OUT, _IN = table_of(Heartbeat).alias("beat_out"), table_of(Heartbeat).alias("beat_in")
_OF_BEATS = ("beat_at", "every_s", "answered_at", "round_trip_s", "missed", "error", "told")
_LOOKED_AT = 1000
"""The oldest event is looked for among this many streams that wait longest."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One connection. `waiting` counts what is not settled, also behind parked deliveries, and not the parked ones.

    `due_at` is since when the stream that waits longest may be sent. `lease_left_s` is empty while nobody drains, and
    negative for a lease that ran out: whoever held it died.
    """

    connection_id: str
    name: str
    state: str
    state_reason: str | None
    waiting: int
    parked: int
    oldest_at: datetime | None
    due_at: datetime | None
    failures: int
    failing_since: datetime | None
    not_before: datetime | None
    last_success_at: datetime | None
    last_error: str | None
    lease_left_s: float | None
    outbound: Beats = field(default_factory=lambda: Beats("out"))
    """Our heartbeats, and how they are answered."""
    refused_epoch: str | None = None
    """Of a copy of the other side, or of the other side itself after a restore: people must say which."""
    held: int = 0
    """Events that the other side does not know yet."""
    inbound: Beats = field(default_factory=lambda: Beats("in"))
    """Theirs."""

    def is_overdue(self, now: datetime, after_s: float) -> bool:
        """Something may be sent, nobody is at it, and that for longer than a sweep can take."""
        drained = self.lease_left_s is not None and self.lease_left_s >= 0
        if self.state != "active" or self.due_at is None or drained:
            return False
        since = max(filter(None, (self.due_at, self.not_before)))
        return (now - since).total_seconds() > after_s


def read_flows(session: Session) -> Sequence[Flow]:
    """Every connection, oldest first. Costs grow with what waits, not with what was delivered."""
    rows = session.connection().execute(_FLOWS).mappings().all()
    return [_flow(row) for row in rows]


def read_flow(session: Session, connection_id: str) -> Flow:
    """One connection."""
    return _flow(session.connection().execute(_FLOWS.where(_CONNECTIONS.c.id == connection_id)).mappings().one())


def _flow(row: RowMapping) -> Flow:
    told: dict[str, Any] = {name: row[name] for name in _AS_IT_IS}
    parked = row["parked"] or 0
    waiting = int(row["due"] or 0) + int(row["blocked"] or 0) - parked  # PostgreSQL sums to decimals
    lease_left_s = row["deadline_s"] - row["now_s"] if row["token"] else None
    return Flow(
        **told, waiting=waiting, parked=parked, failures=row["failures"] or 0, lease_left_s=lease_left_s,
        outbound=_beats(row, "out"), inbound=_beats(row, "in"), held=row["held"] or 0,
    )  # fmt: skip


def _beats(row: RowMapping, direction: str) -> Beats:
    if row[f"{direction}_beat_at"] is None:
        return Beats(direction)
    return Beats(direction, **{name: row[f"{direction}_{name}"] for name in _OF_BEATS})


def _beat_columns() -> list[Any]:
    return [
        beats.c[name].label(f"{direction}_{name}")
        for direction, beats in (("out", _OUT), ("in", _IN))
        for name in _OF_BEATS
    ]


def _beats_of_connection(joined: Any) -> Any:
    for direction, beats in (("out", _OUT), ("in", _IN)):
        of = and_(beats.c.connection_id == _CONNECTIONS.c.id, beats.c.direction == literal_column(f"'{direction}'"))
        joined = joined.outerjoin(beats, of)
    return joined


def _of_streams(value: Any) -> ScalarSelect[Any]:
    """A figure over the streams of a connection that are to be sent now or later; they stand together in the index."""
    due = (_STREAMS.c.connection_id == _CONNECTIONS.c.id) & _STREAMS.c.due_at.is_not(None)
    return select(value).where(due).correlate(_CONNECTIONS).scalar_subquery()


def _oldest() -> ScalarSelect[Any]:
    heads = (
        select(_STREAMS.c.id, _STREAMS.c.head)
        .where(_STREAMS.c.connection_id == _CONNECTIONS.c.id, _STREAMS.c.due_at.is_not(None))
        .order_by(_STREAMS.c.due_at)
        .limit(_LOOKED_AT)
        .correlate(_CONNECTIONS)
        .subquery()
    )
    return (
        select(func.min(_EVENTS.c.occurred_at))
        .select_from(heads)
        .join(_DELIVERIES, and_(_DELIVERIES.c.stream_id == heads.c.id, _DELIVERIES.c.sequence == heads.c.head))
        .join(_EVENTS, _EVENTS.c.id == _DELIVERIES.c.event_id)
        .scalar_subquery()
    )


def _parked() -> ScalarSelect[Any]:
    here = and_(_DELIVERIES.c.connection_id == _CONNECTIONS.c.id, _DELIVERIES.c.state == literal_column("'parked'"))
    return select(func.count()).select_from(_DELIVERIES).where(here).correlate(_CONNECTIONS).scalar_subquery()


def _blocked() -> ScalarSelect[Any]:
    """What stands in streams whose head is parked, that one included."""
    here = and_(_DELIVERIES.c.connection_id == _CONNECTIONS.c.id, _DELIVERIES.c.state == literal_column("'parked'"))
    head = and_(_STREAMS.c.id == _DELIVERIES.c.stream_id, _STREAMS.c.head == _DELIVERIES.c.sequence)
    return (
        select(func.sum(_STREAMS.c.next_sequence - _STREAMS.c.head))
        .select_from(_DELIVERIES)
        .join(_STREAMS, head)
        .where(here, _STREAMS.c.due_at.is_(None))
        .correlate(_CONNECTIONS)
        .scalar_subquery()
    )


_FLOWS = (
    select(
        _CONNECTIONS.c.id.label("connection_id"),
        *(_CONNECTIONS.c[name] for name in ("name", "state", "state_reason", "refused_epoch")),
        _of_streams(func.sum(_STREAMS.c.next_sequence - _STREAMS.c.head)).label("due"),
        _of_streams(func.min(_STREAMS.c.due_at)).label("due_at"),
        _blocked().label("blocked"),
        _parked().label("parked"),
        _oldest().label("oldest_at"),
        *(_LEASES.c[name] for name in ("failures", "failing_since", "not_before", "last_success_at", "last_error")),
        _LEASES.c.token,
        _LEASES.c.deadline_s,
        database_now_s().label("now_s"),
        *_beat_columns(),
        select(func.count())
        .select_from(_HELD)
        .where(_HELD.c.connection_id == _CONNECTIONS.c.id)
        .correlate(_CONNECTIONS)
        .scalar_subquery()
        .label("held"),
    )
    .select_from(_beats_of_connection(_CONNECTIONS.outerjoin(_LEASES, _LEASES.c.connection_id == _CONNECTIONS.c.id)))
    .order_by(_CONNECTIONS.c.created_at, _CONNECTIONS.c.id)
)
