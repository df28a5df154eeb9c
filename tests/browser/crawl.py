"""Every page that can be reached by links, the first two of each route, nearest first."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from consumer_sim.ui import PAGES as CONSUMER_PAGES
from provider.ui import PAGES as PROVIDER_PAGES
from tests.browser.browsing import Person
from webkit import api_docs

_PAGES = {"provider": PROVIDER_PAGES, "consumer": CONSUMER_PAGES}
EACH = 2
"""Pages of one route. The newest records come first in lists; the day is such that these differ."""
_DOWNLOADS = {"catalog.export", "attachments.fetch"}


class Routes:
    """The pages of one side, from the blueprints that its app registers."""

    def __init__(self, side: str) -> None:
        app = flask.Flask(__name__)
        for pages in (*_PAGES[side], api_docs.pages):
            app.register_blueprint(pages)
        self._map = app.url_map.bind("here")
        self.shown = {rule.endpoint for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())}
        self.shown -= _DOWNLOADS | {"static"}

    def find(self, path: str) -> str | None:
        """The name of the page at this path; None where there is none."""
        try:
            endpoint: str = self._map.match(path, "GET")[0]
        except (HTTPException, RequestRedirect):
            return None
        return endpoint if endpoint in self.shown else None

    def action(self, path: str, method: str) -> str:
        """The name of what a form on a page is sent to."""
        endpoint: str = self._map.match(path, method)[0]
        return endpoint


def crawl(
    person: Person, routes: Routes, each: int = EACH, more: Mapping[str, int] | None = None
) -> Iterator[tuple[str, str]]:
    """Open up to `each` pages of each route, following links from the start; yields route and path of the open one.

    `more` names routes of which other numbers are opened. Fails where a link leads to an error. Other views of a list
    (its filters and pages) are the same page.
    """
    waiting, opened, counts = deque(["/"]), set[str](), Counter[str]()
    while waiting:
        path = waiting.popleft()
        bare = urlsplit(path).path
        route = routes.find(bare)
        if route is None or bare in opened or counts[route] == (more or {}).get(route, each):
            continue
        opened.add(bare)
        counts[route] += 1
        answer = person.page.goto(person.url + path)
        assert answer is not None and answer.ok, path
        waiting.extend(_links(person))
        yield route, path


def _links(person: Person) -> list[str]:
    """Of the open page, to this instance."""
    found: list[str] = person.page.eval_on_selector_all("a[href]", "links => links.map(link => link.href)")
    parts = [urlsplit(link) for link in found if link.startswith(person.url + "/")]
    return [part._replace(scheme="", netloc="", fragment="").geturl() for part in parts]
