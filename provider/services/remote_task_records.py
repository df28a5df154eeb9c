"""What a consumer should hold of remote tasks and their definitions, to be compared with what it does hold."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.field_maps import INBOUND, OUTBOUND, Document, active_lines, stamp_key, two_way_lines
from bridge.transforms import TransformHole, is_transformed, transform
from provider.domain.errors import NotFound
from provider.models.remote_tasks import Incident, IncidentEntry, RemoteTask, RemoteTaskDefinition, RemoteTaskEntry
from provider.services.case_view import moment
from provider.services.pages import Page, read_page
from provider.services.remote_task_entitlements import definition_data, list_for_connection
from provider.services.remote_task_events import comment_data, task_data, transforms_of

Row = dict[str, Any]


def definition_rows(session: Session, connection_id: str, limit: int, after: Sequence[Any] | None) -> Page[Row]:
    """The definitions that a connection may use."""
    page = list_for_connection(session, connection_id, limit=limit, after=after)
    return Page([definition_data(one) for one in page.items], page.next_key)


def remote_task_rows(session: Session, connection_id: str, limit: int, after: Sequence[Any] | None) -> Page[Row]:
    """The remote tasks of a connection. Fields and comments are told of connected ones alone: while one is stopped,
    each side goes on by itself.
    """
    mine = select(RemoteTask).where(RemoteTask.connection_id == connection_id)
    page = read_page(session, mine, [RemoteTask.number], limit=limit, after=after)
    incidents = _incidents(session, page.items)
    lines = _lines(session, page.items)
    said = _comments(session, [task for task in page.items if task.status == "connected"])
    transforms = transforms_of(session, connection_id) if page.items else {}
    rows = []
    for task in page.items:
        incident = incidents.get(task.incident_id or "")
        row = task_data(task, incident.number if incident else None) | {"status": task.status}
        row["stopped_by_consumer"] = task.stopped_there
        if task.status == "connected" and incident is not None:
            definition = lines.get((task.definition_id, task.definition_revision))
            row["comments"] = said[task.id]
            row["fields"] = _fields(task, incident, definition, transforms) if definition else {}
        rows.append(row)
    return Page(rows, page.next_key)


def show_record(session: Session, connection_id: str, external_id: str) -> Row:
    """All that is known of one remote task and of what it ties, for a consumer that lost its own. Raises NotFound."""
    query = select(RemoteTask).where(RemoteTask.connection_id == connection_id, RemoteTask.external_id == external_id)
    task = session.scalars(query).first()
    if task is None:
        raise NotFound("remote task", external_id)
    incident = _incidents(session, [task]).get(task.incident_id or "")
    definition = _lines(session, [task]).get((task.definition_id, task.definition_revision))
    row = task_data(task, incident.number if incident else None) | {"status": task.status, "revision": task.revision}
    row |= {"parent": {"id": task.parent_id, "number": task.parent_number}, "stopped_by_consumer": task.stopped_there}
    row |= {"requested_by": {"name": task.opened_by}, "opened_at": moment(task.opened_at), "fields": {}, "comments": []}
    if incident is not None and definition is not None:
        row["fields"] = _all_fields(session, task, incident, definition)
        row["comments"] = _journal(session, task)
    return row


def _all_fields(
    session: Session, task: RemoteTask, incident: Incident, definition: RemoteTaskDefinition
) -> dict[str, list[Row]]:
    """Values in the consumer's words with their stamps, by direction. Where these words are not known any more, for a
    table leads to ours alone, the line is left out.
    """
    transforms, tables = (
        transforms_of(session, task.connection_id),
        (definition.provider_table, definition.consumer_table),
    )
    found: dict[str, list[Row]] = {INBOUND: [], OUTBOUND: []}
    for direction, end in ((INBOUND, "target"), (OUTBOUND, "source")):
        for line in active_lines(definition.lines, direction):
            stamp = task.stamps.get(stamp_key(line, direction))
            is_unknown = direction == INBOUND and is_transformed(transforms, tables, line, direction)
            if stamp is None or line["virtual"] or is_unknown:
                continue
            try:
                value = getattr(incident, line[end])
                if direction == OUTBOUND:
                    value = transform(transforms, tables, line, direction, value)
            except TransformHole:
                continue
            found[direction].append({"key": line["key"], "value": value, "version": stamp[0], "by": stamp[1]})
    return found


def _journal(session: Session, task: RemoteTask) -> list[Row]:
    """Both sides' comments that have crossed, in their order."""
    query = (
        select(IncidentEntry, RemoteTaskEntry.from_consumer)
        .join(RemoteTaskEntry, RemoteTaskEntry.entry_id == IncidentEntry.id)
        .where(RemoteTaskEntry.remote_task_id == task.id, IncidentEntry.incident_id == task.incident_id)
        .order_by(IncidentEntry.created_at, IncidentEntry.id)
    )
    rows = session.execute(query).all()
    return [comment_data(task, entry) | {"from_consumer": from_consumer} for entry, from_consumer in rows]


def _fields(
    task: RemoteTask, incident: Incident, definition: RemoteTaskDefinition, transforms: Mapping[str, Document]
) -> Row:
    """Of fields that cross both ways who changed them last, for which time, and what they are: in words that both sides
    use, so not behind a table of values.
    """
    troubled = {one["key"] for one in task.problems}
    tables = (definition.provider_table, definition.consumer_table)
    found: Row = {}
    for there, back in two_way_lines(definition.lines):
        stamp = task.stamps.get(stamp_key(back, OUTBOUND))
        if stamp is None or troubled & {there["key"], back["key"]}:
            continue
        found[back["key"]] = {"version": stamp[0], "by": stamp[1]}
        if not any(is_transformed(transforms, tables, *one) for one in ((there, INBOUND), (back, OUTBOUND))):
            found[back["key"]]["value"] = getattr(incident, back["source"])
    return found


def _incidents(session: Session, tasks: Sequence[RemoteTask]) -> dict[str, Incident]:
    ids = [task.incident_id for task in tasks if task.incident_id]
    return {one.id: one for one in session.scalars(select(Incident).where(Incident.id.in_(ids)))}


def _lines(session: Session, tasks: Sequence[RemoteTask]) -> dict[tuple[str, int], RemoteTaskDefinition]:
    query = select(RemoteTaskDefinition).where(
        RemoteTaskDefinition.identity.in_({task.definition_id for task in tasks})
    )
    return {(one.identity, one.revision): one for one in session.scalars(query)}


def _comments(session: Session, tasks: Sequence[RemoteTask]) -> Mapping[str, list[Row]]:
    """What has crossed, by task, in its order."""
    by_incident = {task.incident_id: task for task in tasks}
    query = (
        select(IncidentEntry)
        .join(RemoteTask, RemoteTask.incident_id == IncidentEntry.incident_id)
        .join(
            RemoteTaskEntry,
            (RemoteTaskEntry.remote_task_id == RemoteTask.id) & (RemoteTaskEntry.entry_id == IncidentEntry.id),
        )
        .where(RemoteTask.id.in_([task.id for task in tasks]))
        .order_by(IncidentEntry.created_at, IncidentEntry.id)
    )
    found: Mapping[str, list[Row]] = defaultdict(list)
    for entry in session.scalars(query):
        task = by_incident[entry.incident_id]
        data = comment_data(task, entry)
        found[task.id].append({name: data[name] for name in ("comment_id", "text", "created_at")})
    return found
