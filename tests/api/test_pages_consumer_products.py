"""What we have, by location; and one product with its characteristics in the words of its item."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from consumer_sim.models import Product, ProviderTask
from tests.api.page_client import CountedStatements, Visitor, signed_in, text_of
from tests.consumer_factories import FORM, NOW, Consumer, connected_consumer, make_item, product_changed


@pytest.fixture
def acme(sqlite_url: str, tmp_path: Path) -> Iterator[Consumer]:
    with connected_consumer(sqlite_url, tmp_path) as one:
        yield one


@pytest.fixture
def ada(acme: Consumer) -> Visitor:
    return signed_in(acme.app, "ada", "requester")


def add(one: Consumer, *products: dict[str, Any]) -> list[str]:
    """As the provider tells them; the ids."""
    told = [{"location": {"name": values.pop("at")} if "at" in values else None} | values for values in products]
    ids = [str(uuid4()) for _ in told]
    assert set(one.verdicts([product_changed(id, 1, **values) for id, values in zip(ids, told, strict=True)])) == {
        "applied"
    }
    return ids


def names(visitor: Visitor, url: str) -> list[str]:
    return [text_of(one) for one in visitor.read(url).xpath("//td[@data-label='Product']//a")]


def facts(page: Any) -> dict[str, str]:
    return {text_of(one): text_of(one.getnext()) for one in page.cssselect("dt")}


SOME = (
    {"name": "Edge", "number": "PRD0000001", "at": "Hamburg", "order_number": "ORD0000009"},
    {"name": "Switch", "number": "PRD0000003", "at": "Berlin", "state": "removed", "state_label": "Removed"},
    {"name": "Access point", "number": "PRD0000002", "at": "Berlin"},
    {"name": "SIM", "number": "PRD0000004"},
)


def test_products_are_listed_by_location_found_sorted_and_narrowed(acme: Consumer, ada: Visitor) -> None:
    add(acme, *map(dict, SOME))
    assert names(ada, "/products") == ["SIM", "Access point", "Switch", "Edge"]
    assert names(ada, "/products?sort=number") == ["Edge", "Access point", "Switch", "SIM"]
    assert names(ada, "/products?sort=-name") == ["Switch", "SIM", "Edge", "Access point"]
    assert names(ada, "/products?location=Berlin") == ["Access point", "Switch"]
    assert names(ada, "/products?location=Berlin&state=active") == ["Access point"]
    assert names(ada, "/products?location=%E2%80%93") == ["SIM"]
    assert names(ada, "/products?q=ord0000009") == names(ada, "/products?q=HAMB") == ["Edge"]
    assert "No product fits" in text_of(ada.read("/products?q=%25"))


def test_each_location_stands_out_where_it_begins_and_is_told_in_every_row(acme: Consumer, ada: Visitor) -> None:
    """Rows below the first of a location show it only where rows stand one below the other, as on a phone."""
    add(acme, *map(dict, SOME))
    places = ada.read("/products").xpath("//td[@data-label='Location']")
    assert [text_of(one) for one in places] == ["Without a location", "Berlin", "Berlin", "Hamburg"]
    assert [one.get("class") for one in places] == ["fw-semibold", "fw-semibold", "repeated", "fw-semibold"]
    ungrouped = ada.read("/products?sort=number").xpath("//td[@data-label='Location']")
    assert [one.get("class") for one in ungrouped] == [None] * 4


def test_what_can_be_chosen_is_what_there_is(acme: Consumer, ada: Visitor) -> None:
    add(acme, *map(dict, SOME))
    page = ada.read("/products")
    assert [text_of(one) for one in page.xpath("//select[@name='location']/option")] == [
        "Location: all", "Berlin (2)", "Hamburg (1)", "Without a location (1)",
    ]  # fmt: skip
    assert [text_of(one) for one in page.xpath("//select[@name='state']/option")] == ["State: all", "Active", "Removed"]


def test_a_product_tells_everything_and_leads_to_its_request(acme: Consumer, ada: Visitor) -> None:
    with acme.context.database.transaction() as session:
        part = {"key": "edge", "name": "Edge", "variables": FORM["variables"], "parts": []}
        item = make_item(session, acme.connection_id, form={"variables": [], "parts": [part]})
        task = ProviderTask(
            connection_id=acme.connection_id, id=str(uuid4()), number="ACME-PT0000001", revision=1, opened_at=NOW,
            updated_at=NOW,
        )  # fmt: skip
        session.add(task)
    where = {"name": "Berlin office", "street": "Torstr. 1", "postal_code": "10119", "city": "Berlin"}
    (product_id,) = add(
        acme,
        {
            "task_id": task.id, "catalog_item_id": item.id, "location": where,
            "characteristics": {"bandwidth": "200", "colour": "red"},
        },
    )  # fmt: skip
    page = ada.read(f"/products/{acme.connection_id}/{product_id}")
    told = facts(page)
    assert (told["Bandwidth"], told["colour"]) == ("200 Mbit/s", "red")
    assert (told["Location"], told["Address"]) == ("Berlin office", "Torstr. 1, 10119 Berlin")
    assert told["Order number"] == "ORD0001042 line OL0000001"
    (link,) = page.xpath("//main//a[text()='ACME-PT0000001']/@href")
    assert ada.get(link).status_code == 200
    assert ada.read("/products").xpath("//tbody//a[text()='ACME-PT0000001']/@href") == [link]


def test_a_product_of_an_unknown_request_and_item_is_shown_all_the_same(acme: Consumer, ada: Visitor) -> None:
    (product_id,) = add(acme, {"characteristics": {}})
    page = ada.read(f"/products/{acme.connection_id}/{product_id}")
    assert facts(page)["Request"] == "not known here"
    assert "It has none." in text_of(page)


def test_the_same_id_at_another_provider_is_another_product(acme: Consumer, ada: Visitor) -> None:
    (product_id,) = add(acme, {})
    assert ada.get(f"/products/{uuid4()}/{product_id}").status_code == 404
    assert ada.get(f"/products/{acme.connection_id}/{uuid4()}").status_code == 404
    assert ada.get("/products/x/y", headers={"Accept": "text/html"}).status_code == 404


def test_an_empty_list_says_where_products_come_from(acme: Consumer, ada: Visitor) -> None:
    page = ada.read("/products")
    assert "They appear here when an order is approved" in text_of(page)
    assert {"/requests", "/catalog"} <= set(page.xpath("//main//a/@href"))


def test_what_is_told_appears_by_itself(acme: Consumer, ada: Visitor) -> None:
    first = ada.get("/products")
    again = {"X-Live": "1", "If-None-Match": first.headers["ETag"]}
    assert ada.get("/products", headers=again).status_code == 304
    add(acme, {"name": "Edge"})
    assert b"Edge" in ada.get("/products", headers=again).get_data()


def test_however_many_products_the_statements_are_the_same(acme: Consumer, ada: Visitor) -> None:
    counts = []
    for more in (1, 60):
        with acme.context.database.transaction() as session:
            for number in range(more):
                session.add(
                    Product(
                        connection_id=acme.connection_id, id=str(uuid4()), number=f"PRD{number}", name="Edge",
                        state="active", state_label="Active", task_id=str(uuid4()), order_number="ORD1",
                        line_number="OL1", characteristics={}, location_name=f"Place {number}", updated_at=NOW,
                    )
                )  # fmt: skip
        with CountedStatements(acme.app) as counted:
            page = ada.read("/products")
        counts.append(counted.count)
    assert counts[0] == counts[1]
    assert "1 of 3" in text_of(page)
    assert len(names(ada, "/products?page=3")) == 11
