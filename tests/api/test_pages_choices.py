"""Live choices on pages: defined and listed by our people, and chosen by requesters with and without a script."""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import flask
import pytest
from lxml import html

from consumer_sim.models import Draft
from provider.services.choice_definitions import show_definition
from tests.api.page_client import Visitor, signed_in, text_of
from tests.api.provider_client import context_of, make_app
from tests.choice_factories import as_variable, make_definition, pair, reference
from tests.consumer_factories import Consumer, PlayedProvider, connected_consumer, make_item, played_provider, rows
from tests.factories import make_consumer, make_router_item

SITE, ROUTER = "/characteristics/site", "/characteristics/router"
FORM: dict[str, Any] = {
    "variables": [
        as_variable(reference("site", "my-sites")),
        as_variable(reference("router", "my-routers", depends_on={"variable": "site", "field": "location"})),
    ],
    "parts": [],
}
BERLIN = {"value": "b-1", "display": "Berlin", "info": "3 racks"}
DEFINED = {
    "name": "data-centres", "source": "list", "description": "Ours", "columns": "city, floor",
    "display_field": "display", "info_fields": "city", "base_filter": "city = Berlin, Bonn\n",
}  # fmt: skip


# --- our people


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    app = make_app(sqlite_url, tmp_path)
    yield app
    context_of(app).database.close()


@pytest.fixture
def admin(app: flask.Flask) -> Visitor:
    return signed_in(app, "eve", "exchange_admin")


def test_choices_are_defined_changed_and_deleted(admin: Visitor) -> None:
    admin.read("/choices/new")
    answer = admin.post("/choices/new", DEFINED)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/choices/data-centres")
    shown = text_of(admin.read("/choices/data-centres"))
    assert "city = Berlin, Bonn" in shown
    assert "It is empty: nothing can be chosen yet." in shown
    page = admin.read("/choices/data-centres/edit")
    assert page.xpath("//textarea[@name='base_filter']/text()")[0].strip() == "city = Berlin, Bonn"
    kept = {name: text for name, text in DEFINED.items() if name not in ("name", "source")}
    assert admin.post("/choices/data-centres/edit", kept | {"base_filter": ""}).status_code == 303
    assert "all rows" in text_of(admin.read("/choices/data-centres"))
    assert admin.post("/choices/data-centres/delete").status_code == 303
    assert "No live choices are defined yet." in text_of(admin.read("/choices"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "My Centres"}, "Use a-z, 0-9, - and _, beginning with a letter, such as my-routers"),
        ({"display_field": "moon"}, "One of value, display, city, floor"),
        ({"base_filter": "city Berlin"}, "is not a column, an equals sign and values."),
        ({"base_filter": "moon = full"}, "One of value, display, city, floor"),
        ({"columns": "City"}, "Use a-z, 0-9 and _, beginning with a letter"),
    ],
)
def test_what_is_wrong_stands_beside_the_field(admin: Visitor, changes: dict[str, str], message: str) -> None:
    admin.read("/choices/new")
    answer = admin.post("/choices/new", DEFINED | changes)
    assert answer.status_code == 422
    page = html.fromstring(answer.get_data())
    field = next(iter(changes))
    assert message in text_of(page.xpath(f"//*[@name='{field}']/..")[0])
    assert page.xpath("//input[@name='info_fields']/@value") == ["city"]


def test_a_list_is_put_in_as_text_or_as_a_file_and_a_wrong_row_is_named(app: flask.Flask, admin: Visitor) -> None:
    admin.read("/choices/new")
    admin.post("/choices/new", DEFINED)
    table = "value;display;city\nber1;Berlin One;Berlin\nbon1;;Bonn\n"
    admin.read("/choices/data-centres/rows")
    answer = admin.post("/choices/data-centres/rows", {"text": table + "ber1;Again;Berlin\n;No value;\n"})
    assert answer.status_code == 422
    told = text_of(html.fromstring(answer.get_data()))
    assert "Row 3, value: Ber1 stands there already." in told
    assert "Row 4, value: A row has a value." in told
    assert "Again" in told  # what was typed is there to be mended
    assert admin.post("/choices/data-centres/rows", {"text": table}).status_code == 303
    shown = text_of(admin.read("/choices/data-centres"))
    assert "ber1Berlin OneBerlin" in shown
    assert "everybody" in shown
    file = (BytesIO(b"value,city\nham1,Hamburg\n"), "list.csv")
    sent = admin.post("/choices/data-centres/rows", {"file": file}, content_type="multipart/form-data")
    assert sent.status_code == 303
    with context_of(app).database.reading() as session:
        assert [row["value"] for row in show_definition(session, "data-centres")["rows"]] == ["ham1"]


def test_what_a_form_uses_cannot_be_deleted_and_says_by_whom(app: flask.Flask, admin: Visitor) -> None:
    with context_of(app).database.transaction() as session:
        make_definition(session)
        make_router_item(session, make_consumer(session).id, characteristics=[reference("centre", "data-centres")])
    page = admin.read("/choices/data-centres")
    assert "Router item" in text_of(page)
    assert not page.xpath("//button[text()='Delete']")
    answer = admin.post("/choices/data-centres/delete")
    assert answer.status_code == 303
    assert "The forms of Router, Router item use it" in text_of(admin.read("/choices/data-centres"))


def test_who_may_not_write_sees_no_buttons(app: flask.Flask) -> None:
    with context_of(app).database.transaction() as session:
        make_definition(session)
    viewer = signed_in(app, "vera", "viewer")
    assert not viewer.read("/choices/data-centres").xpath("//main//form | //main//a[text()='Edit']")
    assert viewer.get("/choices/new").status_code == 403


# --- requesters


