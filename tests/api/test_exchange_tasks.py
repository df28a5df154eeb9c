"""Ordering, talking and cancelling as a consumer does it, over HTTP alone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask
import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from bridge.database import Database
from provider.models.access import AccessToken
from provider.models.orders import CustomerOrder, RefusedSubmission
from provider.services.comments import add_reply, add_work_note
from provider.services.order_tasks import complete_task
from provider.services.orders import approve_order, reject_order
from provider.services.tokens import new_token, token_hash
from tests.api.provider_client import Clock, context_of, make_app
from tests.factories import (
    AGENT,
    NOW,
    at_once,
    events_of,
    make_consumer,
    make_request,
    make_router_item,
    states_sent,
)

TASKS = "/exchange/v1/provider-tasks"
GOLDEN = Path(__file__).parents[1] / "golden" / "request.json"


class Consumer:
    """A connected consumer, which sends a fresh key with each call unless it is told one."""

    def __init__(self, app: flask.Flask, prefix: str = "ACME") -> None:
        self.client: FlaskClient = app.test_client()
        self.database: Database = context_of(app).database
        token = new_token("sxa_")
        with self.database.transaction() as session:
            self.id = make_consumer(session, prefix).id
            self.item = make_router_item(session, self.id)
            expires_at = NOW.replace(year=2027)
            session.add(AccessToken(token_hash=token_hash(token), connection_id=self.id, expires_at=expires_at))
        self.headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str) -> TestResponse:
        return self.client.get(path, headers=self.headers)

    def post(self, path: str, body: Any, key: str | None = None) -> TestResponse:
        headers = self.headers | {"Idempotency-Key": key or str(uuid4())}
        return self.client.post(path, json=body, headers=headers)

    def order(self, number: int = 1, **changes: Any) -> dict[str, Any]:
        request = make_request(self.item, number, **changes)
        answer = self.post(TASKS, request)
        assert answer.status_code == 201, answer.text
        return answer.get_json()


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    app = make_app(database_url, tmp_path, Clock())
    yield app
    context_of(app).database.close()


@pytest.fixture
def acme(app: flask.Flask) -> Consumer:
    return Consumer(app)


@pytest.fixture
def other(app: flask.Flask) -> Consumer:
    return Consumer(app, "OTHER")


def count_orders(consumer: Consumer) -> int:
    with consumer.database.reading() as session:
        return session.execute(select(func.count()).select_from(CustomerOrder)).scalar_one()


def codes(answer: TestResponse) -> tuple[int, str]:
    assert answer.content_type == "application/problem+json"
    return answer.status_code, answer.get_json()["code"]


def test_the_golden_request_is_accepted_as_it_stands(acme: Consumer) -> None:
    request = json.loads(GOLDEN.read_text())
    request |= {"catalog_item_id": acme.item.identity, "parts": {}}
    answer = acme.post(TASKS, request)
    assert answer.status_code == 201
    document = answer.get_json()
    assert document["task_id"] == request["id"]
    assert (document["state"], document["state_label"], document["order_state"]) == ("received", "Received", "new")
    asked = {name: value for name, value in request.items() if name != "id"}
    assert {name: document[name] for name in asked} == asked
    assert acme.get(f"{TASKS}/{request['id']}").get_json() == document
    assert acme.get(TASKS).get_json() == {"items": [document], "next": None}


def test_the_same_key_is_the_same_answer_whatever_happened_since(acme: Consumer) -> None:
    request = make_request(acme.item)
    first = acme.post(TASKS, request, key="k1")
    with acme.database.transaction() as session:
        approve_order(session, first.get_json()["order_number"], actor=AGENT, now=NOW)
    assert acme.post(TASKS, request, key="k1").data == first.data
    assert acme.post(TASKS, request, key="k2").data == first.data
    assert codes(acme.post(TASKS, {**request, "quantity": 2}, key="k1")) == (422, "idempotency_key_reused")
    assert codes(acme.post(TASKS, {**request, "quantity": 2}, key="k3")) == (409, "already_accepted")
    assert count_orders(acme) == 1


def test_twenty_equal_calls_at_once_get_twenty_equal_answers(app: flask.Flask, acme: Consumer) -> None:
    request = make_request(acme.item)
    headers = acme.headers | {"Idempotency-Key": "one"}
    answers = at_once([lambda: app.test_client().post(TASKS, json=request, headers=headers)] * 20)
    assert {(answer.status_code, answer.data) for answer in answers} == {(201, answers[0].data)}
    assert count_orders(acme) == 1
    assert states_sent(acme.database, acme.id) == ["draft", "submitted", "new"]


def test_a_call_without_a_key_is_refused(acme: Consumer) -> None:
    answer = acme.client.post(TASKS, json=make_request(acme.item), headers=acme.headers)
    assert codes(answer) == (422, "invalid_fields")
    assert answer.get_json()["errors"][0]["pointer"] == "/Idempotency-Key"


def test_a_refusal_is_kept_and_remembered(acme: Consumer) -> None:
    request = make_request(acme.item, characteristics={"bandwidth": "51"})
    refused = acme.post(TASKS, request, key="k1")
    assert codes(refused) == (422, "invalid_fields")
    assert [error["pointer"] for error in refused.get_json()["errors"]] == ["/characteristics/bandwidth"]
    assert acme.post(TASKS, request, key="k1").data == refused.data
    right = {**request, "characteristics": {"bandwidth": "50"}}
    assert codes(acme.post(TASKS, right)) == (409, "revision_superseded")
    assert acme.post(TASKS, {**right, "revision": 2}).status_code == 201


def test_a_taken_number_is_answered_with_a_free_one(acme: Consumer) -> None:
    acme.order()
    refused = acme.post(TASKS, make_request(acme.item))
    assert codes(refused) == (409, "number_taken")
    assert refused.get_json()["next_number"] == "ACME-PT0000002"
    assert acme.post(TASKS, make_request(acme.item, 2)).status_code == 201


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"state": "completed"}, "/state"),
        ({"number": "OTHER-PT0000001"}, "/number"),
        ({"quantity": 0}, "/quantity"),
        ({"quantity": "2"}, "/quantity"),
        ({"location": {"city": "Berlin"}}, "/location/name"),
        ({"contacts": [{"name": "Ada"}, {"email": "x"}]}, "/contacts/1/name"),
        ({"requested_on": "soon"}, "/requested_on"),
        ({"requested_by": None}, "/requested_by"),
        ({"parts": {"edge": {}}}, "/parts/edge"),
        ({"opened_at": "2026-11-21"}, "/opened_at"),
    ],
)
def test_each_wrong_field_is_pointed_at(acme: Consumer, change: dict[str, Any], pointer: str) -> None:
    answer = acme.post(TASKS, make_request(acme.item) | change)
    assert codes(answer) == (422, "invalid_fields")
    assert [error["pointer"] for error in answer.get_json()["errors"]] == [pointer]
    assert count_orders(acme) == 0


def test_an_unknown_item_is_not_found(acme: Consumer, other: Consumer) -> None:
    assert codes(acme.post(TASKS, make_request(other.item))) == (404, "not_found")
    assert codes(acme.post(TASKS, make_request(acme.item, catalog_item_revision=2))) == (404, "not_found")


def test_what_is_not_yours_does_not_exist(acme: Consumer, other: Consumer) -> None:
    """Every call on another's ids answers like one on an id that nobody has, and changes nothing."""
    task_id = acme.order()["task_id"]
    with acme.database.transaction() as session:
        approve_order(session, "ORD0000001", actor=AGENT, now=NOW)
    product_id = acme.get("/exchange/v1/products").get_json()["items"][0]["product_id"]
    correction = {k: v for k, v in make_request(other.item, revision=2).items() if k in _CORRECTION}
    comment = {"id": str(uuid4()), "text": "Hi", "author": {"name": "Eve"}, "created_at": "2026-11-21T09:00:00Z"}
    for unknown in (str(uuid4()), "no-uuid"):
        for theirs, nobodys in ((task_id, unknown), (product_id, unknown)):
            for method, path, body in (
                ("get", f"{TASKS}/%s", None),
                ("get", f"{TASKS}/%s/comments", None),
                ("get", "/exchange/v1/products/%s", None),
                ("post", f"{TASKS}/%s/cancel", {"reason": "Mine now."}),
                ("post", f"{TASKS}/%s/comments", comment),
                ("post", f"{TASKS}/%s/resubmit", correction),
            ):
                answers = [
                    other.get(path % one) if method == "get" else other.post(path % one, body)
                    for one in (theirs, nobodys)
                ]
                assert [codes(answer) for answer in answers] == [(404, "not_found")] * 2, path
    assert other.get(TASKS).get_json()["items"] == []
    assert other.get("/exchange/v1/products").get_json()["items"] == []
    assert states_sent(acme.database, acme.id)[-1] == "in_progress"
    with acme.database.reading() as session:
        assert session.execute(select(RefusedSubmission)).first() is None


