"""Who may order what. Entitlements are computed from the criteria of published producers, never edited by hand."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, insert, select, update
from sqlalchemy.orm import Session

from bridge.models import Connection
from bridge.outbox import NewEvent, record_event, record_events
from bridge.vocabulary import ConnectionState, EventType
from provider.domain.catalog import RemoteRecordProducerState
from provider.domain.errors import FieldError, InvalidFields, NotFound
from provider.models.catalog import Entitlement, EntitlementGuard, RemoteRecordProducer
from provider.services.pages import Page, read_page
from provider.services.pricing import find_told_prices, told_prices

_LIVE = (ConnectionState.ACTIVE, ConnectionState.PAUSED, ConnectionState.DIVERGED)


def lock_guard(session: Session) -> None:
    """Whoever changes criteria, producers or the set of connections takes this lock first, before any other."""
    session.execute(select(EntitlementGuard).with_for_update()).one()


def refresh_entitlements(
    session: Session, now: datetime, identity: str | None = None, connection_id: str | None = None
) -> int:
    """Bring entitlements in line with criteria, and tell each connection concerned. Returns how many changed.

    Without arguments everything is looked at. Idempotent: what is right already is neither written nor sent again.
    """
    lock_guard(session)
    session.flush()
    published = _published(session, identity)
    connections = _live_connections(session, connection_id)
    held = _held(session, identity, connection_id)
    changed = 0
    for item in sorted(published.keys() | held.keys()):
        change = _compare(published.get(item), held.get(item, {}), connections)
        _grant(session, published.get(item), change, now)
        _withdraw(session, item, change.withdrawn, "not_entitled" if item in published else "retired", now)
        changed += len(change.granted) + len(change.withdrawn)
    return changed


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
    told = find_told_prices(session, connection_id, producers)
    return [item_data(producer) | told.get(producer.identity, {}) for producer in producers]


def item_data(producer: RemoteRecordProducer) -> dict[str, Any]:
    """A catalog item in the words of the wire, without prices."""
    return {
        "item_id": producer.identity,
        "revision": producer.revision,
        "name": producer.name,
        "short_description": producer.short_description,
        "category": producer.category,
        "kind": producer.kind,
        "form": producer.form,
        "orderable": producer.kind != "inventory",
    }


@dataclass(frozen=True)
class _Change:
    """Connections by what happens to their right to one item, each sorted. `fresh` have no row yet."""

    fresh: list[str]
    renewed: list[str]
    regained: list[str]
    withdrawn: list[str]

    @property
    def granted(self) -> list[str]:
        return sorted([*self.fresh, *self.renewed, *self.regained])


def _compare(
    producer: RemoteRecordProducer | None, held: Mapping[str, Entitlement], connections: Sequence[str]
) -> _Change:
    wanted = [c for c in connections if producer is not None and _matches(producer.criteria or {}, c)]
    fresh = [c for c in wanted if c not in held]
    regained = [c for c in wanted if c in held and not held[c].entitled]
    renewed = [
        c for c in wanted if c in held and held[c].entitled and producer and held[c].revision != producer.revision
    ]
    lost = set(connections) & {c for c, entitlement in held.items() if entitlement.entitled} - set(wanted)
    return _Change(fresh, renewed, regained, sorted(lost))


def _matches(criteria: Mapping[str, Any], connection_id: str) -> bool:
    return criteria.get("all_consumers") is True or connection_id in criteria.get("connection_ids", ())


def _grant(session: Session, producer: RemoteRecordProducer | None, change: _Change, now: datetime) -> None:
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
    _update(session, producer.identity, change.regained, row | {"active_revision": None})
    stream, data = f"catalog_item/{producer.identity}", item_data(producer)
    for connection_ids, prices in told_prices(session, producer, change.granted):
        record_event(session, stream, EventType.CATALOG_ITEM_CHANGED, data | prices, to=connection_ids, now=now)


def _withdraw(session: Session, identity: str, connection_ids: list[str], reason: str, now: datetime) -> None:
    if not connection_ids:
        return
    _update(session, identity, connection_ids, {"entitled": False, "updated_at": now})
    data = {"item_id": identity, "reason": reason}
    record_event(session, f"catalog_item/{identity}", EventType.CATALOG_ITEM_REMOVED, data, to=connection_ids, now=now)


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


def _published(session: Session, identity: str | None) -> dict[str, RemoteRecordProducer]:
    query = select(RemoteRecordProducer).where(RemoteRecordProducer.state == RemoteRecordProducerState.PUBLISHED)
    if identity is not None:
        query = query.where(RemoteRecordProducer.identity == identity)
    return {producer.identity: producer for producer in session.execute(query).scalars()}


def _live_connections(session: Session, connection_id: str | None) -> list[str]:
    query = select(Connection.id).where(Connection.state.in_(_LIVE)).order_by(Connection.id)
    if connection_id is not None:
        query = query.where(Connection.id == connection_id)
    return list(session.execute(query).scalars())


def _held(session: Session, identity: str | None, connection_id: str | None) -> dict[str, dict[str, Entitlement]]:
    query = select(Entitlement).execution_options(populate_existing=True)
    if identity is not None:
        query = query.where(Entitlement.identity == identity)
    if connection_id is not None:
        query = query.where(Entitlement.connection_id == connection_id)
    held: dict[str, dict[str, Entitlement]] = {}
    for entitlement in session.execute(query).scalars():
        held.setdefault(entitlement.identity, {})[entitlement.connection_id] = entitlement
    return held