@pytest.fixture
def provider() -> Iterator[PlayedProvider]:
    with played_provider() as provider:
        yield provider


@pytest.fixture
def one(sqlite_url: str, tmp_path: Path, provider: PlayedProvider) -> Iterator[Consumer]:
    with connected_consumer(sqlite_url, tmp_path, peer_url=provider.url) as one:
        yield one


@pytest.fixture
def ada(one: Consumer) -> Visitor:
    return signed_in(one.app, "ada", "requester")


def open_form(one: Consumer, ada: Visitor) -> str:
    """The address of an order form that asks for a site and a router there."""
    with one.context.database.transaction() as session:
        item_id = make_item(session, one.connection_id, form=FORM, active_form=FORM).id
    url: str = ada.get(f"/catalog/{one.connection_id}/{item_id}/order").headers["Location"]
    return url


def tell(provider: PlayedProvider, *items: dict[str, str]) -> None:
    provider.script["/choices"] = [(200, {"items": list(items), "more": False, "max_age_s": 0})]


def written(chosen: dict[str, str]) -> str:
    return json.dumps([chosen["value"], chosen["display"]], separators=(",", ":"))


def test_the_form_asks_nobody_before_somebody_searches(one: Consumer, ada: Visitor, provider: PlayedProvider) -> None:
    page = ada.read(open_form(one, ada))
    assert page.xpath(f"//select[@name='{SITE}']/option/text()") == ["No answer"]
    assert page.xpath(f"//*[@data-choices='{ROUTER}']/@data-depends-on") == [SITE]
    assert page.xpath("//script[contains(@src, 'choices.js')]")
    assert provider.calls == []


def test_without_a_script_a_button_searches_and_all_that_was_typed_stays(
    one: Consumer, ada: Visitor, provider: PlayedProvider
) -> None:
    url = open_form(one, ada)
    ada.read(url)
    tell(provider, BERLIN)
    typed = {"/note": "Soon", f"search {SITE}": "ber", "do": f"find {SITE}"}
    page = html.fromstring(ada.post(url, typed).get_data())
    assert page.xpath(f"//select[@name='{SITE}']/option/text()") == ["No answer", "Berlin (b-1) · 3 racks"]
    [value] = page.xpath(f"//select[@name='{SITE}']/option[2]/@value")
    assert value == written(BERLIN)
    assert page.xpath("//textarea[@name='/note']/text()")[0].strip() == "Soon"
    assert page.xpath(f"//input[@name='search {SITE}']/@value") == ["ber"]
    ada.post(url, {SITE: value, "do": "save"})
    assert rows(one, Draft)[0].answers["characteristics"]["site"] == pair("b-1", "Berlin")
    page = ada.read(url)
    assert page.xpath(f"//select[@name='{SITE}']/option[@selected]/text()") == ["Berlin (b-1)"]


def test_the_script_is_told_pairs_and_what_depends_on_an_answer_waits(
    one: Consumer, ada: Visitor, provider: PlayedProvider
) -> None:
    url = open_form(one, ada)
    page = ada.read(url)
    asked = page.xpath("//form/@data-choices-url")[0]
    tell(provider, BERLIN)
    told = ada.post(asked, {"variable": SITE, "search": "b"}).get_json()
    assert told == {"options": [[written(BERLIN), "Berlin (b-1) · 3 racks"]], "notice": ""}
    assert ada.post(asked, {"variable": ROUTER}).get_json()["notice"] == "Answer “Site” first."
    tell(provider, BERLIN)
    assert ada.post(asked, {"variable": ROUTER, SITE: written(BERLIN)}).get_json()["options"]
    assert provider.calls[-1].path.count("depends_on=b-1") == 1


def test_a_provider_that_is_away_is_said_beside_the_field(
    one: Consumer, ada: Visitor, provider: PlayedProvider
) -> None:
    url = open_form(one, ada)
    ada.read(url)
    provider.script["/choices"] = [None]
    answer = ada.post(url, {"do": f"find {SITE}", "/note": "Soon"})
    page = html.fromstring(answer.get_data())
    assert answer.status_code == 200
    [notice] = page.xpath(f"//*[@data-field='{SITE}']//*[@data-choices-notice]/text()")
    assert notice == "The provider does not answer, so nothing can be chosen now. What you filled in is kept."
    assert page.xpath("//textarea[@name='/note']/text()")[0].strip() == "Soon"


@pytest.mark.parametrize(
    "text", ["Berlin", "[]", '["a"]', '["a",1]', "[" * 3000, '{"value":"a","display":"b"}', "null"]
)
def test_what_is_no_pair_is_no_answer(one: Consumer, ada: Visitor, text: str) -> None:
    url = open_form(one, ada)
    ada.read(url)
    assert ada.post(url, {SITE: text, "do": "save"}).status_code == 303
    assert rows(one, Draft)[0].answers["characteristics"]["site"] is None


def test_a_field_that_is_none_of_the_form_is_not_found(one: Consumer, ada: Visitor) -> None:
    url = open_form(one, ada)
    asked = ada.read(url).xpath("//form/@data-choices-url")[0]
    for pointer in ("", "/characteristics/moon", "/note"):
        assert ada.post(asked, {"variable": pointer}).status_code == 404
        assert ada.post(url, {"do": f"find {pointer}"}).status_code == 404


def test_a_request_shows_what_was_chosen_with_its_words(one: Consumer, ada: Visitor, provider: PlayedProvider) -> None:
    url = open_form(one, ada)
    ada.read(url)
    answer = ada.post(url, {SITE: written(BERLIN), "/quantity": "1", "do": "send"})
    assert answer.status_code == 303, text_of(html.fromstring(answer.get_data()))
    assert "Berlin (b-1)" in text_of(ada.read(answer.headers["Location"]))
