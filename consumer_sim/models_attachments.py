"""Files that belong to a request; what is in them lies in the instance's data directory (`bridge.files`)."""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, CheckConstraint, ForeignKeyConstraint, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from bridge.models import Id
from consumer_sim.models import Base, ProviderTask

_OWN, _DUE = text("own"), text("due_at is not null")


class ChosenFile(Base):
    """A file that somebody chose for a question of a form, before there is a request; answers name it by its id."""

    __tablename__ = "chosen_files"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    """On the wire the id of the attachment that it becomes."""
    name: Mapped[str] = mapped_column(String(255))
    media_type: Mapped[str] = mapped_column(String(100))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    chosen_by: Mapped[str] = mapped_column(String(255))
    chosen_at: Mapped[datetime]


class Attachment(Base):
    """One file of either side. `step` is what the attachments' lane has to do next, at `due_at`; both are empty when
    nothing is to be done.
    """

    __tablename__ = "attachments"
    __table_args__ = (
        CheckConstraint("state in ('on_its_way', 'there', 'refused')", name="state"),
        CheckConstraint("step in ('upload', 'download', 'tell')", name="step"),
        CheckConstraint("(step is null) = (due_at is null)", name="due_at"),
        ForeignKeyConstraint(
            ["connection_id", "task_id"], [ProviderTask.connection_id, ProviderTask.id], name="fk_attachments_task"
        ),
        Index("ix_attachments_task", "connection_id", "task_id", "created_at", "id"),
        Index("ix_attachments_due", "due_at", postgresql_where=_DUE, sqlite_where=_DUE),
        Index(
            "uq_attachments_content", "connection_id", "task_id", "sha256", "name", unique=True,
            postgresql_where=_OWN, sqlite_where=_OWN,
        ),
    )  # fmt: skip

    connection_id: Mapped[str] = mapped_column(Id, primary_key=True)
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    task_id: Mapped[str] = mapped_column(Id)
    name: Mapped[str] = mapped_column(String(255))
    media_type: Mapped[str] = mapped_column(String(100))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    author_name: Mapped[str] = mapped_column(String(255))
    author_company: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime]
    own: Mapped[bool] = mapped_column(Boolean)
    state: Mapped[str] = mapped_column(String(12))
    problem: Mapped[str | None] = mapped_column(Text)
    moved_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    """How much of it the other side, or this one, is known to have."""
    step: Mapped[str | None] = mapped_column(String(10))
    due_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(Integer, default=0)