_CORRECTION = ("revision", "catalog_item_revision", "quantity", "characteristics", "requested_by", "opened_at")


def test_a_rejected_request_is_resubmitted(acme: Consumer) -> None:
    task = acme.order()
    correction = {k: v for k, v in make_request(acme.item, revision=2, quantity=3).items() if k in _CORRECTION}
    path = f"{TASKS}/{task['task_id']}/resubmit"
    assert codes(acme.post(path, correction)) == (409, "illegal_move")
    with acme.database.transaction() as session:
        reject_order(session, task["order_number"], reason="No such street.", actor=AGENT, now=NOW)
    seen = acme.get(f"{TASKS}/{task['task_id']}").get_json()
    assert (seen["state"], seen["state_label"], seen["reason"]) == ("awaiting_info", "Awaiting info", "No such street.")
    wrong = {**correction, "characteristics": {}}
    assert codes(acme.post(path, wrong)) == (422, "invalid_fields")
    assert codes(acme.post(path, correction)) == (409, "revision_superseded")
    answer = acme.post(path, {**correction, "revision": 3, "id": task["task_id"]}, key="again")
    assert answer.status_code == 200
    document = answer.get_json()
    assert (document["number"], document["revision"], document["quantity"]) == (task["number"], 3, 3)
    assert (document["order_state"], document["order_version"]) == ("new", 2)
    assert acme.post(path, {**correction, "revision": 3, "id": task["task_id"]}, key="again").data == answer.data


