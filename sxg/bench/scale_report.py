"""What do the figures of many consumers and of a long history say? Each report as data and as a page."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from sxg.bench.page import verdict, where
from sxg.bench.report import now_text, percentile
from sxg.bench.scale import Cost, Crowd

GOAL_SPREAD, GOAL_MEMORY_MB = 1.2, 24.0
"""The dearest by the cheapest history; how much more memory a program may take beside the longest than beside the
shortest one. SQLite keeps 16 MiB of pages for each open connection, which a small database cannot fill.
"""
_COSTS: Mapping[str, Callable[[Cost], float]] = {
    "wall": lambda cost: cost.drained_s,
    "cpu": lambda cost: cost.cpu_s,
    "recording": lambda cost: cost.recorded_s,
}
_CROWD_PAGE = """\
# Synchronisation with many consumers, measured

{measured_at}, commit {commit}. Repeat with `{command}`; `benchmarks/README.md` explains it.

The same backlog of {events:,} events, dealt to so many connections; medians of {rounds} rounds.

| consumers | events/s | each round | first finished, s | median, s | slowest, s | slowest by median |
|---:|---:|---|---:|---:|---:|---:|
{drains}

Then {rate} single commits/s for {seconds:g} s, one connection after the other, milliseconds from commit to known:

| consumers | p50 | p99 | max | CPUs idle |
|---:|---:|---:|---:|---:|
{latency}

Every event was applied exactly once: ids in the inbox, timelines, digests of both sides.

{where}"""
_COST_PAGE = """\
# Synchronisation beside a long history, measured

{measured_at}, commit {commit}. Repeat with `{command}`; `benchmarks/README.md` explains it.

The same backlog of {events:,} events beside so many that were delivered before, in turns; medians of {rounds} rounds.
CPU: of worker, sweeper and consumer{without}. Growth: a round's cost by that beside the shortest history.

| events there | events/s | time, us | growth | CPU, us | growth | recording, us | growth | worker MiB | consumer MiB |
|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
{costs}

{goals}

Every event was applied exactly once: ids in the inbox, timelines, digests of both sides, and nothing else came.

{where}"""


def describe_crowds(crowds: Sequence[Crowd], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The report as plain JSON; `facts` are its parameters, settings and machine."""
    counts = list(dict.fromkeys(crowd.consumers for crowd in crowds))
    found = [_crowd([crowd for crowd in crowds if crowd.consumers == count]) for count in counts]
    return {"measured_at": now_text(), "consumers": found, **facts}


def _crowd(rounds: Sequence[Crowd]) -> dict[str, Any]:
    speeds = [crowd.events / crowd.drained_s for crowd in rounds]
    known = sorted(figure for crowd in rounds for figure in crowd.known_ms)
    idle = [crowd.idle_percent for crowd in rounds if crowd.idle_percent is not None]
    finished = {
        "first": median(crowd.finished_s[0] for crowd in rounds),
        "median": median(median(crowd.finished_s) for crowd in rounds),
        "slowest": median(crowd.finished_s[-1] for crowd in rounds),
    }
    return {
        "consumers": rounds[0].consumers,
        "events": rounds[0].events,
        "events_per_s": round(median(speeds), 1),
        "rounds": [round(speed, 1) for speed in speeds],
        "finished_s": {name: round(figure, 3) for name, figure in finished.items()},
        "slowest_by_median": round(median(crowd.finished_s[-1] / median(crowd.finished_s) for crowd in rounds), 2),
        "p50_ms": round(percentile(known, 50), 2),
        "p99_ms": round(percentile(known, 99), 2),
        "max_ms": round(known[-1], 2),
        "idle_percent": round(median(idle), 1) if idle else None,
        "applied_exactly_once": True,
    }


