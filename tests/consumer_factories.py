"""Plain functions that put a consumer into the state a test wants, and a provider played over real HTTP."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask
import requests
from flask.testing import FlaskClient
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from bridge import envelope, signing
from bridge.jobs import Station
from bridge.models import Connection
from bridge.vocabulary import BATCH_CONTENT_TYPE, ConnectionState, EventType
from consumer_sim import migrations
from consumer_sim.app import create_app
from consumer_sim.config import ConsumerConfig
from consumer_sim.context import Context
from consumer_sim.models import CatalogItem, ProviderConnection
from consumer_sim.worker import make_station
from tests.templates import prepare

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
API_TOKEN = "consumer-token-of-the-tests"
SECRET = signing.new_secret(bytes(range(32)))
PROVIDER_ID = "7a1e4c62-58f7-4f6f-9f55-0f6f3f1f9b10"
SOURCE = f"urn:uuid:{PROVIDER_ID}"

# --- instances


@dataclass
class Consumer:
    """One consumer instance in this process. `clock` can be set."""

    app: flask.Flask
    context: Context
    connection_id: str = ""
    callback_id: str = ""

    @property
    def client(self) -> FlaskClient:
        client = self.app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {API_TOKEN}"
        return client

    def post(self, events: Sequence[str], **options: Any) -> Any:
        """A signed POST of rendered events to the receiver."""
        return self.post_bytes(envelope.join(events), **options)

    def post_bytes(self, body: bytes, *, secrets: Sequence[str] = (SECRET,), skew_s: int = 0, **headers: str) -> Any:
        now_s = int(self.context.clock().timestamp()) + skew_s
        signed = signing.sign(body, message_id=f"msg_{uuid4().hex}", now_s=now_s, secrets=secrets)
        url = f"/exchange/v1/connections/{self.callback_id or self.connection_id}/events"
        content = {"Content-Type": BATCH_CONTENT_TYPE}
        return self.app.test_client().post(url, data=body, headers={**content, **signed, **headers})

    def verdicts(self, events: Sequence[str]) -> list[str]:
        response = self.post(events)
        assert response.status_code == 200, response.text
        return [row["verdict"] for row in response.json["verdicts"]]

    def station(self) -> Station:
        return make_station(self.context)


@contextmanager
def consumer(
    url: str, data_dir: Path, *, clock: Callable[[], datetime] = lambda: NOW, **settings: Any
) -> Iterator[Consumer]:
    """A migrated consumer without connections."""
    prepare(url, migrations.upgrade)
    values: dict[str, Any] = {
        "database_url": url,
        "redis_url": "",
        "data_dir": data_dir,
        "public_url": "http://127.0.0.1:1",
        "instance_name": "acme",
        "display_name": "ACME IT",
        "egress_allow": ("127.0.0.0/8",),
        "lease_s": 30.0,
        "sweep_s": 5.0,
        "failpoint": "",
        "api_token": API_TOKEN,
    }
    app = create_app(ConsumerConfig(**values | settings), clock=clock)
    context: Context = app.extensions["sxg-consumer"]
    try:
        yield Consumer(app, context)
    finally:
        context.database.close()


@contextmanager
def connected_consumer(
    url: str, data_dir: Path, *, peer_url: str = "http://127.0.0.1:1", **settings: Any
) -> Iterator[Consumer]:
    """A consumer with one active connection."""
    with consumer(url, data_dir, **settings) as one:
        with one.context.database.transaction() as session:
            one.connection_id, one.callback_id = make_connection(session, one.context, peer_url=peer_url)
        yield one


def make_connection(
    session: Session,
    context: Context,
    *,
    peer_url: str = "http://127.0.0.1:1",
    prefix: str = "ACME",
    secrets: Sequence[str] = (SECRET,),
    state: str = ConnectionState.ACTIVE,
    auto_activate: bool = False,
) -> tuple[str, str]:
    """The wire's id of a new connection, and ours."""
    connection = Connection(
        id=str(uuid4()),
        name="Northwind",
        state=state,
        peer_url=peer_url,
        peer_instance_id=PROVIDER_ID,
        client_id=uuid4().hex,
        secrets=context.keyring.seal({"webhook": list(secrets), "client_secret": "s3cret"}),
        settings={},
        created_at=NOW,
    )
    session.add(connection)
    session.flush()
    link = ProviderConnection(
        id=str(uuid4()),
        connection_id=connection.id,
        provider_url=peer_url,
        token_hash=uuid4().hex,
        requested_prefix=prefix,
        number_prefix=prefix,
        provider_name="Northwind",
        step="done",
        auto_activate=auto_activate,
        created_at=NOW,
        updated_at=NOW,
    )
    session.add(link)
    return connection.id, link.id


