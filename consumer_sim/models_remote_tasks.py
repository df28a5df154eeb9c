"""Tickets, and the remote tasks that tie them to records of providers."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from bridge.models import Connection, Id
from consumer_sim.models import ITEM_STATES, Base

JsonOrNull = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def _one_of(column: str, *values: str) -> CheckConstraint:
    return CheckConstraint(f"{column} in ({', '.join(repr(value) for value in values)})", name=column)


class Ticket(Base):
    """A piece of work of this instance. `bridge.field_maps` tells which fields may cross."""

    __tablename__ = "tickets"
    __table_args__ = (
        _one_of("state", "new", "in_progress", "on_hold", "resolved", "closed"),
        _one_of("priority", "critical", "high", "moderate", "low"),
        UniqueConstraint("number"),
        Index("ix_tickets_updated_at", "updated_at"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    number: Mapped[str] = mapped_column(String(20))
    short_description: Mapped[str] = mapped_column(String(200))
    description: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(20), default="new")
    priority: Mapped[str] = mapped_column(String(10), default="low")
    category: Mapped[str | None] = mapped_column(String(80))
    assigned_to: Mapped[str | None] = mapped_column(String(120))
    opened_by: Mapped[str] = mapped_column(String(255))
    opened_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class TicketEntry(Base):
    """What was written on a ticket: comments may cross, work notes never do."""

    __tablename__ = "ticket_entries"
    __table_args__ = (
        _one_of("kind", "comments", "work_notes"),
        Index("ix_ticket_entries_ticket", "ticket_id", "created_at", "id"),
    )

    ticket_id: Mapped[str] = mapped_column(ForeignKey(Ticket.id, ondelete="CASCADE"), primary_key=True)
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))
    author_name: Mapped[str] = mapped_column(String(255))
    author_company: Mapped[str | None] = mapped_column(String(255))
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class RemoteTaskDefinition(Base):
    """What a provider lets us tie to its records: the newest revision, and the one that was activated here."""

    __tablename__ = "remote_task_definitions"
    __table_args__ = (
        _one_of("state", *ITEM_STATES),
        CheckConstraint("state <> 'active' or active_revision is not null", name="active_revision"),
    )

    connection_id: Mapped[str] = mapped_column(ForeignKey(Connection.id), primary_key=True)
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    revision: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str] = mapped_column(Text)
    provider_table: Mapped[str] = mapped_column(String(40))
    consumer_table: Mapped[str] = mapped_column(String(40))
    lines: Mapped[dict[str, Any]]
    """As the provider told the newest revision."""
    state: Mapped[str] = mapped_column(String(20))
    removed_reason: Mapped[str | None] = mapped_column(String(40))
    active_revision: Mapped[int | None] = mapped_column(Integer)
    active_lines: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    """Of the active revision, with what our people decided of it."""
    overrides: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What our people decided, by direction and key: the source of inbound lines; label, time, target of others."""
    trigger: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Values by field that a ticket has when a remote task is made by itself; empty: never."""
    activation_problem: Mapped[str | None] = mapped_column(Text)
    updated_at: Mapped[datetime]


class RemoteTask(Base):
    """What ties one of our tickets to one record of a provider. It is connected while the provider knows it, neither
    side has stopped it and nothing is wrong; `status` says that in one word.
    """

    __tablename__ = "remote_tasks"
    __table_args__ = (
        _one_of("status", "new", "connected", "disconnected", "error"),
        _one_of("submission", "waiting", "accepted", "refused"),
        UniqueConstraint("connection_id", "number"),
        UniqueConstraint("ticket_id", "connection_id", "definition_id"),
        ForeignKeyConstraint(
            ["connection_id", "definition_id"], [RemoteTaskDefinition.connection_id, RemoteTaskDefinition.id],
            name="fk_remote_tasks_definition",
        ),
        Index("ix_remote_tasks_definition", "connection_id", "definition_id"),
    )  # fmt: skip

    connection_id: Mapped[str] = mapped_column(ForeignKey(Connection.id), primary_key=True)
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    number: Mapped[str] = mapped_column(String(40))
    revision: Mapped[int] = mapped_column(Integer, default=1)
    definition_id: Mapped[str] = mapped_column(Id)
    definition_revision: Mapped[int] = mapped_column(Integer)
    lines: Mapped[dict[str, Any]]
    """As they were decided when it was made, or connected last."""
    ticket_id: Mapped[str | None] = mapped_column(ForeignKey(Ticket.id))
    ticket_number: Mapped[str] = mapped_column(String(20))
    parent_number: Mapped[str | None] = mapped_column(String(40))
    """The provider's record."""
    opened_by: Mapped[str] = mapped_column(String(255))
    submission: Mapped[str] = mapped_column(String(10), default="waiting")
    status: Mapped[str] = mapped_column(String(12), default="new")
    stopped_here: Mapped[str | None] = mapped_column(Text)
    stopped_there: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    stamps: Mapped[dict[str, Any]] = mapped_column(default=dict)
    virtual: Mapped[dict[str, Any]] = mapped_column(default=dict)
    problems_there: Mapped[list[Any]] = mapped_column(default=list)
    """What the provider did not take of ours, as it told: `{"key", "label", "kind", "reason"}`."""
    problems_here: Mapped[list[Any]] = mapped_column(default=list)
    """What we did not take of the provider's, or cannot send; the same, with its `direction`."""
    missed: Mapped[list[Any]] = mapped_column(default=list)
    """Ids of comments that came while it was stopped here: the provider sends them again once it is connected."""
    opened_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class RemoteTaskEntry(Base):
    """A comment that has crossed, or must not: the other side has it, or it was there before and stays here."""

    __tablename__ = "remote_task_entries"
    __table_args__ = (
        ForeignKeyConstraint(
            ["connection_id", "remote_task_id"], [RemoteTask.connection_id, RemoteTask.id],
            name="fk_remote_task_entries_task",
        ),
    )  # fmt: skip

    connection_id: Mapped[str] = mapped_column(Id, primary_key=True)
    remote_task_id: Mapped[str] = mapped_column(Id, primary_key=True)
    entry_id: Mapped[str] = mapped_column(Id, primary_key=True)
    from_provider: Mapped[bool] = mapped_column(Boolean)
