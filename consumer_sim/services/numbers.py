"""Numbers for people: minted here before anything is sent, with the prefix that the provider made ours alone."""

import re

from sqlalchemy import case, select
from sqlalchemy.orm import Session

from bridge.database import insert_into
from consumer_sim.models import Counter, ProviderConnection, ProviderTask
from consumer_sim.models_remote_tasks import Ticket


def next_task_number(session: Session, connection_id: str, *, free_from: str | None = None) -> str:
    """The next free number of the connection, at least `free_from`, the one the provider says is free; `ACME-
    PT0000001` at first.

    A number that a placeholder has is skipped: after a restore the provider tells of requests this database has
    forgotten.
    """
    query = select(ProviderConnection.number_prefix).where(ProviderConnection.connection_id == connection_id)
    prefix = session.execute(query).scalar_one() or ""
    least = _value_of(free_from, prefix) if free_from else 1
    while True:
        number = f"{prefix}-PT{_take(session, f'provider_task/{connection_id}', least):07d}"
        taken = select(ProviderTask.id).where(
            ProviderTask.connection_id == connection_id, ProviderTask.number == number
        )
        if session.execute(taken.limit(1)).first() is None:
            return number


def next_remote_task_number(session: Session, connection_id: str) -> str:
    """The next number of a remote task to this provider; `ACME-RT0000001` at first."""
    query = select(ProviderConnection.number_prefix).where(ProviderConnection.connection_id == connection_id)
    prefix = session.execute(query).scalar_one() or ""
    return f"{prefix}-RT{_take(session, f'remote_task/{connection_id}', 1):07d}"


def next_ticket_number(session: Session) -> str:
    """`TKT0000001` at first."""
    return f"TKT{_take(session, 'ticket', 1):07d}"


def keep_ticket_number(session: Session, number: str) -> str:
    """The number that a ticket had before it was lost here, if it is free, and never given again; else the next."""
    found = re.fullmatch(r"TKT([0-9]{7,12})", number)
    if found is None or session.scalars(select(Ticket.id).where(Ticket.number == number)).first() is not None:
        return next_ticket_number(session)
    _take(session, "ticket", int(found[1]))
    return number


def _take(session: Session, series: str, least: int) -> int:
    statement = insert_into(session, Counter).values(name=series, value=least)
    following = Counter.value + 1
    value = case((following < least, least), else_=following)
    upsert = statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}).returning(Counter.value)
    return int(session.execute(upsert).scalar_one())


def _value_of(number: str, prefix: str) -> int:
    """1 for a number that is not one of ours: what the provider says must not push the counter anywhere."""
    found = re.fullmatch(re.escape(prefix) + r"-PT([0-9]{7,12})", number)
    return int(found[1]) if found else 1
