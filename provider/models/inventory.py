"""What a consumer has."""

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bridge.models import Connection, Id
from provider.domain.inventory import ProductState
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
    catalog_item_id: Mapped[str] = mapped_column(Id)
