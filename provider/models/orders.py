"""What was requested, the orders made of it, the work they need, and what was said about them."""

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from bridge.models import BigId, Connection, Id
from provider.domain.order_tasks import OrderTaskState
from provider.domain.orders import LineAction, OrderCategory, OrderState
from provider.models.base import Base, JsonOrNull
from provider.models.catalog import ProductOffering, Specification


def _one_of(
    column: str, values: type[OrderState] | type[OrderTaskState] | type[LineAction] | type[OrderCategory]
) -> str:
    return f"{column} in ({', '.join(repr(str(value)) for value in values)})"


class Counter(Base):
    """The last number given to a kind of record, on SQLite; PostgreSQL has a sequence for each kind."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[int] = mapped_column(BigId)


class CustomerOrder(Base):
    """An order. `saved_states` are what a revision, a cancellation or a hold will give back, innermost last."""

    __tablename__ = "customer_orders"
    __table_args__ = (
        CheckConstraint(_one_of("category", OrderCategory), name="category"),
        CheckConstraint(_one_of("state", OrderState), name="state"),
        CheckConstraint("version >= 1", name="version"),
        UniqueConstraint("number"),
        Index("ix_customer_orders_connection_id", "connection_id"),
        Index("ix_customer_orders_state", "state", "number"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    number: Mapped[str] = mapped_column(String(20))
    category: Mapped[str] = mapped_column(String(10))
    connection_id: Mapped[str] = mapped_column(ForeignKey(Connection.id))
    company: Mapped[str] = mapped_column(String(120))
    state: Mapped[str] = mapped_column(String(30))
    saved_states: Mapped[list[Any]] = mapped_column(default=list)
    version: Mapped[int] = mapped_column(Integer, default=1)
    ponr: Mapped[bool] = mapped_column(Boolean, default=False)
    """Past the point of no return: nothing of it can be cancelled any longer."""
    revision_operation: Mapped[str | None] = mapped_column(String(10))
    """What the present version changes: `update` or `cancel`; empty for the first, and when it was declined."""
    cancellation: Mapped[str | None] = mapped_column(String(10))
    """What came of the last wish to cancel: a CancellationStatus."""
    cancellation_message: Mapped[str | None] = mapped_column(Text)
    """What the consumer is told of that."""
    cancellation_asked_by: Mapped[str | None] = mapped_column(String(255))
    """Who wished it, if the consumer said so."""
    reason: Mapped[str | None] = mapped_column(Text)
    """Why it took its state, if anybody said so."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    row_version: Mapped[int] = mapped_column(Integer)

    __mapper_args__ = {"version_id_col": row_version}  # noqa: RUF012 - declarative API


