"""What our people ask consumers to approve, on any provider task."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from bridge.models import Id
from provider.models.base import Base
from provider.models.orders import ProviderTask

_OPEN = text("state = 'open'")


class TaskApproval(Base):
    """One thing to be approved. It is settled once: by the consumer's answer, by us, or by the end of the task."""

    __tablename__ = "task_approvals"
    __table_args__ = (
        CheckConstraint("state in ('open', 'approved', 'rejected', 'withdrawn', 'ended')", name="state"),
        CheckConstraint("(state = 'open') = (settled_at is null)", name="settled_at"),
        Index("ix_task_approvals_provider_task_id", "provider_task_id", "asked_at"),
        Index("ix_task_approvals_open", "asked_at", postgresql_where=_OPEN, sqlite_where=_OPEN),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    """The same on the wire."""
    provider_task_id: Mapped[str] = mapped_column(ForeignKey(ProviderTask.id))
    subject: Mapped[str] = mapped_column(Text)
    due_on: Mapped[date | None]
    """Until when an answer is hoped for; nothing happens by itself then."""
    state: Mapped[str] = mapped_column(String(10))
    asked_by: Mapped[str] = mapped_column(String(160))
    asked_at: Mapped[datetime]
    settled_by: Mapped[str | None] = mapped_column(String(255))
    """Who answered at the consumer, or who of us withdrew it."""
    settled_at: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(Text)
    """What was said with the answer, or why it was withdrawn."""