def make_item(session: Session, connection_id: str, **values: Any) -> CatalogItem:
    """An active item with `FORM`."""
    item = CatalogItem(
        connection_id=connection_id,
        id=str(uuid4()),
        revision=1,
        name="Broadband",
        short_description="",
        category="Internet",
        kind="product",
        form=FORM,
        orderable=True,
        state="active",
        active_revision=1,
        active_form=FORM,
        updated_at=NOW,
    )
    for name, value in values.items():
        setattr(item, name, value)
    session.add(item)
    session.flush()
    return item


FORM: dict[str, Any] = {
    "variables": [
        {
            "key": "bandwidth",
            "label": "Bandwidth",
            "type": "choice",
            "mandatory": True,
            "default": None,
            "description": "",
            "options": [{"value": "100", "label": "100 Mbit/s"}, {"value": "200", "label": "200 Mbit/s"}],
            "min_cardinality": 1,
            "max_cardinality": 1,
        }
    ],
    "parts": [],
}
ANSWERS: dict[str, Any] = {"quantity": 1, "characteristics": {"bandwidth": "100"}, "parts": {}}
ASKED_BY = {"name": "Ada Lovelace", "email": "ada@acme.example"}


# --- events


def event(
    event_type: EventType, stream: str, sequence: int, data: dict[str, Any], *, source: str = SOURCE, at: datetime = NOW
) -> str:
    """The text of one event with a new id."""
    return envelope.render(
        event_id=str(uuid4()),
        source=source,
        event_type=event_type,
        subject=stream,
        time=at,
        stream=stream,
        sequence=sequence,
        data_text=envelope.render_data(data),
    )


def unsequenced(event_type: EventType, **data: Any) -> str:
    return envelope.render(
        event_id=str(uuid4()),
        source=SOURCE,
        event_type=event_type,
        subject="connection",
        time=NOW,
        data_text=envelope.render_data(data),
    )


def state_changed(task_id: str, sequence: int, order_state: str = "new", **data: Any) -> str:
    whole = {
        "task_id": task_id,
        "number": "ACME-PT0000001",
        "state": "received",
        "state_label": "Received",
        "order_number": "ORD0001042",
        "order_state": order_state,
        "order_state_label": order_state.capitalize(),
        "order_version": 1,
        "ponr": False,
        "reason": None,
    }
    return event(EventType.PROVIDER_TASK_STATE_CHANGED, f"provider_task/{task_id}", sequence, whole | data)


def comment_added(task_id: str, sequence: int, text: str = "Hello", **data: Any) -> str:
    whole = {
        "task_id": task_id,
        "comment_id": str(uuid4()),
        "text": text,
        "author": {"name": "Grace", "company": "Northwind"},
        "created_at": "2026-11-21T09:00:00.000Z",
    }
    return event(EventType.COMMENT_ADDED, f"provider_task/{task_id}", sequence, whole | data)


def product_changed(product_id: str, sequence: int, **data: Any) -> str:
    whole = {
        "product_id": product_id,
        "number": "PRD0000001",
        "name": "Broadband",
        "state": "active",
        "state_label": "Active",
        "task_id": str(uuid4()),
        "order_number": "ORD0001042",
        "line_number": "OL0000001",
        "characteristics": {"bandwidth": "100"},
        "location": {"name": "Berlin office"},
        "catalog_item_id": None,
    }
    return event(EventType.PRODUCT_CHANGED, f"product/{product_id}", sequence, whole | data)


def item_changed(item_id: str, sequence: int, **data: Any) -> str:
    whole = {
        "item_id": item_id,
        "revision": 1,
        "name": "Broadband",
        "short_description": "Fast",
        "category": "Internet",
        "kind": "product",
        "form": FORM,
        "orderable": True,
    }
    return event(EventType.CATALOG_ITEM_CHANGED, f"catalog_item/{item_id}", sequence, whole | data)


