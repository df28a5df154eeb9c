"""The benchmark tells everything it promises, and what it measured was applied exactly once. Speed is not asserted."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from sxg.bench.history import write_history
from sxg.bench.measuring import check_exactly_once
from sxg.bench.origin import STEPS, Change, changes
from sxg.bench.pair import Pair
from sxg.bench.rig import ENGINE, NAIVE, Rig
from sxg.bench.scale import Mark, check_arrived
from sxg.cli import main
from sxg.embedded import EmbeddedRedis
from sxg.failures import CommandFailed

TINY = ["--events", "60", "--tasks", "12", "--naive-events", "25", "--rounds", "2", "--rate", "20", "--seconds", "0.5"]


def test_the_report_is_complete(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sxg", "bench", "sync", *TINY, "--output", str(tmp_path / "out"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
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


def run_bench(*options: str, output: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sxg", "bench", "sync", *options, "--output", str(output), "--json"]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_the_report_of_many_consumers_is_complete(tmp_path: Path) -> None:
    tiny = ["--events", "60", "--tasks", "12", "--rounds", "2", "--rate", "20", "--seconds", "0.5"]
    done = run_bench("--consumers", "3,1", *tiny, output=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert json.loads((tmp_path / "bench-sync-consumers.json").read_text()) == report
    assert [each["consumers"] for each in report["consumers"]] == [1, 3]
    for each in report["consumers"]:
        assert each["events"] == 60 and len(each["rounds"]) == 2 and each["applied_exactly_once"]
        assert 0 < each["finished_s"]["first"] <= each["finished_s"]["median"] <= each["finished_s"]["slowest"]
        assert each["slowest_by_median"] >= 1
        assert 0 < each["p50_ms"] <= each["p99_ms"] <= each["max_ms"]
    assert report["consumers"][0]["slowest_by_median"] == 1
    page = (tmp_path / "bench-sync-consumers.md").read_text()
    assert f"| 3 | {report['consumers'][1]['events_per_s']:,.0f} |" in page


def check_costs(report: dict[str, Any], tmp_path: Path, name: str, rounds: int) -> None:
    assert json.loads((tmp_path / f"{name}.json").read_text()) == report
    assert [each["rows"] for each in report["rows"]] == [10, 200]
    for each in report["rows"]:
        # The warm-up is in it, and the rounds that went before; what has grown by a quarter is made anew.
        assert all(each["rows"] < before <= each["rows"] * 1.25 + 100 for before in each["rows_before"])
        assert len(each["rounds_us"]["wall"]) == rounds and each["applied_exactly_once"]
        assert each["us_per_event"]["wall"] == pytest.approx(sum(each["rounds_us"]["wall"]) / rounds, abs=0.2)
        assert each["peak_mb"]["provider-worker"] > 10 and each["peak_mb"]["consumer-web"] > 10
    assert set(report["rows"][0]["growth"].values()) == {1.0}
    for cost in ("wall", "cpu", "recording"):
        growths = [each["growth"][cost] for each in report["rows"]]
        assert report["spread"][cost] == pytest.approx(max(growths) / min(growths), abs=0.002)
        assert report["goals"][cost] == {"at_most": 1.2, "reached": report["spread"][cost] <= 1.2}
    assert (
        f"goal at most 1.2: {'reached' if report['goals']['wall']['reached'] else '**missed**'}"
        in (tmp_path / f"{name}.md").read_text()
    )


TINY_ROWS = ["--rows", "10,200", "--events", "100"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process uses in /proc")
def test_the_report_of_a_long_history_is_complete(tmp_path: Path, postgres_server: str) -> None:
    """On PostgreSQL, where it writes the history another way; that it is written on SQLite, too, is told below."""
    done = run_bench(*TINY_ROWS, "--rounds", "2", "--postgres-url", postgres_server, output=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    check_costs(report, tmp_path, "bench-sync-rows-postgresql", rounds=2)
    assert report["settings"]["provider_database"].startswith("PostgreSQL")
    with psycopg.connect(postgres_server.replace("+psycopg", "", 1)) as connection:
        left = connection.execute("select datname from pg_database where datname like 'sxg_bench_%'").fetchall()
    assert left == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--rows", "5"], "5 is not in the range"),
        (["--consumers", "1,many"], "'many' is not a valid integer"),
        (["--postgres-url", "postgresql://127.0.0.1/x"], "goes with --consumers or --rows"),
        (["--rows", "10", "--postgres-url", "redis://127.0.0.1"], "begins with postgresql://"),
        (["--rows", "10", "--quick"], "--quick"),
    ],
)
def test_what_cannot_be_measured_is_told_before_anything_starts(tmp_path: Path, options: list[str], told: str) -> None:
    done = CliRunner().invoke(main, ["bench", "sync", *options, "--output", str(tmp_path)])
    assert done.exit_code == 2
    assert told in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_written_history_is_what_the_engine_leaves(tmp_path: Path) -> None:
    """The same order once written and once sent: every table holds the same, but for ids, times and what grows of
    them.
    """
    with EmbeddedRedis(tmp_path / "redis") as redis:
        found = []
        for name in ("written", "sent"):
            with Pair(tmp_path / name, redis) as pair:
                connection_id = pair.origin.connect(pair.consumer)
                if name == "written":
                    assert write_history(pair.origin, pair.inbox, connection_id, STEPS) == 1
                else:
                    with pair.running() as processes:
                        for step in range(STEPS):  # one by one, as a history of years has it
                            pair.origin.record([Change(connection_id, 0, step)])
                            pair.drain(processes, [connection_id])
                found.append({table: _rows(pair, table) for table in (*SENT, *RECEIVED)})
                digests = pair.origin.digests(connection_id)
                assert digests == pair.arrivals.digests(connection_id) and len(digests) == 1
    written, sent = found
    for table in (*SENT, *RECEIVED):
        assert written[table] == sent[table], table


SENT = ("outbox_events", "streams", "deliveries", "attempts")
RECEIVED = ("inbox_streams", "inbox_messages", "provider_tasks", "task_states")
OWN = {"connection_id", "task_id", "stream", "digest", "contenthash", "started_at", "duration_s", "occurred_at"} | {
    "settled_at", "at", "received_at", "opened_at", "updated_at",
}  # fmt: skip
HAS_OWN_ID = {"deliveries", "inbox_messages", "provider_tasks"}


def _rows(pair: Pair, table: str) -> list[dict[str, Any]]:
    """What does not differ from order to order. Of JSON, which names ids and times, the shape."""
    side = pair.provider if table in SENT else pair.consumer
    with closing(sqlite3.connect(side.directory / "data.db")) as connection:
        connection.row_factory = sqlite3.Row
        rows = [dict(row) for row in connection.execute(f"select * from {table} order by 1, 2, 3")]
    hidden = OWN | ({"id"} if table in HAS_OWN_ID else set())
    kept = [{name: value for name, value in row.items() if name not in hidden} for row in rows]
    empty = [{name for name in hidden & set(row) if row[name] is None} for row in rows]
    return [{**row, **_shapes(row), "empty": none} for row, none in zip(kept, empty, strict=True)]


def _shapes(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in {"data", "text"} & set(row):
        document = json.loads(row[name])
        found[name] = sorted(document), sorted(document.get("data", {}))
    return found


def test_beside_a_history_too_a_fault_makes_no_figure(tmp_path: Path) -> None:
    """The backlog goes on where the history of its records ended."""
    faults = {
        "update inbox_messages set id = hex(zeroblob(16)) where sequence = 12": "does not hold each event once",
        "delete from task_states where sequence = 11": "timelines are not what was sent",
        "update inbox_streams set digest = zeroblob(32)": "the digests of the two",
        "insert into inbox_messages select 999, sequence, hex(zeroblob(16)), contenthash, received_at "
        "from inbox_messages limit 1": "7 events have come to the consumer's inbox, 6 were recorded",
    }  # fmt: skip
    with EmbeddedRedis(tmp_path / "redis") as redis, Pair(tmp_path / "pair", redis) as pair:
        connection_id = pair.origin.connect(pair.consumer)
        assert write_history(pair.origin, pair.inbox, connection_id, 30) == 3
        made = [Change(connection_id, task, step) for step in (10, 11) for task in range(3)]
        mark = Mark.set(pair)
        with pair.running() as processes:
            pair.origin.record(made)
            pair.drain(processes, [connection_id])
            settled_at = check_arrived(pair, processes, made, mark)
            assert sorted(settled_at[connection_id]) == sorted((change.stream, change.sequence) for change in made)
            for damage, told in faults.items():
                with damaged(pair.consumer.directory / "data.db", damage), pytest.raises(CommandFailed, match=told):
                    check_arrived(pair, processes, made, mark)
            check_arrived(pair, processes, made, mark)


@contextmanager
def damaged(path: Path, statement: str) -> Iterator[None]:
    with closing(sqlite3.connect(path)) as database, closing(sqlite3.connect(":memory:")) as kept:
        database.backup(kept)
        with database:
            assert database.execute(statement).rowcount > 0
        yield
        kept.backup(database)