def test_a_body_that_names_another_task_is_refused(acme: Consumer) -> None:
    task = acme.order()
    with acme.database.transaction() as session:
        reject_order(session, task["order_number"], reason="No.", actor=AGENT, now=NOW)
    correction = {k: v for k, v in make_request(acme.item, revision=2).items() if k in _CORRECTION}
    answer = acme.post(f"{TASKS}/{task['task_id']}/resubmit", {**correction, "id": str(uuid4())})
    assert codes(answer) == (422, "invalid_fields")
    assert [error["pointer"] for error in answer.get_json()["errors"]] == ["/id"]


def test_cancelling(acme: Consumer) -> None:
    task = acme.order()
    answer = acme.post(f"{TASKS}/{task['task_id']}/cancel", {"reason": "No longer needed"})
    assert answer.status_code == 200
    assert (answer.get_json()["state"], answer.get_json()["reason"]) == ("cancelled", "No longer needed")
    assert codes(acme.post(f"{TASKS}/{task['task_id']}/cancel", {})) == (422, "invalid_fields")


def test_cancelling_too_late_is_answered_and_told_once(acme: Consumer) -> None:
    """The refused call changes nothing, however often it comes; all who hear of the request hear why."""
    task = acme.order()
    with acme.database.transaction() as session:
        approve_order(session, task["order_number"], actor=AGENT, now=NOW)
        for number in ("TASK0000001", "TASK0000002"):
            complete_task(session, number, actor=AGENT, now=NOW)
    path, wish = f"{TASKS}/{task['task_id']}/cancel", {"reason": "Sorry", "requested_by": {"name": "Ada"}}
    key, told = str(uuid4()), len(states_sent(acme.database, acme.id))
    answers = [acme.post(path, wish, key), acme.post(path, wish, key), acme.post(path, wish)]
    assert [codes(answer) for answer in answers] == [(409, "past_point_of_no_return")] * 3
    now = acme.get(f"{TASKS}/{task['task_id']}").get_json()
    assert (now["order_state"], now["cancellation"]) == ("completed", "refused")
    assert now["cancellation_message"] == answers[0].get_json()["detail"]
    assert states_sent(acme.database, acme.id)[told:] == ["completed"]
    bad = acme.post(path, {"reason": "Sorry", "requested_by": {"name": ""}})
    assert codes(bad) == (422, "invalid_fields")


