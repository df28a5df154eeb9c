"""Removals of many entitlements at once wait for a person: who would lose what, confirmed or kept."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from bridge.models import Connection
from provider.domain.criteria import say_criteria
from provider.domain.errors import Conflict, NotFound
from provider.models.catalog import Entitlement, RemoteRecordProducer
from provider.models.criteria import HeldRemoval
from provider.services.audit import record_audit
from provider.services.connections import as_id
from provider.services.criteria import read_names
from provider.services.entitlements import lock_guard, refresh_entitlements

Document = dict[str, Any]


def list_held_removals(session: Session, *, offset: int = 0, limit: int = 200) -> tuple[list[Document], int]:
    """What waits for a person, oldest first, and how much that is in all: the item, whom it is for in words, who would
    lose it by name, and how many were entitled. In five statements however much it is.
    """
    query = select(HeldRemoval).where(HeldRemoval.state == "held").order_by(HeldRemoval.created_at, HeldRemoval.id)
    rows = session.scalars(query.offset(offset).limit(limit)).all()
    items = _read_items(session, [row.identity for row in rows])
    criteria = [item.criteria or {} for item in items.values()]
    wanted = {one for row in rows for one in row.connection_ids}
    names = read_names(session, criteria)
    consumers = dict(session.execute(select(Connection.id, Connection.name).where(Connection.id.in_(wanted))).all())
    total = session.scalar(select(func.count()).where(HeldRemoval.state == "held")) or 0
    return [_document(row, items.get(row.identity), consumers, names) for row in rows], total


def decide_removal(session: Session, removal_id: str, *, confirm: bool, actor: str, now: datetime) -> HeldRemoval:
    """Remove what is held, from those who still do not match; or let these consumers keep it until the criteria are
    changed or match again. Raises NotFound, and Conflict when it was decided already.
    """
    lock_guard(session)
    query = select(HeldRemoval).where(HeldRemoval.id == as_id("held removal", removal_id)).with_for_update()
    held = session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if held is None:
        raise NotFound("held removal", removal_id)
    if held.state != "held":
        raise Conflict("removal_decided", f"this removal is {held.state} already", state=held.state)
    held.state, held.decided_at, held.decided_by = ("confirmed" if confirm else "kept"), now, actor
    session.flush()
    action = "entitlements.remove" if confirm else "entitlements.keep"
    record_audit(session, actor, action, f"catalog_item/{held.identity}", now, {"connection_ids": held.connection_ids})
    if confirm:
        refresh_entitlements(session, now, identity=held.identity, confirmed=frozenset(held.connection_ids))
    else:
        _keep(session, held, actor)
    return held


def _keep(session: Session, held: HeldRemoval, actor: str) -> None:
    mine = (Entitlement.identity == held.identity) & Entitlement.connection_id.in_(held.connection_ids)
    session.execute(update(Entitlement).where(mine, Entitlement.entitled).values(kept_by=actor))


def _read_items(session: Session, identities: Sequence[str]) -> dict[str, RemoteRecordProducer]:
    query = select(RemoteRecordProducer).where(RemoteRecordProducer.identity.in_(identities))
    published = query.where(RemoteRecordProducer.state == "published")
    return {row.identity: row for row in session.scalars(published)}


def _document(
    row: HeldRemoval, item: RemoteRecordProducer | None, consumers: Mapping[str, str], names: Mapping[str, str]
) -> Document:
    return {
        "id": row.id,
        "item_id": row.identity,
        "item": item.name if item else row.identity,
        "audience": say_criteria(item.criteria if item else None, names),
        "consumers": [
            {"connection_id": one, "name": consumers[one]}
            for one in sorted(row.connection_ids, key=lambda one: consumers.get(one, ""))
            if one in consumers
        ],
        "entitled": row.entitled,
        "created_at": row.created_at,
    }
