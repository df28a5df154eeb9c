"""What may a connection order, and what is an order of it made of? Asked for each request, so in one read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from bridge.models import table_of
from provider.domain.catalog import RemoteRecordProducerState
from provider.domain.errors import NotFound
from provider.models.catalog import Entitlement, ProductOffering, RemoteRecordProducer, Specification

_ORDERABLE = (RemoteRecordProducerState.PUBLISHED, RemoteRecordProducerState.INACTIVE)
_DEPTH_LIMIT = 16
_KEPT_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Part:
    """One specification of a composite: its id and name, and what it bundles, by key."""

    specification_id: str
    name: str
    children: Mapping[str, "Part"]


@dataclass(frozen=True, slots=True)
class OrderableItem:
    """One revision of an item."""

    revision: int
    kind: str
    name: str
    form: Mapping[str, Any]
    product_offering_id: str | None
    whole: Part


_PRODUCERS, _ENTITLEMENTS, _OFFERINGS = (
    table_of(model) for model in (RemoteRecordProducer, Entitlement, ProductOffering)
)
_RIGHT = (
    select(_PRODUCERS.c.id, _OFFERINGS.c.prices)
    .select_from(_PRODUCERS)
    .join(_ENTITLEMENTS, _ENTITLEMENTS.c.identity == _PRODUCERS.c.identity)
    .outerjoin(_OFFERINGS, _OFFERINGS.c.id == _PRODUCERS.c.product_offering_id)
    .where(
        _ENTITLEMENTS.c.connection_id == bindparam("connection_id"),
        _ENTITLEMENTS.c.entitled,
        _PRODUCERS.c.identity == bindparam("identity"),
        _PRODUCERS.c.revision == bindparam("revision"),
        _PRODUCERS.c.state.in_(_ORDERABLE),
        _PRODUCERS.c.kind != "inventory",
    )
)
_kept: dict[str, OrderableItem] = {}
"""By the id of the producer: a revision that was published never changes, nor do its specifications."""


def get_orderable_item(
    session: Session, connection_id: str, identity: str, revision: int
) -> tuple[OrderableItem, list[dict[str, Any]]]:
    """The revision that a request fills in, and the prices of its offering as they are now.

    Raises NotFound when the connection may not order it. A superseded revision can be ordered until it is archived or
    retired: the consumer may not have switched yet.
    """
    asked = {"connection_id": connection_id, "identity": identity, "revision": revision}
    row = session.connection().execute(_RIGHT, asked).first()
    if row is None:
        raise NotFound("catalog item", identity)
    if row.id not in _kept:
        if len(_kept) >= _KEPT_LIMIT:
            _kept.clear()
        _kept[row.id] = _read_item(session, row.id)
    return _kept[row.id], row.prices or []


def _read_item(session: Session, producer_id: str) -> OrderableItem:
    producer = session.get_one(RemoteRecordProducer, producer_id)
    root_id = str(producer.specification_id)  # whatever can be ordered has one
    return OrderableItem(
        revision=producer.revision,
        kind=producer.kind,
        name=producer.name,
        form=producer.form,
        product_offering_id=producer.product_offering_id,
        whole=_part(_read_specifications(session, root_id), root_id),
    )


def _part(specifications: Mapping[str, Specification], specification_id: str) -> Part:
    row = specifications[specification_id]
    children = {child["key"]: _part(specifications, child["specification_id"]) for child in row.children}
    return Part(row.id, row.name, children)


def _read_specifications(session: Session, root_id: str) -> Mapping[str, Specification]:
    """A specification and all it consists of, in one query per level, by id."""
    found: dict[str, Specification] = {}
    wanted = {root_id}
    for _ in range(_DEPTH_LIMIT):
        if not wanted:
            break
        rows = session.execute(select(Specification).where(Specification.id.in_(wanted))).scalars()
        level = {row.id: row for row in rows}
        found |= level
        wanted = {child["specification_id"] for row in level.values() for child in row.children} - found.keys()
    return found
