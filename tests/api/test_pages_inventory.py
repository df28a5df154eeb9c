"""The pages on which people see what was delivered, what is done with it, and have more done."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from consumer_sim.models import ProviderTask
from provider.services.orders import approve_order
from tests.api.page_client import CountedStatements, Visitor, signed_in, text_of
from tests.api.provider_client import context_of, make_app
from tests.consumer_factories import Consumer, connected_consumer, make_item, product_changed, rows
from tests.factories import AGENT, NOW
from tests.inventory_factories import all_products, ask, carry_out, make_action, make_owner, make_package_owner


@pytest.fixture
def one(sqlite_url: str, tmp_path: Path) -> Iterator[Consumer]:
    with connected_consumer(sqlite_url, tmp_path) as one:
        with one.context.database.transaction() as session:
            make_item(session, one.connection_id, kind="inventory", name="Manage Inventory", orderable=False)
        yield one


def have(one: Consumer, state: str = "active", **told: Any) -> str:
    """A product; the address of its page."""
    product_id = str(uuid4())
    with one.context.database.transaction() as session:
        item = make_item(session, one.connection_id)
    label = state.replace("_", " ").capitalize()
    known = {"catalog_item_id": item.id, "part": [], "parent_id": None, "state": state, "state_label": label}
    assert one.verdicts([product_changed(product_id, 1, **known, **told)]) == ["applied"]
    return f"/products/{one.connection_id}/{product_id}"


def begin(visitor: Visitor, url: str) -> str:
    """Open the form; its own address."""
    answer = visitor.get(url)
    assert answer.status_code == 303
    visitor.read(answer.location)
    return str(answer.location)


def test_the_item_that_manages_the_inventory_leads_to_the_products_of_its_provider(one: Consumer) -> None:
    have(one)
    ada = signed_in(one.app, "ada", "requester")
    (link,) = ada.read("/catalog").xpath("//a[text()='Show products']/@href")
    assert "Broadband" in text_of(ada.read(link))


def test_a_product_offers_what_its_state_allows(one: Consumer) -> None:
    ada = signed_in(one.app, "ada", "requester")
    offered = {}
    for state in ("active", "suspended", "inactive", "installation_pending"):
        buttons = ada.read(have(one, state)).xpath("//div[@id='actions']//a")
        offered[state] = [text_of(button) for button in buttons]
    assert offered == {
        "active": ["Suspend", "Disconnect", "Change", "Move"],
        "suspended": ["Resume", "Disconnect"],
        "inactive": [],
        "installation_pending": [],
    }
    viewer = signed_in(one.app, "vera", "viewer")
    url = have(one)
    assert viewer.read(url).xpath("//div[@id='actions']//a") == []
    assert viewer.get(f"{url}/suspend").status_code == 403


def test_a_suspension_until_a_date_is_asked_for_once_however_often_it_is_sent(one: Consumer) -> None:
    ada, url = signed_in(one.app, "ada", "requester"), have(one)
    form = begin(ada, f"{url}/suspend")
    sent = {"starts_at": "2026-12-01T08:00", "ends_at": "2026-12-24T00:00", "note": "The office is closed."}
    answers = [ada.post(form, sent) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    (task,) = rows(one, ProviderTask)
    assert (task.action, task.number) == ("suspend", "ACME-PT0000001")
    assert task.request["starts_at"] == "2026-12-01T08:00:00.000Z"
    assert task.request["ends_at"] == "2026-12-24T00:00:00.000Z"
    page = text_of(ada.read(answers[0].location))
    for words in ("Suspend", "PRD0000001", "The office is closed."):
        assert words in page
    assert "Suspend is under way: ACME-PT0000001" in text_of(ada.read(url))
    assert ada.get(f"{url}/disconnect?request={uuid4()}").status_code == 303
    assert "acts on PRD0000001 already" in text_of(ada.read(url))


def test_what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost(one: Consumer) -> None:
    ada, url = signed_in(one.app, "ada", "requester"), have(one)
    form = begin(ada, f"{url}/suspend")
    answer = ada.post(form, {"ends_at": "2020-01-01T00:00", "note": "Keep me"})
    assert answer.status_code == 422
    page = answer.get_data(as_text=True)
    assert page.count("The end must be later than the beginning") == 1 and "Keep me" in page
    form = begin(ada, f"{url}/move")
    answer = ada.post(form, {"/location/name": "Berlin office", "/location/city": ""})
    assert answer.status_code == 422 and "This is where it is." in answer.get_data(as_text=True)
    form = begin(ada, f"{url}/change")
    answer = ada.post(form, {"/characteristics/bandwidth": "100"})
    assert answer.status_code == 422 and "Nothing would change" in answer.get_data(as_text=True)
    assert rows(one, ProviderTask) == []


def test_characteristics_and_the_place_are_filled_in_as_they_are_now(one: Consumer) -> None:
    ada, url = signed_in(one.app, "ada", "requester"), have(one)
    page = ada.read(begin(ada, f"{url}/change"))
    (chosen,) = page.xpath("//select[@name='/characteristics/bandwidth']/option[@selected]/@value")
    assert chosen == "100"
    assert ada.post(begin(ada, f"{url}/change"), {"/characteristics/bandwidth": "200"}).status_code == 303
    (task,) = rows(one, ProviderTask)
    assert task.request["characteristics"] == {"bandwidth": "200"}


def test_without_manage_inventory_people_read_why_nothing_can_be_asked_for(sqlite_url: str, tmp_path: Path) -> None:
    with connected_consumer(sqlite_url, tmp_path) as one:
        ada, url = signed_in(one.app, "ada", "requester"), have(one)
        assert "Northwind does not let you change products here yet." in text_of(ada.read(url))
        assert ada.get(f"{url}/suspend?request={uuid4()}").status_code == 303


def test_an_action_that_there_is_not_is_no_page(one: Consumer) -> None:
    ada, url = signed_in(one.app, "ada", "requester"), have(one)
    assert ada.get(f"{url}/destroy").status_code == 404


def test_hostile_texts_of_the_provider_are_shown_as_texts(one: Consumer) -> None:
    evil = "<script>alert(1)</script>"
    places = [{"name": evil, "street": [evil]}, {"name": {"a": evil}}]
    changed = {"characteristics": {evil: [evil, {"a": [evil]}]}, "location": places}
    cause = {"action": evil[:20], "task_id": str(uuid4()), "order_number": evil, "changed": changed}
    ada = signed_in(one.app, "ada", "requester")
    page = ada.get(have(one, name=evil, changed_by=cause, location=places[1]))
    assert page.status_code == 200
    assert "<script>alert" not in page.get_data(as_text=True)


def test_the_provider_finds_products_and_reads_the_history_of_one(sqlite_url: str, tmp_path: Path) -> None:
    app = make_app(sqlite_url, tmp_path)
    database = context_of(app).database
    me = make_owner(database)
    (router,) = all_products(database)
    number = ask(database, me, router, make_action("change", characteristics={"bandwidth": "50"}))
    carry_out(database, number)
    with database.transaction() as session:
        approve_order(session, ask_in(session, me, router, make_action("suspend", 3)), actor=AGENT, now=NOW)
    viewer = signed_in(app, "vera", "viewer")
    for query in ("q=Router", "company=ACME Ltd", "state=active", "location=Berlin office"):
        assert "PRD0000001" in text_of(viewer.read(f"/products?{query}")), query
    assert "No product fits this search." in text_of(viewer.read("/products?state=inactive"))
    page = text_of(viewer.read("/products/PRD0000001"))
    for words in ("Bandwidth: 100 → 50", "Change by ORD0000002", "Suspend is under way: ORD0000003", "Berlin office"):
        assert words in page, words
    order = viewer.read("/orders/ORD0000002")
    assert order.xpath("//section[@id='lines']//a/@href")[0] == "/products/PRD0000001"
    assert viewer.get("/products/PRD9999999").status_code == 404
    database.close()


def ask_in(session: Any, connection_id: str, product: Any, request: dict[str, Any]) -> str:
    from provider.models.orders import CustomerOrder  # noqa: PLC0415
    from provider.services.inventory_actions import request_action  # noqa: PLC0415

    order_id = request_action(session, connection_id, product.id, request, now=NOW).order_id
    return str(session.get_one(CustomerOrder, order_id).number)


def test_a_product_page_takes_as_many_statements_whatever_belongs_to_it(sqlite_url: str, tmp_path: Path) -> None:
    app = make_app(sqlite_url, tmp_path)
    database = context_of(app).database
    make_package_owner(database)
    viewer = signed_in(app, "vera", "viewer")
    counts = []
    for product in all_products(database)[:2]:
        with CountedStatements(app) as counted:
            viewer.read(f"/products/{product.number}")
        counts.append(counted.count)
    assert max(counts) - min(counts) <= 1, counts  # the part reads what it is part of
    database.close()