def test_comments_go_both_ways_and_notes_go_nowhere(acme: Consumer) -> None:
    task = acme.order()
    path = f"{TASKS}/{task['task_id']}/comments"
    comment = {
        "id": str(uuid4()), "text": "Use gate 2.", "author": {"name": "Ada"}, "created_at": "2026-11-21T08:00:00.123Z",
    }  # fmt: skip
    first = acme.post(path, comment)
    assert first.status_code == 201
    assert first.get_json() == {
        "task_id": task["task_id"],
        "comment_id": comment["id"],
        "text": "Use gate 2.",
        "author": {"name": "Ada", "company": "ACME Ltd"},
        "created_at": "2026-11-21T08:00:00.123Z",
    }
    assert acme.post(path, comment).data == first.data
    assert codes(acme.post(path, {**comment, "text": "Use gate 3."})) == (409, "comment_exists")
    with acme.database.transaction() as session:
        add_reply(session, task["order_number"], text="We will.", author_name="Ann", now=NOW)
        add_work_note(session, task["order_number"], text="CANARY", author=AGENT, now=NOW)
        told = [data["text"] for type_, _, data in events_of(session, acme.id) if type_.endswith("comment_added")]
        assert "CANARY" not in str(events_of(session, acme.id))
    assert told == ["We will."]
    said = acme.get(path).get_json()["items"]
    assert [(one["text"], one["author"]["company"]) for one in said] == [
        ("Use gate 2.", "ACME Ltd"),
        ("We will.", "Northwind"),
    ]
    first_page = acme.get(f"{path}?limit=1").get_json()
    assert acme.get(f"{path}?cursor={first_page['next']}").get_json()["items"] == said[1:]
    assert "CANARY" not in acme.get(TASKS).text


def test_products_are_seen_as_the_events_told_them(acme: Consumer) -> None:
    task = acme.order(quantity=2)
    with acme.database.transaction() as session:
        approve_order(session, task["order_number"], actor=AGENT, now=NOW)
    products = acme.get("/exchange/v1/products").get_json()["items"]
    with acme.database.reading() as session:
        told = [data for type_, _, data in events_of(session, acme.id) if type_ == "exchange.product.changed"]
    assert products == told
    assert products[0] == acme.get(f"/exchange/v1/products/{products[0]['product_id']}").get_json()
    assert products[0]["task_id"] == task["task_id"]
    assert products[0]["location"] == {"name": "Berlin office", "city": "Berlin", "country": "DE"}


def test_the_list_goes_on_where_it_ended(acme: Consumer) -> None:
    for number in (3, 1, 2):
        acme.order(number)
    page = acme.get(f"{TASKS}?limit=2").get_json()
    rest = acme.get(f"{TASKS}?limit=2&cursor={page['next']}").get_json()
    numbers = [task["number"] for task in page["items"] + rest["items"]]
    assert numbers == ["ACME-PT0000001", "ACME-PT0000002", "ACME-PT0000003"]
    assert rest["next"] is None


def test_strangers_see_nothing(acme: Consumer) -> None:
    task = acme.order()
    for headers in ({}, {"Authorization": "Bearer sxa_no"}):
        assert acme.client.get(f"{TASKS}/{task['task_id']}", headers=headers).status_code == 401
        assert acme.client.post(TASKS, json={}, headers=headers).status_code == 401
