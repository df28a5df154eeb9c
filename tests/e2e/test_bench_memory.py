"""The measurement of memory tells everything it promises, and leaves no process out. How much is not asserted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sxg.bench.day import work_a_day
from sxg.bench.memory import list_processes
from sxg.deployment import Deployment
from sxg.failures import CommandFailed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the proportional size")

PROGRAMS = {"redis", *(f"{side}-{role}" for side in ("provider", "consumer")
                       for role in ("web", "worker", "slow", "sweeper"))}  # fmt: skip


def descendants() -> set[int]:
    """All processes below this one, found by asking every process for its parent."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents[int(stat.parent.name)] = int(fields[1]) if fields[0] != "Z" else 0
    found: set[int] = set()
    ours = {os.getpid()}
    while ours := {pid for pid, parent in parents.items() if parent in ours}:
        found |= ours
    return found


def test_the_report_is_complete(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sxg", "bench", "memory", "--orders", "1", "--output", str(tmp_path), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert json.loads((tmp_path / "bench-memory.json").read_text()) == report
    assert report["goal"] == {"at_most_mb": 500, "reached": report["pss_mb"] <= 500}
    assert report["parameters"] == {"orders": 1}
    for how, total_mb in (("shared", report["pss_mb"]), ("separate", report["separate_pss_mb"])):
        processes = report["processes"][how]
        assert total_mb == pytest.approx(sum(one["pss_mb"] for one in processes), abs=0.1)
        assert {one["program"] for one in processes} - {"fork server"} == PROGRAMS
        assert [one["program"] for one in processes].count("provider-web") == 2, "gunicorn's master and its worker"
        assert all(one["pss_mb"] >= one["private_mb"] > 1 for one in processes)
    assert f"**{report['pss_mb']:.0f} MB**" in (tmp_path / "bench-memory.md").read_text()


def test_every_process_of_the_deployment_is_counted_once(tmp_path: Path) -> None:
    before = descendants()
    with Deployment(tmp_path, settings={"SXG_SWEEP_S": "1"}) as deployment:
        work_a_day(deployment, 1)
        pids = [one.pid for one in list_processes(deployment)]
        assert set(pids) == descendants() - before
        assert len(pids) == len(set(pids))

        deployment.supervisor.kill("provider-slow")
        with pytest.raises(CommandFailed, match="had to be started again"):
            while deployment.supervisor.starts("provider-slow") < 3:
                list_processes(deployment)
