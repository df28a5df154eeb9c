"""F7 between real processes: cancelling before the point of no return and after it, while it is assessed, declined and
approved; one line past the point of no return holds the order, unless the offering says otherwise.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from sxg.client import ApiProblem
from sxg.demo import answers
from tests.e2e.stage import Stage
from tests.e2e.story import Story
from tests.e2e.test_kills import required_answers

ANSWERS = {answers.WIFI: answers.WIRELESS}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("cancel")) as stage:
        stage.connect()
        yield stage


@pytest.fixture(scope="module")
def backup(stage: Stage) -> dict[str, Any]:
    """A router that is shipped, and then switched on: the point of no return."""
    return active(stage, "po-mobile-backup")


@pytest.fixture(scope="module")
def access(stage: Stage) -> dict[str, Any]:
    """Four tasks, of which the second, building the fibre, is the point of no return."""
    return active(stage, "Dedicated Internet Access")


def active(stage: Stage, offering: str) -> dict[str, Any]:
    item = stage.publish(offering)
    stage.consumer.post(f"/catalog-items/{item['id']}/activate")
    return item


def begin(stage: Stage, item: dict[str, Any], *done: str) -> Story:
    """An order in progress, with these tasks completed."""
    ada = {"name": "Ada Lovelace", "email": "ada@acme.example"}
    asked = ANSWERS.get(item["name"]) or {"characteristics": required_answers(item["form"])}
    story = Story(stage, item["id"], {**asked, "requested_by": ada})
    story.submit()
    story.approve()
    for name in done:
        complete(stage, story, name)
    stage.until(lambda: story.request()["order_state"] == "in_progress")
    return story


def complete(stage: Stage, story: Story, name: str) -> None:
    (task,) = (task for task in story.order()["order_tasks"] if task["name"] == name)
    stage.provider("fulfilment_agent").post(f"/order-tasks/{task['number']}/complete")


def ask(stage: Stage, story: Story, reason: str = "The office moves") -> None:
    stage.consumer.post(f"/requests/{story.request_id}/cancel", {"reason": reason, "asked_by": "Ada Lovelace"})


def told(story: Story) -> tuple[str | None, str | None]:
    cancellation = story.request()["cancellation"]
    return cancellation["told"], cancellation["message"]


def decide(stage: Stage, story: Story, how: str, **body: str) -> None:
    stage.provider("order_manager").post(f"/orders/{story.number}/cancellation/{how}", body)


def test_approved_what_was_done_is_undone_and_the_consumer_follows_it(stage: Stage, backup: dict[str, Any]) -> None:
    story = begin(stage, backup, "Ship the router with SIM")
    ask(stage, story)
    stage.until(lambda: told(story) == ("requested", None))
    assert (story.request()["state"], story.request()["order_version"]) == ("cancelled", 2)
    shown = stage.provider("order_manager").get(f"/orders/{story.number}/cancellation")
    assert (shown["asked_by"], shown["reason"]) == ("Ada Lovelace", "The office moves")
    assert [one["name"] for one in shown["compensation"]] == ["Undo: Ship the router with SIM"]
    with pytest.raises(ApiProblem) as refused:
        ask(stage, story, "Really")
    assert "decides on already; nothing was changed" in str(refused.value)
    decide(stage, story, "approve", message="Please send it back.")
    stage.until(lambda: story.request()["order_state"] == "cancellation_in_progress")
    assert (story.request()["state"], told(story)) == ("work_in_progress", ("approved", "Please send it back."))
    complete(stage, story, "Undo: Ship the router with SIM")
    stage.until(lambda: story.request()["order_state"] == "cancelled")
    stage.until(lambda: [product["state"] for product in story.products()] == ["inactive"])
    assert [step["order_state"] for step in story.request()["timeline"]][-3:] == [
        "assessing_cancellation", "cancellation_in_progress", "cancelled",
    ]  # fmt: skip
    assert stage.differences() == []


def test_declined_the_work_goes_on_and_the_requester_reads_why(stage: Stage, backup: dict[str, Any]) -> None:
    story = begin(stage, backup, "Ship the router with SIM")
    before = [(task["name"], task["state"]) for task in story.order()["order_tasks"]]
    ask(stage, story)
    stage.until(lambda: told(story)[0] == "requested")
    decide(stage, story, "decline", reason="It is on the lorry.")
    stage.until(lambda: told(story) == ("declined", "It is on the lorry."))
    assert story.request()["state"] == "work_in_progress"
    assert [(task["name"], task["state"]) for task in story.order()["order_tasks"]] == before
    stage.until(lambda: [comment["text"] for comment in story.request()["comments"]] == ["It is on the lorry."])
    story.fulfil()
    stage.until(lambda: story.request()["state"] == "closed")
    assert stage.differences() == []


def test_past_the_point_of_no_return_it_is_refused_and_nothing_changes(stage: Stage, access: dict[str, Any]) -> None:
    story = begin(stage, access, "Survey the site", "Build the fibre access")
    stage.until(lambda: story.request()["ponr"])
    before = story.order()
    ask(stage, story)
    message = f"Order {story.number} is past the point of no return and can no longer be cancelled or revised."
    stage.until(lambda: told(story) == ("refused", message))
    stage.until(lambda: story.request()["cancellation"]["state"] == "refused")
    after = story.order()
    for unchanged in ("state", "version", "lines", "order_tasks", "timeline"):
        assert after[unchanged] == before[unchanged]
    with pytest.raises(ApiProblem) as refused:
        stage.provider("order_manager").post(f"/orders/{story.number}/cancel", {"reason": "By phone."})
    assert refused.value.status == 409
    story.fulfil()
    stage.until(lambda: story.request()["state"] == "closed")
    assert stage.differences() == []


def test_one_line_past_it_holds_all_the_others(stage: Stage) -> None:
    story = begin(stage, active(stage, answers.WIFI), "Ship the access point", "Mount and cable")
    stage.until(lambda: story.request()["ponr"])
    past = [line for line in flat(story.order()["lines"]) if line["ponr"]]
    assert [line["name"] for line in past] == ["Wi-Fi Access Point"]
    ask(stage, story)
    stage.until(lambda: told(story)[0] == "refused")
    assert {line["state"] for line in flat(story.order()["lines"])} == {"in_progress"}


def flat(lines: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for line in lines:
        yield line
        yield from flat(line["lines"])
