"""The report for people, in Markdown."""

from collections.abc import Mapping
from typing import Any

_PAGE = """\
# Synchronisation, measured

{measured_at}, commit {commit}. Repeat with `sxg bench sync`; `benchmarks/README.md` explains what is compared.

| | engine | one job per event | ratio |
|---|---:|---:|---:|
| events/s, backlog to applied (median of {rounds}) | {engine:,.0f} | {naive:,.0f} | **{ratio:,.1f}** |
| each round | {engine_rounds} | {naive_rounds} | |
| events in the backlog | {engine_events:,} | {naive_events:,} | |

{rate} single commits/s for {seconds:g} s, milliseconds after commit:

| | p50 | p99 | max | CPUs idle |
|---|---:|---:|---:|---:|
{latency}

Applied lies between *received* (the consumer begins the transaction) and *known* (it is committed, and the provider has
the verdict). Where the CPUs were not mostly idle, something else was running.

Goals: ratio at least {goal_ratio:g}: {ratio_reached}; p99 known at most {goal_p99:g} ms: {p99_reached}.

Every event of every measurement was applied exactly once (ids in the consumer's inbox, timelines without gaps; for the
engine also the digest of each stream on both sides). Recording, with numbering and rendering: {recorded:,.0f} events/s
in commits of 500.

{where}"""
_WHERE = """\
## Where

| | |
|---|---|
{machine}

## With

{parameters}
"""


def render_page(report: Mapping[str, Any]) -> str:
    """The page of a report as `report.describe` makes it."""
    engine, naive, goals, parameters = (report[name] for name in ("engine", "naive", "goals", "parameters"))
    return _PAGE.format(
        measured_at=report["measured_at"],
        commit=report["machine"]["commit"] or "unknown",
        rounds=parameters["rounds"],
        engine=engine["events_per_s"],
        naive=naive["events_per_s"],
        ratio=report["ratio"],
        engine_rounds=_rounds(engine),
        naive_rounds=_rounds(naive),
        engine_events=parameters["events"],
        naive_events=parameters["naive_events"],
        rate=parameters["rate_per_s"],
        seconds=parameters["latency_s"],
        latency="\n".join(_latency_rows(report["latency"])),
        goal_ratio=goals["ratio"]["at_least"],
        ratio_reached=verdict(goals["ratio"]),
        goal_p99=goals["p99_ms"]["at_most"],
        p99_reached=verdict(goals["p99_ms"]),
        recorded=engine["recorded_per_s"],
        where=where(report),
    )


def _rounds(drains: Mapping[str, Any]) -> str:
    return ", ".join(f"{each['events_per_s']:,.0f}" for each in drains["rounds"])


def _latency_rows(latency: Mapping[str, Any]) -> list[str]:
    return [
        f"| {design}, {moment} | {_spread(found[moment])} | {_percent(found['idle_percent'])} |"
        for design, found in latency.items()
        for moment in ("received", "known")
    ]


def _spread(spread: Mapping[str, float]) -> str:
    return " | ".join(f"{spread[name]:.1f}" for name in ("p50_ms", "p99_ms", "max_ms"))


def _percent(figure: float | None) -> str:
    return "?" if figure is None else f"{figure:.0f} %"


def verdict(goal: Mapping[str, Any]) -> str:
    return "reached" if goal["reached"] else "**missed**"


def where(report: Mapping[str, Any]) -> str:
    """On which machine, and with which parameters: the end of every page."""
    return _WHERE.format(
        machine="\n".join(f"| {name} | {value} |" for name, value in _facts(report["machine"])),
        parameters="\n".join(
            f"- {name}: {value}" for name, value in {**report["parameters"], **report["settings"]}.items()
        ),
    )


def _facts(machine: Mapping[str, Any]) -> list[tuple[str, Any]]:
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    return [
        ("CPUs", machine["cpus"]),
        ("system", machine["system"]),
        ("Python", machine["python"]),
        ("SQLite", machine["sqlite"]),
        ("Redis", machine["redis_server"]),
        ("packages", packages),
        ("one fsync of 4 KiB", f"{machine['fsync_ms']} ms"),
        ("load before the run (1 min)", machine["load_1min"]),
    ]
