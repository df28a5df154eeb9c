"""The users of consumers, for whoever approves them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import Session

from bridge.models import Connection
from provider.models.personas import AuthorisedUser
from provider.services.personas import read_personas

SORTABLE = ("state", "name", "consumer", "changed")
STATES = ("requested", "approved", "refused")
_URGENCY = case((AuthorisedUser.approval == "requested", 0), (AuthorisedUser.approval == "approved", 1), else_=2)


@dataclass(frozen=True, slots=True)
class FoundUser:
    """A user, whose it is, and the names of its personas: what is held, and what is asked for beyond that."""

    user: AuthorisedUser
    consumer: str
    held: Sequence[str]
    asked: Sequence[str]


def search_authorised_users(
    session: Session, *, text: str = "", state: str = "", connection_id: str | None = None, sort: str = "state",
    descending: bool = False, offset: int = 0, limit: int = 25,
) -> tuple[list[FoundUser], int]:  # fmt: skip
    """One page of them, what waits first unless sorted otherwise, and how many there are."""
    wanted: list[ColumnElement[bool]] = []
    if text:
        wanted.append(or_(*(one.icontains(text, autoescape=True) for one in (AuthorisedUser.name, Connection.name))))
    if state:
        wanted.append(AuthorisedUser.approval == state)
    if connection_id:
        wanted.append(AuthorisedUser.connection_id == connection_id)
    query = select(AuthorisedUser, Connection.name).join(Connection, Connection.id == AuthorisedUser.connection_id)
    query = query.where(*wanted)
    total = session.scalar(select(func.count()).select_from(query.with_only_columns(AuthorisedUser.id).subquery())) or 0
    columns: dict[str, ColumnElement[Any]] = {
        "state": _URGENCY, "name": func.lower(AuthorisedUser.name), "consumer": func.lower(Connection.name),
        "changed": AuthorisedUser.updated_at.expression,
    }  # fmt: skip
    first = columns[sort]
    order = (first.desc() if descending else first, func.lower(AuthorisedUser.name), AuthorisedUser.id)
    rows = [(row[0], row[1]) for row in session.execute(query.order_by(*order).offset(offset).limit(limit))]
    names = read_personas(session, {one for user, _ in rows for one in user.persona_ids})
    return [_found(user, consumer, names) for user, consumer in rows], total


def _found(user: AuthorisedUser, consumer: str, names: Mapping[str, Mapping[str, Any]]) -> FoundUser:
    told = [(one, str(names[one]["name"]) if one in names else "a persona that is gone") for one in user.persona_ids]
    held = [name for one, name in told if one in user.approved_persona_ids]
    return FoundUser(user, consumer, held, [name for one, name in told if one not in user.approved_persona_ids])
