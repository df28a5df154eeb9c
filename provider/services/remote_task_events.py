"""What a consumer is told of the incidents that are tied to its records, and what of it cannot be said."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from bridge.field_maps import (
    INBOUND,
    OUTBOUND,
    Document,
    active_lines,
    comments_line,
    count_first,
    count_on,
    tell_fields,
)
from bridge.outbox import NewEvent, record_events
from bridge.transforms import TransformHole, transform
from bridge.vocabulary import EventType
from provider.models.remote_tasks import (
    Incident,
    IncidentEntry,
    RemoteTask,
    RemoteTaskDefinition,
    RemoteTaskEntry,
    TransformVersion,
)

HOLE, REFUSED = "hole", "refused"


def task_stream(task: RemoteTask) -> str:
    return f"remote_task/{task.external_id}"


def task_of_incident(session: Session, incident: Incident, *, lock: bool = True) -> RemoteTask | None:
    """What ties the incident; to be changed, where the incident is locked already."""
    query = select(RemoteTask).where(RemoteTask.incident_id == incident.id)
    return session.scalars(query.with_for_update() if lock else query).first()


def definition_of(session: Session, task: RemoteTask) -> RemoteTaskDefinition | None:
    """The revision that the task goes by; None once the definition is deleted."""
    query = select(RemoteTaskDefinition).where(
        RemoteTaskDefinition.identity == task.definition_id, RemoteTaskDefinition.revision == task.definition_revision
    )
    return session.scalars(query).first()


def capture_changes(session: Session, incident: Incident, names: Iterable[str], *, now: datetime) -> None:
    """Our people changed these fields: tell the consumer, or remember that they changed while it is stopped."""
    task = task_of_incident(session, incident)
    definition = definition_of(session, task) if task is not None else None
    if task is None or definition is None:
        return
    tied = {line["source"] for line in active_lines(definition.lines, OUTBOUND)} & set(names)
    if not tied:
        return
    task.stamps = count_on(definition.lines, OUTBOUND, tied, task.stamps)
    task.updated_at = now
    tell_changes(session, task, incident, tied, now=now)


def capture_comment(session: Session, incident: Incident, entry: IncidentEntry, *, now: datetime) -> None:
    """Our people wrote a comment."""
    task = task_of_incident(session, incident)
    if task is not None and task.status == "connected":
        _tell_comments(session, task, [entry], now)


def tell_changes(
    session: Session, task: RemoteTask, incident: Incident, names: Iterable[str] | None, *, now: datetime,
    initial: bool = False,
) -> None:  # fmt: skip
    """Tell these fields of the incident, all if none are named. A value that a transform has no row for holds back its
    field alone; nothing is told while the task is not connected.
    """
    definition = definition_of(session, task)
    if definition is None or task.status != "connected":
        return
    record = {line["source"]: getattr(incident, line["source"]) for line in active_lines(definition.lines, OUTBOUND)}
    told, refused = tell_fields(definition.lines, OUTBOUND, record, task.stamps, names)
    labels = {line["key"]: line["label"] for line in definition.lines[OUTBOUND]}
    clear_problems(task, OUTBOUND, {*told, *refused})
    for key, reason in refused.items():
        note_problem(task, OUTBOUND, key, labels[key], REFUSED, reason)
    fields = _translated(session, task, definition, told)
    if initial:  # what nobody has written yet says nothing
        fields = {key: one for key, one in fields.items() if one["value"] not in (None, "")}
    if fields or initial:
        tell_task(session, task, incident.number, fields, now=now, initial=initial)


def tell_task(
    session: Session, task: RemoteTask, parent_number: str | None, fields: Mapping[str, Any] | None = None, *,
    now: datetime, initial: bool = False,
) -> None:  # fmt: skip
    """Tell how the task stands, also while it is stopped, with these fields of its incident."""
    data = task_data(task, parent_number) | {"fields": fields or {}, "initial": initial}
    event = NewEvent(task_stream(task), EventType.REMOTE_TASK_CHANGED, data)
    record_events(session, [event], to=[task.connection_id], now=now)


def task_data(task: RemoteTask, parent_number: str | None) -> dict[str, Any]:
    """A remote task in the words of the wire."""
    return {
        "task_id": task.external_id,
        "number": task.number,
        "definition_id": task.definition_id,
        "definition_revision": task.definition_revision,
        "parent_number": parent_number,
        "stopped": task.stopped_here,
        "error": task.error,
        "problems": [
            {name: one[name] for name in ("key", "label", "kind", "reason")}
            for one in task.problems
            if one["direction"] == INBOUND
        ],
    }


def catch_up(session: Session, task: RemoteTask, incident: Incident, *, now: datetime, initial: bool = False) -> None:
    """The task is connected (again): tell what the other side may have missed. What it has already changes nothing."""
    definition = definition_of(session, task)
    if definition is not None:
        task.stamps = count_first(definition.lines, OUTBOUND, task.stamps)
    tell_changes(session, task, incident, None, now=now, initial=initial)
    crossed = select(RemoteTaskEntry.entry_id).where(RemoteTaskEntry.remote_task_id == task.id)
    missing = select(IncidentEntry).where(
        IncidentEntry.incident_id == incident.id, IncidentEntry.kind == "comments", IncidentEntry.id.not_in(crossed)
    )
    entries = session.scalars(missing.order_by(IncidentEntry.created_at, IncidentEntry.id)).all()
    if entries and task.status == "connected":
        _tell_comments(session, task, entries, now)


def _tell_comments(session: Session, task: RemoteTask, entries: Iterable[IncidentEntry], now: datetime) -> None:
    definition = definition_of(session, task)
    if definition is None or comments_line(definition.lines, OUTBOUND) is None:
        return
    known = list(entries)
    session.flush()
    session.execute(
        insert(RemoteTaskEntry),
        [{"remote_task_id": task.id, "entry_id": entry.id, "from_consumer": False} for entry in known],
    )
    kind = EventType.REMOTE_TASK_COMMENT_ADDED
    events = [NewEvent(task_stream(task), kind, comment_data(task, entry)) for entry in known]
    record_events(session, events, to=[task.connection_id], now=now)


def comment_data(task: RemoteTask, entry: IncidentEntry) -> dict[str, Any]:
    """A comment in the words of the wire."""
    return {
        "task_id": task.external_id,
        "comment_id": entry.id,
        "text": entry.text,
        "author": {"name": entry.author_name, "company": entry.author_company},
        "created_at": entry.created_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


def _translated(
    session: Session, task: RemoteTask, definition: RemoteTaskDefinition, told: Mapping[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The fields in the consumer's words, without those that have none, which are noted."""
    transforms = transforms_of(session, task.connection_id)
    lines = {line["key"]: line for line in definition.lines[OUTBOUND]}
    tables = (definition.provider_table, definition.consumer_table)
    found = {}
    for key, one in told.items():
        try:
            found[key] = one | {"value": transform(transforms, tables, lines[key], OUTBOUND, one["value"])}
        except TransformHole as hole:
            again = {"value": one["value"], "stamp": [one["version"], one["by"]]}
            note_problem(task, OUTBOUND, key, lines[key]["label"], HOLE, str(hole), again=again)
    return found


