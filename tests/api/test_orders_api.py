"""What order managers, agents and operators do over HTTP."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from bridge.database import Database
from bridge.models import Delivery, Lease, Stream
from provider.models.access import AuditEntry
from provider.services.comments import add_comment
from provider.services.connections import pause_connection
from tests.api.provider_client import Clock, context_of, make_app, user_headers
from tests.factories import NOW, Ordered, make_order


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    app = make_app(database_url, tmp_path, Clock())
    yield app
    context_of(app).database.close()


@pytest.fixture
def database(app: flask.Flask) -> Database:
    return context_of(app).database


@pytest.fixture
def client(app: flask.Flask) -> FlaskClient:
    """Signed in as an admin."""
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = user_headers(app, "admin")["Authorization"]
    return client


def post(client: FlaskClient, path: str, body: Any = None) -> TestResponse:
    return client.post(f"/api/v1{path}", json={} if body is None else body)


def get(client: FlaskClient, path: str) -> Any:
    answer = client.get(f"/api/v1{path}")
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def problem(answer: TestResponse) -> tuple[int, str]:
    assert answer.content_type == "application/problem+json"
    return answer.status_code, answer.get_json()["code"]


def park_head(database: Database, made: Ordered) -> str:
    """Park the first event about the request, as the drain does after three rejections."""
    with database.transaction() as session:
        stream = session.execute(select(Stream).where(Stream.connection_id == made.connection_id)).scalars().first()
        assert stream is not None
        stream.due_at, stream.blocked_by = None, stream.head
        at_head = (Delivery.stream_id == stream.id) & (Delivery.sequence == stream.head)
        session.execute(update(Delivery).where(at_head).values(state="parked", error="rejected: no"))
        return session.execute(select(Delivery.id).where(at_head)).scalar_one()


def test_an_order_is_shown_with_everything_around_it(client: FlaskClient, database: Database) -> None:
    made = make_order(database, quantity=2)
    with database.transaction() as session:
        add_comment(
            session,
            made.connection_id,
            made.task_id,
            comment_id=str(uuid4()),
            text="Gate 2.",
            author_name="Ada",
            created_at=NOW,
            now=NOW,
        )
    assert post(client, f"/orders/{made.order_number}/work-notes", {"text": "Ask the depot."}).status_code == 201
    order = get(client, f"/orders/{made.order_number}")
    assert (order["state"], order["state_label"], order["company"], order["version"]) == ("new", "New", "ACME Ltd", 1)
    assert order["provider_task"]["state_label"] == "Received"
    (line,) = order["lines"]
    assert (line["number"], line["quantity"], line["lines"]) == ("ORDL0000001", 2, [])
    assert [move["to_state"] for move in order["timeline"]] == ["draft", "submitted", "new"]
    assert [comment["text"] for comment in order["comments"]] == ["Gate 2."]
    assert [note["text"] for note in order["work_notes"]] == ["Ask the depot."]
    delivery = order["delivery"]
    assert [event["state"] for event in delivery.pop("events")] == ["waiting"] * 3
    assert delivery == {"state": "waiting", "recorded": 3, "waiting": 3, "parked": None, "error": None}
    assert order["legal_moves"] == ["acknowledged", "rejected", "cancelled"]


def test_what_the_consumer_asked_for_is_shown_as_it_was_asked(client: FlaskClient, database: Database) -> None:
    made = make_order(database, quantity=2)
    told = get(client, f"/orders/{made.order_number}")["provider_task"]
    asked = ("quantity", "characteristics", "parts", "location", "contacts", "requested_on", "note", "requested_by")
    assert {name: told[name] for name in asked} == {name: made.request[name] for name in asked}
    assert told["note"] == "Deliver before noon"


def test_from_approval_to_completion(client: FlaskClient, database: Database) -> None:
    made = make_order(database)
    approved = post(client, f"/orders/{made.order_number}/approve")
    assert approved.status_code == 200
    assert [task["state"] for task in approved.get_json()["order_tasks"]] == ["open", "draft"]
    while open_tasks := get(client, f"/order-tasks?order={made.order_number}&state=open")["items"]:
        number = open_tasks[0]["number"]
        started = post(client, f"/order-tasks/{number}/start").get_json()
        assert started["state"] == "in_progress"
        assert started["assigned_to"].startswith("user/")
        assert post(client, f"/order-tasks/{number}/complete").get_json()["state"] == "closed_complete"
    order = get(client, f"/orders/{made.order_number}")
    assert (order["state"], order["ponr"], order["provider_task"]["state"]) == ("completed", True, "closed")
    (product,) = get(client, f"/products?connection={made.connection_id}")["items"]
    assert (product["state"], product["order_number"]) == ("active", made.order_number)


def test_an_illegal_move_is_explained(client: FlaskClient, database: Database) -> None:
    made = make_order(database)
    answer = post(client, f"/orders/{made.order_number}/move", {"to": "completed"})
    assert problem(answer) == (409, "illegal_move")
    assert answer.get_json()["current"] == "new"
    assert answer.get_json()["legal"] == ["acknowledged", "rejected", "cancelled"]
    assert problem(post(client, f"/orders/{made.order_number}/move", {"to": "done"})) == (422, "invalid_fields")
    assert problem(post(client, f"/orders/{made.order_number}/reject", {"reason": ""})) == (422, "invalid_fields")
    assert problem(post(client, "/orders/ORD0000009/approve")) == (404, "not_found")
    assert problem(post(client, "/order-tasks/TASK0000009/start")) == (404, "not_found")


def test_deciding_on_a_cancellation(client: FlaskClient, database: Database) -> None:
    made = make_order(database, approved=True)
    path = f"/orders/{made.order_number}"
    (build, _) = get(client, f"/order-tasks?order={made.order_number}")["items"]
    post(client, f"/order-tasks/{build['number']}/complete")
    assert get(client, f"{path}/cancellation")["status"] is None
    assert problem(post(client, f"{path}/cancellation/approve", {})) == (409, "nothing_to_decide")
    post(client, f"{path}/cancel", {"reason": "Asked by phone."})
    assert problem(post(client, f"{path}/cancel", {"reason": "Again."})) == (409, "cancellation_under_way")
    asked = get(client, f"{path}/cancellation")
    assert (asked["status"], asked["reason"], asked["asked_by"]) == ("requested", "Asked by phone.", None)
    assert asked["actor"].startswith("user/")
    assert [one["name"] for one in asked["done"]] == ["Build"]
    assert asked["compensation"] == [{"name": "Undo: Build", "compensates": build["number"]}]
    assert problem(post(client, f"{path}/cancellation/decline", {"reason": ""})) == (422, "invalid_fields")
    declined = post(client, f"{path}/cancellation/decline", {"reason": "Built in."}).get_json()
    assert (declined["state"], declined["cancellation"], declined["revision_operation"]) == (
        "in_progress", "declined", None,
    )  # fmt: skip
    assert declined["provider_task"]["cancellation_message"] == "Built in."
    post(client, f"{path}/cancel", {"reason": "Really."})
    approved = post(client, f"{path}/cancellation/approve", {"message": "So be it."}).get_json()
    assert (approved["state"], approved["version"], approved["lines"][0]["version"]) == (
        "cancellation_in_progress", 3, 3,
    )  # fmt: skip
    undo = approved["order_tasks"][-1]
    assert (undo["name"], undo["compensates"], undo["state"]) == ("Undo: Build", build["number"], "open")
    post(client, f"/order-tasks/{undo['number']}/complete")
    assert get(client, path)["state"] == "cancelled"
    assert problem(client.get("/api/v1/orders/ORD0000009/cancellation")) == (404, "not_found")


def test_the_point_of_no_return_cannot_be_set_by_hand(client: FlaskClient, database: Database) -> None:
    made = make_order(database, approved=True)
    for path, body in (
        (f"/orders/{made.order_number}/move", {"to": "on_hold", "ponr": True}),
        (f"/orders/{made.order_number}/cancellation/approve", {"ponr": True}),
        ("/order-tasks/TASK0000001/move", {"to": "in_progress", "point_of_no_return": True}),
    ):
        assert problem(post(client, path, body)) == (422, "invalid_fields")
    assert get(client, f"/orders/{made.order_number}")["ponr"] is False


def test_rejecting_moving_and_cancelling(client: FlaskClient, database: Database) -> None:
    made = make_order(database)
    rejected = post(client, f"/orders/{made.order_number}/reject", {"reason": "No such street."}).get_json()
    assert (rejected["state"], rejected["reason"]) == ("rejected", "No such street.")
    assert post(client, f"/orders/{made.order_number}/move", {"to": "in_progress"}).get_json()["state"] == "in_progress"
    task = get(client, f"/order-tasks?order={made.order_number}")["items"][0]["number"]
    held = post(client, f"/order-tasks/{task}/move", {"to": "on_hold", "reason": "No parts."}).get_json()
    assert (held["state"], held["reason"]) == ("on_hold", "No parts.")
    cancelled = post(client, f"/orders/{made.order_number}/cancel", {"reason": "Asked by phone."}).get_json()
    assert (cancelled["state"], cancelled["version"]) == ("assessing_cancellation", 2)
    assert [order["number"] for order in get(client, "/orders?state=assessing_cancellation")["items"]] == [
        made.order_number
    ]
    assert get(client, "/orders?state=new")["items"] == []


def test_a_comment_carries_its_writer(client: FlaskClient, app: flask.Flask, database: Database) -> None:
    made = make_order(database)
    answer = post(client, f"/orders/{made.order_number}/comments", {"text": "Which gate?"})
    assert answer.status_code == 201
    author = answer.get_json()["author"]
    assert author["company"] == "Northwind"
    assert author["name"].startswith("user-")


def test_what_is_parked_of_an_order_is_replayed_from_it(
    client: FlaskClient, app: flask.Flask, database: Database
) -> None:
    made = make_order(database)
    parked = park_head(database, made)
    path = f"/orders/{made.order_number}"
    assert get(client, path)["delivery"]["events"][0]["state"] == "parked"
    for role, status in (("order_manager", 403), ("exchange_admin", 200)):
        answer = app.test_client().post(f"/api/v1{path}/deliveries/replay", headers=user_headers(app, role), json={})
        assert answer.status_code == status
    assert (answer.get_json()["delivery"]["state"], answer.get_json()["delivery"]["parked"]) == ("waiting", None)
    assert get(client, f"/deliveries?connection={made.connection_id}")["items"][0]["id"] == parked
    assert problem(post(client, "/orders/ORD9999999/deliveries/replay"))[0] == 404


def test_a_parked_event_is_seen_replayed_and_skipped(client: FlaskClient, database: Database) -> None:
    made = make_order(database)
    parked = park_head(database, made)
    delivery = get(client, f"/orders/{made.order_number}")["delivery"]
    assert (delivery["waiting"], delivery["parked"], delivery["error"]) == (3, parked, "rejected: no")
    (row,) = get(client, f"/deliveries?state=parked&connection={made.connection_id}")["items"]
    assert (row["id"], row["sequence"], row["type"]) == (parked, 1, "exchange.provider_task.state_changed")
    assert post(client, f"/deliveries/{parked}/replay").get_json()["state"] == "pending"
    assert problem(post(client, f"/deliveries/{parked}/replay")) == (409, "nothing_to_replay")
    park_head(database, made)
    skipped = post(client, f"/deliveries/{parked}/skip", {"reason": "Agreed by phone."}).get_json()
    assert (skipped["state"], skipped["original_id"]) == ("pending", parked)
    assert skipped["id"] != parked
    park_head(database, made)
    again = post(client, f"/deliveries/{skipped['id']}/skip", {"reason": "Again."}).get_json()
    assert again["original_id"] == parked
    for unknown in (str(uuid4()), "no-uuid"):
        assert problem(post(client, f"/deliveries/{unknown}/skip", {"reason": "?"}))[0] == 404
        assert problem(post(client, f"/deliveries/{unknown}/replay"))[0] == 404
    with database.reading() as session:
        actions = [row.action for row in session.execute(select(AuditEntry).order_by(AuditEntry.id)).scalars()]
    assert [action for action in actions if action.startswith("delivery")] == [
        "delivery.replay",
        "delivery.skip",
        "delivery.skip",
    ]


def test_one_delivery_tells_why_it_is_not_further(client: FlaskClient, database: Database) -> None:
    made = make_order(database)
    first, second = get(client, f"/deliveries?connection={made.connection_id}")["items"][:2]
    assert get(client, f"/deliveries/{first['id']}") == first
    assert (first["state"], first["error"], first["reason"]) == ("pending", None, None)
    probe_at = NOW + timedelta(minutes=4)
    failing = {"failures": 3, "not_before": probe_at, "last_error": "connection refused"}
    with database.transaction() as session:
        session.execute(update(Lease).where(Lease.connection_id == made.connection_id).values(**failing))
    told = get(client, f"/deliveries/{second['id']}")
    assert (told["reason"], told["next_try_at"]) == ("connection refused", "2026-11-21T09:04:00.000Z")
    parked = park_head(database, made)
    assert get(client, f"/deliveries/{parked}")["reason"] == "rejected: no"
    assert "behind event 1 of its stream" in get(client, f"/deliveries/{second['id']}")["reason"]
    with database.transaction() as session:
        session.execute(update(Delivery).where(Delivery.id == parked).values(state="delivered", error=None))
        pause_connection(session, made.connection_id, reason="Maintenance", actor="user/ann", now=NOW)
    assert get(client, f"/deliveries/{second['id']}")["reason"] == "the connection is paused: Maintenance"
    for unknown in (str(uuid4()), "no-uuid"):
        assert problem(client.get(f"/api/v1/deliveries/{unknown}")) == (404, "not_found")


def test_records_tell_what_the_consumer_should_hold(client: FlaskClient, database: Database) -> None:
    made = make_order(database, approved=True)
    make_order(database, approved=True, prefix="OTHER")
    post(client, f"/orders/{made.order_number}/comments", {"text": "Which gate?"})
    path = f"/connections/{made.connection_id}/records"
    (task,) = get(client, f"{path}?kind=provider_task")["items"]
    (comment,) = task.pop("comments")
    assert task == {
        "cancellation": None,
        "cancellation_message": None,
        "task_id": made.task_id,
        "number": "ACME-PT0000001",
        "state": "work_in_progress",
        "state_label": "Work in progress",
        "order_number": made.order_number,
        "order_state": "in_progress",
        "order_state_label": "In progress",
        "order_version": 1,
        "ponr": False,
        "reason": None,
    }
    assert set(comment) == {"comment_id", "text", "author", "created_at"}
    (product,) = get(client, f"{path}?kind=product")["items"]
    assert product["task_id"] == made.task_id
    (item,) = get(client, f"{path}?kind=catalog_item")["items"]
    assert item["item_id"] == made.request["catalog_item_id"]
    answer = client.get(f"/api/v1/connections/{uuid4()}/records?kind=product")
    assert problem(answer) == (404, "not_found")


def test_each_role_may_do_its_own_work_only(app: flask.Flask, database: Database) -> None:
    made = make_order(database, approved=True)
    may = {
        f"/orders/{made.order_number}/approve": {"admin", "order_manager", "fulfilment_manager"},
        f"/orders/{made.order_number}/comments": {
            "admin", "order_agent", "order_manager", "fulfilment_agent", "fulfilment_manager", "fallout_manager",
        },
        "/order-tasks/TASK0000001/start": {
            "admin", "fulfilment_agent", "fulfilment_manager", "fallout_agent", "fallout_manager",
        },
        f"/deliveries/{uuid4()}/replay": {"admin", "exchange_admin"},
    }  # fmt: skip
    for path, allowed in may.items():
        for role in ("admin", "exchange_admin", "catalog_manager", "order_agent", "order_manager", "fulfilment_agent",
                     "fulfilment_manager", "fallout_agent", "fallout_manager", "process_admin", "viewer"):  # fmt: skip
            answer = app.test_client().post(f"/api/v1{path}", headers=user_headers(app, role), json={})
            assert (answer.status_code != 403) == (role in allowed), (path, role)
        assert app.test_client().post(f"/api/v1{path}", json={}).status_code == 401


def test_every_route_is_documented(client: FlaskClient) -> None:
    paths = client.get("/openapi.json").get_json()["paths"]
    for path in (
        "/exchange/v1/provider-tasks",
        "/api/v1/orders/{number}",
        "/api/v1/connections/{connection_id}/records",
    ):
        assert path in paths