class ProviderTask(Base):
    """What both sides see of one thing: a consumer's request, or what the provider opened. Its state is its order's,
    mapped; without an order that of its case (`provider.models.cases`).
    """

    __tablename__ = "provider_tasks"
    __table_args__ = (
        CheckConstraint("revision >= 1", name="revision"),
        UniqueConstraint("connection_id", "external_id"),
        UniqueConstraint("number"),
        UniqueConstraint("order_id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    connection_id: Mapped[str] = mapped_column(ForeignKey(Connection.id))
    external_id: Mapped[str] = mapped_column(Id)
    """The consumer's UUID, and the id on the wire."""
    number: Mapped[str] = mapped_column(String(30))
    catalog_item_id: Mapped[str | None] = mapped_column(Id)
    """Empty for what the provider opened."""
    catalog_item_revision: Mapped[int | None] = mapped_column(Integer)
    revision: Mapped[int] = mapped_column(Integer)
    fingerprint: Mapped[str] = mapped_column(String(64))
    """Of the first content that was accepted: another content under the same UUID is refused."""
    request: Mapped[dict[str, Any]]
    """What was asked last, in the words of the wire."""
    acceptance: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    """The answer to the first content, for whoever sends it again."""
    order_id: Mapped[str | None] = mapped_column(ForeignKey(CustomerOrder.id))
    requested_by: Mapped[dict[str, Any]]
    opened_at: Mapped[datetime]
    received_at: Mapped[datetime]


class RefusedSubmission(Base):
    """The highest refused revision of a request: a late copy of it, or of an older one, must not be accepted."""

    __tablename__ = "refused_submissions"

    connection_id: Mapped[str] = mapped_column(ForeignKey(Connection.id), primary_key=True)
    external_id: Mapped[str] = mapped_column(Id, primary_key=True)
    revision: Mapped[int] = mapped_column(Integer)


class OrderLine(Base):
    """One thing ordered; the parts of a composite are lines below it. A part's quantity is per piece of its parent."""

    __tablename__ = "order_lines"
    __table_args__ = (
        CheckConstraint(_one_of("action", LineAction), name="action"),
        CheckConstraint(_one_of("state", OrderState), name="state"),
        CheckConstraint("quantity >= 1", name="quantity"),
        CheckConstraint("parent_line_id is null or parent_line_id <> id", name="parent"),
        UniqueConstraint("number"),
        UniqueConstraint("order_id", "position"),
        Index("ix_order_lines_parent_line_id", "parent_line_id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    number: Mapped[str] = mapped_column(String(20))
    order_id: Mapped[str] = mapped_column(ForeignKey(CustomerOrder.id))
    parent_line_id: Mapped[str | None] = mapped_column(ForeignKey("order_lines.id"))
    position: Mapped[int] = mapped_column(Integer)
    """Within the order, from 1; parents come before their parts."""
    name: Mapped[str] = mapped_column(String(200))
    product_offering_id: Mapped[str | None] = mapped_column(ForeignKey(ProductOffering.id))
    specification_id: Mapped[str] = mapped_column(ForeignKey(Specification.id))
    part_key: Mapped[str | None] = mapped_column(String(255))
    """By which the form of the item names this part of the line above."""
    action: Mapped[str] = mapped_column(String(20))
    quantity: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(30))
    saved_states: Mapped[list[Any]] = mapped_column(default=list)
    ponr: Mapped[bool] = mapped_column(Boolean, default=False)
    version: Mapped[int] = mapped_column(Integer, default=1, server_default=text("1"))
    revision_operation: Mapped[str | None] = mapped_column(String(10))
    characteristics: Mapped[dict[str, Any]]
    location: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    contacts: Mapped[list[Any]] = mapped_column(default=list)
    requested_on: Mapped[str | None] = mapped_column(String(10))
    """`YYYY-MM-DD`: a day of the consumer's calendar, not a moment."""
    prices: Mapped[list[Any] | None] = mapped_column(JsonOrNull)
    """What the offering cost when it was ordered, for this quantity (`provider/domain/pricing.py`); never told."""


class OrderTask(Base):
    """One piece of work on a line. `previous_state` is what it had before its order was held, and will have again."""

    __tablename__ = "order_tasks"
    __table_args__ = (
        CheckConstraint(_one_of("state", OrderTaskState), name="state"),
        CheckConstraint("(state = 'closed_complete') = (completed_at is not null)", name="completed_at"),
        CheckConstraint("previous_state is null or state = 'on_hold'", name="previous_state"),
        UniqueConstraint("number"),
        UniqueConstraint("order_line_id", "key"),
        UniqueConstraint("compensates_id"),
        Index("ix_order_tasks_order_id", "order_id"),
        Index("ix_order_tasks_state", "state", "number"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    number: Mapped[str] = mapped_column(String(20))
    order_id: Mapped[str] = mapped_column(ForeignKey(CustomerOrder.id))
    order_line_id: Mapped[str] = mapped_column(ForeignKey(OrderLine.id))
    key: Mapped[str] = mapped_column(String(80))
    name: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(30))
    previous_state: Mapped[str | None] = mapped_column(String(30))
    depends_on: Mapped[list[Any]] = mapped_column(default=list)
    point_of_no_return: Mapped[bool] = mapped_column(Boolean, default=False)
    assigned_to: Mapped[str | None] = mapped_column(String(160))
    reason: Mapped[str | None] = mapped_column(Text)
    completed_at: Mapped[datetime | None]
    compensates_id: Mapped[str | None] = mapped_column(ForeignKey("order_tasks.id"))
    """Of the task that this one undoes."""


class OrderStateChange(Base):
    """Each move of an order, one row and one event. Append-only."""

    __tablename__ = "order_state_changes"
    __table_args__ = (Index("ix_order_state_changes_order_id", "order_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    order_id: Mapped[str] = mapped_column(ForeignKey(CustomerOrder.id))
    from_state: Mapped[str | None] = mapped_column(String(30))
    """Empty for the first one."""
    to_state: Mapped[str] = mapped_column(String(30))
    reason: Mapped[str | None] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(String(160))
    at: Mapped[datetime]


class Comment(Base):
    """What both sides read. The id is the one on the wire, whoever wrote it; it counts within its task, so that one
    consumer cannot take, or learn of, an id of another.
    """

    __tablename__ = "comments"
    __table_args__ = (Index("ix_comments_provider_task_id", "provider_task_id", "created_at", "id"),)

    provider_task_id: Mapped[str] = mapped_column(ForeignKey(ProviderTask.id), primary_key=True)
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    author_name: Mapped[str] = mapped_column(String(120))
    author_company: Mapped[str] = mapped_column(String(120))
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    """When it was written, by the writer's clock."""
    from_consumer: Mapped[bool] = mapped_column(Boolean)


class WorkNote(Base):
    """What only the provider's people read of an order or a case; it appears in no event."""

    __tablename__ = "work_notes"
    __table_args__ = (
        CheckConstraint("(order_id is null) <> (provider_task_id is null)", name="subject"),
        Index("ix_work_notes_order_id", "order_id", "created_at"),
        Index("ix_work_notes_provider_task_id", "provider_task_id", "created_at"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    order_id: Mapped[str | None] = mapped_column(ForeignKey(CustomerOrder.id))
    provider_task_id: Mapped[str | None] = mapped_column(ForeignKey(ProviderTask.id))
    """Of a task that has no order."""
    author: Mapped[str] = mapped_column(String(160))
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
