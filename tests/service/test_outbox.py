"""Recording: numbered without gaps in the transaction of the change, rendered once, parked behind a mapping hole."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event as sa_event
from sqlalchemy import select, update

from bridge import outbox
from bridge.database import Database
from bridge.errors import EventTooLarge, NothingToReplay
from bridge.mapping import Table, Tables
from bridge.models import Connection, Delivery, MappingVersion, Stream
from bridge.vocabulary import ConnectionState
from tests.toy import NOW, TOY, add_connection, count_rows, deliveries, make_keyring, record, toy_database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = toy_database(database_url)
    yield database
    database.close()


@pytest.fixture
def connection_id(database: Database, tmp_path: Path) -> str:
    with database.transaction() as session:
        return add_connection(session, make_keyring(tmp_path))


def test_sequences_are_gapless_per_stream_and_independent_between_streams(
    database: Database, connection_id: str
) -> None:
    with database.transaction() as session:
        record(session, connection_id, "bear", 3)
        record(session, connection_id, "robot")
    with database.transaction() as session:
        record(session, connection_id, "bear")
    with database.reading() as session:
        assert deliveries(session, connection_id) == [
            *[("toy/bear", n, "pending") for n in (1, 2, 3, 4)],
            ("toy/robot", 1, "pending"),
        ]


def test_a_change_that_rolls_back_leaves_no_event_and_no_gap(database: Database, connection_id: str) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction() as session:
        record(session, connection_id, "bear")
        raise ZeroDivisionError
    with database.transaction() as session:
        record(session, connection_id, "bear")
        assert deliveries(session, connection_id) == [("toy/bear", 1, "pending")]
        assert count_rows(session, "outbox_events") == 1


def test_many_writers_at_once_leave_no_gap(database: Database, connection_id: str) -> None:
    def write() -> None:
        for _ in range(5):
            with database.transaction() as session:
                record(session, connection_id, "bear")

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as session:
        assert [sequence for _, sequence, _ in deliveries(session, connection_id)] == list(range(1, 31))


def test_the_stored_text_is_the_final_event(database: Database, connection_id: str) -> None:
    with database.transaction() as session:
        record(session, connection_id, "bear", colour="brüün")
        delivery = session.execute(select(Delivery)).scalar_one()
    event = json.loads(delivery.text or "")
    assert (event["id"], event["stream"], event["sequence"]) == (delivery.id, "toy/bear", 1)
    assert event["data"] == {"toy": "bear", "n": 0, "colour": "brüün"}


def test_an_event_carries_the_trace_of_its_change(database: Database, connection_id: str) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with database.transaction() as session:
        session.info["traceparent"] = trace
        record(session, connection_id, "bear")
        assert json.loads(session.execute(select(Delivery.text)).scalar_one() or "")["traceparent"] == trace


def test_an_event_is_recorded_for_each_connection_but_its_origin_and_revoked_ones(
    database: Database, tmp_path: Path
) -> None:
    keyring = make_keyring(tmp_path)
    with database.transaction() as session:
        here, origin = add_connection(session, keyring), add_connection(session, keyring)
        gone = add_connection(session, keyring, state=ConnectionState.REVOKED)
        outbox.record_event(session, "toy/bear", TOY, {}, to=[here, origin, gone], now=NOW, origin=origin)
        assert deliveries(session, here) == [("toy/bear", 1, "pending")]
        assert deliveries(session, origin) == deliveries(session, gone) == []


def test_many_facts_at_once_are_as_many_events_in_as_many_statements_as_one(
    database: Database, connection_id: str
) -> None:
    statements: list[str] = []
    sa_event.listen(database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    counts = []
    for size in (2, 100):
        statements.clear()
        with database.transaction() as session:
            events = [outbox.NewEvent(f"toy/{size}-{n:03}", TOY, {"n": n}) for n in range(size)]
            outbox.record_events(session, events, to=[connection_id], now=NOW)
        counts.append(len(statements))
    assert counts[0] == counts[1]
    with database.reading() as session:
        rows = session.execute(select(Stream.stream, Delivery.text).join(Stream, Stream.id == Delivery.stream_id))
        found = {stream: json.loads(text or "") for stream, text in rows}
    assert len(found) == 102
    assert all(text["stream"] == stream and text["data"]["n"] == int(stream[-3:]) for stream, text in found.items())


def test_an_event_over_the_limit_is_refused_with_its_change(database: Database, connection_id: str) -> None:
    with pytest.raises(EventTooLarge), database.transaction() as session:
        record(session, connection_id, "bear", text="x" * 300_000)
    with database.reading() as session:
        assert count_rows(session, "outbox_events") == 0


def colours(**rows: str) -> str:
    table = Table("colours", TOY, "colour", {source: {"shade": shade} for source, shade in rows.items()})
    return Tables({"colours": table}).to_json()


def use_mapping(database: Database, connection_id: str | None, document: str) -> int:
    with database.transaction() as session:
        version = MappingVersion(connection_id=connection_id, document=document, created_at=NOW)
        session.add(version)
        session.flush()
        if connection_id:
            session.execute(
                update(Connection).where(Connection.id == connection_id).values(mapping_version=version.version)
            )
        else:
            database.info["outbox"].default_version = version.version
        return version.version


def test_a_connection_with_tables_of_its_own_gets_its_own_words(
    database: Database, connection_id: str, tmp_path: Path
) -> None:
    use_mapping(database, None, colours(red="ruby"))
    with database.transaction() as session:
        special = add_connection(session, make_keyring(tmp_path))
    use_mapping(database, special, colours(red="carmine"))
    with database.transaction() as session:
        outbox.record_event(session, "toy/bear", TOY, {"colour": "red"}, to=[connection_id, special], now=NOW)
        texts = dict(session.execute(select(Delivery.connection_id, Delivery.text)).all())
    assert json.loads(texts[connection_id] or "")["data"]["shade"] == "ruby"
    assert json.loads(texts[special] or "")["data"]["shade"] == "carmine"


def test_a_hole_in_a_mapping_parks_that_event_and_replay_renders_it_once_mended(
    database: Database, connection_id: str
) -> None:
    use_mapping(database, None, colours(red="ruby"))
    with database.transaction() as session:
        record(session, connection_id, "bear", colour="green")
        record(session, connection_id, "robot", colour="red")
    with database.transaction() as session:
        parked = session.execute(select(Delivery).where(Delivery.state == "parked")).scalar_one()
        assert parked.text is None
        assert "green" in (parked.error or "")
        assert deliveries(session, connection_id)[1] == ("toy/robot", 1, "pending")
    use_mapping(database, None, colours(red="ruby", green="emerald"))
    with database.transaction() as session:
        outbox.replay(session, parked.id, now=NOW)
        mended = session.execute(select(Delivery).where(Delivery.id == parked.id)).scalar_one()
        assert json.loads(mended.text or "")["data"]["shade"] == "emerald"
        assert (mended.state, mended.sequence) == ("pending", 1)


def test_a_replay_too_is_refused_when_the_mended_table_makes_it_too_large(
    database: Database, connection_id: str
) -> None:
    use_mapping(database, None, colours(red="ruby"))
    with database.transaction() as session:
        record(session, connection_id, "bear", colour="green")
        parked = session.execute(select(Delivery.id)).scalar_one()
    use_mapping(database, None, colours(green="x" * 300_000))
    with pytest.raises(EventTooLarge), database.transaction() as session:
        outbox.replay(session, parked, now=NOW)


def test_only_a_parked_delivery_can_be_replayed_or_skipped(database: Database, connection_id: str) -> None:
    with database.transaction() as session:
        record(session, connection_id, "bear")
        delivery_id = session.execute(select(Delivery.id)).scalar_one()
        with pytest.raises(NothingToReplay):
            outbox.replay(session, delivery_id, now=NOW)
        with pytest.raises(NothingToReplay):
            outbox.skip(session, delivery_id, reason="why", now=NOW)


def test_the_bell_rings_after_commit_for_each_connection_concerned_and_not_after_a_rollback(
    database_url: str, tmp_path: Path
) -> None:
    rung: list[list[str]] = []
    database = toy_database(database_url, bell=lambda ids: rung.append(list(ids)))
    with database.transaction() as session:
        connection_id = add_connection(session, make_keyring(tmp_path))
    with database.transaction() as session:
        record(session, connection_id, "bear", 2)
        assert rung == []
    assert rung == [[connection_id]]
    with pytest.raises(ZeroDivisionError), database.transaction() as session:
        record(session, connection_id, "bear")
        raise ZeroDivisionError
    assert rung == [[connection_id]]
    database.close()


def test_a_call_is_ordered_like_an_event_and_keeps_its_body(database: Database, connection_id: str) -> None:
    with database.transaction() as session:
        for n in (1, 2):
            outbox.record_call(session, "toy/bear", "wind_up", "POST /toys", {"n": n}, to=connection_id, now=NOW)
        rows = session.execute(
            select(Delivery.sequence, Delivery.target, Delivery.text).order_by(Delivery.sequence)
        ).all()
    assert [tuple(row) for row in rows] == [(1, "POST /toys", '{"n":1}'), (2, "POST /toys", '{"n":2}')]


def test_streams_are_not_referenced_by_any_foreign_key() -> None:
    """PostgreSQL would lock the referenced row, and a claim that skips locked rows would starve."""
    tables = Stream.metadata.tables.values()
    referenced = {key.column.table.name for table in tables for key in table.foreign_keys}
    assert not referenced & {"streams", "leases"}
