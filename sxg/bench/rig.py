"""What stands on the bench? One consumer, one Redis, and two providers: one for the engine, one for the baseline.

Every process is the shipped one (`sxg consumer`, `sxg worker provider`, `sxg sweep provider`) with its default
settings, but for the baseline's worker.
"""

import secrets
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, Self

from sqlalchemy import Select, column, func, select, table

from bridge.database import Database, UtcDateTime
from bridge.jobs import Bell
from bridge.models import Id, InboxMessage, InboxStream
from sxg.bench.naive import JobQueue
from sxg.bench.origin import Origin
from sxg.databases import migrate
from sxg.deployment import CONSUMER, PROVIDER, Instance
from sxg.embedded import EmbeddedRedis
from sxg.failures import CommandFailed
from sxg.supervisor import Program, Supervisor, http_ready

ENGINE, NAIVE = "engine", "naive"
_LOOK_EVERY_S = 0.02
_STALL_S = 30.0
# The consumer's own table, by name: no process but its own imports its models.
_TIMELINE = table(
    "task_states",
    column("connection_id", Id),
    column("task_id", Id),
    column("sequence"),
    column("received_at", UtcDateTime()),
)


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
        self._supervisor = Supervisor(self._programs(), directory / "log")
        self._inbox = Database(self.consumer.database_url)
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
        self._supervisor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._supervisor.stop()
        self._inbox.close()
        for design in self.designs:
            design.origin.database.close()

    def wait_applied(self, design: Design, connection_id: str, events: int) -> None:
        """Return when the consumer has applied that many events of the connection.

        Raises CommandFailed when nothing has moved for half a minute, or a process had to be started again.
        """
        query = select(func.sum(InboxStream.applied_sequence)).where(InboxStream.connection_id == connection_id)
        self._wait(lambda: self._one(query) or 0, events, f"{design.name}: applied at the consumer")

    def wait_settled(self, design: Design, connection_id: str, events: int) -> None:
        """Return when the provider knows that all of them are applied."""

        def settled() -> int:
            return events - design.origin.unsettled(connection_id)

        self._wait(settled, events, f"{design.name}: known to be applied at the provider")

    def received_ids(self, connection_id: str) -> list[str]:
        """The ids of all events in the consumer's inbox, as often as they are there."""
        query = select(InboxMessage.id).join(InboxStream, InboxStream.id == InboxMessage.stream_id)
        with self._inbox.reading() as session:
            return list(session.scalars(query.where(InboxStream.connection_id == connection_id)))

    def received_at(self, connection_id: str) -> dict[tuple[str, int], datetime]:
        """When the consumer began the transaction that applied each state change, by stream and sequence."""
        query = select(_TIMELINE.c.task_id, _TIMELINE.c.sequence, _TIMELINE.c.received_at)
        with self._inbox.reading() as session:
            rows = session.execute(query.where(_TIMELINE.c.connection_id == connection_id))
            return {(f"provider_task/{task_id}", sequence): at for task_id, sequence, at in rows}

    def digests(self, connection_id: str) -> dict[str, bytes]:
        """The rolling digest of what the consumer applied, by stream."""
        query = select(InboxStream.stream, InboxStream.digest).where(InboxStream.connection_id == connection_id)
        with self._inbox.reading() as session:
            return {stream: digest for stream, digest in session.execute(query)}

    def check_lives(self) -> None:
        """Raises CommandFailed if a process died: a figure with a restart in it is no figure."""
        names = ("redis", "engine-worker", "engine-sweeper", "naive-worker", "consumer-web")
        died = [name for name in names if self._supervisor.starts(name) > 1]
        if died:
            raise CommandFailed(f"{', '.join(died)} had to be started again", *self._log_ends())

    def _wait(self, count: Any, wanted: int, what: str) -> None:
        seen, seen_at = -1, time.monotonic()
        while (now_there := count()) < wanted:
            if now_there != seen:
                seen, seen_at = now_there, time.monotonic()
            if time.monotonic() - seen_at > _STALL_S:
                raise CommandFailed(f"{what}: {seen} of {wanted}, and no more for {_STALL_S:g} s", *self._log_ends())
            self.check_lives()
            time.sleep(_LOOK_EVERY_S)

    def _one(self, query: Select[Any]) -> Any:
        with self._inbox.reading() as session:
            return session.execute(query).scalar_one()

    def _log_ends(self) -> list[str]:
        logs = sorted((self._directory / "log").glob("*.log"))
        return [f"{path.stem}: {path.read_text(errors='replace')[-600:].strip()}" for path in logs]
