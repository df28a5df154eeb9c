"""Personas, and the users of consumers that hold them."""

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bridge.models import Connection, Id
from provider.models.base import Base


class Persona(Base):
    """What somebody is who may order certain items, such as a buyer of mobile lines."""

    __tablename__ = "personas"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    description: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]


class AuthorisedUser(Base):
    """A user of a consumer who asks to hold personas. The consumer names and activates them, the provider approves.

    What is held is what is both asked for and approved: a persona that is added later waits for approval by itself.
    """

    __tablename__ = "authorised_users"
    __table_args__ = (
        CheckConstraint("approval in ('requested', 'approved', 'refused')", name="approval"),
        CheckConstraint("approval <> 'refused' or reason is not null", name="reason"),
        Index("ix_authorised_users_approval", "approval", "created_at"),
    )

    connection_id: Mapped[str] = mapped_column(ForeignKey(Connection.id), primary_key=True)
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    groups: Mapped[list[Any]] = mapped_column(default=list)
    """The names of the consumer's groups by which some personas are held, for people."""
    persona_ids: Mapped[list[Any]] = mapped_column(default=list)
    approved_persona_ids: Mapped[list[Any]] = mapped_column(default=list)
    active: Mapped[bool] = mapped_column(Boolean)
    revision: Mapped[int] = mapped_column(Integer)
    approval: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str | None] = mapped_column(Text)
    decided_by: Mapped[str | None] = mapped_column(String(160))
    """Empty where the connection's rules approve by themselves."""
    decided_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
