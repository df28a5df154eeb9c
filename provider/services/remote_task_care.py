"""What our people do with remote tasks: stop them, let them go on, and try again what waits."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from bridge.field_maps import INBOUND, OUTBOUND
from bridge.models import Connection
from provider.domain.errors import Conflict, NotFound
from provider.models.remote_tasks import Incident, RemoteTask, RemoteTaskDefinition
from provider.services.audit import record_audit
from provider.services.pages import Page, read_page
from provider.services.remote_task_entitlements import get_usable_revision, lock_entitlement
from provider.services.remote_task_events import HOLE, definition_of, tell_changes, tell_task
from provider.services.remote_task_fields import replay_news
from provider.services.remote_task_stops import lock_task, tell_standing

NOUN = "remote task"


SORTABLE = ("number", "status", "connection", "definition", "updated")


def search_tasks(
    session: Session, *, text: str = "", status: str = "", trouble: bool = False, sort: str = "updated",
    descending: bool = True, offset: int = 0, limit: int = 25,
) -> tuple[list[dict[str, Any]], int]:  # fmt: skip
    """One page of the remote tasks that match, each with its incident, connection and definition; how many in all."""
    named = (
        select(RemoteTaskDefinition.name)
        .where(
            RemoteTaskDefinition.identity == RemoteTask.definition_id,
            RemoteTaskDefinition.revision == RemoteTask.definition_revision,
        )
        .scalar_subquery()
    )
    conditions = [RemoteTask.status == status] if status else []
    if trouble:
        conditions.append(RemoteTask.problem_count > 0)
    if text:
        searched = (RemoteTask.number, RemoteTask.parent_number, Incident.number, Connection.name)
        conditions.append(or_(*(column.icontains(text, autoescape=True) for column in searched)))
    joined = (
        select(
            RemoteTask, Incident.number.label("incident"), Connection.name.label("connection"),
            named.label("definition"),
        )
        .outerjoin(Incident, Incident.id == RemoteTask.incident_id)
        .join(Connection, Connection.id == RemoteTask.connection_id)
        .where(*conditions)
    )  # fmt: skip
    total = session.scalar(select(func.count()).select_from(joined.subquery())) or 0
    keys = {"connection": Connection.name, "definition": named, "updated": RemoteTask.updated_at}
    key = keys[sort] if sort in keys else getattr(RemoteTask, sort)
    ordered = joined.order_by(key.desc() if descending else key, RemoteTask.number).offset(offset).limit(limit)
    rows = session.execute(ordered).all()
    told = [{"task": row[0], "incident": row[1], "connection": row[2], "definition": row[3]} for row in rows]
    return told, total


def show_task(session: Session, number: str) -> dict[str, Any]:
    """One of them, as `search_tasks` finds it, and whether something of it waits for a row. Raises NotFound."""
    task = get_task(session, number)
    definition = definition_of(session, task)
    incident = session.get(Incident, task.incident_id) if task.incident_id else None
    return {
        "task": task,
        "incident": incident.number if incident else None,
        "connection": session.get_one(Connection, task.connection_id).name,
        "definition": definition,
        "can_replay": incident is not None and any(one["kind"] == HOLE for one in task.problems),
        "can_connect": task.stopped_here is not None and task.error is None,
        "can_disconnect": task.stopped_here is None and task.error is None,
    }


def list_tasks(session: Session, *, limit: int, after: Sequence[Any] | None) -> Page[RemoteTask]:
    """All remote tasks, by number."""
    return read_page(session, select(RemoteTask), [RemoteTask.number], limit=limit, after=after)


def get_task(session: Session, number: str) -> RemoteTask:
    """Raises NotFound."""
    found = session.scalars(select(RemoteTask).where(RemoteTask.number == number)).first()
    if found is None:
        raise NotFound(NOUN, number)
    return found


def disconnect_task(session: Session, number: str, *, reason: str, actor: str, now: datetime) -> RemoteTask:
    """Stop all copying, both ways; the consumer is told why. Raises NotFound, and Conflict when it is stopped."""
    task, incident = lock_task(session, RemoteTask.number == number, key=number)
    if task.stopped_here is not None:
        raise Conflict("already_disconnected", f"{number} is disconnected already")
    task.stopped_here = reason.strip() or "The provider disconnected it."
    record_audit(session, actor, "remote_task.disconnect", f"remote_task/{number}", now, {"reason": reason})
    tell_standing(session, task, incident, now=now)
    return task


def connect_task(session: Session, number: str, *, actor: str, now: datetime) -> RemoteTask:
    """Let it go on, as far as our side goes; what changed meanwhile follows. Raises NotFound, Conflict."""
    task, incident = lock_task(session, RemoteTask.number == number, key=number)
    if task.stopped_here is None:
        raise Conflict("not_disconnected", f"{number} is not disconnected by us{_why_not(task)}")
    if task.error is not None:
        raise Conflict("in_error", f"{number} cannot be connected: {task.error}")
    lock_entitlement(session, task.connection_id, task.definition_id)
    get_usable_revision(session, task.definition_id, task.definition_revision)
    task.stopped_here = None
    record_audit(session, actor, "remote_task.connect", f"remote_task/{number}", now)
    tell_standing(session, task, incident, now=now)
    return task


def replay_task(session: Session, number: str, *, actor: str, now: datetime) -> RemoteTask:
    """Try again what waits for a row of a transform, with the tables of now. Raises NotFound, and Conflict when nothing
    waits, or still all of it.
    """
    task, incident = lock_task(session, RemoteTask.number == number, key=number)
    definition = definition_of(session, task)
    holes = [one for one in task.problems if one["kind"] == HOLE]
    if not holes or incident is None or definition is None:
        raise Conflict("nothing_waits", f"no field of {number} waits for a row of a transform")
    before = list(task.problems)
    replay_news(session, task, definition, incident, [h for h in holes if h["direction"] == INBOUND], now)
    keys = {one["key"] for one in holes if one["direction"] == OUTBOUND}
    names = {line["source"] for line in definition.lines[OUTBOUND] if line["key"] in keys}
    if names:
        tell_changes(session, task, incident, names, now=now)
    if task.problems == before:
        raise Conflict("still_waits", "; ".join(one["reason"] for one in before if one["kind"] == HOLE))
    task.updated_at = now
    record_audit(session, actor, "remote_task.replay", f"remote_task/{number}", now)
    tell_task(session, task, incident.number, now=now)
    return task


def _why_not(task: RemoteTask) -> str:
    return "; the consumer stopped it, and has to let it go on" if task.stopped_there is not None else ""
