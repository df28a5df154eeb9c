"""Nobody gets in without a permission, and whoever is refused learns whom to ask."""

from pathlib import Path

import flask
import pytest
from flask.testing import FlaskClient

from provider.api.auth import MARK
from provider.domain.roles import ROLES, Permission, Role, allowed
from provider.services.users import disable_user
from tests.api.provider_client import context_of, make_app, user_headers
from tests.factories import NOW

OPEN = {"health.alive", "health.ready", "health.metrics", "api-docs.openapi_json"}
"""What programs of the installation read; no record is in it."""
PAGE = "page:"
"""How the marks of pages begin: those have sessions instead of tokens, and tests of their own (test_page_access)."""


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> flask.Flask:
    return make_app(sqlite_url, tmp_path)


@pytest.fixture
def client(app: flask.Flask) -> FlaskClient:
    return app.test_client()


def guarded(app: flask.Flask) -> list[tuple[str, str, str]]:
    """Method, path and mark of every route but the open ones, pages, and the files they are made of."""
    found = []
    for rule in app.url_map.iter_rules():
        mark = getattr(app.view_functions[rule.endpoint], MARK, None)
        if rule.endpoint in OPEN or rule.endpoint.endswith("static") or str(mark).startswith(PAGE):
            continue
        method = next(iter((rule.methods or set()) - {"HEAD", "OPTIONS"}))
        path = rule.rule
        for argument in rule.arguments:
            path = path.replace(f"<{argument}>", "x")
        found.append((method, path, str(mark)))
    return found


def test_every_route_says_who_may_call_it(app: flask.Flask) -> None:
    marks = {*map(str, Permission), "connected", "known", "public"}
    assert [route for route in guarded(app) if route[2] not in marks] == []


def test_only_three_routes_are_for_everybody(app: flask.Flask) -> None:
    assert {path for _, path, mark in guarded(app) if mark == "public"} == {
        "/exchange/v1/registrations/complete",
        "/exchange/v1/token",
        "/exchange/v1/connection/proof",  # a consumer has no token yet for an address that it does not trust yet
    }


def test_strangers_are_refused_everywhere(app: flask.Flask, client: FlaskClient) -> None:
    for headers in ({}, {"Authorization": "Bearer sxu_wrong"}, {"Authorization": "Basic eDp5"}):
        for method, path, mark in guarded(app):
            if mark == "public":
                continue
            answer = client.open(path, method=method, headers=headers)
            assert (answer.status_code, answer.get_json()["code"]) == (401, "unauthorized"), (method, path)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize("role", list(Role))
def test_a_role_opens_exactly_its_permissions(app: flask.Flask, client: FlaskClient, role: Role) -> None:
    headers = user_headers(app, role)
    for method, path, mark in guarded(app):
        if mark not in set(Permission):
            continue
        answer = client.open(path, method=method, headers=headers)
        assert (answer.status_code == 403) == (not allowed([role], Permission(mark))), (method, path, answer.text)
        if answer.status_code == 403:
            roles = answer.get_json()["roles"]
            assert roles and all(Permission(mark) in ROLES[Role(name)] for name in roles)


def test_users_are_no_consumers(app: flask.Flask, client: FlaskClient) -> None:
    assert client.get("/exchange/v1/catalog-items", headers=user_headers(app, "admin")).status_code == 401


def test_a_disabled_user_is_out_at_once(app: flask.Flask, client: FlaskClient) -> None:
    headers = user_headers(app, "admin")
    assert client.get("/api/v1/connections", headers=headers).status_code == 200
    with context_of(app).database.transaction() as session:
        name = next(iter(session.connection().exec_driver_sql("select name from users")))[0]
        disable_user(session, name, actor="system", now=NOW)
    assert client.get("/api/v1/connections", headers=headers).status_code == 401
