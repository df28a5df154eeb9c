"""What providers let us tie to their records, and what our people decided of each: activation, lines, a trigger.

A new revision of an active definition waits for its activation; until then the active one goes on being used.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.envelope import Event
from bridge.field_maps import CONSUMER_TABLES, INBOUND, JOURNAL, OUTBOUND, SYNC_WHEN, Document, RecordTable
from bridge.forms import FormError, FormErrors
from bridge.inbox import Rejection
from bridge.models import Connection
from bridge.outbox import record_call
from bridge.vocabulary import EXCHANGE_PATH, EventType
from consumer_sim.models import ProviderConnection
from consumer_sim.models_remote_tasks import RemoteTask, RemoteTaskDefinition, RemoteTaskEntry, Ticket
from consumer_sim.services import fields
from consumer_sim.services import remote_task_calls as calls
from consumer_sim.services.errors import ActionRefused, NotFound
from consumer_sim.services.tickets import check_values

ACTIVATION = "definition_activation"
DECIDES = {INBOUND: ("source",), OUTBOUND: ("label", "sync_when", "target")}
"""What of a line our people may say otherwise, by direction; all of it is about our side."""
_LINES_LIMIT = 100
_LINE: fields.Rules = {
    "key": fields.text(40),
    "label": fields.text(80),
    "source": fields.text(40),
    "target": fields.or_null(fields.text(40)),
    "max_length": fields.number_from(1),
    "sync_when": fields.choice(*SYNC_WHEN),
    "active": fields.boolean,
    "virtual": fields.boolean,
    "pre_existing": fields.boolean,
}


def _lines(value: Any) -> str | None:
    if not isinstance(value, list) or len(value) > _LINES_LIMIT:
        return f"is not a list of at most {_LINES_LIMIT} lines"
    return next((wrong for wrong in map(fields.members(_LINE), value) if wrong), None)


_RULES: Mapping[str, fields.Rules] = {
    EventType.REMOTE_TASK_DEFINITION_CHANGED: {
        "definition_id": fields.uuid,
        "revision": fields.number_from(1),
        "name": fields.text(255),
        "description": fields.text(10_000, least=0),
        "provider_table": fields.text(40),
        "consumer_table": fields.text(40),
        "inbound": _lines,
        "outbound": _lines,
    },
    EventType.REMOTE_TASK_DEFINITION_REMOVED: {"definition_id": fields.uuid, "reason": fields.text(40)},
}
_RECORD: Mapping[str, str] = dict.fromkeys(_RULES, "definition_id")


class DefinitionHandler:
    """Keeps each definition as the events of the batch leave it. There are few of them, and they change seldom."""

    def check(self, session: Session, connection_id: str, events: Sequence[Event]) -> Mapping[str, Rejection]:
        return fields.rejections(events, _RULES, _RECORD)

    def apply(self, session: Session, connection_id: str, events: Sequence[Event], now: datetime) -> None:
        ids = {event.data["definition_id"] for event in events}
        query = select(RemoteTaskDefinition).where(
            RemoteTaskDefinition.connection_id == connection_id, RemoteTaskDefinition.id.in_(ids)
        )
        known = {one.id: one for one in session.scalars(query.order_by(RemoteTaskDefinition.id).with_for_update())}
        auto = session.scalar(
            select(ProviderConnection.auto_activate).where(ProviderConnection.connection_id == connection_id)
        )
        for event in events:
            definition = known.get(event.data["definition_id"])
            if event.type == EventType.REMOTE_TASK_DEFINITION_REMOVED:
                if definition is not None:
                    definition.state, definition.removed_reason = "removed", event.data["reason"]
                    definition.updated_at = now
                continue
            if definition is None:
                definition = RemoteTaskDefinition(
                    connection_id=connection_id, id=event.data["definition_id"], state="pending_activation",
                    overrides={}, trigger={},
                )  # fmt: skip
                known[definition.id] = definition
                session.add(definition)
            _take_over(definition, event.data, now)
            if auto and definition.state != "inactive" and not find_faults(definition, definition.overrides):
                activate_definition(session, definition, now=now)


def _take_over(definition: RemoteTaskDefinition, data: Mapping[str, Any], now: datetime) -> None:
    for name in ("revision", "name", "description", "provider_table", "consumer_table"):
        setattr(definition, name, data[name])
    definition.lines = {INBOUND: data[INBOUND], OUTBOUND: data[OUTBOUND]}
    definition.updated_at = now
    left = data.get("revisions")
    is_archived = isinstance(left, list) and definition.active_revision not in left
    if definition.state == "removed" or is_archived:
        definition.state, definition.removed_reason = "pending_activation", None
        definition.active_revision = definition.active_lines = None


def list_definitions(
    session: Session, *, after: str | None, limit: int
) -> tuple[list[RemoteTaskDefinition], str | None]:
    """All that were ever offered, by id and connection; the cursor `{id}_{connection}` names both."""
    query = select(RemoteTaskDefinition).order_by(RemoteTaskDefinition.id, RemoteTaskDefinition.connection_id)
    if after is not None:
        definition_id, _, of_connection = after.partition("_")
        same = (RemoteTaskDefinition.id == definition_id) & (RemoteTaskDefinition.connection_id > of_connection)
        query = query.where((RemoteTaskDefinition.id > definition_id) | same)
    found = list(session.scalars(query.limit(limit + 1)))
    last = found[limit - 1] if len(found) > limit else None
    return found[:limit], f"{last.id}_{last.connection_id}" if last else None


def list_named(session: Session) -> Sequence[tuple[RemoteTaskDefinition, str]]:
    """All of them with the names of their providers, by provider and name."""
    query = select(RemoteTaskDefinition, Connection.name).join(
        Connection, Connection.id == RemoteTaskDefinition.connection_id
    )
    rows = session.execute(query.order_by(Connection.name, RemoteTaskDefinition.name, RemoteTaskDefinition.id)).all()
    return [(row[0], row[1]) for row in rows]


def get_definition(
    session: Session, definition_id: str, *, connection_id: str | None = None, lock: bool = False
) -> RemoteTaskDefinition:
    """Raises NotFound. `connection_id` says which, where two providers use one id."""
    query = select(RemoteTaskDefinition).where(RemoteTaskDefinition.id == definition_id)
    if connection_id is not None:
        query = query.where(RemoteTaskDefinition.connection_id == connection_id)
    query = query.order_by(RemoteTaskDefinition.connection_id).limit(1)
    definition = session.scalars(query.with_for_update() if lock else query).first()
    if definition is None:
        raise NotFound("remote task definition", definition_id)
    return definition


def decide_definition(
    session: Session, definition: RemoteTaskDefinition, decided: Mapping[str, Any], *, now: datetime
) -> None:
    """Activate the newest revision with what our people decided: overrides by direction and key, and a trigger.

    What `decided` does not name stays as it was decided before. Remote tasks that are there go on as they are until
    they are connected anew; those in error are tried again. Raises FormErrors, ActionRefused for a removed one.
    """
    overrides = {
        direction: dict(decided.get(direction, definition.overrides.get(direction, {}))) for direction in DECIDES
    }
    trigger = dict(decided.get("trigger", definition.trigger))
    faults = find_faults(definition, overrides) + check_values(trigger, trigger, "/trigger")
    if faults:
        raise FormErrors(faults)
    definition.overrides, definition.trigger = overrides, trigger
    activate_definition(session, definition, now=now)


def activate_definition(session: Session, definition: RemoteTaskDefinition, *, now: datetime) -> None:
    """As it was decided. Raises ActionRefused for one that is not offered any more."""
    if definition.state == "removed":
        raise ActionRefused(f"“{definition.name}” is no longer offered ({definition.removed_reason})")
    definition.state, definition.active_revision = "active", definition.revision
    definition.active_lines = effective_lines(definition.lines, definition.overrides)
    definition.updated_at = now
    _report(session, definition, definition.revision, now)
    _try_again(session, definition, now)


def deactivate_definition(session: Session, definition: RemoteTaskDefinition, *, now: datetime) -> None:
    """Make no more remote tasks by it; those that are there go on. Raises ActionRefused."""
    if definition.state == "removed":
        raise ActionRefused(f"“{definition.name}” is no longer offered ({definition.removed_reason})")
    definition.state, definition.updated_at = "inactive", now
    _report(session, definition, definition.active_revision or definition.revision, now)


def effective_lines(lines: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The provider's lines with what our people decided of them."""
    return {
        direction: [{**line, **overrides.get(direction, {}).get(line["key"], {})} for line in lines[direction]]
        for direction in DECIDES
    }


