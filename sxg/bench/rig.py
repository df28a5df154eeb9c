"""What stands on the bench? One consumer, one Redis, and two providers: one for the engine, one for the baseline.

Every process is the shipped one (`sxg consumer`, `sxg worker provider`, `sxg sweep provider`) with its default
settings, but for the baseline's worker.
"""

import secrets
import sys
from pathlib import Path
from typing import Protocol, Self

from bridge.database import Database
from bridge.jobs import Bell
from sxg.bench.arrivals import Arrivals
from sxg.bench.naive import JobQueue
from sxg.bench.origin import Origin
from sxg.bench.processes import Processes
from sxg.databases import migrate
from sxg.deployment import CONSUMER, PROVIDER, Instance
from sxg.embedded import EmbeddedRedis
from sxg.supervisor import Program, http_ready

ENGINE, NAIVE = "engine", "naive"


class Design(Protocol):
    """One way to bring recorded changes to the consumer, with a provider of its own."""

    name: str
    origin: Origin

    def release(self, connection_id: str) -> None:
        """Let the whole backlog of the connection go."""
        ...

    def tell(self, connection_id: str, delivery_id: str) -> None:
        """This delivery was committed just now."""
        ...


class EngineDesign:
    """A ring says that there is something; the worker finds out what."""

    def __init__(self, origin: Origin) -> None:
        self.name = ENGINE
        self.origin = origin
        self._bell = Bell(origin.instance.redis_url, origin.identity.id)

    def release(self, connection_id: str) -> None:
        self.origin.release([connection_id])
        self._bell.ring(connection_id)

    def tell(self, connection_id: str, delivery_id: str) -> None:
        self._bell.ring(connection_id)


class NaiveDesign:
    """A job for each delivery."""

    def __init__(self, origin: Origin) -> None:
        self.name = NAIVE
        self.origin = origin
        self._queue = JobQueue(origin.instance.redis_url)

    def release(self, connection_id: str) -> None:
        self._queue.put_all(self.origin.delivery_ids(connection_id))

    def tell(self, connection_id: str, delivery_id: str) -> None:
        self._queue.put(delivery_id)


class Rig:
    """The processes, in `directory`, from `with` to its end."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.redis = EmbeddedRedis(directory / "redis")
        self._providers = {name: self._instance(PROVIDER, name) for name in (ENGINE, NAIVE)}
        self.consumer = self._instance(CONSUMER, CONSUMER)
        self.consumer.settings["SXG_API_TOKEN"] = secrets.token_urlsafe(24)
        self.processes = Processes(self._programs(), directory / "log")
        self.arrivals = Arrivals(Database(self.consumer.database_url))
        self.designs: list[Design] = []

    def _instance(self, side: str, name: str) -> Instance:
        directory = self._directory / name
        directory.mkdir(parents=True)
        return Instance(side, directory, f"sqlite:///{directory / 'data.db'}", self.redis.url)

    def _programs(self) -> list[Program]:
        engine, naive = (self._providers[name].environment for name in (ENGINE, NAIVE))
        sxg = [sys.executable, "-m", "sxg"]
        bind = f"127.0.0.1:{self.consumer.port}"
        ready = http_ready(self.consumer.port, "/ready")
        return [
            Program("redis", self.redis.command, ready=self.redis.answers),
            Program("engine-worker", [*sxg, "worker", PROVIDER], engine),
            Program("engine-sweeper", [*sxg, "sweep", PROVIDER], engine),
            Program("naive-worker", [sys.executable, "-m", "sxg.bench.naive"], naive),
            Program("consumer-web", [*sxg, CONSUMER, "--bind", bind], self.consumer.environment, ready),
        ]

    def __enter__(self) -> Self:
        for instance in (*self._providers.values(), self.consumer):
            migrate(instance.side, instance.database_url)
        origins = {name: Origin.open(instance) for name, instance in self._providers.items()}
        self.designs = [NaiveDesign(origins[NAIVE]), EngineDesign(origins[ENGINE])]
        self.processes.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.processes.__exit__()
        self.arrivals.close()
        for design in self.designs:
            design.origin.database.close()

    def wait_applied(self, design: Design, connection_id: str, events: int) -> None:
        """Return when the consumer has applied that many events of the connection."""

        def applied() -> int:
            return self.arrivals.applied(connection_id)

        self.processes.wait(applied, events, f"{design.name}: applied at the consumer")

    def wait_settled(self, design: Design, connection_id: str, events: int) -> None:
        """Return when the provider knows that all of them are applied."""

        def settled() -> int:
            return events - design.origin.unsettled(connection_id)

        self.processes.wait(settled, events, f"{design.name}: known to be applied at the provider")
