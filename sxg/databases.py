"""What is done to an instance's database directly, without its API: the schema, and the first users."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bridge.database import Database
from bridge.migrations import upgrade
from sxg.failures import USAGE, CommandFailed
from sxg.schema import newest_revision

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


def add_user(database_url: str, name: str, roles: Sequence[str]) -> str:
    """A new user of the provider, and the token, told this once. Raises the domain's InvalidFields and Conflict."""
    from provider.services.users import add_user as add  # noqa: PLC0415 - only one side is loaded

    database = Database(database_url)
    try:
        with database.transaction() as session:
            _, token = add(session, name, roles, actor="system", now=datetime.now(UTC))
    finally:
        database.close()
    return token


def disable_user(database_url: str, name: str) -> None:
    """Raises the domain's NotFound."""
    from provider.services.users import disable_user as disable  # noqa: PLC0415

    database = Database(database_url)
    try:
        with database.transaction() as session:
            disable(session, name, actor="system", now=datetime.now(UTC))
    finally:
        database.close()


def list_users(database_url: str) -> list[dict[str, Any]]:
    """Name, roles and whether active, by name."""
    from sqlalchemy import select  # noqa: PLC0415

    from provider.models.access import User  # noqa: PLC0415

    database = Database(database_url)
    try:
        with database.reading() as session:
            users = session.scalars(select(User).order_by(User.name))
            return [{"name": user.name, "roles": user.roles, "active": user.active} for user in users]
    finally:
        database.close()
