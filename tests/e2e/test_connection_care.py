"""Connections look after themselves, through real HTTP between a provider and a consumer."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.stage import Stage

BEAT_S = 0.5


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("care"), settings={"SXG_HEARTBEAT_S": str(BEAT_S)}) as stage:
        stage.connect()
        yield stage


def health_at_provider(stage: Stage) -> dict[str, Any]:
    directions: dict[str, Any] = stage.provider().get(f"/connections/{stage.connection_id}")["health"]["directions"]
    return directions


def conditions(stage: Stage) -> tuple[tuple[str, str], tuple[str, str]]:
    """(to the other side, from it), first as the provider sees it, then as the consumer does."""
    here = health_at_provider(stage)
    there = stage.consumer.get(f"/connections/{stage.connection_id}")["directions"]
    return tuple((side["out"]["condition"], side["in"]["condition"]) for side in (here, there))  # type: ignore[return-value]


def test_both_directions_are_seen_from_both_sides_down_within_two_beats_and_up_again(stage: Stage) -> None:
    stage.until(lambda: conditions(stage) == (("up", "up"), ("up", "up")))
    with stage.paused("consumer-sweeper"):
        stage.until(lambda: conditions(stage)[0] == ("up", "down"), timeout_s=BEAT_S * 10)
    stage.until(lambda: conditions(stage)[0] == ("up", "up"))
    assert health_at_provider(stage)["in"]["waiting"] == 0
    stage.consumer.put("/faults", {"mode": "offline"})
    stage.until(lambda: health_at_provider(stage)["out"]["condition"] == "down", timeout_s=BEAT_S * 10)
    issues = stage.until(lambda: stage.provider().get("/issues", connection_id=stage.connection_id)["items"])
    assert "outbound_down" in [issue["kind"] for issue in issues]
    stage.consumer.put("/faults", {"mode": "ok"})
    stage.until(lambda: conditions(stage) == (("up", "up"), ("up", "up")))
    stage.until(lambda: stage.provider().get("/issues", connection_id=stage.connection_id)["items"] == [])
