"""Numbers for people: a prefix that tells the kind, and at least seven digits."""

from typing import Any

from sqlalchemy.orm import Session

from bridge.database import inserts_into
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


def _count_on(insert: Any) -> Any:
    raised = {"value": _COUNTERS.c.value + insert.excluded.value}
    return insert.on_conflict_do_update(index_elements=[_COUNTERS.c.name], set_=raised).returning(_COUNTERS.c.value)


_COUNT_ON = inserts_into(_COUNTERS, _count_on)


def next_number(session: Session, kind: str) -> str:
    """The next number of a kind, like `ORD0001042`. Taken numbers may be lost, never given twice."""
    return next_numbers(session, kind, 1)[0]


def next_numbers(session: Session, kind: str, count: int) -> list[str]:
    """`count` numbers in a row, in one statement.

    The row stays locked until the transaction ends: whoever takes several kinds takes them in the order of PREFIXES.
    """
    connection = session.connection()
    last = connection.execute(_COUNT_ON[connection.dialect.name], {"name": kind, "value": count}).scalar_one()
    return [f"{PREFIXES[kind]}{value:07d}" for value in range(last - count + 1, last + 1)]
