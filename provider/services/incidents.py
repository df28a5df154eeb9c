"""Incidents: work of the provider's own, which a remote task may tie to a record of a consumer.

What our people change is told from here, in the same transaction; what came from the consumer is written by
`remote_tasks` and told to nobody.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from bridge.database import insert_into
from bridge.field_maps import COMMENTS, INCIDENT, JOURNAL
from bridge.ids import new_id
from bridge.models import Instance
from provider.domain.errors import FieldError, InvalidFields, NotFound
from provider.models.remote_tasks import Incident, IncidentEntry, RemoteTask
from provider.services.audit import record_audit
from provider.services.numbers import next_number
from provider.services.pages import Page, read_page
from provider.services.remote_task_events import capture_changes, capture_comment, task_of_incident, tell_task
from provider.services.remote_task_stops import settle_status

FIELDS = tuple(name for name, field in INCIDENT.fields.items() if field.kind != JOURNAL)
WORK_NOTES = "work_notes"
SORTABLE = ("number", "short_description", "state", "priority", "company", "updated")
_DEFAULTS = {"state": "new", "priority": "4"}


def list_incidents(session: Session, *, limit: int, after: Sequence[Any] | None) -> Page[Incident]:
    """All incidents, by number."""
    return read_page(session, select(Incident), [Incident.number], limit=limit, after=after)


def search_incidents(
    session: Session, *, text: str = "", state: str = "", sort: str = "updated", descending: bool = True,
    offset: int = 0, limit: int = 25,
) -> tuple[list[tuple[Incident, RemoteTask | None]], int]:  # fmt: skip
    """One page of the incidents that match, each with what ties it, and how many match in all."""
    conditions = []
    if text:
        conditions.append(
            or_(
                Incident.number.icontains(text, autoescape=True),
                Incident.short_description.icontains(text, autoescape=True),
            )
        )
    if state:
        conditions.append(Incident.state == state)
    total = session.scalar(select(func.count()).select_from(Incident).where(*conditions)) or 0
    key = Incident.updated_at if sort == "updated" else getattr(Incident, sort)
    query = select(Incident, RemoteTask).outerjoin(RemoteTask, RemoteTask.incident_id == Incident.id).where(*conditions)
    rows = session.execute(
        query.order_by(key.desc() if descending else key, Incident.number).offset(offset).limit(limit)
    )
    return [(row.Incident, row.RemoteTask) for row in rows], total


def get_incident(session: Session, number: str, *, lock: bool = False) -> Incident:
    """Raises NotFound."""
    query = select(Incident).where(Incident.number == number)
    found = session.scalars(query.with_for_update() if lock else query).first()
    if found is None:
        raise NotFound("incident", number)
    return found


def list_entries(session: Session, incident: Incident) -> list[IncidentEntry]:
    """What was written on it, in the order in which both sides show comments."""
    query = select(IncidentEntry).where(IncidentEntry.incident_id == incident.id)
    return list(session.scalars(query.order_by(IncidentEntry.created_at, IncidentEntry.id)))


def open_incident(session: Session, values: Mapping[str, Any], *, actor: str, now: datetime) -> Incident:
    """A new incident of our own. Raises InvalidFields."""
    incident = make_incident(session, values, opened_by=actor, company=None, now=now)
    record_audit(session, actor, "incident.open", f"incident/{incident.number}", now)
    return incident


def make_incident(
    session: Session, values: Mapping[str, Any], *, opened_by: str, company: str | None, now: datetime
) -> Incident:
    """The row itself, which is told to nobody. Raises InvalidFields."""
    whole = {**_DEFAULTS, **{name: value for name, value in values.items() if value is not None}}
    _check(whole, FIELDS)
    incident = Incident(
        id=new_id(), number=next_number(session, "incident"), opened_by=opened_by[:255], company=company,
        opened_at=now, updated_at=now, **whole,
    )  # fmt: skip
    session.add(incident)
    session.flush()
    return incident


def change_incident(
    session: Session, number: str, changes: Mapping[str, Any], *, actor: str, now: datetime
) -> Incident:
    """Change fields; what really changed is told to the consumer, if one is tied. Raises NotFound, InvalidFields."""
    incident = get_incident(session, number, lock=True)
    changed = write_fields(incident, changes, now=now)
    if changed:
        session.flush()
        record_audit(session, actor, "incident.change", f"incident/{number}", now, {"fields": sorted(changed)})
        capture_changes(session, incident, changed, now=now)
    return incident


def write_fields(incident: Incident, changes: Mapping[str, Any], *, now: datetime) -> set[str]:
    """Write them into the row. Which ones are not what they were. Raises InvalidFields."""
    _check(changes, changes)
    changed = {name for name, value in changes.items() if getattr(incident, name) != value}
    for name in changed:
        setattr(incident, name, changes[name])
    if changed:
        incident.updated_at = now
    return changed


def add_comment(session: Session, number: str, *, text: str, author_name: str, now: datetime) -> IncidentEntry:
    """Something that both sides read. Raises NotFound."""
    incident = get_incident(session, number, lock=True)
    company = session.execute(select(Instance.name)).scalar_one()
    at = now.replace(microsecond=now.microsecond // 1000 * 1000)
    values = {"kind": COMMENTS, "author_name": author_name, "author_company": company, "text": text, "created_at": at}
    entry = IncidentEntry(id=new_id(), incident_id=incident.id, **values)
    session.add(entry)
    incident.updated_at = now
    session.flush()
    capture_comment(session, incident, entry, now=now)
    return entry


def add_work_note(
    session: Session, incident: Incident, *, text: str, author_name: str, company: str | None = None, now: datetime
) -> IncidentEntry:
    """Something that stays here."""
    entry = IncidentEntry(
        id=new_id(), incident_id=incident.id, kind=WORK_NOTES, author_name=author_name, author_company=company,
        text=text, created_at=now,
    )  # fmt: skip
    session.add(entry)
    session.flush()
    return entry


def add_received(session: Session, entry: IncidentEntry) -> bool:
    """An entry of the consumer's, once however often it comes. Whether it is new."""
    values = {column.key: getattr(entry, column.key) for column in IncidentEntry.__table__.columns}
    statement = insert_into(session, IncidentEntry).values(values).on_conflict_do_nothing().returning(IncidentEntry.id)
    return session.execute(statement).first() is not None


def delete_incident(session: Session, number: str, *, actor: str, now: datetime) -> None:
    """Delete our record, and nothing of the consumer's: what tied them is in error, and says why. Raises NotFound."""
    incident = get_incident(session, number, lock=True)
    task = task_of_incident(session, incident)
    if task is not None:
        task.incident_id, task.error, task.updated_at = None, f"Incident {number} was deleted.", now
        settle_status(task)
        session.flush()
        tell_task(session, task, number, now=now)
    record_audit(session, actor, "incident.delete", f"incident/{number}", now)
    session.delete(incident)
    session.flush()


def _check(values: Mapping[str, Any], names: Iterable[str]) -> None:
    """Raises InvalidFields with every fault."""
    faults = []
    for name in names:
        if name not in FIELDS:
            faults.append(FieldError(f"/{name}", "unknown", f"there is no field {name}"))
        elif (wrong := INCIDENT.fields[name].fault(values.get(name))) is not None:
            faults.append(FieldError(f"/{name}", "invalid", wrong))
    if faults:
        raise InvalidFields(faults)
