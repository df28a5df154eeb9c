"""Numbers for people: a prefix that tells the kind, and at least seven digits."""

import json
from collections.abc import Mapping, Sequence
from functools import cache

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

_SKIPPED = 1000
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


@cache
def _count_on(kinds: int) -> TextClause:
    rows = ", ".join(f"(:name{place}, :count{place})" for place in range(kinds))
    return text(
        f"insert into counters (name, value) values {rows}"  # noqa: S608 - names of parameters, no values
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


def skip_given_numbers(session: Session) -> None:
    """This database was restored: numbers that were given after the backup must not be given again."""
    take_numbers(session, dict.fromkeys(PREFIXES, _SKIPPED))


def take_numbers(session: Session, counts: Mapping[str, int]) -> dict[str, list[str]]:
    """So many numbers of each kind, ascending, in one statement.

    On PostgreSQL they come from sequences, so that nobody waits for another's commit; on SQLite, which has one writer
    at a time, from counters.
    """
    connection = session.connection()
    values: dict[str, Sequence[int]]
    if connection.dialect.name == "postgresql":
        values = {kind: taken for kind, taken in connection.execute(_NEXT, {"counts": json.dumps(counts)})}
    else:
        asked: dict[str, str | int] = {f"name{place}": kind for place, kind in enumerate(counts)}
        asked |= {f"count{place}": count for place, count in enumerate(counts.values())}
        rows = connection.execute(_count_on(len(counts)), asked)
        values = {kind: range(last - counts[kind] + 1, last + 1) for kind, last in rows}
    return {kind: [f"{PREFIXES[kind]}{value:07d}" for value in taken] for kind, taken in values.items()}
