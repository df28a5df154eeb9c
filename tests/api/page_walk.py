"""Every page that links lead to, one of each route, with the Flask client."""

from collections import deque
from collections.abc import Iterator
from urllib.parse import urlsplit

import flask
from lxml import html
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from tests.api.page_client import Visitor
from webkit.pages import MARK


def walk(app: flask.Flask, visitor: Visitor) -> Iterator[tuple[str, str]]:
    """Route and address, nearest to the start page first; fails where a link leads to an error.

    A redirect is followed, and what it leads to is the page.
    """
    waiting, seen = deque(["/"]), set[str]()
    while waiting:
        url = waiting.popleft()
        route = _route(app, url)
        if route is None or route in seen:
            continue
        answer = visitor.get(url)
        if answer.status_code == 303:
            waiting.appendleft(answer.headers["Location"])
        assert answer.status_code in (200, 303), (url, answer.status_code)
        if answer.status_code != 200 or answer.mimetype != "text/html":
            continue
        seen.add(route)
        waiting.extend(html.fromstring(answer.get_data()).xpath("//a/@href"))
        yield route, url


def _route(app: flask.Flask, url: str) -> str | None:
    """The name of the page at this address; None where there is none."""
    try:
        endpoint, _ = app.url_map.bind("localhost").match(urlsplit(url).path, "GET")
    except (HTTPException, RequestRedirect):
        return None
    is_page = str(getattr(app.view_functions[endpoint], MARK, "")).startswith("page:")
    return str(endpoint) if is_page else None
