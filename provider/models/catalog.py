"""What can be sold, what is published of it, and who may order it."""

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, Integer, String, Text, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from bridge.models import Connection, Id
from provider.models.base import Base, JsonOrNull

KINDS = "kind in ('product', 'service')"
ITEM_KINDS = "kind in ('product', 'service', 'inventory', 'task')"
_NONE = text("'[]'")
LIFECYCLE_STATES = "lifecycle_state in ('in_draft', 'published', 'retired', 'archived')"


class Specification(Base):
    """A product or service specification in one version. Published versions are immutable."""

    __tablename__ = "specifications"
    __table_args__ = (
        CheckConstraint(KINDS, name="kind"),
        CheckConstraint(LIFECYCLE_STATES, name="lifecycle_state"),
        CheckConstraint(
            "service_type is null or service_type in ('customer_facing', 'resource_facing', 'not_applicable')",
            name="service_type",
        ),
        CheckConstraint("kind = 'service' or service_type is null", name="service_type_of_service"),
        UniqueConstraint("external_id", "version"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    external_id: Mapped[str] = mapped_column(String(120))
    version: Mapped[str] = mapped_column(String(20))
    kind: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="")
    service_type: Mapped[str | None] = mapped_column(String(20))
    lifecycle_state: Mapped[str] = mapped_column(String(10))
    characteristics: Mapped[list[Any]] = mapped_column(default=list)
    children: Mapped[list[Any]] = mapped_column(default=list)
    """`[{specification_id, key, mandatory, default_selected, min_quantity, max_quantity}]`: what this one bundles."""
    task_templates: Mapped[list[Any]] = mapped_column(default=list)
    channels: Mapped[list[Any]] = mapped_column(default=list)
    rules: Mapped[list[Any]] = mapped_column(default=list, server_default=_NONE)
    """Which choices need or exclude each other, as in a form."""


class ProductOffering(Base):
    """What is sold: a specification on its way to market, in one version. With members it is a bundle."""

    __tablename__ = "product_offerings"
    __table_args__ = (
        CheckConstraint(LIFECYCLE_STATES, name="lifecycle_state"),
        CheckConstraint("valid_to is null or valid_from is null or valid_from < valid_to", name="validity"),
        UniqueConstraint("external_id", "version"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    external_id: Mapped[str] = mapped_column(String(120))
    version: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="")
    category: Mapped[str] = mapped_column(String(120), default="")
    specification_id: Mapped[str] = mapped_column(ForeignKey(Specification.id), index=True)
    sellable: Mapped[bool] = mapped_column(Boolean)
    channels: Mapped[list[Any]] = mapped_column(default=list)
    prices: Mapped[list[Any]] = mapped_column(default=list)
    line_level_ponr: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    """Of an order, only the lines past the point of no return stay; otherwise one of them holds the whole order."""
    members: Mapped[list[Any]] = mapped_column(default=list, server_default=_NONE)
    """`[{offering_id, key, mandatory, default_selected, min_quantity, max_quantity, group}]`: the offerings in it."""
    groups: Mapped[list[Any]] = mapped_column(default=list, server_default=_NONE)
    """`[{key, name, min_options, max_options}]`: of how many members of a group one has to decide."""
    relations: Mapped[list[Any]] = mapped_column(default=list, server_default=_NONE)
    """`[{kind, offering}]`: the offerings, by external id, that it needs or excludes within a bundle."""
    rules: Mapped[list[Any]] = mapped_column(default=list, server_default=_NONE)
    """Which choices need or exclude each other, as in a form."""
    lifecycle_state: Mapped[str] = mapped_column(String(10))
    valid_from: Mapped[datetime | None]
    valid_to: Mapped[datetime | None]


class RemoteRecordProducer(Base):
    """One revision of a remote catalog item; `identity` is its id on the wire.

    Of kind `product` or `service` it is made of an offering or specification, and its requests become orders. Of kind
    `task` it was written by hand, and its requests are provider tasks without an order. One item is of kind
    `inventory`: the list of what a consumer has, of which nothing can be ordered.
    """

    __tablename__ = "remote_record_producers"
    __table_args__ = (
        CheckConstraint(ITEM_KINDS, name="kind"),
        CheckConstraint("state in ('draft', 'published', 'inactive', 'retired', 'archived')", name="state"),
        CheckConstraint("revision >= 1", name="revision"),
        CheckConstraint("(product_offering_id is not null) = (kind = 'product')", name="origin"),
        CheckConstraint("(specification_id is null) = (kind in ('inventory', 'task'))", name="specification"),
        CheckConstraint(
            "state <> 'published' or (criteria is not null and published_at is not null)", name="published"
        ),
        UniqueConstraint("identity", "revision"),
        Index(
            "uq_remote_record_producers_published",
            "identity",
            unique=True,
            postgresql_where=text("state = 'published'"),
            sqlite_where=text("state = 'published'"),
        ),
        Index(
            "uq_remote_record_producers_inventory",
            "revision",
            unique=True,
            postgresql_where=text("kind = 'inventory'"),
            sqlite_where=text("kind = 'inventory'"),
        ),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    identity: Mapped[str] = mapped_column(Id)
    revision: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(10))
    kind: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(200))
    short_description: Mapped[str] = mapped_column(String(500), default="")
    category: Mapped[str] = mapped_column(String(120), default="")
    product_offering_id: Mapped[str | None] = mapped_column(ForeignKey(ProductOffering.id), index=True)
    specification_id: Mapped[str | None] = mapped_column(ForeignKey(Specification.id), index=True)
    form: Mapped[dict[str, Any]]
    criteria: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    """`{"all_consumers": true}` or `{"connection_ids": [...]}`; never implicit."""
    published_at: Mapped[datetime | None]
    compatibility: Mapped[str] = mapped_column(String(20), default="1.0", server_default=text("'1.0'"))
    """The least version of the wire that a consumer speaks who may activate it."""
    copied_from: Mapped[str | None] = mapped_column(Id)
    """The identity that this one was copied from: new versions of the offering go there, and not here."""
    description: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))
    help_text: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))
    """What a requester reads beside the form."""
    persona_ids: Mapped[list[Any]] = mapped_column(default=list, server_default=_NONE)
    """Who orders it holds one of these personas; empty: it is open to every requester."""


