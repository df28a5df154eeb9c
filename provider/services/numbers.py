"""Numbers for people: a prefix that tells the kind, and at least seven digits."""

from sqlalchemy.orm import Session

from bridge.database import insert_into
from provider.models.orders import Counter

PREFIXES = {
    "registration": "REG",
    "order": "ORD",
    "order_line": "ORDL",
    "order_task": "TASK",
    "product": "PRD",
}


def next_number(session: Session, kind: str) -> str:
    """The next number of a kind, like `ORD0001042`. Taken numbers may be lost, never given twice."""
    return next_numbers(session, kind, 1)[0]


def next_numbers(session: Session, kind: str, count: int) -> list[str]:
    """`count` numbers in a row, in one statement.

    The row stays locked until the transaction ends: whoever takes several kinds takes them in the order of PREFIXES.
    """
    statement = insert_into(session, Counter).values(name=kind, value=count)
    statement = statement.on_conflict_do_update(index_elements=[Counter.name], set_={"value": Counter.value + count})
    last = session.execute(statement.returning(Counter.value)).scalar_one()
    return [f"{PREFIXES[kind]}{value:07d}" for value in range(last - count + 1, last + 1)]
