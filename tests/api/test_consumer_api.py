"""What a consumer's people and programs can do over HTTP, and the switch that makes its receiver misbehave."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask
import pytest
from openapi_spec_validator import validate

from bridge import failpoints
from bridge.failpoints import FailpointReached
from bridge.models import Connection
from bridge.versions import WIRE_VERSION
from consumer_sim.api.problems import ERROR_TABLE
from consumer_sim.app import utc_now
from consumer_sim.models import Product, ProviderConnection, ProviderTask
from consumer_sim.services.errors import ConsumerError, ProviderAnswerInvalid, ProviderRefused
from tests.consumer_factories import (
    ANSWERS,
    API_TOKEN,
    ASKED_BY,
    SECRET,
    Consumer,
    PlayedProvider,
    comment_added,
    connected_consumer,
    consumer,
    item_changed,
    make_connection,
    make_item,
    played_provider,
    problem,
    product_changed,
    rows,
    served,
    state_changed,
)  # fmt: skip

TASK = "4a1c0d9e-2a6f-4f0e-8c7d-1d2c3b4a5f60"


@pytest.fixture
def acme(sqlite_url: str, tmp_path: Path) -> Iterator[Consumer]:
    with connected_consumer(sqlite_url, tmp_path) as one:
        yield one


@pytest.fixture
def provider() -> Iterator[PlayedProvider]:
    with played_provider() as one:
        yield one


@pytest.fixture
def item_id(acme: Consumer) -> str:
    with acme.context.database.transaction() as session:
        return make_item(session, acme.connection_id).id


def request_body(item_id: str, **values: Any) -> dict[str, Any]:
    return {"catalog_item_id": item_id, "requested_by": ASKED_BY, **ANSWERS, **values}


# --- who may


def test_every_route_for_people_wants_the_token(acme: Consumer) -> None:
    rules = [rule for rule in acme.app.url_map.iter_rules() if rule.rule.startswith("/api/v1")]
    assert len(rules) > 15
    for rule in rules:
        path = acme.app.url_map.bind("x").build(rule.endpoint, {name: str(uuid4()) for name in rule.arguments})
        for method in rule.methods - {"OPTIONS", "HEAD"}:
            for given, status in (
                ("", 401),
                (API_TOKEN, 401),
                ("Bearer ", 401),
                ("Bearer wrong", 403),
                ("Bearer \u00e9", 403),
            ):
                response = acme.app.test_client().open(path, method=method, headers={"Authorization": given})
                assert response.status_code == status, (method, path, given)


def test_the_description_of_the_api_is_valid(acme: Consumer) -> None:
    validate(acme.client.get("/openapi.json").json)


def test_every_refusal_is_a_problem_of_its_own_and_none_is_a_crash() -> None:
    refusals = set(ConsumerError.__subclasses__()) - {ProviderRefused, ProviderAnswerInvalid}
    assert refusals <= set(ERROR_TABLE), "connecting turns the other two into the reason that it shows"


# --- requests


def test_a_request_is_answered_with_its_number_and_can_be_followed(acme: Consumer, item_id: str) -> None:
    made = acme.client.post("/api/v1/requests", json=request_body(item_id, note="Soon"))
    assert (made.status_code, made.json["number"], made.json["delivery"]["state"]) == (201, "ACME-PT0000001", "waiting")
    task_id = made.json["id"]
    acme.client.post(f"/api/v1/requests/{task_id}/comments", json={"text": "Hi", "author_name": "Ada"})
    acme.verdicts(
        [state_changed(task_id, 1, "draft"), state_changed(task_id, 2, "new"), comment_added(task_id, 3, "Yes?")]
    )
    shown = acme.client.get(f"/api/v1/requests/{task_id}").json
    assert (shown["state"], shown["state_label"], shown["order_state"]) == ("received", "Received", "new")
    assert [(step["sequence"], step["order_state"]) for step in shown["timeline"]] == [(1, "draft"), (2, "new")]
    assert {comment["text"]: comment["own"] for comment in shown["comments"]} == {"Hi": True, "Yes?": False}
    assert shown["request"]["note"] == "Soon"


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"characteristics": {"bandwidth": "1"}}, "/characteristics/bandwidth"),
        ({"characteristics": {}}, "/characteristics/bandwidth"),
        ({"quantity": 0}, "/quantity"),
        ({"requested_on": "tomorrow"}, "/requested_on"),
        ({"location": {}}, "/location/name"),
        ({"surprise": 1}, "/surprise"),
    ],
)
def test_wrong_answers_are_pointed_at_and_nothing_is_kept(
    acme: Consumer, item_id: str, wrong: dict[str, Any], pointer: str
) -> None:
    response = acme.client.post("/api/v1/requests", json=request_body(item_id, **wrong))
    assert (response.status_code, response.mimetype) == (422, "application/problem+json")
    assert [error["pointer"] for error in response.json["errors"]] == [pointer]
    assert rows(acme, ProviderTask) == []


def test_an_item_that_is_not_known_or_not_active_cannot_be_asked_for(acme: Consumer) -> None:
    assert acme.client.post("/api/v1/requests", json=request_body(str(uuid4()))).status_code == 404
    offered = str(uuid4())
    acme.verdicts([item_changed(offered, 1)])
    response = acme.client.post("/api/v1/requests", json=request_body(offered))
    assert (response.status_code, response.json["code"]) == (409, "not_orderable")


def test_what_is_not_possible_now_says_why(acme: Consumer, item_id: str) -> None:
    task_id = acme.client.post("/api/v1/requests", json=request_body(item_id)).json["id"]
    assert acme.client.post(f"/api/v1/requests/{task_id}/cancel", json={"reason": "x"}).status_code == 200
    again = acme.client.post(f"/api/v1/requests/{task_id}/cancel", json={"reason": "x"})
    assert (again.status_code, again.json["code"]) == (409, "not_possible_now")
    assert acme.client.post(f"/api/v1/requests/{task_id}/correct", json=ANSWERS).status_code == 409


def test_lists_come_in_pages_without_gaps(acme: Consumer, item_id: str) -> None:
    made = [acme.client.post("/api/v1/requests", json=request_body(item_id)).json["number"] for _ in range(5)]
    seen, cursor = [], ""
    while True:
        page = acme.client.get(f"/api/v1/requests?limit=2{cursor}").json
        seen += [task["number"] for task in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert sorted(seen) == made


# --- products, records


def test_two_connections_that_offer_the_same_item_are_told_apart(acme: Consumer, item_id: str) -> None:
    with acme.context.database.transaction() as session:
        other, _ = make_connection(session, acme.context, prefix="OTHER")
        make_item(session, other, id=item_id, state="pending_activation", active_revision=None, active_form=None)
    listed: list[tuple[str, str]] = []
    cursor = ""
    while cursor is not None:
        page = acme.client.get(f"/api/v1/catalog-items?limit=1{cursor and '&cursor='}{cursor}").json
        listed += [(one["id"], one["connection_id"]) for one in page["items"]]
        cursor = page["next"]
    assert listed == sorted([(item_id, acme.connection_id), (item_id, other)])
    path = f"/api/v1/catalog-items/{item_id}"
    (only,) = acme.client.get(f"/api/v1/catalog-items?connection={other}").json["items"]
    assert only["connection_id"] == other
    assert acme.client.get(f"{path}?connection={other}").json["state"] == "pending_activation"
    assert acme.client.post(f"{path}/activate?connection={other}").json["connection_id"] == other
    assert acme.client.get(f"{path}?connection={other}").json["state"] == "active"
    assert acme.client.post(f"{path}/deactivate?connection={other}").json["state"] == "inactive"
    assert acme.client.get(f"{path}?connection={acme.connection_id}").json["state"] == "active"
    assert acme.client.get(f"{path}?connection={uuid4()}").status_code == 404
    for cursor in ("x", f"{item_id}", f"{item_id}_x"):
        assert acme.client.get(f"/api/v1/catalog-items?cursor={cursor}").status_code == 422


def test_products_are_found_by_location(acme: Consumer) -> None:
    berlin, bonn = str(uuid4()), str(uuid4())
    acme.verdicts([product_changed(berlin, 1), product_changed(bonn, 1, location={"name": "Bonn"})])
    found = acme.client.get("/api/v1/products?location=Bonn").json["items"]
    assert [product["id"] for product in found] == [bonn]
    assert acme.client.get(f"/api/v1/products/{berlin}").json["location"] == {"name": "Berlin office"}


def test_records_tell_what_we_hold_in_the_words_of_the_wire(acme: Consumer, item_id: str) -> None:
    acme.client.post("/api/v1/requests", json=request_body(item_id))
    acme.verdicts([state_changed(TASK, 1), comment_added(TASK, 2, "b"), product_changed(str(uuid4()), 1)])
    (task,) = acme.client.get("/api/v1/records?kind=provider_task").json["items"]
    assert (task["task_id"], task["state_label"], [said["text"] for said in task["comments"]]) == (
        TASK,
        "Received",
        ["b"],
    )
    assert len(acme.client.get("/api/v1/records?kind=product").json["items"]) == 1
    (item,) = acme.client.get(f"/api/v1/records?kind=catalog_item&connection={acme.connection_id}").json["items"]
    assert item["item_id"] == item_id
    assert acme.client.get("/api/v1/records?kind=invoice").status_code == 422


# --- connecting


@pytest.fixture
def alone(sqlite_url: str, tmp_path: Path, provider: PlayedProvider) -> Iterator[Consumer]:
    """A consumer without connections, served on a real port so that the provider can call back."""
    front = flask.Flask("front")
    with served(front) as public_url, consumer(sqlite_url, tmp_path, clock=utc_now, public_url=public_url) as one:
        front.wsgi_app = one.app.wsgi_app  # type: ignore[method-assign]
        yield one


def connecting(provider: PlayedProvider, **values: str) -> dict[str, str]:
    return {"provider_url": provider.url + "/", "token": "sxr_abc", "number_prefix": "ACME", **values}


def test_connecting_goes_through_all_steps(alone: Consumer, provider: PlayedProvider) -> None:
    response = alone.client.post("/api/v1/connections", json=connecting(provider))
    assert response.status_code == 201
    shown = response.json
    assert (shown["state"], shown["step"], shown["problem"], shown["number_prefix"]) == ("active", "done", None, "ACME")
    told = provider.calls_to("/registrations/complete")[0].body
    assert (told["token"], told["name"], told["version"]) == ("sxr_abc", "ACME IT", WIRE_VERSION)
    assert told["callback_url"].endswith(f"/exchange/v1/connections/{shown['id']}/events")
    (connection,), (link,) = rows(alone, Connection), rows(alone, ProviderConnection)
    assert (connection.id, connection.state) == (provider.connection_id, "active")
    assert "exchange.provider_task.comment_added" in provider.calls_to("/connection/heartbeat")[0].body["spoken"]
    assert link.token is None and SECRET not in connection.secrets and "geheim" not in connection.secrets


@pytest.mark.parametrize(("stuck", "times"), [("/registrations/complete", 1), ("/token", 2), ("/connection/verify", 2)])
def test_connecting_is_taken_up_where_it_stopped(
    alone: Consumer, provider: PlayedProvider, stuck: str, times: int
) -> None:
    """Twice, because a connection that was kept alive and breaks is dialled anew by itself."""
    provider.script[stuck] = [None] * times
    first = alone.client.post("/api/v1/connections", json=connecting(provider)).json
    assert first["state"] == "pending" and "reset" in first["problem"]
    again = alone.client.post("/api/v1/connections", json=connecting(provider)).json
    assert (again["id"], again["state"], again["problem"]) == (first["id"], "active", None)
    completed = provider.calls_to("/registrations/complete")
    assert len({call.body["callback_url"] for call in completed}) == 1


def test_a_refused_token_says_so_and_a_reissued_one_goes_on(alone: Consumer, provider: PlayedProvider) -> None:
    provider.script["/registrations/complete"] = [problem(409, "registration_token_invalid")]
    first = alone.client.post("/api/v1/connections", json=connecting(provider)).json
    assert "registration_token_invalid" in first["problem"]
    second = alone.client.post("/api/v1/connections", json=connecting(provider, token="sxr_new")).json
    assert (second["id"], second["state"]) == (first["id"], "active")


def test_two_connections_to_one_provider_may_be_under_way_at_once(alone: Consumer, provider: PlayedProvider) -> None:
    provider.script["/registrations/complete"] = [problem(409, "callback_taken"), problem(409, "callback_taken")]
    first = alone.client.post("/api/v1/connections", json=connecting(provider)).json
    other = connecting(provider, token="sxr_other", number_prefix="ACMEIT")
    second = alone.client.post("/api/v1/connections", json=other).json
    assert (first["id"] != second["id"], first["step"], second["step"]) == (True, "complete", "complete")
    resumed = alone.client.post(f"/api/v1/connections/{first['id']}/resume").json
    assert (resumed["id"], resumed["state"]) == (first["id"], "active")
    assert [call.body["token"] for call in provider.calls_to("/registrations/complete")] == [
        "sxr_abc", "sxr_other", "sxr_abc",
    ]  # fmt: skip


def test_a_prefix_is_corrected_with_the_same_token(alone: Consumer, provider: PlayedProvider) -> None:
    provider.script["/registrations/complete"] = [problem(422, "invalid_fields")]
    first = alone.client.post("/api/v1/connections", json=connecting(provider)).json
    assert first["step"] == "complete"
    second = alone.client.post("/api/v1/connections", json=connecting(provider, number_prefix="OTHER")).json
    assert (second["id"], second["state"]) == (first["id"], "active")
    assert provider.calls_to("/registrations/complete")[-1].body["number_prefix"] == "OTHER"


def test_credentials_that_were_issued_anew_since_are_asked_for_again(alone: Consumer, provider: PlayedProvider) -> None:
    provider.script["/token"] = [(401, {"error": "invalid_client"})]
    assert alone.client.post("/api/v1/connections", json=connecting(provider)).json["state"] == "active"
    assert len(provider.calls_to("/registrations/complete")) == 2


def test_an_answer_that_cannot_be_used_is_named(alone: Consumer, provider: PlayedProvider) -> None:
    provider.script["/registrations/complete"] = [(201, {"connection_id": "x"})]
    shown = alone.client.post("/api/v1/connections", json=connecting(provider)).json
    assert "connection_id is not a UUID" in shown["problem"]
    assert rows(alone, Connection) == []


def test_a_provider_that_is_not_to_be_reached_is_refused_at_once(alone: Consumer, provider: PlayedProvider) -> None:
    body = connecting(provider, provider_url="http://10.0.0.1")
    response = alone.client.post("/api/v1/connections", json=body)
    assert (response.status_code, response.json["errors"][0]["pointer"]) == (422, "/provider_url")


# --- faults


def switch(acme: Consumer, **values: Any) -> None:
    assert acme.client.put("/api/v1/faults", json=values).status_code == 200


def test_a_lost_answer_leaves_the_effects(acme: Consumer) -> None:
    switch(acme, mode="lose_answer", times=1)
    batch = [product_changed(str(uuid4()), 1)]
    assert acme.post(batch).status_code == 502
    assert acme.verdicts(batch) == ["duplicate"]
    assert len(rows(acme, Product)) == 1


@pytest.mark.parametrize(("values", "status"), [({"mode": "error", "status": 507}, 507), ({"mode": "offline"}, 503)])
def test_errors_come_as_often_as_asked_and_leave_nothing(acme: Consumer, values: dict[str, Any], status: int) -> None:
    switch(acme, times=2, **values)
    batch = [product_changed(str(uuid4()), 1)]
    assert [acme.post(batch).status_code for _ in range(2)] == [status, status]
    assert rows(acme, Product) == []
    assert acme.verdicts(batch) == ["applied"]
    assert acme.client.get("/api/v1/faults").json["mode"] == "ok"


def test_a_type_or_a_stream_can_be_rejected_some_times(acme: Consumer) -> None:
    batch = [product_changed(str(uuid4()), 1), state_changed(TASK, 1)]
    switch(acme, mode="reject", type="exchange.product.changed", times=1)
    assert acme.verdicts(batch) == ["rejected", "applied"]
    assert acme.verdicts(batch) == ["applied", "duplicate"]
    switch(acme, mode="reject", stream=f"provider_task/{TASK}")
    assert acme.verdicts([state_changed(TASK, 2)]) == ["rejected"]
    switch(acme, mode="ok")
    assert acme.verdicts([state_changed(TASK, 2)]) == ["applied"]


def test_slow_answers_late_and_right(acme: Consumer) -> None:
    switch(acme, mode="slow", seconds=0.01, times=1)
    assert acme.verdicts([product_changed(str(uuid4()), 1)]) == ["applied"]


# --- places to fail at


@pytest.fixture
def disarmed() -> Iterator[None]:
    yield
    failpoints.install("")


@pytest.mark.parametrize(
    ("name", "kept"), [("consumer.after_verify", 0), ("consumer.in_tx", 0), ("consumer.after_commit", 1)]
)
def test_a_crash_at_any_place_leaves_all_or_nothing(acme: Consumer, disarmed: None, name: str, kept: int) -> None:
    failpoints.install(f"{name}:raise")
    batch = [product_changed(str(uuid4()), 1)]
    assert acme.post(batch).status_code == 500
    assert len(rows(acme, Product)) == kept
    assert acme.verdicts(batch) == [["applied", "duplicate"][kept]]


def test_a_place_is_reached_at_its_nth_pass_only(disarmed: None) -> None:
    failpoints.install("a:raise:2")
    failpoints.hit("a")
    failpoints.hit("b")
    with pytest.raises(FailpointReached):
        failpoints.hit("a")
    failpoints.hit("a")


@pytest.mark.parametrize("text", ["a", "a:explode", "a:raise:0", "a:raise:x", ":raise"])
def test_a_setting_that_cannot_be_read_is_refused(disarmed: None, text: str) -> None:
    with pytest.raises(ValueError, match="is not name:action"):
        failpoints.install(text)
