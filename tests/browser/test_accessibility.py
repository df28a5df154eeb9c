"""Every page of both sides, with data in it: axe finds nothing serious, nothing is too wide, and keys are enough."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser import day
from tests.browser.browsing import MAIN, PHONE, WIDE, Browsing, Person
from tests.browser.crawl import Routes
from tests.browser.keyboard import wrong_for_keys
from tests.browser.looks import VIEWS, look_through, offences
from tests.e2e.stage import Stage

SIDES = ("provider", "consumer")
FORMS_ONLY = {
    "provider": {
        "authoring.add_question",
        "orders.move",
        "orders.cancel",
        "orders.comment",
        "orders.note",
        "order_tasks.move",
        "deliveries.skip",
        "attachments.attach",
        "attachments.attach_to_case",
        "cases.comment",
        "cases.move",
        "cases.note",
        "cases.propose",
        "incidents.disconnect",
        "incidents.write",
        "registrations.show_token",
        "scratchpads.write",
        "task_approvals.ask",
        "users.set_password",
        "users.change_roles",
    },
    "consumer": {
        "requests.comment",
        "requests.answer",
        "connections.enter_token",
        "products.act",
        "attachments.attach",
        "authorised_users.name",
        "cases.reject",
        "cases.write_entry",
        "groups.set_members",
        "groups.set_personas",
        "item_settings.add_question",
        "tickets.disconnect",
        "tickets.write",
        "users.set_password",
        "users.change_roles",
    },
}
"""Reached by sending a form: those of another page, shown anew when filled wrongly, and a token, which has its test."""
FORBIDDEN = {"provider": "/registrations/new", "consumer": "/drafts"}


@pytest.fixture(scope="module")
def stage(stage: Stage) -> Iterator[Stage]:
    day.trade(stage)
    yield stage


def somebody(browsing: Browsing, side: str) -> Person:
    return browsing.provider() if side == "provider" else browsing.consumer()


@pytest.mark.parametrize("side", SIDES)
def test_on_every_page_axe_finds_nothing_serious_and_keys_are_enough(browsing: Browsing, side: str) -> None:
    """The first page of each route, wide in light and narrow in dark; `make accessibility` looks at more."""
    routes = Routes(side)
    looks = look_through(somebody(browsing, side), routes, VIEWS[:2])
    assert not looks.found, str(looks)
    assert routes.shown - set(looks.pages) == FORMS_ONLY[side]


def test_a_token_is_shown_once_on_a_page_that_axe_finds_nothing_serious_on(browsing: Browsing) -> None:
    admin = browsing.provider()
    admin.open("/registrations/new")
    for label, text in (
        ("Company", "Initech"),
        ("Contact person", "Bill"),
        ("E-mail of the contact person", "b@i.example"),
    ):
        admin.fill(label, text)
    admin.press("Register and show the token")
    expect(admin.page.get_by_label("Token")).not_to_have_value("")
    assert [*wrong_for_keys(admin), *offences(admin)] == []


@pytest.mark.parametrize("side", SIDES)
def test_refusals_are_pages_that_axe_finds_nothing_serious_on(browsing: Browsing, side: str) -> None:
    viewer = browsing.provider("viewer") if side == "provider" else browsing.consumer("viewer")
    for path, says in (("/nowhere", "Not Found"), (FORBIDDEN[side], "Your role does not allow this")):
        viewer.open(path)
        viewer.sees(says)
        assert [*wrong_for_keys(viewer), *offences(viewer)] == []


@pytest.mark.parametrize("side", SIDES)
def test_the_first_key_leads_past_the_navigation(browsing: Browsing, side: str) -> None:
    person = somebody(browsing, side)
    person.page.set_viewport_size(WIDE)
    person.open("/")
    person.page.keyboard.press("Tab")
    expect(person.page.get_by_role("link", name="To the content")).to_be_in_viewport()
    person.page.keyboard.press("Enter")
    expect(person.page.locator(MAIN)).to_be_focused()


@pytest.mark.parametrize("side", SIDES)
def test_the_menu_of_a_phone_opens_and_closes_by_keys(browsing: Browsing, side: str) -> None:
    person = somebody(browsing, side)
    person.page.set_viewport_size(PHONE)
    person.open("/")
    menu, places = person.page.get_by_role("button", name="Menu"), person.page.locator("nav#places")
    expect(places).to_be_hidden()
    menu.press("Enter")
    expect(places).to_have_class(re.compile(r"\bcollapse show\b"))  # open, and no longer opening
    person.page.keyboard.press("Tab")
    expect(places.get_by_role("link").first).to_be_focused()
    person.page.keyboard.press("Escape")
    expect(places).to_be_hidden()
    expect(menu).to_be_focused()
