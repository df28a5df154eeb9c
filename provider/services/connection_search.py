"""Connections and registrations for those who look after them: found by word and state, in any order."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import Session

from bridge.models import Connection
from provider.models.access import Registration
from provider.services.connections import Document, show_connections
from provider.services.registrations import show_registration

_NEVER = datetime.min.replace(tzinfo=UTC)
_ENDLESS = datetime.max.replace(tzinfo=UTC)
_BY: Mapping[str, Callable[[Document], Any]] = {
    "name": lambda row: row["name"].lower(),
    "company": lambda row: (row["company"] or "").lower(),
    "state": lambda row: row["state"],
    "waiting": lambda row: row["flow"].waiting,
    "oldest": lambda row: row["flow"].oldest_at or _ENDLESS,
    "parked": lambda row: row["flow"].parked,
    "last_success": lambda row: row["flow"].last_success_at or _NEVER,
    "problem": lambda row: (row["problem"] is None, row["problem"] or ""),
}
CONNECTIONS_SORTABLE = tuple(_BY)
ILL, WELL = "ill", "well"

_STEP = case(
    (Registration.state == "open", 1), (Registration.state == "work_in_progress", 2),
    (Registration.state == "closed_complete", 3), else_=4,
)  # fmt: skip
_COLUMNS: Mapping[str, Any] = {
    "number": Registration.number,
    "company": func.lower(Registration.company),
    "step": _STEP,
    "created": Registration.created_at,
    "expires": Registration.token_expires_at,
}
REGISTRATIONS_SORTABLE = tuple(_COLUMNS)


def search_connections(
    session: Session, *, now: datetime, text: str = "", state: str = "", health: str = "", sort: str = "name",
    descending: bool = False, offset: int = 0, limit: int = 25,
) -> tuple[list[Document], int]:  # fmt: skip
    """One page of the connections that match, as `show_connection` tells of each, and how many match in all.

    `text` is part of a name, company, prefix or address. What the flow says is known of all at once only, so sorting is
    done here: there are hundreds of connections, not more. `health` is ILL for those with a problem, or WELL.
    """
    query = select(Connection).outerjoin(Registration, Registration.connection_id == Connection.id)
    searched = (Connection.name, Registration.company, Connection.number_prefix, Connection.peer_url)
    query = query.where(*_contains(text, searched))
    if state:
        query = query.where(Connection.state == state)
    rows = show_connections(session, session.scalars(query.order_by(Connection.created_at)).all(), now=now)
    if health:
        rows = [row for row in rows if (row["problem"] is None) == (health == WELL)]
    rows.sort(key=_BY[sort], reverse=descending)
    return rows[offset : offset + limit], len(rows)


def search_registrations(
    session: Session, *, now: datetime, text: str = "", state: str = "", sort: str = "number", descending: bool = True,
    offset: int = 0, limit: int = 25,
) -> tuple[list[Document], int]:  # fmt: skip
    """One page of the registrations that match, as `show_registration` tells of each, and how many match in all."""
    searched = (Registration.number, Registration.company, Registration.contact_name, Registration.contact_email)
    query = select(Registration).where(*_contains(text, searched))
    if state:
        query = query.where(Registration.state == state)
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    key = _COLUMNS[sort]
    order = (key.desc(), Registration.number.desc()) if descending else (key, Registration.number)
    found = session.scalars(query.order_by(*order).offset(offset).limit(limit))
    return [show_registration(one, now=now) for one in found], total


def _contains(text: str, columns: Sequence[Any]) -> list[ColumnElement[bool]]:
    return [or_(*(column.icontains(text, autoescape=True) for column in columns))] if text else []
