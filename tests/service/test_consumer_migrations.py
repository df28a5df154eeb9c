"""The revisions of the consumer make exactly the tables that its models describe, on both databases."""

from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect

import bridge.models
import consumer_sim.models
import webkit.models
from bridge.database import Database
from consumer_sim import migrations


def test_the_schema_is_the_one_of_the_models(database_url: str) -> None:
    migrations.upgrade(database_url)
    database = Database(database_url)
    with database.transaction() as session:
        connection = session.connection()
        options: dict[str, Any] = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        both = [module.models.Base.metadata for module in (bridge, webkit, consumer_sim)]
        context.opts["target_metadata"] = both
        differences = [difference for difference in compare_metadata(context, both) if not _is_own(difference)]  # type: ignore[arg-type]
    database.close()
    assert differences == []


def test_the_checks_are_those_of_the_models(sqlite_url: str, tmp_path: Path) -> None:
    """Autogenerate does not compare check constraints."""
    migrations.upgrade(sqlite_url)
    made_url = f"sqlite:///{tmp_path / 'made.db'}"
    migrations.upgrade(made_url)
    made = create_engine(made_url)
    consumer_sim.models.Base.metadata.drop_all(made)
    consumer_sim.models.Base.metadata.create_all(made)
    migrated = create_engine(sqlite_url)
    tables = consumer_sim.models.Base.metadata.tables
    assert {name: _checks(migrated, name) for name in tables} == {name: _checks(made, name) for name in tables}
    made.dispose()
    migrated.dispose()


def _checks(engine: Engine, table: str) -> set[tuple[str | None, str]]:
    return {(check["name"], check["sqltext"]) for check in inspect(engine).get_check_constraints(table)}


def test_upgrading_twice_changes_nothing(database_url: str) -> None:
    migrations.upgrade(database_url)
    migrations.upgrade(database_url)


def _is_own(difference: Any) -> bool:
    """Alembic's own table."""
    return difference[0] == "remove_table" and difference[1].name == "alembic_version"


def test_the_revisions_are_part_of_the_package_and_numbered_without_a_gap() -> None:
    versions = Path(migrations.__file__ or "").parent / "versions"
    numbers = sorted(int(path.name[:4]) for path in versions.glob("0*.py"))
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 7
