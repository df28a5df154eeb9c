"""What is one connection told of an item otherwise than another? Prices, and what its version cannot show."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.models import Connection
from bridge.versions import FIRST_VERSION, WIRE_VERSION, is_enough
from provider.models.catalog import RemoteRecordProducer
from provider.services.pricing import find_told_prices, told_prices

PEER_VERSION = "peer_version"
_BARE = {"form": {"variables": [], "parts": []}, "kind": "service", "orderable": False}
"""An older consumer can show this much; `compatibility` says to it why it cannot be activated."""

Document = dict[str, Any]


def tell_otherwise(
    session: Session, producer: RemoteRecordProducer, connection_ids: Sequence[str]
) -> Iterator[tuple[list[str], Document]]:
    """Connections, and the members of the event about an item that are for them alone."""
    behind = _find_behind(session, producer, connection_ids)
    for told, prices in told_prices(session, producer, connection_ids):
        if able := [one for one in told if one not in behind]:
            yield able, prices
        if unable := [one for one in told if one in behind]:
            yield unable, prices | _BARE


def find_told_otherwise(
    session: Session, connection_id: str, producers: Sequence[RemoteRecordProducer]
) -> Mapping[str, Document]:
    """The same for several items and one connection, by identity."""
    told = dict(find_told_prices(session, connection_id, producers))
    for producer in producers:
        if _find_behind(session, producer, [connection_id]):
            told[producer.identity] = told.get(producer.identity, {}) | _BARE
    return told


def spoken_by(settings: Mapping[str, Any] | None) -> str:
    """The version of the exchange that a consumer said it speaks."""
    return str((settings or {}).get(PEER_VERSION) or WIRE_VERSION)


def note_version(session: Session, connection_id: str, version: str | None, *, now: datetime) -> bool:
    """Keep which version a consumer speaks by now. Whether it is another than before: its items are to be told anew."""
    if version is None:
        return False
    connection = session.get_one(Connection, connection_id)
    if spoken_by(connection.settings) == version:
        return False
    session.refresh(connection, with_for_update=True)  # people may be changing other settings
    connection.settings = connection.settings | {PEER_VERSION: version}
    session.flush()
    return True


def _find_behind(session: Session, producer: RemoteRecordProducer, connection_ids: Sequence[str]) -> set[str]:
    if is_enough(FIRST_VERSION, producer.compatibility):
        return set()
    rows = session.execute(select(Connection.id, Connection.settings).where(Connection.id.in_(connection_ids)))
    return {row.id for row in rows if not is_enough(spoken_by(row.settings), producer.compatibility)}
