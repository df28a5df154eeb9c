"""Every page of both sides, with data in it: axe finds nothing serious, nothing is too wide, and keys are enough."""

import re
from collections import defaultdict
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser import day
from tests.browser.browsing import MAIN, PHONE, WIDE, Browsing, Person
from tests.browser.crawl import Routes, crawl
from tests.browser.keyboard import wrong_for_keys
from tests.e2e.stage import Stage

SIDES = ("provider", "consumer")
VIEWS = ((WIDE, "light"), (PHONE, "dark"), (WIDE, "dark"), (PHONE, "light"))
"""The first page of each route is looked at in all four, a second one (another record) in two.

Once both widths and both lights were seen, only colours can still be wrong in the other two.
"""
SHARED = ("header", "footer")
"""The same on every page: looked at on the first."""
ALIKE = ("tbody tr:nth-child(n+9)",)
"""What repeats what stands above it is looked at in the first view only."""
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


def too_wide(person: Person) -> list[str]:
    """What stands out of the page to the right."""
    found: list[str] = person.page.evaluate(
        """() => document.documentElement.scrollWidth <= window.innerWidth ? [] :
        [...document.querySelectorAll("body *")]
          .filter(one => one.getBoundingClientRect().right > window.innerWidth + 1)
          .map(one => "too wide: " + one.outerHTML.slice(0, 120))"""
    )
    return found[:3]


def offences(person: Person, views: int = len(VIEWS), but: tuple[str, ...] = ()) -> Iterator[str]:
    """Of the open page, at each width in each light, without loading it again."""
    for number, (viewport, colours) in enumerate(VIEWS[:views]):
        person.page.set_viewport_size(viewport)
        person.page.emulate_media(color_scheme=colours)
        found = person.offences((*but, *(ALIKE if number else ())), colours_only=number > 1)
        for offence in found + too_wide(person):
            yield f"{viewport['width']} {colours}: {offence}"


def unfold_operations(person: Person) -> None:
    """Those of the first subject, by keys. They are drawn by a script."""
    person.sees("OAS 3.1")
    person.page.locator(".expand-operation").first.press("Enter")
    expect(person.page.locator(".opblock-summary").first).to_be_visible()


@pytest.mark.parametrize("side", SIDES)
def test_on_every_page_axe_finds_nothing_serious_and_keys_are_enough(browsing: Browsing, side: str) -> None:
    person, routes = somebody(browsing, side), Routes(side)
    found: dict[str, set[str]] = defaultdict(set)
    seen = set[str]()
    for route, _ in crawl(person, routes):
        if route == "api_docs.show":
            unfold_operations(person)
        views = 2 if route in seen else len(VIEWS)
        for offence in (*wrong_for_keys(person, not seen), *offences(person, views, SHARED if seen else ())):
            found[offence].add(route)
        person.page.set_viewport_size(WIDE)
        seen.add(route)
    assert not found, "\n".join(f"{offence}: {', '.join(routes)}" for offence, routes in found.items())
    assert routes.shown - seen == FORMS_ONLY[side]


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
