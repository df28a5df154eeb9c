"""Up, slow, down: what heartbeats say of a direction, cell by cell."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bridge.health import Beats, Condition, worst

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def beats(direction: str, age_s: float, **changes: Any) -> Beats:
    at = NOW - timedelta(seconds=age_s)
    return Beats(direction, **{"beat_at": at, "every_s": 30.0, "answered_at": at, "round_trip_s": 0.1, **changes})


@pytest.mark.parametrize(
    ("found", "condition"),
    [
        (Beats("out"), "unknown"),
        (Beats("in"), "unknown"),
        (beats("out", 10), "up"),
        (beats("out", 10, missed=1), "up"),
        (beats("out", 10, missed=2), "down"),
        (beats("out", 10, missed=2, answered_at=None), "down"),
        (beats("out", 10, answered_at=None), "unknown"),
        (beats("out", 10, round_trip_s=2.1), "slow"),
        (beats("out", 10, round_trip_s=19.9), "slow"),
        (beats("out", 74), "up"),
        (beats("out", 76), "unknown"),
        (beats("in", 60), "up"),
        (beats("in", 76), "down"),
        (beats("in", 10, round_trip_s=15.0), "slow"),
        (beats("in", 10, every_s=3600.0), "up"),
        (beats("in", 3600, every_s=3600.0), "up"),
    ],
)
def test_the_condition_of_a_direction(found: Beats, condition: str) -> None:
    assert found.condition(NOW) == condition


def test_the_worst_of_two_is_the_whole() -> None:
    assert worst(Condition.UP, Condition.SLOW) == "slow"
    assert worst(Condition.DOWN, Condition.SLOW) == "down"
    assert worst(Condition.UP, Condition.UNKNOWN) == "unknown"
