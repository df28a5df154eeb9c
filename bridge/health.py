"""Up, slow or down: what the heartbeats of one direction of a connection say of it. Nothing is asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from bridge.vocabulary import FAST_DEADLINE_S, SLOW_DEADLINE_S

MISSED_LIMIT = 2
"""So many beats without an answer mean that the direction is down."""
SLOW_S = FAST_DEADLINE_S
"""A longer round trip is called slow. However slow, a direction that answers is not down."""
_LATE = 0.5
"""The part of a beat's interval by which it may come late."""


class Condition(StrEnum):
    """`unknown`: no beat was sent or came yet, or ours have stopped."""

    UP = "up"
    SLOW = "slow"
    DOWN = "down"
    UNKNOWN = "unknown"


_GRAVITY = (Condition.UP, Condition.UNKNOWN, Condition.SLOW, Condition.DOWN)


@dataclass(frozen=True, slots=True)
class Beats:
    """The last heartbeats of one direction, `out` or `in`, as `bridge.models.Heartbeat` keeps them; empty before the
    first. `told` is what the other side said of itself.
    """

    direction: str
    beat_at: datetime | None = None
    every_s: float | None = None
    answered_at: datetime | None = None
    round_trip_s: float | None = None
    missed: int = 0
    error: str | None = None
    told: Mapping[str, Any] = field(default_factory=dict)

    def condition(self, now: datetime) -> Condition:
        """Down after `MISSED_LIMIT` missed beats: ours that were not answered, or theirs that did not come."""
        if self.beat_at is None or self.every_s is None:
            return Condition.UNKNOWN
        silent = now - self.beat_at > timedelta(seconds=self.every_s * (MISSED_LIMIT + _LATE))
        if self.direction == "in":
            return Condition.DOWN if silent else self._speed()
        if self.missed >= MISSED_LIMIT:
            return Condition.DOWN
        stopped = silent and (now - self.beat_at).total_seconds() > SLOW_DEADLINE_S
        return Condition.UNKNOWN if stopped or self.answered_at is None else self._speed()

    def _speed(self) -> Condition:
        return Condition.SLOW if (self.round_trip_s or 0.0) > SLOW_S else Condition.UP


def worst(*conditions: Condition) -> Condition:
    return max(conditions, key=_GRAVITY.index)