def describe_costs(costs: Sequence[Cost], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The report as plain JSON; `costs` has every size once in each round."""
    sizes = sorted({cost.rows for cost in costs})
    by_size = {rows: [cost for cost in costs if cost.rows == rows] for rows in sizes}
    found = [_cost(by_size[rows], by_size[sizes[0]]) for rows in sizes]
    measured = [name for name in _COSTS if name != "cpu" or costs[0].usages]
    growths = {name: [each["growth"][name] for each in found] for name in measured}
    spread = {name: round(max(figures) / min(figures), 3) for name, figures in growths.items()}
    goals: dict[str, Any] = {
        name: {"at_most": GOAL_SPREAD, "reached": figure <= GOAL_SPREAD} for name, figure in spread.items()
    }
    if costs[0].usages:
        more_mb = {name: round(peak - found[0]["peak_mb"][name], 1) for name, peak in found[-1]["peak_mb"].items()}
        spread |= {"memory_mb": max(more_mb.values())}
        goals["memory_mb"] = {"at_most": GOAL_MEMORY_MB, "reached": spread["memory_mb"] <= GOAL_MEMORY_MB}
    return {"measured_at": now_text(), "spread": spread, "goals": goals, "rows": found, **facts}


def _cost(rounds: Sequence[Cost], smallest: Sequence[Cost]) -> dict[str, Any]:
    events = rounds[0].events
    measured = {name: read for name, read in _COSTS.items() if name != "cpu" or rounds[0].usages}
    programs = rounds[0].usages
    return {
        "rows": rounds[0].rows,
        "rows_before": [cost.rows_before for cost in rounds],
        "events_per_s": round(events / median(cost.drained_s for cost in rounds), 1),
        "us_per_event": {
            name: round(median(read(cost) for cost in rounds) / events * 1e6, 1) for name, read in measured.items()
        },
        "growth": {
            name: round(median(read(cost) / read(small) for cost, small in zip(rounds, smallest, strict=True)), 3)
            for name, read in measured.items()
        },
        "rounds_us": {
            name: [round(read(cost) / events * 1e6, 1) for cost in rounds] for name, read in measured.items()
        },
        "cpu_us": {
            name: round(median(cost.usages[name].cpu_s for cost in rounds) / events * 1e6, 1) for name in programs
        },
        "peak_mb": {name: round(median(cost.usages[name].peak_mb for cost in rounds), 1) for name in programs},
        "applied_exactly_once": True,
    }


def summary_of_crowds(report: Mapping[str, Any]) -> str:
    """A line for each number of consumers."""
    return "\n".join(
        f"{each['consumers']:>10,} consumers {each['events_per_s']:>10,.0f} events/s   slowest by median "
        f"{each['slowest_by_median']:.2f}   p99 {each['p99_ms']:.1f} ms"
        for each in report["consumers"]
    )


def summary_of_costs(report: Mapping[str, Any]) -> str:
    """A line for each size, and one for each goal."""
    sizes = [
        f"{each['rows']:>10,} rows "
        + "   ".join(
            f"{name} {figure:,.0f} us ({each['growth'][name]:.2f})" for name, figure in each["us_per_event"].items()
        )
        for each in report["rows"]
    ]
    goals = [
        f"{name:>10} {report['spread'][name]:g}, goal: at most {goal['at_most']:g}, "
        + ("reached" if goal["reached"] else "MISSED")
        for name, goal in report["goals"].items()
    ]
    return "\n".join((*sizes, *goals))


def render_crowds(report: Mapping[str, Any], command: str) -> str:
    parameters = report["parameters"]
    return _CROWD_PAGE.format(
        measured_at=report["measured_at"],
        commit=report["machine"]["commit"] or "unknown",
        command=command,
        events=parameters["events"],
        rounds=parameters["rounds"],
        rate=parameters["rate_per_s"],
        seconds=parameters["latency_s"],
        drains="\n".join(_drain_row(each) for each in report["consumers"]),
        latency="\n".join(_latency_row(each) for each in report["consumers"]),
        where=where(report),
    )


def _drain_row(found: Mapping[str, Any]) -> str:
    rounds = ", ".join(f"{speed:,.0f}" for speed in found["rounds"])
    finished = " | ".join(f"{found['finished_s'][name]:.2f}" for name in ("first", "median", "slowest"))
    speed, fairness = found["events_per_s"], found["slowest_by_median"]
    return f"| {found['consumers']:,} | {speed:,.0f} | {rounds} | {finished} | {fairness:.2f} |"


def _latency_row(found: Mapping[str, Any]) -> str:
    figures = " | ".join(f"{found[name]:.1f}" for name in ("p50_ms", "p99_ms", "max_ms"))
    idle = "?" if found["idle_percent"] is None else f"{found['idle_percent']:.0f} %"
    return f"| {found['consumers']:,} | {figures} | {idle} |"


def render_costs(report: Mapping[str, Any], command: str) -> str:
    server = not report["settings"]["provider_database"].startswith("SQLite")
    return _COST_PAGE.format(
        measured_at=report["measured_at"],
        commit=report["machine"]["commit"] or "unknown",
        command=command,
        events=report["parameters"]["events"],
        rounds=report["parameters"]["rounds"],
        without=", without the database server's" if server else "",
        costs="\n".join(_cost_row(each) for each in report["rows"]),
        goals="\n".join(_goal_row(name, report["spread"][name], goal) for name, goal in report["goals"].items()),
        where=where(report),
    )


def _cost_row(found: Mapping[str, Any]) -> str:
    pairs = " | ".join(
        f"{found['us_per_event'][name]:,.0f} | {found['growth'][name]:.2f}" if name in found["growth"] else "? | ?"
        for name in _COSTS
    )
    peaks = found["peak_mb"]
    memory = " | ".join(f"{peaks[name]:.0f}" if name in peaks else "?" for name in ("provider-worker", "consumer-web"))
    return f"| {found['rows']:,} | {found['events_per_s']:,.0f} | {pairs} | {memory} |"


def _goal_row(name: str, figure: float, goal: Mapping[str, Any]) -> str:
    what = {
        "wall": "time of an event, dearest by cheapest",
        "cpu": "CPU of an event, dearest by cheapest",
        "recording": "time to record an event, dearest by cheapest",
        "memory_mb": "MiB that a program needs more beside the longest history",
    }[name]
    return f"- {what}: {figure:g}, goal at most {goal['at_most']:g}: {verdict(goal)}"
