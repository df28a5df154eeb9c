"""The start page tells each person what waits for them, and an empty instance what to do first."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update

from bridge.models import Connection, Lease
from consumer_sim.models import ProviderTask
from consumer_sim.services.drafts import Writer
from consumer_sim.services.ordering import keep_draft
from consumer_sim.services.users import find_user
from tests.api.page_client import CountedStatements, signed_in, text_of
from tests.consumer_factories import NOW, Consumer, connected_consumer, consumer, make_connection, make_item


@pytest.fixture
def acme(sqlite_url: str, tmp_path: Path) -> Iterator[Consumer]:
    with connected_consumer(sqlite_url, tmp_path) as one:
        yield one


def waits(page: Any) -> dict[str, tuple[int, str]]:
    """What waits for me: how many, and where the card leads, by its label."""
    found = {}
    for card in page.cssselect("#waiting a.card"):
        count, label = text_of(card).split(" ", 1)
        found[label] = (int(count), card.get("href"))
    return found


def steps(page: Any) -> list[tuple[str, str]]:
    """Label and mark of each first step."""
    rows = page.cssselect("#waiting ol li")
    return [(text_of(row.cssselect(".flex-grow-1")[0]), text_of(row.cssselect(".badge")[0])) for row in rows]


def make_task(one: Consumer, **values: Any) -> ProviderTask:
    task = ProviderTask(
        connection_id=one.connection_id, id=str(uuid4()), number=f"ACME-{uuid4()}", revision=1, opened_at=NOW,
        updated_at=NOW, **values,
    )  # fmt: skip
    with one.context.database.transaction() as session:
        session.add(task)
    return task


def test_a_new_instance_says_step_by_step_what_to_do_first(sqlite_url: str, tmp_path: Path) -> None:
    with consumer(sqlite_url, tmp_path) as one:
        boss = signed_in(one.app, "boss", "admin")
        marks = lambda: [mark for _, mark in steps(boss.read("/"))]  # noqa: E731 - a look at the same page
        assert marks() == ["next", "later", "later"]
        assert boss.read("/").xpath("//ol//a/@href") == ["/connections/connect", "/items", "/catalog"]
        with one.context.database.transaction() as session:
            one.connection_id, _ = make_connection(session, one.context)
        assert marks() == ["✓ done", "next", "later"]
        with one.context.database.transaction() as session:
            make_item(session, one.connection_id, kind="inventory")
        assert marks() == ["✓ done", "next", "later"], "of Manage Inventory nothing can be ordered"
        with one.context.database.transaction() as session:
            make_item(session, one.connection_id)
        assert marks() == ["✓ done", "✓ done", "next"]
        make_task(one)
        assert steps(boss.read("/")) == []


def test_steps_lead_only_where_one_may_go(sqlite_url: str, tmp_path: Path) -> None:
    with consumer(sqlite_url, tmp_path) as one:
        ada, vera = signed_in(one.app, "ada", "requester"), signed_in(one.app, "vera", "viewer")
        assert ada.read("/").xpath("//ol//a/@href") == ["/catalog"]
        assert len(steps(vera.read("/"))) == 3 and vera.read("/").xpath("//ol//a/@href") == []


def test_what_waits_is_counted_and_leads_to_its_list(acme: Consumer) -> None:
    ada, boss = signed_in(acme.app, "ada", "requester"), signed_in(acme.app, "boss", "admin")
    with acme.context.database.transaction() as session:
        item = make_item(session, acme.connection_id)
        make_item(session, acme.connection_id, state="pending_activation", active_revision=None, active_form=None)
        make_item(session, acme.connection_id, revision=2)
        for name in ("ada", "ada", "boss"):
            user = find_user(session, name)
            assert user is not None
            keep_draft(session, item, str(uuid4()), {}, Writer(user.id, name), now=NOW)
    make_task(acme, submission="refused")
    make_task(acme, submission="accepted", state="awaiting_info", order_state="on_hold")
    make_task(acme, submission="accepted", state="work_in_progress")
    make_task(acme)
    requests = {
        "Request to correct": (1, "/requests?state=rejected"),
        "Request on hold or asked about": (1, "/requests?state=awaiting_info"),
        "Solutions to accept": (0, "/requests?state=proposed"),
        "New from your provider": (0, "/from-provider?seen=no"),
    }
    assert waits(ada.read("/")) == {"Drafts to finish": (2, "/drafts?whose=mine"), **requests}
    assert waits(boss.read("/")) == {
        "Requests to approve": (0, "/approvals"),
        "Approvals providers ask for": (0, "/provider-approvals?state=waiting"),
        "Draft to finish": (1, "/drafts?whose=mine"), **requests,
        "Item to activate": (1, "/items?state=pending_activation"),
        "New revision to activate": (1, "/items?state=revised"),
        "Connections in trouble": (0, "/connections?health=ill"),
    }  # fmt: skip
    others = text_of(ada.read("/").cssselect(".list-group")[-1])
    assert "Requests on their way 1 waiting for the provider" in others
    assert "Requests in progress 1 waiting for the provider" in others
    for visitor in (ada, boss):
        for _, url in waits(visitor.read("/")).values():
            assert visitor.get(url).status_code == 200, url


def test_the_lists_hold_as_many_as_the_start_counts(acme: Consumer) -> None:
    boss = signed_in(acme.app, "boss", "admin")
    with acme.context.database.transaction() as session:
        for number in range(3):
            make_item(session, acme.connection_id, revision=number + 1)
        make_item(session, acme.connection_id, state="pending_activation", active_revision=None, active_form=None)
    make_task(acme, submission="refused")
    for label, (count, url) in waits(boss.read("/")).items():
        assert len(boss.read(url).cssselect("tbody tr")) == count, label


def test_a_connection_in_trouble_is_counted(acme: Consumer) -> None:
    boss = signed_in(acme.app, "boss", "admin")
    assert waits(boss.read("/"))["Connections in trouble"][0] == 0
    with acme.context.database.transaction() as session:
        session.add(Lease(connection_id=acme.connection_id, failures=3, failing_since=NOW, last_error="no answer"))
    assert waits(boss.read("/"))["Connection in trouble"][0] == 1
    with acme.context.database.transaction() as session:
        session.execute(update(Connection).values(state="revoked"))
    assert waits(boss.read("/"))["Connections in trouble"][0] == 0, "of a connection that ended nothing is expected"


def test_whoever_may_do_nothing_sees_for_whom_it_waits(acme: Consumer) -> None:
    make_task(acme, submission="refused")
    page = signed_in(acme.app, "vera", "viewer").read("/")
    assert waits(page) == {}
    assert "Request to correct 1 waiting for admin, requester" in text_of(page)


def test_the_page_looks_after_itself(acme: Consumer) -> None:
    ada = signed_in(acme.app, "ada", "requester")
    first = ada.get("/")
    same = {"X-Live": "1", "If-None-Match": first.headers["ETag"]}
    assert b"data-live" in first.get_data()
    assert ada.get("/", headers=same).status_code == 304
    make_task(acme, submission="refused")
    assert ada.get("/", headers=same).status_code == 200


def test_however_much_waits_the_statements_are_the_same(acme: Consumer) -> None:
    boss, counts = signed_in(acme.app, "boss", "admin"), []
    make_task(acme)
    boss.read("/")  # that the first steps are done is said once
    for more in (0, 20):
        for number in range(more):
            make_task(acme, submission="refused")
            with acme.context.database.transaction() as session:
                make_connection(session, acme.context, prefix=f"P{number}")
        with CountedStatements(acme.app) as counted:
            boss.read("/")
        counts.append(counted.count)
    assert counts[0] == counts[1]
