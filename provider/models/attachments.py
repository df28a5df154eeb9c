"""Files that belong to a request; what is in them lies in the instance's data directory (`bridge.files`)."""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, CheckConstraint, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bridge.models import Connection, Id
from provider.models.base import Base
from provider.models.orders import ProviderTask


class Attachment(Base):
    """One file of either side. It is on its way until the receiver has all of it, proven by its hash."""

    __tablename__ = "attachments"
    __table_args__ = (
        CheckConstraint("state in ('on_its_way', 'there', 'refused')", name="state"),
        CheckConstraint("size_bytes >= 0", name="size_bytes"),
        UniqueConstraint("connection_id", "external_id"),
        UniqueConstraint("provider_task_id", "from_consumer", "sha256", "name", name="uq_attachments_content"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    connection_id: Mapped[str] = mapped_column(ForeignKey(Connection.id))
    external_id: Mapped[str] = mapped_column(Id)
    """The id on the wire, whoever minted it."""
    provider_task_id: Mapped[str] = mapped_column(ForeignKey(ProviderTask.id))
    name: Mapped[str] = mapped_column(String(255))
    media_type: Mapped[str] = mapped_column(String(100))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    author_name: Mapped[str] = mapped_column(String(255))
    author_company: Mapped[str] = mapped_column(String(120))
    created_at: Mapped[datetime]
    """When it was attached, by the sender's clock."""
    from_consumer: Mapped[bool] = mapped_column(Boolean)
    state: Mapped[str] = mapped_column(String(12))
    problem: Mapped[str | None] = mapped_column(Text)
    """Why the receiver refused it."""
