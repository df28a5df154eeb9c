"""Signing in: who gets in, for how long, and what ends it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import argon2
import flask
import pytest

from provider.services.users import add_user, disable_user
from tests.api.page_client import PASSWORD, Visitor, add_person, signed_in
from tests.api.provider_client import Clock, context_of, make_app
from tests.factories import NOW
from webkit import accounts
from webkit.models import PageSession
from webkit.sessions import AT_MOST_S, IDLE_S, end_sessions


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path, clock: Clock) -> Iterator[flask.Flask]:
    made = make_app(sqlite_url, tmp_path, clock)
    yield made
    context_of(made).database.close()


def is_in(visitor: Visitor) -> bool:
    return visitor.get("/").status_code == 200


def cookie_of(visitor: Visitor, app: flask.Flask) -> str:
    found = visitor.client.get_cookie(app.config["SESSION_COOKIE_NAME"])
    assert found is not None
    return str(found.value)


def try_to_sign_in(visitor: Visitor, name: str, password: str, url: str = "/sign-in") -> int:
    visitor.get(url)
    return visitor.post(url, {"name": name, "password": password}).status_code


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(app: flask.Flask) -> None:
    add_person(app, "ada", "admin")
    visitor = Visitor(app)
    assert try_to_sign_in(visitor, "ada", "wrong") == 422
    first = visitor.page
    assert try_to_sign_in(visitor, "nobody", "wrong") == 422
    words = "No account here has this name and password."
    assert words in first and words in visitor.page
    assert not is_in(visitor)


def test_a_password_is_dear_to_guess_and_a_name_that_nobody_has_takes_as_long() -> None:
    made = argon2.extract_parameters(accounts.hash_password(PASSWORD))
    assert made.type == argon2.Type.ID
    assert made.memory_cost * made.time_cost >= 64 * 1024 * 3, "KiB written, as RFC 9106 recommends"
    assert argon2.extract_parameters(accounts._NOBODY) == made


def test_guessing_is_slowed_down(app: flask.Flask) -> None:
    add_person(app, "ada", "admin")
    visitor = Visitor(app)
    for _ in range(10):
        assert try_to_sign_in(visitor, "ada", "wrong") == 422
    assert try_to_sign_in(visitor, "ada", PASSWORD) == 429
    assert "minute" in visitor.page


def test_a_user_without_a_password_does_not_get_in(app: flask.Flask) -> None:
    with context_of(app).database.transaction() as session:
        add_user(session, "program", ["admin"], actor="system", now=NOW)
    assert try_to_sign_in(Visitor(app), "program", "nobody has this password") == 422


def test_signing_in_gives_the_session_a_new_id(app: flask.Flask) -> None:
    add_person(app, "ada", "admin")
    visitor = Visitor(app)
    visitor.get("/sign-in")
    before = cookie_of(visitor, app)
    assert visitor.post("/sign-in", {"name": "ada", "password": PASSWORD}).status_code == 303
    assert cookie_of(visitor, app) != before


def test_the_database_does_not_hold_the_cookie(app: flask.Flask) -> None:
    visitor = signed_in(app, "ada", "admin")
    with context_of(app).database.reading() as session:
        kept = [(row.id_hash, row.data) for row in session.query(PageSession)]
    assert cookie_of(visitor, app) not in str(kept)


def test_signing_out_ends_the_session_at_the_server(app: flask.Flask) -> None:
    visitor = signed_in(app, "ada", "admin")
    old = cookie_of(visitor, app)
    assert visitor.post("/sign-out").status_code == 303
    assert not is_in(visitor)
    thief = Visitor(app)
    thief.client.set_cookie(app.config["SESSION_COOKIE_NAME"], old)
    assert not is_in(thief)


def test_a_session_ends_when_nobody_uses_it(app: flask.Flask, clock: Clock) -> None:
    visitor = signed_in(app, "ada", "admin")
    clock.now += timedelta(seconds=IDLE_S - 60)
    assert is_in(visitor)
    clock.now += timedelta(seconds=IDLE_S - 60)
    assert is_in(visitor)
    clock.now += timedelta(seconds=IDLE_S + 60)
    assert not is_in(visitor)


def test_a_session_ends_however_busy_it_is(app: flask.Flask, clock: Clock) -> None:
    visitor = signed_in(app, "ada", "admin")
    for _ in range(AT_MOST_S // 1200):
        assert is_in(visitor)
        clock.now += timedelta(seconds=1200)
    clock.now += timedelta(seconds=1)
    assert not is_in(visitor)


def test_the_end_of_an_account_is_the_end_of_its_sessions(app: flask.Flask) -> None:
    visitor = signed_in(app, "ada", "admin")
    with context_of(app).database.transaction() as session:
        disable_user(session, "ada", actor="system", now=NOW)
    assert not is_in(visitor)


def test_somebody_can_be_signed_out_everywhere(app: flask.Flask) -> None:
    visitor = signed_in(app, "ada", "admin")
    with context_of(app).database.transaction() as session:
        end_sessions(session, session.query(PageSession).filter(PageSession.account_id.is_not(None)).one().account_id)
    assert not is_in(visitor)


@pytest.mark.parametrize("away", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_the_way_on_never_leads_elsewhere(app: flask.Flask, away: str) -> None:
    add_person(app, "ada", "admin")
    visitor = Visitor(app)
    visitor.get("/sign-in", query_string={"next": away})
    answer = visitor.post("/sign-in", {"name": "ada", "password": PASSWORD}, query_string={"next": away})
    assert (answer.status_code, answer.location) == (303, "/")


def test_two_instances_on_one_host_keep_separate_sign_ins(app: flask.Flask, sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    other = make_app(f"sqlite:///{tmp_path}/second/data.db", tmp_path / "second")
    try:
        assert app.config["SESSION_COOKIE_NAME"] != other.config["SESSION_COOKIE_NAME"]
    finally:
        context_of(other).database.close()


def test_a_page_that_did_not_change_is_not_sent_again(app: flask.Flask) -> None:
    visitor = signed_in(app, "ada", "admin")
    first = visitor.get("/")
    again = visitor.get("/", headers={"X-Live": "1", "If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.get_data()) == (304, b"")


def test_a_page_that_looks_after_itself_is_told_of_the_end_of_its_session(app: flask.Flask) -> None:
    visitor = signed_in(app, "ada", "admin")
    visitor.post("/sign-out")
    assert visitor.get("/", headers={"X-Live": "1"}).status_code == 401
