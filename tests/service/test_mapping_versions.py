"""Translation tables are checked before use, and the last good ones stay in force when the files are broken."""

import logging
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import mappings
from bridge.database import Database
from bridge.mapping import MappingErrors
from provider.migrations import upgrade
from provider.services.mappings import adopt_tables

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
def database(empty_database_url: str) -> Iterator[Database]:
    upgrade(empty_database_url)
    database = Database(empty_database_url)
    yield database
    database.close()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    copy = tmp_path / "mappings"
    shutil.copytree(Path(mappings.__file__).parent, copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return copy


def adopt(database: Database, directory: Path) -> int:
    with database.transaction() as session:
        return adopt_tables(session, directory, now=NOW)[0]


def test_unchanged_tables_keep_their_version_and_changed_ones_get_the_next(database: Database, directory: Path) -> None:
    first = adopt(database, directory)
    assert adopt(database, directory) == first
    table = directory / "order_state.yaml"
    table.write_text(table.read_text().replace("Awaiting info", "Waiting for you"))
    assert adopt(database, directory) > first


def test_broken_tables_are_refused_with_file_line_and_reason_and_the_last_good_ones_stay(
    database: Database, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = adopt(database, directory)
    table = directory / "order_state.yaml"
    table.write_text(table.read_text().replace("awaiting_info", "awaiting_infoo"))
    with caplog.at_level(logging.ERROR):
        assert adopt(database, directory) == good
    assert "order_state.yaml:" in caplog.text
    assert "awaiting_infoo" in caplog.text


def test_without_a_good_version_nothing_starts_on_broken_tables(database: Database, directory: Path) -> None:
    (directory / "order_state.yaml").write_text("rows: [")
    with pytest.raises(MappingErrors, match=r"order_state\.yaml:"):
        adopt(database, directory)
