"""How fast, how late, and was it right? One measurement each; none of them counts unless every event arrived once."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sxg.bench.origin import Change, Origin, changes, find_delivery_id, record_change
from sxg.bench.rig import ENGINE, Design, Rig
from sxg.failures import CommandFailed

LATENCY_TASKS = 100


@dataclass(frozen=True, slots=True)
class Drained:
    """A backlog that was emptied. `recorded_s` is how long it took to record, `drained_s` from release to applied."""

    design: str
    events: int
    recorded_s: float
    drained_s: float

    @property
    def events_per_s(self) -> float:
        return self.events / self.drained_s


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds after commit, one figure for each event, ascending.

    `until_received`: the consumer has the event and begins the transaction that applies it. `until_known`: that
    transaction is committed, and the provider holds the verdict. The moment of applying lies between the two.
    """

    design: str
    per_s: int
    until_received: Sequence[float]
    until_known: Sequence[float]
    idle_percent: float | None
    """How idle the processors were meanwhile, None where that is not told. At this pace either design leaves most of
    two cores idle; when they were not, something else was running, and the figures are also its."""


def measure_backlog(rig: Rig, design: Design, events: int, tasks: int) -> Drained:
    """Record a backlog for a new connection, release it, and wait until the consumer has applied all of it."""
    connection_id = design.origin.connect(rig.consumer)
    started = time.monotonic()
    design.origin.record(changes(connection_id, events, tasks))
    recorded_s = time.monotonic() - started
    started = time.monotonic()
    design.release(connection_id)
    rig.wait_applied(design, connection_id, events)
    drained_s = time.monotonic() - started
    rig.wait_settled(design, connection_id, events)
    check_exactly_once(rig, design, connection_id, events)
    return Drained(design.name, events, recorded_s, drained_s)


def measure_latency(rig: Rig, design: Design, per_s: int, seconds: float) -> Latency:
    """Commit single events at a steady pace and take the time until each is applied."""
    connection_id = design.origin.connect(rig.consumer)
    events = max(1, round(per_s * seconds))
    ticks = processor_ticks()
    made = changes(connection_id, events, LATENCY_TASKS)
    committed_at = commit_steadily(design.origin, made, per_s, design.tell)
    idle_percent = idle_percent_between(ticks, processor_ticks())
    rig.wait_applied(design, connection_id, events)
    rig.wait_settled(design, connection_id, events)
    check_exactly_once(rig, design, connection_id, events)
    received = after(committed_at, rig.arrivals.received_at(connection_id))
    known = after(committed_at, design.origin.settled_at(connection_id))
    return Latency(design.name, per_s, received, known, idle_percent)


def commit_steadily(
    origin: Origin, made: Iterable[Change], per_s: float, tell: Callable[[str, str], None]
) -> dict[tuple[str, int], datetime]:
    """When each event was committed, by stream and sequence. `tell` is called after that moment, with the ids of the
    connection and the delivery.
    """
    stamps: list[datetime] = []

    def stamp(_: Iterable[str]) -> None:
        stamps.append(datetime.now(UTC))

    committed_at = {}
    with origin.ringing(stamp) as database:
        started = time.monotonic()
        for number, change in enumerate(made):
            time.sleep(max(0.0, started + number / per_s - time.monotonic()))
            with database.transaction() as session:
                record_change(session, change)
                delivery_id = find_delivery_id(session, change)
            tell(change.connection_id, delivery_id)
            committed_at[change.stream, change.sequence] = stamps[-1]
    return committed_at


def after(committed_at: dict[tuple[str, int], datetime], then: dict[tuple[str, int], datetime]) -> list[float]:
    return sorted((then[key] - at).total_seconds() * 1000 for key, at in committed_at.items())


def processor_ticks() -> list[int] | None:
    """What the processors did since the machine started: user, nice, system, idle, iowait, ... (proc(5))."""
    stat = Path("/proc/stat")
    return [int(number) for number in stat.read_text().splitlines()[0].split()[1:9]] if stat.exists() else None


def idle_percent_between(before: list[int] | None, after: list[int] | None) -> float | None:
    if before is None or after is None:
        return None
    spent = [later - earlier for earlier, later in zip(before, after, strict=True)]
    return 100 * (spent[3] + spent[4]) / max(1, sum(spent))


def check_exactly_once(rig: Rig, design: Design, connection_id: str, events: int) -> None:
    """Raises CommandFailed unless each delivery is in the inbox once, in a timeline without gaps."""
    rig.processes.check_lives()
    sent = design.origin.sent(connection_id)
    received = Counter(event_id for event_id, _, _ in rig.arrivals.messages(connection_id))
    timeline = sorted(rig.arrivals.received_at(connection_id))
    faults = [
        (len(sent) == events, f"{len(sent)} of {events} events were recorded"),
        (set(received) == set(sent), f"{len(set(sent) - set(received))} events are not in the consumer's inbox"),
        (max(received.values(), default=1) == 1, "an event is in the consumer's inbox twice"),
        (timeline == sorted(sent.values()), "the consumer's timelines are not what was sent"),
    ]
    if design.name == ENGINE:  # the baseline keeps no digests
        same = design.origin.digests(connection_id) == rig.arrivals.digests(connection_id)
        faults.append((same, "the digests of the two sides differ"))
    wrong = [text for holds, text in faults if not holds]
    if wrong:
        raise CommandFailed(*(f"{design.name}: {text}" for text in wrong))


def measure_rounds(
    rig: Rig, counts: dict[str, int], tasks: int, rounds: int, say: Callable[[str], None]
) -> list[Drained]:
    """Both designs in each round, the one that was last goes first in the next. The first, small round warms up."""
    for design in rig.designs:
        measure_backlog(rig, design, min(100, counts[design.name]), min(20, tasks))
    found = []
    order = list(rig.designs)
    for number in range(1, rounds + 1):
        for design in order:
            count = counts[design.name]
            say(f"round {number}/{rounds}: {design.name}, a backlog of {count:,} events")
            drained = measure_backlog(rig, design, count, min(tasks, count))
            say(f"  {drained.events_per_s:,.0f} events/s ({drained.drained_s:.2f} s), each applied exactly once")
            found.append(drained)
        order.reverse()
    return found
