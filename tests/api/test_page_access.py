"""Every page of both instances, from their route tables: who may see it, and what it takes to change something."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask
import pytest

from tests.api.page_client import Visitor, signed_in
from tests.api.provider_client import context_of, make_app
from tests.consumer_factories import connected_consumer
from webkit.pages import MARK, PUBLIC, SIGNED_IN

SIDES = ("provider", "consumer")


@pytest.fixture(params=SIDES)
def app(request: pytest.FixtureRequest, sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    if request.param == "provider":
        made = make_app(sqlite_url, tmp_path)
        yield made
        context_of(made).database.close()
    else:
        with connected_consumer(sqlite_url, tmp_path) as one:
            yield one.app


def pages(app: flask.Flask, method: str) -> list[tuple[str, str]]:
    """Address and permission of every page that takes the method; ids in the address are made up."""
    found = []
    for rule in app.url_map.iter_rules():
        mark = str(getattr(app.view_functions[rule.endpoint], MARK, ""))
        if mark.startswith("page:") and method in (rule.methods or set()):
            values: dict[str, Any] = {name: str(uuid4()) for name in rule.arguments}
            found.append((app.url_map.bind("x").build(rule.endpoint, values, method), mark.removeprefix("page:")))
    assert found
    return found


def test_strangers_are_sent_to_the_sign_in_and_back(app: flask.Flask) -> None:
    for url, permission in pages(app, "GET"):
        if permission != PUBLIC:
            answer = Visitor(app).get(url)
            assert (answer.status_code, answer.location.split("?")[0]) == (303, "/sign-in"), url


def test_strangers_change_nothing(app: flask.Flask) -> None:
    for url, permission in pages(app, "POST"):
        if permission != PUBLIC:
            visitor = Visitor(app)
            visitor.get("/sign-in")
            assert visitor.post(url).location.startswith("/sign-in"), url


def test_nothing_is_changed_without_the_token_of_this_session(app: flask.Flask) -> None:
    mine, other = signed_in(app, "mine", "admin"), signed_in(app, "other", "admin")
    for url, _ in pages(app, "POST"):
        for token in ("", "x", other.token()):
            answer = mine.client.post(url, data={"csrf_token": token})
            assert answer.status_code == 400, (url, token)
            assert "reload" in answer.get_data(as_text=True)


def test_whoever_lacks_the_permission_learns_whom_to_ask(app: flask.Flask) -> None:
    signed_in(app, "boss", "admin")
    viewer = signed_in(app, "viewer", "viewer")
    refused = 0
    for method in ("GET", "POST"):
        for url, permission in pages(app, method):
            if permission in (PUBLIC, SIGNED_IN):
                continue
            answer = viewer.get(url) if method == "GET" else viewer.client.post(url)
            if answer.status_code == 403:
                refused += 1
                text = answer.get_data(as_text=True)
                assert permission in text and "boss" in text, url
    assert refused or not [one for one in pages(app, "POST") if one[1] not in (PUBLIC, SIGNED_IN)]


def test_no_page_fails_for_a_record_that_is_not_there(app: flask.Flask) -> None:
    admin = signed_in(app, "admin", "admin")
    for url, _ in pages(app, "GET"):
        assert admin.get(url).status_code in (200, 303, 404, 409), url
    for url, _ in pages(app, "POST"):
        admin.get("/")
        if url != "/sign-out":
            assert admin.post(url).status_code in (200, 303, 404, 409, 422), url


def test_every_page_forbids_inline_scripts_frames_and_caches(app: flask.Flask) -> None:
    admin = signed_in(app, "admin", "admin")
    for url, _ in pages(app, "GET"):
        headers = admin.get(url).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "script-src 'self';" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["Cache-Control"] == "no-store", url
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_no_template_holds_inline_script_or_style(app: flask.Flask) -> None:
    admin = signed_in(app, "admin", "admin")
    for url, _ in pages(app, "GET"):
        answer = admin.get(url)
        if answer.status_code == 200:
            tree = admin.read(url)
            assert tree.xpath("//script[not(@src)] | //style | //*[@style] | //@*[starts-with(name(), 'on')]") == [], (
                url
            )


def test_control_characters_are_refused_before_anything_reads_them(app: flask.Flask) -> None:
    admin = signed_in(app, "admin", "admin")
    assert admin.get("/?q=%00").status_code == 400
    assert admin.post("/sign-out", {"reason": "a\x00b"}).status_code == 400


def test_an_address_that_is_none_is_a_page_to_people_and_a_problem_to_programs(app: flask.Flask) -> None:
    admin = signed_in(app, "admin", "admin")
    shown = admin.get("/nowhere", headers={"Accept": "text/html"})
    assert (shown.status_code, shown.mimetype) == (404, "text/html")
    assert admin.get("/nowhere").mimetype == "application/problem+json"
    assert admin.get("/api/v1/nowhere", headers={"Accept": "text/html"}).mimetype == "application/problem+json"
