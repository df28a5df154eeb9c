"""Every page that links lead to, one of each route or some, with the Flask client."""

from collections import Counter, deque
from collections.abc import Iterator
from urllib.parse import urlsplit

import flask
from lxml import html
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from tests.api.page_client import Visitor
from webkit.pages import MARK


def walk(app: flask.Flask, visitor: Visitor, each: int = 1) -> Iterator[tuple[str, str]]:
    """Route and address, nearest to the start page first, up to `each` paths of a route; fails where a link leads to
    an error.

    A redirect is followed, and what it leads to is the page.
    """
    waiting, opened, counts = deque(["/"]), set[str](), Counter[str]()
    while waiting:
        url = waiting.popleft()
        path, route = urlsplit(url).path, _route(app, url)
        if route is None or path in opened or counts[route] == each:
            continue
        answer = visitor.get(url)
        if answer.status_code == 303:
            waiting.appendleft(answer.headers["Location"])
        assert answer.status_code in (200, 303), (url, answer.status_code)
        if answer.status_code != 200 or answer.mimetype != "text/html":
            continue
        opened.add(path)
        counts[route] += 1
        waiting.extend(html.fromstring(answer.get_data()).xpath("//a/@href"))
        yield route, url


def list_pages(app: flask.Flask) -> set[str]:
    """The names of all pages that are shown only; a form may be one that another page shows."""
    rules = (rule for rule in app.url_map.iter_rules() if (rule.methods or set()) & {"GET", "POST"} == {"GET"})
    return {rule.endpoint for rule in rules if _is_page(app, rule.endpoint)}


def _route(app: flask.Flask, url: str) -> str | None:
    """The name of the page at this address; None where there is none."""
    try:
        endpoint, _ = app.url_map.bind("localhost").match(urlsplit(url).path, "GET")
    except (HTTPException, RequestRedirect):
        return None
    return str(endpoint) if _is_page(app, endpoint) else None


def _is_page(app: flask.Flask, endpoint: str) -> bool:
    return str(getattr(app.view_functions[endpoint], MARK, "")).startswith("page:")
