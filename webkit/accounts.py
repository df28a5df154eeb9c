"""Who may sign in, and with which password?"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask_login import AnonymousUserMixin, UserMixin
from sqlalchemy.orm import Session

PASSWORD_LEAST = 12
PASSWORD_MOST = 200
_NAMED = 5

_hasher = PasswordHasher()
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$mwYko8fXfVMiOUazOVK2tQ$sG6fXKrYrOAPjFg4EEuEb3LgmXzFe9xJmczevuyS5M4"
"""What a password is compared with where there is none: of "nobody has this password", for which nobody is let in.
Written down, for to make it takes a fifth of a second at the start of each process.
"""


@dataclass(frozen=True)
class Account(UserMixin):  # type: ignore[misc]
    """A person of the instance, as the pages see them. `roles` are words for people, `permissions` decide."""

    id: str
    name: str
    roles: tuple[str, ...]
    permissions: frozenset[str]

    def may(self, permission: str) -> bool:
        return permission in self.permissions


class Stranger(AnonymousUserMixin):  # type: ignore[misc]
    """Whoever is not signed in."""

    name = ""
    roles: tuple[str, ...] = ()

    def may(self, permission: str) -> bool:
        return False


class Accounts(Protocol):
    """Where an instance keeps its people. Disabled ones are not found."""

    def find(self, session: Session, account_id: str) -> Account | None: ...

    def find_by_name(self, session: Session, name: str) -> tuple[Account, str | None] | None:
        """The account and its password's hash, if it has one."""

    def whom_to_ask(self, session: Session, permission: str) -> Iterable[str]:
        """Roles, or people, that hold a permission: whom one asks who does not."""


def name_holders(people: Iterable[tuple[str, Iterable[str]]], roles: set[str]) -> list[str]:
    """A few of the people who have one of the roles, each with those; the roles alone when nobody has one."""
    found = [f"{name} ({', '.join(sorted(roles & {*held}))})" for name, held in people if roles & {*held}]
    return found[:_NAMED] or sorted(roles)


def hash_password(password: str) -> str:
    """For the account's row (argon2id). The length is the caller's to check: `PASSWORD_LEAST` to `PASSWORD_MOST`."""
    return _hasher.hash(password)


def sign_in(session: Session, accounts: Accounts, name: str, password: str) -> Account | None:
    """The account, if this is its password. It takes the same time for a name that nobody has."""
    found = accounts.find_by_name(session, name)
    account, password_hash = found if found else (None, None)
    try:
        _hasher.verify(password_hash or _NOBODY, password)
    except (VerificationError, InvalidHashError):
        return None
    return account if password_hash else None
