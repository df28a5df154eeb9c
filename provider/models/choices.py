"""What consumers choose from while they fill in a form: the provider's own data, or a list that its people keep."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bridge.models import Connection, Id
from provider.domain.remote_choices import SOURCES
from provider.models.base import Base


class ChoiceDefinition(Base):
    """What can be chosen, and how a row of it is shown. Forms name it; each consumer sees its own rows alone."""

    __tablename__ = "choice_definitions"
    __table_args__ = (
        CheckConstraint(f"source in ({', '.join(map(repr, SOURCES))})", name="source"),
        UniqueConstraint("name"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    """Forms name it by this, so that it never changes."""
    description: Mapped[str] = mapped_column(String(500), default="")
    source: Mapped[str] = mapped_column(String(20))
    columns: Mapped[list[Any]] = mapped_column(default=list)
    """Of a list: its columns beside value, display and consumer."""
    base_filter: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """`{column: [accepted value]}`: rows that fit all of them can be chosen."""
    display_field: Mapped[str] = mapped_column(String(60))
    info_fields: Mapped[list[Any]] = mapped_column(default=list)
    """Columns that are shown beside it, to tell one from another."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class ChoiceRow(Base):
    """One row of a list that people keep."""

    __tablename__ = "choice_rows"
    __table_args__ = (
        UniqueConstraint("definition_id", "position"),
        Index("ix_choice_rows_value", "definition_id", "value"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    definition_id: Mapped[str] = mapped_column(ForeignKey(ChoiceDefinition.id))
    position: Mapped[int] = mapped_column(Integer)
    value: Mapped[str] = mapped_column(String(255))
    display: Mapped[str] = mapped_column(String(255))
    extra: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Texts by column."""
    connection_id: Mapped[str | None] = mapped_column(ForeignKey(Connection.id))
    """Who alone sees it; empty: everybody whose form asks for it."""
