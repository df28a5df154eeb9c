"""A provider and a consumer in one process, connected to each other over real HTTP; each carries on when it is told to.

with remote_pair(url, url, directory) as pair:
    identity = pair.publish(inbound=[...], outbound=[...])
    pair.settle()
"""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from bridge.jobs import Station
from bridge.models import Stream
from provider.app import create_app
from provider.config import ProviderConfig
from provider.context import Context
from provider.worker import make_station
from tests.api.provider_client import Clock, context_of, make_config, user_headers
from tests.consumer_factories import Consumer, consumer
from tests.templates import prepare

__all__ = ["EVERYONE", "Pair", "line", "remote_pair"]
EVERYONE = {"all_consumers": True}


def line(source: str, target: str | None = None, **more: Any) -> dict[str, Any]:
    """A line of a map, from a field to the one of that name unless another is said."""
    return {"source": source, "target": target or source, **more}


@dataclass
class Pair:
    """Both sides. `clock` is one for both; `connection_id` that of the wire."""

    app: flask.Flask
    consumer: Consumer
    clock: Clock
    station: Station
    admin: dict[str, str]
    connection_id: str = ""

    @property
    def provider(self) -> Context:
        return context_of(self.app)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The provider's API as its admin; the document of a good answer."""
        answer = self.app.test_client().open(f"/api/v1{path}", method=method, json=body, headers=self.admin)
        assert answer.status_code < 400, answer.text
        return answer.get_json() if answer.data else None

    def tell(self, method: str, path: str, body: Any = None) -> Any:
        """The consumer's API; the document of a good answer."""
        answer = self.consumer.client.open(f"/api/v1{path}", method=method, json=body)
        assert answer.status_code < 400, answer.text
        return answer.get_json() if answer.data else None

    def settle(self) -> None:
        """Both sides send all that is due, until nothing is."""
        for _ in range(20):
            self.clock.now += timedelta(seconds=10)
            self.send()
            self.deliver()
            if not self.is_due(self.provider.database) and not self.is_due(self.consumer.context.database):
                return
        raise AssertionError("the two sides do not come to rest")

    def send(self) -> None:
        """The consumer's calls."""
        self.consumer.station().drain(self.connection_id)

    def deliver(self) -> None:
        """The provider's events."""
        self.station.drain(self.connection_id)

    def is_due(self, database: Any) -> bool:
        with database.reading() as session:
            waiting = select(func.count()).select_from(Stream).where(Stream.next_sequence > Stream.head)
            return bool(session.scalar(waiting.where(Stream.blocked_by.is_(None))))

    def publish(
        self, inbound: Sequence[dict[str, Any]] = (), outbound: Sequence[dict[str, Any]] = (), name: str = ""
    ) -> str:
        """A published definition of these lines and comments both ways, active at the consumer; its identity."""
        said = {"key": "comments", "source": "comments", "target": "comments", "label": "Comments"}
        lines = {"inbound": [*inbound, said], "outbound": [*outbound, said]}
        identity: str = self.ask("POST", "/remote-task-definitions", {"name": name or str(uuid4()), **lines})[
            "identity"
        ]
        self.ask("POST", f"/remote-task-definitions/{identity}/publish", {"criteria": EVERYONE})
        self.settle()
        self.tell("POST", f"/remote-task-definitions/{identity}/activate", {})
        self.settle()
        return identity

    def open_ticket(self, **values: Any) -> dict[str, Any]:
        body = {"short_description": "The line is down", "opened_by": "Ada", **values}
        ticket: dict[str, Any] = self.tell("POST", "/tickets", body)
        return ticket

    def tie(self, ticket: dict[str, Any], identity: str) -> dict[str, Any]:
        """A remote task of the ticket, settled."""
        body = {"definition_id": identity, "connection_id": self.connection_id, "opened_by": "Ada"}
        made = self.tell("POST", f"/tickets/{ticket['id']}/remote-tasks", body)
        self.settle()
        return self.task(made["id"])

    def task(self, task_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.tell("GET", f"/remote-tasks/{task_id}")
        return found

    def ticket(self, ticket: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.tell("GET", f"/tickets/{ticket['id']}")
        return found

    def incident(self, number: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", f"/incidents/{number}")
        return found


@contextmanager
def remote_pair(provider_url: str, consumer_url: str, directory: Path, **settings: Any) -> Iterator[Pair]:
    """Connected through the real steps of onboarding."""
    from provider.migrations import upgrade  # noqa: PLC0415 - the consumer's has the same name

    clock = Clock()
    with ExitStack() as stack:
        prepare(provider_url, upgrade)
        provider_at, serve_provider = stack.enter_context(_server())
        consumer_at, serve_consumer = stack.enter_context(_server())
        config = make_config(provider_url, directory, public_url=provider_at)
        app = serve_provider(create_app(config, clock=clock))
        stack.callback(context_of(app).database.close)
        made = consumer(consumer_url, directory / "consumer", clock=clock, public_url=consumer_at, **settings)
        one = stack.enter_context(made)
        serve_consumer(one.app)
        pair = Pair(app, one, clock, _station(app, config), user_headers(app, "admin"))
        contact = {"company": "ACME", "contact_name": "Ada", "contact_email": "ada@acme.example"}
        registration = pair.ask("POST", "/registrations", contact)
        link = {"provider_url": provider_at, "token": registration["token"], "number_prefix": "ACME"}
        connected = pair.tell("POST", "/connections", link)
        assert connected["state"] == "active", json.dumps(connected)
        pair.connection_id = one.connection_id = connected["connection_id"]
        yield pair


def _station(app: flask.Flask, config: ProviderConfig) -> Station:
    return make_station(context_of(app), config)


@contextmanager
def _server() -> Iterator[tuple[str, Any]]:
    """An address that answers as soon as it is given an app."""
    served: list[flask.Flask] = []

    def answer(environ: Any, start: Any) -> Any:
        return served[0](environ, start)

    server = make_server("127.0.0.1", 0, answer, threaded=True)

    def serve(app: flask.Flask) -> flask.Flask:
        served.append(app)
        return app

    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", serve
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def count_rows(session: Session, model: Any) -> int:
    return session.scalar(select(func.count()).select_from(model)) or 0
