"""What was agreed with consumers, and for how long."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from bridge.models import Connection, Id
from provider.domain.contracts import ContractState
from provider.models.base import Base

_OPEN = text("state in ('draft', 'active')")
_ONE_HOLDER = (
    "(case when connection_id is null then 0 else 1 end) + (case when company is null then 0 else 1 end)"
    " + (case when account is null then 0 else 1 end) = 1"
)


class Contract(Base):
    """With one connection, or with every connection of a company or of an account."""

    __tablename__ = "contracts"
    __table_args__ = (
        CheckConstraint(f"state in ({', '.join(repr(str(one)) for one in ContractState)})", name="state"),
        CheckConstraint(_ONE_HOLDER, name="holder"),
        CheckConstraint("ends_on is null or ends_on >= starts_on", name="term"),
        CheckConstraint("state not in ('active', 'expired') or signed_at is not null", name="signed"),
        UniqueConstraint("number"),
        Index("ix_contracts_connection_id", "connection_id"),
        Index("ix_contracts_open", "state", "ends_on", postgresql_where=_OPEN, sqlite_where=_OPEN),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    number: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(120))
    connection_id: Mapped[str | None] = mapped_column(ForeignKey(Connection.id))
    company: Mapped[str | None] = mapped_column(String(120))
    """That of a registration."""
    account: Mapped[str | None] = mapped_column(String(120))
    """That of the settings of a connection."""
    state: Mapped[str] = mapped_column(String(10))
    starts_on: Mapped[date] = mapped_column(Date)
    ends_on: Mapped[date | None] = mapped_column(Date)
    """The last day; empty: without an end."""
    signed_at: Mapped[datetime | None]
    """When people activated it. Before its first day it is a draft all the same."""
    reason: Mapped[str | None] = mapped_column(String(500))
    """Why it was canceled."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class ContractLine(Base):
    """One thing that the contract is for, in all its versions, by the id that the catalog gives it."""

    __tablename__ = "contract_lines"
    __table_args__ = (
        CheckConstraint("position >= 1", name="position"),
        CheckConstraint("quantity is null or quantity >= 1", name="quantity"),
        CheckConstraint("(offering is null) <> (specification is null)", name="subject"),
        Index("ix_contract_lines_offering", "offering"),
    )

    contract_id: Mapped[str] = mapped_column(ForeignKey(Contract.id), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    offering: Mapped[str | None] = mapped_column(String(120))
    specification: Mapped[str | None] = mapped_column(String(120))
    quantity: Mapped[int | None] = mapped_column(Integer)
    """How many it entitles to; empty: as many as they like. What was used of it is not counted yet."""
