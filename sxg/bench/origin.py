"""What is there to send? A provider's database, and state changes recorded in it as the provider records them: by
`record_event`, with the shipped mapping table.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import Select, func, select, text, update
from sqlalchemy.orm import Session

import mappings
from bridge import outbox, signing
from bridge.database import Database
from bridge.identity import Identity, Keyring, ensure_instance
from bridge.ids import new_id
from bridge.mapping import Expectation, load_tables
from bridge.models import Connection, Delivery, MappingVersion, OutboxEvent, Stream
from bridge.vocabulary import EXCHANGE_PATH, ConnectionState, EventType
from provider.domain.orders import OrderState
from provider.domain.provider_tasks import ProviderTaskState
from sxg.bench.arrivals import read_some
from sxg.deployment import Instance

_TYPE = EventType.PROVIDER_TASK_STATE_CHANGED
_EXPECTED = Expectation("order_state", set(OrderState), set(ProviderTaskState))
_S = OrderState
_WAY = (
    _S.DRAFT, _S.SUBMITTED, _S.NEW, _S.ACKNOWLEDGED, _S.IN_PROGRESS, _S.ON_HOLD, _S.IN_PROGRESS,
    _S.AWAITING_INFORMATION, _S.IN_PROGRESS, _S.COMPLETED,
)  # fmt: skip
"""The states of an order, one event each; a record with more events begins again."""
STEPS = len(_WAY)
_EVENTS_PER_COMMIT = 500


@dataclass(frozen=True, slots=True)
class Change:
    """The nth change (from 0) of one provider task that a connection is told of."""

    connection_id: str
    task: int
    step: int

    @property
    def task_id(self) -> str:
        return _task_id(self.connection_id, self.task)

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


@cache
def _task_id(_connection_id: str, _task: int) -> str:
    """The id that the consumer gave its request: made when first spoken of, as later tasks are younger."""
    return new_id()


def changes(connection_id: str, events: int, tasks: int) -> Iterator[Change]:
    """That many changes, dealt out to the tasks in turn: every task makes its first one before any makes its second."""
    return (Change(connection_id, number % tasks, number // tasks) for number in range(events))


def deal(connection_ids: Sequence[str], events: int, tasks: int) -> Iterator[Change]:
    """That many changes in all, dealt out to the connections in turn; so are the tasks."""
    share = max(1, tasks // len(connection_ids))
    for number in range(events):
        turn, place = divmod(number, len(connection_ids))
        yield Change(connection_ids[place], turn % share, turn // share)


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

    def told(self, change: Change) -> dict[str, Any]:
        """The facts of a change as the consumer is told them: after mapping."""
        rendering: outbox.Rendering = self.database.info["outbox"]
        with self.database.reading() as session:
            tables = rendering.tables_of(session, None)
        return dict(tables.apply(_TYPE, change.data())) if tables else change.data()

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

    def record(self, made: Iterable[Change]) -> None:
        """Record a backlog, some hundred changes a commit. It is held back until `release`: else the sweeper, which
        rings every few seconds, has a part of it sent before anybody looks at the clock.
        """
        pending = list(made)
        self._set_state({change.connection_id for change in pending}, ConnectionState.PAUSED)
        for start in range(0, len(pending), _EVENTS_PER_COMMIT):
            with self.database.transaction() as session:
                for change in pending[start : start + _EVENTS_PER_COMMIT]:
                    record_change(session, change)

    def release(self, connection_ids: Collection[str]) -> None:
        """From now on the recorded backlog of these connections may be sent."""
        self._set_state(connection_ids, ConnectionState.ACTIVE)

    def _set_state(self, connection_ids: Collection[str], state: ConnectionState) -> None:
        with self.database.transaction() as session:
            session.execute(update(Connection).where(Connection.id.in_(connection_ids)).values(state=state))

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

    def sent(
        self, connection_id: str, streams: Collection[str] | None = None, *, after_event: int = 0
    ) -> dict[str, tuple[str, int]]:
        """(stream, sequence) of each delivery of the connection by its id; narrowed to these streams, and to what was
        recorded after that event.
        """
        query = select(Delivery.id, Stream.stream, Delivery.sequence)
        rows = self._sent(query, connection_id, streams, after_event)
        return {delivery_id: (stream, sequence) for delivery_id, stream, sequence in rows}

    def settled_at(
        self, connection_id: str, streams: Collection[str] | None = None, *, after_event: int = 0
    ) -> dict[tuple[str, int], datetime]:
        """When each event's verdict was known here, by stream and sequence; narrowed as in `sent`."""
        query = select(Stream.stream, Delivery.sequence, Delivery.settled_at).where(Delivery.state == "delivered")
        rows = self._sent(query, connection_id, streams, after_event)
        return {(stream, sequence): at for stream, sequence, at in rows}

    def _sent(
        self, query: Select[*tuple[Any, ...]], connection_id: str, streams: Collection[str] | None, after_event: int
    ) -> Iterator[Any]:
        here = (Stream.connection_id == connection_id) & (Delivery.event_id > after_event)
        joined = query.join_from(Delivery, Stream, Stream.id == Delivery.stream_id).where(here)
        return read_some(self.database, joined, Stream.stream, streams)

    def digests(self, connection_id: str, streams: Collection[str] | None = None) -> dict[str, bytes]:
        """By stream, of all streams of the connection or of these."""
        query = select(Stream.stream, Stream.digest).where(Stream.connection_id == connection_id)
        return {stream: digest for stream, digest in read_some(self.database, query, Stream.stream, streams)}

    def last_event(self) -> int:
        """The number of the event that was recorded last; those recorded later have higher ones."""
        with self.database.reading() as session:
            return session.execute(select(func.max(OutboxEvent.id))).scalar_one() or 0

    def waiting(self) -> int:
        """How many events of all connections may still be sent. Costs nothing that grows with what was delivered."""
        due = (Stream.connection_id == Connection.id) & Stream.due_at.is_not(None)
        of_one = select(func.sum(Stream.next_sequence - Stream.head)).where(due).scalar_subquery()
        with self.database.reading() as session:
            return int(session.execute(select(func.sum(of_one)).select_from(Connection)).scalar_one() or 0)

    def database_version(self) -> str:
        with self.database.reading() as session:
            if session.get_bind().dialect.name == "postgresql":
                return f"PostgreSQL {session.execute(text('show server_version')).scalar_one()}"
            return f"SQLite {session.execute(text('select sqlite_version()')).scalar_one()}"

    def synchronous(self) -> str:
        """How the database syncs in this very configuration, in its own words."""
        with self.database.reading() as session:
            if session.get_bind().dialect.name == "postgresql":
                said = [session.execute(text(f"show {name}")).scalar_one() for name in ("synchronous_commit", "fsync")]
                return f"synchronous_commit {said[0]}, fsync {said[1]}"
            number = session.execute(text("pragma synchronous")).scalar_one()
        return {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}[number]


def record_change(session: Session, change: Change) -> None:
    outbox.record_event(session, change.stream, _TYPE, change.data(), to=[change.connection_id], now=_now())


def find_delivery_id(session: Session, change: Change) -> str:
    """The delivery of a change that was recorded in this transaction."""
    query = select(Delivery.id).join(Stream, Stream.id == Delivery.stream_id)
    here = (Stream.connection_id == change.connection_id) & (Stream.stream == change.stream)
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
