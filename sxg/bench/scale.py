"""Does the engine keep its pace beside many consumers, and beside a long history? Nothing counts that was not applied
exactly once.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sxg.bench.history import write_history
from sxg.bench.measuring import LATENCY_TASKS, after, commit_steadily, idle_percent_between, processor_ticks
from sxg.bench.origin import STEPS, Change, deal
from sxg.bench.pair import PROGRAMS, Pair
from sxg.bench.processes import Processes, Usage
from sxg.embedded import EmbeddedRedis
from sxg.failures import CommandFailed

Say = Callable[[str], None]
_WARM_UP = 200
_OLD_SHARE = 5
_MAY_GROW = 4


@dataclass(frozen=True, slots=True)
class Site:
    """Where pairs are made; `server_url` as in Pair."""

    directory: Path
    redis: EmbeddedRedis
    server_url: str | None

    def pair(self, name: str) -> Pair:
        return Pair(self.directory / name, self.redis, self.server_url)


@dataclass(frozen=True, slots=True)
class Crowd:
    """A backlog over so many connections. `finished_s`: when each connection had its last verdict after the release,
    ascending. `known_ms`: after the commit of single events, ascending.
    """

    consumers: int
    events: int
    drained_s: float
    finished_s: Sequence[float]
    known_ms: Sequence[float]
    idle_percent: float | None


@dataclass(frozen=True, slots=True)
class Cost:
    """A backlog beside a history of `rows` events. `usages`: what each program used from release to the last verdict,
    empty where the system does not tell; its memory is the most since its start.
    """

    rows: int
    rows_before: int
    events: int
    recorded_s: float
    drained_s: float
    usages: Mapping[str, Usage]

    @property
    def cpu_s(self) -> float:
        return sum(usage.cpu_s for usage in self.usages.values())


def measure_crowds(
    site: Site, counts: Sequence[int], *, events: int, tasks: int, per_s: int, seconds: float, rounds: int, say: Say
) -> list[Crowd]:
    """In every round, for each count: the same backlog over so many new connections, then single events for each of
    them in turn.
    """
    found = []
    with site.pair("consumers") as pair, pair.running() as processes:
        warm = [pair.origin.connect(pair.consumer)]
        _drain_all(pair, processes, list(deal(warm, min(_WARM_UP, events), tasks)))
        for number in range(rounds):
            for consumers in counts:
                ids = [pair.origin.connect(pair.consumer) for _ in range(consumers)]
                released_at, drained_s, settled_at = _drain_all(pair, processes, list(deal(ids, events, tasks)))
                last = [max(moments.values()) for moments in settled_at.values()]
                finished_s = sorted((moment - released_at).total_seconds() for moment in last)
                say(f"round {number + 1}/{rounds}: {consumers:,} consumers, {events / drained_s:,.0f} events/s")
                known_ms, idle = _measure_pace(pair, processes, consumers, per_s, seconds)
                found.append(Crowd(consumers, events, drained_s, finished_s, known_ms, idle))
    return found


def _drain_all(
    pair: Pair, processes: Processes, made: Sequence[Change]
) -> tuple[datetime, float, Mapping[str, Mapping[tuple[str, int], datetime]]]:
    """When the backlog was released, how long it took, and when each event was settled, by connection."""
    mark = Mark.set(pair)
    pair.origin.record(made)
    pair.rest()
    released_at = datetime.now(UTC)
    drained_s = pair.drain(processes, sorted({change.connection_id for change in made}))
    return released_at, drained_s, check_arrived(pair, processes, made, mark)


def _measure_pace(
    pair: Pair, processes: Processes, consumers: int, per_s: int, seconds: float
) -> tuple[list[float], float | None]:
    """Milliseconds from each commit to its verdict, ascending, and how idle the processors were."""
    ids = [pair.origin.connect(pair.consumer) for _ in range(consumers)]
    mark, bell, ticks = Mark.set(pair), pair.bell(), processor_ticks()
    made = list(deal(ids, max(1, round(per_s * seconds)), LATENCY_TASKS))
    committed_at = commit_steadily(pair.origin, made, per_s, lambda connection_id, _: bell([connection_id]))
    idle = idle_percent_between(ticks, processor_ticks())
    pair.drain(processes, ids)
    settled_at = check_arrived(pair, processes, made, mark)
    return after(committed_at, {place: at for moments in settled_at.values() for place, at in moments.items()}), idle


@dataclass
class _Standing:
    """A pair with its history, and what the rounds have added to it."""

    pair: Pair
    connection_id: str
    orders: int
    steps: dict[int, int] = field(default_factory=dict)
    added: int = 0

    def backlog(self, events: int, old: int) -> list[Change]:
        """Changes of `old` orders of the history, spread over all of it, and of new ones; ten each, dealt in turn."""
        width = max(1, events // STEPS)
        told = [place * self.orders // old for place in range(old)] if old else []
        new = range(self.orders + self.added, self.orders + self.added + width - len(told))
        tasks = [*told, *new]
        made = []
        for number in range(events):
            task = tasks[number % width]
            step = self.steps.get(task, STEPS if task < self.orders else 0)
            self.steps[task] = step + 1
            made.append(Change(self.connection_id, task, step))
        self.added += events
        return made


def measure_costs(site: Site, sizes: Sequence[int], *, events: int, rounds: int, say: Say) -> list[Cost]:
    """The same backlog beside a history of each size, in every round.

    Each measurement has processes of its own, which end with it: nothing runs beside it. A database to which the
    rounds have added a quarter is made anew. Rounds take turns in which size goes first.
    """
    old = min(max(1, min(sizes) // STEPS), events // STEPS // _OLD_SHARE)
    found = []
    with ExitStack() as stack:
        shelf = _Shelf(site, stack, say)
        for number in range(rounds):
            turn = number % len(sizes)
            for rows in (*sizes[turn:], *sizes[:turn]):
                standing = shelf.take(rows)
                cost = _measure_cost(standing, rows, events, old)
                say(f"round {number + 1}/{rounds}: {rows:,} rows, {cost.drained_s / events * 1e6:,.0f} us an event")
                found.append(cost)
    return found


class _Shelf:
    def __init__(self, site: Site, stack: ExitStack, say: Say) -> None:
        self._site, self._stack, self._say = site, stack, say
        self._standing: dict[int, tuple[_Standing, ExitStack]] = {}
        self._made = 0

    def take(self, rows: int) -> _Standing:
        if rows in self._standing:
            standing, own = self._standing[rows]
            if standing.added * _MAY_GROW <= rows:
                return standing
            own.close()
        self._made += 1
        own = self._stack.enter_context(ExitStack())
        started = time.monotonic()
        pair = own.enter_context(self._site.pair(f"rows-{rows}-{self._made}"))
        connection_id = pair.origin.connect(pair.consumer)
        standing = _Standing(pair, connection_id, write_history(pair.origin, pair.inbox, connection_id, rows))
        pair.rest()
        if rows >= 100_000:
            self._say(f"a history of {rows:,} events was written in {time.monotonic() - started:,.0f} s")
        self._standing[rows] = standing, own
        return standing


def _measure_cost(standing: _Standing, rows: int, events: int, old: int) -> Cost:
    pair = standing.pair
    with pair.running() as processes:
        _drain_all(pair, processes, standing.backlog(min(_WARM_UP, events), 0))
        mark = Mark.set(pair)
        made = standing.backlog(events, old)
        started = time.monotonic()
        pair.origin.record(made)
        recorded_s = time.monotonic() - started
        pair.rest()
        before = _usages(processes)
        drained_s = pair.drain(processes, [standing.connection_id])
        then = _usages(processes)
        check_arrived(pair, processes, made, mark)
    usages = {name: Usage(then[name].cpu_s - before[name].cpu_s, then[name].peak_mb) for name in before}
    return Cost(rows, mark.arrived, events, recorded_s, drained_s, usages)


def _usages(processes: Processes) -> dict[str, Usage]:
    found = {name: processes.usage(name) for name in PROGRAMS}
    return {name: usage for name, usage in found.items() if usage is not None}


@dataclass(frozen=True, slots=True)
class Mark:
    """How far both sides had come before something was measured."""

    last_event: int
    arrived: int

    @classmethod
    def set(cls, pair: Pair) -> "Mark":
        return cls(pair.origin.last_event(), pair.arrivals.total())


def check_arrived(
    pair: Pair, processes: Processes, made: Collection[Change], mark: Mark
) -> dict[str, dict[tuple[str, int], datetime]]:
    """When each event was settled, by connection. Raises CommandFailed unless all of them, and nothing else since the
    mark, were applied exactly once.
    """
    processes.check_lives()
    by_connection: dict[str, list[Change]] = defaultdict(list)
    for change in made:
        by_connection[change.connection_id].append(change)
    faults = [fault for own in by_connection.values() for fault in _faults(pair, own, mark.last_event)]
    arrived = pair.arrivals.total() - mark.arrived
    if arrived != len(made):
        faults.append(f"{arrived} events have come to the consumer's inbox, {len(made)} were recorded")
    if faults:
        raise CommandFailed(*faults)
    return {
        connection_id: pair.origin.settled_at(connection_id, {c.stream for c in own}, after_event=mark.last_event)
        for connection_id, own in by_connection.items()
    }


def _faults(pair: Pair, made: Sequence[Change], after_event: int) -> list[str]:
    """What is wrong with these changes of one connection, and nothing of what was there before."""
    connection_id = made[0].connection_id
    first: dict[str, int] = {}
    for change in made:
        first[change.stream] = min(change.sequence, first.get(change.stream, change.sequence))
    sent = pair.origin.sent(connection_id, first, after_event=after_event)
    places = sorted((change.stream, change.sequence) for change in made)
    messages = pair.arrivals.messages(connection_id, first)
    received = Counter(event_id for event_id, stream, sequence in messages if sequence >= first[stream])
    timeline = [place for place in pair.arrivals.received_at(connection_id, first) if place[1] >= first[place[0]]]
    settled = pair.origin.settled_at(connection_id, first, after_event=after_event)
    checks = [
        (sorted(sent.values()) == places, "what was recorded is not what is sent"),
        (received == Counter(sent.keys()), "the consumer's inbox does not hold each event once"),
        (sorted(timeline) == places, "the consumer's timelines are not what was sent"),
        (sorted(settled) == places, "not all events are settled as delivered"),
        (
            pair.origin.digests(connection_id, first) == pair.arrivals.digests(connection_id, first),
            "the digests of the two sides differ",
        ),
    ]
    return [f"connection {connection_id}: {text}" for holds, text in checks if not holds]
