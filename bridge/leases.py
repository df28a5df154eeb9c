"""Who drains a connection: one lease each, measured by the database's clock, every write fenced by its token.

A drain that lost its lease, for whatever reason it slept, changes nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.orm import Session

from bridge.database import database_now_s, insert_into
from bridge.errors import LeaseLost
from bridge.models import Connection, Lease, Stream, table_of
from bridge.vocabulary import BATCH_LIMIT_EVENTS, FAST_DEADLINE_S, ConnectionState

_LEASES = table_of(Lease)
_SWEEP_LIMIT = 1000


@dataclass(slots=True)
class Held:
    """A lease in our hands, with what the last answers taught."""

    connection_id: str
    token: str
    not_before: datetime | None
    failures: int
    failing_since: datetime | None
    batch_limit: int
    last_duration_s: float
    last_success_at: datetime | None
    last_error: str | None

    @property
    def is_slow(self) -> bool:
        """Whether the last answer took as long as the fast lane waits."""
        return self.last_duration_s >= FAST_DEADLINE_S * 0.9


_LEARNT = ("not_before", "failures", "failing_since", "batch_limit", "last_duration_s", "last_success_at", "last_error")
_IS_OURS = (_LEASES.c.connection_id == bindparam("b_connection_id")) & (_LEASES.c.token == bindparam("b_token"))
_NOW_S = database_now_s()
_LEASE_S: Any = bindparam("b_lease_s")
_FREE = or_(_LEASES.c.token.is_(None), _LEASES.c.deadline_s < _NOW_S, _LEASES.c.deadline_s > _NOW_S + _LEASE_S)

_TAKE = (
    update(_LEASES)
    .where(_LEASES.c.connection_id == bindparam("b_connection_id"), _FREE)
    .values(token=bindparam("b_token"), deadline_s=_NOW_S + _LEASE_S)
    .returning(_LEASES.c.token)
)
_RENEW = (
    update(_LEASES)
    .where(_IS_OURS)
    .values(deadline_s=_NOW_S + _LEASE_S)
    .returning(*(_LEASES.c[name] for name in _LEARNT))
)
_LEARN = update(_LEASES).where(_IS_OURS).values({name: bindparam(name) for name in _LEARNT})
_RELEASE = update(_LEASES).where(_IS_OURS).values(token=None)


def acquire(session: Session, connection_id: str, *, lease_s: float) -> str | None:
    """A token for the connection, or None while another drain holds it.

    A deadline further away than a whole lease was written before the database's clock was set back: it counts as over.
    """
    connection, token = session.connection(), str(uuid4())
    wanted = {"b_connection_id": connection_id, "b_token": token, "b_lease_s": lease_s}
    if connection.execute(_TAKE, wanted).first():
        return token
    first = insert_into(session, _LEASES).values(
        connection_id=connection_id,
        token=token,
        deadline_s=_NOW_S + lease_s,
        failures=0,
        batch_limit=BATCH_LIMIT_EVENTS,
        last_duration_s=0.0,
    )
    return token if connection.execute(first.on_conflict_do_nothing().returning(_LEASES.c.token)).first() else None


def renew(session: Session, connection_id: str, token: str, *, lease_s: float) -> Held:
    """A whole lease from now. Raises LeaseLost: then nothing may be written."""
    ours = {"b_connection_id": connection_id, "b_token": token, "b_lease_s": lease_s}
    row = session.connection().execute(_RENEW, ours).first()
    if row is None:
        raise LeaseLost(f"the lease of connection {connection_id} was taken by another drain")
    return Held(connection_id, token, *row)


def learn(session: Session, held: Held) -> None:
    """Keep what the last answer taught."""
    values = {name: getattr(held, name) for name in _LEARNT}
    session.connection().execute(_LEARN, values | {"b_connection_id": held.connection_id, "b_token": held.token})


def release(session: Session, connection_id: str, token: str) -> None:
    session.connection().execute(_RELEASE, {"b_connection_id": connection_id, "b_token": token})


def due_connections(session: Session, *, now: datetime, lease_s: float, only: str | None = None) -> list[str]:
    """Connections with something to send that nobody drains and no pause holds back."""
    pending = select(Stream.id).where(Stream.connection_id == Connection.id, Stream.due_at <= now).exists()
    free = or_(Lease.connection_id.is_(None), _FREE)
    may = or_(Lease.not_before.is_(None), Lease.not_before <= now)
    query = (
        select(Connection.id)
        .outerjoin(Lease, Lease.connection_id == Connection.id)
        .where(Connection.state == ConnectionState.ACTIVE, free, may, pending)
        .limit(_SWEEP_LIMIT)
    )
    return list(session.scalars(query.where(Connection.id == only) if only else query, {"b_lease_s": lease_s}))


def is_slow(session: Session, connection_id: str) -> bool:
    """As Held.is_slow, for whoever holds no lease."""
    duration_s = session.execute(
        select(Lease.last_duration_s).where(Lease.connection_id == connection_id)
    ).scalar_one_or_none()
    return (duration_s or 0.0) >= FAST_DEADLINE_S * 0.9
