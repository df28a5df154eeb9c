"""What is told of a cancellation, against documents written by hand: both sides mean the same members by it."""

import json
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from bridge import envelope
from bridge.vocabulary import EventType
from consumer_sim.services import fields, tasks
from provider.domain.orders import CancellationStatus, OrderState
from provider.models.orders import CustomerOrder, ProviderTask
from provider.services.provider_tasks import state_data
from tests.factories import mapping_tables

GOLDEN = (Path(__file__).parent.parent / "golden" / "cancellation.json").read_bytes()
EVENTS: list[dict[str, Any]] = json.loads(GOLDEN)


def test_the_foreign_package_and_ours_read_the_same() -> None:
    ours = envelope.take_apart(EVENTS)
    theirs = [JSONFormat().read(CloudEvent, json.dumps(event)) for event in EVENTS]
    assert [event.data for event in ours] == [event.get_data() for event in theirs]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["data"]["cancellation"])
def test_the_provider_tells_it_so_and_the_consumer_takes_it(event: dict[str, Any]) -> None:
    told = event["data"]
    order = CustomerOrder(
        number=told["order_number"], state=told["order_state"], version=2, ponr=False, reason=told["reason"],
        cancellation=told["cancellation"], cancellation_message=told["cancellation_message"],
    )  # fmt: skip
    task = ProviderTask(external_id=told["task_id"], number=told["number"])
    rendered = mapping_tables().apply(EventType.PROVIDER_TASK_STATE_CHANGED, state_data(task, order))
    assert rendered == told
    assert fields.faults(told, tasks._RULES[EventType.PROVIDER_TASK_STATE_CHANGED]) == []


def test_both_sides_know_the_same_outcomes_and_an_older_provider_tells_none() -> None:
    assert tuple(CancellationStatus) == tasks.CANCELLATIONS
    older = {name: value for name, value in EVENTS[0]["data"].items() if not name.startswith("cancellation")}
    assert fields.faults(older, tasks._RULES[EventType.PROVIDER_TASK_STATE_CHANGED]) == []
    wrong = EVENTS[0]["data"] | {"cancellation": "perhaps"}
    (fault,) = fields.faults(wrong, tasks._RULES[EventType.PROVIDER_TASK_STATE_CHANGED])
    assert fault["pointer"] == "/data/cancellation"
    assert OrderState(EVENTS[0]["data"]["order_state"]).label == EVENTS[0]["data"]["order_state_label"]
