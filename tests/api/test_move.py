"""A callback changes without a new registration: guarded, challenged before it counts, and safe to repeat."""

from collections.abc import Iterator
from pathlib import Path

import flask
import pytest

from bridge import signing
from bridge.models import Connection
from tests.api.provider_client import Callback, callback_server, connect, context_of, make_app, user_headers

CALLBACK, PROOF = "/exchange/v1/connection/callback", "/exchange/v1/connection/proof"


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    app = make_app(sqlite_url, tmp_path)
    yield app
    context_of(app).database.close()


@pytest.fixture
def callback() -> Iterator[Callback]:
    with callback_server() as callback:
        yield callback


def connection_of(app: flask.Flask, connection_id: str) -> Connection:
    with context_of(app).database.reading() as session:
        return session.get_one(Connection, connection_id)


def test_the_former_callback_stays_in_force_until_the_new_one_has_proven_itself(
    app: flask.Flask, callback: Callback
) -> None:
    admission, headers = connect(app, callback)
    client, connection_id = app.test_client(), admission["connection_id"]
    with callback_server() as moved:
        silent = client.post(CALLBACK, headers=headers, json={"callback_url": moved.url})
        assert (silent.status_code, silent.get_json()["code"]) == (409, "challenge_failed")
        stuck = connection_of(app, connection_id)
        assert (stuck.peer_url, stuck.new_url) == (callback.url, moved.url)
        assert stuck.new_url_problem
        moved.secrets = callback.secrets
        done = client.post(CALLBACK, headers=headers, json={"callback_url": moved.url}).get_json()
        assert done == {"connection_id": connection_id, "callback_url": moved.url}
        assert client.post(CALLBACK, headers=headers, json={"callback_url": moved.url}).status_code == 200
        assert moved.events[0]["type"] == "exchange.connection.challenge"
    there = connection_of(app, connection_id)
    assert (there.peer_url, there.new_url, there.new_url_problem) == (moved.url, None, None)


@pytest.mark.parametrize("url", ["http://10.1.2.3/events", "ftp://x", "http://user@127.0.0.1/", ""])
def test_an_address_that_must_not_be_called_is_refused_by_pointer(
    app: flask.Flask, callback: Callback, url: str
) -> None:
    _, headers = connect(app, callback)
    refused = app.test_client().post(CALLBACK, headers=headers, json={"callback_url": url})
    assert refused.status_code == 422
    assert refused.get_json()["errors"][0]["pointer"] == "/callback_url"


def test_our_people_move_a_consumer_by_hand_and_need_the_permission(app: flask.Flask, callback: Callback) -> None:
    admission, _ = connect(app, callback)
    path = f"/api/v1/connections/{admission['connection_id']}/callback"
    with callback_server() as moved:
        moved.secrets = callback.secrets
        body = {"callback_url": moved.url}
        assert app.test_client().post(path, headers=user_headers(app, "viewer"), json=body).status_code == 403
        done = app.test_client().post(path, headers=user_headers(app, "exchange_admin"), json=body)
    assert done.get_json()["peer_url"] == moved.url


def test_a_provider_proves_itself_without_being_given_any_credential(app: flask.Flask, callback: Callback) -> None:
    admission, _ = connect(app, callback)
    body = {"connection_id": admission["connection_id"], "nonce": "n" * 40}
    proof = app.test_client().post(PROOF, json=body).get_json()
    now_s = context_of(app).clock().timestamp()
    secret = [admission["webhook_secret"]]
    assert signing.verify(b"proof:" + b"n" * 40, proof, now_s=now_s, secrets=secret)
    unknown = {"connection_id": "5b0c0f6e-6f0c-4d0e-9e55-6a1d9b8e2f10", "nonce": "n" * 40}
    assert app.test_client().post(PROOF, json=unknown).status_code == 404


def test_an_older_consumer_says_what_it_knows_and_is_not_sent_the_rest(app: flask.Flask, callback: Callback) -> None:
    admission, headers = connect(app, callback)
    beat = {"every_s": 30, "spoken": ["exchange.product.changed"], "something": "of a later version"}
    told = app.test_client().post("/exchange/v1/connection/heartbeat", headers=headers, json=beat)
    assert (told.status_code, told.get_json()["state"]) == (200, "active")
    unspoken = connection_of(app, admission["connection_id"]).unspoken
    assert unspoken is not None
    assert "exchange.provider_task.comment_added" in unspoken
    assert "exchange.product.changed" not in unspoken
