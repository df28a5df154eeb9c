"""Remote tasks: what ties an incident of ours to a record of a consumer, by which definition, and with which words."""

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from bridge.models import Connection, Id
from provider.models.base import Base, JsonOrNull

_PUBLISHED = text("state = 'published'")
_DEFAULT = text("connection_id is null")


class Incident(Base):
    """A piece of work of the provider's own. `bridge.field_maps` tells which fields may cross."""

    __tablename__ = "incidents"
    __table_args__ = (
        CheckConstraint("state in ('new', 'work_in_progress', 'awaiting_info', 'resolved', 'closed')", name="state"),
        CheckConstraint("priority in ('1', '2', '3', '4')", name="priority"),
        UniqueConstraint("number"),
        Index("ix_incidents_updated_at", "updated_at"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    number: Mapped[str] = mapped_column(String(20))
    short_description: Mapped[str] = mapped_column(String(200))
    description: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(20), default="new")
    priority: Mapped[str] = mapped_column(String(1), default="4")
    category: Mapped[str | None] = mapped_column(String(80))
    assigned_to: Mapped[str | None] = mapped_column(String(120))
    resolution: Mapped[str | None] = mapped_column(Text)
    company: Mapped[str | None] = mapped_column(String(120))
    """Whose it is, from the connection; empty for one of our own."""
    opened_by: Mapped[str] = mapped_column(String(255))
    opened_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class IncidentEntry(Base):
    """What was written on an incident: comments may cross, work notes never do."""

    __tablename__ = "incident_entries"
    __table_args__ = (
        CheckConstraint("kind in ('comments', 'work_notes')", name="kind"),
        Index("ix_incident_entries_incident", "incident_id", "created_at", "id"),
    )

    incident_id: Mapped[str] = mapped_column(ForeignKey(Incident.id, ondelete="CASCADE"), primary_key=True)
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))
    author_name: Mapped[str] = mapped_column(String(255))
    author_company: Mapped[str | None] = mapped_column(String(255))
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class RemoteTaskDefinition(Base):
    """One revision of a definition; `identity` is its id on the wire."""

    __tablename__ = "remote_task_definitions"
    __table_args__ = (
        CheckConstraint("state in ('draft', 'published', 'inactive', 'retired', 'archived')", name="state"),
        CheckConstraint("revision >= 1", name="revision"),
        CheckConstraint("state <> 'published' or criteria is not null", name="published"),
        UniqueConstraint("identity", "revision"),
        Index(
            "uq_remote_task_definitions_published", "identity", unique=True, postgresql_where=_PUBLISHED,
            sqlite_where=_PUBLISHED,
        ),
    )  # fmt: skip

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    identity: Mapped[str] = mapped_column(Id)
    revision: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(120))
    description: Mapped[str] = mapped_column(String(500), default="")
    provider_table: Mapped[str] = mapped_column(String(40))
    consumer_table: Mapped[str] = mapped_column(String(40))
    lines: Mapped[dict[str, Any]]
    """`{"inbound": [line...], "outbound": [line...]}`, as `bridge.field_maps` reads them."""
    criteria: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    published_at: Mapped[datetime | None]


class RemoteTaskEntitlement(Base):
    """Whether a connection may use a definition, and how far the consumer is with it. Computed, never edited."""

    __tablename__ = "remote_task_entitlements"
    __table_args__ = (
        CheckConstraint("consumer_state in ('pending_activation', 'active', 'inactive')", name="consumer_state"),
    )

    connection_id: Mapped[str] = mapped_column(ForeignKey(Connection.id), primary_key=True)
    identity: Mapped[str] = mapped_column(Id, primary_key=True)
    entitled: Mapped[bool] = mapped_column(Boolean)
    revision: Mapped[int] = mapped_column(Integer)
    """The revision that was sent last."""
    consumer_state: Mapped[str] = mapped_column(String(20), default="pending_activation")
    active_revision: Mapped[int | None] = mapped_column(Integer)
    updated_at: Mapped[datetime]


class RemoteTask(Base):
    """What ties one incident to one record of a consumer. It is connected while neither side has stopped it and nothing
    is wrong; `status` says that in one word, to search by.
    """

    __tablename__ = "remote_tasks"
    __table_args__ = (
        CheckConstraint("status in ('connected', 'disconnected', 'error')", name="status"),
        UniqueConstraint("connection_id", "external_id"),
        UniqueConstraint("number"),
        UniqueConstraint("connection_id", "parent_id", "definition_id"),
        UniqueConstraint("incident_id"),
        Index("ix_remote_tasks_definition", "definition_id", "connection_id"),
        Index("ix_remote_tasks_updated_at", "updated_at"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    connection_id: Mapped[str] = mapped_column(ForeignKey(Connection.id))
    external_id: Mapped[str] = mapped_column(Id)
    number: Mapped[str] = mapped_column(String(40))
    definition_id: Mapped[str] = mapped_column(Id)
    """The identity of its definition."""
    definition_revision: Mapped[int] = mapped_column(Integer)
    revision: Mapped[int] = mapped_column(Integer)
    """Counts what the consumer sent to make it."""
    parent_id: Mapped[str] = mapped_column(Id)
    """The consumer's record."""
    parent_number: Mapped[str] = mapped_column(String(40))
    incident_id: Mapped[str | None] = mapped_column(ForeignKey(Incident.id))
    opened_by: Mapped[str] = mapped_column(String(255))
    status: Mapped[str] = mapped_column(String(12), default="connected")
    stopped_here: Mapped[str | None] = mapped_column(Text)
    """Why our side stopped it."""
    stopped_there: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    stamps: Mapped[dict[str, Any]] = mapped_column(default=dict)
    virtual: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Values of virtual lines, by key: `{"label", "value"}`."""
    problems: Mapped[list[Any]] = mapped_column(default=list)
    """Fields that did not get through, each `{"direction", "key", "label", "kind", "reason"}`; one of kind `hole` has
    its `value` and `stamp`, to be tried again."""
    problem_count: Mapped[int] = mapped_column(Integer, default=0)
    opened_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class RemoteTaskEntry(Base):
    """A comment that has crossed, or must not: the other side has it, or it was there before and stays here."""

    __tablename__ = "remote_task_entries"

    remote_task_id: Mapped[str] = mapped_column(ForeignKey(RemoteTask.id), primary_key=True)
    entry_id: Mapped[str] = mapped_column(Id, primary_key=True)
    from_consumer: Mapped[bool] = mapped_column(Boolean)


class TransformVersion(Base):
    """An immutable set of transforms: of everybody, or of one connection. The newest counts; without a document the
    connection went back to those of everybody.
    """

    __tablename__ = "transform_versions"
    __table_args__ = (
        Index("ix_transform_versions_connection", "connection_id", "version"),
        Index("ix_transform_versions_default", "version", postgresql_where=_DEFAULT, sqlite_where=_DEFAULT),
    )

    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    connection_id: Mapped[str | None] = mapped_column(ForeignKey(Connection.id))
    document: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    actor: Mapped[str] = mapped_column(String(160))
    created_at: Mapped[datetime]
