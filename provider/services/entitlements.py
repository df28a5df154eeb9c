"""Who may order what. Entitlements are computed from the criteria of published producers, never edited by hand."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, insert, select, update
from sqlalchemy.orm import Session

from bridge.ids import new_id
from bridge.outbox import NewEvent, record_event, record_events
from bridge.vocabulary import EventType
from provider.domain.catalog import RemoteRecordProducerState
from provider.domain.errors import FieldError, InvalidFields, NotFound
from provider.models.catalog import Entitlement, EntitlementGuard, RemoteRecordProducer
from provider.models.criteria import HeldRemoval
from provider.services.entitlement_plans import Change, Scope, make_plan
from provider.services.item_telling import find_told_otherwise, tell_otherwise
from provider.services.pages import Page, read_page
from provider.services.personas import told_personas
from provider.services.remote_task_entitlements import refresh_definitions


def lock_guard(session: Session) -> None:
    """Whoever changes criteria, producers or the set of connections takes this lock first, before any other."""
    session.execute(select(EntitlementGuard).with_for_update()).one()


def refresh_entitlements(
    session: Session, now: datetime, identity: str | None = None, connection_ids: Collection[str] | None = None,
    *, additive: bool = False, confirmed: AbstractSet[str] = frozenset(),
) -> int:  # fmt: skip
    """Bring entitlements in line with criteria, and tell each connection concerned. Returns how many changed.

    Without arguments everything is looked at. Idempotent: what is right already is neither written nor sent again.
    `additive`: nothing is removed. A mass removal is held for a person, unless one has `confirmed` it for these
    connections.
    """
    lock_guard(session)
    session.flush()
    scope = Scope(identity, connection_ids, additive, confirmed)
    plan = make_plan(session, now, scope)
    changed = 0
    for item, change in plan.changes.items():
        offer = plan.offers.get(item)
        _grant(session, offer.producer if offer else None, change, now)
        _withdraw(session, item, change.withdrawn, "not_entitled" if offer else "retired", scope, now)
        _update(session, item, change.fitting, {"kept_by": None})
        if not additive:
            _hold(session, item, plan.holds.get(item), change, scope, now)
        changed += len(change.granted) + len(change.withdrawn)
    if identity is None:
        changed += refresh_definitions(session, now, connection_ids=connection_ids, additive=additive)
    return changed


def forget_kept(session: Session, identity: str) -> None:
    """New criteria are a new decision: what a person kept in spite of the former ones is computed anew."""
    session.execute(update(Entitlement).where(Entitlement.identity == identity).values(kept_by=None))


def report_activation(
    session: Session, connection_id: str, identity: str, *, state: str, revision: int, now: datetime
) -> Entitlement:
    """What the consumer did with an item. Raises NotFound if it is not entitled, InvalidFields (/revision)."""
    entitlement = session.execute(
        select(Entitlement)
        .where(Entitlement.connection_id == connection_id, Entitlement.identity == identity, Entitlement.entitled)
        .with_for_update()
    ).scalar_one_or_none()
    if entitlement is None:
        raise NotFound("catalog item", identity)
    if not 1 <= revision <= entitlement.revision:
        message = f"the newest revision that was sent is {entitlement.revision}"
        raise InvalidFields([FieldError("/revision", "range", message)])
    entitlement.consumer_state = state
    entitlement.active_revision = revision if state == "active" else entitlement.active_revision
    entitlement.updated_at = now
    return entitlement


def show_catalog_item(session: Session, connection_id: str, identity: str) -> dict[str, Any]:
    """The published revision of an item, as this connection sees it. Raises NotFound when it is not entitled to it."""
    found = entitled_items(connection_id).where(RemoteRecordProducer.identity == identity)
    producer = session.execute(found).scalar_one_or_none()
    if producer is None:
        raise NotFound("catalog item", identity)
    return _items_data(session, connection_id, [producer])[0]


def list_catalog_items(
    session: Session, connection_id: str, *, limit: int, after: Sequence[Any] | None
) -> Page[dict[str, Any]]:
    """The published items that a connection is entitled to, as it sees them."""
    page = read_page(session, entitled_items(connection_id), [RemoteRecordProducer.identity], limit=limit, after=after)
    return Page(_items_data(session, connection_id, page.items), page.next_key)


def entitled_items(connection_id: str) -> Select[RemoteRecordProducer]:
    """The published items that a connection is entitled to, as a query."""
    return _entitled(connection_id).where(RemoteRecordProducer.state == RemoteRecordProducerState.PUBLISHED)


def tell_items(session: Session, connection_id: str, *, now: datetime) -> None:
    """Tell a connection all its items again, after what it may see of them has changed."""
    producers = session.execute(entitled_items(connection_id)).scalars().all()
    data = _items_data(session, connection_id, producers)
    events = [NewEvent(f"catalog_item/{row['item_id']}", EventType.CATALOG_ITEM_CHANGED, row) for row in data]
    record_events(session, events, to=[connection_id], now=now)


def _items_data(
    session: Session, connection_id: str, producers: Sequence[RemoteRecordProducer]
) -> list[dict[str, Any]]:
    told = find_told_otherwise(session, connection_id, producers)
    personas = told_personas(session, producers)
    return [item_data(one) | told.get(one.identity, {}) | personas.get(one.identity, {}) for one in producers]


def item_data(producer: RemoteRecordProducer) -> dict[str, Any]:
    """A catalog item in the words of the wire, without prices and personas."""
    return {
        "item_id": producer.identity,
        "revision": producer.revision,
        "name": producer.name,
        "short_description": producer.short_description,
        "category": producer.category,
        "kind": producer.kind,
        "form": producer.form,
        "orderable": producer.kind != "inventory",
        "compatibility": producer.compatibility,
    } | {name: text for name in ("description", "help_text") if (text := getattr(producer, name))}


def _grant(session: Session, producer: RemoteRecordProducer | None, change: Change, now: datetime) -> None:
    if producer is None or not change.granted:
        return
    row = {
        "identity": producer.identity,
        "entitled": True,
        "revision": producer.revision,
        "consumer_state": "pending_activation",
        "updated_at": now,
    }
    if change.fresh:
        session.execute(insert(Entitlement), [row | {"connection_id": c} for c in change.fresh])
    _update(session, producer.identity, change.renewed, row)
    # What was active before the right was lost says nothing now: the consumer removed it.
    _update(session, producer.identity, change.regained, row | {"active_revision": None, "withdrawn_at": None})
    stream, data = f"catalog_item/{producer.identity}", item_data(producer)
    data |= told_personas(session, [producer]).get(producer.identity, {})
    for connection_ids, own in tell_otherwise(session, producer, change.granted):
        record_event(session, stream, EventType.CATALOG_ITEM_CHANGED, data | own, to=connection_ids, now=now)


def _withdraw(
    session: Session, identity: str, connection_ids: Sequence[str], reason: str, scope: Scope, now: datetime
) -> None:
    if not connection_ids:
        return
    values = {"entitled": False, "kept_by": None, "updated_at": now}
    by_itself = [c for c in connection_ids if reason != "retired" and c not in scope.confirmed]
    _update(session, identity, connection_ids, values)
    _update(session, identity, by_itself, {"withdrawn_at": now})
    data = {"item_id": identity, "reason": reason}
    record_event(session, f"catalog_item/{identity}", EventType.CATALOG_ITEM_REMOVED, data, to=connection_ids, now=now)


def _hold(
    session: Session, identity: str, hold: HeldRemoval | None, change: Change, scope: Scope, now: datetime
) -> None:
    """Write down who keeps an item until a person decides. What nobody has to decide any more is over."""
    others = (
        set(hold.connection_ids) - set(scope.connection_ids) if hold and scope.connection_ids is not None else set()
    )
    waiting = sorted(others | set(change.held))
    if hold is None and waiting:
        hold = HeldRemoval(id=new_id(), identity=identity, state="held", connection_ids=[], entitled=0, created_at=now)
        hold.updated_at = now
        session.add(hold)
    if hold is None or hold.connection_ids == waiting:
        return
    if waiting:
        hold.connection_ids, hold.updated_at = waiting, now
        entitled = select(func.count()).where(Entitlement.identity == identity, Entitlement.entitled)
        hold.entitled = session.scalar(entitled) or 0
    else:
        hold.state, hold.decided_at, hold.decided_by = "over", now, "system"


def _update(session: Session, identity: str, connection_ids: Iterable[str], values: Mapping[str, Any]) -> None:
    wanted = list(connection_ids)
    if wanted:
        session.execute(
            update(Entitlement)
            .where(Entitlement.identity == identity, Entitlement.connection_id.in_(wanted))
            .values(dict(values))
        )


def _entitled(connection_id: str) -> Select[RemoteRecordProducer]:
    return select(RemoteRecordProducer).join(
        Entitlement,
        (Entitlement.identity == RemoteRecordProducer.identity)
        & (Entitlement.connection_id == connection_id)
        & Entitlement.entitled,
    )
