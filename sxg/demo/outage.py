"""A consumer goes offline for a while: what waits for it, what the others notice of that, and how it catches up."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sxg.client import ApiProblem, Unreachable
from sxg.demo.cast import Cast, Consumer, until
from sxg.demo.order import Order
from sxg.demo.show import Show
from sxg.failures import CommandFailed
from sxg.supervisor import Supervisor

Document = dict[str, Any]

_NEVER = datetime.max.replace(tzinfo=UTC)
_ATTEMPTS = 2


@dataclass
class Outage:
    """The web server of one consumer, where events arrive, is stopped and later started again."""

    cast: Cast
    show: Show
    supervisor: Supervisor
    consumer: Consumer
    program: str
    """Of the web server."""
    began_at: datetime = _NEVER
    ended_at: datetime = _NEVER

    def begin(self) -> None:
        with self.show.step(self.consumer.company, "goes offline") as step:
            self.supervisor.pause(self.program)
            self.began_at = datetime.now(UTC)
            step.says("its web server is stopped")

    def waits(self) -> None:
        """Show what the provider's people see of it."""
        with self.show.step("exchange_admin", f"looks at what waits for {self.consumer.company}") as step:
            health = until(self._failing, "the provider to try again")
            age = (datetime.now(UTC) - datetime.fromisoformat(health["oldest_at"])).total_seconds()
            tried = f"{health['failures']} attempts failed"
            step.says(f"{health['waiting']} events, the oldest for {age:.1f} s; {tried}: {health['last_error']}")

    def show_others(self, other: Consumer, since: datetime) -> None:
        """How long events took to the other consumer, from the change to its answer, before the outage and in it."""
        with self.show.step(other.company, f"notices nothing of {self.consumer.company}'s absence") as step:
            until(lambda: self._health(other)["waiting"] == 0, f"{other.company} to have everything")
            before, during = self._times_ms(other, since, self.began_at), self._times_ms(other, self.began_at, _NEVER)
            step.says(
                f"an event took {statistics.median(before):.0f} ms before ({len(before)} events), "
                f"{statistics.median(during):.0f} ms meanwhile ({len(during)} events), in the median"
            )

    def end(self, order: Order, text: str) -> None:
        """Come back, and say so: whoever speaks is alive, so the provider does not wait for its next probe."""
        waiting = {one["id"] for one in self._deliveries(self.consumer) if one["state"] == "pending"}
        with self.show.step(self.consumer.company, "is back") as step:
            self.supervisor.resume(self.program)
            self.ended_at = datetime.now(UTC)
            until(lambda: _answers(self.consumer), "the consumer to answer")
            step.says("its web server answers again")
        order.answer(text, "speaks first")
        with self.show.step(self.consumer.company, "catches up") as step:
            until(lambda: self._health(self.consumer)["waiting"] == 0, f"{self.consumer.company} to catch up")
            step.says(self._caught_up(waiting, order))

    def includes(self, moment: str) -> bool:
        """Whether the consumer was away then."""
        return self.began_at <= datetime.fromisoformat(moment) <= self.ended_at

    def _caught_up(self, waiting: set[str], order: Order) -> str:
        """Raises CommandFailed unless each event that waited was delivered, and in its order."""
        arrived = [one for one in self._deliveries(self.consumer) if one["id"] in waiting and one["settled_at"]]
        if len(arrived) != len(waiting):
            raise CommandFailed(f"{len(waiting)} events waited for {self.consumer.company}, {len(arrived)} arrived")
        if not all(_is_ascending(stream) for stream in _by_stream(arrived)) or not order.told_in_order():
            raise CommandFailed(f"{self.consumer.company} was not told in order what waited for it")
        last = max(datetime.fromisoformat(one["settled_at"]) for one in arrived)
        took_s = (last - self.ended_at).total_seconds()
        return f"all {len(arrived)} events that waited have arrived in their order, {took_s:.1f} s after its return"

    def _times_ms(self, consumer: Consumer, since: datetime, end: datetime) -> Sequence[float]:
        return [
            (datetime.fromisoformat(one["settled_at"]) - at).total_seconds() * 1000
            for one in self._deliveries(consumer)
            if one["settled_at"] and since <= (at := datetime.fromisoformat(one["occurred_at"])) < end
        ]

    def _deliveries(self, consumer: Consumer) -> list[Document]:
        return list(self.cast.exchange_admin.pages("/deliveries", connection=consumer.connection_id))

    def _health(self, consumer: Consumer) -> Document:
        health: Document = self.cast.exchange_admin.get(f"/connections/{consumer.connection_id}")["health"]
        return health

    def _failing(self) -> Document | None:
        health = self._health(self.consumer)
        return health if health["failures"] >= _ATTEMPTS and health["oldest_at"] else None


def _answers(consumer: Consumer) -> bool:
    """The first call may meet the connection that was cut."""
    try:
        consumer.client.get("/connections")
    except (Unreachable, ApiProblem):
        return False
    return True


def _by_stream(deliveries: Sequence[Document]) -> Sequence[Sequence[Document]]:
    streams = {one["stream"] for one in deliveries}
    return [[one for one in deliveries if one["stream"] == stream] for stream in streams]


def _is_ascending(stream: Sequence[Document]) -> bool:
    """Whether what came earlier in the stream was answered no later."""
    places = sorted(stream, key=lambda one: one["sequence"])
    times = [one["settled_at"] for one in places]
    return times == sorted(times)
