"""Who here may order what: personas of providers, the users and groups that hold them, and what is decided of an item
before a request of it is sent.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, ForeignKeyConstraint, Integer, String, Text
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy.orm import Mapped, mapped_column

from bridge.models import Connection, Id
from consumer_sim.models import SENT_STATES, Base, CatalogItem, JsonOrNull, ProviderTask, User, _one_of

APPROVALS = ("requested", "approved", "refused")


class Persona(Base):
    """One that an item of a provider asked for, as the provider last told it."""

    __tablename__ = "personas"

    connection_id: Mapped[str] = mapped_column(ForeignKey(Connection.id), primary_key=True)
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    description: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[datetime]


class AuthorisedUser(Base):
    """A user of ours with the personas that a provider is asked to approve. `told` is what was sent of it last."""

    __tablename__ = "authorised_users"
    __table_args__ = (
        _one_of("approval", APPROVALS),
        _one_of("sent", SENT_STATES),
        Unique("connection_id", "user_id", name="uq_authorised_users_user"),
    )

    connection_id: Mapped[str] = mapped_column(ForeignKey(Connection.id), primary_key=True)
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey(User.id))
    persona_ids: Mapped[list[Any]] = mapped_column(default=list)
    """Held by the user alone; those of groups come on top."""
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    revision: Mapped[int] = mapped_column(Integer, default=0)
    told: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    sent: Mapped[str] = mapped_column(String(10), default="waiting")
    problem: Mapped[str | None] = mapped_column(Text)
    """Why the provider did not take it."""
    approval: Mapped[str] = mapped_column(String(10), default="requested")
    approved_persona_ids: Mapped[list[Any]] = mapped_column(default=list)
    reason: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Group(Base):
    """Some of our users. What a group holds, each member holds."""

    __tablename__ = "user_groups"
    __table_args__ = (Unique("name"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    created_at: Mapped[datetime]


class GroupMember(Base):
    __tablename__ = "user_group_members"

    group_id: Mapped[str] = mapped_column(ForeignKey(Group.id), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey(User.id), primary_key=True)


class GroupPersonas(Base):
    """The personas of one provider that a group holds."""

    __tablename__ = "user_group_personas"

    connection_id: Mapped[str] = mapped_column(ForeignKey(Connection.id), primary_key=True)
    group_id: Mapped[str] = mapped_column(ForeignKey(Group.id), primary_key=True)
    persona_ids: Mapped[list[Any]] = mapped_column(default=list)


class ItemSettings(Base):
    """What was decided here of a catalog item, over all its revisions. Nothing of it is ever sent."""

    __tablename__ = "item_settings"
    __table_args__ = (
        ForeignKeyConstraint(
            ["connection_id", "catalog_item_id"], [CatalogItem.connection_id, CatalogItem.id], name="fk_item_settings"
        ),
        CheckConstraint("above_quantity is null or above_quantity >= 0", name="above_quantity"),
    )

    connection_id: Mapped[str] = mapped_column(Id, primary_key=True)
    catalog_item_id: Mapped[str] = mapped_column(Id, primary_key=True)
    variables: Mapped[list[Any]] = mapped_column(default=list)
    """Questions of our own, as those of a form are."""
    needs_approval: Mapped[bool] = mapped_column(Boolean, default=False)
    approver_id: Mapped[str | None] = mapped_column(ForeignKey(User.id))
    """Who approves; empty: whoever may."""
    above_quantity: Mapped[int | None]
    """Only requests of more than so many need approval; empty: all."""
    updated_at: Mapped[datetime]


class Approval(Base):
    """What becomes of a request before it is sent. How far it is stands in the request itself."""

    __tablename__ = "approvals"
    __table_args__ = (
        ForeignKeyConstraint(
            ["connection_id", "task_id"], [ProviderTask.connection_id, ProviderTask.id], name="fk_approvals_task"
        ),
    )

    connection_id: Mapped[str] = mapped_column(Id, primary_key=True)
    task_id: Mapped[str] = mapped_column(Id, primary_key=True)
    approver_id: Mapped[str | None] = mapped_column(ForeignKey(User.id))
    correction: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    """The answers that wait, of a correction; empty for a request that was never sent."""
    asked_at: Mapped[datetime]
    decided_by: Mapped[str | None] = mapped_column(String(120))
    decided_at: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(Text)
