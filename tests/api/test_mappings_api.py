"""Looking at, trying, changing and resetting how one consumer sees our states, over HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from flask.testing import FlaskClient

from bridge.database import Database
from tests.api.provider_client import Clock, context_of, make_app, user_headers
from tests.factories import Ordered, make_order


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    app = make_app(sqlite_url, tmp_path, Clock())
    yield app
    context_of(app).database.close()


@pytest.fixture
def database(app: flask.Flask) -> Database:
    return context_of(app).database


@pytest.fixture
def made(database: Database) -> Ordered:
    return make_order(database)


@pytest.fixture
def client(app: flask.Flask) -> FlaskClient:
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = user_headers(app, "process_admin")["Authorization"]
    return client


def path_of(made: Ordered) -> str:
    return f"/api/v1/connections/{made.connection_id}/mapping"


def test_what_is_read_can_be_changed_and_put_back(client: FlaskClient, made: Ordered) -> None:
    read: dict[str, Any] = client.get(path_of(made)).get_json()
    assert (read["is_default"], read["versions"]) == (True, [])
    tables = read["tables"]
    assert len(tables["order_state"]["rows"]) == 16
    tables["order_state"]["rows"]["new"]["state_label"] = "In our queue"
    tried = client.post(f"{path_of(made)}/dry-run?limit=10", json={"tables": tables})
    assert tried.status_code == 200, tried.text
    assert tried.get_json()["checked"] == 3
    assert [row["after"]["state_label"] for row in tried.get_json()["changed"]] == ["In our queue"]
    put = client.put(path_of(made), json={"tables": tables})
    assert put.status_code == 200, put.text
    assert put.get_json() == client.get(path_of(made)).get_json()
    assert (put.get_json()["tables"], put.get_json()["is_default"]) == (tables, False)
    assert client.delete(path_of(made)).get_json()["is_default"] is True


def test_every_fault_is_a_problem_with_its_pointer(client: FlaskClient, made: Ordered) -> None:
    tables = client.get(path_of(made)).get_json()["tables"]
    tables["order_state"]["source_field"] = "state"
    del tables["order_state"]["rows"]["completed"]
    tables["order_state"]["rows"]["new"]["state"] = "gone"
    tables["colours"] = {"rows": {}}
    for answer in (
        client.put(path_of(made), json={"tables": tables}),
        client.post(f"{path_of(made)}/dry-run", json={"tables": tables}),
    ):
        assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid_fields")
        assert {error["pointer"] for error in answer.get_json()["errors"]} == {
            "/tables/order_state/source_field",
            "/tables/order_state/rows",
            "/tables/order_state/rows/new/state",
            "/tables/colours",
        }
    assert client.get(path_of(made)).get_json()["is_default"] is True


@pytest.mark.parametrize("body", [{}, {"tables": {}}, {"tables": {"order_state": {}}}, {"tables": {"order_state": 1}}])
def test_documents_of_another_shape_are_refused(client: FlaskClient, made: Ordered, body: Any) -> None:
    assert client.put(path_of(made), json=body).status_code == 422


def test_only_some_roles_may_change_and_an_unknown_connection_is_404(
    app: flask.Flask, client: FlaskClient, made: Ordered
) -> None:
    viewer = user_headers(app, "viewer")
    assert app.test_client().get(path_of(made), headers=viewer).status_code == 200
    for method in ("put", "delete"):
        answer = getattr(app.test_client(), method)(path_of(made), headers=viewer, json={"tables": {}})
        assert (answer.status_code, "process_admin" in answer.get_json()["roles"]) == (403, True)
    unknown = "/api/v1/connections/00000000-0000-4000-8000-000000000000/mapping"
    assert [client.get(unknown).status_code, client.delete(unknown).status_code] == [404, 404]