def transforms_of(session: Session, connection_id: str) -> dict[str, Document]:
    """The tables in force for a connection: its own in the place of those of everybody."""
    found: dict[str, Document] = {}
    for whose in (TransformVersion.connection_id.is_(None), TransformVersion.connection_id == connection_id):
        newest = select(TransformVersion).where(whose).order_by(TransformVersion.version.desc()).limit(1)
        version = session.scalars(newest).first()
        found |= (version.document or {}) if version else {}
    return found


# --- what did not get through


def note_problem(
    task: RemoteTask, direction: str, key: str, label: str, kind: str, reason: str, *,
    again: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Keep why a field did not get through, in the place of what was wrong with it before, and what to try again."""
    clear_problems(task, direction, {key})
    problem = {"direction": direction, "key": key, "label": label, "kind": kind, "reason": reason}
    _set(task, [*task.problems, {**problem, **(again or {})}])


def clear_problems(task: RemoteTask, direction: str, keys: Iterable[str]) -> None:
    """These fields got through, or will be judged anew."""
    gone = set(keys)
    _set(task, [one for one in task.problems if one["direction"] != direction or one["key"] not in gone])


def _set(task: RemoteTask, problems: list[Any]) -> None:
    if task.problems != problems:
        task.problems, task.problem_count = problems, len(problems)
