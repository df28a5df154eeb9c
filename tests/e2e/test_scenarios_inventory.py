"""F8 between real processes: what a consumer has is suspended, resumed, disconnected, changed and moved, now or at a
date, and both sides hold the same of it.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sxg.client import ApiProblem
from tests.e2e.stage import Stage
from tests.e2e.test_kills import make_story, required_answers
from tests.e2e.test_scenarios_services import BERLIN, publish

ADA = {"name": "Ada Lovelace"}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("inventory")) as stage:
        stage.connect()
        publish(stage, "Manage Inventory")
        yield stage


@pytest.fixture(scope="module")
def backup(stage: Stage) -> dict[str, Any]:
    """A simple item."""
    return publish(stage, "4G/5G Backup")


def have(stage: Stage, item: dict[str, Any]) -> list[dict[str, Any]]:
    """What one order of one piece brings, as the consumer has it."""
    story = make_story(stage, item)
    story.quantity = 1
    parts = {part["key"]: {"characteristics": required_answers(part)} for part in item["form"]["parts"]}
    story.answers |= {"location": BERLIN, "parts": parts}
    story.tell()
    stage.until(lambda: story.request()["state"] == "closed")
    stage.until(lambda: {one["state"] for one in story.products()} == {"active"})
    return story.products()


def ask(stage: Stage, product: dict[str, Any], action: str, **wanted: Any) -> dict[str, Any]:
    """Have it asked for, approved and worked on; the request."""
    body = {"action": action, "requested_by": ADA, **wanted}
    made = stage.consumer.post(f"/products/{product['id']}/actions", body)
    stage.until(lambda: request_of(stage, made)["order_state"] == "new")
    number = request_of(stage, made)["order_number"]
    assert stage.provider("viewer").get(f"/orders/{number}")["provider_task"]["number"] == made["number"]
    stage.provider("order_manager").post(f"/orders/{number}/approve")
    for task in stage.provider("fulfilment_agent").pages(f"/order-tasks?order={number}"):
        stage.provider("fulfilment_agent").post(f"/order-tasks/{task['number']}/complete")
    return made


def request_of(stage: Stage, made: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = stage.consumer.get(f"/requests/{made['id']}")
    return found


def shown(stage: Stage, product: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = stage.consumer.get(f"/products/{product['id']}")
    return found


def becomes(stage: Stage, product: dict[str, Any], state: str) -> None:
    stage.until(lambda: shown(stage, product)["state"] == state)


def soon(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def test_suspended_now_resumed_and_disconnected_with_one_history_on_both_sides(
    stage: Stage, backup: dict[str, Any]
) -> None:
    (product,) = have(stage, backup)
    asked = []
    for action, state in (("suspend", "suspended"), ("resume", "active"), ("disconnect", "inactive")):
        asked.append(ask(stage, product, action)["number"])
        becomes(stage, product, state)
    stage.until(lambda: stage.consumer.get("/requests?limit=1")["items"][0]["state"] == "closed")
    ours = shown(stage, product)["history"]
    theirs = stage.provider("viewer").get(f"/products/{product['number']}")["history"]
    assert [(step["state"], step["request_number"]) for step in ours] == [
        (step["to_state"], step["task_number"]) for step in theirs
    ]
    assert [step["request_number"] for step in ours][2:] == [asked[0], asked[1], asked[2], asked[2]]
    with pytest.raises(ApiProblem, match="is Inactive, so Resume is not possible"):
        ask(stage, product, "resume")
    assert [one["id"] for one in stage.consumer.pages("/products", state="inactive")] == [product["id"]]
    assert stage.differences() == []


def test_suspended_at_a_date_once_though_the_sweeper_dies_and_resumed_by_itself_at_the_end(
    stage: Stage, backup: dict[str, Any]
) -> None:
    (product,) = have(stage, backup)
    stage.arm("provider-sweeper", "schedule.in_tx:kill:1")
    made = ask(stage, product, "suspend", starts_at=soon(3), ends_at=soon(5))
    stage.until(lambda: request_of(stage, made)["order_state"] == "scheduled")
    assert shown(stage, product)["state"] == "active"
    becomes(stage, product, "suspended")
    becomes(stage, product, "active")
    told = [step["state"] for step in shown(stage, product)["history"]]
    assert told == ["installation_pending", "active", "suspended", "active"]
    assert request_of(stage, made)["state"] == "closed"
    assert stage.differences() == []


def test_disconnected_from_suspended(stage: Stage, backup: dict[str, Any]) -> None:
    (product,) = have(stage, backup)
    for action, state in (("suspend", "suspended"), ("disconnect", "inactive")):
        ask(stage, product, action)
        becomes(stage, product, state)


def test_a_scheduled_action_is_cancelled_and_the_product_is_free_again(stage: Stage, backup: dict[str, Any]) -> None:
    (product,) = have(stage, backup)
    body = {"action": "disconnect", "requested_by": ADA, "starts_at": soon(3600)}
    made = stage.consumer.post(f"/products/{product['id']}/actions", body)
    with pytest.raises(ApiProblem, match=f"{made['number']} .* acts on {product['number']} already"):
        ask(stage, product, "suspend")
    stage.until(lambda: request_of(stage, made)["order_state"] == "new")
    stage.consumer.post(f"/requests/{made['id']}/cancel", {"reason": "We stay."})
    stage.until(lambda: request_of(stage, made)["order_state"] == "cancelled")
    ask(stage, product, "suspend")
    becomes(stage, product, "suspended")


def test_nothing_is_done_while_it_is_being_installed(stage: Stage, backup: dict[str, Any]) -> None:
    story = make_story(stage, backup)
    story.submit()
    story.approve()
    product = stage.until(lambda: next(iter(story.products()), None))
    with pytest.raises(ApiProblem, match="is Installation pending, so Suspend is not possible"):
        ask(stage, product, "suspend")
    assert product["state"] == "installation_pending"


def test_a_whole_takes_its_parts_along_and_a_part_does_not_go_before_it(stage: Stage) -> None:
    products = have(stage, publish(stage, "SD-WAN Package"))
    whole = next(one for one in products if one["parent_id"] is None)
    part = next(one for one in products if one["parent_id"] == whole["id"])
    ask(stage, whole, "suspend")
    for one in products:
        becomes(stage, one, "suspended")
    with pytest.raises(ApiProblem, match=f"what {part['number']} is part of"):
        ask(stage, part, "resume")
    ask(stage, whole, "resume")
    for one in products:
        becomes(stage, one, "active")
    assert stage.differences() == []


def test_characteristics_and_location_change_when_it_is_done(stage: Stage, backup: dict[str, Any]) -> None:
    (product,) = have(stage, backup)
    key, value = next(iter(product["characteristics"].items()))
    variable = next(one for one in backup["form"]["variables"] if one["key"] == key)
    other = next(option["value"] for option in variable["options"] if option["value"] != value)
    ask(stage, product, "change", characteristics={key: other})
    stage.until(lambda: shown(stage, product)["characteristics"][key] == other)
    ask(stage, product, "move", location={"name": "Bonn office", "city": "Bonn"})
    stage.until(lambda: shown(stage, product)["location"]["name"] == "Bonn office")
    assert [one["id"] for one in stage.consumer.pages("/products", location="Bonn office")] == [product["id"]]
    changed = [
        step["changed_by"]["changed"] for step in shown(stage, product)["history"] if step["changed_by"]["changed"]
    ]
    assert changed[0] == {"characteristics": {key: [value, other]}}
    assert changed[1]["location"][1]["city"] == "Bonn"
    assert stage.differences() == []
