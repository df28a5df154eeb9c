"""The provider's own people, by the pages that both instances share."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from provider.domain.roles import Role
from provider.models.access import User
from provider.services import users
from provider.services.user_search import search_users
from provider.ui.context import actor, here
from webkit.people import make_pages


class People:
    """Every change is in the audit log."""

    roles = tuple(str(role) for role in Role)

    def search(self, session: Session, **wanted: Any) -> tuple[Sequence[User], int]:
        return search_users(session, **wanted)

    def get(self, session: Session, user_id: str) -> User:
        return users.get_user(session, user_id)

    def add(self, session: Session, name: str, roles: Sequence[str]) -> tuple[User, str]:
        return users.add_user(session, name, roles, **_who())

    def change_roles(self, session: Session, name: str, roles: Sequence[str]) -> User:
        return users.change_roles(session, name, roles, **_who())

    def set_password(self, session: Session, name: str, password_hash: str) -> User:
        return users.set_password(session, name, password_hash, **_who())

    def block(self, session: Session, name: str) -> User:
        users.must_leave_another(session, name)
        return users.disable_user(session, name, **_who())

    def unblock(self, session: Session, name: str) -> User:
        return users.enable_user(session, name, **_who())


def _who() -> dict[str, Any]:
    return {"actor": actor(), "now": here().clock()}


pages = make_pages(People())
