"""The engine's tables: who is connected, what is to be sent, what was received. Rows and constraints, nothing else."""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bridge.database import UtcDateTime
from bridge.vocabulary import ConnectionState

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

Id = Uuid(as_uuid=False)
"""UUIDs are text in Python, native in PostgreSQL."""
BigId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only for INTEGER keys."""
Json = JSON().with_variant(JSONB, "postgresql")
JsonOrNull = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""For a nullable document: None is SQL's null, not JSON's."""


_PARKED = text("state = 'parked'")
_DUE = text("due_at is not null")
_OPEN = text("resolved_at is null")


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: Json, list[Any]: Json}  # noqa: RUF012 - declarative API


def table_of(model: type[DeclarativeBase]) -> Table:
    """The table behind a class, for statements that are built once and run often: putting one together costs more than
    running it, and the ORM's bulk statements cost more still.
    """
    return cast(Table, model.__table__)


class Instance(Base):
    """This instance itself: exactly one row. The epoch is also kept in a file, so that a copied database is noticed."""

    __tablename__ = "instances"
    __table_args__ = (CheckConstraint("singleton = 1", name="singleton"),)

    singleton: Mapped[int] = mapped_column(primary_key=True, default=1)
    id: Mapped[str] = mapped_column(Id)
    name: Mapped[str] = mapped_column(String(120))
    epoch: Mapped[str] = mapped_column(Id)


class MappingVersion(Base):
    """An immutable set of mapping tables. `connection_id` is empty for the default of all connections."""

    __tablename__ = "mapping_versions"

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    connection_id: Mapped[str | None] = mapped_column(Id, index=True)
    document: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class Connection(Base):
    """One link to one other instance. The id is the same on both sides; the provider mints it."""

    __tablename__ = "connections"
    __table_args__ = (
        CheckConstraint(f"state in ({', '.join(repr(str(s)) for s in ConnectionState)})", name="state"),
        UniqueConstraint("number_prefix"),
        UniqueConstraint("client_id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    state: Mapped[str] = mapped_column(String(20))
    state_reason: Mapped[str | None] = mapped_column(Text)
    peer_url: Mapped[str | None] = mapped_column(String(2000))
    """Where this side sends: the consumer's callback, or the provider's base URL."""
    peer_instance_id: Mapped[str | None] = mapped_column(Id)
    peer_epoch: Mapped[str | None] = mapped_column(Id)
    number_prefix: Mapped[str | None] = mapped_column(String(12))
    client_id: Mapped[str | None] = mapped_column(String(64))
    secrets: Mapped[str | None] = mapped_column(Text)
    """Encrypted JSON: `webhook` (list, newest first) and, at a consumer, `client_secret`."""
    mapping_version: Mapped[int | None] = mapped_column(ForeignKey("mapping_versions.version"))
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime]
    refused_epoch: Mapped[str | None] = mapped_column(Id)
    """Not the peer's: that of a copy or of the restored peer, refused until people say that it is the peer."""
    unspoken: Mapped[list[Any] | None] = mapped_column(JsonOrNull)
    """Types of events that the peer does not know yet: they are held. Empty: it told of none."""
    new_url: Mapped[str | None] = mapped_column(String(2000))
    """Where this side is to send, once that address has proven itself."""
    new_url_problem: Mapped[str | None] = mapped_column(Text)


class Stream(Base):
    """What orders the deliveries of one record to one connection.

    Sequences from `head` to `next_sequence - 1` are not settled yet. `due_at` is empty when there is nothing to send or
    the stream is blocked. No foreign key points here or from here: on PostgreSQL an open transaction that references a
    row keeps it locked, and the claim, which skips locked rows, would find nothing while orders pour in.
    """

    __tablename__ = "streams"
    __table_args__ = (
        UniqueConstraint("connection_id", "stream"),
        # Of idle streams there are many, all over the index: each event of one would take a page out and in.
        Index("ix_streams_due", "connection_id", "due_at", postgresql_where=_DUE, sqlite_where=_DUE),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    connection_id: Mapped[str] = mapped_column(Id)
    stream: Mapped[str] = mapped_column(String(255))
    next_sequence: Mapped[int] = mapped_column(BigInteger, default=1)
    head: Mapped[int] = mapped_column(BigInteger, default=1)
    due_at: Mapped[datetime | None]
    blocked_by: Mapped[int | None] = mapped_column(BigInteger)
    failures: Mapped[int] = mapped_column(default=0)
    """How often the head failed since the stream last advanced, or was sent alone behind a failed batch."""
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), default=bytes(32))


