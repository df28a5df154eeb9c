"""Who may order what follows from what consumers are and have, and nobody loses much at once unseen."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bridge.database import Database
from bridge.models import Connection
from bridge.vocabulary import ConnectionState
from provider.domain.entitlements import RemovalLimits, Removals, is_mass_removal
from provider.domain.errors import InvalidFields
from provider.models.access import Registration
from provider.models.catalog import Entitlement, ProductOffering, RemoteRecordProducer, Specification
from provider.models.criteria import HeldRemoval
from provider.models.inventory import Product
from provider.services.connections import change_settings, pause_connection, resume_connection
from provider.services.entitlements import refresh_entitlements
from provider.services.producers import publish_producer, retire_producer
from tests.factories import (
    AGENT,
    NOW,
    events_of,
    exchange_database,
    import_small_catalog,
    make_connection,
    make_consumer,
    make_registration,
    make_request,
    make_router_item,
)
from tests.inventory_factories import bring

CHANGED, REMOVED = "exchange.catalog_item.changed", "exchange.catalog_item.removed"
GOLD = {"label": {"name": "tier", "values": ["gold"]}}


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with exchange_database(database_url) as database:
        yield database


def publish(session: Session, identity: str, criteria: Any) -> None:
    publish_producer(session, identity, criteria, AGENT, NOW)


def told(session: Session, connection_id: str, identity: str) -> list[str]:
    """What a connection was told of an item."""
    return [type_ for type_, stream, _ in events_of(session, connection_id) if stream == f"catalog_item/{identity}"]


def entitled(session: Session, identity: str) -> set[str]:
    query = select(Entitlement.connection_id).where(Entitlement.identity == identity, Entitlement.entitled)
    return set(session.scalars(query))


def label(session: Session, connection_id: str, **labels: str) -> None:
    change_settings(session, connection_id, {"labels": labels}, actor=AGENT, now=NOW)


def make_company(session: Session, name: str) -> str:
    """A connection whose registration names a company."""
    connection = make_connection(session, name=f"{name} IT")
    registration_id, _ = make_registration(session, name)
    session.execute(update(Registration).where(Registration.id == registration_id).values(connection_id=connection.id))
    return connection.id


def make_owner(session: Session, prefix: str = "ACME") -> tuple[str, str, str]:
    """A consumer with one active router: its connection, and the external ids of the offering and the specification."""
    connection = make_consumer(session, prefix)
    item = make_router_item(session, connection.id)
    bring(session, connection.id, make_request(item, 1, prefix))
    offering = session.get_one(ProductOffering, item.product_offering_id)
    return connection.id, offering.external_id, session.get_one(Specification, item.specification_id).external_id


def test_a_company_an_account_a_label_a_setting_and_what_is_owned_choose_consumers(database: Database) -> None:
    with database.transaction() as session:
        identity = import_small_catalog(session).identity
        acme, bolt = make_company(session, "ACME"), make_company(session, "Bolt")
        owner, offering, specification = make_owner(session, "OWNER")
        settings = {"account": "A-7", "labels": {"tier": "gold"}, "show_prices": True}
        change_settings(session, acme, settings, actor=AGENT, now=NOW)
        for criteria, expected in (
            ({"companies": ["ACME"]}, {acme}),
            ({"companies": ["Bolt", "ACME"]}, {acme, bolt}),
            ({"accounts": ["A-7"]}, {acme}),
            (GOLD, {acme}),
            ({"setting": {"name": "show_prices", "values": [False]}}, {bolt, owner}),
            ({"owns_offerings": [offering]}, {owner}),
            ({"owns_specifications": [specification]}, {owner}),
            ({"any": [{"companies": ["Bolt"]}, {"owns_offerings": [offering]}]}, {bolt, owner}),
            ({"all": [{"companies": ["ACME", "Bolt"]}, GOLD]}, {acme}),
            ({"all": [{"companies": ["Bolt"]}, GOLD]}, set()),
        ):
            publish(session, identity, criteria)
            assert entitled(session, identity) == expected, criteria


def test_what_there_is_not_is_refused_with_a_pointer(database: Database) -> None:
    with database.transaction() as session:
        identity = import_small_catalog(session).identity
        criteria = {"any": [{"owns_offerings": ["po-line", "po-none"]}, {"owns_specifications": ["ps-none"]}]}
        with pytest.raises(InvalidFields) as refused:
            publish(session, identity, criteria)
    pointers = [(fault.pointer, fault.code) for fault in refused.value.errors]
    assert pointers == [
        ("/criteria/any/0/owns_offerings/1", "unknown"),
        ("/criteria/any/1/owns_specifications/0", "unknown"),
    ]


def test_a_label_that_changes_changes_the_entitlement_at_once(database: Database) -> None:
    with database.transaction() as session:
        acme = make_connection(session).id
        identity = import_small_catalog(session).identity
        publish(session, identity, GOLD)
        label(session, acme, tier="gold")
        assert told(session, acme, identity) == [CHANGED]
        label(session, acme, tier="gold", region="north")
        assert told(session, acme, identity) == [CHANGED], "nothing to say of a label that nobody asks for"
        label(session, acme, tier="tin")
        assert told(session, acme, identity) == [CHANGED, REMOVED]


def test_reconnecting_never_deletes_and_the_next_look_does(database: Database) -> None:
    with database.transaction() as session:
        acme = make_connection(session).id
        identity = import_small_catalog(session).identity
        label(session, acme, tier="gold")
        publish(session, identity, GOLD)
        pause_connection(session, acme, reason="r", actor=AGENT, now=NOW)
        session.execute(update(Connection).where(Connection.id == acme).values(settings={}))
        resume_connection(session, acme, actor=AGENT, now=NOW)
        assert told(session, acme, identity) == [CHANGED]
        assert refresh_entitlements(session, NOW) == 1
        assert told(session, acme, identity) == [CHANGED, REMOVED]


def test_a_condition_that_this_version_does_not_know_neither_grants_nor_removes(database: Database) -> None:
    with database.transaction() as session:
        acme = make_connection(session, name="has it").id
        identity = import_small_catalog(session).identity
        publish(session, identity, {"connection_ids": [acme]})
        make_connection(session, name="has it not")
        later = update(RemoteRecordProducer).where(RemoteRecordProducer.identity == identity)
        session.execute(later.values(criteria={"moon_phase": ["full"]}))
        session.expire_all()
        assert refresh_entitlements(session, NOW) == 0
        assert entitled(session, identity) == {acme}


def test_one_who_was_revoked_is_no_longer_looked_at(database: Database) -> None:
    with database.transaction() as session:
        gone = make_connection(session, state=ConnectionState.REVOKED).id
        identity = import_small_catalog(session).identity
        label_of = update(Connection).where(Connection.id == gone).values(settings={"labels": {"tier": "gold"}})
        session.execute(label_of)
        publish(session, identity, GOLD)
        assert entitled(session, identity) == set()


# --- removing much at once


@pytest.mark.parametrize(
    ("lost", "recent", "had", "is_mass"),
    [
        (0, 50, 100, False),
        (3, 0, 3, False),  # few are few, whatever their share
        (4, 0, 4, True),
        (4, 0, 8, False),
        (5, 0, 8, True),
        (1, 4, 4, True),  # one by one is the same as at once
        (20, 0, 1000, False),
        (21, 0, 1000, True),
    ],
)
def test_what_is_much_depends_on_number_and_share(lost: int, recent: int, had: int, is_mass: bool) -> None:
    assert is_mass_removal(Removals(lost, recent, had), RemovalLimits()) is is_mass


def make_many(session: Session, count: int) -> tuple[str, list[str]]:
    """An item that so many consumers are entitled to by their label."""
    ids = [make_connection(session, name=f"C{number}").id for number in range(count)]
    session.execute(update(Connection).where(Connection.id.in_(ids)).values(settings={"labels": {"tier": "gold"}}))
    identity = import_small_catalog(session).identity
    publish(session, identity, GOLD)
    assert entitled(session, identity) == set(ids)
    return identity, sorted(ids)


def unlabel(session: Session, ids: list[str]) -> None:
    session.execute(update(Connection).where(Connection.id.in_(ids)).values(settings={}))
    session.expire_all()


def open_hold(session: Session, identity: str) -> HeldRemoval | None:
    query = select(HeldRemoval).where(HeldRemoval.identity == identity, HeldRemoval.state == "held")
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def test_a_mass_removal_is_held_and_nobody_is_told(database: Database) -> None:
    with database.transaction() as session:
        identity, ids = make_many(session, 6)
        unlabel(session, ids[:5])
        for _ in range(2):
            assert refresh_entitlements(session, NOW) == 0
            hold = open_hold(session, identity)
            assert hold
            assert (hold.connection_ids, hold.entitled) == (ids[:5], 6)
        assert entitled(session, identity) == set(ids)
        assert [told(session, one, identity) for one in ids] == [[CHANGED]] * 6


def test_losing_them_one_by_one_is_held_all_the_same(database: Database) -> None:
    with database.transaction() as session:
        identity, ids = make_many(session, 6)
        for one in ids[:5]:
            unlabel(session, [one])
            refresh_entitlements(session, NOW, connection_ids=[one])
        assert entitled(session, identity) == set(ids[3:])
        hold = open_hold(session, identity)
        assert hold
        assert hold.connection_ids == ids[3:5]


def test_a_day_later_a_few_may_go_again(database: Database) -> None:
    with database.transaction() as session:
        identity, ids = make_many(session, 6)
        unlabel(session, ids[:3])
        refresh_entitlements(session, NOW)
        unlabel(session, ids[3:4])
        refresh_entitlements(session, NOW + timedelta(hours=25))
        assert entitled(session, identity) == set(ids[4:])
        assert open_hold(session, identity) is None


def test_what_heals_by_itself_is_over_and_nobody_has_to_decide(database: Database) -> None:
    with database.transaction() as session:
        identity, ids = make_many(session, 6)
        unlabel(session, ids)
        refresh_entitlements(session, NOW)
        assert open_hold(session, identity)
        session.execute(update(Connection).values(settings={"labels": {"tier": "gold"}}))
        session.expire_all()
        assert refresh_entitlements(session, NOW) == 0
        assert open_hold(session, identity) is None
        assert session.scalars(select(HeldRemoval.state)).all() == ["over"]
        assert entitled(session, identity) == set(ids)


def test_all_items_of_one_consumer_are_much_too(database: Database) -> None:
    with database.transaction() as session:
        acme = make_connection(session).id
        label(session, acme, tier="gold")
        items = [make_router_item(session, acme).identity for _ in range(5)]
        session.execute(update(RemoteRecordProducer).values(criteria=GOLD))
        session.expire_all()
        assert refresh_entitlements(session, NOW) == 0
        label(session, acme)
        assert [bool(open_hold(session, identity)) for identity in items] == [True] * 5
        assert told(session, acme, items[0]) == []


def test_retiring_is_a_persons_word_and_is_never_held(database: Database) -> None:
    with database.transaction() as session:
        identity, ids = make_many(session, 6)
        unlabel(session, ids)
        refresh_entitlements(session, NOW)
        retire_producer(session, identity, AGENT, NOW)
        assert entitled(session, identity) == set()
        assert open_hold(session, identity) is None


def test_the_limits_are_those_of_the_instance(database: Database) -> None:
    with database.transaction() as session:
        session.info["removal_limits"] = RemovalLimits(number=1)
        identity, ids = make_many(session, 6)
        unlabel(session, ids[:2])
        refresh_entitlements(session, NOW)
        assert open_hold(session, identity)


def test_products_of_others_do_not_count(database: Database) -> None:
    with database.transaction() as session:
        identity = import_small_catalog(session).identity
        owner, offering, _ = make_owner(session)
        other = make_connection(session).id
        publish(session, identity, {"owns_offerings": [offering]})
        assert entitled(session, identity) == {owner}
        session.execute(update(Product).values(connection_id=other))
        refresh_entitlements(session, NOW)
        assert entitled(session, identity) == {other}
