"""Connecting and seeing items as a consumer does it, over HTTP alone."""

import base64
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import flask
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from bridge.models import Lease
from provider.models.access import AuditEntry
from tests.api.provider_client import (
    Callback,
    Clock,
    bearer,
    callback_server,
    connect,
    context_of,
    introduce,
    make_app,
    user_headers,
)
from tests.factories import NOW, demo_catalog, small_catalog

REGISTRATION = {"company": "ACME", "contact_name": "Ada", "contact_email": "ada@acme.example"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(database_url: str, tmp_path: Path, clock: Clock) -> Iterator[flask.Flask]:
    app = make_app(database_url, tmp_path, clock)
    yield app
    context_of(app).database.close()


@pytest.fixture
def client(app: flask.Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def admin(app: flask.Flask) -> dict[str, str]:
    return user_headers(app, "admin")


@pytest.fixture
def callback() -> Iterator[Callback]:
    with callback_server() as callback:
        yield callback


def registered(client: FlaskClient, admin: dict[str, str]) -> str:
    answer = client.post("/api/v1/registrations", headers=admin, json=REGISTRATION)
    assert answer.status_code == 201
    return str(answer.get_json()["token"])


def published(client: FlaskClient, admin: dict[str, str], document: dict[str, Any]) -> list[str]:
    """Import, then publish every draft but the inventory's to all; the items' ids."""
    imported = client.post("/api/v1/catalog/import", headers=admin, json=document)
    assert imported.status_code == 200, imported.text
    found = client.get("/api/v1/remote-record-producers?limit=200", headers=admin).get_json()["items"]
    drafts = [draft for draft in found if draft["kind"] != "inventory"]
    for draft in drafts:
        path = f"/api/v1/remote-record-producers/{draft['identity']}/publish"
        assert client.post(path, headers=admin, json={"criteria": {"all_consumers": True}}).status_code == 200
    return [draft["identity"] for draft in drafts]


def test_the_whole_way_from_a_token_to_an_item(
    app: flask.Flask, client: FlaskClient, admin: dict[str, str], callback: Callback
) -> None:
    (item_id,) = published(client, admin, small_catalog())
    admission = introduce(client, registered(client, admin), callback.url).get_json()
    assert admission["number_prefix"] == "ACME"
    assert admission["provider"]["name"] == "Northwind"
    callback.secrets.append(admission["webhook_secret"])
    headers = bearer(client, admission)

    assert client.get("/exchange/v1/connection", headers=headers).get_json()["state"] == "pending"
    refused = client.get("/exchange/v1/catalog-items", headers=headers)
    assert (refused.status_code, refused.get_json()["code"]) == (403, "connection_not_active")

    verified = client.post("/exchange/v1/connection/verify", headers=headers)
    assert verified.get_json()["state"] == "active"
    assert [event["type"] for event in callback.events] == ["exchange.connection.challenge"]

    items = client.get("/exchange/v1/catalog-items", headers=headers).get_json()
    assert [item["item_id"] for item in items["items"]] == [item_id]
    assert items["next"] is None
    body = {"state": "active", "revision": 1}
    activated = client.post(f"/exchange/v1/catalog-items/{item_id}/activation", headers=headers, json=body)
    assert activated.get_json() == {"item_id": item_id, "state": "active", "revision": 1, "active_revision": 1}


@pytest.mark.parametrize("mode", ["error", "wrong"])
def test_a_callback_that_does_not_prove_itself_opens_nothing_and_may_try_again(
    client: FlaskClient, admin: dict[str, str], callback: Callback, mode: str
) -> None:
    admission = introduce(client, registered(client, admin), callback.url).get_json()
    callback.secrets.append(admission["webhook_secret"])
    headers = bearer(client, admission)
    callback.mode = mode
    failed = client.post("/exchange/v1/connection/verify", headers=headers)
    assert (failed.status_code, failed.get_json()["code"]) == (409, "challenge_failed")
    assert client.get("/exchange/v1/connection", headers=headers).get_json()["state"] == "pending"
    callback.mode = "echo"
    assert client.post("/exchange/v1/connection/verify", headers=headers).get_json()["state"] == "active"


def test_a_callback_that_nobody_answers_is_told_as_a_failed_challenge(
    client: FlaskClient, admin: dict[str, str]
) -> None:
    admission = introduce(client, registered(client, admin), "http://127.0.0.1:9/events").get_json()
    failed = client.post("/exchange/v1/connection/verify", headers=bearer(client, admission))
    assert failed.status_code == 409


def test_bad_introductions_are_refused_by_pointer(client: FlaskClient, admin: dict[str, str]) -> None:
    token = registered(client, admin)
    for changes, pointer in (
        ({"number_prefix": "acme"}, "/number_prefix"),
        ({"number_prefix": "ACME\n"}, "/number_prefix"),
        ({"number_prefix": "A"}, "/number_prefix"),
        ({"instance_id": "me"}, "/instance_id"),
        ({"callback_url": "http://10.0.0.1/"}, "/callback_url"),
        ({"callback_url": "ftp://acme.example/"}, "/callback_url"),
        ({"admin": True}, "/admin"),
    ):
        answer = introduce(client, token, "https://acme.example/events", **changes)
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.get_json()["errors"]] == [pointer]
    wrong = introduce(client, "sxr_wrong", "https://acme.example/events")
    assert (wrong.status_code, wrong.get_json()["code"]) == (401, "registration_token_invalid")


def test_the_token_endpoint_speaks_oauth(client: FlaskClient, admin: dict[str, str]) -> None:
    admission = introduce(client, registered(client, admin), "https://acme.example/events").get_json()
    secret, client_id = admission["client_secret"], admission["client_id"]
    basic = {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}
    grant = {"grant_type": "client_credentials"}
    good = client.post("/exchange/v1/token", data=grant, headers=basic)
    assert {**good.get_json(), "access_token": "x"} == {"access_token": "x", "token_type": "Bearer", "expires_in": 900}
    assert good.headers["Cache-Control"] == "no-store"
    for data, headers, status, code in (
        ({}, basic, 400, "invalid_request"),
        ({"grant_type": "password"}, basic, 400, "unsupported_grant_type"),
        (grant, {}, 401, "invalid_client"),
        ({**grant, "client_id": client_id, "client_secret": "no"}, {}, 401, "invalid_client"),
        ({**grant, "client_secret": secret}, basic, 400, "invalid_request"),
    ):
        answer = client.post("/exchange/v1/token", data=data, headers=headers)
        assert (answer.status_code, answer.get_json()["error"]) == (status, code)
        assert answer.content_type == "application/json"


def test_a_bearer_token_ends(app: flask.Flask, client: FlaskClient, callback: Callback, clock: Clock) -> None:
    _, headers = connect(app, callback)
    clock.now = NOW + timedelta(seconds=900)
    assert client.get("/exchange/v1/connection", headers=headers).status_code == 401


def test_a_pause_stops_intake_and_a_revoked_consumer_is_a_stranger(
    app: flask.Flask, client: FlaskClient, admin: dict[str, str], callback: Callback
) -> None:
    admission, headers = connect(app, callback)
    path = f"/api/v1/connections/{admission['connection_id']}"
    reason = {"reason": "maintenance"}
    assert client.post(f"{path}/pause", headers=admin, json=reason).get_json()["state"] == "paused"
    refused = client.get("/exchange/v1/catalog-items", headers=headers)
    assert (refused.status_code, refused.get_json()["state"]) == (403, "paused")
    assert client.get("/exchange/v1/connection", headers=headers).get_json()["state"] == "paused"
    assert client.post(f"{path}/resume", headers=admin).get_json()["state"] == "active"
    assert client.get("/exchange/v1/catalog-items", headers=headers).status_code == 200
    assert client.post(f"{path}/revoke", headers=admin, json=reason).get_json()["state"] == "revoked"
    assert client.get("/exchange/v1/connection", headers=headers).status_code == 401
    again = client.post(f"{path}/resume", headers=admin)
    assert (again.status_code, again.get_json()["code"]) == (409, "illegal_move")


def test_any_call_of_a_consumer_ends_the_pause_between_probes(
    app: flask.Flask, client: FlaskClient, admin: dict[str, str], callback: Callback
) -> None:
    admission, headers = connect(app, callback)
    later = NOW + timedelta(minutes=15)
    with context_of(app).database.transaction() as session:
        session.execute(update(Lease).values(not_before=later))
    path = f"/api/v1/connections/{admission['connection_id']}"
    assert client.get(path, headers=admin).get_json()["health"]["not_before"] == "2026-11-21T09:15:00.000Z"
    client.get("/exchange/v1/connection", headers=headers)
    assert client.get(path, headers=admin).get_json()["health"]["not_before"] == "2026-11-21T09:00:00.000Z"


def test_a_test_event_tells_how_the_callback_does(
    app: flask.Flask, client: FlaskClient, admin: dict[str, str], callback: Callback
) -> None:
    admission, _ = connect(app, callback)
    path = f"/api/v1/connections/{admission['connection_id']}/test-event"
    told = client.post(path, headers=admin).get_json()
    assert (told["delivered"], told["detail"], 0 <= told["took_s"] < 5) == (True, "applied", True)
    assert (callback.events[-1]["type"], callback.events[-1]["id"]) == ("exchange.connection.test", told["event_id"])
    callback.mode = "error"
    failed = client.post(path, headers=admin).get_json()
    assert (failed["delivered"], "500" in failed["detail"]) == (False, True)
    with context_of(app).database.reading() as session:
        tests = session.scalars(select(AuditEntry.detail).where(AuditEntry.action == "connection.test")).all()
    assert [test["event_id"] for test in tests] == [told["event_id"], failed["event_id"]]


def test_a_registration_says_at_each_step_where_it_stands_and_why_it_is_stuck(
    client: FlaskClient, admin: dict[str, str], callback: Callback, clock: Clock
) -> None:
    asked = REGISTRATION | {"base_url": callback.url.removesuffix("/events"), "callback_url": callback.url}
    made = client.post("/api/v1/registrations", headers=admin, json=asked).get_json()
    assert {name: made[name] for name in asked} == asked

    def shown() -> dict[str, Any]:
        (listed,) = client.get("/api/v1/registrations", headers=admin).get_json()["items"]
        for key in (made["id"], made["number"]):
            assert client.get(f"/api/v1/registrations/{key}", headers=admin).get_json() == listed
        assert "token" not in listed
        return dict(listed)

    assert (shown()["step"], shown()["problem"]) == ("complete", None)
    elsewhere = introduce(client, made["token"], "http://127.0.0.1:9/elsewhere")
    assert (elsewhere.status_code, elsewhere.get_json()["errors"][0]["pointer"]) == (422, "/callback_url")
    stuck = shown()
    assert (stuck["step"], callback.url in stuck["problem"]) == ("complete", True)
    assert "again with the same token" in stuck["advice"] and stuck["problem_at"]

    clock.now = NOW + timedelta(hours=24)
    assert "the token expired" in shown()["problem"]
    path = f"/api/v1/registrations/{made['number']}/reissue"
    token = client.post(path, headers=admin).get_json()["token"]
    admission = introduce(client, token, callback.url).get_json()
    callback.secrets.append(admission["webhook_secret"])
    assert (shown()["step"], shown()["connection_id"]) == ("verify", admission["connection_id"])

    headers, callback.mode = bearer(client, admission), "error"
    assert client.post("/exchange/v1/connection/verify", headers=headers).status_code == 409
    stuck = shown()
    assert (stuck["step"], "500" in stuck["problem"]) == ("verify", True)
    (connection,) = client.get("/api/v1/connections", headers=admin).get_json()["items"]
    assert {name: connection[name] for name in ("company", "problem", "advice")} == {
        "company": "ACME", "problem": stuck["problem"], "advice": stuck["advice"],
    }  # fmt: skip
    callback.mode = "echo"
    assert client.post("/exchange/v1/connection/verify", headers=headers).status_code == 200
    assert [shown()[name] for name in ("step", "problem", "problem_at", "advice")] == ["done", None, None, None]
    again = client.post(path, headers=admin)
    assert (again.status_code, again.get_json()["code"]) == (409, "registration_closed")
    assert client.get("/api/v1/registrations/REG9999999", headers=admin).status_code == 404


def test_addresses_that_must_not_be_called_are_refused_at_registering(
    client: FlaskClient, admin: dict[str, str]
) -> None:
    for name in ("base_url", "callback_url"):
        for address in ("http://10.0.0.1/", "ftp://acme.example/", "acme", "https://user@acme.example/"):
            answer = client.post("/api/v1/registrations", headers=admin, json=REGISTRATION | {name: address})
            assert answer.status_code == 422
            assert [error["pointer"] for error in answer.get_json()["errors"]] == [f"/{name}"]


def test_a_connection_says_what_is_wrong_with_it_and_what_helps(
    app: flask.Flask, client: FlaskClient, admin: dict[str, str], callback: Callback
) -> None:
    admission, _ = connect(app, callback)
    path = f"/api/v1/connections/{admission['connection_id']}"

    def told() -> tuple[str | None, str | None]:
        shown = client.get(path, headers=admin).get_json()
        (listed,) = client.get("/api/v1/connections", headers=admin).get_json()["items"]
        assert listed == {name: value for name, value in shown.items() if name != "health"}
        return shown["problem"], shown["advice"]

    assert told() == (None, None)
    paused = client.post(f"{path}/pause", headers=admin, json={"reason": "Maintenance"}).get_json()
    assert (paused["problem"], told()[0]) == ("paused by people: Maintenance",) * 2
    assert f"sxg connection resume {admission['connection_id']}" in str(told()[1])
    assert client.post(f"{path}/resume", headers=admin).get_json()["problem"] is None
    with context_of(app).database.transaction() as session:
        session.execute(update(Lease).values(failures=3, failing_since=NOW, last_error="connection refused"))
    assert told()[0] == "failed 3 times since 0 s ago: connection refused"
    client.post(f"{path}/revoke", headers=admin, json={"reason": "over"})
    assert told() == (None, None)


def test_lists_come_in_pages_without_loss_or_repetition(
    app: flask.Flask, client: FlaskClient, admin: dict[str, str], callback: Callback
) -> None:
    wanted = published(client, admin, demo_catalog())
    _, headers = connect(app, callback)
    found, cursor = [], ""
    while cursor is not None:
        answer = client.get(f"/exchange/v1/catalog-items?limit=4&cursor={cursor}", headers=headers)
        assert answer.status_code == 200, answer.text
        page = answer.get_json()
        assert len(page["items"]) <= 4
        found += [item["item_id"] for item in page["items"]]
        cursor = page["next"]
    assert found == sorted(wanted)


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "cursor=*", "cursor=WyJ4Il0=", "cursor=WzFd", "cursor=W10="])
def test_queries_that_make_no_sense_are_refused(
    app: flask.Flask, client: FlaskClient, callback: Callback, query: str
) -> None:
    _, headers = connect(app, callback)
    assert client.get(f"/exchange/v1/catalog-items?{query}", headers=headers).status_code == 422