class Lease(Base):
    """Who drains a connection now, and what its last answers taught. Times of the lease are the database's own clock,
    in seconds.
    """

    __tablename__ = "leases"

    connection_id: Mapped[str] = mapped_column(Id, primary_key=True)
    token: Mapped[str | None] = mapped_column(Id)
    deadline_s: Mapped[float] = mapped_column(Float, default=0.0)
    not_before: Mapped[datetime | None]
    """The breaker: nothing is sent before this time."""
    failures: Mapped[int] = mapped_column(default=0)
    failing_since: Mapped[datetime | None]
    batch_limit: Mapped[int] = mapped_column(default=200)
    """One behind a failed batch, then doubling."""
    last_duration_s: Mapped[float] = mapped_column(Float, default=0.0)
    last_success_at: Mapped[datetime | None]
    last_error: Mapped[str | None] = mapped_column(Text)


class OutboxEvent(Base):
    """One fact, as it was before any mapping. It stays readable when a mapping has a hole."""

    __tablename__ = "outbox_events"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    type: Mapped[str] = mapped_column(String(120))
    stream: Mapped[str] = mapped_column(String(255))
    data: Mapped[str] = mapped_column(Text)
    origin: Mapped[str | None] = mapped_column(Id)
    traceparent: Mapped[str | None] = mapped_column(String(55))
    occurred_at: Mapped[datetime]


class Delivery(Base):
    """One event or call on its way to one connection. `text` is final once written; it is empty only behind a mapping
    hole.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        CheckConstraint("state in ('pending', 'delivered', 'parked', 'skipped')", name="state"),
        CheckConstraint("text is not null or state in ('parked', 'skipped')", name="rendered"),
        UniqueConstraint("id"),
        Index(
            "ix_deliveries_parked",
            "connection_id",
            postgresql_where=_PARKED,
            sqlite_where=_PARKED,
        ),
    )

    stream_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(Id)
    connection_id: Mapped[str] = mapped_column(Id)
    event_id: Mapped[int] = mapped_column(ForeignKey("outbox_events.id"))
    target: Mapped[str | None] = mapped_column(String(255))
    """For a call: method and path below the peer's base URL. Empty for an event."""
    text: Mapped[str | None] = mapped_column(Text)
    contenthash: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(10), default="pending")
    error: Mapped[str | None] = mapped_column(Text)
    original_id: Mapped[str | None] = mapped_column(Id)
    """The id of the event whose place a tombstone took, should the receiver have applied it after all."""
    settled_at: Mapped[datetime | None]
    position: Mapped[int | None] = mapped_column(BigInteger)
    """The place among all deliveries of the connection, for a pull of events since a position; given after commit."""


