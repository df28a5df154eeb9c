"""The copies that tests get are what migrating makes, each a database of its own."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from bridge.database import Database
from provider.migrations import upgrade
from tests.templates import prepare


@pytest.fixture
def made() -> tuple[Callable[[str], None], list[str]]:
    """A way to make a database, and the databases that were made by it instead of copied."""
    urls: list[str] = []

    def make(url: str) -> None:
        urls.append(url)
        upgrade(url)

    return make, urls


@pytest.fixture
def second_url(database_url: str, request: pytest.FixtureRequest) -> str:
    """Another empty database beside `database_url`."""
    if database_url.startswith("sqlite"):
        return database_url.replace("test.db", "second.db")
    from tests.postgres import fresh_database  # noqa: PLC0415

    databases = fresh_database(request.getfixturevalue("postgres_server"))
    request.addfinalizer(lambda: databases.__exit__(None, None, None))
    return databases.__enter__()


def tables(url: str) -> dict[str, list[str]]:
    """The columns of each table."""
    database = Database(url)
    inspector = sa.inspect(database.engine)
    found = {name: [column["name"] for column in inspector.get_columns(name)] for name in inspector.get_table_names()}
    database.close()
    return found


def execute(url: str, statement: str) -> None:
    database = Database(url)
    with database.transaction() as session:
        session.execute(sa.text(statement))
    database.close()


def test_only_the_first_is_made_and_the_others_are_copies(
    database_url: str, second_url: str, made: tuple[Callable[[str], None], list[str]]
) -> None:
    make, urls = made
    prepare(database_url, make)
    execute(database_url, "create table mine (number integer)")
    prepare(second_url, make)
    assert len(urls) == 1
    assert tables(database_url) == tables(second_url) | {"mine": ["number"]}
    assert "alembic_version" in tables(second_url)


def test_a_database_that_holds_something_is_not_replaced(
    empty_database_url: str, made: tuple[Callable[[str], None], list[str]]
) -> None:
    make, urls = made
    execute(empty_database_url, "create table mine (number integer)")
    prepare(empty_database_url, make)
    assert urls == [empty_database_url]
    assert {"mine", "alembic_version"} <= tables(empty_database_url).keys()
