"""The benchmark of intake tells all it promises, and counts only what was ordered once. Speed is not asserted."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from sxg.bench.intake import check_same_rows
from sxg.bench.intake_load import Taken, submit
from sxg.bench.intake_rig import BARE, INTAKE, IntakeRig
from sxg.failures import CommandFailed
from tests.postgres import fresh_database

TINY = ["--orders", "12", "--rounds", "2", "--clients", "3"]
ROWS = {
    "provider_tasks": 1, "customer_orders": 1, "order_lines": 1, "order_state_changes": 3, "outbox_events": 3,
    "streams": 1, "deliveries": 3, "idempotency_records": 1,
}  # fmt: skip


def run(output: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sxg", "bench", "intake", *TINY, "--output", str(output), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_the_report_is_complete(tmp_path: Path) -> None:
    done = run(tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert json.loads((tmp_path / "bench-intake.json").read_text()) == report
    assert report["parameters"] == {"orders": 12, "rounds": 2, "clients": 3}
    assert report["ratio"] == pytest.approx(report[INTAKE]["orders_per_s"] / report[BARE]["orders_per_s"], abs=0.002)
    for design in (INTAKE, BARE):
        assert [each["orders"] for each in report[design]["rounds"]] == [12, 12]
        assert all(each["orders_per_s"] > 0 for each in report[design]["rounds"])
    assert report["goals"] == {"ratio": {"at_least": 0.5, "reached": report["ratio"] >= 0.5}}
    assert report["settings"]["database"] == "sqlite"
    assert report["settings"]["synchronous"] == "FULL"
    assert report["settings"]["rows for each order"] == ROWS
    assert report["machine"]["cpus"] and report["machine"]["packages"]["gunicorn"]
    page = (tmp_path / "bench-intake.md").read_text()
    assert f"**Ratio {report['ratio']:.2f}.**" in page
    assert f"at least 0.5, {'reached' if report['goals']['ratio']['reached'] else 'MISSED'}" in page


def test_a_postgresql_is_measured_as_well_and_told_apart(postgres_server: str, tmp_path: Path) -> None:
    with fresh_database(postgres_server) as url:
        done = run(tmp_path, "--json", "--database", url)
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert report["settings"]["database"] == "postgresql"
        assert report["settings"]["rows for each order"] == ROWS
        assert (tmp_path / "bench-intake-postgresql.md").exists()
        again = run(tmp_path, "--database", url)
    assert again.returncode != 0
    assert "holds connections already" in again.stderr


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IntakeRig]:
    with IntakeRig(tmp_path_factory.mktemp("bench")) as made:
        yield made


def take(rig: IntakeRig, name: str) -> Taken:
    return submit(rig.targets[name], rig.next_numbers(6), 2)


def execute(rig: IntakeRig, statement: str) -> None:
    with rig.database.transaction() as session:
        session.execute(text(statement))


@pytest.mark.parametrize("name", [INTAKE, BARE])
def test_an_acknowledged_request_without_its_order_makes_no_figure(rig: IntakeRig, name: str) -> None:
    taken = take(rig, name)
    rig.check_exactly_once(taken)
    task_id, number = next(iter(taken.orders.items()))
    forged = Taken(name, {**taken.orders, task_id: f"{number}9"}, taken.seconds)
    with pytest.raises(CommandFailed, match="1 of 6 acknowledged requests have no order, or another one"):
        rig.check_exactly_once(forged)


def test_an_order_that_nobody_asked_for_makes_no_figure(rig: IntakeRig) -> None:
    taken = take(rig, INTAKE)
    consumer = rig.targets[INTAKE].connection_id.replace("-", "")
    execute(rig, f"update customer_orders set connection_id = '{consumer}' where number like 'BARE%'")
    with pytest.raises(CommandFailed, match="there are orders that nobody asked for"):
        rig.check_exactly_once(taken)
    other = rig.targets[BARE].connection_id.replace("-", "")
    execute(rig, f"update customer_orders set connection_id = '{other}' where number like 'BARE%'")


def test_endpoints_that_write_other_rows_are_not_compared(rig: IntakeRig) -> None:
    lost = "delete from order_lines where id = new.id"
    execute(rig, f"create trigger lost after insert on order_lines when new.number like 'BARE%' begin {lost}; end")
    with pytest.raises(CommandFailed, match="do not write the same rows"):
        check_same_rows(rig)
    execute(rig, "drop trigger lost")


def test_a_refused_request_makes_no_figure(rig: IntakeRig) -> None:
    numbers = rig.next_numbers(1)
    submit(rig.targets[INTAKE], numbers, 1)
    with pytest.raises(CommandFailed, match="answered 409"):
        submit(rig.targets[INTAKE], numbers, 1)
