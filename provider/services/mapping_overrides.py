"""How does one consumer see our states, where that differs from the tables of everybody? Checked, tried, versioned."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge import envelope
from bridge.mapping import Expectation, MappingHole, Table, Tables
from bridge.models import Connection, Delivery, MappingVersion, OutboxEvent
from bridge.outbox import NewEvent, Rendering, record_events
from bridge.schemas import UNSAFE_TEXT
from bridge.vocabulary import EventType
from provider.domain.errors import FieldError, InvalidFields
from provider.domain.orders import OrderState
from provider.models.orders import CustomerOrder, ProviderTask
from provider.services.audit import record_audit
from provider.services.connections import get_connection
from provider.services.mappings import EXPECTED_TABLES
from provider.services.provider_tasks import state_data, task_stream

Document = dict[str, Any]

_VERSIONS_SHOWN = 50
_TEXT_LIMIT = 255


def show_mapping(session: Session, connection_id: str) -> Document:
    """The tables in force for a connection, and its own versions, newest first. Raises NotFound."""
    connection = get_connection(session, connection_id)
    versions = (
        select(MappingVersion)
        .where(MappingVersion.connection_id == connection.id)
        .order_by(MappingVersion.version.desc())
        .limit(_VERSIONS_SHOWN)
    )
    tables = _tables(session, connection.mapping_version)
    return {
        "connection_id": connection.id,
        "version": connection.mapping_version or _rendering(session).default_version,
        "is_default": connection.mapping_version is None,
        "tables": {table.name: _table_document(table) for table in tables.tables.values()},
        "versions": [
            {"version": row.version, "created_at": row.created_at} for row in session.execute(versions).scalars()
        ],
    }


def change_mapping(
    session: Session, connection_id: str, document: Mapping[str, Any], *, actor: str, now: datetime
) -> Document:
    """Put tables, by name, in force for this connection alone. What it sees otherwise from now on is told again.

    Tables that are not named stay those of everybody. The same again changes nothing. Raises NotFound, and
    InvalidFields with every fault of them.
    """
    tables = _checked(session, document)
    # For update: whoever changes an order of this connection holds it shared, so no state slips in between.
    connection = get_connection(session, connection_id, lock=True)
    if connection.mapping_version and _tables(session, connection.mapping_version) == tables:
        return show_mapping(session, connection.id)
    version = MappingVersion(connection_id=connection.id, document=tables.to_json(), created_at=now)
    session.add(version)
    session.flush()
    return _put_in_force(session, connection, version.version, actor, now)


def reset_mapping(session: Session, connection_id: str, *, actor: str, now: datetime) -> Document:
    """Go back to the tables of everybody. Raises NotFound."""
    return _put_in_force(session, get_connection(session, connection_id, lock=True), None, actor, now)


def try_mapping(session: Session, connection_id: str, document: Mapping[str, Any], *, limit: int) -> Document:
    """What tables would have made of the last `limit` events of this connection. Changes nothing. Raises NotFound, and
    InvalidFields as `change_mapping` does.
    """
    connection = get_connection(session, connection_id)
    tables, current = _checked(session, document), _tables(session, connection.mapping_version)
    recent = (
        select(Delivery.id, OutboxEvent.type, OutboxEvent.stream, OutboxEvent.data, OutboxEvent.occurred_at)
        .join(OutboxEvent, OutboxEvent.id == Delivery.event_id)
        .where(Delivery.connection_id == connection.id, OutboxEvent.type.in_(list(tables.tables)))
        .order_by(OutboxEvent.id.desc())
        .limit(limit)
    )
    rows = session.execute(recent).all()
    changed = []
    for row in rows:
        data = envelope.parse_data(row.data)
        before, after = _mapped(current, row.type, data), _mapped(tables, row.type, data)
        if before != after:
            told = {"delivery_id": row.id, "stream": row.stream, "occurred_at": row.occurred_at}
            changed.append(told | {"number": data.get("number"), "before": before, "after": after})
    return {"checked": len(rows), "changed": changed}


def _put_in_force(session: Session, connection: Connection, version: int | None, actor: str, now: datetime) -> Document:
    former = connection.mapping_version
    connection.mapping_version = version
    session.flush()
    if former != version:
        detail = {"from": former, "to": version}
        record_audit(session, actor, "mapping.change", f"connection/{connection.id}", now, detail)
        _tell_changes(session, connection, _tables(session, former), _tables(session, version), now)
    return show_mapping(session, connection.id)


def _tell_changes(session: Session, connection: Connection, before: Tables, after: Tables, now: datetime) -> None:
    """Both sides must go on showing the same: tasks whose state has another word now are told once more."""
    kind = EventType.PROVIDER_TASK_STATE_CHANGED
    states = [s for s in OrderState if _row_of(before, kind, str(s)) != _row_of(after, kind, str(s))]
    if not states:
        return
    rows = session.execute(
        select(ProviderTask, CustomerOrder)
        .join(CustomerOrder, CustomerOrder.id == ProviderTask.order_id)
        .where(CustomerOrder.connection_id == connection.id, CustomerOrder.state.in_(states))
        .order_by(CustomerOrder.number)
        .execution_options(populate_existing=True)
    ).all()
    events = [NewEvent(task_stream(task), kind, state_data(task, order)) for task, order in rows]
    record_events(session, events, to=[connection.id], now=now)


def _row_of(tables: Tables, kind: str, state: str) -> Mapping[str, Any] | None:
    table = tables.tables.get(kind)
    return table.rows.get(state) if table else None


def _mapped(tables: Tables, kind: str, data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What a table says of an event; None behind a hole."""
    try:
        tables.apply(kind, data)
    except MappingHole:
        return None
    table = tables.tables[kind]
    return table.rows[str(data[table.source_field])]


