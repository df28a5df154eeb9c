"""Every page of both sides, with data in it: axe finds nothing serious, nothing is too wide, and keys are enough."""

from collections import defaultdict
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser import day
from tests.browser.browsing import MAIN, PHONE, WIDE, Browsing, Person
from tests.browser.crawl import Routes, crawl
from tests.e2e.stage import Stage

SIDES = ("provider", "consumer")
LIGHTS = ((WIDE, "light"), (PHONE, "dark"))
"""Width and colours do not bear on each other: each of both is seen once."""
FORMS_ONLY = {
    "provider": {
        "orders.move",
        "orders.cancel",
        "orders.comment",
        "orders.note",
        "order_tasks.move",
        "deliveries.skip",
    },
    "consumer": {"requests.comment"},
}
"""Shown anew when a form on another page was filled wrongly; they are that page, with what is wrong."""
FORBIDDEN = {"provider": "/registrations/new", "consumer": "/drafts"}
KEYBOARD = {
    "provider": {"orders.list_all", "orders.show", "producers.publish", "connections.show"},
    "consumer": {"catalog.list_all", "catalog.order", "requests.show"},
}
FOCUSED = """() => {
  const isReachable = one => one.type !== "hidden" && one.tabIndex >= 0 && one.checkVisibility() &&
    (one.type !== "radio" || one.checked || one === document.activeElement);
  const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")];
  const reachable = all.filter(isReachable), one = document.activeElement, style = getComputedStyle(one);
  const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
  return [reachable.indexOf(one), reachable.length, outlined || style.boxShadow !== "none" || one.type === "date"];
}"""
"""Which of all that can be used has the focus, out of how many, and whether that can be seen (Chromium's date has parts
that show it themselves)."""


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


@pytest.mark.parametrize(("viewport", "colours"), LIGHTS, ids=["wide-light", "phone-dark"])
@pytest.mark.parametrize("side", SIDES)
def test_axe_finds_nothing_serious_on_any_page(
    browsing: Browsing, side: str, viewport: dict[str, int], colours: str
) -> None:
    person, routes = somebody(browsing, side), Routes(side)
    person.page.set_viewport_size(viewport)
    person.page.emulate_media(color_scheme=colours)
    found: dict[str, list[str]] = defaultdict(list)
    seen = set()
    for route, _ in crawl(person, routes):
        seen.add(route)
        for offence in person.offences() + too_wide(person):
            found[offence].append(route)
    assert not found, "\n".join(f"{offence}: {', '.join(routes)}" for offence, routes in found.items())
    assert routes.shown - seen == FORMS_ONLY[side]


@pytest.mark.parametrize("side", SIDES)
def test_refusals_are_pages_that_axe_finds_nothing_serious_on(browsing: Browsing, side: str) -> None:
    viewer = browsing.provider("viewer") if side == "provider" else browsing.consumer("viewer")
    for path, says in (("/nowhere", "Not Found"), (FORBIDDEN[side], "Your role does not allow this")):
        viewer.open(path)
        viewer.sees(says)
        assert viewer.offences() == []


@pytest.mark.parametrize("side", SIDES)
def test_the_first_key_leads_past_the_navigation(browsing: Browsing, side: str) -> None:
    person = somebody(browsing, side)
    person.page.set_viewport_size(WIDE)
    person.open("/")
    person.page.keyboard.press("Tab")
    expect(person.page.get_by_role("link", name="To the content")).to_be_in_viewport()
    person.page.keyboard.press("Enter")
    expect(person.page.locator(MAIN)).to_be_focused()
    person.page.keyboard.press("Tab")
    assert person.page.evaluate("document.querySelector('#main').contains(document.activeElement)") or not (
        person.page.locator(f"{MAIN} a, {MAIN} button").count()
    )


@pytest.mark.parametrize("side", SIDES)
def test_keys_reach_everything_and_show_where_they_are(browsing: Browsing, side: str) -> None:
    """What can be pressed or filled is reached by Tab, in the order of the page, and looks different when it is."""
    person, routes = somebody(browsing, side), Routes(side)
    person.page.set_viewport_size(WIDE)
    looked_at = 0
    for route, _ in crawl(person, routes):
        if route in KEYBOARD[side]:
            looked_at += 1
            assert walk(person) == [], route
    assert looked_at >= len(KEYBOARD[side])


def walk(person: Person) -> list[str]:
    """Press Tab until the page is at its end; what was wrong on the way."""
    wrong, reached, wanted = list[str](), list[int](), 1
    while not reached or reached[-1] < wanted - 1:
        person.page.keyboard.press("Tab")
        number, wanted, is_shown = person.page.evaluate(FOCUSED)
        if not is_shown:
            wrong.append(f"{number} does not show that it has the focus")
        if reached and number not in (reached[-1], reached[-1] + 1):
            return [*wrong, f"{number} comes after {reached[-1]}"]
        reached.append(number)
    return wrong