class Entitlement(Base):
    """Whether a connection may order an item, and how far the consumer is with it. Computed, never edited by hand."""

    __tablename__ = "entitlements"
    __table_args__ = (
        CheckConstraint("consumer_state in ('pending_activation', 'active', 'inactive')", name="consumer_state"),
        CheckConstraint("active_revision is null or active_revision <= revision", name="active_revision"),
    )

    connection_id: Mapped[str] = mapped_column(ForeignKey(Connection.id), primary_key=True)
    identity: Mapped[str] = mapped_column(Id, primary_key=True)
    entitled: Mapped[bool] = mapped_column(Boolean)
    revision: Mapped[int] = mapped_column(Integer)
    """The revision that was sent last."""
    consumer_state: Mapped[str] = mapped_column(String(20), default="pending_activation")
    active_revision: Mapped[int | None] = mapped_column(Integer)
    updated_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    """When it was lost by itself, because the criteria no longer match; empty where a person decided that."""
    kept_by: Mapped[str | None] = mapped_column(String(160))
    """Who decided that it stays although the criteria no longer match."""


class EntitlementGuard(Base):
    """Exactly one row, made by the migration: whoever changes criteria, producers or the set of connections locks it.

    Without it "publish to all consumers" and "activate a new consumer" could each miss the other.
    """

    __tablename__ = "entitlement_guard"
    __table_args__ = (CheckConstraint("singleton = 1", name="singleton"),)

    singleton: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    refreshed_at: Mapped[datetime | None]
    """When all entitlements were computed last, which is done every night."""
