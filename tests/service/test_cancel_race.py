"""Cancelling against the point of no return: never both. `make cancel-race` runs a thousand rounds and more."""

from collections.abc import Callable, Iterator
from threading import Event, Thread

import pytest
from sqlalchemy import select

from bridge.database import Database
from bridge.models import Connection
from provider.domain.errors import Conflict
from provider.domain.orders import OrderState
from provider.services.intake import cancel_provider_task
from provider.services.order_tasks import complete_task
from tests.cancel_race import CANCELLED, SHIP, TOO_LATE, race, told_both
from tests.factories import AGENT, NOW, Ordered, exchange_database, make_order, read_order

Call = Callable[[Database, Ordered, Event | None, Event | None], None]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with exchange_database(database_url) as database:
        yield database


def test_of_a_cancellation_and_the_point_of_no_return_one_wins_and_each_does_at_times(database: Database) -> None:
    tally = race(database, 60)
    assert tally.broken == []
    assert set(tally.winners) == {CANCELLED, TOO_LATE}
    with database.reading() as session:
        connection_id = session.execute(select(Connection.id)).scalar_one()
    assert told_both(database, connection_id) == []


def cancel(database: Database, made: Ordered, done: Event | None, go_on: Event | None) -> None:
    with database.transaction() as session:
        cancel_provider_task(session, made.connection_id, made.task_id, reason="Too late?", now=NOW)
        _linger(done, go_on)


def complete(database: Database, made: Ordered, done: Event | None, go_on: Event | None) -> None:
    with database.transaction() as session:
        complete_task(session, "TASK0000001", actor=AGENT, now=NOW)
        _linger(done, go_on)


@pytest.mark.parametrize(
    ("first", "second", "state", "code"),
    [
        (cancel, complete, OrderState.ASSESSING_CANCELLATION, "order_not_in_progress"),
        (complete, cancel, OrderState.COMPLETED, "past_point_of_no_return"),
    ],
    ids=["cancel first", "task first"],
)
def test_the_second_waits_for_the_first_to_commit_and_is_refused(
    database: Database, first: Call, second: Call, state: OrderState, code: str
) -> None:
    """The first has changed the order and not committed: locks, and no luck, hold the second."""
    made = make_order(database, approved=True, columns=SHIP)
    done, go_on, ended = Event(), Event(), Event()
    refused: list[Conflict] = []

    def follow() -> None:
        try:
            second(database, made, None, None)
        except Conflict as error:
            refused.append(error)
        ended.set()

    leader, follower = Thread(target=first, args=(database, made, done, go_on)), Thread(target=follow)
    leader.start()
    assert done.wait(10)
    follower.start()
    waited = not ended.wait(0.3)
    go_on.set()
    for thread in (leader, follower):
        thread.join(10)
    assert waited
    assert [error.code for error in refused] == [code]
    locked = read_order(database, made.order_number)
    assert (locked.state, locked.order.ponr) == (state, code == "past_point_of_no_return")


def _linger(done: Event | None, go_on: Event | None) -> None:
    """Tell that everything is done but the commit, and wait with that."""
    if done and go_on:
        done.set()
        go_on.wait(10)
