"""The catalog shows what can be ordered, says why something cannot, and what to do while it is empty."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.models import Connection
from tests.api.page_client import CountedStatements, Visitor, signed_in, text_of
from tests.consumer_factories import Consumer, connected_consumer, consumer, make_connection, make_item


@pytest.fixture
def acme(sqlite_url: str, tmp_path: Path) -> Iterator[Consumer]:
    with connected_consumer(sqlite_url, tmp_path) as one:
        yield one


@pytest.fixture
def ada(acme: Consumer) -> Visitor:
    return signed_in(acme.app, "ada", "requester")


def add(one: Consumer, *items: dict[str, Any]) -> None:
    with one.context.database.transaction() as session:
        for values in items:
            make_item(session, values.pop("connection_id", one.connection_id), **values)


def names(visitor: Visitor, url: str) -> list[str]:
    return [text_of(one) for one in visitor.read(url).xpath("//table//*[contains(@class, 'fw-semibold')]")]


def test_active_items_can_be_found_sorted_and_narrowed(acme: Consumer, ada: Visitor) -> None:
    add(
        acme,
        {"name": "Broadband", "category": "Internet", "short_description": "Fast 100% fibre"},
        {"name": "Firewall", "category": "Security"},
        {"name": "Waiting", "state": "pending_activation", "active_revision": None, "active_form": None},
        {"name": "Closed", "state": "inactive"},
        {"name": "Gone", "state": "removed"},
    )
    assert names(ada, "/catalog") == ["Broadband", "Firewall"]
    assert names(ada, "/catalog?sort=-name") == ["Firewall", "Broadband"]
    assert names(ada, "/catalog?category=Security") == ["Firewall"]
    assert names(ada, "/catalog?q=100%25") == names(ada, "/catalog?q=fibRE") == ["Broadband"]
    assert names(ada, "/catalog?q=wall&category=Internet") == []
    assert "Nothing in the catalog fits" in text_of(ada.read("/catalog?q=_"))


def test_items_of_several_providers_are_told_apart_and_can_be_narrowed(acme: Consumer, ada: Visitor) -> None:
    with acme.context.database.transaction() as session:
        other, _ = make_connection(session, acme.context, prefix="BETA")
    add(acme, {"name": "Broadband"}, {"name": "Cloud", "connection_id": other})
    assert names(ada, f"/catalog?provider={other}") == ["Cloud"]
    assert names(ada, "/catalog?provider=nonsense") == []
    assert names(ada, "/catalog?sort=provider") == ["Broadband", "Cloud"]
    assert set(ada.read("/catalog").xpath("//select[@name='provider']/option/@value")) == {
        "",
        acme.connection_id,
        other,
    }


OBSTACLES = [
    ({"orderable": False}, "active", "Northwind takes no orders for it at the moment."),
    ({}, "revoked", "The connection to Northwind has ended."),
    ({}, "pending", "The connection to Northwind is not proven yet."),
]


@pytest.mark.parametrize(("values", "connection", "why"), OBSTACLES)
def test_what_cannot_be_ordered_says_why_instead_of_a_button(
    acme: Consumer, ada: Visitor, values: dict[str, Any], connection: str, why: str
) -> None:
    add(acme, dict(values))
    set_connection(acme, connection)
    page = ada.read("/catalog")
    assert why in text_of(page)
    assert page.xpath("//a[text()='Order']") == []
    assert page.xpath("//a[text()='Broadband']") == []


def test_the_name_of_an_item_leads_to_what_can_be_done_with_it(acme: Consumer, ada: Visitor) -> None:
    add(acme, {"name": "Line"}, {"name": "Stock", "kind": "inventory", "orderable": False})
    page = ada.read("/catalog")
    (line,), (stock,) = page.xpath("//a[text()='Line']/@href"), page.xpath("//a[text()='Stock']/@href")
    assert line.endswith("/order") and stock == f"/products?provider={acme.connection_id}"
    assert signed_in(acme.app, "vera", "viewer").read("/catalog").xpath("//a[text()='Line']") == []


@pytest.mark.parametrize("connection", ["active", "paused", "diverged"])
def test_what_waits_for_the_provider_can_be_ordered_all_the_same(acme: Consumer, ada: Visitor, connection: str) -> None:
    add(acme, {})
    set_connection(acme, connection)
    (link,) = ada.read("/catalog").xpath("//a[text()='Order']")
    assert (link.get("aria-label"), ada.get(link.get("href")).status_code) == ("Order Broadband", 303)


def set_connection(one: Consumer, state: str) -> None:
    with one.context.database.transaction() as session:
        session.get_one(Connection, one.connection_id).state = state


def test_prices_are_shown_where_the_provider_tells_them(acme: Consumer, ada: Visitor) -> None:
    price = {"name": "Monthly", "price_type": "recurring", "amount": "49.90", "currency": "EUR", "period": "month"}
    add(acme, {"prices": [price | {"period_length": 1}, price | {"name": "Rent", "period_length": 3}]})
    page = text_of(ada.read("/catalog"))
    assert "Monthly: 49.90 EUR per month" in page and "Rent: 49.90 EUR per 3 month" in page


def test_an_empty_catalog_says_what_is_missing_and_whom_to_ask(sqlite_url: str, tmp_path: Path) -> None:
    with consumer(sqlite_url, tmp_path) as one:
        ada, boss = signed_in(one.app, "ada", "requester"), signed_in(one.app, "boss", "admin")
        assert "not connected to any provider" in text_of(ada.read("/catalog"))
        assert "connect to one: boss (admin)" in text_of(ada.read("/catalog"))
        assert boss.read("/catalog").xpath("//main//a[@href='/connections']/text()") == ["connect to one"]
        with one.context.database.transaction() as session:
            one.connection_id, _ = make_connection(session, one.context)
        assert "nothing is offered to us" in text_of(ada.read("/catalog"))
        add(one, {"state": "pending_activation", "active_revision": None, "active_form": None})
        assert "1 item is offered, and none is activated yet" in text_of(ada.read("/catalog"))
        assert "Next: activate what people may order" in text_of(boss.read("/catalog"))


def test_a_viewer_sees_the_catalog_without_buttons_and_strangers_sign_in_first(acme: Consumer, ada: Visitor) -> None:
    add(acme, {})
    viewer = signed_in(acme.app, "vera", "viewer")
    page = viewer.read("/catalog")
    assert "Broadband" in text_of(page) and page.xpath("//a[text()='Order' or text()='My drafts']") == []
    answer = Visitor(acme.app).get("/catalog")
    assert (answer.status_code, answer.location) == (303, "/sign-in?next=/catalog")


def test_however_many_items_the_statements_are_the_same(acme: Consumer, ada: Visitor) -> None:
    add(acme, {"name": "One"})
    counts = []
    for more in (0, 30):
        add(acme, *({"name": f"Item {number:02}", "category": f"C{number}"} for number in range(more)))
        with CountedStatements(acme.app) as counted:
            page = ada.read("/catalog")
        counts.append(counted.count)
    assert counts[0] == counts[1]
    assert "1 of 2" in text_of(page)
    assert len(names(ada, "/catalog?page=2")) == 6
