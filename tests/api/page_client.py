"""A browser without a browser: signs in to the pages, sends the CSRF token along, reads what is shown."""

import re
from typing import Any

import flask
from argon2 import PasswordHasher
from flask.testing import FlaskClient
from lxml import html
from sqlalchemy import event
from werkzeug.test import TestResponse

from consumer_sim.services import users as consumer_users
from provider.services import users as provider_users
from tests.factories import NOW

PASSWORD = "correct horse battery"
_HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
"""One that is quick to compare with, for hundreds of tests sign in; test_sign_in.py says what ours has to cost."""
_TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"|value="([^"]+)"[^>]*name="csrf_token"')


def add_person(app: flask.Flask, name: str, *roles: str) -> None:
    """A user of the provider or of the consumer, whichever the app is, with `PASSWORD`."""
    provider, consumer = app.extensions.get("sxg-provider"), app.extensions.get("sxg-consumer")
    with (provider or consumer).database.transaction() as session:  # type: ignore[union-attr]
        if provider is not None:
            provider_users.add_user(session, name, roles, actor="system", now=NOW)
            provider_users.set_password(session, name, _HASH, actor="system", now=NOW)
        else:
            consumer_users.add_user(session, name, roles, _HASH)


class Visitor:
    """One browser. Every answer of a GET is kept in `page`, for the token of its forms."""

    def __init__(self, app: flask.Flask) -> None:
        self.client: FlaskClient = app.test_client()
        self.page = ""

    def get(self, url: str, **options: Any) -> TestResponse:
        answer = self.client.get(url, **options)
        if answer.mimetype == "text/html" and answer.status_code != 303:
            self.page = answer.get_data(as_text=True)
        return answer

    def read(self, url: str) -> Any:
        """The page as parsed HTML; it must be there."""
        answer = self.get(url)
        assert answer.status_code == 200, (url, answer.status_code, answer.get_data(as_text=True)[:500])
        return html.fromstring(answer.get_data())

    def post(self, url: str, data: dict[str, Any] | None = None, **options: Any) -> TestResponse:
        """Send a form with the token of the last page; `Referer` says it was shown at `url` unless told otherwise."""
        headers = {"Referer": f"http://localhost{url}"} | options.pop("headers", {})
        answer = self.client.post(url, data={"csrf_token": self.token(), **(data or {})}, headers=headers, **options)
        if answer.mimetype == "text/html" and answer.status_code != 303:
            self.page = answer.get_data(as_text=True)
        return answer

    def token(self) -> str:
        found = _TOKEN.search(self.page)
        return next(filter(None, found.groups())) if found else ""


def signed_in(app: flask.Flask, name: str, *roles: str) -> Visitor:
    """A browser of somebody who has these roles; the user is made for it."""
    add_person(app, name, *roles)
    visitor = Visitor(app)
    visitor.get("/sign-in")
    answer = visitor.post("/sign-in", {"name": name, "password": PASSWORD})
    assert answer.status_code == 303, answer.get_data(as_text=True)
    visitor.get("/")
    return visitor


def text_of(tree: Any) -> str:
    """What people read, blanks made one."""
    return " ".join(tree.text_content().split())


class CountedStatements:
    """Counts the SQL statements between enter and exit; `count` afterwards."""

    def __init__(self, app: flask.Flask) -> None:
        context = app.extensions.get("sxg-provider") or app.extensions["sxg-consumer"]
        self._engine = context.database.engine
        self.count = 0

    def __enter__(self) -> "CountedStatements":
        event.listen(self._engine, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._note)

    def _note(self, *_: object) -> None:
        self.count += 1
