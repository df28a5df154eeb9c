"""Null, empty and missing are three values, on the way out and on the way in."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from bridge import envelope
from bridge.vocabulary import EventType
from consumer_sim.models import Product, ProviderTask
from tests.consumer_factories import Consumer, connected_consumer, event, product_changed, rows, state_changed

TASK = "4a1c0d9e-2a6f-4f0e-8c7d-1d2c3b4a5f60"


@pytest.fixture
def acme(database_url: str, tmp_path: Path) -> Iterator[Consumer]:
    with connected_consumer(database_url, tmp_path) as one:
        yield one


def without(text: str, sequence: int, *names: str) -> str:
    """The same event as another provider would send it that leaves members out."""
    whole = json.loads(text)
    data = {name: value for name, value in whole["data"].items() if name not in names}
    return event(EventType(whole["type"]), whole["stream"], sequence, data)


def test_the_envelope_keeps_them_apart() -> None:
    data = {"null": None, "empty": "", "list": [], "zero": 0}
    assert envelope.parse_data(envelope.render_data(data)) == data


@pytest.mark.parametrize("name", ["reason", "cancellation_message"])
def test_of_a_request_null_clears_empty_is_empty_and_missing_changes_nothing(acme: Consumer, name: str) -> None:
    steps: list[tuple[str, Any]] = []
    texts = [
        state_changed(TASK, 1, **{name: "No such street."}),
        without(state_changed(TASK, 2), 2, name),
        state_changed(TASK, 3, **{name: ""}),
        without(state_changed(TASK, 4), 4, name),
        state_changed(TASK, 5, **{name: None}),
    ]
    for text in texts:
        assert acme.verdicts([text]) == ["applied"]
        steps.append((name, getattr(rows(acme, ProviderTask)[0], name)))
    assert [value for _, value in steps] == ["No such street.", "No such street.", "", "", None]


def test_of_a_batch_each_event_says_what_it_says(acme: Consumer) -> None:
    other = str(uuid4())
    batch = [
        state_changed(TASK, 1, reason="No such street.", cancellation="requested"),
        without(state_changed(TASK, 2, "acknowledged"), 2, "reason", "cancellation"),
        without(state_changed(other, 1), 1, "reason", "order_version"),
    ]
    assert acme.verdicts(batch) == ["applied"] * 3
    found = {task.id: task for task in rows(acme, ProviderTask)}
    task = found[TASK]
    assert (task.order_state, task.reason, task.cancellation_told) == ("acknowledged", "No such street.", "requested")
    assert (found[other].reason, found[other].order_version) == (None, None)


def test_of_a_product_null_clears_and_missing_changes_nothing(acme: Consumer) -> None:
    product = str(uuid4())
    told = []
    for text in (
        product_changed(product, 1, location={"name": "Berlin office"}, parent_id=TASK, part=["wan"]),
        without(product_changed(product, 2), 2, "location", "parent_id", "part"),
        product_changed(product, 3, location=None, parent_id=None, part=[]),
    ):
        assert acme.verdicts([text]) == ["applied"]
        (row,) = rows(acme, Product)
        told.append((row.location, row.location_name, row.parent_id, row.part))
    whole = ({"name": "Berlin office"}, "Berlin office", TASK, ["wan"])
    assert told == [whole, whole, (None, None, None, [])]
