"""Personas: what somebody has to be to order certain items. Which items those are stands in `persona_items`."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, load_only

from bridge.database import insert_into
from bridge.ids import new_id
from provider.domain.catalog import RemoteRecordProducerState
from provider.domain.criteria import as_id
from provider.domain.errors import Conflict, FieldError, InvalidFields, NotFound
from provider.models.catalog import RemoteRecordProducer
from provider.models.personas import Persona
from provider.services.audit import record_audit
from provider.services.pages import Page, read_page

Document = dict[str, Any]

SORTABLE = ("name",)
_IN_USE = (
    RemoteRecordProducerState.DRAFT,
    RemoteRecordProducerState.PUBLISHED,
    RemoteRecordProducerState.INACTIVE,
)


def create_persona(session: Session, *, name: str, description: str, actor: str, now: datetime) -> Persona:
    """Raises InvalidFields (/name) for a name that is taken."""
    row = {"id": new_id(), "name": name.strip(), "description": description.strip(), "created_at": now}
    statement = insert_into(session, Persona).values(row).on_conflict_do_nothing(index_elements=["name"])
    if session.execute(statement.returning(Persona.id)).first() is None:
        raise _taken(name)
    record_audit(session, actor, "persona.create", f"persona/{row['id']}", now, {"name": row["name"]})
    return session.get_one(Persona, row["id"])


def get_persona(session: Session, persona_id: str, *, lock: bool = False) -> Persona:
    """Raises NotFound."""
    key = as_id(persona_id)
    persona = session.get(Persona, key, with_for_update=lock or None) if key else None
    if persona is None:
        raise NotFound("persona", persona_id)
    return persona


def rename_persona(session: Session, persona: Persona, *, name: str, description: str) -> None:
    """Raises InvalidFields (/name) when another persona has it, also one that is just made."""
    try:
        with session.begin_nested():
            persona.name, persona.description = name, description
    except IntegrityError:
        raise _taken(name) from None


def delete_persona(session: Session, persona_id: str, *, actor: str, now: datetime) -> None:
    """Forget it. Raises NotFound, and Conflict `persona_in_use` while an item asks for it."""
    persona = get_persona(session, persona_id, lock=True)
    used = find_uses(session).get(persona.id)
    if used:
        message = f"{persona.name} is asked for by {', '.join(used[:5])}; take it off these items first"
        raise Conflict("persona_in_use", message)
    session.delete(persona)
    record_audit(session, actor, "persona.delete", f"persona/{persona.id}", now, {"name": persona.name})


def list_personas(session: Session, *, limit: int, after: Sequence[Any] | None) -> Page[Persona]:
    """All of them, by name."""
    return read_page(session, select(Persona), [Persona.name], limit=limit, after=after)


def search_personas(
    session: Session, *, text: str, sort: str, descending: bool, offset: int, limit: int
) -> tuple[list[Document], int]:
    """One page of them, each with the names of the items that ask for it, and how many there are."""
    wanted = [or_(*(one.icontains(text, autoescape=True) for one in (Persona.name, Persona.description)))]
    query = select(Persona).where(*wanted if text else ())
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    key = func.lower(Persona.name)
    rows = session.scalars(query.order_by(key.desc() if descending else key, Persona.id).offset(offset).limit(limit))
    uses = find_uses(session)
    return [{"persona": one, "items": uses.get(one.id, [])} for one in rows], total


def list_choices(session: Session) -> list[tuple[str, str]]:
    """(id, name) of all personas, by name."""
    query = select(Persona.id, Persona.name).order_by(func.lower(Persona.name), Persona.id)
    return [(row.id, row.name) for row in session.execute(query)]


def find_uses(session: Session) -> dict[str, list[str]]:
    """The names of the items that ask for each persona, in a revision that can be ordered or is being written."""
    producer = RemoteRecordProducer
    query = select(producer).options(load_only(producer.name, producer.persona_ids)).order_by(producer.name)
    found: dict[str, list[str]] = {}
    for one in session.scalars(query.where(producer.state.in_(_IN_USE))):
        for persona_id in one.persona_ids:
            if one.name not in found.setdefault(persona_id, []):
                found[persona_id].append(one.name)
    return found


def told_personas(session: Session, producers: Iterable[RemoteRecordProducer]) -> Mapping[str, Document]:
    """What items tell of the personas that they ask for, by identity; nothing of an item that is open to all, for which
    no statement is spent.
    """
    asking = [one for one in producers if one.persona_ids]
    rows = read_personas(session, {persona_id for one in asking for persona_id in one.persona_ids})
    return {
        one.identity: {"personas": [rows[persona_id] for persona_id in one.persona_ids if persona_id in rows]}
        for one in asking
    }


def read_personas(session: Session, persona_ids: Iterable[str]) -> dict[str, Document]:
    """As the wire tells of them, by id."""
    wanted = set(persona_ids)
    if not wanted:
        return {}
    rows = session.execute(select(Persona.id, Persona.name, Persona.description).where(Persona.id.in_(wanted)))
    return {row.id: {"persona_id": row.id, "name": row.name, "description": row.description} for row in rows}


def _taken(name: str) -> InvalidFields:
    return InvalidFields([FieldError("/name", "taken", f"there is a persona {name.strip()} already")])
