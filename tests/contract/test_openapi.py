"""Do both apps do what their OpenAPI documents say, for whatever Schemathesis makes of the documents?"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import validate
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS

from tests.api.provider_client import callback_server, connect, make_app, user_headers
from tests.consumer_factories import API_TOKEN, connected_consumer, make_item
from tests.factories import small_catalog

OPEN = {"/health", "/ready", "/metrics", "/openapi.json"}
"""For programs of the installation; they are no part of the API."""

OAUTH = "/exchange/v1/token"
"""Refuses in the words of RFC 6749 instead of problems."""

CASES_EACH = 5
PROMISES = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
)  # fmt: skip

Headers = Callable[[str], dict[str, str]]


@pytest.fixture
def provider(sqlite_url: str, tmp_path: Path) -> Iterator[tuple[flask.Flask, Headers]]:
    app = make_app(sqlite_url, tmp_path)
    people = user_headers(app, "admin")
    app.test_client().post("/api/v1/catalog/import", headers=people, json=small_catalog())
    with callback_server() as callback:
        _, peer = connect(app, callback)
    yield app, lambda path: peer if path.startswith("/exchange") else people
    app.extensions["sxg-provider"].database.close()


@pytest.fixture
def consumer(sqlite_url: str, tmp_path: Path) -> Iterator[tuple[flask.Flask, Headers]]:
    with connected_consumer(sqlite_url, tmp_path) as one:
        with one.context.database.transaction() as session:
            make_item(session, one.connection_id)
        yield one.app, lambda _: {"Authorization": f"Bearer {API_TOKEN}"}


@pytest.fixture(params=["provider", "consumer"])
def side(request: pytest.FixtureRequest) -> tuple[flask.Flask, Headers]:
    found: tuple[flask.Flask, Headers] = request.getfixturevalue(request.param)
    return found


def document_of(app: flask.Flask) -> dict[str, Any]:
    document: dict[str, Any] = app.test_client().get("/openapi.json").get_json()
    return document


def test_the_document_is_valid(side: tuple[flask.Flask, Headers]) -> None:
    validate(document_of(side[0]))


def test_the_document_has_every_route_and_no_other(side: tuple[flask.Flask, Headers]) -> None:
    app, _ = side
    served = {
        (rule.rule.replace("<uuid:", "{").replace("<", "{").replace(">", "}"), method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule not in OPEN
    }
    described = {
        (path, method.upper())
        for path, operations in document_of(app)["paths"].items()
        for method in operations
        if method != "parameters"
    }
    assert served == described


def test_every_operation_says_what_it_does_and_what_it_answers(side: tuple[flask.Flask, Headers]) -> None:
    for path, operations in document_of(side[0])["paths"].items():
        for method, operation in operations.items():
            if method != "parameters":
                assert operation["summary"], (method, path)
                assert [status for status in operation["responses"] if status.startswith("2")], (method, path)


def test_generated_calls_are_answered_as_documented(side: tuple[flask.Flask, Headers]) -> None:
    app, headers = side
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app)
    tried = 0
    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]
        for mode in modes(operation):
            tried += try_operation(operation, mode, headers(operation.path))
    assert tried > 100


def modes(operation: Any) -> list[GenerationMode]:
    """A text in a path cannot be wrong by its schema, so what takes nothing else is called with right values only."""
    takes_more = len(operation.body) or len(operation.query)
    return [GenerationMode.POSITIVE, *([GenerationMode.NEGATIVE] if takes_more else [])]


def try_operation(operation: Any, mode: GenerationMode, headers: dict[str, str]) -> int:
    """How many calls were made."""
    tried = 0

    @settings(
        max_examples=CASES_EACH,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def call(case: Any) -> None:
        nonlocal tried
        tried += 1
        response = case.call(headers=headers | {"Idempotency-Key": str(uuid4())})
        case.validate_response(response, checks=[CHECKS.get_one(name) for name in PROMISES])
        if response.status_code >= 400 and operation.path != OAUTH:
            assert response.headers["content-type"] == ["application/problem+json"], response.text
            assert {"type", "code", "title", "status"} <= response.json().keys(), response.text

    call()
    return tried
