"""The people of the provider, found by name, role and state."""

from collections.abc import Sequence

from sqlalchemy import String, cast, func, select
from sqlalchemy.orm import Session

from provider.models.access import User


def search_users(
    session: Session, *, text: str, role: str, state: str, sort: str, descending: bool, offset: int, limit: int
) -> tuple[Sequence[User], int]:
    """One page of the users, and how many there are. `state` is "active", "blocked" or empty; `sort` "name" or
    "state".
    """
    query = select(User)
    if text:
        query = query.where(User.name.icontains(text, autoescape=True))
    if role:
        query = query.where(cast(User.roles, String).contains(f'"{role}"', autoescape=True))
    if state:
        query = query.where(User.active.is_(state == "active"))
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    name = func.lower(User.name)
    first = User.active if sort == "state" else name
    order = (first.desc() if descending else first, name, User.id)
    return session.scalars(query.order_by(*order).offset(offset).limit(limit)).all(), total
