"""The flow board of a consumer: our calls to each provider, what providers tell us, and what helps when it stops."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update

from bridge.models import Attempt, Lease
from consumer_sim.services.catalog import activate_item
from consumer_sim.services.receipts import RECEIPTS_LIMIT, read_receipts
from tests.api.page_client import CountedStatements, Visitor, signed_in, text_of
from tests.consumer_factories import (
    NOW,
    Consumer,
    comment_added,
    connected_consumer,
    consumer,
    item_changed,
    make_item,
    product_changed,
    state_changed,
)


@pytest.fixture
def acme(sqlite_url: str, tmp_path: Path) -> Iterator[Consumer]:
    with connected_consumer(sqlite_url, tmp_path) as one:
        yield one


@pytest.fixture
def boss(acme: Consumer) -> Visitor:
    return signed_in(acme.app, "boss", "admin")


def call(one: Consumer) -> None:
    with one.context.database.transaction() as session:
        activate_item(session, make_item(session, one.connection_id), now=NOW)


def board(page: Any) -> dict[str, str]:
    return {cell.get("data-label"): text_of(cell) for cell in page.cssselect("table")[0].cssselect("tbody td")}


def test_before_the_first_connection_it_says_what_to_do(sqlite_url: str, tmp_path: Path) -> None:
    with consumer(sqlite_url, tmp_path) as one:
        assert signed_in(one.app, "boss", "admin").read("/flow").xpath("//main//a/@href") == ["/connections/connect"]
        assert "An admin connects to one" in text_of(signed_in(one.app, "vera", "viewer").read("/flow"))


def test_both_directions_are_shown_and_lead_to_what_they_are_about(acme: Consumer, boss: Visitor) -> None:
    call(acme)
    task, product, item = (str(uuid4()) for _ in range(3))
    acme.verdicts(
        [state_changed(task, 1), comment_added(task, 2), product_changed(product, 1), item_changed(item, 1, name="WAN")]
    )
    page = boss.read("/flow")
    assert board(page)["Waiting"] == "1"
    out, into = page.cssselect("section")
    assert "Northwind Activation Pending" in text_of(out)
    text = text_of(into)
    for told in ("State New", "Comment of Grace", "Broadband Active", "Catalog item, revision 1"):
        assert told in text
    links = into.xpath(".//a/@href")
    assert f"/requests/{acme.connection_id}/{task}" in links and f"/products/{acme.connection_id}/{product}" in links
    assert all(boss.get(link).status_code == 200 for link in links)
    assert f"/connections/{acme.connection_id}" in page.xpath("//main//a/@href")
    assert boss.get(f"/connections/{acme.connection_id}").status_code == 200, "found by the wire's id, too"


def test_what_our_own_people_did_is_no_receipt(acme: Consumer, boss: Visitor) -> None:
    call(acme)
    assert "No provider has told us anything yet" in text_of(boss.read("/flow").cssselect("section")[1])


def test_receipts_are_the_newest_of_all_kinds(acme: Consumer) -> None:
    task = str(uuid4())
    acme.verdicts([state_changed(task, number + 1) for number in range(RECEIPTS_LIMIT + 5)])
    with acme.context.database.reading() as session:
        found = read_receipts(session)
    assert len(found) == RECEIPTS_LIMIT
    assert [one.at for one in found] == sorted((one.at for one in found), reverse=True)


def test_trouble_is_told_with_what_helps_here(acme: Consumer, boss: Visitor) -> None:
    call(acme)
    with acme.context.database.transaction() as session:
        held = {"not_before": NOW + timedelta(seconds=40), "failures": 3, "failing_since": NOW, "last_error": "down"}
        session.execute(update(Lease).where(Lease.connection_id == acme.connection_id).values(held))
        if session.get(Lease, acme.connection_id) is None:
            session.add(Lease(connection_id=acme.connection_id, **held))
        session.add(
            Attempt(connection_id=acme.connection_id, started_at=NOW, duration_s=0.02, events=1, outcome="judged")
        )
    page = boss.read("/flow")
    assert board(page)["Sending"] == "Held back next try 40 seconds from now"
    assert board(page)["Half within"] == "20 ms"
    assert "Failed 3 times" in text_of(page) and "If it lasts, tell the provider" in text_of(page)
    assert "sxg " not in text_of(page), "its commands are for the provider"


def test_the_board_is_live_and_silent_while_nothing_changes(acme: Consumer, boss: Visitor) -> None:
    first = boss.get("/flow")
    again = {"X-Live": "1", "If-None-Match": first.headers["ETag"]}
    assert boss.get("/flow", headers=again).status_code == 304
    acme.verdicts([product_changed(str(uuid4()), 1, name="Edge")])
    assert b"Edge Active" in boss.get("/flow", headers=again).get_data()


def test_it_costs_the_same_however_much_crosses(acme: Consumer, boss: Visitor) -> None:
    counts = []
    for more in (1, 10):
        for _ in range(more):
            call(acme)
            acme.verdicts([product_changed(str(uuid4()), 1), state_changed(str(uuid4()), 1)])
        with CountedStatements(acme.app) as counted:
            boss.read("/flow")
        counts.append(counted.count)
    assert counts[0] == counts[1]


def test_requesters_are_told_whom_to_ask(acme: Consumer, boss: Visitor) -> None:
    answer = signed_in(acme.app, "ada", "requester").get("/flow")
    assert answer.status_code == 403 and "boss (admin)" in answer.text
