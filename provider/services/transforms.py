"""With which words do a consumer's fields and ours follow each other? Of all from files, of one connection by people.

As with the tables of states, a connection's own are checked, tried, and kept as versions.
"""

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.field_maps import OUTBOUND, Document, active_lines, count_on
from bridge.mapping import MappingErrors, load_transforms
from bridge.transforms import TransformHole, find_transform_faults, transform
from provider.domain.errors import FieldError, InvalidFields, NotFound
from provider.models.remote_tasks import Incident, RemoteTask, RemoteTaskDefinition, TransformVersion
from provider.services.audit import record_audit
from provider.services.connections import get_connection
from provider.services.remote_task_events import tell_changes, transforms_of

log = logging.getLogger(__name__)

_VERSIONS_SHOWN = 50
_FILES = "remote_tasks"


def adopt_transforms(session: Session, directory: Path, *, now: datetime) -> None:
    """Keep what the files say as the newest version of everybody. Broken files are reported in the log, and the newest
    version stays in force. Raises MappingErrors when there is none yet. Callers hold the lock of `ensure_instance`.
    """
    newest = _newest(session, None)
    try:
        document = load_transforms(directory / _FILES)
    except MappingErrors as errors:
        if newest is None:
            raise
        for error in errors.errors:
            log.error("transform refused, version %s stays in force: %s", newest.version, error)
        return
    if newest is None or newest.document != document:
        session.add(TransformVersion(document=document, actor="system", created_at=now))
        session.flush()


def read_transforms(session: Session, connection_id: str | None) -> dict[str, Any]:
    """What is in force for a connection, or for everybody."""
    if connection_id is not None:
        return dict(transforms_of(session, connection_id))
    newest = _newest(session, None)
    return (newest.document or {}) if newest else {}


def show_transforms(session: Session, connection_id: str) -> dict[str, Any]:
    """What is in force for a connection, and its own versions, newest first. Raises NotFound."""
    connection = get_connection(session, connection_id)
    of_connection = select(TransformVersion).where(TransformVersion.connection_id == connection.id)
    versions = session.scalars(of_connection.order_by(TransformVersion.version.desc()).limit(_VERSIONS_SHOWN)).all()
    own = versions[0] if versions and versions[0].document else None
    in_force = own or _newest(session, None)
    return {
        "connection_id": connection.id,
        "version": in_force.version if in_force else None,
        "is_default": own is None,
        "own": own.document if own else {},
        "transforms": read_transforms(session, connection.id),
        "versions": [
            {"version": one.version, "created_at": one.created_at, "actor": one.actor, "document": one.document}
            for one in versions
        ],
    }


def change_transforms(
    session: Session, connection_id: str, document: Mapping[str, Any], *, actor: str, now: datetime
) -> dict[str, Any]:
    """Put tables, by name, in force for this connection alone; what it sees otherwise from now on is told again.

    The same again changes nothing. Raises NotFound, and InvalidFields with every fault of them.
    """
    _check(session, document)
    connection = get_connection(session, connection_id, lock=True)
    newest = _newest(session, connection.id)
    if newest is None or newest.document != dict(document):
        _put_in_force(session, connection.id, dict(document), actor, now)
    return show_transforms(session, connection.id)


def reset_transforms(session: Session, connection_id: str, *, actor: str, now: datetime) -> dict[str, Any]:
    """Go back to the tables of everybody. Raises NotFound."""
    connection = get_connection(session, connection_id, lock=True)
    newest = _newest(session, connection.id)
    if newest is not None and newest.document is not None:
        _put_in_force(session, connection.id, None, actor, now)
    return show_transforms(session, connection.id)


def reset_transform(session: Session, connection_id: str, name: str, *, actor: str, now: datetime) -> dict[str, Any]:
    """Go back to the table of everybody, or to none, where everybody has none.

    Raises NotFound, also for a table that is not the connection's own.
    """
    connection = get_connection(session, connection_id, lock=True)
    own = dict(show_transforms(session, connection.id)["own"])
    if own.pop(name, None) is None:
        raise NotFound("table of its own", name[:80])
    _put_in_force(session, connection.id, own or None, actor, now)
    return show_transforms(session, connection.id)


