"""What computing entitlements leaves behind: what is to be looked at again, and what a person has to decide."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from bridge.models import BigId, Connection, Id
from provider.models.base import Base

_HELD = text("state = 'held'")


class EntitlementCheck(Base):
    """Something changed that criteria may ask for: this connection is to be looked at again, within seconds.

    Rows are only added and deleted, so that whoever changes a product never waits for whoever computes entitlements.
    """

    __tablename__ = "entitlement_checks"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    connection_id: Mapped[str] = mapped_column(ForeignKey(Connection.id))
    reason: Mapped[str] = mapped_column(String(80))
    created_at: Mapped[datetime]


class HeldRemoval(Base):
    """Too many consumers at once would lose an item: they keep it until a person decides. One item has one at most.

    `over`: nobody had to decide, for all of them match again.
    """

    __tablename__ = "held_removals"
    __table_args__ = (
        CheckConstraint("state in ('held', 'confirmed', 'kept', 'over')", name="state"),
        CheckConstraint("(state = 'held') = (decided_at is null)", name="decided"),
        Index("uq_held_removals_identity", "identity", unique=True, postgresql_where=_HELD, sqlite_where=_HELD),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    identity: Mapped[str] = mapped_column(Id)
    state: Mapped[str] = mapped_column(String(10), default="held")
    connection_ids: Mapped[list[Any]]
    """Who would lose it, as it was computed last."""
    entitled: Mapped[int] = mapped_column(Integer)
    """How many were entitled to it then."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None] = mapped_column(String(160))
