"""One side of a stream lost data: what the other one still has is sent again, or counted on from; nothing twice."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete, event, select, update

from bridge import digest
from bridge.errors import DatabaseBusy
from bridge.heart import Heart
from bridge.heartbeats import Beat
from bridge.issues import list_issues
from bridge.leases import acquire
from bridge.models import Connection, Delivery, Heartbeat, InboxMessage, InboxStream, Stream
from bridge.repairing import Position, Standing, bring_together, digest_at, keep_place
from tests.jobs.test_drain import Exchange
from tests.toy import ToyEffect, ToyShop, add_connection, make_keyring, make_station, toy_database

BEAR = "toy/bear"


@pytest.fixture
def exchange(database_url: str, tmp_path: Path) -> Iterator[Exchange]:
    keyring = make_keyring(tmp_path)
    connection_ids: list[str] = []
    shop = ToyShop(toy_database(f"sqlite:///{tmp_path / 'shop.db'}"), lambda: connection_ids)
    database = toy_database(database_url)
    with database.transaction() as session:
        connection_ids.append(add_connection(session, keyring, shop.url))
    yield Exchange(database, shop, make_station(database, keyring), connection_ids[0], keyring)
    shop.close()
    database.close()


def lose_at_shop(exchange: Exchange, kept: int) -> None:
    """As if the shop was restored to when it had so many events."""
    with exchange.shop.database.transaction() as session:
        session.execute(delete(ToyEffect).where(ToyEffect.sequence > kept))
        session.execute(delete(InboxMessage).where(InboxMessage.sequence > kept))
        rows = session.execute(select(InboxMessage.id, InboxMessage.contenthash).order_by(InboxMessage.sequence))
        rolled = digest.EMPTY
        for row in rows.all():
            rolled = digest.extend(rolled, row.id, row.contenthash)
        session.execute(update(InboxStream).values(applied_sequence=kept, digest=rolled))


def lose_at_maker(exchange: Exchange, kept: int) -> None:
    """As if the toymaker was restored to when it had recorded and settled so many events."""
    with exchange.database.transaction() as session:
        session.execute(delete(Delivery).where(Delivery.sequence > kept))
        stream = session.scalars(select(Stream)).one()
        stream.digest = digest_at(session, stream, kept)
        stream.head = stream.next_sequence = kept + 1
        stream.due_at = None


def position(exchange: Exchange) -> Position:
    with exchange.shop.database.reading() as session:
        stream = session.scalars(select(InboxStream)).one()
        ids = session.scalars(select(InboxMessage.id)).all()
        return Position(stream.applied_sequence, stream.digest, frozenset(ids))


def together(exchange: Exchange, at: Position | None = None) -> Standing:
    with exchange.database.transaction() as session:
        positions = {BEAR: at or position(exchange)}
        now = datetime.now(UTC)
        return bring_together(session, exchange.connection_id, positions, lease_s=30.0, now=now)[BEAR]


def agree(exchange: Exchange) -> bool:
    """Whether both sides hold the same digest of as many events."""
    with exchange.database.reading() as session:
        stream = session.scalars(select(Stream)).one()
        here = (stream.head - 1, stream.next_sequence - 1, stream.digest)
        again = digest_at(session, stream, stream.head - 1)
    there = position(exchange)
    return here == (there.sequence, there.sequence, there.digest) and again == there.digest


def numbers(exchange: Exchange) -> list[int]:
    return [sequence for _, sequence in exchange.shop.effects()]


@pytest.mark.parametrize("kept", [0, 2])
def test_a_receiver_that_lost_events_gets_them_again_once_and_in_order_when_it_says_gap(
    exchange: Exchange, kept: int
) -> None:
    exchange.record("bear", 4)
    exchange.drain_until(exchange.all_sent)
    lose_at_shop(exchange, kept)
    exchange.record("bear")
    exchange.drain_until(exchange.all_sent)
    assert numbers(exchange) == [1, 2, 3, 4, 5]
    assert agree(exchange)


def test_where_both_are_alike_the_history_of_the_stream_is_not_read(exchange: Exchange) -> None:
    exchange.record("bear", 3)
    exchange.drain_until(exchange.all_sent)
    here, made = position(exchange), list[str]()

    def note(_link: object, _cursor: object, statement: str, *_: object) -> None:
        made.append(statement)

    event.listen(exchange.database.engine, "before_cursor_execute", note)
    assert together(exchange, here) is Standing.SAME
    assert made and not [one for one in made if "JOIN outbox_events" in one]


def test_a_receiver_that_tells_where_it_is_gets_what_it_lacks(exchange: Exchange) -> None:
    exchange.record("bear", 4)
    exchange.drain_until(exchange.all_sent)
    assert together(exchange) is Standing.SAME
    lose_at_shop(exchange, 1)
    assert together(exchange) is Standing.REPLAYED
    exchange.drain_until(exchange.all_sent)
    assert numbers(exchange) == [1, 2, 3, 4]
    assert agree(exchange)


def test_one_that_holds_other_events_is_left_to_people(exchange: Exchange) -> None:
    exchange.record("bear", 4)
    exchange.drain_until(exchange.all_sent)
    for sequence in (2, 4):
        assert together(exchange, Position(sequence, bytes([7] * 32))) is Standing.DIFFERS
    assert exchange.all_sent()


def test_a_sender_that_lost_events_counts_on_from_where_the_receiver_is(exchange: Exchange) -> None:
    exchange.record("bear", 5)
    exchange.drain_until(exchange.all_sent)
    lose_at_maker(exchange, 2)
    exchange.record("bear", 2)
    assert together(exchange) is Standing.RENUMBERED
    exchange.drain_until(exchange.all_sent)
    assert numbers(exchange) == [1, 2, 3, 4, 5, 6, 7]
    assert agree(exchange)
    assert together(exchange) is Standing.SAME
    lose_at_shop(exchange, 6)  # of the sender's two new events the receiver loses one as well
    with exchange.shop.database.transaction() as session:
        session.execute(update(InboxStream).values(digest=_digest_at(exchange, 6)))
    assert together(exchange) is Standing.REPLAYED
    exchange.drain_until(exchange.all_sent)
    assert numbers(exchange) == [1, 2, 3, 4, 5, 6, 7]


def test_what_the_receiver_has_of_what_waits_is_not_sent_under_another_number(exchange: Exchange) -> None:
    exchange.record("bear", 5)
    exchange.drain_until(exchange.all_sent)
    with exchange.database.transaction() as session:  # restored to when 3 was on its way, and 4 unknown
        session.execute(delete(Delivery).where(Delivery.sequence > 3))
        session.execute(update(Delivery).where(Delivery.sequence == 3).values(state="pending"))
        stream = session.scalars(select(Stream)).one()
        stream.digest = digest_at(session, stream, 2)
        stream.head, stream.next_sequence = 3, 4
    exchange.record("bear")
    assert together(exchange) is Standing.RENUMBERED
    exchange.drain_until(exchange.all_sent)
    assert numbers(exchange) == [1, 2, 3, 4, 5, 6]
    assert agree(exchange)


def test_a_record_that_comes_back_later_is_counted_from_where_the_receiver_is(exchange: Exchange) -> None:
    exchange.record("bear", 3)
    exchange.drain_until(exchange.all_sent)
    with exchange.database.transaction() as session:
        session.execute(delete(Delivery))
        session.execute(delete(Stream))
    at = position(exchange)
    with exchange.database.transaction() as session:
        keep_place(session, exchange.connection_id, BEAR, at, now=datetime.now(UTC))
    exchange.record("bear")
    exchange.drain_until(exchange.all_sent)
    assert numbers(exchange) == [1, 2, 3, 4]
    assert agree(exchange)


def test_a_stream_that_nobody_knows_is_told_as_unknown_and_nothing_is_made(exchange: Exchange) -> None:
    assert together(exchange, Position(3, bytes(32))) is Standing.UNKNOWN
    with exchange.database.reading() as session:
        assert session.scalars(select(Stream)).all() == []


def test_nothing_is_moved_while_a_drain_is_under_way(exchange: Exchange) -> None:
    exchange.record("bear")
    with exchange.database.transaction() as session:
        assert acquire(session, exchange.connection_id, lease_s=30.0)
    with pytest.raises(DatabaseBusy):
        together(exchange, Position(0, digest.EMPTY))


def test_a_heartbeat_that_notices_a_loss_mends_it_and_the_issue_ends(exchange: Exchange) -> None:
    exchange.record("bear", 3)
    exchange.drain_until(exchange.all_sent)
    lose_at_shop(exchange, 1)

    def answer(connection: Connection, said: object) -> Beat:
        where = position(exchange)
        return Beat(0.1, digests={BEAR: (where.sequence, where.digest.hex())})

    heart = Heart(exchange.database, lambda: datetime.now(UTC), 30.0, answer, digests=True)
    for _ in range(2):
        with exchange.database.transaction() as session:
            session.execute(update(Heartbeat).values(next_at=datetime.now(UTC)))
        for thread in heart.start_beats():
            thread.join()
        exchange.drain_until(exchange.all_sent)
    assert numbers(exchange) == [1, 2, 3]
    with exchange.database.reading() as session:
        assert list_issues(session)[1] == 0
        (listed,), _ = list_issues(session, resolved=True)
    assert (listed.issue.subject, listed.issue.count) == (BEAR, 1)


def _digest_at(exchange: Exchange, sequence: int) -> bytes:
    with exchange.database.reading() as session:
        return digest_at(session, session.scalars(select(Stream)).one(), sequence)
