"""An older receiver is not sent what it does not know: that is held without a number, reported, and never lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from bridge import outbox
from bridge.ailments import find_ailments
from bridge.database import Database
from bridge.flow import read_flow
from bridge.holding import note_spoken
from bridge.models import Connection, Delivery, HeldEvent, OutboxEvent
from bridge.outbox import NewEvent
from bridge.vocabulary import REQUIRED, UNSEQUENCED, EventType
from tests.toy import NOW, add_connection, deliveries, make_keyring, toy_database

KNOWN, LATER = EventType.PROVIDER_TASK_STATE_CHANGED, EventType.COMMENT_ADDED


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = toy_database(database_url)
    yield database
    database.close()


@pytest.fixture
def older(database: Database, tmp_path: Path) -> str:
    with database.transaction() as session:
        connection_id = add_connection(session, make_keyring(tmp_path))
        note_spoken(session, connection_id, [str(KNOWN)], now=NOW)
        return connection_id


def record(database: Database, *to: str) -> None:
    events = [NewEvent("toy/1", kind, {"n": n}) for n, kind in enumerate([KNOWN, LATER, KNOWN, LATER])]
    with database.transaction() as session:
        outbox.record_events(session, events, to=to, now=NOW)


def test_what_it_does_not_know_is_held_and_the_rest_of_the_stream_goes_on_without_a_gap(
    database: Database, older: str
) -> None:
    record(database, older)
    with database.reading() as session:
        assert deliveries(session, older) == [("toy/1", 1, "pending"), ("toy/1", 2, "pending")]
        (ailment,) = find_ailments(read_flow(session, older), NOW)
    assert (ailment.kind, ailment.fault[:18]) == ("held", "2 events are held:")


def test_once_it_knows_more_the_held_events_follow_in_their_order(database: Database, older: str) -> None:
    record(database, older)
    with database.transaction() as session:
        note_spoken(session, older, [str(kind) for kind in EventType], now=NOW)
    with database.reading() as session:
        sent = session.execute(
            select(Delivery.sequence, OutboxEvent.data)
            .join(OutboxEvent)
            .where(Delivery.connection_id == older)
            .order_by(Delivery.sequence)
        ).all()
        assert [tuple(row) for row in sent] == [(1, '{"n":0}'), (2, '{"n":2}'), (3, '{"n":1}'), (4, '{"n":3}')]
        assert session.scalars(select(HeldEvent)).all() == []
        assert find_ailments(read_flow(session, older), NOW) == []


def test_a_newer_receiver_of_the_same_event_gets_it_at_once(database: Database, older: str, tmp_path: Path) -> None:
    with database.transaction() as session:
        newer = add_connection(session, make_keyring(tmp_path))
    record(database, older, newer)
    with database.reading() as session:
        assert len(deliveries(session, newer)) == 4
        assert len(deliveries(session, older)) == 2


@pytest.mark.parametrize("said", [None, "all", {"a": 1}, 7])
def test_one_that_says_nothing_usable_is_sent_everything(database: Database, tmp_path: Path, said: object) -> None:
    with database.transaction() as session:
        connection_id = add_connection(session, make_keyring(tmp_path))
        note_spoken(session, connection_id, said, now=NOW)
    record(database, connection_id)
    with database.reading() as session:
        assert len(deliveries(session, connection_id)) == 4
        assert session.get_one(Connection, connection_id).unspoken is None


def test_no_receiver_can_say_that_it_does_not_know_what_every_one_must(database: Database, older: str) -> None:
    with database.transaction() as session:
        note_spoken(session, older, [], now=NOW)
        unspoken = session.get_one(Connection, older).unspoken
    assert unspoken and not set(unspoken) & (REQUIRED | UNSEQUENCED)
