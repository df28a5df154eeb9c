"""Who may speak to this instance: its own users, and consumers with their registrations, credentials and tokens."""

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bridge.models import BigId, Connection, Id
from provider.models.base import Base


class User(Base):
    """A person or program of the provider's own. The token is kept as SHA-256 only, the password as argon2id."""

    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("name"), UniqueConstraint("token_hash"))

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    token_hash: Mapped[str] = mapped_column(String(64))
    password_hash: Mapped[str | None] = mapped_column(String(200))
    """Empty for those who do not use the pages."""
    roles: Mapped[list[Any]] = mapped_column(default=list)
    active: Mapped[bool] = mapped_column(Boolean, default=True)


class Registration(Base):
    """The onboarding of one consumer. Its token makes one connection, and is spent when that connection is verified."""

    __tablename__ = "registrations"
    __table_args__ = (
        CheckConstraint("state in ('open', 'work_in_progress', 'closed_complete', 'closed_incomplete')", name="state"),
        CheckConstraint(
            "state <> 'closed_complete' or (connection_id is not null and token_hash is null)", name="complete"
        ),
        UniqueConstraint("number"),
        UniqueConstraint("token_hash"),
        UniqueConstraint("connection_id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    number: Mapped[str] = mapped_column(String(20))
    company: Mapped[str] = mapped_column(String(120))
    contact_name: Mapped[str] = mapped_column(String(120))
    contact_email: Mapped[str] = mapped_column(String(254))
    base_url: Mapped[str | None] = mapped_column(String(2000))
    """Whoever completes it must have a callback below this address; empty: any."""
    callback_url: Mapped[str | None] = mapped_column(String(2000))
    """Whoever completes it must have this callback; empty: any."""
    state: Mapped[str] = mapped_column(String(20), default="open")
    token_hash: Mapped[str | None] = mapped_column(String(64))
    """Empty once the token is spent."""
    token_expires_at: Mapped[datetime]
    connection_id: Mapped[str | None] = mapped_column(ForeignKey(Connection.id))
    problem: Mapped[str | None] = mapped_column(Text)
    """Why the last try of the consumer came to nothing; empty once one succeeded."""
    problem_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class Credential(Base):
    """The client secret of a connection, as SHA-256; the client id stands in the connection."""

    __tablename__ = "credentials"

    connection_id: Mapped[str] = mapped_column(ForeignKey(Connection.id), primary_key=True)
    client_secret_hash: Mapped[str] = mapped_column(String(64))
    next_secret_hash: Mapped[str | None] = mapped_column(String(64))
    """Of a secret that was given out and not used yet; its first use makes it the client secret."""
    former_secret_hash: Mapped[str | None] = mapped_column(String(64))
    former_until: Mapped[datetime | None]


class AccessToken(Base):
    """An opaque bearer token of a connection, as SHA-256; deleting the row revokes it."""

    __tablename__ = "access_tokens"
    __table_args__ = (
        Index("ix_access_tokens_connection_id", "connection_id"),
        Index("ix_access_tokens_expires_at", "expires_at"),
    )

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    connection_id: Mapped[str] = mapped_column(ForeignKey(Connection.id))
    expires_at: Mapped[datetime]


class AuditEntry(Base):
    """Who did what to which record. Append-only; secrets never stand in `detail`."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index("ix_audit_entries_object", "object"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(160))
    """`user/{name}`, `connection/{id}` or `system`."""
    action: Mapped[str] = mapped_column(String(80))
    object: Mapped[str] = mapped_column(String(255))
    """`registration/{id}`, `catalog_item/{identity}` and so on."""
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    request_id: Mapped[str | None] = mapped_column(Text)