def test_a_bad_catalog_is_refused_with_all_its_faults(client: FlaskClient, admin: dict[str, str]) -> None:
    document = small_catalog(lifecycleStatus="Sleeping")
    document["productOffering"][0]["productOfferingPrice"] = [{"id": "none"}]
    answer = client.post("/api/v1/catalog/import", headers=admin, json=document)
    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.get_json()["errors"]} == {
        "/productSpecification/0/lifecycleStatus",
        "/productOffering/0/productOfferingPrice/0/id",
        "/productOffering/0/productSpecification/id",
    }
    assert client.get("/api/v1/specifications", headers=admin).get_json()["items"] == []


def test_items_of_others_and_items_that_do_not_exist_look_the_same(
    app: flask.Flask, client: FlaskClient, admin: dict[str, str], callback: Callback
) -> None:
    _, headers = connect(app, callback)
    client.post("/api/v1/catalog/import", headers=admin, json=small_catalog())
    draft = client.get("/api/v1/remote-record-producers", headers=admin).get_json()["items"][0]
    for item_id in (draft["identity"], "00000000-0000-4000-8000-000000000000", "nonsense"):
        answer = client.get(f"/exchange/v1/catalog-items/{item_id}", headers=headers)
        assert (answer.status_code, answer.get_json()["code"]) == (404, "not_found")
