"""Items written by hand, and many items at once, over the API."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from flask.testing import FlaskClient

from tests.api.provider_client import callback_server, connect, context_of, make_app, user_headers

PATH = "/api/v1/remote-record-producers"
FORM: dict[str, Any] = {
    "variables": [{"key": "why", "label": "Why", "type": "text", "mandatory": True}],
    "sets": [
        {
            "key": "people",
            "label": "People",
            "many": True,
            "variables": [{"key": "age", "label": "Age", "type": "integer"}],
        }
    ],
    "besides": ["contacts"],
}


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    made = make_app(sqlite_url, tmp_path)
    yield made
    context_of(made).database.close()


@pytest.fixture
def client(app: flask.Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def admin(app: flask.Flask) -> dict[str, str]:
    return user_headers(app, "exchange_admin")


def author(client: FlaskClient, admin: dict[str, str], **facts: Any) -> dict[str, Any]:
    answer = client.post(PATH, json={"name": "Access"} | facts, headers=admin)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    found: dict[str, Any] = answer.get_json()
    return found


def test_an_item_is_written_given_a_form_and_published(client: FlaskClient, admin: dict[str, str]) -> None:
    made = author(client, admin, help_text="Ask early.")
    assert (made["kind"], made["state"], made["compatibility"]) == ("task", "draft", "1.1")
    url = f"{PATH}/{made['identity']}"
    assert client.put(f"{url}/form", json=FORM, headers=admin).get_json()["revision"] == 1
    form = client.get(url, headers=admin).get_json()["form"]
    assert (form["sets"][0]["variables"][0]["min_cardinality"], form["besides"]) == (0, ["contacts"])
    answer = client.post(f"{url}/publish", json={"criteria": {"all_consumers": True}}, headers=admin)
    assert answer.get_json()["state"] == "published"
    assert client.put(f"{url}/form", json=FORM, headers=admin).get_json()["revision"] == 2


def test_what_is_wrong_with_a_form_is_told_with_a_pointer(client: FlaskClient, admin: dict[str, str]) -> None:
    identity = author(client, admin)["identity"]
    wrong = {"variables": [], "sets": [{"key": "a", "label": "A", "variables": [{"key": "b", "type": "text"}]}]}
    answer = client.put(f"{PATH}/{identity}/form", json=wrong, headers=admin)
    assert answer.status_code == 422
    assert [(one["pointer"], one["code"]) for one in answer.get_json()["errors"]] == [
        ("/sets/0/variables/0/label", "required")
    ]
    assert client.post(PATH, json={"name": "A", "form": wrong}, headers=admin).status_code == 422


def test_an_empty_form_is_not_published(client: FlaskClient, admin: dict[str, str]) -> None:
    identity = author(client, admin)["identity"]
    answer = client.post(f"{PATH}/{identity}/publish", json={"criteria": {"all_consumers": True}}, headers=admin)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "form_incomplete")


def test_many_are_published_with_an_answer_for_each(client: FlaskClient, admin: dict[str, str]) -> None:
    ready, empty = author(client, admin, form=FORM), author(client, admin, name="Empty")
    body = {"identities": [ready["identity"], empty["identity"]], "criteria": {"all_consumers": True}}
    outcomes = client.post(f"{PATH}/bulk/publish", json=body, headers=admin).get_json()["outcomes"]
    assert [(one["name"], one["is_done"]) for one in outcomes] == [("Access", True), ("Empty", False)]
    too_many = {"identities": [ready["identity"]] * 21}
    assert client.post(f"{PATH}/bulk/publish", json=too_many, headers=admin).status_code == 422


def test_who_looks_after_the_catalog_sells_and_who_looks_after_the_exchange_publishes(
    app: flask.Flask, client: FlaskClient, admin: dict[str, str]
) -> None:
    manager = user_headers(app, "catalog_manager")
    body = {"entries": [{"kind": "offering", "id": "5b0c1a2e-0000-4000-8000-000000000001"}]}
    outcomes = client.post("/api/v1/catalog/sell", json=body, headers=manager).get_json()["outcomes"]
    assert [one["is_done"] for one in outcomes] == [False]
    assert client.post("/api/v1/catalog/sell", json=body, headers=admin).status_code == 403
    assert client.post(PATH, json={"name": "A"}, headers=manager).status_code == 403


def test_a_consumer_sees_a_form_once_it_says_that_it_can_show_it(
    app: flask.Flask, client: FlaskClient, admin: dict[str, str]
) -> None:
    identity = author(client, admin, form=FORM)["identity"]
    client.post(f"{PATH}/{identity}/publish", json={"criteria": {"all_consumers": True}}, headers=admin)
    with callback_server() as callback:
        _, peer = connect(app, callback)
    item, activation = (f"/exchange/v1/catalog-items/{identity}{end}" for end in ("", "/activation"))
    told = client.get(item, headers=peer).get_json()
    assert (told["kind"], told["orderable"], told["form"]) == ("service", False, {"variables": [], "parts": []})
    refused = client.post(activation, json={"state": "active", "revision": 1}, headers=peer)
    assert (refused.status_code, refused.get_json()["code"]) == (409, "version_too_old")
    beat = {"every_s": 30, "version": "1.1"}
    assert client.post("/exchange/v1/connection/heartbeat", json=beat, headers=peer).status_code == 200
    told = client.get(item, headers=peer).get_json()
    assert (told["kind"], told["orderable"], told["form"]["variables"][0]["key"]) == ("task", True, "why")
    accepted = client.post(activation, json={"state": "active", "revision": 1}, headers=peer)
    assert accepted.status_code == 200
