"""Every error that a service or the engine can raise is a problem with a status, a code and a title of its own."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import bridge
import provider.domain
import provider.services
from bridge.errors import BridgeError, RefusedDocument
from provider.api.problems import ERROR_TABLE
from provider.domain.errors import Conflict, DomainError, FieldError, IllegalMove, InvalidFields, NotEntitled, NotFound

ELSEWHERE = {BridgeError, DomainError, RefusedDocument}
"""The bases, and what `bridge.web` answers for every app."""


def every_error() -> set[type[Exception]]:
    for package in (bridge, provider.domain, provider.services):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    ours = ("bridge.", "provider.")
    return {error for base in (BridgeError, DomainError) for error in _below(base) if error.__module__.startswith(ours)}


def _below(base: type[Exception]) -> Iterator[type[Exception]]:
    for error in base.__subclasses__():
        yield error
        yield from _below(error)


def test_the_table_has_a_row_for_every_error_and_for_nothing_else() -> None:
    assert set(ERROR_TABLE) == every_error() - ELSEWHERE


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotFound("order", "ORD1"), 404, "not_found"),
        (NotEntitled("catalog item", "x"), 404, "not_found"),
        (InvalidFields([FieldError("/a", "required", "a is missing")]), 422, "invalid_fields"),
        (IllegalMove("order", "new", "draft", ("acknowledged",)), 409, "illegal_move"),
        (Conflict("number_taken", "it is taken", next_number="ACME-PT0000002"), 409, "number_taken"),
    ],
)
def test_a_row_tells_the_facts(error: DomainError, status: int, code: str) -> None:
    problem = ERROR_TABLE[type(error)](error)
    assert (problem.status, problem.code) == (status, code)
    if isinstance(error, Conflict):
        assert problem.facts == {"next_number": "ACME-PT0000002"}


def test_somebody_elses_record_and_no_record_look_the_same() -> None:
    absent, foreign = NotFound("catalog item", "x"), NotEntitled("catalog item", "x")
    assert ERROR_TABLE[NotFound](absent) == ERROR_TABLE[NotEntitled](foreign)
