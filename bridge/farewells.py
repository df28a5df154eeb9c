"""Telling the other side that a connection has ended, when it can be reached: nothing waits for that, and a side that
is gone for good is given up after a month.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.database import insert_into
from bridge.models import Connection, Farewell

GIVEN_UP_AFTER = timedelta(days=30)
_PAUSE = timedelta(seconds=5)
_PAUSE_LIMIT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Parting:
    """What is to be told, through a connection as it was before it ended."""

    connection: Connection
    reason: str


def keep_farewell(session: Session, connection: Connection, reason: str, *, told: bool, now: datetime) -> None:
    """Remember what the other side is to be told, with the secrets to say it with; the connection can lose its own.

    With `told` it was the other side that ended it.
    """
    untold = {} if told else {"secrets": connection.secrets, "next_at": now}
    values = {"connection_id": connection.id, "reason": reason, "ended_at": now, "tries": 0, **untold}
    row = insert_into(session, Farewell).values(**values, told_at=now if told else None)
    session.execute(row.on_conflict_do_nothing())


def claim_farewells(session: Session, *, now: datetime, limit: int = 20) -> list[Parting]:
    """Those to be said now. Each is moved on, so that no other process says it too, and later each time."""
    due = select(Farewell).where(Farewell.next_at <= now).order_by(Farewell.next_at).limit(limit).with_for_update()
    partings = []
    for farewell in session.scalars(due).all():
        farewell.tries += 1
        farewell.next_at = now + min(_PAUSE * 2 ** min(farewell.tries - 1, 16), _PAUSE_LIMIT)
        ended = session.get_one(Connection, farewell.connection_id)
        through = Connection(
            id=ended.id, name=ended.name, peer_url=ended.peer_url, client_id=ended.client_id, secrets=farewell.secrets,
        )  # fmt: skip
        partings.append(Parting(through, farewell.reason))
    return partings


def find_due(session: Session, *, now: datetime) -> bool:
    """Whether any is to be said: a read, where claiming writes."""
    return session.scalar(select(Farewell.connection_id).where(Farewell.next_at <= now).limit(1)) is not None


def settle_farewell(session: Session, connection_id: str, problem: str | None, *, now: datetime) -> None:
    """It was said, or not because of `problem`. The secrets go with the last try."""
    farewell = session.get_one(Farewell, connection_id, with_for_update=True)
    farewell.problem = problem[:2000] if problem else None
    if problem is None:
        farewell.told_at = now
    if problem is None or now - farewell.ended_at > GIVEN_UP_AFTER:
        farewell.secrets = farewell.next_at = None
