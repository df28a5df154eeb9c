"""Any process may die at any step of an order: afterwards both sides are equal, and each effect happened once."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.stage import Stage
from tests.e2e.story import Story

ITEM = "po-mobile-backup"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("kills")) as stage:
        stage.connect()
        yield stage


@pytest.fixture(scope="module")
def item(stage: Stage) -> dict[str, Any]:
    item = stage.publish(ITEM)
    stage.consumer.post(f"/catalog-items/{item['id']}/activate")
    return item


def make_story(stage: Stage, item: dict[str, Any], interrupt: Callable[[], None] = lambda: None) -> Story:
    ada = {"name": "Ada Lovelace", "email": "ada@acme.example"}
    answers = {"characteristics": required_answers(item["form"]), "parts": {}, "requested_by": ada}
    return Story(stage, item["id"], answers, quantity=2, interrupt=interrupt)


def killer(stage: Stage, *victims: str) -> Callable[[], None]:
    """Kills all victims as soon as each of them runs, and lets them start again without the delay of the unlucky."""

    def kill() -> None:
        for victim in victims:
            stage.until(lambda victim=victim: stage.deployment.supervisor.pid(victim))  # type: ignore[misc]
        for victim in victims:
            stage.kill(victim)
        for victim in victims:
            threading.Thread(target=stage.resume, args=(victim,), daemon=True).start()

    return kill


def required_answers(form: dict[str, Any]) -> dict[str, Any]:
    """The first option of what must be chosen and has no default."""
    wanted = [v for v in form["variables"] if v["mandatory"] and v["default"] is None]
    return {v["key"]: v["options"][0]["value"] if v["options"] else "ada@acme.example" for v in wanted}


@pytest.mark.parametrize(
    "victim",
    ["provider-web", "provider-worker", "provider-sweeper", "consumer-web", "consumer-worker", "consumer-sweeper"],
)
def test_a_process_killed_at_every_step_loses_nothing(stage: Stage, item: dict[str, Any], victim: str) -> None:
    before = stage.starts(victim)
    story = make_story(stage, item, killer(stage, victim))
    story.tell()
    story.check()
    assert stage.differences() == []
    assert stage.starts(victim) >= before + 4


def test_everything_killed_at_once_at_every_step_loses_nothing(stage: Stage, item: dict[str, Any]) -> None:
    programs = [f"{side}-{part}" for side in ("provider", "consumer") for part in ("web", "worker", "slow", "sweeper")]
    story = make_story(stage, item, killer(stage, *programs))
    story.tell()
    story.check()
    assert stage.differences() == []


@pytest.mark.parametrize(
    ("program", "failpoint"),
    [
        ("provider-web", "intake.in_tx:kill"),
        ("provider-web", "intake.after_commit:kill"),
        ("provider-worker", "drain.after_claim:kill:2"),
        ("provider-worker", "drain.after_answer:kill"),
        ("provider-worker", "drain.in_settling:kill"),
        ("consumer-worker", "drain.after_claim:kill"),
        ("consumer-worker", "drain.after_answer:kill"),
        ("consumer-worker", "drain.in_settling:kill"),
        ("consumer-web", "consumer.after_verify:kill"),
        ("consumer-web", "consumer.in_tx:kill"),
        ("consumer-web", "consumer.after_commit:kill"),
        ("consumer-web", "consumer.in_tx:raise"),
    ],
)
def test_a_process_killed_between_two_lines_loses_nothing(
    stage: Stage, item: dict[str, Any], program: str, failpoint: str
) -> None:
    before = stage.starts(program)
    stage.arm(program, failpoint)
    story = make_story(stage, item)
    story.tell()
    story.check()
    assert stage.differences() == []
    if failpoint.endswith("raise"):
        assert "FailpointReached" in stage.log(program)
    else:
        assert stage.starts(program) >= before + 2, "the place was never passed"


def test_answers_lost_after_the_consumer_applied_them_have_no_second_effect(stage: Stage, item: dict[str, Any]) -> None:
    stage.consumer.put("/faults", {"mode": "lose_answer", "times": 3})
    story = make_story(stage, item)
    story.tell()
    story.check()
    assert stage.differences() == []
    assert stage.consumer.get("/faults")["mode"] == "ok"


def test_a_redis_flushed_at_every_step_loses_nothing(stage: Stage, item: dict[str, Any]) -> None:
    story = make_story(stage, item, stage.redis.flush)
    story.tell()
    story.check()
    assert stage.differences() == []


def test_with_redis_stopped_orders_are_taken_and_delivered_all_the_same(stage: Stage, item: dict[str, Any]) -> None:
    stage.redis.stop()
    try:
        story = make_story(stage, item)
        story.tell()
        story.check()
        assert stage.differences() == []
    finally:
        stage.redis.start()
    again = make_story(stage, item)
    again.tell()
    again.check()
    assert stage.differences() == []


def test_there_is_exactly_one_order_for_each_request(stage: Stage, item: dict[str, Any]) -> None:
    requests = stage.consumer.pages("/requests")
    orders = stage.provider("viewer").pages("/orders")
    assert sorted(r["order_number"] for r in requests) == sorted(o["number"] for o in orders)
