"""A consumer ends its connection at the provider's API."""

from collections.abc import Iterator
from pathlib import Path

import flask
import pytest
from sqlalchemy import select

from bridge.models import Farewell
from tests.api.provider_client import Callback, callback_server, connect, context_of, make_app, user_headers

CLOSE = "/exchange/v1/connection/close"


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    app = make_app(database_url, tmp_path)
    yield app
    context_of(app).database.close()


@pytest.fixture
def callback() -> Iterator[Callback]:
    with callback_server() as callback:
        yield callback


def test_a_consumer_ends_its_connection_and_our_people_read_why(app: flask.Flask, callback: Callback) -> None:
    admission, headers = connect(app, callback)
    client = app.test_client()
    ended = client.post(CLOSE, headers=headers, json={"reason": "The contract ended."})
    assert (ended.status_code, ended.get_json()["state"]) == (200, "revoked")
    assert client.post(CLOSE, headers=headers, json={"reason": "again"}).status_code == 401
    path = f"/api/v1/connections/{admission['connection_id']}"
    shown = client.get(path, headers=user_headers(app, "viewer")).get_json()
    assert shown["state_reason"] == "ended by the consumer: The contract ended."
    with context_of(app).database.reading() as session:
        farewell = session.scalars(select(Farewell)).one()
    assert farewell.next_at is None, "nobody is to be told: it was the consumer that ended it"
    assert farewell.told_at is not None
    assert farewell.secrets is None
