"""Publishing many things at once, each judged by itself: what can go goes, and of the others it is said why not."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session, defer

from provider.domain.catalog import SERVICE_EXCHANGE, CatalogState, RemoteRecordProducerState, ServiceType
from provider.domain.errors import Conflict, DomainError, FieldError, InvalidFields, NotFound
from provider.models.catalog import ProductOffering, RemoteRecordProducer, Specification
from provider.services.audit import record_audit
from provider.services.catalog import publish_offering, publish_specification
from provider.services.connections import as_id
from provider.services.criteria import check_criteria
from provider.services.entitlements import lock_guard
from provider.services.producers import list_revisions, publish_producer
from provider.services.selling import find_sold, sell_offering

BULK_LIMIT = 20
_SHOWN = 100
OFFERING, SPECIFICATION = "offering", "specification"

Criteria = Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one of them. `identity` is its item for consumers, if it has one now."""

    key: str
    name: str
    is_done: bool
    message: str
    identity: str | None = None


@dataclass(frozen=True, slots=True)
class _Done:
    name: str
    message: str
    identity: str | None


def publish_producers(
    session: Session, identities: Sequence[str], criteria: Criteria, actor: str, now: datetime
) -> list[Outcome]:
    """Publish the draft of each item to an audience; without `criteria`, each to whom it is for already.

    Raises InvalidFields for criteria that mean nothing, and for none or more than BULK_LIMIT items.
    """
    _check(session, identities, criteria, "/identities")

    def publish(identity: str) -> _Done:
        return _publish(session, identity, criteria, actor, now)

    return _each(session, identities, publish)


def sell_entries(session: Session, entries: Sequence[tuple[str, str]], actor: str, now: datetime) -> list[Outcome]:
    """Sell offerings and customer-facing specifications of the catalog over the exchange, each `(kind, id)`: with the
    channel, published, and with an item for consumers as a draft, which other people review and publish.

    Raises InvalidFields for none or more than BULK_LIMIT entries.
    """
    _check(session, entries, None, "/entries")
    keys = {f"{kind}/{id_}": (kind, id_) for kind, id_ in entries}

    def sell(key: str) -> _Done:
        kind, id_ = keys[key]
        if kind not in _SELL:
            raise NotFound("kind of entry", kind)
        name, which = _SELL[kind](session, id_, actor, now)
        newest = select(RemoteRecordProducer).where(which).order_by(RemoteRecordProducer.revision.desc()).limit(1)
        item = session.scalars(newest).one()
        return _Done(name, "It is sold: its item for consumers is a draft.", item.identity)

    return _each(session, keys, sell)


def list_drafts(session: Session) -> Sequence[RemoteRecordProducer]:
    """The items that wait to be published, by name; the first hundred."""
    is_draft = RemoteRecordProducer.state == RemoteRecordProducerState.DRAFT
    query = select(RemoteRecordProducer).where(is_draft).options(defer(RemoteRecordProducer.form))
    return session.scalars(query.order_by(func.lower(RemoteRecordProducer.name)).limit(_SHOWN)).all()


def list_sellable(session: Session) -> list[tuple[str, ProductOffering | Specification]]:
    """What could be sold over the exchange and is not, each with its kind, by name; the first hundred of each kind.

    Offerings that are published or in draft, without an item; customer-facing specifications in draft.
    """
    has_item = exists().where(RemoteRecordProducer.product_offering_id == ProductOffering.id)
    living = ProductOffering.lifecycle_state.in_((CatalogState.IN_DRAFT, CatalogState.PUBLISHED))
    offerings = select(ProductOffering).where(living, ~has_item).order_by(func.lower(ProductOffering.name))
    specifications = select(Specification).where(
        Specification.lifecycle_state == CatalogState.IN_DRAFT,
        Specification.service_type == ServiceType.CUSTOMER_FACING,
    )
    specifications = specifications.order_by(func.lower(Specification.name))
    return [
        *((OFFERING, row) for row in session.scalars(offerings.limit(_SHOWN))),
        *((SPECIFICATION, row) for row in session.scalars(specifications.limit(_SHOWN))),
    ]


