"""`sxg bench intake`: how many orders per second are taken in, beside an endpoint that only inserts the same rows?"""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sxg.bench import intake_report, report
from sxg.bench.intake_load import Taken, submit
from sxg.bench.intake_report import Parameters, Round
from sxg.bench.intake_rig import BARE, INTAKE, WEB_PROCESSES, WEB_THREADS, IntakeRig
from sxg.bench.measuring import idle_percent_between, processor_ticks
from sxg.databases import check_url
from sxg.failures import CommandFailed

_QUICK = Parameters(orders=300, rounds=3, clients=8)
_WARM_UP_ORDERS = 40

Say = Callable[[str], None]


@click.command()
@click.option(
    "--orders", type=click.IntRange(1, 100_000), default=1500, show_default=True, help="Of each endpoint and round."
)
@click.option("--rounds", type=click.IntRange(1, 100), default=5, show_default=True, help="Both endpoints in each.")
@click.option("--clients", type=click.IntRange(1, 256), default=8, show_default=True, help="That submit at once.")
@click.option(
    "--database", "database_url", metavar="URL",
    help="An empty PostgreSQL database, which is filled. Without it: a SQLite file, which is removed again.",
)  # fmt: skip
@click.option("--quick", is_flag=True, help="A run of some 20 s for a first look; it sets the numbers above.")
@click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), default=Path("reports"), show_default=True,
    help="Where bench-intake.json and .md are written; with --database bench-intake-postgresql.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def intake(
    *, orders: int, rounds: int, clients: int, database_url: str | None, quick: bool, output: Path, as_json: bool
) -> None:
    """Measure how fast orders are taken in on this machine, beside a bare endpoint that inserts the same rows.

    Starts everything it needs on free ports, and removes it again. About two minutes.

    \b
    Examples:
      sxg bench intake --quick
      sxg bench intake --database postgresql://sxg:...@localhost/bench --output /tmp/report
    """
    if database_url:
        check_url(database_url)
    parameters = _QUICK if quick else Parameters(orders, rounds, clients)
    found = measure(parameters, database_url, lambda line: click.echo(line, err=True))
    name = "bench-intake" + ("" if found["settings"]["database"] == "sqlite" else "-postgresql")
    data, page = report.write(found, intake_report.render_page(found), output, name)
    click.echo(f"written: {data}, {page}", err=True)
    click.echo(json.dumps(found, indent=2) if as_json else intake_report.summary(found))


def measure(parameters: Parameters, database_url: str | None, say: Say) -> dict[str, Any]:
    """The report of one run. Raises CommandFailed when a request was not accepted, or is not exactly one order."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sxg-bench-") as name:
        directory = Path(name)
        say("starting Redis, the provider and the bare endpoint ...")
        rig = IntakeRig(directory, database_url)
        machine = report.describe_machine(directory, rig.redis.command)
        with rig:
            rows = check_same_rows(rig)
            rounds = _measure_rounds(rig, parameters, say)
            settings = {
                **rig.describe_database(),
                "web server": f"gunicorn gthread, {WEB_PROCESSES} process, {WEB_THREADS} threads, for each endpoint",
                "rows for each order": rows,
            }
    found = intake_report.describe(parameters, machine, settings, rounds)
    return {**found, "took_s": round(time.monotonic() - started, 1)}


def check_same_rows(rig: IntakeRig) -> dict[str, int]:
    """Warm up; how many rows an order is made of, by table. Raises CommandFailed where the endpoints differ."""
    written = {}
    for name in (INTAKE, BARE):
        before = rig.count_rows()
        _take(rig, name, _WARM_UP_ORDERS, clients=4)
        after = rig.count_rows()
        written[name] = {table: (after[table] - before[table]) / _WARM_UP_ORDERS for table in after}
    if written[INTAKE] != written[BARE]:
        raise CommandFailed(f"the endpoints do not write the same rows: {written}")
    return {table: round(count) for table, count in written[INTAKE].items()}


def _measure_rounds(rig: IntakeRig, parameters: Parameters, say: Say) -> list[Round]:
    """Both endpoints in each round; the one that was last goes first in the next."""
    found, order = [], [INTAKE, BARE]
    for number in range(1, parameters.rounds + 1):
        for name in order:
            ticks = processor_ticks()
            taken = _take(rig, name, parameters.orders, parameters.clients)
            idle_percent = idle_percent_between(ticks, processor_ticks())
            found.append(Round(name, len(taken.orders), taken.seconds, idle_percent))
            say(f"round {number}/{parameters.rounds}: {name}, {taken.orders_per_s:,.0f} orders/s, each exactly once")
        order.reverse()
    return found


def _take(rig: IntakeRig, name: str, orders: int, clients: int) -> Taken:
    taken = submit(rig.targets[name], rig.next_numbers(orders), clients)
    rig.check_exactly_once(taken)
    return taken
