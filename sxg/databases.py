"""What is done to an instance's database directly, without its API: the schema, and the first users."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.database import Database
from bridge.migrations import upgrade
from sxg.failures import USAGE, CommandFailed
from sxg.schema import newest_revision

ACTOR = "system"
"""Who did it, in the provider's log of what was done: whoever could reach its database."""
SCRIPTS = {"provider": "provider:migrations", "consumer": "consumer_sim:migrations"}


def check_url(database_url: str) -> None:
    """Raises CommandFailed for an address of neither database, or of a file that cannot be."""
    if not database_url.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        raise CommandFailed("a database URL begins with sqlite:/// or postgresql://", exit_code=USAGE)
    directory = Path(database_url.removeprefix("sqlite:///")).parent
    if database_url.startswith("sqlite:///") and not directory.is_dir():
        raise CommandFailed(f"there is no directory {directory} for the database", exit_code=USAGE)


def migrate(side: str, database_url: str) -> str:
    """Bring the database to the newest schema, and return its revision. Raises DatabaseBusy if it cannot be reached."""
    upgrade(database_url, SCRIPTS[side])
    return newest_revision(side)


def add_user(database_url: str, name: str, roles: Sequence[str], *, password: str | None = None) -> str:
    """A new user of the provider, and the token for its API, told this once; with a password, of its pages too.

    Raises the domain's InvalidFields and Conflict.
    """
    from provider.services import users  # noqa: PLC0415 - only one side is loaded

    with _transaction(database_url) as session:
        _, token = users.add_user(session, name, roles, actor=ACTOR, now=_now())
        if password is not None:
            _set_password(session, "provider", name, password)
    return token


def add_consumer_user(database_url: str, name: str, roles: Sequence[str], *, password: str | None = None) -> None:
    """A new person of the consumer, for its pages: its API has one token for all. Raises UserRefused."""
    from consumer_sim.services import users  # noqa: PLC0415

    with _transaction(database_url) as session:
        users.add_user(session, name, roles)
        if password is not None:
            _set_password(session, "consumer", name, password)


def set_password(side: str, database_url: str, name: str, password: str) -> None:
    """With this one they sign in from now on; who is signed in with the former one is out. Raises NotFound."""
    with _transaction(database_url) as session:
        _set_password(session, side, name, password)


def disable_user(side: str, database_url: str, name: str) -> None:
    """Token and sessions end at once. Raises the side's NotFound."""
    with _transaction(database_url) as session:
        if side == "provider":
            from provider.services import users  # noqa: PLC0415

            account_id = users.disable_user(session, name, actor=ACTOR, now=_now()).id
        else:
            from consumer_sim.services import users as people  # noqa: PLC0415

            account_id = people.disable_user(session, name).id
        _end_sessions(session, account_id)


def list_users(side: str, database_url: str) -> list[dict[str, Any]]:
    """Name, roles, whether active, and whether a password lets them sign in to the pages; by name."""
    database = Database(database_url)
    try:
        with database.reading() as session:
            return [
                {"name": one.name, "roles": one.roles, "active": one.active, "password": one.password_hash is not None}
                for one in session.scalars(_select_users(side))
            ]
    finally:
        database.close()


def _set_password(session: Session, side: str, name: str, password: str) -> None:
    from webkit.accounts import hash_password  # noqa: PLC0415 - loads argon2

    if side == "provider":
        from provider.services import users  # noqa: PLC0415

        account_id = users.set_password(session, name, hash_password(password), actor=ACTOR, now=_now()).id
    else:
        from consumer_sim.services import users as people  # noqa: PLC0415

        account_id = people.set_password(session, name, hash_password(password)).id
    _end_sessions(session, account_id)


def _end_sessions(session: Session, account_id: str) -> None:
    from webkit.sessions import end_sessions  # noqa: PLC0415 - loads Flask

    end_sessions(session, account_id)


def _select_users(side: str) -> Any:
    if side == "provider":
        from provider.models.access import User  # noqa: PLC0415
    else:
        from consumer_sim.models import User  # type: ignore[assignment]  # noqa: PLC0415
    return select(User).order_by(User.name)


@contextmanager
def _transaction(database_url: str) -> Iterator[Session]:
    database = Database(database_url)
    try:
        with database.transaction() as session:
            yield session
    finally:
        database.close()


def _now() -> datetime:
    return datetime.now(UTC)
