"""What a consumer keeps: the items it was offered, the requests it made, what it was told of them, and the products
it has.

Records of the other side are known by (connection, id): two providers may use the same id without touching each
other's record. The engine's tables are in `bridge.models`.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bridge.database import UtcDateTime
from bridge.models import NAMING, BigId, Connection, Id, Json

ITEM_KINDS = ("product", "service", "inventory", "task")
ITEM_STATES = ("pending_activation", "active", "inactive", "removed")
SENT_STATES = ("waiting", "accepted", "refused")
SUBMISSION_STATES = (*SENT_STATES, "withdrawn")
FAULT_MODES = ("slow", "error", "offline", "lose_answer", "reject", "duplicate", "reorder")

JsonOrNull = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""For a nullable document: None is SQL's null, not JSON's."""


def _one_of(column: str, values: tuple[str, ...], name: str | None = None) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} in ({listed})", name=name or column)


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: Json, list[Any]: Json}  # noqa: RUF012 - declarative API


class ProviderConnection(Base):
    """Connecting to one provider, from the token to the proof. Its id is in our callback URL, which is told before
    the wire's connection id is known; that one follows in `connection_id`."""

    __tablename__ = "provider_connections"
    __table_args__ = (_one_of("step", ("complete", "verify", "done")), UniqueConstraint("connection_id"))

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    connection_id: Mapped[str | None] = mapped_column(ForeignKey(Connection.id))
    provider_url: Mapped[str] = mapped_column(String(2000))
    token: Mapped[str | None] = mapped_column(Text)
    """The registration token, encrypted; forgotten once the connection is proven."""
    token_hash: Mapped[str] = mapped_column(String(64), index=True)
    requested_prefix: Mapped[str] = mapped_column(String(12))
    number_prefix: Mapped[str | None] = mapped_column(String(12))
    """As the provider gave it. It stands here because two providers may give us the same."""
    provider_name: Mapped[str | None] = mapped_column(String(120))
    step: Mapped[str] = mapped_column(String(10), default="complete")
    problem: Mapped[str | None] = mapped_column(Text)
    """Why the step did not succeed yet."""
    auto_activate: Mapped[bool] = mapped_column(Boolean, default=False)
    test_event_id: Mapped[str | None] = mapped_column(Id)
    """Of the last test event that came, by which both sides' people know that they speak of the same."""
    tested_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    history_due_at: Mapped[datetime | None]
    """When what both sides said is to be fetched anew, since something of it may be lost here."""
    history_cursor: Mapped[str | None] = mapped_column(Text)
    authorised_user_limit: Mapped[int | None]
    """How many users the provider lets be authorised; empty: as many as there are."""


class User(Base):
    """A person of the consumer, for its pages. The password is kept as argon2id."""

    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    password_hash: Mapped[str | None] = mapped_column(String(200))
    roles: Mapped[list[Any]] = mapped_column(default=list)
    active: Mapped[bool] = mapped_column(Boolean, default=True)