def item_removed(item_id: str, sequence: int, reason: str = "retired") -> str:
    data = {"item_id": item_id, "reason": reason}
    return event(EventType.CATALOG_ITEM_REMOVED, f"catalog_item/{item_id}", sequence, data)


# --- looking


def rows(one: Consumer, model: Any, *order: Any) -> list[Any]:
    with one.context.database.reading() as session:
        return list(session.scalars(select(model).order_by(*order)))


@contextmanager
def counted_statements(one: Consumer) -> Iterator[list[str]]:
    """The SQL texts that reach the database meanwhile; a set of rows in one execution counts once."""
    seen: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    sqlalchemy_event.listen(one.context.database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sqlalchemy_event.remove(one.context.database.engine, "before_cursor_execute", note)


# --- the other side


@dataclass
class Call:
    """One request that reached the played provider."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


Answer = tuple[int, dict[str, Any]]


@dataclass
class PlayedProvider:
    """A provider over real HTTP that answers as told: `script` maps a path's end to what its next calls get."""

    script: dict[str, list[Answer | None]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    issued: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.connection_id = str(uuid4())
        self.tokens = 0
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._make_handler())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def calls_to(self, end: str) -> list[Call]:
        return [call for call in self.calls if call.path.endswith(end)]

    def answer(self, call: Call) -> Answer | None:
        """None breaks the connection without an answer."""
        for end, answers in self.script.items():
            if call.path.partition("?")[0].endswith(end) and answers:
                return answers.pop(0)
        if call.path.endswith("/registrations/complete"):
            return 201, self.issue(call.body)
        if call.path.endswith("/token"):
            self.tokens += 1
            return 200, {"access_token": f"token-{self.tokens}", "token_type": "Bearer", "expires_in": 900}
        if call.path.endswith("/connection/heartbeat"):
            return 200, {"connection_id": self.connection_id, "state": "pending"}
        if call.path.endswith("/connection/verify"):
            return self.challenge()
        return 201, call.body

    def issue(self, body: dict[str, Any]) -> dict[str, Any]:
        self.issued = {
            "connection_id": self.connection_id,
            "client_id": uuid4().hex,
            "client_secret": "geheim",
            "webhook_secret": SECRET,
            "number_prefix": body["number_prefix"],
            "provider": {"instance_id": PROVIDER_ID, "name": "Northwind"},
            "callback": body["callback_url"],
        }
        return self.issued

    def challenge(self) -> Answer:
        body = envelope.join([unsequenced(EventType.CHALLENGE, challenge="c-1")])
        signed = signing.sign(
            body, message_id="msg_1", now_s=int(datetime.now(UTC).timestamp()), secrets=[self.issued["webhook_secret"]]
        )
        headers = {"Content-Type": BATCH_CONTENT_TYPE, **signed}
        reply = requests.post(self.issued["callback"], data=body, headers=headers, timeout=5)
        if reply.status_code == 200 and reply.json()["verdicts"][0].get("challenge") == "c-1":
            return 200, {"state": "active"}
        return 409, {
            "code": "challenge_failed",
            "title": "Challenge Failed",
            "detail": f"the callback said {reply.status_code}",
        }

    def _make_handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers["Content-Length"]))
                is_json = self.headers["Content-Type"] == "application/json"
                self.play(json.loads(text) if is_json else text.decode())

            def do_GET(self) -> None:
                self.play(None)

            def play(self, content: Any) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                call = Call(self.command, self.path, headers, content)
                provider.calls.append(call)
                answer = provider.answer(call)
                if answer is None:
                    self.close_connection = True
                    return
                status, document = answer
                body = json.dumps(document).encode()
                self.send_response(status)
                kind = "application/problem+json" if "code" in document else "application/json"
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


@contextmanager
def played_provider(**script: list[Answer | None]) -> Iterator[PlayedProvider]:
    provider = PlayedProvider()
    try:
        yield provider
    finally:
        provider.close()


def problem(status: int, code: str, **facts: Any) -> Answer:
    return status, {"code": code, "title": code, "status": status, "detail": f"because of {code}", **facts}


@contextmanager
def served(app: flask.Flask) -> Iterator[str]:
    """The app on a free port, for what calls back."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
