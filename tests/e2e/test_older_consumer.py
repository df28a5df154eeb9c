"""A consumer of an older version goes on working; what it does not know is held, and follows once it is upgraded."""

from pathlib import Path

from tests.e2e.stage import Stage
from tests.e2e.test_kills import ITEM, make_story

UNKNOWN = "exchange.provider_task.comment_added,exchange.product.changed"
PROGRAMS = ("consumer-web", "consumer-worker", "consumer-slow", "consumer-sweeper")


def upgrade(stage: Stage) -> None:
    """Start all its processes anew, with all that this version knows."""
    stage.pause(*PROGRAMS)
    for program in PROGRAMS:
        stage.deployment.environments[program].pop("SXG_UNKNOWN_EVENTS")
        stage.resume(program)


def test_an_older_consumer_orders_and_gets_the_rest_when_it_is_upgraded(tmp_path: Path) -> None:
    with Stage(tmp_path, settings={"SXG_UNKNOWN_EVENTS": UNKNOWN, "SXG_HEARTBEAT_S": "0.5"}) as stage:
        stage.connect()
        item = stage.publish(ITEM)
        stage.consumer.post(f"/catalog-items/{item['id']}/activate")
        story = make_story(stage, item)
        story.submit()
        story.approve()
        stage.provider("order_agent").post(f"/orders/{story.number}/comments", {"text": "Tomorrow."})
        story.fulfil()
        stage.until(lambda: story.request()["state"] == "closed")
        stage.until(stage.is_quiet)
        assert (story.request()["comments"], story.products()) == ([], []), "it knows neither"
        assert len(story.order_products()) == 2
        problem = stage.provider().get(f"/connections/{stage.connection_id}")["problem"]
        assert "events are held" in problem

        upgrade(stage)
        story.texts = ["Tomorrow."]
        story.check()
        assert stage.differences() == []
        assert stage.provider().get(f"/connections/{stage.connection_id}")["problem"] is None