class Counter(Base):
    """The last number given of a series."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)


class CatalogItem(Base):
    """A remote catalog item: the newest revision the provider offers, and the one that was activated here."""

    __tablename__ = "catalog_items"
    __table_args__ = (
        _one_of("state", ITEM_STATES),
        _one_of("kind", ITEM_KINDS),
        _one_of("activation", SENT_STATES),
        CheckConstraint("state <> 'active' or active_revision is not null", name="active_revision"),
        Index("ix_catalog_items_id", "id"),
        Index("ix_catalog_items_updated_at", "updated_at"),
    )

    connection_id: Mapped[str] = mapped_column(ForeignKey(Connection.id), primary_key=True)
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    revision: Mapped[int]
    name: Mapped[str] = mapped_column(String(255))
    short_description: Mapped[str] = mapped_column(Text)
    category: Mapped[str] = mapped_column(String(255))
    kind: Mapped[str] = mapped_column(String(10))
    form: Mapped[dict[str, Any]]
    orderable: Mapped[bool] = mapped_column(Boolean, default=True)
    state: Mapped[str] = mapped_column(String(20))
    removed_reason: Mapped[str | None] = mapped_column(String(40))
    active_revision: Mapped[int | None]
    active_form: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    """The form of the active revision: it is used until the newer one is activated."""
    activation: Mapped[str | None] = mapped_column(String(10))
    """What the provider made of our last word on the state."""
    activation_problem: Mapped[str | None] = mapped_column(Text)
    updated_at: Mapped[datetime]
    prices: Mapped[list[Any] | None] = mapped_column(JsonOrNull)
    """What it costs, where the provider tells that; usually it does not."""
    compatibility: Mapped[str | None] = mapped_column(String(20))
    """The least version of the wire that the newest revision asks for; older providers do not say."""
    description: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))
    help_text: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))
    """What a requester reads beside the form."""
    personas: Mapped[list[Any] | None] = mapped_column(JsonOrNull)
    """Of which a requester has to hold one, as the provider tells of the newest revision; empty: open to all."""
    active_personas: Mapped[list[Any] | None] = mapped_column(JsonOrNull)
    """Those of the active revision."""


class Draft(Base):
    """A request that is still being written: nothing of it is checked or sent. It keeps its id when it is submitted.

    With a `task_id` it is the correction of that request. Programs write drafts that are nobody's.
    """

    __tablename__ = "drafts"
    __table_args__ = (
        ForeignKeyConstraint(
            ["connection_id", "catalog_item_id"], [CatalogItem.connection_id, CatalogItem.id], name="fk_drafts_item"
        ),
        ForeignKeyConstraint(
            ["connection_id", "task_id"], ["provider_tasks.connection_id", "provider_tasks.id"], name="fk_drafts_task"
        ),
        UniqueConstraint("owner_id", "connection_id", "task_id", name="uq_drafts_correction"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    owner_id: Mapped[str | None] = mapped_column(ForeignKey(User.id))
    connection_id: Mapped[str] = mapped_column(Id)
    catalog_item_id: Mapped[str] = mapped_column(Id)
    task_id: Mapped[str | None] = mapped_column(Id)
    answers: Mapped[dict[str, Any]]
    requested_by: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class ProviderTask(Base):
    """One request, here and at the provider under the same id and number. `revision` counts what was sent of it,
    corrections included.

    A placeholder stands for a task the provider tells of but this database does not know, as after a restore.
    """

    __tablename__ = "provider_tasks"
    __table_args__ = (
        _one_of("submission", SUBMISSION_STATES),
        _one_of("resubmission", SENT_STATES),
        _one_of("cancellation", SENT_STATES),
        CheckConstraint("number is not null or placeholder", name="number"),
        Index("ix_provider_tasks_id", "id"),
        Index("ix_provider_tasks_product", "connection_id", "product_id"),
        Index(
            "uq_provider_tasks_number",
            "connection_id",
            "number",
            unique=True,
            postgresql_where=text("not placeholder"),
            sqlite_where=text("not placeholder"),
        ),
    )

    connection_id: Mapped[str] = mapped_column(ForeignKey(Connection.id), primary_key=True)
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    number: Mapped[str | None] = mapped_column(String(40))
    placeholder: Mapped[bool] = mapped_column(Boolean, default=False)
    revision: Mapped[int] = mapped_column(Integer, default=1)
    catalog_item_id: Mapped[str | None] = mapped_column(Id)
    request: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    """The answers as last sent, in the wire's words."""
    action: Mapped[str | None] = mapped_column(String(20))
    """What is to be done with a product we have; empty for what was ordered."""
    product_id: Mapped[str | None] = mapped_column(Id)
    opened_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    submission: Mapped[str] = mapped_column(String(10), default="waiting")
    refusal: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    """The problem document of the last refusal of the submission or resubmission."""
    resubmission: Mapped[str | None] = mapped_column(String(10))
    cancellation: Mapped[str | None] = mapped_column(String(10))
    cancellation_reason: Mapped[str | None] = mapped_column(Text)
    """Why the provider refuses to cancel."""
    cancellation_told: Mapped[str | None] = mapped_column(String(10))
    """What the provider says came of the last wish to cancel."""
    cancellation_message: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str | None] = mapped_column(String(40))
    state_label: Mapped[str | None] = mapped_column(String(255))
    order_number: Mapped[str | None] = mapped_column(String(40))
    order_state: Mapped[str | None] = mapped_column(String(40))
    order_state_label: Mapped[str | None] = mapped_column(String(255))
    order_version: Mapped[int | None]
    ponr: Mapped[bool | None] = mapped_column(Boolean)
    reason: Mapped[str | None] = mapped_column(Text)
    approval: Mapped[str | None] = mapped_column(String(10))
    """Whether it may be sent: `waiting`, `approved` or `rejected` by our own people; empty where nobody is asked."""
    own_answers: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    """What was answered to questions of our own. It is never sent."""