def try_transforms(session: Session, connection_id: str, document: Mapping[str, Any], *, limit: int) -> dict[str, Any]:
    """What tables would make of what this consumer sees of the last `limit` remote tasks, and of what waits for a row.
    Changes nothing. Raises NotFound, and InvalidFields.
    """
    after = _check(session, document)
    connection = get_connection(session, connection_id)
    before, changed, checked = read_transforms(session, connection.id), [], 0
    for task, definition, incident in _tied(session, connection.id, limit):
        checked += 1
        for line, was, now_is in _differences(definition, incident, before, after):
            changed.append({"number": task.number, "field": line["label"], "before": was, "after": now_is})
        for hole in (one for one in task.problems if one["kind"] == "hole"):
            tables = (definition.provider_table, definition.consumer_table)
            lines: dict[str, Document] = {line["key"]: line for line in definition.lines[hole["direction"]]}
            line = lines.get(hole["key"], {})
            if line and (mended := _said(after, tables, line, hole["direction"], hole["value"])):
                changed.append({"number": task.number, "field": line["label"], "before": None, "after": mended})
    return {"checked": checked, "changed": changed}


def _put_in_force(session: Session, connection_id: str, document: Any, actor: str, now: datetime) -> None:
    before = read_transforms(session, connection_id)
    version = TransformVersion(connection_id=connection_id, document=document, actor=actor, created_at=now)
    session.add(version)
    session.flush()
    record_audit(session, actor, "transforms.change", f"connection/{connection_id}", now, {"version": version.version})
    after = read_transforms(session, connection_id)
    for task, definition, incident in _tied(session, connection_id, None):
        names = {line["source"] for line, _, _ in _differences(definition, incident, before, after)}
        if names:
            task.stamps = count_on(definition.lines, OUTBOUND, names, task.stamps)
            tell_changes(session, task, incident, names, now=now)


def _tied(
    session: Session, connection_id: str, limit: int | None
) -> Iterator[tuple[RemoteTask, RemoteTaskDefinition, Incident]]:
    """The remote tasks of a connection that have an incident, changed last first."""
    query = (
        select(RemoteTask, RemoteTaskDefinition, Incident)
        .join(Incident, Incident.id == RemoteTask.incident_id)
        .join(
            RemoteTaskDefinition,
            (RemoteTaskDefinition.identity == RemoteTask.definition_id)
            & (RemoteTaskDefinition.revision == RemoteTask.definition_revision),
        )
        .where(RemoteTask.connection_id == connection_id)
        .order_by(RemoteTask.updated_at.desc(), RemoteTask.id)
    )
    for row in session.execute(query.limit(limit)).all():
        yield row.RemoteTask, row.RemoteTaskDefinition, row.Incident


def _differences(
    definition: RemoteTaskDefinition, incident: Incident, before: Mapping[str, Document], after: Mapping[str, Document]
) -> Iterator[tuple[Document, Any, Any]]:
    """The lines along which the consumer sees something else with other tables: with what it saw, and what it sees."""
    tables = (definition.provider_table, definition.consumer_table)
    for line in active_lines(definition.lines, OUTBOUND):
        value = getattr(incident, line["source"])
        was, now_is = (_said(one, tables, line, OUTBOUND, value) for one in (before, after))
        if was != now_is:
            yield line, was, now_is


def _said(
    transforms: Mapping[str, Document], tables: tuple[str, str], line: Document, direction: str, value: Any
) -> Any:
    """None behind a hole."""
    try:
        return transform(transforms, tables, line, direction, value)
    except TransformHole:
        return None


def _check(session: Session, document: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of everybody with those of the document in their place. Raises InvalidFields with every fault."""
    merged = {**read_transforms(session, None), **document}
    faults = [
        FieldError("/transforms" + "".join(f"/{step}" for step in fault.place), fault.code, fault.message)
        for fault in find_transform_faults(merged)
    ]
    if faults:
        raise InvalidFields(faults)
    return merged


def _newest(session: Session, connection_id: str | None) -> TransformVersion | None:
    whose = TransformVersion.connection_id
    query = select(TransformVersion).where(whose.is_(None) if connection_id is None else whose == connection_id)
    return session.scalars(query.order_by(TransformVersion.version.desc()).limit(1)).first()
