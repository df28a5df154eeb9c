"""What may a connection order, and what is an order of it made of? Asked for each request, so in one read."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Select, and_, bindparam, literal_column, select
from sqlalchemy.orm import Session

from bridge.models import table_of
from provider.domain.catalog import RemoteRecordProducerState
from provider.domain.errors import NotFound
from provider.models.catalog import Entitlement, ProductOffering, RemoteRecordProducer, Specification

_ORDERABLE = (RemoteRecordProducerState.PUBLISHED, RemoteRecordProducerState.INACTIVE)
_DEPTH_LIMIT = 16
_KEPT_LIMIT = 1000
Row = TypeVar("Row", ProductOffering, Specification)


Prices = Mapping[str | None, Sequence[Mapping[str, Any]]]
"""What offerings cost now, by their ids."""


@dataclass(frozen=True, slots=True)
class Part:
    """One specification of a composite, or one offering of a bundle: its ids and name, and what it holds, by key."""

    specification_id: str
    name: str
    children: Mapping[str, "Part"]
    product_offering_id: str | None = None


@dataclass(frozen=True, slots=True)
class OrderableItem:
    """One revision of an item."""

    revision: int
    kind: str
    name: str
    form: Mapping[str, Any]
    product_offering_id: str | None
    whole: Part | None
    """None for what needs no order."""
    member_ids: frozenset[str]
    """The offerings in a bundle, at any depth."""
    persona_ids: frozenset[str] = frozenset()
    """Of which whoever asks has to hold one; empty: anybody may."""


_PRODUCERS, _ENTITLEMENTS, _OFFERINGS = (
    table_of(model) for model in (RemoteRecordProducer, Entitlement, ProductOffering)
)
_ENTITLED = and_(
    _ENTITLEMENTS.c.connection_id == bindparam("connection_id"),
    _ENTITLEMENTS.c.identity == bindparam("identity"),
    _ENTITLEMENTS.c.entitled,
)
_MEANT = and_(
    _PRODUCERS.c.identity == _ENTITLEMENTS.c.identity,
    _PRODUCERS.c.revision == bindparam("revision"),
    # Written out: of a parameter SQLite prepares it anew each time, because the partial indexes depend on it.
    _PRODUCERS.c.state.in_([literal_column(f"'{state}'") for state in _ORDERABLE]),
    _PRODUCERS.c.kind != literal_column("'inventory'"),
)
_COLUMNS = (_PRODUCERS.c.id.label("producer_id"), _PRODUCERS.c.product_offering_id, _OFFERINGS.c.prices)
_PRICED = _OFFERINGS.c.id == _PRODUCERS.c.product_offering_id
_ASKED_FOR = (
    select(*_COLUMNS)
    .select_from(_PRODUCERS.outerjoin(_OFFERINGS, _PRICED))
    .where(
        _PRODUCERS.c.identity == bindparam("identity"),
        _PRODUCERS.c.revision == bindparam("revision"),
        _PRODUCERS.c.state != literal_column(f"'{RemoteRecordProducerState.DRAFT}'"),
    )
)
_MEMBER_PRICES = select(_OFFERINGS.c.id, _OFFERINGS.c.prices).where(
    _OFFERINGS.c.id.in_(bindparam("ids", expanding=True))
)
_kept: dict[str, OrderableItem] = {}
"""By the id of the producer: a revision that was published never changes, nor do its specifications."""


def with_right(query: Select[Any]) -> Select[Any]:
    """A query of one row asks in passing whether `connection_id` may order `revision` of the item `identity`, for
    `read_orderable_item`. A query of its own costs an order more than all else that is checked of it.
    """
    query = query.outerjoin(_ENTITLEMENTS, _ENTITLED).outerjoin(_PRODUCERS, _MEANT).outerjoin(_OFFERINGS, _PRICED)
    return query.add_columns(*_COLUMNS)


def get_item_asked_for(session: Session, identity: str, revision: int) -> tuple[OrderableItem, Prices]:
    """A revision that consumers had once, whoever may order it now: a request that is open goes on without the right.

    Raises NotFound.
    """
    asked = {"identity": identity, "revision": revision}
    return read_orderable_item(session, identity, session.connection().execute(_ASKED_FOR, asked).first())


def read_orderable_item(session: Session, identity: str, right: Any) -> tuple[OrderableItem, Prices]:
    """The revision that a request fills in, and the prices of its offerings as they are now, with what a query
    `with_right` found. A superseded revision can be ordered until it is archived or retired: the consumer may not have
    switched yet. Raises NotFound when the connection may not order it.
    """
    if right is None or right.producer_id is None:
        raise NotFound("catalog item", identity)
    if right.producer_id not in _kept:
        if len(_kept) >= _KEPT_LIMIT:
            _kept.clear()
        _kept[right.producer_id] = _read_item(session, right.producer_id)
    item, prices = _kept[right.producer_id], {right.product_offering_id: right.prices or []}
    if item.member_ids:  # only a bundle costs this statement
        rows = session.connection().execute(_MEMBER_PRICES, {"ids": sorted(item.member_ids)})
        prices |= {member.id: member.prices or [] for member in rows}
    return item, prices


def _read_item(session: Session, producer_id: str) -> OrderableItem:
    producer = session.get_one(RemoteRecordProducer, producer_id)
    root_id = producer.specification_id or ""  # what needs no order has none
    offerings = _read_offerings(session, producer.product_offering_id)
    roots = {root_id} if root_id else set()
    specifications = _read_specifications(session, roots | {row.specification_id for row in offerings.values()})
    offering = offerings.get(producer.product_offering_id or "")
    return OrderableItem(
        revision=producer.revision,
        kind=producer.kind,
        name=producer.name,
        form=producer.form,
        product_offering_id=producer.product_offering_id,
        whole=_whole(offerings, specifications, offering, root_id),
        member_ids=frozenset(offerings.keys() - {producer.product_offering_id}),
        persona_ids=frozenset(producer.persona_ids),
    )


def _whole(
    offerings: Mapping[str, ProductOffering], specifications: Mapping[str, Specification],
    offering: ProductOffering | None, root_id: str,
) -> Part | None:  # fmt: skip
    if offering is not None:
        return _offering(offerings, specifications, offering)
    return _part(specifications, root_id) if root_id else None


def _offering(
    offerings: Mapping[str, ProductOffering], specifications: Mapping[str, Specification], row: ProductOffering
) -> Part:
    whole = _part(specifications, row.specification_id)
    members = {one["key"]: _offering(offerings, specifications, offerings[one["offering_id"]]) for one in row.members}
    return Part(whole.specification_id, row.name, {**whole.children, **members}, row.id)


def _part(specifications: Mapping[str, Specification], specification_id: str) -> Part:
    row = specifications[specification_id]
    children = {child["key"]: _part(specifications, child["specification_id"]) for child in row.children}
    return Part(row.id, row.name, children)


def _read_offerings(session: Session, root_id: str | None) -> Mapping[str, ProductOffering]:
    """An offering and all it bundles, in one query per level, by id; nothing for what is no offering."""
    wanted = {root_id} if root_id else set()
    return _read_levels(session, ProductOffering, wanted, lambda row: {one["offering_id"] for one in row.members})


def _read_specifications(session: Session, wanted: set[str]) -> Mapping[str, Specification]:
    """Specifications and all they consist of."""
    return _read_levels(session, Specification, wanted, lambda row: {one["specification_id"] for one in row.children})


def _read_levels(
    session: Session, model: type[Row], wanted: Collection[str], below: Callable[[Row], set[str]]
) -> Mapping[str, Row]:
    found: dict[str, Row] = {}
    for _ in range(_DEPTH_LIMIT):
        if not wanted:
            break
        level = {row.id: row for row in session.scalars(select(model).where(model.id.in_(wanted)))}
        found |= level
        wanted = {id_ for row in level.values() for id_ in below(row)} - found.keys()
    return found
