"""The benchmark tells everything it promises, and what it measured was applied exactly once. Speed is not asserted."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sxg.bench.measuring import check_exactly_once
from sxg.bench.origin import changes
from sxg.bench.rig import ENGINE, NAIVE, Rig
from sxg.failures import CommandFailed

TINY = ["--events", "60", "--tasks", "12", "--naive-events", "25", "--rounds", "2", "--rate", "20", "--seconds", "0.5"]


def test_the_report_is_complete(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sxg", "bench", "sync", *TINY, "--output", str(tmp_path / "out"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert json.loads((tmp_path / "out" / "bench-sync.json").read_text()) == report
    assert report["parameters"] == {
        "events": 60, "tasks": 12, "naive_events": 25, "rounds": 2, "rate_per_s": 20, "latency_s": 0.5,
    }  # fmt: skip
    assert [len(report[design]["rounds"]) for design in (ENGINE, NAIVE)] == [2, 2]
    assert report["ratio"] == pytest.approx(
        report["engine"]["events_per_s"] / report["naive"]["events_per_s"], abs=0.06
    )
    assert 0 < report["p50_ms"] <= report["p99_ms"] <= report["latency"][ENGINE]["known"]["max_ms"]
    for design in (ENGINE, NAIVE):
        latency = report["latency"][design]
        assert latency["events"] == 10
        assert latency["idle_percent"] is None or 0 <= latency["idle_percent"] <= 100
        assert 0 < latency["received"]["p50_ms"] < latency["known"]["p50_ms"]
    assert report["settings"]["synchronous"] == "FULL"
    assert report["machine"]["cpus"] and report["machine"]["packages"]["rq"] and report["machine"]["fsync_ms"] > 0
    assert set(report["goals"]) == {"ratio", "p99_ms"}
    page = (tmp_path / "out" / "bench-sync.md").read_text()
    assert f"**{report['ratio']:,.1f}**" in page
    assert "Python" in page


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("bench") / "rig") as made:
        yield made


_OURS = "stream_id in (select id from inbox_streams where connection_id = :connection)"


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (f"delete from inbox_messages where sequence = 3 and {_OURS}", "6 events are not in the consumer's inbox"),
        ("delete from task_states where sequence = 3 and connection_id = :connection", "timelines are not what was"),
        (
            "update task_states set sequence = 9 where sequence = 3 and connection_id = :connection",
            "timelines are not what was",
        ),
        ("update inbox_streams set digest = zeroblob(32) where connection_id = :connection", "the digests of the two"),
    ],
)
def test_what_was_not_applied_exactly_once_makes_no_figure(rig: Rig, damage: str, told: str) -> None:
    engine = rig.designs[-1]
    connection_id = engine.origin.connect(rig.consumer)
    engine.origin.record(changes(connection_id, 30, 6))
    engine.release(connection_id)
    rig.wait_applied(engine, connection_id, 30)
    rig.wait_settled(engine, connection_id, 30)
    check_exactly_once(rig, engine, connection_id, 30)
    with closing(sqlite3.connect(rig.consumer.directory / "data.db")) as consumer, consumer:
        consumer.execute(damage, {"connection": connection_id.replace("-", "")})
    with pytest.raises(CommandFailed, match=told):
        check_exactly_once(rig, engine, connection_id, 30)
