"""The consumer sees every state of an order with the seed's exact label: one event per transition, in order."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.stage import Stage
from tests.e2e.story import Story
from tests.e2e.test_kills import ITEM, make_story

# Order state -> what the consumer shows, written out from the seed and not taken from the mapping table.
LABELS = {
    "draft": "Received",
    "submitted": "Received",
    "enrichment_in_progress": "Received",
    "enrichment_on_hold": "Received",
    "new": "Received",
    "acknowledged": "Work in Progress",
    "scheduled": "Work in Progress",
    "rejected": "Awaiting info",
    "in_progress": "Work in progress",
    "revision_in_progress": "Received",
    "awaiting_information": "Awaiting info",
    "on_hold": "Awaiting info",
    "assessing_cancellation": "Cancelled",
    "cancellation_in_progress": "Work in Progress",
    "cancelled": "Cancelled",
    "completed": "Closed",
}
SUBMITTED = ["draft", "submitted", "new"]
WALK = [
    "rejected",
    "draft",
    "submitted",
    "enrichment_in_progress",
    "enrichment_on_hold",
    "enrichment_in_progress",
    "new",
    "acknowledged",
    "scheduled",
    "in_progress",
    "revision_in_progress",
    "acknowledged",
    "in_progress",
    "awaiting_information",
    "in_progress",
    "on_hold",
    "in_progress",
    "assessing_cancellation",
    "in_progress",
    "assessing_cancellation",
    "cancellation_in_progress",
    "cancelled",
]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    urls = {}
    if request.param == "postgresql":
        from tests.postgres import fresh_database  # noqa: PLC0415

        server = request.getfixturevalue("postgres_server")
        with fresh_database(server) as provider, fresh_database(server) as consumer:
            urls = {"provider": provider, "consumer": consumer}
            with Stage(tmp_path_factory.mktemp("states"), urls) as stage:
                yield stage
        return
    with Stage(tmp_path_factory.mktemp("states")) as stage:
        yield stage


@pytest.fixture(scope="module")
def item(stage: Stage) -> dict[str, Any]:
    stage.connect()
    item = stage.publish(ITEM)
    stage.consumer.post(f"/catalog-items/{item['id']}/activate")
    return item


def shown(story: Story) -> list[tuple[str, str]]:
    return [(step["order_state"], step["state_label"]) for step in story.request()["timeline"]]


def test_each_of_sixteen_states_arrives_with_its_label_once_per_transition_and_in_order(
    stage: Stage, item: dict[str, Any]
) -> None:
    walked = make_story(stage, item)
    walked.submit()
    manager = stage.provider("admin")
    for state in WALK:
        manager.post(f"/orders/{walked.number}/move", {"to": state, "reason": f"to {state}"})
    stage.until(lambda: walked.request()["order_state"] == "cancelled")
    assert shown(walked) == [(state, LABELS[state]) for state in [*SUBMITTED, *WALK]]
    completed = make_story(stage, item)
    completed.tell()
    completed.check()
    assert shown(completed)[-1] == ("completed", "Closed")
    seen = {state for story in (walked, completed) for state, _ in shown(story)}
    assert seen == set(LABELS)
    assert stage.differences() == []


def test_a_cancellation_that_is_declined_goes_from_cancelled_back_to_work_in_progress(
    stage: Stage, item: dict[str, Any]
) -> None:
    story = make_story(stage, item)
    story.submit()
    story.approve()
    stage.consumer.post(f"/requests/{story.request_id}/cancel", {"reason": "changed our mind"})
    stage.until(lambda: story.request()["state_label"] == "Cancelled")
    stage.provider("order_manager").post(f"/orders/{story.number}/move", {"to": "in_progress", "reason": "too late"})
    stage.until(lambda: story.request()["state_label"] == "Work in progress")
    assert [label for _, label in shown(story)][-3:] == ["Work in progress", "Cancelled", "Work in progress"]
    story.comment()
    story.fulfil()
    story.check()
