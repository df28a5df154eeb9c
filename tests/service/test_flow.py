"""The flow to a connection in numbers: what waits, what is parked, how old, and whether anybody is at it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from bridge import leases
from bridge.ailments import find_ailments
from bridge.database import Database
from bridge.flow import Flow, read_flows
from bridge.models import Connection, Delivery, Lease, Stream
from tests.toy import NOW, add_connection, make_keyring, record, toy_database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = toy_database(database_url)
    yield database
    database.close()


@pytest.fixture
def connection_id(database: Database, tmp_path: Path) -> str:
    with database.transaction() as session:
        return add_connection(session, make_keyring(tmp_path))


def only_flow(database: Database) -> Flow:
    with database.reading() as session:
        (flow,) = read_flows(session)
    return flow


def park(database: Database, sequence: int, *, at_head: bool) -> None:
    with database.transaction() as session:
        session.execute(update(Delivery).where(Delivery.sequence == sequence).values(state="parked", error="no"))
        if at_head:
            session.execute(update(Stream).values(due_at=None, blocked_by=sequence, head=sequence))


def test_a_connection_with_nothing_to_send_waits_for_nothing(database: Database, connection_id: str) -> None:
    flow = only_flow(database)
    assert (flow.connection_id, flow.state) == (connection_id, "active")
    assert (flow.waiting, flow.parked, flow.oldest_at, flow.due_at, flow.lease_left_s) == (0, 0, None, None, None)
    assert not flow.is_overdue(NOW + timedelta(days=1), 30)


def test_waiting_events_are_counted_and_the_oldest_is_known(database: Database, connection_id: str) -> None:
    with database.transaction() as session:
        record(session, connection_id, "bear", 3)
        record(session, connection_id, "robot", 2, NOW - timedelta(hours=1))
    flow = only_flow(database)
    assert (flow.waiting, flow.parked, flow.oldest_at) == (5, 0, NOW - timedelta(hours=1))
    assert flow.is_overdue(NOW + timedelta(seconds=31), 30)


def test_what_waits_for_long_although_they_answer_is_wrong(database: Database, connection_id: str) -> None:
    with database.transaction() as session:
        record(session, connection_id, "bear", 2)
        session.add(Lease(connection_id=connection_id))
    flow = only_flow(database)
    assert find_ailments(flow, NOW + timedelta(minutes=5)) == []
    (late,) = find_ailments(flow, NOW + timedelta(minutes=6))
    assert (late.kind, late.fault) == ("late", "late: of 2 waiting the oldest is from 6 min ago")
    for values in ({"state": "paused"}, {"state": "active"}):
        with database.transaction() as session:
            session.execute(update(Connection).values(values))
            session.execute(update(Lease).values(failures=1, failing_since=NOW))
        kinds = [one.kind for one in find_ailments(only_flow(database), NOW + timedelta(hours=1))]
        assert kinds == ["paused" if values["state"] == "paused" else "failing"], "that says more"


def test_what_waits_behind_a_parked_event_waits(database: Database, connection_id: str) -> None:
    with database.transaction() as session:
        record(session, connection_id, "bear", 3)
    park(database, 1, at_head=True)
    flow = only_flow(database)
    assert (flow.waiting, flow.parked, flow.oldest_at) == (2, 1, None)
    assert not flow.is_overdue(NOW + timedelta(days=1), 30), "people must act, not a worker"


def test_an_event_parked_before_its_turn_is_counted_once(database: Database, connection_id: str) -> None:
    with database.transaction() as session:
        record(session, connection_id, "bear", 3)
    park(database, 3, at_head=False)
    assert (only_flow(database).waiting, only_flow(database).parked) == (2, 1)


def test_each_connection_has_its_own_figures(database: Database, connection_id: str, tmp_path: Path) -> None:
    with database.transaction() as session:
        other = add_connection(session, make_keyring(tmp_path), number_prefix="B", client_id="b")
        record(session, other, "bear", 4)
    with database.reading() as session:
        assert {flow.connection_id: flow.waiting for flow in read_flows(session)} == {connection_id: 0, other: 4}


def test_the_breaker_and_the_lease_are_told(database: Database, connection_id: str) -> None:
    with database.transaction() as session:
        record(session, connection_id, "bear")
        assert leases.acquire(session, connection_id, lease_s=30)
        learnt = {
            "failures": 4,
            "failing_since": NOW,
            "not_before": NOW + timedelta(minutes=5),
            "last_error": "refused",
        }
        session.execute(update(Lease).values(learnt))
    flow = only_flow(database)
    assert (flow.failures, flow.failing_since, flow.last_error) == (4, NOW, "refused")
    assert flow.lease_left_s == pytest.approx(30, abs=5)
    assert not flow.is_overdue(NOW + timedelta(days=1), 30), "somebody is at it"
    with database.transaction() as session:
        session.execute(update(Lease).values(deadline_s=Lease.deadline_s - 60))
    flow = only_flow(database)
    assert flow.lease_left_s == pytest.approx(-30, abs=5)
    assert not flow.is_overdue(NOW + timedelta(minutes=5), 30), "the next probe is not due"
    assert flow.is_overdue(NOW + timedelta(minutes=5, seconds=31), 30)