def find_faults(definition: RemoteTaskDefinition, overrides: Mapping[str, Any]) -> list[FormError]:
    """Why the definition cannot be used as it would be decided; what it names of the provider's is the provider's."""
    table = CONSUMER_TABLES.get(definition.consumer_table)
    if table is None:
        return [FormError("", "unknown", f"This instance has no records of the kind {definition.consumer_table}.")]
    found = _override_faults(definition.lines, overrides)
    lines = effective_lines(definition.lines, overrides)
    for direction, name in ((INBOUND, "source"), (OUTBOUND, "target")):
        seen: dict[str, str] = {}
        for line in lines[direction]:
            if line["active"] and not (direction == OUTBOUND and line["virtual"]):
                found += _line_faults(line, direction, name, table, seen)
    return found


def _line_faults(
    line: Document, direction: str, name: str, table: RecordTable, seen: dict[str, str]
) -> Iterator[FormError]:
    """What is wrong with our end of one line; `seen` are those before it, by what they write to."""
    pointer, field = f"/{direction}/{line['key']}/{name}", table.fields.get(line[name] or "")
    if field is None:
        known = ", ".join(table.fields)
        yield FormError(pointer, "unknown", f"{table.label} has no field {line[name]}; it has {known}.")
    elif (field.kind == JOURNAL) != _is_journal(line, direction):
        yield FormError(pointer, "kind", "Comments can only lead to comments, and a field to a field.")
    elif direction == OUTBOUND and line[name] in seen:
        yield FormError(pointer, "duplicate", f"“{seen[line[name]]}” is written to {line[name]} already.")
    seen.setdefault(line[name], line["label"])


