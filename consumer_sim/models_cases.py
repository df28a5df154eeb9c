"""Tasks without an order, and what programs of both sides leave on any task."""

from datetime import datetime

from sqlalchemy import Boolean, CheckConstraint, ForeignKeyConstraint, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from bridge.models import Id
from consumer_sim.models import SENT_STATES, Base, ProviderTask

_SENT = ", ".join(f"'{state}'" for state in SENT_STATES)


class Case(Base):
    """What the provider tells of a task that has no order, and what we said of it; its state is the task's."""

    __tablename__ = "cases"
    __table_args__ = (
        CheckConstraint("opened_by in ('consumer', 'provider')", name="opened_by"),
        CheckConstraint("answer in ('accept', 'reject')", name="answer"),
        CheckConstraint(f"answer_sent in ({_SENT})", name="answer_sent"),
        CheckConstraint("(answer is null) = (answer_sent is null)", name="answered"),
        CheckConstraint(f"acknowledgement in ({_SENT})", name="acknowledgement"),
        ForeignKeyConstraint(
            ["connection_id", "task_id"], [ProviderTask.connection_id, ProviderTask.id], name="fk_cases_task"
        ),
        Index("ix_cases_opened_by", "opened_by"),
    )

    connection_id: Mapped[str] = mapped_column(Id, primary_key=True)
    task_id: Mapped[str] = mapped_column(Id, primary_key=True)
    opened_by: Mapped[str] = mapped_column(String(10))
    """Which side: we asked, or the provider told us of something on its own."""
    short_description: Mapped[str] = mapped_column(String(255))
    description: Mapped[str] = mapped_column(Text)
    priority: Mapped[str] = mapped_column(String(20))
    resolution_code: Mapped[str | None] = mapped_column(String(40))
    resolution_label: Mapped[str | None] = mapped_column(String(255))
    resolution_text: Mapped[str | None] = mapped_column(Text)
    """The last solution that was proposed, also when it was rejected."""
    answer: Mapped[str | None] = mapped_column(String(10))
    """What we said of that solution."""
    answer_sent: Mapped[str | None] = mapped_column(String(10))
    """How far that got: what the provider refuses leaves the solution to be answered."""
    answer_problem: Mapped[str | None] = mapped_column(Text)
    acknowledgement: Mapped[str | None] = mapped_column(String(10))
    """How far our word got that we have seen what the provider opened."""
    acknowledged_by: Mapped[str | None] = mapped_column(String(255))
    acknowledged_at: Mapped[datetime | None]


class ScratchpadEntry(Base):
    """A name with a text, as the provider last told, and above it what we wrote and it has not told yet."""

    __tablename__ = "scratchpad_entries"
    __table_args__ = (
        CheckConstraint(f"sent in ({_SENT})", name="sent"),
        CheckConstraint("(sent is null) = (write_id is null)", name="write_id"),
        ForeignKeyConstraint(
            ["connection_id", "task_id"],
            [ProviderTask.connection_id, ProviderTask.id],
            name="fk_scratchpad_entries_task",
        ),
    )

    connection_id: Mapped[str] = mapped_column(Id, primary_key=True)
    task_id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    value: Mapped[str | None] = mapped_column(Text)
    """As told; empty while only we know of it."""
    client_visible: Mapped[bool] = mapped_column(Boolean, default=False)
    author_name: Mapped[str | None] = mapped_column(String(255))
    author_company: Mapped[str | None] = mapped_column(String(255))
    written_at: Mapped[datetime | None]
    write_id: Mapped[str | None] = mapped_column(Id)
    """Of our last write, until the provider tells of it or refuses it."""
    own_value: Mapped[str | None] = mapped_column(Text)
    """What that write says; empty for a removal."""
    own_visible: Mapped[bool] = mapped_column(Boolean, default=False)
    sent: Mapped[str | None] = mapped_column(String(10))
    problem: Mapped[str | None] = mapped_column(Text)
