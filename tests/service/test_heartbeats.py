"""Heartbeats: claimed once, never piling up, kept in two rows; digests compared so that divergence is noticed."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from bridge import heartbeats
from bridge.ailments import find_ailments
from bridge.database import Database
from bridge.flow import read_flow
from bridge.heartbeats import Beat
from bridge.issues import list_issues, look_for_issues, note_divergence
from bridge.models import Heartbeat, InboxStream, Lease, Stream
from tests.factories import at_once, count_selects
from tests.toy import NOW, add_connection, make_keyring, record, toy_database

EVERY_S = 30.0


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = toy_database(database_url)
    yield database
    database.close()


@pytest.fixture
def connection_id(database: Database, tmp_path: Path) -> str:
    with database.transaction() as session:
        return add_connection(session, make_keyring(tmp_path))


def claim(database: Database, after_s: float = 0.0, limit: int = 64) -> list[str]:
    with database.transaction() as session:
        now = NOW + timedelta(seconds=after_s)
        return heartbeats.claim_beats(session, every_s=EVERY_S, now=now, limit=limit)


def note(database: Database, connection_id: str, beat: Beat, after_s: float = 0.0) -> None:
    with database.transaction() as session:
        heartbeats.note_beat(session, connection_id, beat, {}, now=NOW + timedelta(seconds=after_s))


def condition(database: Database, connection_id: str, after_s: float) -> str:
    with database.reading() as session:
        return read_flow(session, connection_id).outbound.condition(NOW + timedelta(seconds=after_s))


def test_a_beat_is_claimed_once_however_many_ask_and_again_when_it_is_due(
    database: Database, connection_id: str
) -> None:
    assert claim(database) == [connection_id]
    assert claim(database) == claim(database, 29.9) == []
    assert claim(database, 30.0) == [connection_id]
    assert claim(database, 30.0) == []


def test_of_sweepers_that_claim_at_once_one_beats(database: Database, connection_id: str) -> None:
    claim(database)
    for n in range(1, 6):
        found = at_once([lambda n=n: claim(database, n * EVERY_S)] * 6)
        assert sum(len(one) for one in found) == 1


def test_beats_that_were_not_sent_for_hours_do_not_pile_up(database: Database, connection_id: str) -> None:
    claim(database)
    assert claim(database, 7 * 3600) == [connection_id]
    assert claim(database, 7 * 3600 + 1) == []


def test_a_connection_that_answers_goes_before_one_that_does_not(
    database: Database, connection_id: str, tmp_path: Path
) -> None:
    with database.transaction() as session:
        silent = add_connection(session, make_keyring(tmp_path))
    claim(database)
    note(database, silent, Beat(None, "no answer"))
    note(database, connection_id, Beat(0.1))
    with database.transaction() as session:
        session.execute(update(Heartbeat).where(Heartbeat.connection_id == silent).values(next_at=NOW))
    assert claim(database, 60, limit=1) == [connection_id]


def test_pending_and_revoked_connections_are_not_beaten_paused_ones_are(database: Database, tmp_path: Path) -> None:
    with database.transaction() as session:
        made = {s: add_connection(session, make_keyring(tmp_path), state=s) for s in ("pending", "revoked", "paused")}
    assert claim(database) == [made["paused"]]


def test_two_missed_beats_are_down_and_one_answer_is_up_again(database: Database, connection_id: str) -> None:
    claim(database)
    note(database, connection_id, Beat(0.05), 0)
    note(database, connection_id, Beat(None, "no answer"), 30)
    assert condition(database, connection_id, 31) == "up"
    note(database, connection_id, Beat(None, "no answer"), 60)
    assert condition(database, connection_id, 61) == "down"
    with database.reading() as session:
        (ailment,) = find_ailments(read_flow(session, connection_id), NOW + timedelta(seconds=61))
    assert ailment.kind == "outbound_down"
    assert "no answer" in ailment.fault
    note(database, connection_id, Beat(7.0), 62)
    assert condition(database, connection_id, 63) == "slow"


def test_an_answered_beat_ends_the_pause_between_probes(database: Database, connection_id: str) -> None:
    with database.transaction() as session:
        session.add(Lease(connection_id=connection_id, not_before=NOW + timedelta(minutes=15), failures=9))
    claim(database)
    note(database, connection_id, Beat(0.05))
    with database.reading() as session:
        assert session.scalars(select(Lease.not_before)).one() == NOW


def test_what_the_other_side_tells_is_kept_bounded_whatever_it_is(database: Database, connection_id: str) -> None:
    told = {
        "every_s": 10,
        "round_trip_s": 0.2,
        "waiting": 3,
        "parked": float("inf"),
        "oldest_s": "x",
        "junk": "y" * 9999,
    }
    with database.transaction() as session:
        heartbeats.note_heard(session, connection_id, {"every_s": [], "waiting": True}, now=NOW)
        heartbeats.note_heard(session, connection_id, told, now=NOW)
    with database.reading() as session:
        inbound = read_flow(session, connection_id).inbound
        assert session.scalars(select(Heartbeat)).one().direction == "in"
    assert (inbound.every_s, inbound.round_trip_s, inbound.told) == (10, 0.2, {"waiting": 3})
    assert inbound.condition(NOW + timedelta(seconds=20)) == "up"
    assert inbound.condition(NOW + timedelta(seconds=26)) == "down"


def test_a_beat_takes_as_many_statements_with_a_long_queue_as_with_none(database: Database, connection_id: str) -> None:
    claim(database)

    def compose() -> int:
        with database.transaction() as session, count_selects(database, "no such text") as statements:
            heartbeats.compose_beat(session, connection_id, every_s=EVERY_S, now=NOW)
            heartbeats.next_digests(session, connection_id)
        return len(statements)

    before = compose()
    with database.transaction() as session:
        for n in range(120):
            record(session, connection_id, str(n))
    assert compose() == before == 4


# --- digests


def settle(database: Database, connection_id: str, streams: int) -> None:
    """As many streams of one event, delivered and applied alike."""
    with database.transaction() as session:
        for n in range(streams):
            record(session, connection_id, f"{n:03}")
        session.execute(update(Stream).values(head=2, digest=bytes([1] * 32)))
        session.add_all(
            InboxStream(connection_id=connection_id, stream=f"toy/{n:03}", applied_sequence=1, digest=bytes([1] * 32))
            for n in range(streams)
        )


def compare(database: Database, connection_id: str) -> tuple[list[str], list[str]]:
    """One round: the streams that were asked for, and those that differ."""
    with database.transaction() as session:
        sent = heartbeats.next_digests(session, connection_id)
        theirs = heartbeats.answer_digests(session, connection_id, heartbeats.rows_of(sent))
        read = heartbeats.read_digests(heartbeats.rows_of(theirs))
        differences = heartbeats.note_beat(session, connection_id, Beat(0.1, digests=read), sent, now=NOW)
        note_divergence(session, connection_id, list(sent), differences, now=NOW)
    return list(sent), differences


def test_all_streams_are_compared_in_turn_a_bounded_number_at_once(database: Database, connection_id: str) -> None:
    settle(database, connection_id, 120)
    claim(database)
    rounds = [compare(database, connection_id)[0] for _ in range(4)]
    assert [len(one) for one in rounds] == [50, 50, 20, 50]
    assert len({stream for one in rounds[:3] for stream in one}) == 120
    assert rounds[3] == rounds[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"digest": bytes([2] * 32)}, "other events than ours up to 1"),
        ({"applied_sequence": 0}, "they have 0 events, 1 were applied there"),
        ({"applied_sequence": 7}, "they have 7 events, only 1 were recorded here"),
    ],
)
def test_a_stream_that_differs_is_an_issue_until_it_agrees_again(
    database: Database, connection_id: str, changes: dict[str, object], said: str
) -> None:
    settle(database, connection_id, 3)
    claim(database)
    with database.transaction() as session:
        session.execute(update(InboxStream).where(InboxStream.stream == "toy/001").values(**changes))
    assert compare(database, connection_id)[1] == [f"toy/001: {said}"]
    compare(database, connection_id)
    with database.reading() as session:
        (listed,), total = list_issues(session, connection_id=connection_id)
    assert (total, listed.issue.kind, listed.issue.subject, listed.issue.count) == (1, "differs", "toy/001", 2)
    with database.transaction() as session:
        session.execute(update(InboxStream).values(applied_sequence=1, digest=bytes([1] * 32)))
    assert compare(database, connection_id)[1] == []
    with database.reading() as session:
        assert list_issues(session)[1] == 0
        assert list_issues(session, resolved=True)[1] == 1


def test_an_event_that_arrives_between_asking_and_answering_is_no_difference(
    database: Database, connection_id: str
) -> None:
    settle(database, connection_id, 1)
    claim(database)
    with database.transaction() as session:
        sent = heartbeats.next_digests(session, connection_id)
        record(session, connection_id, "000")
        ahead = {"toy/000": (2, "ab" * 32)}
        assert heartbeats.note_beat(session, connection_id, Beat(0.1, digests=ahead), sent, now=NOW) == []


def test_a_forgotten_stream_is_noticed_and_a_consumer_that_compares_nothing_is_left_alone(
    database: Database, connection_id: str
) -> None:
    settle(database, connection_id, 2)
    claim(database)
    with database.transaction() as session:
        session.delete(session.scalars(select(InboxStream).where(InboxStream.stream == "toy/001")).one())
    assert compare(database, connection_id)[1] == ["toy/001: they know nothing of it, 1 were applied there"]
    with database.transaction() as session:
        sent = heartbeats.next_digests(session, connection_id)
        assert heartbeats.note_beat(session, connection_id, Beat(0.1), sent, now=NOW) == []


def test_many_differing_streams_open_a_bounded_number_of_issues(database: Database, connection_id: str) -> None:
    settle(database, connection_id, 40)
    claim(database)
    with database.transaction() as session:
        session.execute(update(InboxStream).values(digest=bytes([2] * 32)))
    assert len(compare(database, connection_id)[1]) == 40
    compare(database, connection_id)
    with database.reading() as session:
        assert list_issues(session)[1] == 20


# --- issues of the flow


def test_a_fault_that_is_found_again_counts_on_and_is_resolved_when_it_is_gone(
    database: Database, connection_id: str
) -> None:
    claim(database)
    for after_s in (0, 30):
        note(database, connection_id, Beat(None, "no answer"), after_s)
    for _ in range(3):
        with database.transaction() as session:
            look_for_issues(session, now=NOW + timedelta(seconds=31))
    with database.reading() as session:
        (listed,), _ = list_issues(session)
        assert (listed.issue.kind, listed.issue.count, listed.connection) == ("outbound_down", 3, "toy shop")
    note(database, connection_id, Beat(0.1), 32)
    with database.transaction() as session:
        look_for_issues(session, now=NOW + timedelta(seconds=33))
    with database.reading() as session:
        assert list_issues(session)[1] == 0
        (listed,), _ = list_issues(session, resolved=True)
        assert listed.issue.resolved_at == NOW + timedelta(seconds=33)
