"""New secrets at a provider's API: the former one stays good until the new one is proven and its grace is over."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import flask
import pytest
from sqlalchemy import select

from provider.models.access import AuditEntry
from provider.services import rotations
from tests.api.provider_client import (
    Callback,
    Clock,
    bearer,
    callback_server,
    connect,
    context_of,
    make_app,
    user_headers,
)

SECRETS = "/exchange/v1/connection/secrets"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(database_url: str, tmp_path: Path, clock: Clock) -> Iterator[flask.Flask]:
    app = make_app(database_url, tmp_path, clock)
    yield app
    context_of(app).database.close()


@pytest.fixture
def callback() -> Iterator[Callback]:
    with callback_server() as callback:
        yield callback


def live(app: flask.Flask, connection_id: str) -> list[str]:
    """The webhook secrets that events are signed with."""
    context = context_of(app)
    with context.database.reading() as session:
        found: list[str] = context.keyring.open(rotations.get_connection(session, connection_id))["webhook"]
        return found


def sign_in(app: flask.Flask, admission: dict[str, Any], secret: str) -> int:
    form = {"grant_type": "client_credentials", "client_id": admission["client_id"], "client_secret": secret}
    return app.test_client().post("/exchange/v1/token", data=form).status_code


def end_former(app: flask.Flask, clock: Clock, after_s: float) -> int:
    clock.now += timedelta(seconds=after_s)
    with context_of(app).transaction() as session:
        return rotations.end_former_secrets(session, context_of(app).keyring, now=clock.now)


def states(app: flask.Flask, connection_id: str) -> dict[str, str]:
    path = f"/api/v1/connections/{connection_id}/rotations"
    items = app.test_client().get(path, headers=user_headers(app, "viewer")).get_json()["items"]
    return {item["secret"]: item["state"] for item in items}


def test_events_are_signed_with_both_secrets_until_the_new_one_is_proven_and_the_grace_is_over(
    app: flask.Flask, callback: Callback, clock: Clock
) -> None:
    admission, headers = connect(app, callback)
    client, connection_id = app.test_client(), admission["connection_id"]
    fetched = client.post(f"{SECRETS}/webhook_secret", headers=headers).get_json()["secret"]
    assert live(app, connection_id) == [fetched, admission["webhook_secret"]]
    assert client.post(f"{SECRETS}/webhook_secret", headers=headers).get_json()["secret"] == fetched
    assert end_former(app, clock, 30 * 86_400) == 0, "what is not proven ends nothing"

    headers = bearer(client, admission)
    unproven = client.post(f"{SECRETS}/webhook_secret/verify", headers=headers)
    assert (unproven.status_code, unproven.get_json()["code"]) == (409, "challenge_failed")
    callback.secrets = [fetched]
    proven = client.post(f"{SECRETS}/webhook_secret/verify", headers=headers).get_json()
    assert proven["state"] == "proven"
    assert live(app, connection_id) == [fetched, admission["webhook_secret"]]
    assert end_former(app, clock, rotations.GRACE_S - 1) == 0
    assert end_former(app, clock, 1) == 1
    assert live(app, connection_id) == [fetched]
    assert states(app, connection_id) == {"webhook_secret": "done"}


def test_a_client_secret_is_proven_by_its_first_use_and_the_former_one_ends_after_its_grace(
    app: flask.Flask, callback: Callback, clock: Clock
) -> None:
    admission, headers = connect(app, callback)
    client, former = app.test_client(), admission["client_secret"]
    lost = client.post(f"{SECRETS}/client_secret", headers=headers).get_json()["secret"]
    fetched = client.post(f"{SECRETS}/client_secret", headers=headers).get_json()["secret"]
    assert sign_in(app, admission, lost) == 401, "a later one voids what was fetched and not used"
    assert sign_in(app, admission, former) == 200
    assert states(app, admission["connection_id"]) == {"client_secret": "offered"}
    assert sign_in(app, admission, fetched) == 200
    assert states(app, admission["connection_id"]) == {"client_secret": "proven"}
    clock.now += timedelta(seconds=rotations.GRACE_S - 1)
    assert sign_in(app, admission, former) == 200
    clock.now += timedelta(seconds=1)
    assert sign_in(app, admission, former) == 401, "even before anybody has tidied up"
    assert end_former(app, clock, 0) == 1
    assert sign_in(app, admission, fetched) == 200


def test_our_people_may_begin_it_and_what_was_done_is_in_the_audit_without_secrets(
    app: flask.Flask, callback: Callback
) -> None:
    admission, headers = connect(app, callback)
    client, path = app.test_client(), f"/api/v1/connections/{admission['connection_id']}/rotate"
    assert client.post(path, headers=user_headers(app, "viewer"), json={}).status_code == 403
    begun = client.post(path, headers=user_headers(app, "exchange_admin"), json={"grace_s": 0}).get_json()
    assert [item["state"] for item in begun["items"]] == ["wanted", "wanted"]
    with context_of(app).database.reading() as session:
        assert rotations.find_wanted(session, admission["connection_id"]) == ["client_secret", "webhook_secret"]
    fetched = client.post(f"{SECRETS}/client_secret", headers=headers).get_json()["secret"]
    assert sign_in(app, admission, fetched) == 200
    assert sign_in(app, admission, admission["client_secret"]) == 401, "no grace was wanted"
    with context_of(app).database.reading() as session:
        entries = [(row.action, str(row.detail)) for row in session.scalars(select(AuditEntry))]
    assert {"connection.rotate", "connection.secret_offered", "connection.secret_proven"} <= {one for one, _ in entries}
    assert not any(fetched in detail for _, detail in entries)


def test_a_revoked_connection_gets_no_new_secrets(app: flask.Flask, callback: Callback) -> None:
    admission, _ = connect(app, callback)
    admin = user_headers(app, "exchange_admin")
    path = f"/api/v1/connections/{admission['connection_id']}"
    assert app.test_client().post(f"{path}/revoke", headers=admin, json={"reason": "over"}).status_code == 200
    refused = app.test_client().post(f"{path}/rotate", headers=admin, json={})
    assert (refused.status_code, refused.get_json()["code"]) == (403, "connection_not_active")


def test_a_rotation_that_begins_while_a_former_one_ends_keeps_both_secrets(
    app: flask.Flask, callback: Callback, clock: Clock
) -> None:
    admission, headers = connect(app, callback)
    client, connection_id, context = app.test_client(), admission["connection_id"], context_of(app)
    callback.secrets = [client.post(f"{SECRETS}/webhook_secret", headers=headers).get_json()["secret"]]
    assert client.post(f"{SECRETS}/webhook_secret/verify", headers=headers).status_code == 200
    clock.now += timedelta(seconds=rotations.GRACE_S)
    ending = threading.Thread(target=end_former, args=(app, clock, 0))
    with context.transaction() as session:
        rotations.offer_secret(session, context.keyring, connection_id, rotations.WEBHOOK, now=clock.now)
        session.flush()
        ending.start()
        time.sleep(0.3)
    ending.join()
    assert len(live(app, connection_id)) == 2, "the new secret is not proven: the consumer may not have it yet"
    assert states(app, connection_id) == {"webhook_secret": "offered"}