class TaskState(Base):
    """One step of a task's way, as it was told. Append-only."""

    __tablename__ = "task_states"
    __table_args__ = (
        ForeignKeyConstraint(
            ["connection_id", "task_id"], [ProviderTask.connection_id, ProviderTask.id], name="fk_task_states_task"
        ),
        Index("ix_task_states_received_at", "received_at"),
    )

    connection_id: Mapped[str] = mapped_column(Id, primary_key=True)
    task_id: Mapped[str] = mapped_column(Id, primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    state: Mapped[str] = mapped_column(String(40))
    state_label: Mapped[str] = mapped_column(String(255))
    order_state: Mapped[str | None] = mapped_column(String(40))
    """Empty where there is no order."""
    order_state_label: Mapped[str | None] = mapped_column(String(255))
    reason: Mapped[str | None] = mapped_column(Text)
    cancellation: Mapped[str | None] = mapped_column(String(10))
    at: Mapped[datetime]
    received_at: Mapped[datetime]


class Comment(Base):
    """One comment of either side. `sent` says how far one of ours got; it is empty for the provider's."""

    __tablename__ = "comments"
    __table_args__ = (
        _one_of("sent", SENT_STATES),
        CheckConstraint("own = (sent is not null)", name="own"),
        ForeignKeyConstraint(
            ["connection_id", "task_id"], [ProviderTask.connection_id, ProviderTask.id], name="fk_comments_task"
        ),
        Index("ix_comments_task", "connection_id", "task_id", "created_at", "id"),
        Index("ix_comments_own", "own", "created_at"),
    )

    connection_id: Mapped[str] = mapped_column(Id, primary_key=True)
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    task_id: Mapped[str] = mapped_column(Id)
    author_name: Mapped[str] = mapped_column(String(255))
    author_company: Mapped[str | None] = mapped_column(String(255))
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    own: Mapped[bool] = mapped_column(Boolean, default=False)
    sent: Mapped[str | None] = mapped_column(String(10))
    problem: Mapped[str | None] = mapped_column(Text)


class HeldCall(Base):
    """A call about a task whose create is not accepted yet: sent after it, in this order, or never."""

    __tablename__ = "held_calls"
    __table_args__ = (
        ForeignKeyConstraint(
            ["connection_id", "task_id"], [ProviderTask.connection_id, ProviderTask.id], name="fk_held_calls_task"
        ),
        Index("ix_held_calls_task", "connection_id", "task_id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    connection_id: Mapped[str] = mapped_column(Id)
    task_id: Mapped[str] = mapped_column(Id)
    operation: Mapped[str] = mapped_column(String(20))
    body: Mapped[dict[str, Any]]


class Product(Base):
    """One product we have, as the provider last told. `task_id` may name a task that is not known here."""

    __tablename__ = "products"
    __table_args__ = (
        Index("ix_products_id", "id"),
        Index("ix_products_task", "connection_id", "task_id"),
        Index("ix_products_state", "state"),
        Index("ix_products_updated_at", "updated_at"),
    )

    connection_id: Mapped[str] = mapped_column(ForeignKey(Connection.id), primary_key=True)
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    number: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(255))
    state: Mapped[str] = mapped_column(String(40))
    state_label: Mapped[str] = mapped_column(String(255))
    task_id: Mapped[str] = mapped_column(Id)
    order_number: Mapped[str] = mapped_column(String(40))
    line_number: Mapped[str] = mapped_column(String(40))
    characteristics: Mapped[dict[str, Any]]
    location: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    location_name: Mapped[str | None] = mapped_column(String(255), index=True)
    """The location's name by itself, to filter by."""
    catalog_item_id: Mapped[str | None] = mapped_column(Id)
    parent_id: Mapped[str | None] = mapped_column(Id)
    """The product it is part of."""
    part: Mapped[list[Any] | None] = mapped_column(JsonOrNull)
    """The keys that lead to it in the form of its item."""
    resumes_at: Mapped[datetime | None]
    """When its suspension ends by itself."""
    changed_by: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    """What made it what it is now, in the wire's words."""
    updated_at: Mapped[datetime]


class ProductStep(Base):
    """One step in the life of a product, as it was told. Append-only."""

    __tablename__ = "product_steps"

    connection_id: Mapped[str] = mapped_column(Id, primary_key=True)
    product_id: Mapped[str] = mapped_column(Id, primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    state: Mapped[str] = mapped_column(String(40))
    state_label: Mapped[str] = mapped_column(String(255))
    changed_by: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    at: Mapped[datetime]

    __table_args__ = (
        ForeignKeyConstraint(
            ["connection_id", "product_id"], [Product.connection_id, Product.id], name="fk_product_steps_product"
        ),
    )


class FaultSwitch(Base):
    """How the receiver misbehaves, for tests and the demo: at most one row, shared by all processes."""

    __tablename__ = "fault_switches"
    __table_args__ = (
        CheckConstraint("singleton = 1", name="singleton"),
        _one_of("mode", FAULT_MODES),
    )

    singleton: Mapped[int] = mapped_column(primary_key=True, default=1)
    mode: Mapped[str] = mapped_column(String(20))
    times: Mapped[int | None]
    """How often it still applies; empty: until it is changed."""
    seconds: Mapped[float | None] = mapped_column(Float)
    status: Mapped[int | None]
    type: Mapped[str | None] = mapped_column(String(120))
    stream: Mapped[str | None] = mapped_column(String(255))
