"""Draining over real HTTP: in order, at least once, and what each answer, fault and crash comes to."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import select, text, update

from bridge import leases, outbox
from bridge.database import Database
from bridge.errors import LeaseLost
from bridge.identity import Keyring
from bridge.jobs import SLOW, Station
from bridge.models import Attempt, Connection, Delivery, Lease, Stream
from bridge.vocabulary import ConnectionState
from tests.toy import ToyShop, add_connection, answer, deliveries, make_keyring, make_station, record, toy_database


@dataclass
class Exchange:
    """A toymaker with one connected shop, each with a database of its own."""

    database: Database
    shop: ToyShop
    station: Station
    connection_id: str
    keyring: Keyring

    def record(self, toy: str, count: int = 1, **data: Any) -> None:
        with self.database.transaction() as session:
            record(session, self.connection_id, toy, count, now=datetime.now(UTC), **data)

    def states(self) -> list[str]:
        with self.database.reading() as session:
            return [state for _, _, state in deliveries(session, self.connection_id)]

    def lease(self) -> Lease:
        with self.database.reading() as session:
            return session.execute(select(Lease)).scalar_one()

    def attempts(self) -> list[str]:
        with self.database.reading() as session:
            return list(session.scalars(select(Attempt.outcome).order_by(Attempt.id)))

    def allow_now(self) -> None:
        """As if the pauses were over."""
        with self.database.transaction() as session:
            session.execute(update(Lease).values(not_before=None))
            session.execute(
                update(Stream).where(Stream.due_at.is_not(None)).values(due_at=datetime(2026, 1, 1, tzinfo=UTC))
            )

    def drain_until(self, done: Callable[[], bool], rounds: int = 30) -> None:
        for _ in range(rounds):
            self.allow_now()
            self.station.drain(self.connection_id)
            if done():
                return
        pytest.fail(f"not done after {rounds} drains: {self.states()}, {self.lease().last_error}")

    def all_sent(self) -> bool:
        return set(self.states()) <= {"delivered", "skipped"}


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


def test_everything_due_is_delivered_in_order_and_once(exchange: Exchange) -> None:
    exchange.record("bear", 3)
    exchange.record("robot", 2)
    exchange.station.drain(exchange.connection_id)
    assert exchange.all_sent()
    assert sorted(exchange.shop.effects()) == [
        ("toy/bear", 1),
        ("toy/bear", 2),
        ("toy/bear", 3),
        ("toy/robot", 1),
        ("toy/robot", 2),
    ]
    exchange.station.drain(exchange.connection_id)
    assert len(exchange.shop.effects()) == 5


def test_a_backlog_of_many_streams_is_drained_in_batches(exchange: Exchange) -> None:
    for n in range(450):
        exchange.record(f"toy{n:03}")
    exchange.station.drain(exchange.connection_id)
    assert exchange.all_sent()
    assert exchange.shop.batches == [200, 200, 50]


def test_a_lost_answer_is_sent_again_and_has_one_effect(exchange: Exchange) -> None:
    exchange.record("bear", 3)
    exchange.shop.lose_answers = 2  # the sender dials a dropped kept-alive connection anew, once
    exchange.station.drain(exchange.connection_id)
    assert exchange.states() == ["pending"] * 3
    exchange.drain_until(exchange.all_sent)
    assert exchange.shop.effects() == [("toy/bear", 1), ("toy/bear", 2), ("toy/bear", 3)]


def test_both_sides_hold_the_same_digest_afterwards(exchange: Exchange) -> None:
    from bridge.models import InboxStream  # noqa: PLC0415

    exchange.record("bear", 3)
    exchange.station.drain(exchange.connection_id)
    with exchange.database.reading() as here, exchange.shop.database.reading() as there:
        assert (
            here.execute(select(Stream.digest)).scalar_one() == there.execute(select(InboxStream.digest)).scalar_one()
        )


def test_a_rejected_event_is_tried_three_times_then_parked_while_others_flow(exchange: Exchange) -> None:
    exchange.shop.handler.refused = {"toy/bear"}
    exchange.record("bear", 2)
    exchange.record("robot", 2)
    exchange.drain_until(lambda: "parked" in exchange.states())
    assert exchange.states() == ["parked", "pending", "delivered", "delivered"]
    with exchange.database.reading() as session:
        parked = session.execute(select(Delivery).where(Delivery.state == "parked")).scalar_one()
        stream = session.execute(select(Stream).where(Stream.stream == "toy/bear")).scalar_one()
    assert parked.error == "rejected: this toy is refused"
    assert (stream.blocked_by, stream.due_at) == (1, None)


def test_a_parked_event_can_be_replayed_and_its_stream_goes_on(exchange: Exchange) -> None:
    exchange.shop.handler.refused = {"toy/bear"}
    exchange.record("bear", 2)
    exchange.drain_until(lambda: "parked" in exchange.states())
    exchange.record("bear")
    exchange.shop.handler.refused = set()
    with exchange.database.transaction() as session:
        parked = session.execute(select(Delivery.id).where(Delivery.state == "parked")).scalar_one()
        outbox.replay(session, parked, now=datetime.now(UTC))
    exchange.drain_until(exchange.all_sent)
    assert exchange.shop.effects() == [("toy/bear", 1), ("toy/bear", 2), ("toy/bear", 3)]


def park_first(exchange: Exchange) -> str:
    exchange.shop.handler.refused = {"toy/bear"}
    exchange.record("bear", 2)
    exchange.drain_until(lambda: "parked" in exchange.states())
    with exchange.database.reading() as session:
        return session.execute(select(Delivery.id).where(Delivery.state == "parked")).scalar_one()


def test_a_skipped_event_leaves_a_tombstone_in_its_place(exchange: Exchange) -> None:
    parked = park_first(exchange)
    exchange.shop.handler.refused = set()
    with exchange.database.transaction() as session:
        outbox.skip(session, parked, reason="the toy is gone", now=datetime.now(UTC))
    exchange.drain_until(exchange.all_sent)
    assert exchange.states() == ["skipped", "delivered"]
    assert exchange.shop.effects() == [("toy/bear", 2)]


def test_a_tombstone_for_an_event_that_was_applied_after_all_is_no_conflict(exchange: Exchange) -> None:
    with exchange.database.reading() as session:
        assert session.execute(select(Connection.state)).scalar_one() == "active"
    parked = park_first(exchange)
    exchange.shop.handler.refused = set()
    with exchange.database.reading() as session:  # an old copy of the POST arrives late
        late = session.execute(select(Delivery.text).where(Delivery.id == parked)).scalar_one()
    exchange.shop.receive(f"[{late}]".encode())
    with exchange.database.transaction() as session:
        outbox.skip(session, parked, reason="given up", now=datetime.now(UTC))
    exchange.drain_until(exchange.all_sent)
    assert exchange.shop.effects() == [("toy/bear", 1), ("toy/bear", 2)]


def test_a_conflict_stops_the_connection_and_overwrites_nothing(exchange: Exchange) -> None:
    exchange.record("bear")
    exchange.station.drain(exchange.connection_id)
    with exchange.database.transaction() as session:  # this side forgets, as after a restore, and sends something else
        session.execute(update(Delivery).values(state="pending", id="00000000-0000-4000-8000-00000000000f"))
        text = session.execute(select(Delivery.text)).scalar_one() or ""
        changed = (
            text[: text.index('"id":"') + 6]
            + "00000000-0000-4000-8000-00000000000f"
            + text[text.index('"id":"') + 42 :]
        )
        session.execute(update(Delivery).values(text=changed))
        session.execute(update(Stream).values(head=1, due_at=datetime.now(UTC)))
    exchange.station.drain(exchange.connection_id)
    with exchange.database.reading() as session:
        connection = session.execute(select(Connection)).scalar_one()
    assert connection.state == ConnectionState.DIVERGED
    assert "toy/bear #1" in (connection.state_reason or "")
    assert len(exchange.shop.effects()) == 1


def failing(
    status: int, poison: str | None = None, **headers: str
) -> Callable[[BaseHTTPRequestHandler, list[Any]], bool]:
    """A fault: answers `status` to every batch, or to those that hold an event of the stream `poison`."""

    def fault(handler: BaseHTTPRequestHandler, batch: list[Any]) -> bool:
        if poison is not None and all(event["stream"] != poison for event in batch):
            return False
        answer(handler, status, b"<html>nope</html>", **headers)
        return True

    return fault


def test_poison_behind_a_500_is_found_and_parked_while_everything_else_flows(exchange: Exchange) -> None:
    exchange.shop.fault = failing(500, poison="toy/bear")
    exchange.record("bear", 2)
    for n in range(20):
        exchange.record(f"toy{n:02}", 3)
    exchange.drain_until(
        lambda: exchange.states().count("delivered") == 60 and "parked" in exchange.states(), rounds=60
    )
    assert exchange.states()[:2] == ["parked", "pending"]
    assert exchange.lease().failures == 0


def test_a_dead_consumer_parks_nothing_and_is_probed_with_growing_pauses(exchange: Exchange) -> None:
    exchange.shop.fault = failing(500)
    exchange.record("bear", 2)
    exchange.record("robot", 2)
    pauses = []
    for _ in range(8):
        exchange.allow_now()
        exchange.station.drain(exchange.connection_id)
        lease = exchange.lease()
        assert lease.not_before is not None
        pauses.append((lease.not_before - datetime.now(UTC)).total_seconds())
    assert exchange.states() == ["pending"] * 4
    assert pauses[-1] > 10 > pauses[0]
    assert lease.batch_limit == 1
    exchange.shop.fault = None
    exchange.drain_until(exchange.all_sent)


def test_after_a_long_outage_what_waits_is_due_with_the_first_sign_of_life(exchange: Exchange) -> None:
    """A record that was the probe again and again must not wait for a pause of its own, which would be an hour."""
    exchange.shop.fault = failing(500)
    exchange.record("bear")
    for _ in range(15):
        exchange.allow_now()
        exchange.station.drain(exchange.connection_id)
    with exchange.database.transaction() as session:
        outbox.wake(session, exchange.connection_id, now=datetime.now(UTC))
        due_at = session.scalars(select(Stream.due_at)).one()
    assert due_at is not None
    assert due_at < datetime.now(UTC) + timedelta(seconds=20)


def test_what_failed_through_an_outage_is_not_blamed_when_it_ends(exchange: Exchange) -> None:
    """The receiver answers the probe when it has just come back."""
    exchange.record("bear")
    for rounds in range(10, 16):
        exchange.shop.fault = failing(500)
        for _ in range(rounds):
            exchange.allow_now()
            exchange.station.drain(exchange.connection_id)
        exchange.shop.fault = failing(500, poison="toy/bear")
        exchange.allow_now()
        exchange.station.drain(exchange.connection_id)
        assert exchange.states() == ["pending"]
    exchange.shop.fault = None
    exchange.drain_until(exchange.all_sent)


def test_poison_behind_a_403_is_found_and_parked_while_everything_else_flows(exchange: Exchange) -> None:
    """As a firewall answers that does not like one text."""
    exchange.shop.fault = failing(403, poison="toy/bear")
    exchange.record("bear", 2)
    for n in range(20):
        exchange.record(f"toy{n:02}")
    exchange.drain_until(lambda: exchange.states().count("delivered") == 20, rounds=60)
    exchange.drain_until(lambda: "parked" in exchange.states(), rounds=20)
    assert exchange.states()[:2] == ["parked", "pending"]


@pytest.mark.parametrize("status", [403, 503])
def test_a_consumer_that_refuses_everything_parks_nothing(exchange: Exchange, status: int) -> None:
    exchange.shop.fault = failing(status)
    exchange.record("bear")
    for _ in range(6):
        exchange.allow_now()
        exchange.station.drain(exchange.connection_id)
    assert exchange.states() == ["pending"]


@pytest.mark.parametrize("state", [ConnectionState.PAUSED, ConnectionState.REVOKED])
def test_a_connection_that_people_stop_in_the_midst_of_a_drain_gets_no_further_batch(
    exchange: Exchange, state: ConnectionState
) -> None:
    def stop(_: BaseHTTPRequestHandler, batch: list[Any]) -> bool:
        with exchange.database.transaction() as session:
            session.execute(update(Connection).values(state=state))
        return False

    exchange.shop.fault = stop
    exchange.record("bear", 450)
    exchange.station.drain(exchange.connection_id)
    assert len(exchange.shop.batches) == 1
    assert exchange.states().count("pending") == 450 - exchange.shop.batches[0] > 0
    exchange.shop.fault = None
    exchange.allow_now()
    exchange.station.drain(exchange.connection_id)
    assert len(exchange.shop.batches) == 1


def test_nothing_is_sent_during_a_pause_and_any_call_of_the_consumer_ends_it(exchange: Exchange) -> None:
    exchange.shop.fault = failing(503, Retry_After="600")
    exchange.record("bear")
    exchange.station.drain(exchange.connection_id)
    not_before = exchange.lease().not_before
    assert not_before is not None
    assert not_before > datetime.now(UTC) + timedelta(seconds=590)
    exchange.shop.fault = None
    exchange.station.drain(exchange.connection_id)
    assert exchange.states() == ["pending"]
    with exchange.database.transaction() as session:
        outbox.wake(session, exchange.connection_id, now=datetime.now(UTC))
    exchange.station.drain(exchange.connection_id)
    assert exchange.all_sent()


@pytest.mark.parametrize("status", [401, 403, 410, 302, 204, 404, 418])
def test_no_status_but_200_says_anything_about_an_event(exchange: Exchange, status: int) -> None:
    exchange.shop.fault = failing(status)
    exchange.record("bear")
    exchange.station.drain(exchange.connection_id)
    assert exchange.states() == ["pending"]
    assert exchange.attempts() == ["refused" if status in (401, 403, 410) else "failed"]


def test_a_200_without_verdicts_settles_nothing(exchange: Exchange) -> None:
    exchange.shop.fault = failing(200)
    exchange.record("bear")
    exchange.station.drain(exchange.connection_id)
    assert exchange.states() == ["pending"]
    assert exchange.lease().failures == 1


def test_a_slow_consumer_leaves_the_fast_lane_and_is_served_on_the_slow_one(exchange: Exchange) -> None:
    def slow(_: BaseHTTPRequestHandler, __: list[Any]) -> bool:
        time.sleep(2.4)
        return False

    exchange.shop.fault = slow
    exchange.record("bear")
    exchange.station.drain(exchange.connection_id)
    assert exchange.attempts()[0] == "slow"
    assert exchange.lease().failures == 0
    sent = len(exchange.shop.batches)
    exchange.station.drain(exchange.connection_id)  # the fast lane does not touch it again
    assert len(exchange.shop.batches) == sent
    exchange.station.drain(exchange.connection_id, SLOW)
    assert exchange.all_sent()


def test_only_one_drain_holds_the_lease_until_it_runs_out_by_the_databases_clock(exchange: Exchange) -> None:
    with exchange.database.transaction() as session:
        first = leases.acquire(session, exchange.connection_id, lease_s=0.3)
        assert first
        assert leases.acquire(session, exchange.connection_id, lease_s=0.3) is None
    time.sleep(0.35)
    with exchange.database.transaction() as session:
        assert leases.acquire(session, exchange.connection_id, lease_s=0.3)
    with exchange.database.transaction() as session, pytest.raises(LeaseLost):
        leases.renew(session, exchange.connection_id, first, lease_s=0.3)


def test_a_deadline_further_away_than_one_lease_counts_as_over(exchange: Exchange) -> None:
    """The clock was set back after the lease was taken; the sweeper sees that as a drain does."""
    exchange.record("bear")
    with exchange.database.transaction() as session:
        token = leases.acquire(session, exchange.connection_id, lease_s=30)
        session.execute(update(Lease).values(deadline_s=Lease.deadline_s + 3600))
    assert token
    assert exchange.station.sweep() == 1
    assert exchange.all_sent()


def test_a_drain_that_lost_its_lease_while_sending_writes_nothing(exchange: Exchange) -> None:
    def steal(_: BaseHTTPRequestHandler, __: list[Any]) -> bool:
        with exchange.database.transaction() as session:
            session.execute(update(Lease).values(token="00000000-0000-4000-8000-0000000000aa"))
        return False

    exchange.shop.fault = steal
    exchange.record("bear", 2)
    exchange.station.drain(exchange.connection_id)
    assert exchange.states() == ["pending", "pending"]
    assert exchange.attempts() == []
    assert exchange.lease().token == "00000000-0000-4000-8000-0000000000aa"
    exchange.shop.fault = None
    with exchange.database.transaction() as session:
        session.execute(update(Lease).values(token=None))
    exchange.drain_until(exchange.all_sent)
    assert len(exchange.shop.effects()) == 2


@pytest.mark.parametrize("state", ["pending", "paused", "revoked", "diverged"])
def test_nothing_is_sent_on_a_connection_that_is_not_active(exchange: Exchange, state: str) -> None:
    exchange.record("bear")
    with exchange.database.transaction() as session:
        session.execute(update(Connection).values(state=state))
    exchange.station.drain(exchange.connection_id)
    assert exchange.shop.batches == []


def test_the_sweeper_drains_by_itself_when_no_bell_rings(exchange: Exchange) -> None:
    exchange.record("bear", 3)
    assert exchange.station.sweep() == 1
    assert exchange.all_sent()
    assert exchange.station.sweep() == 0


def test_the_claim_finds_due_streams_while_other_writers_hold_theirs(exchange: Exchange) -> None:
    """An open intake transaction must not starve the drain (on SQLite it simply waits its turn)."""
    exchange.record("bear")
    if exchange.database.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    with exchange.database.transaction() as session:
        record(session, exchange.connection_id, "robot", now=datetime.now(UTC))
        session.flush()
        exchange.station.drain(exchange.connection_id)
        assert exchange.shop.effects() == [("toy/bear", 1)]


def test_recording_and_settling_lock_streams_in_one_order(exchange: Exchange) -> None:
    """Else a change of two records and the drain that settles both would wait for each other."""
    exchange.record("zebra")
    exchange.record("bear")  # numbered after the zebra, named before it
    if exchange.database.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    drain = Thread(target=exchange.station.drain, args=(exchange.connection_id,))
    with exchange.database.transaction() as session:
        record(session, exchange.connection_id, "bear", now=datetime.now(UTC))
        drain.start()
        while not session.execute(text("select 1 from pg_locks where not granted")).first():
            assert drain.is_alive()
            time.sleep(0.01)
        record(session, exchange.connection_id, "zebra", now=datetime.now(UTC))
    drain.join()
    assert exchange.all_sent()
