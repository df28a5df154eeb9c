"""The flow board: what crosses in each direction, how fast, and what holds it up."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import flask
import pytest
from sqlalchemy import insert, update

from bridge.models import Attempt, Delivery, Lease
from tests.api.page_client import CountedStatements, Visitor, signed_in, text_of
from tests.api.provider_client import context_of, make_app
from tests.factories import NOW, Ordered, make_connection, make_order


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    made = make_app(sqlite_url, tmp_path)
    yield made
    context_of(made).database.close()


@pytest.fixture
def admin(app: flask.Flask) -> Visitor:
    return signed_in(app, "eve", "exchange_admin")


@pytest.fixture
def ordered(app: flask.Flask) -> Ordered:
    return make_order(context_of(app).database)


def board(page: Any) -> dict[str, str]:
    """The first table, by column."""
    return {cell.get("data-label"): text_of(cell) for cell in page.cssselect("table")[0].cssselect("tbody td")}


def test_before_the_first_connection_it_says_what_to_do(app: flask.Flask, admin: Visitor) -> None:
    assert "Register one" in text_of(admin.read("/flow"))
    assert "Register one" not in text_of(signed_in(app, "vi", "viewer").read("/flow"))


def test_both_directions_are_shown(app: flask.Flask, admin: Visitor, ordered: Ordered) -> None:
    page = admin.read("/flow")
    out, into = [text_of(section) for section in page.cssselect("section")]
    assert "ACME Ltd Provider task state changed Pending" in out
    assert f"ACME Ltd Request {ordered.request['number']} {ordered.order_number}" in into
    assert page.cssselect(f"a[href='/orders/{ordered.order_number}']")
    assert board(page)["Waiting"] == "3"


def test_latency_breaker_and_age_are_told(app: flask.Flask, admin: Visitor, ordered: Ordered) -> None:
    attempts = [
        {"connection_id": ordered.connection_id, "started_at": NOW, "duration_s": s, "events": 3, "outcome": "judged"}
        for s in (0.01, 0.02, 1.5)
    ]
    with context_of(app).database.transaction() as session:
        session.execute(insert(Attempt), attempts)
        held = {"not_before": NOW + timedelta(seconds=40), "failures": 3, "failing_since": NOW, "last_error": "down"}
        session.execute(update(Lease).values(held))
        session.execute(update(Delivery).values(state="parked", error="no"))
    shown = board(admin.read("/flow"))
    assert (shown["Sent, last minute"], shown["Half within"], shown["95 % within"]) == ("9", "20 ms", "1500 ms")
    assert shown["Sending"] == "Held back next try 40 seconds from now"
    assert shown["Parked"] == "3"
    assert "Failed 3 times" in text_of(admin.read("/flow"))


def test_the_board_is_live_and_silent_while_nothing_changes(app: flask.Flask, admin: Visitor, ordered: Ordered) -> None:
    first = admin.get("/flow", headers={"X-Live": "1"})
    assert b"data-live" in first.get_data()
    again = admin.get("/flow", headers={"X-Live": "1", "If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    with context_of(app).database.transaction() as session:
        session.execute(update(Delivery).values(state="delivered", settled_at=NOW))
    changed = admin.get("/flow", headers={"X-Live": "1", "If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert b"Sent<" in changed.get_data()


def test_it_costs_the_same_however_much_crosses(app: flask.Flask, admin: Visitor, ordered: Ordered) -> None:
    with CountedStatements(app) as few:
        admin.read("/flow")
    for n in range(4):
        make_order(context_of(app).database, prefix=f"P{n}")
    with CountedStatements(app) as many:
        admin.read("/flow")
    assert many.count == few.count


def test_a_revoked_connection_is_not_on_the_board(app: flask.Flask, admin: Visitor) -> None:
    with context_of(app).database.transaction() as session:
        make_connection(session, name="Gone", state="revoked")
    assert "Gone" not in text_of(admin.read("/flow"))


def test_who_may_not_see_connections_is_told_whom_to_ask(app: flask.Flask, admin: Visitor) -> None:
    answer = signed_in(app, "al", "order_agent").get("/flow")
    assert answer.status_code == 403
    assert "eve (exchange_admin)" in answer.get_data(as_text=True)
