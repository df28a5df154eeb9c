"""Numbers for people: a prefix that tells the kind, and at least seven digits."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Session

from bridge.models import table_of
from provider.models.orders import Counter

PREFIXES = {
    "registration": "REG",
    "order": "ORD",
    "order_line": "ORDL",
    "order_task": "TASK",
    "product": "PRD",
}

_COUNTERS = table_of(Counter)


_INSERT = sqlite.insert(_COUNTERS)
_COUNT_ON = _INSERT.on_conflict_do_update(
    index_elements=[_COUNTERS.c.name], set_={"value": _COUNTERS.c.value + _INSERT.excluded.value}
).returning(_COUNTERS.c.value)
_NEXT = text("select nextval(cast(:sequence as regclass)) from generate_series(1, :count)")


def next_number(session: Session, kind: str) -> str:
    """The next number of a kind, like `ORD0001042`. Taken numbers may be lost, never given twice."""
    return next_numbers(session, kind, 1)[0]


def next_numbers(session: Session, kind: str, count: int) -> list[str]:
    """`count` numbers, ascending, in one statement.

    On PostgreSQL they come from a sequence, so that nobody waits for another's commit; on SQLite, which has one writer
    at a time, from a counter.
    """
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        values: Sequence[int] = (
            connection.execute(_NEXT, {"sequence": f"{kind}_numbers", "count": count}).scalars().all()
        )
    else:
        last = connection.execute(_COUNT_ON, {"name": kind, "value": count}).scalar_one()
        values = range(last - count + 1, last + 1)
    return [f"{PREFIXES[kind]}{value:07d}" for value in values]