def _check(session: Session, chosen: Sequence[Any], criteria: Criteria, pointer: str) -> None:
    lock_guard(session)
    if not 1 <= len(chosen) <= BULK_LIMIT:
        raise InvalidFields([FieldError(pointer, "range", f"choose 1 to {BULK_LIMIT} at once")])
    if criteria is not None:
        check_criteria(session, criteria)


def _each(session: Session, keys: Iterable[str], action: Callable[[str], _Done]) -> list[Outcome]:
    """What is refused leaves no trace, and keeps no other from being done."""
    outcomes = []
    for key in dict.fromkeys(keys):
        try:
            with session.begin_nested():
                done = action(key)
                session.flush()
        except DomainError as error:
            outcomes.append(Outcome(key, _name_of(session, key), False, str(error)))
        else:
            outcomes.append(Outcome(key, done.name, True, done.message, done.identity))
    return outcomes


def _publish(session: Session, identity: str, criteria: Criteria, actor: str, now: datetime) -> _Done:
    revisions = list_revisions(session, identity)
    if criteria is None:
        criteria = next((one.criteria for one in reversed(revisions) if one.criteria), None)
    if criteria is None:
        raise Conflict("no_audience", "say whom it is for first")
    if revisions[-1].state != RemoteRecordProducerState.DRAFT:
        raise Conflict("no_draft", f"its newest revision is {revisions[-1].state}: there is no draft to publish")
    made = publish_producer(session, identity, criteria, actor, now)
    return _Done(made.name, f"Revision {made.revision} is published.", made.identity)


def _sell_offering(session: Session, offering_id: str, actor: str, now: datetime) -> tuple[str, Any]:
    row = session.get(ProductOffering, as_id("product offering", offering_id))
    if row is None:
        raise NotFound("product offering", offering_id)
    is_ready = find_sold([row]) is None and row.lifecycle_state == CatalogState.IN_DRAFT and _has_channel(row)
    sold = row if is_ready else sell_offering(session, row.id, actor, now)
    if sold.lifecycle_state == CatalogState.IN_DRAFT:
        publish_offering(session, sold.id, actor, now)
    return sold.name, RemoteRecordProducer.product_offering_id == sold.id


def _sell_specification(session: Session, specification_id: str, actor: str, now: datetime) -> tuple[str, Any]:
    row = session.get(Specification, as_id("specification", specification_id))
    if row is None:
        raise NotFound("specification", specification_id)
    if row.service_type != ServiceType.CUSTOMER_FACING:
        raise Conflict("not_customer_facing", "only a customer-facing service specification can be ordered by itself")
    if row.lifecycle_state != CatalogState.IN_DRAFT:
        message = f"it is {row.lifecycle_state}; what is published is not changed, so take in a next version as a draft"
        raise Conflict("not_in_draft", message)
    if SERVICE_EXCHANGE not in row.channels:
        row.channels = sorted({*row.channels, SERVICE_EXCHANGE})
        record_audit(session, actor, "specification.sell", f"specification/{row.id}", now)
    publish_specification(session, row.id, actor, now)
    is_own = (RemoteRecordProducer.specification_id == row.id) & (RemoteRecordProducer.kind == "service")
    return row.name, is_own


def _has_channel(row: ProductOffering) -> bool:
    return row.sellable and SERVICE_EXCHANGE in row.channels


_SELL: Mapping[str, Callable[[Session, str, str, datetime], tuple[str, Any]]] = {
    OFFERING: _sell_offering,
    SPECIFICATION: _sell_specification,
}


def _name_of(session: Session, key: str) -> str:
    """What people call it, if it is there at all; else the key."""
    kind, _, id_ = key.rpartition("/")
    models: Mapping[str, Any] = {OFFERING: ProductOffering, SPECIFICATION: Specification}
    try:
        if kind:
            row = session.get(models[kind], as_id(kind, id_)) if kind in models else None
            return str(row.name) if row else id_
        return list_revisions(session, id_)[-1].name
    except NotFound:
        return id_
