"""Provider tasks without an order, and what programs of both sides leave on any provider task."""

from datetime import datetime

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from bridge.models import BigId, Connection
from provider.models.base import Base
from provider.models.orders import ProviderTask

_STATES = "'received', 'work_in_progress', 'awaiting_info', 'resolved', 'closed', 'cancelled'"


class Case(Base):
    """What stands behind a provider task that has no order: how far it is, who works on it, what was proposed."""

    __tablename__ = "cases"
    __table_args__ = (
        CheckConstraint(f"state in ({_STATES})", name="state"),
        CheckConstraint("opened_by in ('consumer', 'provider')", name="opened_by"),
        CheckConstraint("priority between 1 and 4", name="priority"),
        CheckConstraint("(state in ('closed', 'cancelled')) = (over_at is not null)", name="over_at"),
        CheckConstraint("(resolution_code is null) = (resolution_text is null)", name="resolution"),
        CheckConstraint("state <> 'resolved' or resolution_code is not null", name="resolved"),
        Index("ix_cases_state", "state", "updated_at"),
        Index("ix_cases_connection_id", "connection_id"),
    )

    provider_task_id: Mapped[str] = mapped_column(ForeignKey(ProviderTask.id), primary_key=True)
    connection_id: Mapped[str] = mapped_column(ForeignKey(Connection.id))
    company: Mapped[str] = mapped_column(String(120))
    opened_by: Mapped[str] = mapped_column(String(10))
    """Which side: the consumer asked, or the provider told it of something on its own."""
    short_description: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text)
    priority: Mapped[int] = mapped_column(Integer)
    """1 is the most urgent (`provider.domain.cases.Priority`)."""
    state: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str | None] = mapped_column(Text)
    """Why it took its state, if anybody said so; both sides read it."""
    assigned_to: Mapped[str | None] = mapped_column(String(160))
    resolution_code: Mapped[str | None] = mapped_column(String(30))
    resolution_text: Mapped[str | None] = mapped_column(Text)
    """Of the last solution that was proposed, also when it was rejected."""
    acknowledged_by: Mapped[str | None] = mapped_column(String(255))
    """Who, of the consumer, said that they have seen it."""
    acknowledged_at: Mapped[datetime | None]
    opened_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    over_at: Mapped[datetime | None]
    row_version: Mapped[int] = mapped_column(Integer)

    __mapper_args__ = {"version_id_col": row_version}  # noqa: RUF012 - declarative API


class CaseChange(Base):
    """Each move of a case, one row and one event. Append-only."""

    __tablename__ = "case_changes"
    __table_args__ = (Index("ix_case_changes_provider_task_id", "provider_task_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    provider_task_id: Mapped[str] = mapped_column(ForeignKey(Case.provider_task_id))
    from_state: Mapped[str | None] = mapped_column(String(20))
    """Empty for the first one."""
    to_state: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str | None] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(String(160))
    person: Mapped[str | None] = mapped_column(String(255))
    """Who it was at the consumer, if it said so."""
    at: Mapped[datetime]


class ScratchpadEntry(Base):
    """A name with a text, left on a provider task by a program of either side."""

    __tablename__ = "scratchpad_entries"

    provider_task_id: Mapped[str] = mapped_column(ForeignKey(ProviderTask.id), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
    client_visible: Mapped[bool] = mapped_column(Boolean)
    """Whether the consumer's requesters see it, too; without that only those who look after its connections do."""
    author_name: Mapped[str] = mapped_column(String(160))
    from_consumer: Mapped[bool] = mapped_column(Boolean)
    written_at: Mapped[datetime]
    """When it arrived here: that decides who wrote last."""