def _checked(session: Session, document: Mapping[str, Any]) -> Tables:
    """The tables of everybody with those of the document in their place. Raises InvalidFields with every fault."""
    default = _tables(session, None)
    names = {table.name: kind for kind, table in default.tables.items()}
    faults: list[FieldError] = []
    tables = dict(default.tables)
    for name, given in document.items():
        pointer = f"/tables/{_escape(name)}"
        if name not in names:
            faults.append(_unknown(pointer, name, "table", names))
            continue
        kind = names[name]
        table = tables[kind]
        faults += _change_faults(table, given, pointer)
        faults += _faults(given["rows"], EXPECTED_TABLES[kind], f"{pointer}/rows")
        tables[kind] = Table(table.name, table.event_type, table.source_field, given["rows"])
    if faults:
        raise InvalidFields(faults)
    return Tables(tables)


def _change_faults(table: Table, given: Mapping[str, Any], pointer: str) -> Iterator[FieldError]:
    for name in ("event_type", "source_field"):
        if given.get(name, right := getattr(table, name)) != right:
            yield FieldError(f"{pointer}/{name}", "immutable", f"this is {right} and stays so")


def _faults(rows: Mapping[str, Any], expected: Expectation, pointer: str) -> Iterator[FieldError]:
    """As `mappings/README.md` tells it: each state has its row, each row its three cells, each target is known."""
    for state in sorted(expected.sources - rows.keys()):
        yield FieldError(pointer, "required", f"the row {state} is missing")
    for state, row in rows.items():
        below = f"{pointer}/{_escape(state)}"
        if state not in expected.sources:
            yield _unknown(below, state, "row", expected.sources)
        elif not isinstance(row, Mapping):
            yield FieldError(below, "type", "a row is an object")
        else:
            yield from _row_faults(row, expected, below)


def _row_faults(row: Mapping[str, Any], expected: Expectation, pointer: str) -> Iterator[FieldError]:
    names = (f"{expected.source_field}_label", "state", "state_label")
    for name in names:
        if name not in row:
            yield FieldError(pointer, "required", f"{name} is missing")
    for name, value in row.items():
        below = f"{pointer}/{_escape(name)}"
        if name not in names:
            yield _unknown(below, name, "member of a row", names)
        elif not isinstance(value, str) or not value.strip() or len(value) > _TEXT_LIMIT or UNSAFE_TEXT.search(value):
            yield FieldError(below, "text", f"{name} must be a text of 1 to {_TEXT_LIMIT} printable characters")
        elif name == "state" and value not in expected.targets:
            yield _unknown(below, value, "state of a provider task", expected.targets)


def _unknown(pointer: str, name: str, noun: str, known: Any) -> FieldError:
    near = get_close_matches(name, sorted(known), n=1)
    right = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
    return FieldError(pointer, "unknown", f"{name[:80]} is no {noun}; {right}")


def _table_document(table: Table) -> Document:
    return {"event_type": table.event_type, "source_field": table.source_field, "rows": table.rows}


def _tables(session: Session, version: int | None) -> Tables:
    return _rendering(session).tables_of(session, version) or Tables({})


def _rendering(session: Session) -> Rendering:
    rendering: Rendering = session.info["outbox"]
    return rendering


def _escape(key: str) -> str:
    """A member name within a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")
