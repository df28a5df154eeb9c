"""Which personas an item asks for: part of a revision, and told with it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.outbox import record_event
from bridge.vocabulary import EventType
from provider.domain.catalog import RemoteRecordProducerState
from provider.domain.criteria import as_id
from provider.domain.errors import Conflict, FieldError, InvalidFields
from provider.models.catalog import Entitlement, RemoteRecordProducer
from provider.models.personas import Persona
from provider.services.audit import record_audit
from provider.services.entitlements import item_data, lock_guard
from provider.services.item_telling import tell_otherwise
from provider.services.personas import get_persona, rename_persona, told_personas
from provider.services.revisions import edit_producer


def choose_personas(
    session: Session, identity: str, persona_ids: Sequence[str], actor: str, now: datetime
) -> RemoteRecordProducer:
    """Let the draft ask for these personas, or, with none, be open to every requester. Of a published item a draft is
    checked out first; consumers are told when it is published.

    Raises NotFound, InvalidFields (/persona_ids), and Conflict as `edit_producer` does, or for the list of products.
    """
    lock_guard(session)
    wanted = list(dict.fromkeys(persona_ids))
    ids = [one for one in wanted if as_id(one)]
    known = set(session.scalars(select(Persona.id).where(Persona.id.in_(ids)).with_for_update(read=True)))
    if missing := [place for place, one in enumerate(wanted) if one not in known]:
        raise InvalidFields(
            FieldError(f"/persona_ids/{one}", "not_found", "there is no such persona") for one in missing
        )
    draft = edit_producer(session, identity, {}, actor, now)
    if draft.kind == "inventory" and wanted:
        message = "the list of what a consumer has is open to all its requesters; give personas to what is ordered"
        raise Conflict("no_personas", message)
    draft.persona_ids = wanted
    session.flush()
    detail = {"revision": draft.revision, "persona_ids": wanted}
    record_audit(session, actor, "producer.personas", f"catalog_item/{identity}", now, detail)
    return draft


def edit_persona(
    session: Session, persona_id: str, *, name: str, description: str, actor: str, now: datetime
) -> Persona:
    """Call it otherwise; consumers that know it are told. Raises NotFound, InvalidFields (/name)."""
    lock_guard(session)
    persona = get_persona(session, persona_id, lock=True)
    changed = {"name": name.strip(), "description": description.strip()}
    if changed == (before := {"name": persona.name, "description": persona.description}):
        return persona
    rename_persona(session, persona, **changed)
    record_audit(session, actor, "persona.edit", f"persona/{persona.id}", now, {"from": before["name"], **changed})
    _tell_items(session, persona.id, now)
    return persona


def _tell_items(session: Session, persona_id: str, now: datetime) -> None:
    """Everybody entitled to a published item that asks for the persona hears of the item again."""
    published = RemoteRecordProducer.state == RemoteRecordProducerState.PUBLISHED
    asked = session.execute(select(RemoteRecordProducer.id, RemoteRecordProducer.persona_ids).where(published))
    ids = [row.id for row in asked if persona_id in row.persona_ids]
    for producer in session.scalars(select(RemoteRecordProducer).where(RemoteRecordProducer.id.in_(ids))).all():
        stream, data = f"catalog_item/{producer.identity}", item_data(producer)
        data |= told_personas(session, [producer])[producer.identity]
        of_item = (Entitlement.identity == producer.identity, Entitlement.entitled)
        entitled = sorted(session.scalars(select(Entitlement.connection_id).where(*of_item)))
        for to, own in tell_otherwise(session, producer, entitled):
            record_event(session, stream, EventType.CATALOG_ITEM_CHANGED, data | own, to=to, now=now)
