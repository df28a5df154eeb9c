"""`sxg bench sync --consumers` and `--rows`: one run of each, from its options to its report."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.draining import Limits
from sxg.bench import report, scale, scale_report
from sxg.bench.scale import Say, Site
from sxg.embedded import EmbeddedRedis

_EVENTS_BESIDE_ROWS, _ROUNDS_BESIDE_ROWS = 5000, 5


@dataclass(frozen=True, slots=True)
class Options:
    """`events` and `rounds` may be left to the measurement: a history is measured with less, but more often."""

    events: int | None
    tasks: int
    rounds: int | None
    rate_per_s: int
    latency_s: float
    server_url: str | None
    output: Path


def run_crowds(counts: Sequence[int], options: Options, say: Say) -> dict[str, Any]:
    """Measure, write `bench-sync-consumers`, and return the report."""
    parameters: dict[str, Any] = {
        "events": options.events or 20_000, "tasks": options.tasks, "rounds": options.rounds or 2,
        "rate_per_s": options.rate_per_s, "latency_s": options.latency_s,
    }  # fmt: skip
    started = time.monotonic()
    with _site(options) as site:
        facts = _facts(site, {"consumers": list(counts), **parameters})
        crowds = scale.measure_crowds(
            site, counts, events=parameters["events"], tasks=options.tasks, rounds=parameters["rounds"],
            per_s=options.rate_per_s, seconds=options.latency_s, say=say,
        )  # fmt: skip
    found = scale_report.describe_crowds(crowds, facts) | {"took_s": round(time.monotonic() - started, 1)}
    _write(found, scale_report.render_crowds, f"--consumers {_listed(counts)}", "consumers", options, say)
    return found


def run_costs(sizes: Sequence[int], options: Options, say: Say) -> dict[str, Any]:
    """Measure, write `bench-sync-rows`, and return the report."""
    events, rounds = options.events or _EVENTS_BESIDE_ROWS, options.rounds or _ROUNDS_BESIDE_ROWS
    started = time.monotonic()
    with _site(options) as site:
        facts = _facts(site, {"rows": list(sizes), "events": events, "rounds": rounds})
        costs = scale.measure_costs(site, sizes, events=events, rounds=rounds, say=say)
    found = scale_report.describe_costs(costs, facts) | {"took_s": round(time.monotonic() - started, 1)}
    _write(found, scale_report.render_costs, f"--rows {_listed(sizes)}", "rows", options, say)
    return found


@contextmanager
def _site(options: Options) -> Iterator[Site]:
    with tempfile.TemporaryDirectory(prefix="sxg-bench-") as name, EmbeddedRedis(Path(name, "redis")) as redis:
        yield Site(Path(name), redis, options.server_url)


def _facts(site: Site, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """On which machine, and how it is set up."""
    with site.pair("settings") as pair:
        origin = pair.origin
        database, synchronous = origin.database_version(), origin.synchronous()
    return {
        "parameters": dict(parameters),
        "settings": {
            "provider_database": database,
            "synchronous": synchronous,
            "batch_events": Limits().batch_events,
            "workers": "1 RQ SimpleWorker, 1 sweeper",
            "consumer": "gunicorn gthread, 1 process, 8 threads, SQLite",
        },
        "machine": report.describe_machine(site.directory, site.redis.command),
    }


def _write(
    found: Mapping[str, Any], render: Callable[[Mapping[str, Any], str], str], mode: str, name: str, options: Options,
    say: Say,
) -> None:  # fmt: skip
    """A run with a server of its own kind does not overwrite the report of SQLite."""
    command = f"sxg bench sync {mode}" + (" --postgres-url URL" if options.server_url else "")
    name = f"bench-sync-{name}" + ("-postgresql" if options.server_url else "")
    data, page = report.write(found, render(found, command), options.output, name)
    say(f"written: {data}, {page}")


def _listed(numbers: Sequence[int]) -> str:
    return ",".join(str(number) for number in numbers)
