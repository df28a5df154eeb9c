"""What providers ask us to approve on their tasks, and our answers."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from bridge.models import Id
from consumer_sim.models import Base, ProviderTask

_OPEN = text("state = 'open'")


class TaskApproval(Base):
    """As the provider last told it; and beside it our answer, which is only a wish until the provider tells it."""

    __tablename__ = "task_approvals"
    __table_args__ = (
        CheckConstraint("state in ('open', 'approved', 'rejected', 'withdrawn', 'ended')", name="state"),
        CheckConstraint("answer in ('approve', 'reject')", name="answer"),
        CheckConstraint("answer_sent in ('waiting', 'accepted', 'refused')", name="answer_sent"),
        CheckConstraint("(answer is null) = (answer_sent is null)", name="answered"),
        ForeignKeyConstraint(
            ["connection_id", "task_id"], [ProviderTask.connection_id, ProviderTask.id], name="fk_task_approvals_task"
        ),
        Index("ix_task_approvals_task", "connection_id", "task_id", "asked_at"),
        Index("ix_task_approvals_open", "asked_at", postgresql_where=_OPEN, sqlite_where=_OPEN),
    )

    connection_id: Mapped[str] = mapped_column(Id, primary_key=True)
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    task_id: Mapped[str] = mapped_column(Id)
    subject: Mapped[str] = mapped_column(Text)
    due_on: Mapped[date | None]
    state: Mapped[str] = mapped_column(String(10))
    asked_by: Mapped[str] = mapped_column(String(255))
    asked_company: Mapped[str | None] = mapped_column(String(255))
    asked_at: Mapped[datetime]
    settled_by: Mapped[str | None] = mapped_column(String(255))
    settled_at: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(Text)
    answer: Mapped[str | None] = mapped_column(String(10))
    answer_by: Mapped[str | None] = mapped_column(String(255))
    answer_reason: Mapped[str | None] = mapped_column(Text)
    answer_sent: Mapped[str | None] = mapped_column(String(10))
    answer_problem: Mapped[str | None] = mapped_column(Text)
    """Why the provider did not take our answer."""
