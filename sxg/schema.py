"""Has the database of an instance the schema that this version of the code was written for?

Each process asks at its start, so this does without Alembic, which takes 10 MB that no process needs again.
"""

from importlib.resources import files

from sqlalchemy import column, select, table
from sqlalchemy.orm import Session

from bridge.database import Database
from sxg.failures import CommandFailed

_PACKAGES = {"provider": "provider", "consumer": "consumer_sim"}
_ALEMBIC_VERSION = table("alembic_version", column("version_num"))


def newest_revision(side: str) -> str:
    """Of the side's migrations, whose files are named after their revisions: `0003_orders.py`."""
    versions = files(_PACKAGES[side]) / "migrations" / "versions"
    return max(file.name.partition("_")[0] for file in versions.iterdir() if file.name.endswith(".py"))


def check_migrated(side: str, database_url: str) -> None:
    """Raises CommandFailed unless the database has the newest schema."""
    database = Database(database_url)
    try:
        with database.reading() as session:
            present = _present_revision(session)
    finally:
        database.close()
    newest = newest_revision(side)
    if present != newest:
        found = f"has revision {present}" if present else "is empty"
        raise CommandFailed(f"the database of the {side} {found}, {newest} is needed; run: sxg migrate {side}")


def _present_revision(session: Session) -> str | None:
    connection = session.connection()
    if not connection.dialect.has_table(connection, _ALEMBIC_VERSION.name):
        return None
    return session.execute(select(_ALEMBIC_VERSION.c.version_num)).scalar_one_or_none()
