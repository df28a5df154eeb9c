"""What stands on the bench of intake? One database, and two web servers over it: the provider, and the bare endpoint.

Both are the same gunicorn with the same options over the same database, and each is asked by one consumer of its own.
The provider is the shipped one (`sxg provider`), with a Redis to ring; nothing delivers meanwhile.
"""

import json
import secrets
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import count, islice
from pathlib import Path
from typing import Self
from uuid import uuid4

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from bridge import outbox
from bridge.database import Database
from bridge.models import Connection, Delivery, IdempotencyRecord, OutboxEvent, Stream
from bridge.vocabulary import ConnectionState
from provider.models.access import AccessToken
from provider.models.catalog import RemoteRecordProducer
from provider.models.orders import CustomerOrder, OrderLine, OrderStateChange, ProviderTask
from provider.services.catalog_import import import_catalog
from provider.services.producers import publish_producer
from provider.services.tokens import token_hash
from sxg.bench import bare
from sxg.bench.intake_load import Taken, Target
from sxg.commands.instances import gunicorn_command
from sxg.databases import migrate
from sxg.deployment import PROVIDER, Instance
from sxg.embedded import EmbeddedRedis, free_port
from sxg.failures import CommandFailed
from sxg.supervisor import Program, Supervisor, http_ready

INTAKE, BARE = "intake", "bare"
WEB_PROCESSES, WEB_THREADS = 1, 8
_PREFIXES = {INTAKE: "BENCH", BARE: bare.PREFIX}
_ITEM = "Dedicated Internet Access"
_CATALOG = files("sxg") / "data" / "managed_service_provider.json"
_TABLES = (
    ProviderTask, CustomerOrder, OrderLine, OrderStateChange, OutboxEvent, Stream, Delivery, IdempotencyRecord,
)  # fmt: skip


class IntakeRig:
    """The processes, in `directory`, from `with` to its end. Without a URL the database is a SQLite file there."""

    def __init__(self, directory: Path, database_url: str | None = None) -> None:
        url = database_url or f"sqlite:///{directory / 'data.db'}"
        self.redis = EmbeddedRedis(directory / "redis")
        self._provider = Instance(PROVIDER, directory, url, self.redis.url)
        self._bare_port = free_port()
        self._supervisor = Supervisor(self._programs(), directory / "log")
        self.database = Database(url)
        self.targets: dict[str, Target] = {}
        self._numbers = count(1)

    def _programs(self) -> list[Program]:
        environment = self._provider.environment
        addresses = {INTAKE: f"127.0.0.1:{self._provider.port}", BARE: f"127.0.0.1:{self._bare_port}"}
        options = ["--workers", str(WEB_PROCESSES), "--threads", str(WEB_THREADS)]
        served = [sys.executable, "-m", "sxg", PROVIDER, "--bind", addresses[INTAKE], *options]
        plain = gunicorn_command("sxg.bench.bare:make_app()", addresses[BARE], WEB_PROCESSES, WEB_THREADS)
        return [
            Program("redis", self.redis.command, ready=self.redis.answers),
            Program(INTAKE, served, environment, http_ready(self._provider.port, "/ready")),
            Program(BARE, plain, environment, http_ready(self._bare_port, "/ready")),
        ]

    def __enter__(self) -> Self:
        migrate(PROVIDER, self._provider.database_url)
        with self.database.transaction() as session:
            if session.execute(select(func.count()).select_from(Connection)).scalar_one():
                raise CommandFailed("the database holds connections already; the benchmark fills an empty one")
            session.info["outbox"] = outbox.Rendering("urn:uuid:bench")
            consumers = {name: _connect(session, prefix) for name, prefix in _PREFIXES.items()}
            item_id = _publish(session, _ITEM)
        ports = {INTAKE: self._provider.port, BARE: self._bare_port}
        paths = {INTAKE: "/exchange/v1/provider-tasks", BARE: bare.PATH}
        for name, (connection_id, token) in consumers.items():
            self.targets[name] = Target(name, ports[name], paths[name], _PREFIXES[name], connection_id, token, item_id)
        self._supervisor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._supervisor.stop()
        self.database.close()

    def next_numbers(self, count: int) -> list[int]:
        """Numbers for as many requests, none of them used before."""
        return list(islice(self._numbers, count))

    def count_rows(self) -> dict[str, int]:
        """How many rows there are of all that an order is made of, by table."""
        with self.database.reading() as session:
            return {
                model.__tablename__: session.execute(select(func.count()).select_from(model)).scalar_one()
                for model in _TABLES
            }

    def check_exactly_once(self, taken: Taken) -> None:
        """Raises CommandFailed unless each acknowledged request has its one order, of the number that was told."""
        self._check_lives()
        connection_id = self.targets[taken.design].connection_id
        stored = select(ProviderTask.external_id, CustomerOrder.number).join(CustomerOrder)
        stored = stored.where(ProviderTask.connection_id == connection_id)
        ordered = select(CustomerOrder.number).where(CustomerOrder.connection_id == connection_id)
        with self.database.reading() as session:
            found = {task_id: number for task_id, number in session.execute(stored)}
            numbers = Counter(session.scalars(ordered))
        wrong = [task_id for task_id, number in taken.orders.items() if found.get(task_id) != number]
        faults = [
            (not wrong, f"{len(wrong)} of {len(taken.orders)} acknowledged requests have no order, or another one"),
            (numbers == Counter(found.values()), "there are orders that nobody asked for, or requests that share one"),
        ]
        if failed := [message for holds, message in faults if not holds]:
            raise CommandFailed(*(f"{taken.design}: {message}" for message in failed))

    def describe_database(self) -> dict[str, str]:
        """Which it is, and what makes a commit durable there, in its own words."""
        dialect = self.database.engine.dialect.name
        with self.database.reading() as session:
            if dialect == "sqlite":
                number = session.execute(text("pragma synchronous")).scalar_one()
                return {"database": dialect, "synchronous": {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}[number]}
            names = ("server_version", "fsync", "synchronous_commit")
            return {"database": dialect} | {name: session.execute(text(f"show {name}")).scalar_one() for name in names}

    def _check_lives(self) -> None:
        died = [name for name in ("redis", INTAKE, BARE) if self._supervisor.starts(name) > 1]
        if died:
            raise CommandFailed(f"{', '.join(died)} had to be started again")


def _connect(session: Session, prefix: str) -> tuple[str, str]:
    """An active connection and its bearer token: the state after onboarding, which is not measured."""
    now, connection_id, token = datetime.now(UTC), str(uuid4()), secrets.token_urlsafe(32)
    session.add(
        Connection(
            id=connection_id, name=prefix, state=ConnectionState.ACTIVE, peer_url="http://127.0.0.1:1",
            number_prefix=prefix, settings={}, created_at=now,
        )
    )  # fmt: skip
    session.flush()
    expires_at = now + timedelta(days=1)
    session.add(AccessToken(token_hash=token_hash(token), connection_id=connection_id, expires_at=expires_at))
    return connection_id, token


def _publish(session: Session, name: str) -> str:
    """Import the catalog of the demo, and publish one item to all connections. Returns the item's id."""
    now = datetime.now(UTC)
    import_catalog(session, json.loads(_CATALOG.read_text(encoding="utf-8")), now)
    drafted = select(RemoteRecordProducer.identity).where(RemoteRecordProducer.name == name)
    item_id = session.execute(drafted.limit(1)).scalar_one()
    publish_producer(session, item_id, {"all_consumers": True}, "system", now)
    return item_id
