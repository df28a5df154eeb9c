"""Which consumers have words of their own, what waits for a row, and who changed it: for pages and lists."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from bridge.field_maps import CONSUMER_TABLES, INBOUND, JOURNAL, OUTBOUND, PROVIDER_TABLES, RecordTable
from bridge.models import Connection
from bridge.transforms import VIRTUAL
from provider.domain.catalog import RemoteRecordProducerState
from provider.models.access import AuditEntry
from provider.models.remote_tasks import RemoteTask, RemoteTaskDefinition, TransformVersion
from provider.services.remote_task_events import HOLE

Document = dict[str, Any]

SORTABLE = ("name", "state", "states", "values")
OWN, DEFAULT = "own", "default"
_CHANGES_SHOWN = 50
_LAST = (
    select(func.max(TransformVersion.version))
    .where(TransformVersion.connection_id == Connection.id)
    .correlate(Connection)
    .scalar_subquery()
)
_VALUES_VERSION = (
    select(TransformVersion.version)
    .where(TransformVersion.version == _LAST, TransformVersion.document.is_not(None))
    .correlate(Connection)
    .scalar_subquery()
)


def search_mappings(
    session: Session, *, text: str = "", words: str = "", sort: str = "name", descending: bool = False, offset: int = 0,
    limit: int = 25,
) -> tuple[list[Document], int]:  # fmt: skip
    """One page of the connections that match, and how many match in all.

    Each with `states` and `values`, the versions of its own tables (None: those of everybody), and `waiting`, how many
    values of its remote tasks have no row. `words` is OWN for those with any of their own, or DEFAULT.
    """
    has_own = Connection.mapping_version.is_not(None) | _VALUES_VERSION.is_not(None)
    conditions: list[ColumnElement[bool]] = []
    if text:
        conditions.append(Connection.name.icontains(text, autoescape=True))
    if words in (OWN, DEFAULT):
        conditions.append(has_own if words == OWN else ~has_own)
    total = session.scalar(select(func.count()).select_from(Connection).where(*conditions)) or 0
    keys: dict[str, Any] = {
        "name": func.lower(Connection.name), "state": Connection.state,
        "states": func.coalesce(Connection.mapping_version, 0), "values": func.coalesce(_VALUES_VERSION, 0),
    }  # fmt: skip
    key = keys[sort]
    query = select(Connection, _VALUES_VERSION).where(*conditions)
    ordered = query.order_by(key.desc() if descending else key, Connection.id).offset(offset).limit(limit)
    found = session.execute(ordered).all()
    waiting = Counter(connection_id for connection_id, _, _ in _holes(session, [row[0].id for row in found]))
    rows = [
        {"id": one.id, "name": one.name, "state": one.state, "states": one.mapping_version, "values": version,
         "waiting": waiting[one.id]}
        for one, version in found
    ]  # fmt: skip
    return rows, total


def list_holes(session: Session, connection_id: str) -> list[Document]:
    """Values of a connection that have no row: `direction`, `label` of the field, `value`, in how many remote tasks it
    waits (`count`), and the number of one of them (`example`).
    """
    found: dict[tuple[str, str, str], Document] = {}
    for _, number, hole in _holes(session, [connection_id]):
        key = (hole["direction"], hole["label"], str(hole["value"]))
        row = dict(zip(("direction", "label", "value"), key, strict=True))
        found.setdefault(key, {**row, "count": 0, "example": number})["count"] += 1
    return sorted(found.values(), key=lambda row: (row["direction"], row["label"], row["value"]))


def list_ends(session: Session) -> dict[str, list[tuple[str, str]]]:
    """Of each side the fields whose values can be translated, as `table.field` and label: those of the records, and the
    virtual lines of definitions that are published.
    """
    ends = {side: _fields_of(tables) for side, tables in (("provider", PROVIDER_TABLES), ("consumer", CONSUMER_TABLES))}
    published = RemoteTaskDefinition.state == RemoteRecordProducerState.PUBLISHED
    for one in session.scalars(select(RemoteTaskDefinition).where(published).order_by(RemoteTaskDefinition.name)):
        for direction, side, table in (
            (INBOUND, "provider", one.provider_table), (OUTBOUND, "consumer", one.consumer_table),
        ):  # fmt: skip
            for line in one.lines[direction]:
                end = (f"{table}.{VIRTUAL}{line['key']}", f"{line['label']} (virtual, of {one.name})")
                if line["virtual"] and end[0] not in dict(ends[side]):
                    ends[side].append(end)
    return ends


def list_mapping_changes(session: Session, connection_id: str) -> list[Document]:
    """Who put which tables in force for a connection, newest first: `at`, `actor`, `what` (states or values), `version`
    (None: back to those of everybody) and, of values, the names of its own `tables`.
    """
    return sorted(
        [*_state_changes(session, connection_id), *_value_changes(session, connection_id)],
        key=lambda row: row["at"],
        reverse=True,
    )[:_CHANGES_SHOWN]


def _fields_of(tables: Mapping[str, RecordTable]) -> list[tuple[str, str]]:
    return [
        (f"{table.name}.{field.name}", f"{field.label} of the {table.label.lower()}")
        for table in tables.values()
        for field in table.fields.values()
        if field.kind != JOURNAL
    ]


def _state_changes(session: Session, connection_id: str) -> list[Document]:
    query = (
        select(AuditEntry)
        .where(AuditEntry.object == f"connection/{connection_id}", AuditEntry.action == "mapping.change")
        .order_by(AuditEntry.id.desc())
        .limit(_CHANGES_SHOWN)
    )
    return [
        {"at": one.at, "actor": one.actor, "what": "states", "version": one.detail.get("to"), "tables": []}
        for one in session.scalars(query)
    ]


def _value_changes(session: Session, connection_id: str) -> list[Document]:
    query = (
        select(TransformVersion)
        .where(TransformVersion.connection_id == connection_id)
        .order_by(TransformVersion.version.desc())
        .limit(_CHANGES_SHOWN)
    )
    return [
        {"at": one.created_at, "actor": one.actor, "what": "values",
         "version": one.version if one.document else None, "tables": sorted(one.document or ())}
        for one in session.scalars(query)
    ]  # fmt: skip


def _holes(session: Session, connection_ids: Sequence[str]) -> list[tuple[str, str, Document]]:
    """Connection, number of the remote task, and what waits, oldest remote task first."""
    query = (
        select(RemoteTask.connection_id, RemoteTask.number, RemoteTask.problems)
        .where(RemoteTask.connection_id.in_(connection_ids), RemoteTask.problem_count > 0)
        .order_by(RemoteTask.number)
    )
    return [
        (connection_id, number, problem)
        for connection_id, number, problems in session.execute(query)
        for problem in problems
        if problem["kind"] == HOLE
    ]
