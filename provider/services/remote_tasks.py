"""Remote tasks: what consumers call to tie a record of theirs to one of ours.

`docs/wire.md`, section 7, is what consumers rely on. Nothing that comes in by these calls is told back.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bridge.field_maps import (
    INBOUND,
    OUTBOUND,
    Document,
    comments_line,
)
from bridge.ids import new_id
from provider.domain.errors import Conflict, FieldError, InvalidFields, NotFound
from provider.models.remote_tasks import (
    Incident,
    IncidentEntry,
    RemoteTask,
    RemoteTaskDefinition,
    RemoteTaskEntry,
)
from provider.services import incidents
from provider.services.audit import record_audit
from provider.services.order_locks import lock_connection
from provider.services.pages import Page, read_page
from provider.services.remote_task_entitlements import get_usable_revision, lock_entitlement
from provider.services.remote_task_events import (
    REFUSED,
    catch_up,
    clear_problems,
    definition_of,
    note_problem,
    task_data,
    tell_task,
)
from provider.services.remote_task_fields import company_of, take_news
from provider.services.remote_task_stops import lock_task, settle_status

NOUN = "remote task"


def accept_task(session: Session, connection_id: str, request: Mapping[str, Any], *, now: datetime) -> dict[str, Any]:
    """Tie a consumer's record to a new incident, exactly once however often it is asked.

    A higher `revision` of a known id makes the incident anew where it was deleted. Raises InvalidFields, NotFound (the
    definition), and Conflict `number_taken`, `remote_task_exists` or `revision_archived`.
    """
    connection = lock_connection(session, connection_id)
    _check_number(connection.number_prefix, request["number"])
    lock_entitlement(session, connection_id, request["definition_id"])
    definition = get_usable_revision(session, request["definition_id"], request["definition_revision"])
    task = _find(session, connection_id, request["id"])
    if task is not None and (task.incident_id is not None or request["revision"] <= task.revision):
        return _document(session, task)
    if task is None:
        _require_free(session, connection_id, request)
        task = _new_task(connection_id, request, now)
        session.add(task)
    else:  # its incident was deleted, and what was written on that with it
        session.execute(delete(RemoteTaskEntry).where(RemoteTaskEntry.remote_task_id == task.id))
    task.revision, task.definition_revision, task.updated_at = request["revision"], definition.revision, now
    task.error = task.stopped_here = task.stopped_there = None
    incident = _make_incident(session, task, definition, request, now)
    task.incident_id = incident.id
    settle_status(task)
    session.flush()
    record_audit(session, f"connection/{connection_id}", "remote_task.connect", f"remote_task/{task.number}", now)
    catch_up(session, task, incident, now=now, initial=True)
    return _document(session, task)


def take_fields(
    session: Session, connection_id: str, external_id: str, fields: Mapping[str, Document], *, now: datetime
) -> dict[str, Any]:
    """Fields that changed at the consumer. Each is taken in, refused or waits for a row by itself, and the consumer is
    told which; nothing is taken in while the task is not connected. Raises NotFound.
    """
    task, incident = _lock(session, connection_id, external_id)
    definition = definition_of(session, task)
    if task.status == "connected" and incident is not None and definition is not None:
        before = _told_problems(task)
        take_news(session, task, definition, incident, fields, now=now)
        task.updated_at = now
        if _told_problems(task) != before:
            tell_task(session, task, incident.number, now=now)
    return _document(session, task)


def take_comment(
    session: Session, connection_id: str, external_id: str, said: Mapping[str, Any], *, now: datetime
) -> dict[str, Any]:
    """A comment of the consumer's, once however often it comes. `taken` tells whether it is here: while the task is not
    connected it is not. Raises NotFound, and Conflict when the id is another comment's.
    """
    task, incident = _lock(session, connection_id, external_id)
    definition = definition_of(session, task)
    if task.status != "connected" or incident is None or definition is None:
        return _document(session, task) | {"taken": False}
    line = comments_line(definition.lines, INBOUND)
    if line is None:
        return _document(session, task) | {"taken": True}  # nobody wants it: it need not come again
    kind = incidents.WORK_NOTES if line["sync_when"] == "never" else "comments"
    entry = IncidentEntry(
        id=said["id"], incident_id=incident.id, kind=kind, author_name=said["author_name"],
        author_company=company_of(session, connection_id), text=said["text"], created_at=said["created_at"],
    )  # fmt: skip
    if incidents.add_received(session, entry):
        session.add(RemoteTaskEntry(remote_task_id=task.id, entry_id=said["id"], from_consumer=True))
        incident.updated_at = now
    elif session.get_one(IncidentEntry, (incident.id, said["id"])).text != said["text"]:
        raise Conflict("comment_exists", "this id was accepted with another comment")
    return _document(session, task) | {"taken": True}


def take_standing(
    session: Session, connection_id: str, external_id: str, said: Mapping[str, Any], *, now: datetime
) -> dict[str, Any]:
    """The consumer stopped the task, lets it go on, or has deleted its record (`error`).

    Going on it may name the `definition_revision` it has active now, and comments that it `missed` while it was
    stopped. Raises NotFound, and Conflict `revision_archived`.
    """
    task, incident = _lock(session, connection_id, external_id)
    if said.get("definition_revision"):
        task.definition_revision = get_usable_revision(
            session, task.definition_id, said["definition_revision"]
        ).revision
    task.stopped_there = said.get("stopped")
    if said.get("error"):
        task.error = said["error"]
        if incident is not None:
            incidents.add_work_note(session, incident, text=said["error"], author_name=task.number, now=now)
    if said.get("missed"):
        missed = RemoteTaskEntry.entry_id.in_(said["missed"])
        session.execute(delete(RemoteTaskEntry).where(RemoteTaskEntry.remote_task_id == task.id, missed))
    task.updated_at = now
    if settle_status(task) and incident is not None:
        catch_up(session, task, incident, now=now)
    return _document(session, task)


def take_problems(
    session: Session, connection_id: str, external_id: str, problems: Sequence[Mapping[str, Any]], *, now: datetime
) -> dict[str, Any]:
    """What the consumer did not take of ours, all of it. Raises NotFound."""
    task, _ = _lock(session, connection_id, external_id)
    definition = definition_of(session, task)
    lines = {line["key"]: line for line in definition.lines[OUTBOUND]} if definition else {}
    clear_problems(task, OUTBOUND, [one["key"] for one in task.problems if one["kind"] == REFUSED])
    for one in problems:
        label = lines[one["key"]]["label"] if one["key"] in lines else one["key"]
        note_problem(task, OUTBOUND, one["key"], label, REFUSED, f"The consumer did not take it: {one['reason']}")
    task.updated_at = now
    return _document(session, task)


def list_own_tasks(
    session: Session, connection_id: str, *, limit: int, after: Sequence[Any] | None
) -> Page[dict[str, Any]]:
    """The remote tasks of a connection, by number, as it sees them."""
    query = select(RemoteTask).where(RemoteTask.connection_id == connection_id)
    page = read_page(session, query, [RemoteTask.number], limit=limit, after=after)
    ids = [task.incident_id for task in page.items if task.incident_id]
    found = session.execute(select(Incident.id, Incident.number).where(Incident.id.in_(ids))).all()
    numbers: dict[str, str] = {row.id: row.number for row in found}
    return Page([_told(task, numbers.get(task.incident_id or "")) for task in page.items], page.next_key)


def show_own_task(session: Session, connection_id: str, external_id: str) -> dict[str, Any]:
    """One of them. Raises NotFound."""
    task = _find(session, connection_id, external_id)
    if task is None:
        raise NotFound(NOUN, external_id)
    return _document(session, task)


# --- how


def _make_incident(
    session: Session, task: RemoteTask, definition: RemoteTaskDefinition, request: Mapping[str, Any], now: datetime
) -> Incident:
    """A new incident with what the consumer told of its record; what it cannot take is noted, and hinders nothing."""
    company = company_of(session, task.connection_id)
    task.problems, task.problem_count, task.virtual, task.stamps = [], 0, {}, {}
    first = {"short_description": f"{request['parent']['number']} of {company}"[:200]}
    who = f"{request['requested_by']['name']} ({company})"
    incident = incidents.make_incident(session, first, opened_by=who, company=company, now=now)
    take_news(session, task, definition, incident, request["fields"], initial=True, now=now)
    return incident


def _new_task(connection_id: str, request: Mapping[str, Any], now: datetime) -> RemoteTask:
    return RemoteTask(
        id=new_id(), connection_id=connection_id, external_id=request["id"], number=request["number"],
        definition_id=request["definition_id"], parent_id=request["parent"]["id"],
        parent_number=request["parent"]["number"], opened_by=request["requested_by"]["name"], stamps={}, virtual={},
        problems=[], opened_at=request["opened_at"],
    )  # fmt: skip


def _require_free(session: Session, connection_id: str, request: Mapping[str, Any]) -> None:
    """One remote task for each record and definition, and for each number. Raises Conflict."""
    same = select(RemoteTask.number).where(
        RemoteTask.connection_id == connection_id,
        RemoteTask.parent_id == request["parent"]["id"],
        RemoteTask.definition_id == request["definition_id"],
    )
    if (number := session.scalars(same).first()) is not None:
        raise Conflict("remote_task_exists", f"{number} ties this record by this definition already", number=number)
    taken = select(RemoteTask.id).where(RemoteTask.number == request["number"])
    if session.scalars(taken).first() is not None:
        raise Conflict("number_taken", f"another remote task has the number {request['number']}")


def _check_number(prefix: str | None, number: str) -> None:
    if not re.fullmatch(rf"{re.escape(prefix or '')}-RT[0-9]{{7,12}}", number):
        raise InvalidFields([FieldError("/number", "invalid", f"the number must be {prefix}-RT and 7 to 12 digits")])


def _find(session: Session, connection_id: str, external_id: str) -> RemoteTask | None:
    query = select(RemoteTask).where(RemoteTask.connection_id == connection_id, RemoteTask.external_id == external_id)
    return session.scalars(query).first()


def _lock(session: Session, connection_id: str, external_id: str) -> tuple[RemoteTask, Incident | None]:
    """The record first, then what ties it, as everywhere. Raises NotFound."""
    lock_connection(session, connection_id)
    return lock_task(
        session, RemoteTask.connection_id == connection_id, RemoteTask.external_id == external_id, key=external_id
    )


def _told_problems(task: RemoteTask) -> list[Any]:
    return [one for one in task.problems if one["direction"] == INBOUND]


def _document(session: Session, task: RemoteTask) -> dict[str, Any]:
    number = session.scalar(select(Incident.number).where(Incident.id == task.incident_id))
    return _told(task, number)


def _told(task: RemoteTask, parent_number: str | None) -> dict[str, Any]:
    return task_data(task, parent_number) | {"status": task.status}
