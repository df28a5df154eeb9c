"""Stopping remote tasks and going on with them: one is connected while no side has stopped it and nothing is wrong.

Each side owns its own stop and tells the other of it, so that two people who decide at once never disagree for good.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from provider.domain.errors import NotFound
from provider.models.remote_tasks import Incident, RemoteTask
from provider.services.remote_task_events import catch_up, tell_task


def settle_status(task: RemoteTask) -> bool:
    """Say in one word how the task stands now. Returns whether it has just become connected."""
    before = task.status
    stopped = task.stopped_here is not None or task.stopped_there is not None
    task.status = "error" if task.error else "disconnected" if stopped else "connected"
    return task.status == "connected" and before != "connected"


def stop_tasks(
    session: Session, identity: str, reason: str, *, revision: int | None = None,
    connection_ids: Collection[str] | None = None, now: datetime,
) -> int:  # fmt: skip
    """Stop all tasks of a definition, or those of one revision or of some connections; each is told. How many."""
    query = (
        select(RemoteTask, Incident.number)
        .outerjoin(Incident, Incident.id == RemoteTask.incident_id)
        .where(RemoteTask.definition_id == identity, RemoteTask.stopped_here.is_(None))
        .order_by(RemoteTask.connection_id, RemoteTask.id)
    )
    if revision is not None:
        query = query.where(RemoteTask.definition_revision == revision)
    if connection_ids is not None:
        query = query.where(RemoteTask.connection_id.in_(list(connection_ids)))
    rows = session.execute(query.with_for_update(of=RemoteTask)).all()
    for task, number in rows:
        task.stopped_here, task.updated_at = reason, now
        settle_status(task)
        tell_task(session, task, number, now=now)
    return len(rows)


def tell_standing(session: Session, task: RemoteTask, incident: Incident | None, *, now: datetime) -> None:
    """After a stop, or the end of one: tell it, and once connected what was missed meanwhile."""
    connected = settle_status(task)
    task.updated_at = now
    tell_task(session, task, incident.number if incident else None, now=now)
    if connected and incident is not None:
        catch_up(session, task, incident, now=now)


def lock_task(session: Session, *where: Any, key: str) -> tuple[RemoteTask, Incident | None]:
    """One remote task and its incident, to be changed: the record first, as everywhere. Raises NotFound."""
    incident_id = session.execute(select(RemoteTask.incident_id).where(*where)).first()
    if incident_id is None:
        raise NotFound("remote task", key)
    of_incident = select(Incident).where(Incident.id == incident_id[0]).with_for_update()
    fresh = {"populate_existing": True}
    incident = session.scalars(of_incident, execution_options=fresh).first()
    task = session.scalars(select(RemoteTask).where(*where).with_for_update(), execution_options=fresh).one()
    return task, incident if task.incident_id is not None else None
