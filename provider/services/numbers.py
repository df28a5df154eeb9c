"""Numbers for people: a prefix that tells the kind, and at least seven digits."""

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

PREFIXES = {
    "registration": "REG",
    "order": "ORD",
    "order_line": "ORDL",
    "order_task": "TASK",
    "product": "PRD",
    "provider_task": "PT",
    "contract": "CON",
    "incident": "INC",
}

_COUNT_ON = text(
    "insert into counters (name, value) select key, value from json_each(:counts) where true"
    " on conflict (name) do update set value = counters.value + excluded.value returning name, value"
)
_NEXT = text(
    "select key, array(select nextval(cast(key || '_numbers' as regclass)) from generate_series(1, cast(value as int)))"
    " from json_each_text(cast(:counts as json))"
)


def next_number(session: Session, kind: str) -> str:
    """The next number of a kind, like `ORD0001042`. Taken numbers may be lost, never given twice."""
    return next_numbers(session, kind, 1)[0]


def next_numbers(session: Session, kind: str, count: int) -> list[str]:
    """`count` numbers, ascending."""
    return take_numbers(session, {kind: count})[kind]


def take_numbers(session: Session, counts: Mapping[str, int]) -> dict[str, list[str]]:
    """So many numbers of each kind, ascending, in one statement.

    On PostgreSQL they come from sequences, so that nobody waits for another's commit; on SQLite, which has one writer
    at a time, from counters.
    """
    connection = session.connection()
    asked = {"counts": json.dumps(counts)}
    values: dict[str, Sequence[int]]
    if connection.dialect.name == "postgresql":
        values = {kind: taken for kind, taken in connection.execute(_NEXT, asked)}
    else:
        values = {kind: range(last - counts[kind] + 1, last + 1) for kind, last in connection.execute(_COUNT_ON, asked)}
    return {kind: [f"{PREFIXES[kind]}{value:07d}" for value in taken] for kind, taken in values.items()}