class Attempt(Base):
    """One POST or call, whatever came of it. Append-only."""

    __tablename__ = "attempts"
    __table_args__ = (Index("ix_attempts_connection", "connection_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    connection_id: Mapped[str] = mapped_column(Id)
    started_at: Mapped[datetime]
    duration_s: Mapped[float] = mapped_column(Float)
    events: Mapped[int]
    outcome: Mapped[str] = mapped_column(String(20))
    status: Mapped[int | None]
    detail: Mapped[str | None] = mapped_column(Text)


class InboxStream(Base):
    """How far a stream of the other side was applied here."""

    __tablename__ = "inbox_streams"
    __table_args__ = (UniqueConstraint("connection_id", "stream"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    connection_id: Mapped[str] = mapped_column(Id)
    stream: Mapped[str] = mapped_column(String(255))
    applied_sequence: Mapped[int] = mapped_column(BigInteger, default=0)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), default=bytes(32))


class InboxMessage(Base):
    """One received event. The key refuses a second effect; the id only tells a duplicate from a conflict."""

    __tablename__ = "inbox_messages"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - declarative API

    stream_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(Id)
    contenthash: Mapped[str] = mapped_column(String(64))
    received_at: Mapped[datetime]


class IdempotencyRecord(Base):
    """The answer to a call, written in the transaction of its effect: there is no "in progress" that could outlive a
    crash.
    """

    __tablename__ = "idempotency_records"

    connection_id: Mapped[str] = mapped_column(Id, primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]
    body: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]


class Heartbeat(Base):
    """What the last beats told of one direction of a connection: `out` are ours and how they were answered, `in` are
    those that came.
    """

    __tablename__ = "heartbeats"
    __table_args__ = (CheckConstraint("direction in ('out', 'in')", name="direction"),)

    connection_id: Mapped[str] = mapped_column(Id, primary_key=True)
    direction: Mapped[str] = mapped_column(String(3), primary_key=True)
    beat_at: Mapped[datetime]
    """When the last one was sent, or came."""
    every_s: Mapped[float] = mapped_column(Float)
    """How often whoever sends them means to."""
    next_at: Mapped[datetime | None]
    """For `out`: when the next one is due."""
    answered_at: Mapped[datetime | None]
    """For `out`: when one was last answered well."""
    round_trip_s: Mapped[float | None] = mapped_column(Float)
    """Of the last one that was answered, as its sender measured it."""
    missed: Mapped[int] = mapped_column(default=0)
    """For `out`: how many in a row were not answered."""
    error: Mapped[str | None] = mapped_column(Text)
    told: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """For `in`: what the other side said of itself."""
    compared_to: Mapped[str | None] = mapped_column(String(255))
    """For `out`: the stream whose digest was compared last; the next beat goes on behind it."""


class Issue(Base):
    """One thing that is wrong with a connection: opened when it is first found, counted while it is found again,
    resolved when it is not.
    """

    __tablename__ = "issues"
    __table_args__ = (
        Index("uq_issues_open", "connection_id", "kind", "subject", unique=True, postgresql_where=_OPEN,
              sqlite_where=_OPEN),
        Index("ix_issues_last_at", "last_at"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    connection_id: Mapped[str] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(255), default="")
    """What of the connection it is about, such as a stream; empty: all of it."""
    fault: Mapped[str] = mapped_column(Text)
    count: Mapped[int] = mapped_column(BigInteger, default=1)
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]


class Rotation(Base):
    """The last change of one secret of a connection. `wanted`, then `offered` once the new secret exists, `proven` once
    the other side has shown that it has it, `done` when the former one ended.
    """

    __tablename__ = "rotations"
    __table_args__ = (
        CheckConstraint("secret in ('webhook_secret', 'client_secret')", name="secret"),
        CheckConstraint("state in ('wanted', 'offered', 'proven', 'done')", name="state"),
    )

    connection_id: Mapped[str] = mapped_column(Id, primary_key=True)
    secret: Mapped[str] = mapped_column(String(20), primary_key=True)
    state: Mapped[str] = mapped_column(String(10))
    grace_s: Mapped[float] = mapped_column(Float)
    """How long the former secret stays good after the new one is proven."""
    started_at: Mapped[datetime]
    proven_at: Mapped[datetime | None]
    former_until: Mapped[datetime | None]
    problem: Mapped[str | None] = mapped_column(Text)
    next_at: Mapped[datetime | None]
    """When the next step is tried again."""


class Farewell(Base):
    """What the other side of an ended connection is still to be told: the connection itself has no secrets any more."""

    __tablename__ = "farewells"

    connection_id: Mapped[str] = mapped_column(Id, primary_key=True)
    reason: Mapped[str] = mapped_column(Text)
    secrets: Mapped[str | None] = mapped_column(Text)
    """Encrypted as those of the connection were; gone once it is told, or given up."""
    ended_at: Mapped[datetime]
    next_at: Mapped[datetime | None]
    """Empty once nothing is to be tried any more."""
    tries: Mapped[int] = mapped_column(default=0)
    told_at: Mapped[datetime | None]
    problem: Mapped[str | None] = mapped_column(Text)


class HeldEvent(Base):
    """An event that the receiver does not know yet: it has no number, and is recorded when it does."""

    __tablename__ = "held_events"
    __table_args__ = (Index("ix_held_events_connection", "connection_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    connection_id: Mapped[str] = mapped_column(Id)
    event_id: Mapped[int] = mapped_column(ForeignKey("outbox_events.id"))
    type: Mapped[str] = mapped_column(String(120))
    held_at: Mapped[datetime]
