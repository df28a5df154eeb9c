"""The lists of pages, on both databases: every order and every filter can be asked for."""

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session

from bridge.database import Database
from provider.services import catalog_search, connection_search, producer_search
from provider.services.catalog_import import import_catalog
from provider.services.flow_arrivals import read_arrivals
from tests.factories import (
    NOW,
    demo_catalog,
    exchange_database,
    import_small_catalog,
    make_connection,
    make_order,
    make_registration,
    publish_to_all,
)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with exchange_database(database_url) as database:
        yield database


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.transaction() as session:
        for name in ("Zeta", "alpha", "Beta_"):
            make_connection(session, name=name)
            make_registration(session, name)
        import_small_catalog(session)
        import_catalog(session, demo_catalog(), NOW)
        publish_to_all(session)
        session.flush()
        yield session


def test_connections(session: Session) -> None:
    for sort in connection_search.CONNECTIONS_SORTABLE:
        for descending in (False, True):
            rows, total = connection_search.search_connections(session, now=NOW, sort=sort, descending=descending)
            assert (len(rows), total) == (3, 3)
    named, _ = connection_search.search_connections(session, now=NOW)
    assert [row["name"] for row in named] == ["alpha", "Beta_", "Zeta"]
    found, total = connection_search.search_connections(session, now=NOW, text="_", state="active", health="well")
    assert ([row["name"] for row in found], total) == (["Beta_"], 1)


def test_registrations(session: Session) -> None:
    for sort in connection_search.REGISTRATIONS_SORTABLE:
        for descending in (False, True):
            _, total = connection_search.search_registrations(session, now=NOW, sort=sort, descending=descending)
            assert total == 3
    rows, total = connection_search.search_registrations(session, now=NOW, sort="company", offset=1, limit=1)
    assert ([row["company"] for row in rows], total) == (["Beta_"], 3)


def test_the_catalog(session: Session) -> None:
    _, everything = catalog_search.search_catalog(session)
    for sort in catalog_search.SORTABLE:
        for descending in (False, True):
            rows, total = catalog_search.search_catalog(session, sort=sort, descending=descending, limit=5)
            assert (len(rows), total) == (5, everything)
    kinds = [catalog_search.search_catalog(session, kind=kind)[1] for kind in catalog_search.KINDS]
    assert all(kinds)
    assert sum(kinds) == everything
    sellable = [catalog_search.search_catalog(session, sellable=word)[1] for word in ("yes", "no")]
    assert sum(sellable) == kinds[0], "only offerings are sellable, or not"
    rows, total = catalog_search.search_catalog(session, text="po-line", state="published")
    assert [(row["name"], row["sellable"], row["channels"]) for row in rows] == [
        ("Business Line", True, ["service_exchange"])
    ]


def test_producers(session: Session) -> None:
    _, everything = producer_search.search_producers(session)
    for sort in producer_search.SORTABLE:
        for descending in (False, True):
            _, total = producer_search.search_producers(session, sort=sort, descending=descending)
            assert total == everything
    ((row,), total) = producer_search.search_producers(session, text="LINE", state="published", kind="product")
    assert (row["name"], row["published"], row["entitled"], row["active"], total) == ("Business Line", 1, 3, 0, 1)


def test_the_newest_requests_come_first(database: Database) -> None:
    orders = [make_order(database, prefix=prefix) for prefix in ("ACME", "BOLT", "CARGO")]
    with database.reading() as session:
        arrivals = read_arrivals(session, 2)
    assert [(one.number, one.connection_id, one.at) for one in arrivals] == [
        (one.order_number, one.connection_id, NOW) for one in (orders[2], orders[1])
    ]
