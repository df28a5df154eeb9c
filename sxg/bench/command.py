"""`sxg bench sync`: how much faster and how much later is the batched engine than one job per event?"""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from bridge.draining import Limits
from sxg.bench import report, scale_report
from sxg.bench.measuring import measure_latency, measure_rounds
from sxg.bench.page import render_page
from sxg.bench.report import Parameters
from sxg.bench.rig import ENGINE, NAIVE, Rig
from sxg.bench.scale_command import Options, run_costs, run_crowds

_QUICK = Parameters(events=4000, tasks=400, naive_events=200, rounds=1, rate_per_s=20, latency_s=3.0)


class Numbers(click.ParamType[list[int]]):
    """Numbers with commas between them, each once, ascending."""

    name = "numbers"

    def __init__(self, least: int, most: int) -> None:
        self._each = click.IntRange(least, most)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        parts: list[Any] = [part.strip() for part in str(value).split(",")]
        return sorted({self._each.convert(part, param, ctx) for part in parts})


def _check_server(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.startswith(("postgresql://", "postgresql+psycopg://")):
        raise click.BadParameter("a PostgreSQL URL begins with postgresql://")
    return value


@click.command()
@click.option(
    "--events", type=click.IntRange(1, 1_000_000), default=None, show_default="20000; 5000 with --rows",
    help="Engine's backlog.",
)  # fmt: skip
@click.option(
    "--tasks", type=click.IntRange(1, 1_000_000), default=2_000, show_default=True, help="Streams it is over."
)
@click.option(
    "--naive-events", type=click.IntRange(1, 1_000_000), default=1_500, show_default=True, help="Baseline's backlog."
)
@click.option(
    "--rounds", type=click.IntRange(1, 100), default=None, show_default="2; 5 with --rows",
    help="Everything that is compared is in each.",
)  # fmt: skip
@click.option("--rate", type=click.IntRange(1, 1000), default=20, show_default=True, help="Commits/s for the latency.")
@click.option("--seconds", type=click.FloatRange(0.1, 3600), default=15.0, show_default=True, help="... and how long.")
@click.option("--consumers", type=Numbers(1, 1000), help="Measure this instead: the backlog over so many connections.")
@click.option("--rows", type=Numbers(10, 10_000_000), help="Measure this instead: beside so many delivered events.")
@click.option(
    "--postgres-url", callback=_check_server,
    help="With --consumers or --rows: a server on which the provider's databases are made, and dropped again.",
)  # fmt: skip
@click.option("--quick", is_flag=True, help="A run of some 20 s for a first look; it sets all of the above.")
@click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), default=Path("reports"), show_default=True,
    help="Where bench-sync.json and bench-sync.md are written.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def sync(
    *,
    consumers: list[int] | None,
    rows: list[int] | None,
    postgres_url: str | None,
    quick: bool,
    output: Path,
    as_json: bool,
    **work: Any,
) -> None:
    """Measure synchronisation on this machine, all guarantees on, beside one RQ job and one POST per event.

    Starts everything it needs on free ports, and removes it again. About two minutes.

    \b
    Examples:
      sxg bench sync --quick
      sxg bench sync --rounds 5 --output /tmp/report
      sxg bench sync --consumers 1,10,100
      sxg bench sync --rows 1000,10000,100000,1000000
    """
    if consumers or rows:
        if quick:
            raise click.UsageError("--quick sets what is measured beside the baseline; give --events and --rounds")
        options = Options(
            work["events"], work["tasks"], work["rounds"], work["rate"], work["seconds"], postgres_url, output
        )
        _measure_scale(consumers, rows, options, as_json=as_json)
        return
    if postgres_url:
        raise click.UsageError("--postgres-url goes with --consumers or --rows")
    parameters = _QUICK if quick else _parameters(**work)
    found = measure(parameters, _say)
    data, page = report.write(found, render_page(found), output)
    _say(f"written: {data}, {page}")
    click.echo(json.dumps(found, indent=2) if as_json else _summary(found))


def _parameters(
    *, events: int | None, tasks: int, naive_events: int, rounds: int | None, rate: int, seconds: float
) -> Parameters:
    return Parameters(events or 20_000, tasks, naive_events, rounds or 2, rate, seconds)


def _measure_scale(consumers: list[int] | None, rows: list[int] | None, options: Options, *, as_json: bool) -> None:
    """Each that was asked for; its report is printed when it is there."""
    runs = [(run_crowds, consumers, scale_report.summary_of_crowds), (run_costs, rows, scale_report.summary_of_costs)]
    for run, numbers, summary in runs:
        if numbers:
            found = run(numbers, options, _say)
            click.echo(json.dumps(found, indent=2) if as_json else summary(found))


def _say(line: str) -> None:
    click.echo(line, err=True)


def measure(parameters: Parameters, say: Callable[[str], None]) -> dict[str, Any]:
    """The report of one run. Raises CommandFailed when an event was lost, doubled, or did not come."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sxg-bench-") as name:
        directory = Path(name)
        say("starting a consumer, Redis, a worker for each design ...")
        rig = Rig(directory)
        machine = report.describe_machine(directory, rig.redis.command)
        with rig:
            counts = {ENGINE: parameters.events, NAIVE: parameters.naive_events}
            rounds = measure_rounds(rig, counts, parameters.tasks, parameters.rounds, say)
            latencies = []
            for design in rig.designs:
                say(f"latency: {design.name}, {parameters.rate_per_s} commits/s for {parameters.latency_s:g} s")
                latencies.append(measure_latency(rig, design, parameters.rate_per_s, parameters.latency_s))
            settings = _settings(rig)
    found = report.describe(parameters, machine, settings, rounds, latencies)
    return {**found, "took_s": round(time.monotonic() - started, 1)}


def _settings(rig: Rig) -> dict[str, Any]:
    limits = Limits()
    return {
        "synchronous": rig.designs[0].origin.synchronous(),
        "batch_events": limits.batch_events,
        "batch_bytes": limits.batch_bytes,
        "lease_s": limits.lease_s,
        "workers": "1 RQ SimpleWorker for each design",
        "consumer": "gunicorn gthread, 1 process, 8 threads",
    }


def _summary(found: dict[str, Any]) -> str:
    known = found["latency"][ENGINE]["known"]
    goals = found["goals"]
    words = {True: "reached", False: "MISSED"}
    return (
        f"engine  {found['engine']['events_per_s']:>10,.0f} events/s\n"
        f"naive   {found['naive']['events_per_s']:>10,.0f} events/s\n"
        f"ratio   {found['ratio']:>10,.1f}   goal: at least {goals['ratio']['at_least']:g}, "
        f"{words[goals['ratio']['reached']]}\n"
        f"p50     {known['p50_ms']:>10.1f} ms\n"
        f"p99     {known['p99_ms']:>10.1f} ms goal: at most {goals['p99_ms']['at_most']:g} ms, "
        f"{words[goals['p99_ms']['reached']]}"
    )
