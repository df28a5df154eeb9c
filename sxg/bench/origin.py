"""What is there to send? A provider's database, and state changes recorded in it as the provider records them: by
`record_event`, with the shipped mapping table.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import NAMESPACE_OID, uuid4, uuid5

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

import mappings
from bridge import outbox, signing
from bridge.database import Database
from bridge.identity import Identity, Keyring, ensure_instance
from bridge.mapping import Expectation, load_tables
from bridge.models import Connection, Delivery, MappingVersion, Stream
from bridge.vocabulary import EXCHANGE_PATH, ConnectionState, EventType
from provider.domain.orders import OrderState
from provider.domain.provider_tasks import ProviderTaskState
from sxg.deployment import Instance

_TYPE = EventType.PROVIDER_TASK_STATE_CHANGED
_EXPECTED = Expectation("order_state", set(OrderState), set(ProviderTaskState))
_S = OrderState
_WAY = (
    _S.DRAFT, _S.SUBMITTED, _S.NEW, _S.ACKNOWLEDGED, _S.IN_PROGRESS, _S.ON_HOLD, _S.IN_PROGRESS,
    _S.AWAITING_INFORMATION, _S.IN_PROGRESS, _S.COMPLETED,
)  # fmt: skip
"""The states of an order, one event each; a record with more events begins again."""
_EVENTS_PER_COMMIT = 500


@dataclass(frozen=True, slots=True)
class Change:
    """The nth change (from 0) of one provider task of a backlog."""

    backlog: str
    task: int
    step: int

    @property
    def task_id(self) -> str:
        return str(uuid5(NAMESPACE_OID, f"{self.backlog}/{self.task}"))

    @property
    def stream(self) -> str:
        return f"provider_task/{self.task_id}"

    @property
    def sequence(self) -> int:
        return self.step + 1

    def data(self) -> dict[str, object]:
        """The facts before mapping."""
        state = _WAY[self.step % len(_WAY)]
        return {
            "task_id": self.task_id,
            "number": f"BENCH-PT{self.task + 1:07}",
            "order_number": f"ORD{self.task + 1:07}",
            "order_state": state.value,
            "order_version": self.sequence,
            "ponr": self.step >= 4,
            "reason": None,
        }


def changes(backlog: str, events: int, tasks: int) -> Iterator[Change]:
    """That many changes, dealt out to the tasks in turn: every task makes its first one before any makes its second."""
    return (Change(backlog, number % tasks, number // tasks) for number in range(events))


@dataclass
class Origin:
    """A provider's database, opened by the bench: what it records is sent by processes of their own."""

    instance: Instance
    database: Database
    identity: Identity
    keyring: Keyring

    @classmethod
    def open(cls, instance: Instance) -> "Origin":
        """The database must have its schema."""
        database = Database(instance.database_url)
        with database.transaction() as session:
            identity = ensure_instance(session, instance.environment["SXG_INSTANCE_NAME"], instance.directory)
            tables = load_tables(Path(mappings.__file__).parent, expected={str(_TYPE): _EXPECTED})
            version = MappingVersion(document=tables.to_json(), created_at=_now())
            session.add(version)
            session.flush()
            database.info["outbox"] = outbox.Rendering(identity.source, version.version)
        return cls(instance, database, identity, Keyring.load(instance.directory))

    def connect(self, consumer: Instance) -> str:
        """A new active connection in both databases: the state after onboarding, which is not measured."""
        connection_id, secret = str(uuid4()), signing.new_secret(os.urandom(32))
        callback = f"{consumer.url}{EXCHANGE_PATH}/connections/{connection_id}/events"
        with self.database.transaction() as session:
            session.add(_connection(connection_id, self.keyring, secret, peer_url=callback))
        other_side = Database(consumer.database_url)
        with other_side.transaction() as session:
            keyring = Keyring.load(consumer.directory)
            session.add(
                _connection(
                    connection_id, keyring, secret, peer_url="http://127.0.0.1:1", peer_instance_id=self.identity.id
                )
            )
        other_side.close()
        return connection_id

    def record(self, connection_id: str, made: Iterable[Change]) -> None:
        """Record a backlog, some hundred changes a commit."""
        pending = list(made)
        for start in range(0, len(pending), _EVENTS_PER_COMMIT):
            with self.database.transaction() as session:
                for change in pending[start : start + _EVENTS_PER_COMMIT]:
                    record_change(session, connection_id, change)

    @contextmanager
    def ringing(self, bell: Callable[[Iterable[str]], None]) -> Iterator[Database]:
        """The same database as a web process has it: `bell` is called after each commit."""
        database = Database(self.instance.database_url, bell=bell, info=self.database.info)
        try:
            yield database
        finally:
            database.close()

    def delivery_ids(self, connection_id: str) -> list[str]:
        """In the order in which they were recorded."""
        query = select(Delivery.id).where(Delivery.connection_id == connection_id).order_by(Delivery.event_id)
        with self.database.reading() as session:
            return list(session.scalars(query))

    def unsettled(self, connection_id: str) -> int:
        """How many deliveries of the connection are not known to be applied."""
        query = select(func.count()).where(Delivery.connection_id == connection_id, Delivery.state != "delivered")
        with self.database.reading() as session:
            return session.execute(query).scalar_one()

    def sent(self, connection_id: str) -> dict[str, tuple[str, int]]:
        """(stream, sequence) of every delivery of the connection by its id."""
        query = select(Delivery.id, Stream.stream, Delivery.sequence).join(Stream, Stream.id == Delivery.stream_id)
        with self.database.reading() as session:
            rows = session.execute(query.where(Delivery.connection_id == connection_id))
            return {delivery_id: (stream, sequence) for delivery_id, stream, sequence in rows}

    def settled_at(self, connection_id: str) -> dict[tuple[str, int], datetime]:
        """When each event's verdict was known here, by stream and sequence."""
        query = select(Stream.stream, Delivery.sequence, Delivery.settled_at).join(
            Stream, Stream.id == Delivery.stream_id
        )
        with self.database.reading() as session:
            rows = session.execute(query.where(Delivery.connection_id == connection_id))
            return {(stream, sequence): at for stream, sequence, at in rows if at is not None}

    def digests(self, connection_id: str) -> dict[str, bytes]:
        query = select(Stream.stream, Stream.digest).where(Stream.connection_id == connection_id)
        with self.database.reading() as session:
            return {stream: digest for stream, digest in session.execute(query)}

    def synchronous(self) -> str:
        """How SQLite syncs in this very configuration, in its own words."""
        with self.database.reading() as session:
            number = session.execute(text("pragma synchronous")).scalar_one()
        return {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}[number]


def record_change(session: Session, connection_id: str, change: Change) -> None:
    outbox.record_event(session, change.stream, _TYPE, change.data(), to=[connection_id], now=_now())


def find_delivery_id(session: Session, connection_id: str, change: Change) -> str:
    """The delivery of a change that was recorded in this transaction."""
    query = select(Delivery.id).join(Stream, Stream.id == Delivery.stream_id)
    here = (Stream.connection_id == connection_id) & (Stream.stream == change.stream)
    return session.execute(query.where(here, Delivery.sequence == change.sequence)).scalar_one()


def _connection(connection_id: str, keyring: Keyring, secret: str, **values: str) -> Connection:
    return Connection(
        id=connection_id,
        name="bench",
        state=ConnectionState.ACTIVE,
        secrets=keyring.seal({"webhook": [secret]}),
        settings={},
        created_at=_now(),
        **values,
    )


def _now() -> datetime:
    return datetime.now(UTC)
