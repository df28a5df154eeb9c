"""Prices are kept on the lines as they were, and told only where a connection's setting says so."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from bridge.database import Database
from bridge.models import Delivery
from provider.domain.errors import NotFound
from provider.models.catalog import ProductOffering, RemoteRecordProducer
from provider.models.orders import CustomerOrder
from provider.services.connections import change_settings
from provider.services.entitlements import list_catalog_items
from provider.services.intake import submit_provider_task
from provider.services.order_view import show_order
from provider.services.producers import publish_producer
from provider.services.records import list_records
from tests.factories import (
    NOW,
    events_of,
    exchange_database,
    import_small_catalog,
    make_consumer,
    make_request,
    publish_to_all,
)

SHOWN = [
    {
        "name": "Monthly", "price_type": "recurring", "amount": "49.90", "currency": "EUR", "period": None,
        "period_length": None,
    }
]  # fmt: skip


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with exchange_database(database_url) as database:
        yield database


def show(session: Any, connection_id: str, told: bool) -> None:
    change_settings(session, connection_id, {"show_prices": told}, actor="user/ann", now=NOW)


def test_a_line_keeps_the_price_of_the_day_it_was_ordered(database: Database) -> None:
    with database.transaction() as session:
        connection = make_consumer(session)
        import_small_catalog(session)
        request = make_request(publish_to_all(session), quantity=3)
        task = submit_provider_task(session, connection.id, request, now=NOW)
        number = session.get_one(CustomerOrder, task.order_id).number
        session.execute(select(ProductOffering)).scalar_one().prices = []
    with database.reading() as session:
        order = show_order(session, number)
    assert [(p["unit_amount"], p["amount"]) for p in order["lines"][0]["prices"]] == [("49.90", "149.70")]
    assert [total["amount"] for total in order["totals"]] == ["149.70"]


def test_only_a_connection_whose_setting_says_so_is_told_prices(database: Database) -> None:
    with database.transaction() as session:
        told, other = make_consumer(session, "ACME"), make_consumer(session, "GLOBEX")
        show(session, told.id, True)
        import_small_catalog(session)
        publish_to_all(session)
        assert events_of(session, told.id)[-1][2]["prices"] == SHOWN
        assert "prices" not in events_of(session, other.id)[-1][2]
        for connection, prices in ((told, SHOWN), (other, None)):
            (item,) = list_catalog_items(session, connection.id, limit=9, after=None).items
            assert item.get("prices") == prices
            (row,) = list_records(session, connection.id, "catalog_item", limit=9).items
            assert row.get("prices") == prices
        assert "49.90" not in json.dumps(events_of(session, other.id))


def test_changing_the_setting_tells_the_items_again_and_repeating_it_does_not(database: Database) -> None:
    with database.transaction() as session:
        connection = make_consumer(session)
        import_small_catalog(session)
        publish_to_all(session)
        for told in (True, True, False, False):
            show(session, connection.id, told)
        prices = [data.get("prices") for _, _, data in events_of(session, connection.id)]
        assert prices == [None, SHOWN, None]
        texts = session.execute(select(Delivery.text).order_by(Delivery.sequence)).scalars()
        assert ["49.90" in (text or "") for text in texts] == [False, True, False]


def test_the_inventory_item_has_no_price_and_cannot_be_ordered(database: Database) -> None:
    with database.transaction() as session:
        connection = make_consumer(session)
        show(session, connection.id, True)
        import_small_catalog(session)
        of_inventory = RemoteRecordProducer.kind == "inventory"
        draft = session.execute(select(RemoteRecordProducer).where(of_inventory)).scalar_one()
        item = publish_producer(session, draft.identity, {"connection_ids": [connection.id]}, "user/ann", NOW)
        data = events_of(session, connection.id)[-1][2]
        assert (data["kind"], data["orderable"], data["form"]) == ("inventory", False, {"variables": [], "parts": []})
        assert "prices" not in data
        with pytest.raises(NotFound):
            submit_provider_task(session, connection.id, make_request(item), now=NOW)