def _is_journal(line: Document, direction: str) -> bool:
    """By the provider's end of the line, which nobody here changes."""
    return bool(line["target" if direction == INBOUND else "source"] == "comments")


def _override_faults(lines: Mapping[str, Any], overrides: Mapping[str, Any]) -> list[FormError]:
    found = []
    for direction, allowed in DECIDES.items():
        keys = {line["key"] for line in lines[direction]}
        for key, decided in overrides.get(direction, {}).items():
            pointer = f"/{direction}/{key}"
            if key not in keys:
                found.append(FormError(pointer, "unknown", "There is no such line."))
            for name, value in decided.items():
                if name not in allowed:
                    message = f"That is the provider's to decide; here it is {', '.join(allowed)}."
                    found.append(FormError(f"{pointer}/{name}", "not_ours", message))
                elif (wrong := _LINE[name](value)) is not None:
                    found.append(FormError(f"{pointer}/{name}", "invalid", f"{name} {wrong}."))
    return found


def _report(session: Session, definition: RemoteTaskDefinition, revision: int, now: datetime) -> None:
    definition.activation_problem = None
    session.flush()
    target = f"POST {EXCHANGE_PATH}/remote-task-definitions/{definition.id}/activation"
    body = {"state": definition.state, "revision": revision}
    stream = f"remote_task_definition/{definition.id}"
    record_call(session, stream, ACTIVATION, target, body, to=definition.connection_id, now=now)


def _try_again(session: Session, definition: RemoteTaskDefinition, now: datetime) -> None:
    """Remote tasks in error whose ticket is there: the provider refused them, or its record is gone."""
    of_definition = (
        RemoteTask.connection_id == definition.connection_id,
        RemoteTask.definition_id == definition.id,
        RemoteTask.status == "error",
        RemoteTask.ticket_id.is_not(None),
    )
    ids = select(RemoteTask.ticket_id).where(*of_definition)
    tickets = session.scalars(select(Ticket).where(Ticket.id.in_(ids)).order_by(Ticket.id).with_for_update()).all()
    for ticket in tickets:
        tied = session.scalars(select(RemoteTask).where(*of_definition, RemoteTask.ticket_id == ticket.id))
        for task in tied.all():
            create_again(session, task, ticket, definition, now=now)


def create_again(
    session: Session, task: RemoteTask, ticket: Ticket, definition: RemoteTaskDefinition, *, now: datetime
) -> None:
    """Ask the provider for a record once more, by what is active now. Its comments of ours follow again."""
    task.lines, task.definition_revision = definition.active_lines or task.lines, definition.active_revision or 1
    task.stopped_here = None
    ask_again(session, task, ticket, now=now)


def ask_again(session: Session, task: RemoteTask, ticket: Ticket, *, now: datetime) -> None:
    """Ask for it as a new one, by what it went by so far: the provider knows nothing of it any more."""
    task.revision += 1
    task.submission, task.error, task.updated_at = "waiting", None, now
    task.stopped_there = None
    task.problems_there = task.problems_here = []
    ours = select(RemoteTaskEntry).where(
        RemoteTaskEntry.connection_id == task.connection_id, RemoteTaskEntry.remote_task_id == task.id,
        RemoteTaskEntry.from_provider.is_(False),
    )  # fmt: skip
    for row in session.scalars(ours).all():
        session.delete(row)
    calls.settle_status(task)
    session.flush()
    calls.send_create(session, task, ticket, now)
