"""A provider's app over a migrated database, and a callback that answers it, for tests of the API."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask
from flask.testing import FlaskClient
from standardwebhooks.webhooks import Webhook
from werkzeug.test import TestResponse

import mappings
from provider.app import create_app
from provider.config import ProviderConfig
from provider.context import Context
from provider.migrations import upgrade
from provider.services.users import add_user
from tests.factories import NOW
from tests.templates import prepare


class Clock:
    """A clock that tests set."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def make_config(database_url: str, directory: Path, **settings: Any) -> ProviderConfig:
    values: dict[str, Any] = {
        "database_url": database_url,
        "redis_url": "",
        "data_dir": directory / "provider",
        "public_url": "http://127.0.0.1:1",
        "instance_name": "northwind",
        "display_name": "Northwind",
        "egress_allow": ("127.0.0.0/8",),
        "lease_s": 30.0,
        "sweep_s": 5.0,
        "failpoint": "",
        "mappings_dir": Path(mappings.__file__).parent,
    }
    return ProviderConfig(**values | settings)


def make_app(database_url: str, directory: Path, clock: Clock | None = None) -> flask.Flask:
    prepare(database_url, upgrade)
    return create_app(make_config(database_url, directory), clock=clock or Clock())


def context_of(app: flask.Flask) -> Context:
    context: Context = app.extensions["sxg-provider"]
    return context


def user_headers(app: flask.Flask, *roles: str) -> dict[str, str]:
    """The headers of a new user with these roles."""
    with context_of(app).database.transaction() as session:
        _, token = add_user(session, f"user-{uuid4()}", roles, actor="system", now=NOW)
    return {"Authorization": f"Bearer {token}"}


class Callback:
    """A consumer's receiver: checks signatures with a foreign package, notes events, answers as `mode` says."""

    def __init__(self) -> None:
        self.secrets: list[str] = []
        self.events: list[dict[str, Any]] = []
        self.mode = "echo"
        self.url = ""

    def answer(self, headers: Any, body: bytes) -> tuple[int, dict[str, Any]]:
        if self.mode == "error":
            return 500, {}
        # The package checks against its own clock, which no test sets; so only the signature is compared here.
        timestamp = int(headers["webhook-timestamp"])
        signed = [
            Webhook(secret).sign(headers["webhook-id"], datetime.fromtimestamp(timestamp, NOW.tzinfo), body.decode())
            for secret in self.secrets
        ]
        if not set(signed) & set(headers["webhook-signature"].split()):
            return 401, {}
        events = json.loads(body)
        self.events += events
        challenges = [event["data"].get("challenge") for event in events]
        echoed = ["not this" if self.mode == "wrong" else challenge for challenge in challenges]
        verdicts = [
            {"id": event["id"], "verdict": "applied", **({"challenge": text} if text else {})}
            for event, text in zip(events, echoed, strict=True)
        ]
        return 200, {"verdicts": verdicts}


@contextmanager
def callback_server() -> Iterator[Callback]:
    callback = Callback()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, document = callback.answer(self.headers, body)
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        callback.url = f"http://127.0.0.1:{server.server_address[1]}/events"
        try:
            yield callback
        finally:
            server.shutdown()
            thread.join()


def introduce(client: FlaskClient, token: str, callback_url: str, /, **changes: Any) -> TestResponse:
    """POST /registrations/complete."""
    body = {
        "token": token,
        "instance_id": str(uuid4()),
        "name": "ACME IT",
        "callback_url": callback_url,
        "number_prefix": "ACME",
        "version": "1.0",
    }
    return client.post("/exchange/v1/registrations/complete", json={**body, **changes})


def bearer(client: FlaskClient, admission: dict[str, Any]) -> dict[str, str]:
    """The headers of a signed-in consumer."""
    form = {
        "grant_type": "client_credentials",
        "client_id": admission["client_id"],
        "client_secret": admission["client_secret"],
    }
    answer = client.post("/exchange/v1/token", data=form)
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.get_json()['access_token']}"}


def connect(app: flask.Flask, callback: Callback) -> tuple[dict[str, Any], dict[str, str]]:
    """A verified consumer: what it was given, and its headers."""
    client = app.test_client()
    made = client.post(
        "/api/v1/registrations",
        headers=user_headers(app, "exchange_admin"),
        json={"company": "ACME", "contact_name": "Ada", "contact_email": "ada@acme.example"},
    )
    admission = introduce(client, made.get_json()["token"], callback.url).get_json()
    callback.secrets.append(admission["webhook_secret"])
    headers = bearer(client, admission)
    assert client.post("/exchange/v1/connection/verify", headers=headers).status_code == 200
    return admission, headers
