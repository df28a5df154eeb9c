"""What came of a consumer's record, taken into our incident line by line: written, refused, or waiting for a row."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.field_maps import INBOUND, PROVIDER_TABLES, Document, Told, hear_fields, is_last, takes_in
from bridge.models import Connection
from bridge.transforms import TransformHole, transform
from provider.domain.errors import InvalidFields
from provider.models.access import Registration
from provider.models.remote_tasks import Incident, RemoteTask, RemoteTaskDefinition
from provider.services import incidents
from provider.services.remote_task_events import HOLE, REFUSED, clear_problems, note_problem, transforms_of

_UNKNOWN_FIELD = "This revision of the definition has no such line."


def take_news(
    session: Session, task: RemoteTask, definition: RemoteTaskDefinition, incident: Incident,
    fields: Mapping[str, Document], *, initial: bool = False, now: datetime,
) -> None:  # fmt: skip
    """What of the fields is news is written, refused, or waits; each clears what was wrong with it before."""
    news, task.stamps, unknown = hear_fields(definition.lines, INBOUND, fields, task.stamps)
    clear_problems(task, INBOUND, [told.line["key"] for told in news])
    if unknown:  # those of former calls go: any names may come, and all that is kept of them is told
        known = {line["key"] for line in definition.lines[INBOUND]}
        clear_problems(task, INBOUND, [one["key"] for one in task.problems if one["key"] not in known])
    for key in unknown:
        note_problem(task, INBOUND, key, key, REFUSED, _UNKNOWN_FIELD)
    said = _write(session, task, definition, incident, news, initial=initial, now=now)
    if said and not initial:
        company = company_of(session, task.connection_id)
        text = f"{task.parent_number} changed. {' '.join(said)}"
        incidents.add_work_note(session, incident, text=text, author_name=task.number, company=company, now=now)


def replay_news(
    session: Session, task: RemoteTask, definition: RemoteTaskDefinition, incident: Incident, holes: list[Any],
    now: datetime,
) -> None:  # fmt: skip
    """What waited for a row, tried again. A value that was changed by now is no news any more."""
    lines = {line["key"]: line for line in definition.lines[INBOUND]}
    for hole in holes:
        line, stamp = lines.get(hole["key"]), (hole["stamp"][0], hole["stamp"][1])
        clear_problems(task, INBOUND, {hole["key"]})
        if line is not None and is_last(task.stamps, line, INBOUND, stamp):
            again = [Told(line, hole["value"], stamp)]
            _write(session, task, definition, incident, again, initial=bool(hole.get("initial")), now=now)


def company_of(session: Session, connection_id: str) -> str:
    """The one of its registration, whatever the consumer says."""
    query = select(Registration.company).where(Registration.connection_id == connection_id)
    return session.scalar(query) or session.get_one(Connection, connection_id).name


def _write(
    session: Session, task: RemoteTask, definition: RemoteTaskDefinition, incident: Incident, news: Sequence[Told], *,
    initial: bool, now: datetime,
) -> list[str]:  # fmt: skip
    """Write the news into the incident, line by line. What was told, in words, also of what is not written."""
    said = []
    for told, value in _translated(session, task, definition, news, initial):
        line = told.line
        said.append(f"{line['label']}: {_in_words(line, definition, value)}.")
        if not takes_in(line, initial=initial):
            continue
        if line["virtual"]:
            task.virtual = {**task.virtual, line["key"]: {"label": line["label"], "value": value}}
            continue
        try:
            incidents.write_fields(incident, {line["target"]: value}, now=now)
        except InvalidFields as refused:
            reason = "; ".join(error.message for error in refused.errors)
            note_problem(task, INBOUND, line["key"], line["label"], REFUSED, reason)
    return said


def _translated(
    session: Session, task: RemoteTask, definition: RemoteTaskDefinition, news: Sequence[Told], initial: bool
) -> list[tuple[Told, Any]]:
    """Each with its value in our words; those without a row are noted, and wait."""
    if not news:
        return []
    transforms = transforms_of(session, task.connection_id)
    tables = (definition.provider_table, definition.consumer_table)
    found = []
    for told in news:
        line = told.line
        try:
            found.append((told, transform(transforms, tables, line, INBOUND, told.value)))
        except TransformHole as hole:
            again = {"value": told.value, "stamp": list(told.stamp), "initial": initial}
            note_problem(task, INBOUND, line["key"], line["label"], HOLE, str(hole), again=again)
    return found


def _in_words(line: Document, definition: RemoteTaskDefinition, value: Any) -> str:
    field = None if line["virtual"] else PROVIDER_TABLES[definition.provider_table].fields[line["target"]]
    if field is not None:
        return field.say(value)
    return "nothing" if value in (None, "") else f"“{value}”"
