"""What a consumer has, what is to be done with it, and what became of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from bridge.models import BigId, Connection, Id
from provider.domain.inventory import OperationState, ProductAction, ProductState
from provider.models.base import Base, JsonOrNull
from provider.models.catalog import Specification
from provider.models.orders import CustomerOrder, OrderLine, ProviderTask


class Product(Base):
    """One piece: a line of quantity n makes the units 1 to n."""

    __tablename__ = "products"
    __table_args__ = (
        CheckConstraint(f"state in ({', '.join(repr(str(state)) for state in ProductState)})", name="state"),
        CheckConstraint("unit >= 1", name="unit"),
        UniqueConstraint("number"),
        UniqueConstraint("order_line_id", "unit"),
        Index("ix_products_connection_id", "connection_id", "number"),
        Index("ix_products_order_id", "order_id"),
        Index("ix_products_parent_id", "parent_id"),
        Index("ix_products_location_name", "location_name"),
        Index("ix_products_place", "connection_id", "location_name", "number"),
        Index("ix_products_resumes_at", "resumes_at"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    number: Mapped[str] = mapped_column(String(20))
    connection_id: Mapped[str] = mapped_column(ForeignKey(Connection.id))
    provider_task_id: Mapped[str] = mapped_column(ForeignKey(ProviderTask.id))
    order_id: Mapped[str] = mapped_column(ForeignKey(CustomerOrder.id))
    order_line_id: Mapped[str] = mapped_column(ForeignKey(OrderLine.id))
    specification_id: Mapped[str] = mapped_column(ForeignKey(Specification.id))
    name: Mapped[str] = mapped_column(String(200))
    unit: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(30))
    characteristics: Mapped[dict[str, Any]]
    location: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    location_name: Mapped[str | None] = mapped_column(String(255))
    """The location's name by itself, to filter by."""
    catalog_item_id: Mapped[str] = mapped_column(Id)
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("products.id"))
    """The product that this one is part of."""
    part: Mapped[list[Any] | None] = mapped_column(JsonOrNull)
    """The keys that lead to it in the form of its item, none for the whole; None where nobody wrote them down."""
    resumes_at: Mapped[datetime | None]
    """When a suspension ends by itself."""


class InventoryOperation(Base):
    """What one line of an order does to a product. Of two that are scheduled for one product the first wins.

    The line holds what the product gets, `previous` its state, characteristics and location before.
    """

    __tablename__ = "inventory_operations"
    __table_args__ = (
        CheckConstraint(f"action in ({', '.join(repr(str(one)) for one in ProductAction)})", name="action"),
        CheckConstraint(f"state in ({', '.join(repr(str(one)) for one in OperationState)})", name="state"),
        CheckConstraint("ends_at is null or action = 'suspend'", name="ends_at"),
        Index("ix_inventory_operations_order_id", "order_id"),
        Index(
            "uq_inventory_operations_product",
            "product_id",
            unique=True,
            postgresql_where=text("state = 'scheduled'"),
            sqlite_where=text("state = 'scheduled'"),
        ),
        Index(
            "ix_inventory_operations_due",
            "starts_at",
            postgresql_where=text("state = 'scheduled'"),
            sqlite_where=text("state = 'scheduled'"),
        ),
    )

    order_line_id: Mapped[str] = mapped_column(ForeignKey(OrderLine.id), primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey(CustomerOrder.id))
    product_id: Mapped[str] = mapped_column(ForeignKey(Product.id))
    action: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20))
    previous: Mapped[dict[str, Any]]
    starts_at: Mapped[datetime | None]
    """Not before; None: as soon as the work is done."""
    ends_at: Mapped[datetime | None]
    """When a suspension is resumed by itself."""


class ProductChange(Base):
    """Each step in the life of a product, by which request and by whom. Append-only."""

    __tablename__ = "product_changes"
    __table_args__ = (Index("ix_product_changes_product_id", "product_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    product_id: Mapped[str] = mapped_column(ForeignKey(Product.id))
    action: Mapped[str] = mapped_column(String(20))
    from_state: Mapped[str | None] = mapped_column(String(30))
    """Empty for the first one."""
    to_state: Mapped[str] = mapped_column(String(30))
    provider_task_id: Mapped[str] = mapped_column(ForeignKey(ProviderTask.id))
    changed: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    """What else became different: `{"characteristics": {key: [before, after]}, "location": [before, after]}`."""
    at: Mapped[datetime]
