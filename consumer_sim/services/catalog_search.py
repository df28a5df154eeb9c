"""What people find in the catalog: active items, with what keeps them from being ordered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, tuple_
from sqlalchemy.orm import Session, defer

from bridge.models import Connection
from bridge.vocabulary import ConnectionState
from consumer_sim.models import CatalogItem, ProviderConnection
from consumer_sim.services.errors import NotFound
from consumer_sim.services.personas import find_closed_items

SORTS = ("name", "category", "provider")


@dataclass(frozen=True, slots=True)
class Offer:
    """An item and who offers it. `obstacle` says why it cannot be ordered, if it cannot."""

    item: CatalogItem
    provider: str
    obstacle: str | None


@dataclass(frozen=True, slots=True)
class Shelves:
    """What the catalog can be narrowed by, and why it may be empty. `providers` are (connection id, name)."""

    categories: Sequence[str]
    providers: Sequence[tuple[str, str]]
    is_connected: bool
    pending: int


def search_catalog(
    session: Session, *, text: str, category: str | None, connection_id: str | None, sort: str, descending: bool,
    offset: int, limit: int, name: str | None = None,
) -> tuple[list[Offer], int]:  # fmt: skip
    """One page of the active items, and how many there are, without those that ask for personas which whoever has
    this `name` does not hold. `sort` is one of `SORTS`.
    """
    wanted: list[ColumnElement[bool]] = [CatalogItem.state == "active"]
    if name is not None and (closed := find_closed_items(session, name)):
        wanted.append(tuple_(CatalogItem.connection_id, CatalogItem.id).not_in(closed))
    if text:
        told = (CatalogItem.name, CatalogItem.short_description, CatalogItem.category)
        wanted.append(or_(*(column.icontains(text, autoescape=True) for column in told)))
    if category:
        wanted.append(CatalogItem.category == category)
    if connection_id:
        wanted.append(CatalogItem.connection_id == connection_id)
    total = session.scalar(select(func.count()).select_from(CatalogItem).where(*wanted)) or 0
    query = _offers().options(defer(CatalogItem.form), defer(CatalogItem.active_form)).where(*wanted)
    rows = session.execute(query.order_by(*_order(sort, descending)).offset(offset).limit(limit))
    return [Offer(item, provider, _obstacle(item, provider, state)) for item, provider, state in rows], total


def get_offer(session: Session, connection_id: str, item_id: str) -> Offer:
    """Raises NotFound. Also one that is not active here, or no longer offered: drafts of it can still be read."""
    query = _offers().where(CatalogItem.connection_id == connection_id, CatalogItem.id == item_id)
    row = session.execute(query).first()
    if row is None:
        raise NotFound("catalog item", item_id)
    item, provider, state = row
    return Offer(item, provider, _obstacle(item, provider, state))


def get_shelves(session: Session) -> Shelves:
    active = CatalogItem.state == "active"
    categories = select(CatalogItem.category).where(active, CatalogItem.category != "").distinct()
    providers = select(ProviderConnection.connection_id, ProviderConnection.provider_name).where(
        ProviderConnection.connection_id.in_(select(CatalogItem.connection_id).where(active))
    )
    pending = select(func.count()).select_from(CatalogItem).where(CatalogItem.state == "pending_activation")
    usable = select(Connection.id).where(Connection.state != ConnectionState.REVOKED).limit(1)
    return Shelves(
        categories=session.scalars(categories.order_by(CatalogItem.category)).all(),
        providers=[(str(row[0]), row[1] or "") for row in session.execute(providers.order_by("provider_name"))],
        is_connected=session.scalar(usable) is not None,
        pending=session.scalar(pending) or 0,
    )


def _offers() -> Select[CatalogItem, str, str]:
    provider = func.coalesce(ProviderConnection.provider_name, Connection.name)
    return (
        select(CatalogItem, provider, Connection.state)
        .join(Connection, Connection.id == CatalogItem.connection_id)
        .outerjoin(ProviderConnection, ProviderConnection.connection_id == CatalogItem.connection_id)
    )


def _order(sort: str, descending: bool) -> list[ColumnElement[Any]]:
    columns = {
        "name": func.lower(CatalogItem.name),
        "category": func.lower(CatalogItem.category),
        "provider": func.lower(func.coalesce(ProviderConnection.provider_name, Connection.name)),
    }
    first = columns[sort]
    return [first.desc() if descending else first, func.lower(CatalogItem.name), CatalogItem.id.expression]


def _obstacle(item: CatalogItem, provider: str, connection_state: str) -> str | None:
    """The first of these that holds."""
    obstacles = (
        (item.state == "removed", f"{provider} no longer offers it to you."),
        (item.state != "active", "It is not active here."),
        (item.kind == "inventory", "It lists what you have; nothing is ordered with it."),
        (connection_state == ConnectionState.REVOKED, f"The connection to {provider} has ended."),
        (connection_state == ConnectionState.PENDING, f"The connection to {provider} is not proven yet."),
        (not item.orderable, f"{provider} takes no orders for it at the moment."),
    )
    return next((words for is_so, words in obstacles if is_so), None)
