"""The revisions of the consumer make exactly the tables that its models describe, on both databases."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect

import bridge.models
import consumer_sim.models
import consumer_sim.models_attachments
import consumer_sim.models_cases
import consumer_sim.models_choices
import consumer_sim.models_personas
import consumer_sim.models_remote_tasks
import consumer_sim.models_task_approvals
import webkit.models
from bridge.database import Database
from bridge.migrations import DOCUMENT, ID, TIME
from consumer_sim import migrations
from tests.factories import NOW


def test_the_schema_is_the_one_of_the_models(empty_database_url: str) -> None:
    migrations.upgrade(empty_database_url)
    database = Database(empty_database_url)
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


def test_upgrading_twice_changes_nothing(empty_database_url: str) -> None:
    migrations.upgrade(empty_database_url)
    migrations.upgrade(empty_database_url)


def _is_own(difference: Any) -> bool:
    """Alembic's own table."""
    return difference[0] == "remove_table" and difference[1].name == "alembic_version"


def test_the_revisions_are_part_of_the_package_and_numbered_without_a_gap() -> None:
    versions = Path(migrations.__file__ or "").parent / "versions"
    numbers = sorted(int(path.name[:4]) for path in versions.glob("0*.py"))
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 7


def test_drafts_of_before_are_given_to_the_people_who_asked(empty_database_url: str) -> None:
    _upgrade_to(empty_database_url, "0006")
    ada, connection, item = (str(uuid4()) for _ in range(3))
    drafts = {str(uuid4()): asked_by for asked_by in ({"name": "ada"}, {"name": "nobody here"}, None)}
    rows = {
        "users": [{"id": ada, "name": "ada", "roles": [], "active": True}],
        "connections": [{"id": connection, "name": "x", "state": "active", "settings": {}, "created_at": NOW}],
        "catalog_items": [
            {"connection_id": connection, "id": item, "revision": 1, "name": "x", "short_description": "",
             "category": "", "kind": "product", "form": {}, "orderable": True, "state": "inactive", "updated_at": NOW},
        ],
        "drafts": [
            {"id": key, "connection_id": connection, "catalog_item_id": item, "answers": {}, "requested_by": asked_by,
             "created_at": NOW, "updated_at": NOW} for key, asked_by in drafts.items()
        ],
    }  # fmt: skip
    database = Database(empty_database_url)
    with database.transaction() as session:
        for name, values in rows.items():
            session.execute(sa.insert(_typed(name, values[0])), values)
    migrations.upgrade(empty_database_url)
    with database.reading() as session:
        owned = {draft.id: draft.owner_id for draft in session.scalars(sa.select(consumer_sim.models.Draft))}
    database.close()
    assert owned == {key: ada if asked_by == {"name": "ada"} else None for key, asked_by in drafts.items()}


def _upgrade_to(url: str, revision: str) -> None:
    config, database = Config(), Database(url)
    config.set_main_option("script_location", "consumer_sim:migrations")
    config.set_main_option("path_separator", "os")
    with database.transaction() as session:
        config.attributes["connection"] = session.connection()
        command.upgrade(config, revision)
    database.close()


def _typed(name: str, row: dict[str, Any]) -> sa.TableClause:
    """The table as far as the row knows it, whatever the models have become since."""
    kinds = {"answers": DOCUMENT, "requested_by": DOCUMENT, "roles": DOCUMENT, "settings": DOCUMENT, "form": DOCUMENT}
    known = {column: ID if column == "id" or column.endswith("_id") else kinds.get(column) for column in row}
    columns = [sa.column(column, kind or (TIME if column.endswith("_at") else None)) for column, kind in known.items()]
    return sa.table(name, *columns)
