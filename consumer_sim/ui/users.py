"""The consumer's own people, by the pages that both instances share."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from consumer_sim.models import User
from consumer_sim.services import users
from consumer_sim.services.user_search import search_users
from webkit.people import make_pages


class People:
    """Its API has one token for all programs: nobody has one of their own."""

    roles = tuple(str(role) for role in users.Role)

    def search(self, session: Session, **wanted: Any) -> tuple[Sequence[User], int]:
        return search_users(session, **wanted)

    def get(self, session: Session, user_id: str) -> User:
        return users.get_user(session, user_id)

    def add(self, session: Session, name: str, roles: Sequence[str]) -> tuple[User, None]:
        return users.add_user(session, name, roles), None

    def change_roles(self, session: Session, name: str, roles: Sequence[str]) -> User:
        return users.change_roles(session, name, roles)

    def set_password(self, session: Session, name: str, password_hash: str) -> User:
        return users.set_password(session, name, password_hash)

    def block(self, session: Session, name: str) -> User:
        users.must_leave_another(session, name)
        return users.disable_user(session, name)

    def unblock(self, session: Session, name: str) -> User:
        return users.enable_user(session, name)


pages = make_pages(People())
