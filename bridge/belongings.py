"""Which rows belong to one connection? To save and to remove what is left of one that has ended, and of no other.

A row belongs to a connection if it names it, or points at a row that does. Tables are found in the models, so that one
that is added later is not forgotten. What a connection was is kept: its own row, its registration and the audit.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, MetaData, Table, delete, or_, select, update
from sqlalchemy.orm import Session

from bridge.models import Connection, Delivery, HeldEvent, InboxMessage, InboxStream, OutboxEvent, table_of

Owned = Mapping[Table, ColumnElement[bool]]

_KEPT = frozenset({"connections", "registrations", "provider_connections", "farewells"})
_SECRET = frozenset({"credentials", "access_tokens"})
"""Gone with the connection, and never saved."""
_CONNECTIONS, _EVENTS = table_of(Connection), table_of(OutboxEvent)
_CHUNK = 500


def find_belongings(metadata: Sequence[MetaData], connection_id: str) -> dict[Table, ColumnElement[bool]]:
    """By table, those that others point at first, which of its rows belong to the connection."""
    owned: dict[Table, ColumnElement[bool]] = {}
    for table in (table for one in metadata for table in one.sorted_tables if table.name not in _KEPT):
        if "connection_id" in table.c:
            owned[table] = table.c.connection_id == connection_id
        elif points := _points(table, owned):
            owned[table] = or_(*points)
    streams, messages = table_of(InboxStream), table_of(InboxMessage)
    owned[messages] = messages.c.stream_id.in_(select(streams.c.id).where(owned[streams]))  # a key without a constraint
    return owned


def _points(table: Table, owned: Owned) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    for key in table.foreign_keys:
        target = key.column.table
        if target in owned and target is not table:
            found.append(key.parent.in_(select(key.column).where(owned[target])))
    return found


def save_rows(session: Session, metadata: Sequence[MetaData], connection_id: str) -> Iterator[str]:
    """Every row that belongs to the connection, its own one first, as lines of JSON: `{"table", "row"}`. No secrets."""
    yield from _lines(session, _CONNECTIONS, _CONNECTIONS.c.id == connection_id)
    for table, ours in find_belongings(metadata, connection_id).items():
        if table.name not in _SECRET:
            yield from _lines(session, table, ours)
    told = select(table_of(Delivery).c.event_id).where(table_of(Delivery).c.connection_id == connection_id)
    yield from _lines(session, _EVENTS, _EVENTS.c.id.in_(told))


def remove_rows(session: Session, metadata: Sequence[MetaData], connection_id: str) -> dict[str, int]:
    """Remove every row that belongs to the connection, and empty the facts that only it was told. Counts by table."""
    facts = _own_facts(session, connection_id)
    session.execute(update(_CONNECTIONS).where(_CONNECTIONS.c.id == connection_id).values(mapping_version=None))
    removed: dict[str, int] = {}
    owned = find_belongings(metadata, connection_id)
    # Messages are found by their streams, although no constraint says so; everything else by what points at it.
    order = [table_of(InboxMessage), *(table for table in reversed(owned) if table is not table_of(InboxMessage))]
    for table in order:
        found: Any = session.execute(delete(table).where(owned[table]))
        removed[table.name] = found.rowcount
    for start in range(0, len(facts), _CHUNK):
        some = _EVENTS.c.id.in_(facts[start : start + _CHUNK])
        session.execute(update(_EVENTS).where(some).values(data="{}"))
    return {name: count for name, count in removed.items() if count}


def _own_facts(session: Session, connection_id: str) -> list[int]:
    ours: set[int] = set()
    theirs: set[int] = set()
    for table in (table_of(Delivery), table_of(HeldEvent)):
        mine = select(table.c.event_id).where(table.c.connection_id == connection_id)
        ours.update(session.scalars(mine))
        others = select(table.c.event_id).where(table.c.connection_id != connection_id, table.c.event_id.in_(mine))
        theirs.update(session.scalars(others))
    return sorted(ours - theirs)


def _lines(session: Session, table: Table, ours: ColumnElement[bool]) -> Iterator[str]:
    query = select(table).where(ours).order_by(*table.primary_key.columns)
    for row in session.execute(query.execution_options(yield_per=_CHUNK)).mappings():
        plain = {name: _plain(value) for name, value in row.items() if name != "secrets"}
        yield json.dumps({"table": table.name, "row": plain}, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value if isinstance(value, str | int | float | bool | list | dict | None) else str(value)
