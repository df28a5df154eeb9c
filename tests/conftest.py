"""The databases and the Redis that tests may ask for. Each is started by the first test that asks."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kept import keep_compiled, rest_collector

CI = os.environ.get("CI") == "true"
SHARING = (
    "tests/browser/",
    "tests/e2e/",
    "tests/jobs/",
    "tests/api/test_hostile_input.py",
    "tests/contract/test_mappings.py",
)
"""Where the tests of a file share what takes long to make, or measure time."""


keep_compiled()


def pytest_collection_finish() -> None:
    rest_collector()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than CPUs: while an end-to-end test waits for its processes, another worker has something to do."""
    available = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return available + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """When several workers share the tests (`make test`), one gets the whole of such a file; these are begun first.

    Not by marks (`--dist loadgroup`): pytest-xdist 3.8 overlooks them under pytest 9.2, without a word.
    """
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - only where tests are shared out

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return nodeid.split("::", maxsplit=1)[0] if nodeid.startswith(SHARING) else nodeid

    return ByFile(config, log)


def missing(what: str) -> None:
    """Skip the test on a developer's machine; fail it in CI, where a floor that silently falls out is worse."""
    (pytest.fail if CI else pytest.skip)(f"{what} is not installed")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server: SXG_TEST_PG_URL (its user may create databases), else one started here."""
    from tests.postgres import EmbeddedPostgres, find_postgres_bin  # noqa: PLC0415 - unit tests stay free of psycopg
    from tests.templates import drop_templates  # noqa: PLC0415

    if url := os.environ.get("SXG_TEST_PG_URL"):
        yield url
        drop_templates(url)
        return
    if find_postgres_bin() is None:
        missing("PostgreSQL")
    # Not under pytest's own directory: only root may enter that, and the server runs as another user.
    with tempfile.TemporaryDirectory(prefix="sxg-pg-") as directory:
        Path(directory).chmod(0o711)
        with EmbeddedPostgres(Path(directory, "data")) as server:
            yield server.url
            drop_templates(server.url)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """An empty PostgreSQL database of this test's own."""
    from tests.postgres import fresh_database  # noqa: PLC0415

    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture
def unmade_postgres_url(postgres_server: str) -> Iterator[str]:
    """A PostgreSQL database of this test's own, which is not there before somebody makes it."""
    from tests.postgres import unmade_database  # noqa: PLC0415

    with unmade_database(postgres_server) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """What `tests.templates.prepare` makes a database of, once on SQLite and once on PostgreSQL."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "unmade_postgres_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest) -> str:
    """An empty database, once on SQLite and once on PostgreSQL."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis that all tests share."""
    from sxg.embedded import EmbeddedRedis  # noqa: PLC0415

    with EmbeddedRedis(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The shared Redis, emptied."""
    from redis import Redis  # noqa: PLC0415

    with Redis.from_url(redis_server) as connection:
        connection.flushall()
    return redis_server
