"""The migrations make the schema that the models describe, on both databases, however often they run."""

import importlib
import pkgutil
from collections.abc import Callable
from threading import Thread
from uuid import uuid4

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

import bridge.models
import provider.models
import webkit.models
from bridge.database import Database
from bridge.migrations import DOCUMENT, ID, TIME
from provider.migrations import upgrade
from provider.models.base import Base
from tests.factories import NOW

for module in pkgutil.iter_modules(provider.models.__path__):
    importlib.import_module(f"provider.models.{module.name}")
METADATA = [bridge.models.Base.metadata, webkit.models.Base.metadata, Base.metadata]


@pytest.fixture
def engine(empty_database_url: str):  # type: ignore[no-untyped-def]
    upgrade(empty_database_url)
    database = Database(empty_database_url)
    yield database.engine
    database.close()


def test_migrations_leave_nothing_for_autogenerate(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, METADATA) == []  # type: ignore[arg-type]


def test_migrated_and_created_schemas_are_the_same_statement_by_statement(engine: sa.Engine) -> None:
    """Autogenerate does not compare check constraints, partial indexes or table options; this does."""
    migrated = _schema(engine)
    with engine.begin() as connection:
        for name in sa.inspect(connection).get_table_names():
            connection.exec_driver_sql(
                f"drop table {name}" + (" cascade" if engine.dialect.name == "postgresql" else "")
            )
        for metadata in METADATA:
            metadata.create_all(connection)
    assert migrated == _schema(engine)


def test_a_second_run_changes_nothing(empty_database_url: str, engine: sa.Engine) -> None:
    before = _schema(engine)
    upgrade(empty_database_url)
    assert _schema(engine) == before
    with engine.connect() as connection:
        assert connection.execute(sa.text("select count(*) from entitlement_guard")).scalar_one() == 1


def test_approvals_are_held_for_consumers_that_named_what_they_know_before(empty_database_url: str) -> None:
    config, database = Config(), Database(empty_database_url)
    config.set_main_option("script_location", "provider:migrations")
    config.set_main_option("path_separator", "os")
    with database.transaction() as session:
        config.attributes["connection"] = session.connection()
        command.upgrade(config, "0019")
    names = ("id", "name", "state", "settings", "created_at", "unspoken")
    types = (ID, sa.String(), sa.String(), DOCUMENT, TIME, DOCUMENT)
    table = sa.table("connections", *(sa.column(name, type_) for name, type_ in zip(names, types, strict=True)))
    before: dict[str, list[str] | None] = {"old": ["exchange.z"], "new": [], "silent": None}
    with database.transaction() as session:
        for name, unspoken in before.items():
            told = {} if unspoken is None else {"unspoken": unspoken}
            row = {"id": str(uuid4()), "name": name, "state": "active", "settings": {}, "created_at": NOW}
            session.execute(sa.insert(table).values(row | told))
    upgrade(empty_database_url)
    with database.reading() as session:
        query = sa.select(bridge.models.Connection.name, bridge.models.Connection.unspoken)
        after = {name: unspoken for name, unspoken in session.execute(query)}
    database.close()
    held = "exchange.provider_task.approval_changed"
    assert after == {"old": [held, "exchange.z"], "new": [held], "silent": None}


def test_processes_that_start_together_upgrade_once(empty_database_url: str) -> None:
    faults: list[BaseException] = []

    def run() -> None:
        try:
            upgrade(empty_database_url)
        except BaseException as fault:  # noqa: BLE001 - handed to the test's own thread
            faults.append(fault)

    threads = [Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def _schema(engine: sa.Engine) -> dict[str, object]:
    read: Callable[[sa.Connection], dict[str, object]]
    read = _postgresql_schema if engine.dialect.name == "postgresql" else _sqlite_schema
    with engine.connect() as connection:
        return read(connection)


def _sqlite_schema(connection: sa.Connection) -> dict[str, object]:
    """Without quotes, line breaks and the order of columns: a table that was changed is written otherwise."""
    rows = connection.execute(sa.text("select name, sql from sqlite_master where sql is not null"))
    return {name: _parts(" ".join(sql.replace('"', "").split())) for name, sql in rows if name != "alembic_version"}


def _parts(sql: str) -> list[str]:
    """What stands between the outermost parentheses and commas, sorted, and what stands around it."""
    parts, depth = [""], 0
    for character in sql:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if (character, depth) in ((",", 1), ("(", 1), (")", 0)):
            parts.append("")
        else:
            parts[-1] += character
    return sorted(part.strip() for part in parts)


def _postgresql_schema(connection: sa.Connection) -> dict[str, object]:
    inspector = sa.inspect(connection)
    constraints = connection.execute(
        sa.text(
            "select conname, pg_get_constraintdef(oid) from pg_constraint where connamespace = 'public'::regnamespace"
        )
    )
    indexes = connection.execute(sa.text("select indexname, indexdef from pg_indexes where schemaname = 'public'"))
    columns = {
        f"{table}.{column['name']}": (str(column["type"]), column["nullable"], column["default"])
        for table in inspector.get_table_names()
        for column in inspector.get_columns(table)
    }
    found = {**columns, **{row[0]: row[1] for row in constraints}, **{row[0]: row[1] for row in indexes}}
    return {name: value for name, value in found.items() if not name.startswith("alembic_version")}
