"""A toy record for the engine's tests: nothing of orders, catalogs or inventory may be needed to exchange events."""

import json
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import BigInteger, String, Uuid, func, insert, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from bridge import envelope, inbox, outbox, signing
from bridge.carriers import Senders, WebhookCarrier
from bridge.database import Database
from bridge.draining import Limits
from bridge.egress import AddressGuard
from bridge.envelope import Event
from bridge.errors import SignatureInvalid
from bridge.identity import Identity, Keyring
from bridge.inbox import Rejection
from bridge.jobs import Bell, Station
from bridge.migrations import add_connection_care, create_bridge_tables
from bridge.models import Connection, Delivery, Stream
from bridge.vocabulary import ConnectionState, EventType
from tests.templates import prepare

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
TOY = EventType.PRODUCT_CHANGED
"""Any sequenced type will do."""
SECRET = signing.new_secret(bytes(32))
PROVIDER = Identity("7a1e4c62-58f7-4f6f-9f55-0f6f3f1f9b10", "toymaker", "00000000-0000-4000-8000-000000000001")


class ToyBase(DeclarativeBase):
    pass


class ToyEffect(ToyBase):
    """One row per applied event: the append-only truth about effects."""

    __tablename__ = "toy_effects"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    stream: Mapped[str] = mapped_column(String(255))
    sequence: Mapped[int] = mapped_column(BigInteger)
    event_id: Mapped[str] = mapped_column(Uuid(as_uuid=False))


def toy_database(url: str, **options: Any) -> Database:
    """A migrated database with the engine's tables and the toy's own."""
    options.setdefault("info", {"outbox": outbox.Rendering(PROVIDER.source)})
    prepare(url, create_tables)
    return Database(url, **options)


def create_tables(url: str) -> None:
    database = Database(url)
    with database.transaction() as session:
        connection = session.connection()
        with Operations.context(MigrationContext.configure(connection)):
            create_bridge_tables()
            add_connection_care()
        ToyBase.metadata.create_all(connection)
    database.close()


def add_connection(session: Session, keyring: Keyring, url: str = "http://127.0.0.1:1/", **values: Any) -> str:
    connection = Connection(
        id=str(uuid4()),
        name="toy shop",
        state=ConnectionState.ACTIVE,
        peer_url=url,
        secrets=keyring.seal({"webhook": [SECRET]}),
        settings={},
        created_at=NOW,
    )
    for name, value in values.items():
        setattr(connection, name, value)
    session.add(connection)
    session.flush()
    return connection.id


def record(session: Session, connection_id: str, toy: str, count: int = 1, now: datetime = NOW, **data: Any) -> None:
    """`count` changes of the toy `toy`, each its own event."""
    for n in range(count):
        outbox.record_event(session, f"toy/{toy}", TOY, {"toy": toy, "n": n, **data}, to=[connection_id], now=now)


def deliveries(session: Session, connection_id: str) -> list[tuple[str, int, str]]:
    """(stream, sequence, state) of every delivery of the connection."""
    rows = session.execute(
        select(Stream.stream, Delivery.sequence, Delivery.state)
        .join(Stream, Stream.id == Delivery.stream_id)
        .where(Delivery.connection_id == connection_id)
        .order_by(Stream.stream, Delivery.sequence)
    )
    return [tuple(row) for row in rows]  # type: ignore[misc]


class ToyHandler:
    """Writes one effect per event; refuses and fails on demand."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        """Streams whose events are rejected."""
        self.broken: set[str] = set()
        """Streams whose events raise."""

    def check(self, session: Session, connection_id: str, events: Sequence[Event]) -> dict[str, Rejection]:
        return {event.id: Rejection("this toy is refused") for event in events if event.stream in self.refused}

    def apply(self, session: Session, connection_id: str, events: Sequence[Event], now: datetime) -> None:
        rows = [{"stream": event.stream, "sequence": event.sequence, "event_id": event.id} for event in events]
        session.execute(insert(ToyEffect), rows)
        if any(event.stream in self.broken for event in events):
            raise ZeroDivisionError("a bug in a handler")


class ToyShop:
    """A receiver over real HTTP, with a database of its own. `fault` may answer instead, before or after applying."""

    def __init__(self, database: Database, connection_ids: Callable[[], Iterable[str]]) -> None:
        self.database = database
        self.handler = ToyHandler()
        self.connection_ids = connection_ids
        self.fault: Callable[[BaseHTTPRequestHandler, list[Any]], bool] | None = None
        """Called with the parsed batch before it is applied; True if it has answered."""
        self.lose_answers = 0
        self.batches: list[int] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._make_handler())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/events"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.database.close()

    def effects(self) -> list[tuple[str, int]]:
        with self.database.reading() as session:
            rows = session.execute(select(ToyEffect.stream, ToyEffect.sequence).order_by(ToyEffect.id))
            return [tuple(row) for row in rows]  # type: ignore[misc]

    def receive(self, body: bytes) -> list[envelope.Judgement]:
        events = envelope.take_apart(json.loads(body))
        (connection_id,) = self.connection_ids()
        with self.database.transaction() as session:
            return inbox.receive(session, connection_id, events, {TOY: self.handler}, now=NOW)

    def _make_handler(self) -> type[BaseHTTPRequestHandler]:
        shop = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = (
                True  # header and body are two writes; the second would wait 40 ms for an acknowledgement
            )

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                try:
                    signing.verify(body, headers, now_s=datetime.now(UTC).timestamp(), secrets=[SECRET])
                except SignatureInvalid:
                    answer(self, 401, b"{}")
                    return
                batch = json.loads(body)
                shop.batches.append(len(batch))
                if shop.fault and shop.fault(self, batch):
                    return
                judgements = shop.receive(body)
                if shop.lose_answers:
                    shop.lose_answers -= 1
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                answer(self, 200, json.dumps({"verdicts": [j.to_json() for j in judgements]}).encode())

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def answer(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
    handler.wfile.flush()


def make_station(
    database: Database,
    keyring: Keyring,
    *,
    bell: Bell | None = None,
    clock: Callable[[], datetime] | None = None,
    **limits: Any,
) -> Station:
    """A station that may reach loopback, with pauses short enough for tests."""
    clock = clock or (lambda: datetime.now(UTC))
    guard = AddressGuard(("127.0.0.0/8",))

    def carrier() -> WebhookCarrier:
        return WebhookCarrier(Senders(guard, "toymaker/1"), keyring, PROVIDER, clock)

    settings = {"rejected_pause_s": 0.01, "busy_pause_s": 0.01, **limits}
    return Station(database, carrier, bell, clock, Limits(**settings))


def make_keyring(tmp_path: Path) -> Keyring:
    return Keyring.load(tmp_path / "keyring")


def count_rows(session: Session, table: str) -> int:
    return session.execute(select(func.count()).select_from(text(table))).scalar_one()
