"""A provider and a consumer that it sends to, as they are measured beside what has gathered in their databases.

Every process is the shipped one with its default settings: `sxg worker provider`, `sxg sweep provider`, `sxg consumer`.
"""

import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from uuid import uuid4

from sqlalchemy import create_engine, make_url, text

from bridge.database import Database
from bridge.jobs import Bell
from sxg.bench.arrivals import Arrivals
from sxg.bench.origin import Origin
from sxg.bench.processes import Processes
from sxg.databases import migrate
from sxg.deployment import CONSUMER, PROVIDER, Instance
from sxg.embedded import EmbeddedRedis
from sxg.supervisor import Program, http_ready

WORKER, SWEEPER, WEB = PROGRAMS = ("provider-worker", "provider-sweeper", "consumer-web")
_LOOK_EVERY_S = 0.005


class Pair:
    """Both databases, from `with` to its end; `running` starts the processes and ends them again.

    `server_url` is that of a PostgreSQL server: the provider then has a database there, made and dropped. Else, and
    for the consumer always, it is a SQLite file in `directory`.
    """

    def __init__(self, directory: Path, redis: EmbeddedRedis, server_url: str | None = None) -> None:
        self._directory, self._redis, self._server_url = directory, redis, server_url
        self._database_name = f"sxg_bench_{uuid4().hex}"
        url = make_url(server_url).set(database=self._database_name) if server_url else None
        self.provider = self._instance(PROVIDER, url.render_as_string(hide_password=False) if url else None)
        self.consumer = self._instance(CONSUMER, None)
        self.consumer.settings["SXG_API_TOKEN"] = secrets.token_urlsafe(24)
        self.inbox = Database(self.consumer.database_url)
        self.arrivals = Arrivals(self.inbox)

    def _instance(self, side: str, database_url: str | None) -> Instance:
        directory = self._directory / side
        directory.mkdir(parents=True)
        return Instance(side, directory, database_url or f"sqlite:///{directory / 'data.db'}", self._redis.url)

    def __enter__(self) -> Self:
        self._on_server("create")
        for instance in (self.provider, self.consumer):
            migrate(instance.side, instance.database_url)
        self.origin = Origin.open(self.provider)
        return self

    def __exit__(self, *_: object) -> None:
        self.origin.database.close()
        self.arrivals.close()
        self._on_server("drop")

    def _on_server(self, what: str) -> None:
        if self._server_url is None:
            return
        engine = create_engine(self._server_url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f'{what} database "{self._database_name}"'))
        engine.dispose()

    @contextmanager
    def running(self) -> Iterator[Processes]:
        """The processes, ready to receive and to send."""
        with Processes(self._programs(), self._directory / "log") as processes:
            yield processes

    def _programs(self) -> list[Program]:
        provider, consumer = self.provider.environment, self.consumer.environment
        sxg = [sys.executable, "-m", "sxg"]
        serve = [*sxg, CONSUMER, "--bind", f"127.0.0.1:{self.consumer.port}"]
        return [
            Program(WORKER, [*sxg, "worker", PROVIDER], provider),
            Program(SWEEPER, [*sxg, "sweep", PROVIDER], provider),
            Program(WEB, serve, consumer, http_ready(self.consumer.port, "/ready")),
        ]

    def bell(self) -> Bell:
        """As a web process of the provider has it."""
        return Bell(self.provider.redis_url, self.origin.identity.id)

    def drain(self, processes: Processes, connection_ids: Sequence[str]) -> float:
        """Release what waits on the connections, ring, and wait until nothing can be sent: the seconds that took."""
        backlog = self.origin.waiting()
        bell, started = self.bell(), time.monotonic()
        self.origin.release(connection_ids)
        bell(connection_ids)
        processes.wait(lambda: backlog - self.origin.waiting(), backlog, "sent and judged", _LOOK_EVERY_S)
        return time.monotonic() - started

    def rest(self) -> None:
        """Bring what was written into its place, so that nobody pays for it who is measured next."""
        for database in (self.origin.database, self.inbox):
            _rest(database)


def _rest(database: Database) -> None:
    postgres = database.engine.dialect.name == "postgresql"
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in ("vacuum analyze", "checkpoint") if postgres else ("pragma wal_checkpoint(truncate)",):
            connection.exec_driver_sql(statement)
