"""Does our PostgreSQL for tests start, crash, and come back like a real one?"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from tests.conftest import missing
from tests.postgres import EmbeddedPostgres, find_postgres_bin, fresh_database


def run(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    if find_postgres_bin() is None:
        missing("PostgreSQL")
    with TemporaryDirectory(prefix="sxg-pg-") as directory:
        Path(directory).chmod(0o711)
        with EmbeddedPostgres(Path(directory, "data"), durable=True) as postgres:
            yield postgres


def test_committed_rows_survive_a_crash_and_a_restart(server: EmbeddedPostgres) -> None:
    run(server.url, "create table kept as select 1 as number")
    server.kill9()
    with pytest.raises(psycopg.OperationalError):
        run(server.url, "select 1")
    server.start()
    server.restart()
    assert run(server.url, "select number from kept") == [(1,)]
    assert run(server.url, "show fsync") == [("on",)]


def test_it_listens_on_no_network(server: EmbeddedPostgres) -> None:
    assert run(server.url, "show listen_addresses") == [("",)]


def test_a_fresh_database_is_a_copy_and_is_gone_afterwards(postgres_server: str) -> None:
    names = "select datname from pg_database where datname like 'test_%'"
    before = run(postgres_server, names)
    with fresh_database(postgres_server) as source:
        run(source, "create table kept as select 1 as number")
        name = source.split("?")[0].rpartition("/")[2]
        with fresh_database(postgres_server, template=name) as copy:
            assert run(copy, "select number from kept") == [(1,)]
    assert run(postgres_server, names) == before


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_gets_a_database_of_its_own(turn: int, postgres_url: str) -> None:
    run(postgres_url, "create table mine as select 1 as number")  # fails in the second turn if it is the first one's


def test_database_url_is_one_of_both_kinds(database_url: str, request: pytest.FixtureRequest) -> None:
    kind = request.node.callspec.params["database_url"]
    assert database_url.startswith({"sqlite": "sqlite:///", "postgresql": "postgresql+psycopg://"}[kind])
