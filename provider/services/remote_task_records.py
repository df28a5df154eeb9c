"""What a consumer should hold of remote tasks and their definitions, to be compared with what it does hold."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.field_maps import INBOUND, OUTBOUND, Document, stamp_key, two_way_lines
from bridge.transforms import is_transformed
from provider.models.remote_tasks import Incident, IncidentEntry, RemoteTask, RemoteTaskDefinition, RemoteTaskEntry
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
