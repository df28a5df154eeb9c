"""Entitlements follow within seconds what consumers have, and every night whatever was missed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from bridge.database import Database
from bridge.models import Connection, Delivery
from provider.models.catalog import EntitlementGuard, ProductOffering
from provider.models.criteria import EntitlementCheck
from provider.models.orders import CustomerOrder
from provider.services.entitlement_checks import compute_due, is_due, last_night, refresh_due
from provider.services.intake import submit_provider_task
from provider.services.orders import approve_order
from tests.factories import (
    AGENT,
    NOW,
    at_once,
    exchange_database,
    import_small_catalog,
    make_connection,
    make_consumer,
    make_request,
    make_router_item,
)
from tests.inventory_factories import all_products, ask, carry_out, make_action, make_manage_inventory, work
from tests.service.test_criteria import CHANGED, GOLD, REMOVED, entitled, make_owner, publish, told


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with exchange_database(database_url) as database:
        yield database


def compute(database: Database, now: datetime = NOW) -> int:
    return compute_due(database.reading, database.transaction, now=now)


def waiting(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(EntitlementCheck)) or 0


def test_what_becomes_active_grants_and_what_is_gone_removes(database: Database) -> None:
    with database.transaction() as session:
        identity = import_small_catalog(session).identity
        acme, offering, _ = make_owner(session)
        make_manage_inventory(session, acme)
        publish(session, identity, {"owns_offerings": [offering]})
    (product,) = all_products(database)
    compute(database)
    number = ask(database, acme, product, make_action("disconnect"))
    assert waiting(database) == 0, "what is only asked for changes nothing"
    carry_out(database, number)
    assert waiting(database) == 1
    assert compute(database) == 1
    assert (compute(database), waiting(database)) == (0, 0)
    with database.reading() as session:
        assert told(session, acme, identity) == [CHANGED, REMOVED]


def test_the_first_product_grants_as_soon_as_it_is_active(database: Database) -> None:
    with database.transaction() as session:
        line = import_small_catalog(session).identity
        acme = make_consumer(session).id
        item = make_router_item(session, acme)
        publish(
            session, line, {"owns_offerings": [session.get_one(ProductOffering, item.product_offering_id).external_id]}
        )
        task = submit_provider_task(session, acme, make_request(item), now=NOW)
        number = session.get_one(CustomerOrder, task.order_id).number
    compute(database)
    with database.transaction() as session:
        approve_order(session, number, actor=AGENT, now=NOW)
    assert waiting(database) == 0, "a product that is being installed is not in use"
    with database.transaction() as session:
        work(session, number)
    assert compute(database) == 1
    with database.reading() as session:
        assert entitled(session, line) == {acme}


def test_suspending_is_not_losing(database: Database) -> None:
    with database.transaction() as session:
        identity = import_small_catalog(session).identity
        acme, offering, _ = make_owner(session)
        make_manage_inventory(session, acme)
        publish(session, identity, {"owns_offerings": [offering]})
    compute(database)
    (product,) = all_products(database)
    carry_out(database, ask(database, acme, product, make_action("suspend")))
    assert waiting(database) == 0
    with database.reading() as session:
        assert entitled(session, identity) == {acme}


def test_every_night_what_was_missed_is_found_once(database: Database) -> None:
    with database.transaction() as session:
        acme = make_connection(session).id
        identity = import_small_catalog(session).identity
        publish(session, identity, GOLD)
    compute(database)
    with database.transaction() as session:
        session.execute(update(Connection).values(settings={"labels": {"tier": "gold"}}))
    evening, night = NOW + timedelta(hours=12), NOW + timedelta(hours=18)
    assert compute(database, evening) == 0
    results = at_once([lambda: compute(database, night) for _ in range(4)])
    assert sorted(results) == [0, 0, 0, 1]
    with database.reading() as session:
        assert session.scalar(select(EntitlementGuard.refreshed_at)) == night
        assert session.scalar(select(func.count()).select_from(Delivery).where(Delivery.connection_id == acme)) == 1
    assert compute(database, night + timedelta(hours=1)) == 0


def test_a_night_that_crashed_is_made_up_for(database: Database) -> None:
    with pytest.raises(InterruptedError), database.transaction() as session:
        refresh_due(session, NOW)
        raise InterruptedError
    with database.reading() as session:
        assert is_due(session, NOW)
    compute(database)
    with database.reading() as session:
        assert not is_due(session, NOW)


@pytest.mark.parametrize(("hour", "day"), [(1, 20), (2, 21), (23, 21)])
def test_a_night_begins_at_two(hour: int, day: int) -> None:
    now = datetime(2026, 11, 21, hour, 30, tzinfo=UTC)
    assert last_night(now) == datetime(2026, 11, day, 2, 0, tzinfo=UTC)


def test_of_many_changes_at_once_none_is_lost(database: Database) -> None:
    """While entitlements are computed, products go on to change: their marks stay for the next round."""
    with database.transaction() as session:
        identity = import_small_catalog(session).identity
        acme, offering, _ = make_owner(session)
        publish(session, identity, {"owns_offerings": [offering]})
    compute(database)

    def mark() -> None:
        with database.transaction() as session:
            session.add(EntitlementCheck(connection_id=acme, reason="product", created_at=NOW))

    results = at_once([mark, lambda: compute(database), mark, lambda: compute(database), mark])
    assert [one for one in results if isinstance(one, Exception)] == []
    compute(database)
    assert waiting(database) == 0
