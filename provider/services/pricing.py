"""Who is told what things cost? Nobody, unless the connection's setting `show_prices` says so."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.models import Connection
from provider.domain.pricing import show_prices
from provider.models.catalog import ProductOffering, RemoteRecordProducer

SHOW_PRICES = "show_prices"


def told_prices(
    session: Session, producer: RemoteRecordProducer, connection_ids: Sequence[str]
) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """Connections, and what the event about an item tells them of its prices: nothing, or the member `prices`."""
    told = _find_told(session, connection_ids) if producer.product_offering_id else set()
    if told:
        yield sorted(told), _prices_of(session, [producer])[producer.identity]
    if untold := [connection_id for connection_id in connection_ids if connection_id not in told]:
        yield untold, {}


def find_told_prices(
    session: Session, connection_id: str, producers: Sequence[RemoteRecordProducer]
) -> Mapping[str, dict[str, Any]]:
    """What a connection is told of the prices of some items, by identity."""
    return _prices_of(session, producers) if _find_told(session, [connection_id]) else {}


def _find_told(session: Session, connection_ids: Sequence[str]) -> set[str]:
    rows = session.execute(select(Connection.id, Connection.settings).where(Connection.id.in_(connection_ids)))
    return {row.id for row in rows if (row.settings or {}).get(SHOW_PRICES) is True}


def _prices_of(session: Session, producers: Sequence[RemoteRecordProducer]) -> dict[str, dict[str, Any]]:
    wanted = {producer.product_offering_id for producer in producers} - {None}
    rows = session.execute(select(ProductOffering.id, ProductOffering.prices).where(ProductOffering.id.in_(wanted)))
    prices = {row.id: show_prices(row.prices) for row in rows}
    return {
        producer.identity: {"prices": prices[producer.product_offering_id]}
        for producer in producers
        if producer.product_offering_id is not None
    }
