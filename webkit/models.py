"""Who is signed in: the table that both instances have for their pages."""

from sqlalchemy import BigInteger, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"})


class PageSession(Base):
    """One browser's session. Its id is kept as SHA-256 only: who reads the database is not signed in by it.

    Times are whole seconds since 1970.
    """

    __tablename__ = "page_sessions"

    id_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[str | None] = mapped_column(String(36), index=True)
    """Empty before sign-in."""
    data: Mapped[str] = mapped_column(Text)
    created_at_s: Mapped[int] = mapped_column(BigInteger)
    seen_at_s: Mapped[int] = mapped_column(BigInteger, index=True)
