"""What providers offer us, for whoever decides what people may order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session, defer

from bridge.models import Connection
from consumer_sim.models import CatalogItem, ProviderConnection
from consumer_sim.services.catalog import can_use
from consumer_sim.services.errors import NotFound

SORTS = ("state", "name", "provider", "category", "updated")
_REVISED = and_(CatalogItem.state == "active", CatalogItem.revision > CatalogItem.active_revision)
_KINDS: Mapping[str, ColumnElement[bool]] = {
    "pending_activation": CatalogItem.state == "pending_activation",
    "revised": _REVISED,
    "refused": CatalogItem.activation == "refused",
    "active": CatalogItem.state == "active",
    "inactive": CatalogItem.state == "inactive",
    "removed": CatalogItem.state == "removed",
}
KINDS = tuple(_KINDS)
"""Items by what is to be done with them: `revised` are active in an older revision than the newest offered, of
`refused` the provider did not take our last word."""
_PROVIDER = func.coalesce(ProviderConnection.provider_name, Connection.name)
_URGENCY = case(
    (CatalogItem.activation == "refused", 0),
    (CatalogItem.state == "pending_activation", 1),
    (_REVISED, 2),
    (CatalogItem.state == "active", 3),
    (CatalogItem.state == "inactive", 4),
    else_=5,
)


@dataclass(frozen=True, slots=True)
class Offered:
    """An item, who offers it, and whether a newer revision than the active one waits."""

    item: CatalogItem
    provider: str
    is_revised: bool

    @property
    def can_activate(self) -> bool:
        return self.is_spoken and (self.item.state in ("pending_activation", "inactive") or self.is_revised)

    @property
    def is_spoken(self) -> bool:
        """Whether we speak the version of the exchange that the newest revision asks for."""
        return can_use(self.item)

    @property
    def can_deactivate(self) -> bool:
        return self.item.state == "active"


def search_items(
    session: Session, *, text: str, kind: str | None, connection_id: str | None, sort: str, descending: bool,
    offset: int, limit: int,
) -> tuple[list[Offered], int]:  # fmt: skip
    """One page of all items, and how many there are. `sort` is one of `SORTS`: by state, what waits for us comes
    first. `kind` is one of `KINDS`.
    """
    wanted: list[ColumnElement[bool]] = []
    if text:
        told = (CatalogItem.name, CatalogItem.short_description, CatalogItem.category)
        wanted.append(or_(*(column.icontains(text, autoescape=True) for column in told)))
    if kind is not None and kind in _KINDS:
        wanted.append(_KINDS[kind])
    if connection_id:
        wanted.append(CatalogItem.connection_id == connection_id)
    total = session.scalar(select(func.count()).select_from(CatalogItem).where(*wanted)) or 0
    query = _offered().options(defer(CatalogItem.form), defer(CatalogItem.active_form)).where(*wanted)
    rows = session.execute(query.order_by(*_order(sort, descending)).offset(offset).limit(limit))
    return [Offered(item, provider, bool(is_revised)) for item, provider, is_revised in rows], total


def get_offered(session: Session, connection_id: str, item_id: str) -> Offered:
    """One item, with its forms. Raises NotFound."""
    wanted = (CatalogItem.connection_id == connection_id, CatalogItem.id == item_id)
    row = session.execute(_offered().where(*wanted)).first()
    if row is None:
        raise NotFound("item", item_id)
    return Offered(row[0], row[1], bool(row[2]))


def _offered() -> Select[CatalogItem, str, bool]:
    return (
        select(CatalogItem, _PROVIDER, _REVISED)
        .join(Connection, Connection.id == CatalogItem.connection_id)
        .outerjoin(ProviderConnection, ProviderConnection.connection_id == CatalogItem.connection_id)
    )


def list_offering_providers(session: Session) -> Sequence[tuple[str, str]]:
    """(connection id, name) of all that ever offered something."""
    query = (
        select(Connection.id, _PROVIDER)
        .outerjoin(ProviderConnection, ProviderConnection.connection_id == Connection.id)
        .where(Connection.id.in_(select(CatalogItem.connection_id)))
    )
    return [(row[0], row[1]) for row in session.execute(query.order_by(_PROVIDER, Connection.id))]


def count_items(session: Session) -> dict[str, int]:
    """How many items there are of each kind."""
    counted = [func.sum(case((condition, 1), else_=0)).label(kind) for kind, condition in _KINDS.items()]
    row = session.execute(select(*counted)).one()
    return {kind: int(count or 0) for kind, count in zip(KINDS, row, strict=True)}


def _order(sort: str, descending: bool) -> list[ColumnElement[Any]]:
    columns: dict[str, ColumnElement[Any]] = {
        "state": _URGENCY,
        "name": func.lower(CatalogItem.name),
        "provider": func.lower(_PROVIDER),
        "category": func.lower(CatalogItem.category),
        "updated": CatalogItem.updated_at.expression,
    }
    first = columns[sort]
    return [first.desc() if descending else first, func.lower(CatalogItem.name), CatalogItem.id.expression]
