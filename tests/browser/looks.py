"""Every page of a side as people meet it: what axe finds serious, what stands out to the right, what keys cannot do."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import expect

from tests.browser.browsing import PHONE, WIDE, Person
from tests.browser.crawl import Routes, crawl
from tests.browser.keyboard import wrong_for_keys

View = tuple[Any, str]
VIEWS: tuple[View, ...] = ((WIDE, "light"), (PHONE, "dark"), (WIDE, "dark"), (PHONE, "light"))
"""Once both widths and both lights were seen, only colours can still be wrong in the other two."""
_SHARED = ("header", "footer")
"""The same on every page: looked at on the first."""
_ALIKE = ("tbody tr:nth-child(n+9)",)
"""What repeats what stands above it is looked at in the first view only."""


@dataclass
class Looks:
    """What was found, each with the routes of its pages, and how many pages of each route were looked at."""

    found: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    pages: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return "\n".join(f"{offence}: {', '.join(sorted(routes))}" for offence, routes in self.found.items())


def look_through(person: Person, routes: Routes, views: tuple[View, ...], *, again: tuple[View, ...] = ()) -> Looks:
    """The first page of every route in these views, another record of it in those of `again`.

    Where there is no other view the second is opened all the same: it may be the only one that links to a third.
    """
    looks = Looks()
    for route, _ in crawl(person, routes):
        seen = again if route in looks.pages else views
        if seen:
            is_first = not looks.pages
            if route == "api_docs.show":
                unfold_operations(person)
            for offence in (*wrong_for_keys(person, is_first), *offences(person, seen, () if is_first else _SHARED)):
                looks.found[offence].add(route)
            person.page.set_viewport_size(WIDE)
            looks.pages[route] += 1
    return looks


def offences(person: Person, views: tuple[View, ...] = VIEWS, but: tuple[str, ...] = ()) -> Iterator[str]:
    """Of the open page, at each width in each light, without loading it again."""
    for number, (viewport, colours) in enumerate(views):
        person.page.set_viewport_size(viewport)
        person.page.emulate_media(color_scheme=colours)  # type: ignore[arg-type]
        found = person.offences((*but, *(_ALIKE if number else ())), colours_only=number > 1)
        for offence in found + _too_wide(person):
            yield f"{viewport['width']} {colours}: {offence}"


def unfold_operations(person: Person) -> None:
    """Those of the first subject, by keys. They are drawn by a script."""
    person.sees("OAS 3.1")
    person.page.locator(".expand-operation").first.press("Enter")
    expect(person.page.locator(".opblock-summary").first).to_be_visible()


def _too_wide(person: Person) -> list[str]:
    """What stands out of the page to the right."""
    found: list[str] = person.page.evaluate(
        """() => document.documentElement.scrollWidth <= window.innerWidth ? [] :
        [...document.querySelectorAll("body *")]
          .filter(one => one.getBoundingClientRect().right > window.innerWidth + 1)
          .map(one => "too wide: " + one.outerHTML.slice(0, 120))"""
    )
    return found[:3]
