"""The flow as it is watched: latency, what was sent lately, the breaker, what passes, what stands still."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, insert, update

from bridge.database import Database
from bridge.flow_recent import ATTEMPTS_LIMIT, Pulse, read_passing, read_pulses, read_queues
from bridge.models import Attempt, Connection, Delivery, Lease, Stream
from tests.toy import NOW, TOY, add_connection, make_keyring, record, toy_database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = toy_database(database_url)
    yield database
    database.close()


@pytest.fixture
def connection_id(database: Database, tmp_path: Path) -> str:
    return add(database, tmp_path)


def add(database: Database, directory: Path, **values: str) -> str:
    with database.transaction() as session:
        return add_connection(session, make_keyring(directory), **values)


def attempt(
    database: Database, connection_id: str, *durations_s: float, outcome: str = "judged", at: datetime = NOW
) -> None:
    rows = [
        {"connection_id": connection_id, "started_at": at, "duration_s": duration_s, "events": 2, "outcome": outcome}
        for duration_s in durations_s
    ]
    with database.transaction() as session:
        session.execute(insert(Attempt), rows)


def hold(database: Database, connection_id: str, not_before: datetime | None) -> None:
    with database.transaction() as session:
        session.merge(Lease(connection_id=connection_id, not_before=not_before, failures=2, last_error="500"))


def only_pulse(database: Database, now: datetime = NOW) -> Pulse:
    with database.reading() as session:
        (pulse,) = read_pulses(session, now)
    return pulse


def test_before_the_first_attempt_there_is_no_latency(database: Database, connection_id: str) -> None:
    pulse = only_pulse(database)
    assert (pulse.flow.connection_id, pulse.breaker, pulse.sent) == (connection_id, "closed", 0)
    assert (pulse.p50_s, pulse.p95_s) == (None, None)


def test_latency_is_that_of_the_newest_attempts(database: Database, connection_id: str) -> None:
    attempt(database, connection_id, *[9.0] * 30)
    attempt(database, connection_id, *[n / 100 for n in range(1, ATTEMPTS_LIMIT + 1)])
    pulse = only_pulse(database)
    assert (pulse.p50_s, pulse.p95_s) == (0.25, 0.48)


def test_each_connection_has_attempts_of_its_own(database: Database, connection_id: str, tmp_path: Path) -> None:
    other = add(database, tmp_path, number_prefix="B", client_id="b")
    attempt(database, connection_id, *[0.5] * (ATTEMPTS_LIMIT + 5))
    attempt(database, other, 2.0)
    with database.reading() as session:
        found = {pulse.flow.connection_id: (pulse.p50_s, pulse.sent_more) for pulse in read_pulses(session, NOW)}
    assert found == {connection_id: (0.5, True), other: (2.0, False)}


def test_only_what_was_answered_within_the_last_minute_counts_as_sent(database: Database, connection_id: str) -> None:
    attempt(database, connection_id, 0.1, 0.1)
    attempt(database, connection_id, 0.1, outcome="failed")
    attempt(database, connection_id, 0.1, at=NOW - timedelta(seconds=61))
    assert only_pulse(database).sent == 4


def test_the_breaker_opens_until_the_next_try_is_due(database: Database, connection_id: str) -> None:
    hold(database, connection_id, NOW + timedelta(seconds=30))
    assert only_pulse(database).breaker == "open"
    assert only_pulse(database, NOW + timedelta(seconds=30)).breaker == "half_open"
    hold(database, connection_id, None)
    assert only_pulse(database).breaker == "closed"


def test_what_is_wrong_is_said(database: Database, connection_id: str) -> None:
    hold(database, connection_id, NOW + timedelta(seconds=30))
    assert "failed 2 times" in only_pulse(database).ailments[0].fault


def test_a_revoked_connection_is_not_watched(database: Database, connection_id: str) -> None:
    with database.transaction() as session:
        session.execute(update(Connection).values(state="revoked"))
    with database.reading() as session:
        assert read_pulses(session, NOW) == []


def test_the_newest_events_pass_newest_first_each_with_its_connection(
    database: Database, connection_id: str, tmp_path: Path
) -> None:
    other = add(database, tmp_path, number_prefix="B", client_id="b", name="other shop")
    with database.transaction() as session:
        record(session, connection_id, "bear", 30)
        record(session, other, "robot", 2)
        session.execute(
            update(Delivery).where(Delivery.connection_id == other).values(state="delivered", settled_at=NOW)
        )
    with database.reading() as session:
        passing = read_passing(session, 5)
    assert [(one.connection, one.stream, one.state) for one in passing] == [
        *[("other shop", "toy/robot", "delivered")] * 2,
        *[("toy shop", "toy/bear", "pending")] * 3,
    ]
    assert (passing[0].type, passing[0].settled_at, passing[0].occurred_at) == (TOY, NOW, NOW)


def test_nothing_passes_before_the_first_event(database: Database, connection_id: str) -> None:
    with database.reading() as session:
        assert read_passing(session) == []


def test_queues_begin_with_those_that_people_must_look_at(database: Database, connection_id: str) -> None:
    with database.transaction() as session:
        record(session, connection_id, "late", 1, NOW)
        record(session, connection_id, "bear", 3, NOW - timedelta(hours=1))
        record(session, connection_id, "early", 2, NOW - timedelta(hours=2))
        stream = session.query(Stream).where(Stream.stream == "toy/bear").one()
        session.execute(
            update(Delivery)
            .where(Delivery.stream_id == stream.id, Delivery.sequence == 1)
            .values(state="parked", error="no such bear")
        )
        stream.due_at, stream.blocked_by = None, 1
    with database.reading() as session:
        queues = read_queues(session, connection_id)
    assert [(one.stream, one.waiting, one.state, one.error) for one in queues] == [
        ("toy/bear", 3, "parked", "no such bear"),
        ("toy/early", 2, "pending", None),
        ("toy/late", 1, "pending", None),
    ]


def test_reading_costs_the_same_number_of_queries_however_many_there_are(
    database: Database, connection_id: str, tmp_path: Path
) -> None:
    def count() -> int:
        seen: list[str] = []

        def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
            seen.append(statement)

        event.listen(database.engine, "before_cursor_execute", note)
        with database.reading() as session:
            read_pulses(session, NOW)
            read_passing(session)
        event.remove(database.engine, "before_cursor_execute", note)
        return len(seen)

    with database.transaction() as session:
        record(session, connection_id, "bear", 2)
    few = count()
    for n in range(5):
        other = add(database, tmp_path, number_prefix=f"P{n}", client_id=f"c{n}")
        with database.transaction() as session:
            record(session, other, "bear", 2)
    assert count() == few
