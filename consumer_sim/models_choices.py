"""What a provider told of live choices, kept for a while."""

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from bridge.models import Connection
from consumer_sim.models import Base


class ChoiceAnswer(Base):
    """The answer to one search. `scope` is what it was about: item, revision, variable and what that depends on."""

    __tablename__ = "choice_answers"
    __table_args__ = (Index("ix_choice_answers_asked_at", "asked_at"),)

    connection_id: Mapped[str] = mapped_column(ForeignKey(Connection.id), primary_key=True)
    scope: Mapped[str] = mapped_column(String(64), primary_key=True)
    """A hash: pointers and answers may be long."""
    search: Mapped[str] = mapped_column(String(100), primary_key=True)
    items: Mapped[list[Any]]
    """`[{"value", "display", "info"}]`."""
    more: Mapped[bool] = mapped_column(Boolean)
    asked_at: Mapped[datetime]
    fresh_until: Mapped[datetime]
