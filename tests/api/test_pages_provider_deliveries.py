"""What those who look after the exchange see and do on the pages of deliveries."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask
import pytest
from sqlalchemy import select

from bridge.database import Database
from bridge.models import Attempt, Delivery, Lease, OutboxEvent, Stream
from provider.services.connections import pause_connection
from provider.services.delivery_search import SORTABLE
from tests.api.page_client import CountedStatements, Visitor, signed_in, text_of
from tests.api.provider_client import context_of, make_app
from tests.factories import NOW, Ordered, make_order


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    app = make_app(database_url, tmp_path)
    yield app
    context_of(app).database.close()


@pytest.fixture
def database(app: flask.Flask) -> Database:
    return context_of(app).database


@pytest.fixture
def eve(app: flask.Flask) -> Visitor:
    return signed_in(app, "eve", "exchange_admin")


def deliveries_of(database: Database, made: Ordered) -> list[str]:
    """The ids of the deliveries about a request, first to last."""
    with database.reading() as session:
        found = select(Delivery.id).join(Stream, Stream.id == Delivery.stream_id)
        mine = found.where(Stream.stream == f"provider_task/{made.task_id}").order_by(Delivery.sequence)
        return list(session.scalars(mine))


def settle(database: Database, delivery_id: str, state: str, error: str | None = None) -> None:
    """Bring the head of its stream into this state."""
    with database.transaction() as session:
        delivery = session.scalars(select(Delivery).where(Delivery.id == delivery_id)).one()
        stream = session.get_one(Stream, delivery.stream_id)
        assert delivery.sequence == stream.head
        delivery.state, delivery.error = state, error
        if state == "parked":
            stream.due_at, stream.blocked_by = None, stream.head
        else:
            delivery.settled_at, stream.head = NOW, stream.head + 1


def listed(page: Any) -> list[str]:
    return [link.get("href").rpartition("/")[2] for link in page.xpath("//tbody//td[@data-label='Event']/a")]


def test_deliveries_are_filtered_by_where_they_are(database: Database, eve: Visitor) -> None:
    made = make_order(database)
    first, second, third = deliveries_of(database, made)
    settle(database, first, "delivered")
    settle(database, second, "parked", "rejected: no such item")
    for state, found in {
        "": [third, second, first], "sent": [first], "parked": [second], "waiting": [third], "failing": [],
        "skipped": [], "nonsense": [third, second, first],
    }.items():  # fmt: skip
        page = eve.read(f"/deliveries?state={state}")
        assert listed(page) == found, state
    rows = [text_of(row) for row in eve.read("/deliveries").xpath("//tbody/tr")]
    assert "Waiting behind event 2 of its stream, which is parked" in rows[0]
    assert "Parked rejected: no such item" in rows[1]
    assert made.request["number"] in rows[2]


def test_what_fails_is_told_from_what_only_waits(database: Database, eve: Visitor) -> None:
    failing, waiting = make_order(database), make_order(database, prefix="BETA")
    with database.transaction() as session:
        lease = session.get_one(Lease, failing.connection_id)
        lease.failures, lease.last_error = 3, "503 Service Unavailable"
        lease.not_before = NOW + timedelta(minutes=5)
        pause_connection(session, waiting.connection_id, reason="Maintenance", actor="user/eve", now=NOW)
    page = eve.read("/deliveries?state=failing")
    assert set(listed(page)) == set(deliveries_of(database, failing))
    assert "503 Service Unavailable next try 5 minutes from now" in text_of(page.xpath("//tbody/tr")[0])
    page = eve.read("/deliveries?state=waiting")
    assert set(listed(page)) == set(deliveries_of(database, waiting))
    assert "the connection is paused: Maintenance" in text_of(page.xpath("//tbody/tr")[0])


def test_deliveries_are_found_by_number_connection_and_type(database: Database, eve: Visitor) -> None:
    made, other = make_order(database), make_order(database, prefix="BETA")
    mine, others = set(deliveries_of(database, made)), set(deliveries_of(database, other))
    for query, found in {
        f"q={made.order_number}": mine, "q=beta-pt0000001": others, "q=state_changed": mine | others,
        f"connection={other.connection_id}": others, "q=product": set(), "connection=nonsense": set(),
        f"connection={uuid4()}": set(), f"q={made.task_id}": mine,
    }.items():  # fmt: skip
        assert set(listed(eve.read(f"/deliveries?{query}"))) == found, query
    for name in SORTABLE:
        assert set(listed(eve.read(f"/deliveries?sort=-{name}"))) == mine | others
    assert "No delivery fits this search" in text_of(eve.read("/deliveries?q=nothing"))


def test_one_delivery_shows_what_it_says_and_what_was_tried(database: Database, eve: Visitor) -> None:
    made = make_order(database)
    first = deliveries_of(database, made)[0]
    with database.transaction() as session:
        for minutes, outcome in ((-1, "judged"), (1, "throttled")):
            attempt = Attempt(
                connection_id=made.connection_id, started_at=NOW + timedelta(minutes=minutes), duration_s=0.25,
                events=3, outcome=outcome, status=503, detail="come back later",
            )  # fmt: skip
            session.add(attempt)
    page = eve.read(f"/deliveries/{first}")
    said = [one.text_content() for one in page.xpath("//pre")]
    assert f'\n  "task_id": "{made.task_id}"' in said[0]
    assert '"state_label": "Received"' in said[0]
    assert '"state_label"' not in said[1]
    assert f"order {made.order_number}" in text_of(page)
    attempts = [text_of(row) for row in page.xpath("//section[@id='attempts']//tbody/tr")]
    assert len(attempts) == 1
    assert "Throttled" in attempts[0]
    assert "250 ms" in attempts[0]


def test_behind_a_hole_in_the_mapping_the_record_is_shown_as_it_was(database: Database, eve: Visitor) -> None:
    first = deliveries_of(database, make_order(database))[0]
    settle(database, first, "parked", "no row for draft")
    with database.transaction() as session:
        session.scalars(select(Delivery).where(Delivery.id == first)).one().text = None
    page = eve.read(f"/deliveries/{first}")
    assert "the connection's mapping has no row for it" in text_of(page)
    assert '"order_state": "draft"' in page.xpath("//details[@open]/pre")[0].text_content()


def test_a_parked_delivery_is_sent_again(database: Database, eve: Visitor) -> None:
    first = deliveries_of(database, make_order(database))[0]
    assert not eve.read(f"/deliveries/{first}").xpath("//main//form")
    settle(database, first, "parked", "rejected: no")
    eve.read(f"/deliveries/{first}")
    assert eve.post(f"/deliveries/{first}/replay").status_code == 303
    assert "Waiting" in text_of(eve.read(f"/deliveries/{first}"))
    here = {"Referer": f"http://localhost/deliveries/{first}"}
    answer = eve.post(f"/deliveries/{first}/replay", headers=here)
    assert (answer.status_code, answer.location) == (303, f"/deliveries/{first}")
    assert "is pending, only a parked one can be replayed" in text_of(eve.read(f"/deliveries/{first}"))


def test_skipping_asks_why_asks_twice_and_leads_to_what_takes_its_place(database: Database, eve: Visitor) -> None:
    first = deliveries_of(database, make_order(database))[0]
    settle(database, first, "parked", "rejected: no")
    page = eve.read(f"/deliveries/{first}")
    (form,) = page.xpath("//form[contains(@action, '/skip')]")
    assert "The consumer will never get it" in form.get("data-confirm")
    answer = eve.post(f"/deliveries/{first}/skip", {"reason": "  "})
    assert answer.status_code == 422
    assert "Say why." in answer.get_data(as_text=True)
    answer = eve.post(f"/deliveries/{first}/skip", {"reason": "Told by phone."})
    assert answer.status_code == 303
    page = eve.read(answer.location)
    assert "Told by phone." in page.xpath("//pre")[0].text_content()
    assert first in text_of(page)
    assert eve.get(f"/deliveries/{first}").status_code == 404


def test_nothing_is_nobodys_fault(eve: Visitor) -> None:
    assert "Nothing was sent yet" in text_of(eve.read("/deliveries"))
    for unknown in ("nonsense", str(uuid4())):
        assert eve.get(f"/deliveries/{unknown}").status_code == 404
        assert eve.post(f"/deliveries/{unknown}/replay").status_code == 404
        assert eve.post(f"/deliveries/{unknown}/skip", {"reason": "x"}).status_code == 404


def test_who_only_looks_sees_no_buttons_and_is_refused(app: flask.Flask, database: Database, eve: Visitor) -> None:
    first = deliveries_of(database, make_order(database))[0]
    settle(database, first, "parked", "rejected: no")
    viewer = signed_in(app, "vera", "viewer")
    assert not viewer.read(f"/deliveries/{first}").xpath("//main//form")
    for last in ("replay", "skip"):
        answer = viewer.post(f"/deliveries/{first}/{last}", {"reason": "Because"})
        assert answer.status_code == 403
        assert "eve (exchange_admin)" in answer.get_data(as_text=True)
    assert signed_in(app, "max", "order_manager").get("/deliveries").status_code == 403


def test_a_list_costs_the_same_whatever_its_length(app: flask.Flask, database: Database, eve: Visitor) -> None:
    make_order(database)
    with CountedStatements(app) as few:
        eve.read("/deliveries")
    for number, prefix in enumerate(("BETA", "GAMMA", "DELTA")):
        make_order(database, prefix=prefix, number=number + 2, approved=True)
    with CountedStatements(app) as many:
        eve.read("/deliveries")
    assert many.count == few.count
    with database.reading() as session:
        assert len(session.scalars(select(OutboxEvent.id)).all()) > 12
