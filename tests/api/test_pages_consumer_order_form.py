"""Ordering on a page: what is wrong stands beside its field, nothing typed is lost, and one order is one request."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from lxml import html
from sqlalchemy.orm import Session

from bridge.models import Delivery
from consumer_sim.models import CatalogItem, Draft, ProviderTask
from consumer_sim.services import catalog
from consumer_sim.services.drafts import PROGRAM
from consumer_sim.services.ordering import keep_draft, send_order
from consumer_sim.services.records import list_records
from tests.api.page_client import Visitor, signed_in, text_of
from tests.consumer_factories import ANSWERS, FORM, NOW, Consumer, connected_consumer, item_changed, make_item, rows

EDGE = {
    "key": "edge", "name": "Edge router", "mandatory": False, "default_selected": False, "min_quantity": 1,
    "max_quantity": 4, "variables": [FORM["variables"][0] | {"key": "model", "label": "Model"}], "parts": [],
}  # fmt: skip
WITH_PARTS = {"variables": FORM["variables"], "parts": [EDGE]}
GOOD = {"/characteristics/bandwidth": "100", "/quantity": "2"}
FULL = GOOD | {
    "/location/name": "Berlin office", "/location/city": "Berlin", "/contacts/0/name": "Ada", "/contacts/2/name": "Bob",
    "/contacts/2/email": "bob@acme.example", "/requested_on": "2026-12-01", "/note": "Before noon",
    "/parts/edge/selected": "true", "/parts/edge/quantity": "3", "/parts/edge/characteristics/model": "200",
}  # fmt: skip


@pytest.fixture
def acme(sqlite_url: str, tmp_path: Path) -> Iterator[Consumer]:
    with connected_consumer(sqlite_url, tmp_path) as one:
        yield one


@pytest.fixture
def ada(acme: Consumer) -> Visitor:
    return signed_in(acme.app, "ada", "requester")


@pytest.fixture
def url(acme: Consumer) -> str:
    """Of the order page, without a draft."""
    return order_url(acme, active_form=WITH_PARTS, form=WITH_PARTS)


def order_url(one: Consumer, **values: Any) -> str:
    with one.context.database.transaction() as session:
        item = make_item(session, one.connection_id, **values)
    return f"/catalog/{item.connection_id}/{item.id}/order"


def opened(visitor: Visitor, url: str) -> str:
    """The address of a new order."""
    answer = visitor.get(url)
    assert answer.status_code == 303
    visitor.read(answer.location)
    return answer.location


def error_at(page: str, name: str) -> str:
    """What stands beside the field."""
    (field,) = [one for one in html.fromstring(page).iterfind(".//*[@data-field]") if one.get("data-field") == name]
    return text_of(field.xpath(".//*[@data-errors]")[0])


def values_on(page: str) -> dict[str, Any]:
    (form,) = html.fromstring(page).xpath("//form[@data-check]")
    nobody_typed = ("/parts/edge/quantity", "1")
    values = [(name, value.strip()) for name, value in form.form_values() if value.strip() and name != "csrf_token"]
    return dict(pair for pair in values if pair != nobody_typed)


def test_an_order_with_everything_becomes_a_request_with_the_id_of_the_page(
    acme: Consumer, ada: Visitor, url: str
) -> None:
    order = opened(ada, url)
    answer = ada.post(order, FULL | {"do": "send"})
    (task,) = rows(acme, ProviderTask)
    assert (answer.status_code, answer.location) == (303, f"/requests/{acme.connection_id}/{task.id}")
    assert order.endswith(task.id)
    assert task.request == {
        "catalog_item_revision": 1, "quantity": 2, "characteristics": {"bandwidth": "100"},
        "parts": {"edge": {"selected": True, "quantity": 3, "characteristics": {"model": "200"}, "parts": {}}},
        "location": {"name": "Berlin office", "street": None, "city": "Berlin", "postal_code": None, "country": None},
        "contacts": [
            {"name": "Ada", "email": None, "phone": None}, {"name": "Bob", "email": "bob@acme.example", "phone": None},
        ],
        "requested_on": "2026-12-01", "note": "Before noon", "requested_by": {"name": "ada"},
        "opened_at": "2026-11-21T09:00:00.000Z",
    }  # fmt: skip
    assert rows(acme, Draft) == []
    assert "on its way" in text_of(ada.read(answer.location)).lower()


WRONG = {
    "/characteristics/bandwidth": ("300", "must be one of"),
    "/quantity": ("many", "whole number"),
    "/parts/edge/quantity": ("9", "between 1 and 4"),
    "/parts/edge/characteristics/model": ("", "must be answered"),
    "/location/name": ("  ", "name is needed"),
    "/contacts/0/name": ("", "name is needed"),
    "/contacts/0/email": ("nobody", "e-mail address"),
    "/requested_on": ("soon", "must be a date"),
    "/note": ("x" * 4001, "at most 4000"),
}


def test_everything_wrong_is_said_beside_its_field_at_once_and_nothing_typed_is_lost(
    acme: Consumer, ada: Visitor, url: str
) -> None:
    order = opened(ada, url)
    typed = {name: value for name, (value, _) in WRONG.items()}
    typed |= {"/parts/edge/selected": "true", "/location/city": "Berlin", "/contacts/0/phone": "1"}
    answer = ada.post(order, typed | {"do": "send"})
    assert answer.status_code == 422
    for name, (_, message) in WRONG.items():
        assert message in error_at(ada.page, name), name
    kept = {name: value.strip() for name, value in typed.items() if value.strip()}
    assert values_on(ada.page) == kept
    assert rows(acme, ProviderTask) == rows(acme, Delivery) == []
    ada.read(order)
    assert values_on(ada.page) == kept, "it is a draft, too"


@pytest.mark.parametrize("told", [True, False])
def test_what_it_costs_stands_at_the_form_and_the_request_where_it_is_told(
    acme: Consumer, ada: Visitor, told: bool
) -> None:
    price = {"name": "Rent", "amount": "20.00", "currency": "EUR", "period": "month", "period_length": 1}
    order = opened(ada, order_url(acme, active_form=WITH_PARTS, form=WITH_PARTS, prices=[price] if told else None))
    assert ("Rent: 20.00 EUR per month" in text_of(ada.read(order))) is told
    assert ("costs" in text_of(ada.read(order))) is told
    page = text_of(ada.read(ada.post(order, FULL | {"do": "send"}).location))
    assert ("Rent: 20.00 EUR per month" in page) is told and ("Price now" in page) is told


def test_a_day_that_is_over_is_refused_beside_its_field_and_it_may_be_yesterday_elsewhere(
    acme: Consumer, ada: Visitor, url: str
) -> None:
    order = opened(ada, url)
    assert ada.post(order, FULL | {"/requested_on": "2026-11-19", "do": "send"}).status_code == 422
    assert error_at(ada.page, "/requested_on") == "The date must not be over already."
    assert rows(acme, ProviderTask) == []
    assert ada.post(order, FULL | {"/requested_on": "2026-11-20", "do": "send"}).status_code == 303
    (task,) = rows(acme, ProviderTask)
    assert task.request is not None and task.request["requested_on"] == "2026-11-20"


def test_sending_twice_and_going_back_lead_to_the_same_request(acme: Consumer, ada: Visitor, url: str) -> None:
    order = opened(ada, url)
    token = {"csrf_token": ada.token(), "do": "send"}
    first, again = ada.post(order, GOOD | token), ada.post(order, GOOD | {"/quantity": "9"} | token)
    back = ada.get(order)
    assert first.location == again.location == back.location
    assert len(rows(acme, ProviderTask)) == len(rows(acme, Delivery)) == 1
    assert "sent already" in text_of(ada.read(back.location))
    late = ada.post(order.replace("/order", "/order/check"), GOOD | token)
    assert (late.get_json()["status"], rows(acme, Draft)) == ("This was sent already.", [])


def meanwhile(one: Consumer, first: Callable[[Session], Any], second: Callable[[Session], Any]) -> list[Any]:
    """What both return; the second begins while the transaction of the first is still open."""
    answers: list[Any] = []

    def late() -> None:
        with one.context.database.transaction() as session:
            answers.append(second(session))

    other = threading.Thread(target=late)
    with one.context.database.transaction() as session:
        answers.append(first(session))
        session.flush()
        other.start()
        other.join(0.3)
        assert len(answers) == 1, "it waits"
    other.join()
    return answers


def test_two_clicks_at_the_same_moment_make_one_request(database_url: str, tmp_path: Path) -> None:
    with connected_consumer(database_url, tmp_path) as one:
        with one.context.database.transaction() as session:
            item = make_item(session, one.connection_id)
        order, who = (item, str(uuid4()), ANSWERS), PROGRAM

        def click(session: Session) -> str | None:
            return send_order(session, *order, who, now=NOW).number

        def save(session: Session) -> Draft | None:
            return keep_draft(session, *order, who, now=NOW)

        saved = meanwhile(one, save, save)
        assert [draft.id for draft in saved] == [order[1]] * 2
        assert meanwhile(one, click, click) == ["ACME-PT0000001"] * 2
        with one.context.database.transaction() as session:
            assert save(session) is None, "what was typed last may arrive after the order was sent"
        assert len(rows(one, ProviderTask)) == len(rows(one, Delivery)) == 1
        assert rows(one, Draft) == []


def test_what_is_typed_is_checked_and_kept_meanwhile(acme: Consumer, ada: Visitor, url: str) -> None:
    order = opened(ada, url)
    answer = ada.post(order.replace("/order", "/order/check"), {"/quantity": "0", "/note": "so far"})
    told = answer.get_json()
    assert told["errors"]["/quantity"] == ["The quantity must be between 1 and 1000."]
    assert "/characteristics/bandwidth" in told["errors"] and "/note" not in told["errors"]
    assert told["status"] == "Saved as draft."
    ada.read(order)
    assert values_on(ada.page) == {"/quantity": "0", "/note": "so far"}


def test_opening_a_form_keeps_no_draft(acme: Consumer, ada: Visitor, url: str) -> None:
    opened(ada, url)
    assert rows(acme, Draft) == []


def test_enter_shows_what_is_missing_and_sends_nothing(acme: Consumer, ada: Visitor, url: str) -> None:
    order = opened(ada, url)
    (form,) = html.fromstring(ada.page).xpath("//form[@data-check]")
    first = form.xpath(".//button")[0]
    assert ada.post(order, {first.get("name"): first.get("value")}).status_code == 422
    assert "must be answered" in error_at(ada.page, "/characteristics/bandwidth")
    assert rows(acme, ProviderTask) == []


def test_one_more_contact_without_a_script_keeps_the_rest(ada: Visitor, url: str) -> None:
    order = opened(ada, url)
    typed = {"/quantity": "3", "/contacts/0/name": "Ada"}
    answer = ada.post(order, typed | {"do": "more"})
    ada.read(answer.location)
    assert values_on(ada.page) == typed
    assert 'name="/contacts/1/name"' in ada.page


def test_a_saved_draft_is_listed_continued_and_discarded(acme: Consumer, ada: Visitor, url: str) -> None:
    order = opened(ada, url)
    answer = ada.post(order, {"/quantity": "7", "do": "save"})
    page = ada.read(answer.location)
    (link,) = {one.get("href") for one in page.xpath("//main//table/tbody//a")}
    assert (answer.location, link) == ("/drafts", order)
    ada.read(link)
    assert values_on(ada.page)["/quantity"] == "7"
    page = ada.read("/drafts")
    (discard,) = page.xpath("//main//table//form/@action")
    assert page.xpath("//main//table//form/@data-confirm")
    assert ada.post(discard).status_code == 303
    assert "no drafts" in text_of(ada.read("/drafts"))
    assert rows(acme, Draft) == []


def test_what_cannot_be_ordered_says_why_and_can_still_be_kept(acme: Consumer, ada: Visitor) -> None:
    order = opened(ada, order_url(acme, orderable=False))
    assert "takes no orders for it at the moment" in ada.page and 'value="send"' not in ada.page
    assert ada.post(order, GOOD | {"do": "send"}).status_code == 422
    assert "Nothing was sent" in ada.page and values_on(ada.page).items() >= GOOD.items()
    assert rows(acme, ProviderTask) == [] and len(rows(acme, Draft)) == 1


def test_an_item_or_a_draft_that_is_not_there_is_a_page_that_says_so(acme: Consumer, ada: Visitor, url: str) -> None:
    assert ada.get(f"/catalog/{acme.connection_id}/{uuid4()}/order?draft={uuid4()}").status_code == 404
    order = opened(ada, url)
    ada.post(order, {"do": "save"})
    other = order_url(acme)
    assert ada.get(f"{other}?{order.partition('?')[2]}").status_code == 404
    assert ada.post(f"{other}?{order.partition('?')[2]}", GOOD | {"do": "send"}).status_code == 404
    assert ada.get(f"{url}?draft=nonsense").status_code == 303
    ada.read("/drafts")
    assert ada.post(f"/drafts/{uuid4()}/discard", headers={"Referer": "/drafts"}).status_code == 404


def test_the_revision_that_was_activated_is_ordered_not_the_newest(acme: Consumer, ada: Visitor) -> None:
    newer = {"variables": [FORM["variables"][0] | {"key": "speed"}], "parts": []}
    order = opened(ada, order_url(acme, revision=2, form=newer))
    assert 'name="/characteristics/bandwidth"' in ada.page and "/characteristics/speed" not in ada.page
    assert ada.post(order, GOOD | {"do": "send"}).status_code == 303
    assert rows(acme, ProviderTask)[0].request["catalog_item_revision"] == 1
    assert rows(acme, CatalogItem)[0].revision == 2


def test_a_viewer_cannot_order_and_learns_whom_to_ask(acme: Consumer, ada: Visitor, url: str) -> None:
    viewer = signed_in(acme.app, "vera", "viewer")
    answer = viewer.get(f"{url}?draft={uuid4()}")
    assert answer.status_code == 403 and "ada (requester)" in viewer.page
    assert viewer.get("/drafts").status_code == 403


def test_without_the_token_of_the_page_nothing_is_sent(acme: Consumer, ada: Visitor, url: str) -> None:
    order = opened(ada, url)
    for path in (order, order.replace("/order", "/order/check")):
        assert ada.post(path, GOOD | {"do": "send", "csrf_token": "x"}).status_code == 400
    assert rows(acme, ProviderTask) == rows(acme, Draft) == []


PEOPLE = {
    "key": "people", "label": "People", "many": True, "min_rows": 1, "max_rows": 3, "description": "",
    "variables": [
        FORM["variables"][0] | {"key": "name", "label": "Name", "type": "text", "options": [], "mandatory": True},
        FORM["variables"][0] | {"key": "pin", "label": "Pin", "type": "masked", "options": [], "mandatory": False},
    ],
}  # fmt: skip
WITH_TABLE = {"variables": [], "parts": [], "sets": [PEOPLE], "besides": ["note"]}


def table_url(acme: Consumer) -> str:
    facts = {"kind": "task", "description": "All about it.", "help_text": "Ask early."}
    return order_url(acme, active_form=WITH_TABLE, form=WITH_TABLE, **facts)


def test_a_table_is_filled_in_row_by_row_without_a_script(acme: Consumer, ada: Visitor) -> None:
    order = opened(ada, table_url(acme))
    page = ada.read(order)
    assert "Request" in text_of(page.xpath("//h1")[0])
    assert "All about it." in text_of(page)
    assert "Ask early." in text_of(page)
    assert not page.xpath("//*[@name='/quantity']")
    first = {"/sets/people/rows": "1", "/sets/people/0/name": "Ada", "/sets/people/0/pin": "s3cret"}
    more = ada.post(order, {"do": "add /sets/people", **first})
    assert more.status_code == 303
    assert more.location.endswith("#set-sets-people")
    page = ada.read(order)
    assert len(page.xpath("//tbody/tr")) == 2
    assert "s3cret" not in ada.page
    two = {"/sets/people/rows": "2", "/sets/people/0/name": "Ada", "/sets/people/0/pin": ""}
    assert ada.post(order, {"do": "add /sets/people", **two}).status_code == 303
    ada.read(order)
    assert ada.post(order, {"do": "remove /sets/people/1", **two, "/sets/people/rows": "3"}).status_code == 303
    ada.read(order)
    assert ada.post(order, {"do": "send", **two}).status_code == 303
    (task,) = rows(acme, ProviderTask)
    assert task.request["sets"] == {"people": [{"name": "Ada", "pin": "s3cret"}]}
    shown = text_of(ada.read(f"/requests/{task.connection_id}/{task.id}"))
    assert "Ada" in shown
    assert "s3cret" not in ada.page


def test_what_is_wrong_with_a_table_stands_beside_the_row_or_below_the_table(acme: Consumer, ada: Visitor) -> None:
    order = opened(ada, table_url(acme))
    answer = ada.post(order, {"do": "send", "/sets/people/rows": "1", "/sets/people/0/pin": "1"})
    assert answer.status_code == 422
    assert error_at(ada.page, "/sets/people/0/name") == "Name must be answered."
    ada.post(opened(ada, order.partition("?")[0]), {"do": "send", "/sets/people/rows": "0"})
    assert error_at(ada.page, "/sets/people") == "People needs at least 1 row."
    told = ada.post(order.replace("/order?", "/order/check?"), {"/sets/people/rows": "1", "/sets/people/0/pin": "1"})
    assert told.get_json()["errors"] == {"/sets/people/0/name": ["Name must be answered."]}


def test_what_was_a_secret_is_not_shown_when_its_question_is_gone(acme: Consumer, ada: Visitor) -> None:
    name, pin = PEOPLE["variables"]
    asked = {"variables": [pin], "parts": [], "sets": [PEOPLE]}
    order = opened(ada, order_url(acme, active_form=asked, form=asked, kind="task"))
    typed = {"/characteristics/pin": "s3cret", "/sets/people/0/name": "Ada", "/sets/people/0/pin": "s3cret"}
    assert ada.post(order, {"do": "send", "/sets/people/rows": "1", **typed}).status_code == 303
    (task,) = rows(acme, ProviderTask)
    code, people = pin | {"key": "code", "type": "text"}, PEOPLE | {"variables": [name]}
    later = {"variables": [code], "parts": [], "sets": [people]}
    told = item_changed(task.catalog_item_id, 1, revision=2, kind="task", form=later | {"secrets": ["code"]})
    assert acme.verdicts([told]) == ["applied"]
    with acme.context.database.transaction() as session:
        item = catalog.get_item(session, task.catalog_item_id)
        catalog.activate_item(session, item, now=NOW)
        assert item.active_form == later | {"secrets": ["pin"]}, "what a provider calls so is not meant"
    assert "pin" in text_of(ada.read(f"/requests/{task.connection_id}/{task.id}"))
    assert "s3cret" not in ada.page
    with acme.context.database.reading() as session:
        ((item,), _) = list_records(session, acme.connection_id, "catalog_item", after=None, limit=1)
    assert item["form"] == later
