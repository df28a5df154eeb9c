"""The order itself tells where each event about it is: sent, waiting, failing and why, or parked, and replays."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from bridge.database import Database
from bridge.models import Connection, Delivery, Lease, Stream
from provider.domain.errors import NotFound
from provider.models.access import AuditEntry
from provider.services.order_deliveries import EVENTS_LIMIT, replay_order_deliveries
from provider.services.order_view import show_order
from tests.factories import AGENT, NOW, Ordered, exchange_database, make_order

LATER = NOW + timedelta(minutes=3)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with exchange_database(database_url) as database:
        yield database


def delivery_of(database: Database, made: Ordered) -> dict[str, Any]:
    with database.reading() as session:
        shown: dict[str, Any] = show_order(session, made.order_number)["delivery"]
        return shown


def task_states(shown: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(e["state"], e["reason"]) for e in shown["events"] if e["stream"].startswith("provider_task/")]


def settle(database: Database, made: Ordered, state: str, error: str | None = None, **stream: Any) -> None:
    """The first event about the request as the drain leaves it, and its stream."""
    with database.transaction() as session:
        name = f"provider_task/{made.task_id}"
        row = session.execute(select(Stream).where(Stream.stream == name)).scalar_one()
        head = (Delivery.stream_id == row.id) & (Delivery.sequence == 1)
        settled_at = NOW if state == "delivered" else None
        session.execute(update(Delivery).where(head).values(state=state, error=error, settled_at=settled_at))
        for column, value in stream.items():
            setattr(row, column, value)


def test_what_is_sent_and_what_waits(database: Database) -> None:
    made = make_order(database, approved=True)
    settle(database, made, "delivered", head=2)
    shown = delivery_of(database, made)
    assert task_states(shown) == [("sent", None), *[("waiting", None)] * 4]
    assert [e["type"] for e in shown["events"] if e["stream"].startswith("product/")] == ["exchange.product.changed"]
    assert (shown["state"], shown["recorded"], shown["waiting"]) == ("waiting", 6, 5)
    assert shown["events"][0]["settled_at"] == NOW


def test_all_sent_is_sent(database: Database) -> None:
    made = make_order(database)
    with database.transaction() as session:
        session.execute(update(Delivery).values(state="delivered", settled_at=NOW))
        session.execute(update(Stream).values(head=Stream.next_sequence, due_at=None))
    shown = delivery_of(database, made)
    assert (shown["state"], shown["waiting"], task_states(shown)) == ("sent", 0, [("sent", None)] * 3)


def test_a_record_that_is_rejected_says_why_and_when_it_is_tried_again(database: Database) -> None:
    made = make_order(database)
    settle(database, made, "pending", "rejected: no such task", failures=1, due_at=LATER)
    shown = delivery_of(database, made)
    assert task_states(shown) == [("failing", "rejected: no such task"), ("waiting", None), ("waiting", None)]
    assert (shown["state"], shown["events"][0]["next_try_at"]) == ("failing", LATER)


def test_a_consumer_that_is_away_makes_everything_fail_until_its_next_probe(database: Database) -> None:
    made = make_order(database)
    with database.transaction() as session:
        session.execute(update(Lease).values(failures=4, last_error="connection refused", not_before=LATER))
    shown = delivery_of(database, made)
    assert task_states(shown) == [("failing", "connection refused")] * 3
    assert {event["next_try_at"] for event in shown["events"]} == {LATER}


def test_a_paused_connection_is_named(database: Database) -> None:
    made = make_order(database)
    with database.transaction() as session:
        session.execute(update(Connection).values(state="paused"))
    assert task_states(delivery_of(database, made)) == [("waiting", "the connection is paused")] * 3


def test_what_is_parked_holds_the_later_ones_and_is_replayed_from_the_order(database: Database) -> None:
    made, other = make_order(database, approved=True), make_order(database, prefix="GLOBEX")
    settle(database, made, "parked", "rejected: no", blocked_by=1, due_at=None)
    shown = delivery_of(database, made)
    behind = ("waiting", "behind event 1 of its stream, which is parked")
    assert task_states(shown) == [("parked", "rejected: no"), *[behind] * 4]
    assert (shown["state"], shown["parked"], shown["error"]) == ("parked", shown["events"][0]["id"], "rejected: no")
    assert delivery_of(database, other)["state"] == "waiting"
    with database.transaction() as session:
        replay_order_deliveries(session, made.order_number, actor=AGENT, now=NOW)
        replay_order_deliveries(session, made.order_number, actor=AGENT, now=NOW)
    shown = delivery_of(database, made)
    assert (shown["state"], shown["parked"], task_states(shown)) == ("waiting", None, [("waiting", None)] * 5)
    with database.reading() as session:
        audited = select(AuditEntry.actor, AuditEntry.action).where(AuditEntry.action == "delivery.replay")
        assert [tuple(row) for row in session.execute(audited)] == [(AGENT, "delivery.replay")]
        stream = select(Stream.due_at, Stream.blocked_by).where(Stream.stream == f"provider_task/{made.task_id}")
        assert tuple(session.execute(stream).one()) == (NOW, None)


def test_there_is_nothing_to_replay_for_an_order_that_is_not_there(database: Database) -> None:
    with database.transaction() as session, pytest.raises(NotFound):
        replay_order_deliveries(session, "ORD9999999", actor=AGENT, now=NOW)


def test_a_long_story_shows_its_newest_events(database: Database) -> None:
    made = make_order(database, approved=True, quantity=EVENTS_LIMIT + 10)
    shown = delivery_of(database, made)
    assert len(shown["events"]) == EVENTS_LIMIT
    assert shown["recorded"] == EVENTS_LIMIT + 10 + 5
