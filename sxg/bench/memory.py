"""`sxg bench memory`: how much memory do a provider and one consumer with all their processes take, after some work?

Counted is the proportional set size (PSS) of every process: a page that n processes share counts 1/n for each, so the
sum is what the machine would have free without them. Megabytes are 10^6 bytes.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from sxg.bench.day import work_a_day
from sxg.bench.report import describe_machine
from sxg.deployment import Deployment
from sxg.failures import CommandFailed

GOAL_MB = 500.0
SHARED, SEPARATE = "shared", "separate"
_SETTINGS = {"SXG_SWEEP_S": "1"}
_SETTLE_S = 3.0
"""For the sweepers to have looked, and whatever was started to have ended."""


@dataclass(frozen=True, slots=True)
class Process:
    """`program` is as the supervisor calls it; several processes may belong to one."""

    program: str
    pid: int
    pss_mb: float
    private_mb: float


@click.command()
@click.option("--orders", type=click.IntRange(1, 1000), default=5, show_default=True, help="The day's work.")
@click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), default=Path("reports"), show_default=True,
    help="Where bench-memory.json and bench-memory.md are written.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def memory(*, orders: int, output: Path, as_json: bool) -> None:
    """Measure the memory of a provider and one consumer, as the supervisor starts them and each process by itself.

    Starts everything it needs on free ports, and removes it again. Under a minute. Linux only.

    \b
    Examples:
      sxg bench memory
      sxg bench memory --orders 50 --output /tmp/report
    """
    if sys.platform != "linux":
        raise CommandFailed("memory is read from /proc/PID/smaps_rollup, which only Linux has")
    found = measure(orders, lambda line: click.echo(line, err=True))
    data, page = _write(found, output)
    click.echo(f"written: {data}, {page}", err=True)
    click.echo(json.dumps(found, indent=2) if as_json else _render_page(found))


def measure(orders: int, say: Callable[[str], None]) -> dict[str, Any]:
    """The report of one run. Raises CommandFailed when a process had to be started again."""
    with tempfile.TemporaryDirectory(prefix="sxg-bench-") as name:
        processes = {}
        for how in (SEPARATE, SHARED):
            say(f"{how}: starting a provider and a consumer, {orders} orders ...")
            deployment = Deployment(Path(name) / how, settings=_SETTINGS, shared=how == SHARED)
            machine = describe_machine(Path(name), deployment.redis.command)
            with deployment:
                work_a_day(deployment, orders)
                time.sleep(_SETTLE_S)
                processes[how] = list_processes(deployment)
    total_mb = {how: round(sum(one.pss_mb for one in listed), 1) for how, listed in processes.items()}
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "pss_mb": total_mb[SHARED],
        "separate_pss_mb": total_mb[SEPARATE],
        "goal": {"at_most_mb": GOAL_MB, "reached": total_mb[SHARED] <= GOAL_MB},
        "processes": {how: [asdict(one) for one in listed] for how, listed in processes.items()},
        "parameters": {"orders": orders},
        "machine": machine,
    }


def list_processes(deployment: Deployment) -> list[Process]:
    """Every process of a running deployment. Raises CommandFailed when one was lost and started again, or is away."""
    supervisor = deployment.supervisor
    died = [name for name in deployment.programs if supervisor.starts(name) != 1 or supervisor.pid(name) is None]
    if died:
        raise CommandFailed(f"{', '.join(died)} had to be started again")
    roots = {name: supervisor.pid(name) for name in deployment.programs}
    if supervisor.fork_server_pid is not None:
        roots["fork server"] = supervisor.fork_server_pid
    found: dict[int, str] = {}
    try:
        for name, pid in roots.items():  # the fork server comes last: what it forked has names of its own
            for each in _tree(pid):
                found.setdefault(each, name)
        return [_measure_process(name, pid) for pid, name in found.items()]
    except (FileNotFoundError, ProcessLookupError) as error:
        raise CommandFailed(f"a process had to be started again while it was measured: {error}") from None


def _tree(pid: int | None) -> Iterator[int]:
    """The process and its descendants."""
    if pid is None:
        return
    yield pid
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            yield from _tree(int(child))


def _measure_process(program: str, pid: int) -> Process:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    bytes_of = {name: int(value.split()[0]) * 1024 for name, value in (line.split(":") for line in lines)}
    private = bytes_of["Private_Dirty"] + bytes_of["Private_Clean"]
    return Process(program, pid, round(bytes_of["Pss"] / 1e6, 1), round(private / 1e6, 1))


def _write(found: Mapping[str, Any], directory: Path) -> tuple[Path, Path]:
    directory.mkdir(parents=True, exist_ok=True)
    data, page = directory / "bench-memory.json", directory / "bench-memory.md"
    data.write_text(json.dumps(found, indent=2) + "\n")
    page.write_text(_render_page(found))
    return data, page


_PAGE = """\
# Memory, measured

{measured_at}, commit {commit}. Repeat with `sxg bench memory`; `benchmarks/README.md` explains what is counted.

A provider and one consumer with all their processes, after {orders} orders: **{pss_mb:.0f} MB** PSS.
Goal: at most {goal:g} MB: {reached}. Each process started by itself: {separate_pss_mb:.0f} MB.

| program | PSS, MB | of it private | PSS when started by itself |
|---|---:|---:|---:|
{rows}

Linux ({system}), Python {python}.
"""


def _render_page(found: Mapping[str, Any]) -> str:
    shared, separate = (_by_program(found["processes"][how]) for how in (SHARED, SEPARATE))
    rows = [
        f"| {name} | {pss_mb:.1f} | {private_mb:.1f} | {f'{separate[name][0]:.1f}' if name in separate else ''} |"
        for name, (pss_mb, private_mb) in shared.items()
    ]
    return _PAGE.format(
        measured_at=found["measured_at"],
        commit=found["machine"]["commit"] or "unknown",
        orders=found["parameters"]["orders"],
        pss_mb=found["pss_mb"],
        goal=found["goal"]["at_most_mb"],
        reached="reached" if found["goal"]["reached"] else "**missed**",
        separate_pss_mb=found["separate_pss_mb"],
        rows="\n".join(rows),
        system=found["machine"]["system"],
        python=found["machine"]["python"],
    )


def _by_program(processes: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float, float]]:
    """PSS and private memory of each program, a web server's master and workers together."""
    sums: dict[str, tuple[float, float]] = {}
    for one in processes:
        pss_mb, private_mb = sums.get(one["program"], (0.0, 0.0))
        sums[one["program"]] = (pss_mb + one["pss_mb"], private_mb + one["private_mb"])
    return sums
