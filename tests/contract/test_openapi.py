"""Do both apps do what their OpenAPI documents say, for whatever Schemathesis makes of the documents?

A few calls of every operation here; `make fuzz` makes thousands and writes `reports/openapi-cases.md`.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from openapi_spec_validator import validate

from tests.api.worlds import API, World, documented_path, make_worlds
from tests.contract.generated_calls import operations_of, sign_batches, try_operation

CASES_EACH = 3


@pytest.fixture(params=["provider", "consumer"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    for worlds in make_worlds(tmp_path, lambda name: f"sqlite:///{tmp_path / name}.db"):
        sign_batches(worlds["consumer"])
        yield worlds[request.param]


def document_of(world: World) -> dict[str, Any]:
    document: dict[str, Any] = world.app.test_client().get("/openapi.json").get_json()
    return document


def test_the_document_is_valid(world: World) -> None:
    validate(document_of(world))


def test_everybody_who_asks_for_it_first_gets_the_whole_document(world: World) -> None:
    """It is written when it is asked for; a web process has several threads."""
    at_once = Barrier(4)

    def ask(_: int) -> Any:
        at_once.wait()
        return document_of(world)

    with ThreadPoolExecutor(at_once.parties) as pool:
        first, *others = pool.map(ask, range(at_once.parties))
    assert len(first["paths"]) > 10 and len(first["tags"]) > 3
    assert others == [first] * 3
    assert document_of(world) == first


def test_the_document_has_every_route_and_no_other(world: World) -> None:
    served = {
        (documented_path(rule), method)
        for rule in world.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(API)
    }
    described = {
        (path, method.upper())
        for path, operations in document_of(world)["paths"].items()
        for method in operations
        if method != "parameters"
    }
    assert served == described


def test_every_operation_says_what_it_does_and_what_it_answers(world: World) -> None:
    for path, operations in document_of(world)["paths"].items():
        for method, operation in operations.items():
            if method != "parameters":
                assert operation["summary"], (method, path)
                assert [status for status in operation["responses"] if status.startswith("2")], (method, path)


# Schemathesis closes no answer, so that the file of a download stays open until it is collected.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore:Exception ignored in.*attachments:pytest.PytestUnraisableExceptionWarning")
def test_generated_calls_are_answered_as_documented(world: World) -> None:
    tried = sum(try_operation(world, operation, cases=CASES_EACH).total() for operation in operations_of(world))
    assert tried > 100
