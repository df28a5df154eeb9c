"""People in front of real browsers: Chromium, signed in to the pages of a stage's instances.

with Stage(tmp_path) as stage, Browsing(stage) as browsing:
    manager = browsing.provider("order_manager")
    manager.open("/orders")
    manager.press("Approve")
    assert "Acknowledged" in manager.text()
"""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Response, expect, sync_playwright

from bridge.database import Database
from consumer_sim.services import users as consumer_users
from provider.services import users as provider_users
from tests.e2e.stage import Stage
from webkit.accounts import hash_password

PASSWORD = "correct horse battery"
_HASH = hash_password(PASSWORD)
WIDE, PHONE = {"width": 1200, "height": 900}, {"width": 390, "height": 844}
WITHIN_MS = 15_000
MAIN = "#main"
"""What a page is about. By its id: Swagger UI brings a <main> of its own."""
_FOREIGN = ".swagger-ui"
_FOREIGN_RULES = {"nested-interactive": {"enabled": False}}
"""Swagger UI folds its operations with buttons that hold buttons; all else about it is as for our own pages."""
_RUN_AXE = "([context, options]) => axe.run(context, options).then(all => all.violations)"
_REFUSALS = ("status of 4",)
"""Chromium tells of every refused request as an error; the page's own words are what counts."""


def find_chromium() -> str | None:
    """The browser of this machine."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Person:
    """Somebody with a browser of their own, signed in at one instance. What goes wrong in scripts fails the test."""

    def __init__(self, context: BrowserContext, url: str, name: str) -> None:
        self.url, self.name = url, name
        self.page: Page = context.new_page()
        self.page.set_default_timeout(WITHIN_MS)
        self.problems: list[str] = []
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("response", self._note_failure)
        self.page.on("dialog", lambda dialog: dialog.accept())

    def sign_in(self) -> None:
        self.open("/sign-in")
        self.page.get_by_label("Name").fill(self.name)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.press("Sign in")

    def open(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def press(self, name: str, within: str = MAIN) -> None:
        """A button, by what it says."""
        self.click(self.page.locator(within).get_by_role("button", name=name, exact=True).first)

    def follow(self, name: str, within: str = "body") -> None:
        """A link, by what it says."""
        self.click(self.page.locator(within).get_by_role("link", name=name, exact=True).first)

    def go(self, place: str) -> None:
        """To a place of the navigation, opening the menu that it is in."""
        link = self.page.locator("nav#places").locator("a").filter(has_text=re.compile(f"^{place}$"))
        if not link.is_visible():
            link.locator("xpath=ancestor::li[contains(@class, 'dropdown')]/button").click()
        self.click(link)

    def choose(self, label: str, option: str) -> None:
        """A filter of a list, which applies at once."""
        with self.page.expect_navigation(wait_until="domcontentloaded"):
            self.page.get_by_role("combobox", name=label).select_option(option)

    def click(self, what: Locator) -> None:
        """What leads to another page: only when that is there can anything more be done, or it would be done here."""
        with self.page.expect_navigation(wait_until="domcontentloaded"):
            what.click()

    def fill(self, label: str, value: str) -> None:
        self.page.locator(MAIN).get_by_label(label, exact=True).first.fill(value)

    def text(self) -> str:
        """What the page says, blanks made one."""
        return " ".join(self.page.inner_text(MAIN).split())

    def sees(self, text: str, within_ms: int = WITHIN_MS) -> None:
        """Without doing anything: the page shows it, now or soon."""
        expect(self.page.locator(MAIN)).to_contain_text(text, timeout=within_ms)

    def forgive(self, words: str) -> None:
        """Complaints of Chromium that are expected, and nobody else's."""
        self.problems = [problem for problem in self.problems if words not in problem]

    def offences(self, but: tuple[str, ...] = (), *, colours_only: bool = False) -> list[str]:
        """What axe finds serious or critical on this page, as wide and as light as it is now; `but` are selectors."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(Axe().axe_script)
        options: dict[str, Any] = {"resultTypes": ["violations"]}
        if colours_only:
            options["runOnly"] = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
        elif self.page.locator(_FOREIGN).count():
            options["rules"] = _FOREIGN_RULES
        found = self.page.evaluate(_RUN_AXE, [{"exclude": [[one] for one in but]}, options])
        return [
            f"{one['id']}: {one['help']} ({node['html'][:200]})"
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]

    def _note_failure(self, response: Response) -> None:
        if response.status >= 500:
            self.problems.append(f"{response.status} {response.url}")

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(words in message.text for words in _REFUSALS):
            self.problems.append(message.text)


class Browsing:
    """Chromium, and the people who use it. `provider(role)` and `consumer(role)` make a user of that role."""

    def __init__(self, stage: Stage, viewport: dict[str, int] = WIDE, **options: Any) -> None:
        self.stage = stage
        self.people: dict[tuple[str, str], Person] = {}
        self._shared: dict[str, list[BrowserContext]] = {"provider": [], "consumer": []}
        self._options = {"viewport": viewport, "reduced_motion": "reduce", **options}

    def __enter__(self) -> Self:
        self._playwright = sync_playwright().start()
        # Chromium's own sandbox needs a user other than root.
        self._browser = self._playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        problems = [f"{person.name}: {problem}" for person in self.people.values() for problem in person.problems]
        self._browser.close()
        self._playwright.stop()
        assert kind or not problems, problems

    def provider(self, role: str = "admin") -> Person:
        return self._person("provider", role)

    def consumer(self, role: str = "admin") -> Person:
        return self._person("consumer", role)

    def rest(self) -> None:
        """Everybody leaves their page: an open one asks the server for news every second."""
        for person in self.people.values():
            person.page.goto("about:blank")

    def join(
        self, side: str, url: str, database_url: str, role: str, context: BrowserContext | None = None, name: str = ""
    ) -> Person:
        """Somebody at an instance that is not the stage's own, in a browser that others use too, or of another name."""
        name = name or f"{role}-{len(self.people)}"
        add_person(side, database_url, name, role)
        person = Person(context or self._browser.new_context(**self._options), url, name)
        self.people[url, name] = person
        person.sign_in()
        return person

    def _person(self, side: str, role: str) -> Person:
        key = (side, role)
        if key not in self.people:
            instance = getattr(self.stage.deployment, side)
            add_person(side, instance.database_url, f"{role}-at-{side}", role)
            self.people[key] = Person(self._context(side), instance.url, f"{role}-at-{side}")
            self.people[key].sign_in()
        return self.people[key]

    def _context(self, side: str) -> BrowserContext:
        """One in which nobody of this side is signed in yet: the sides keep their sign-ins apart, and it is warm."""
        mine, others = self._shared[side], self._shared["consumer" if side == "provider" else "provider"]
        context = others[len(mine)] if len(mine) < len(others) else self._browser.new_context(**self._options)
        mine.append(context)
        return context


def add_person(side: str, database_url: str, name: str, role: str) -> None:
    """A user of either side, with `PASSWORD`."""
    database = Database(database_url)
    with database.transaction() as session:
        if side == "provider":
            now = datetime.now(UTC)
            provider_users.add_user(session, name, [role], actor="system", now=now)
            provider_users.set_password(session, name, _HASH, actor="system", now=now)
        else:
            consumer_users.add_user(session, name, [role], _HASH)
    database.close()


def screenshot(person: Person, path: Path) -> None:
    """The whole page, as long as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    person.page.screenshot(path=path, full_page=True)
