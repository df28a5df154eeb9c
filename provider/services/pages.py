"""Lists in pages that stay right while rows are added: by the key of the last row, never by an offset."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Integer, Select, Uuid, literal, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from bridge.database import UtcDateTime
from provider.domain.errors import FieldError, InvalidFields

T = TypeVar("T")
Key = InstrumentedAttribute[Any]


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some rows, and the key after which the next page begins; None at the end."""

    items: list[T]
    next_key: list[Any] | None


def read_page(
    session: Session, statement: Select[Any], keys: Sequence[Key], *, limit: int, after: Sequence[Any] | None
) -> Page[Any]:
    """One page, ordered by `keys`, which together are unique. Raises InvalidFields for a cursor of another list."""
    if after is not None:
        statement = statement.where(_beyond(keys, after))
    rows = list(session.execute(statement.order_by(*keys).limit(limit + 1)).scalars())
    if len(rows) <= limit:
        return Page(rows, None)
    last = rows[limit - 1]
    return Page(rows[:limit], [_plain(getattr(last, key.key)) for key in keys])


def _beyond(keys: Sequence[Key], after: Sequence[Any]) -> ColumnElement[bool]:
    try:
        values = [literal(_read(key, value), key.type) for key, value in zip(keys, after, strict=True)]
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise InvalidFields([FieldError("/cursor", "invalid", "the cursor is not one that this list gave")]) from None
    return tuple_(*keys) > tuple_(*values)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _read(key: Key, value: Any) -> Any:
    """The value back from JSON. It comes from outside: what the column could not hold must not reach the database."""
    if isinstance(key.type, Uuid):
        return str(UUID(value))
    if isinstance(key.type, UtcDateTime):
        return datetime.fromisoformat(value).astimezone(UTC)
    if type(value) is not key.type.python_type:
        raise TypeError
    if isinstance(key.type, Integer) and not isinstance(key.type, BigInteger) and abs(value) >= 2**31:
        raise OverflowError
    return value
