"""Finding products among thousands, by where they are and what state they are in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from consumer_sim.models import CatalogItem, Product, ProviderConnection, ProviderTask
from consumer_sim.services.errors import NotFound

SORTS = ("location", "number", "name", "state", "order", "updated")
NOWHERE = "\u2013"
"""Stands for the location of products that have none."""
LOCATIONS_LIMIT = 300
_LOCATION = func.coalesce(Product.location_name, "")


@dataclass(frozen=True, slots=True)
class Owned:
    """A product, whose it is, and the number of the request it came of; empty for one that is not known here."""

    product: Product
    provider: str
    request_number: str | None


@dataclass(frozen=True, slots=True)
class Choices:
    """What products can be narrowed by: (value, label) each."""

    locations: Sequence[tuple[str, str]]
    states: Sequence[tuple[str, str]]


def search_products(
    session: Session, *, text: str, state: str | None, location: str | None, connection_id: str | None = None,
    sort: str, descending: bool, offset: int, limit: int,
) -> tuple[list[Owned], int]:  # fmt: skip
    """One page of the products, and how many there are. `sort` is one of `SORTS`; `location` may be `NOWHERE`."""
    wanted = _wanted(text, state, location)
    if connection_id:
        wanted.append(Product.connection_id == connection_id)
    total = session.scalar(select(func.count()).select_from(Product).where(*wanted)) or 0
    order = _order(sort, descending)
    # Sorted by their keys alone: characteristics are long.
    keys = select(Product.connection_id, Product.id).where(*wanted).order_by(*order)
    page = keys.offset(offset).limit(limit).subquery()
    here = and_(Product.connection_id == page.c.connection_id, Product.id == page.c.id)
    rows = session.execute(_products().join(page, here).order_by(*order))
    return [Owned(*row) for row in rows], total


def get_choices(session: Session) -> Choices:
    """The locations, at most `LOCATIONS_LIMIT`, and the states that products have."""
    locations = select(Product.location_name, func.count()).group_by(Product.location_name)
    rows = session.execute(locations.order_by(Product.location_name.asc().nulls_last()).limit(LOCATIONS_LIMIT))
    states = select(Product.state, func.max(Product.state_label)).group_by(Product.state).order_by(Product.state)
    return Choices(
        locations=[(name or NOWHERE, f"{name or 'Without a location'} ({count})") for name, count in rows],
        states=[(state, label) for state, label in session.execute(states)],
    )


def get_owned(session: Session, connection_id: str, product_id: str) -> tuple[Owned, dict[str, Any] | None]:
    """One product, and the form of its item, which knows what its characteristics are called. Raises NotFound."""
    query = (
        _products()
        .add_columns(CatalogItem.form)
        .outerjoin(
            CatalogItem,
            and_(CatalogItem.connection_id == Product.connection_id, CatalogItem.id == Product.catalog_item_id),
        )
        .where(Product.connection_id == connection_id, Product.id == product_id)
    )
    row = session.execute(query).first()
    if row is None:
        raise NotFound("product", product_id)
    product, provider, number, form = row
    return Owned(product, provider, number), form


def _products() -> Select[Product, str, str | None]:
    return (
        select(Product, func.coalesce(ProviderConnection.provider_name, ""), ProviderTask.number)
        .outerjoin(ProviderConnection, ProviderConnection.connection_id == Product.connection_id)
        .outerjoin(
            ProviderTask,
            and_(ProviderTask.connection_id == Product.connection_id, ProviderTask.id == Product.task_id),
        )
    )


def _wanted(text: str, state: str | None, location: str | None) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if text:
        told = (Product.number, Product.name, Product.order_number, Product.location_name)
        wanted.append(or_(*(column.icontains(text, autoescape=True) for column in told)))
    if state:
        wanted.append(Product.state == state)
    if location:
        wanted.append(Product.location_name.is_(None) if location == NOWHERE else Product.location_name == location)
    return wanted


def _order(sort: str, descending: bool) -> list[ColumnElement[Any]]:
    columns: dict[str, ColumnElement[Any]] = {
        "location": func.lower(_LOCATION),
        "number": Product.number.expression,
        "name": func.lower(Product.name),
        "state": func.lower(Product.state_label),
        "order": Product.order_number.expression,
        "updated": Product.updated_at.expression,
    }
    first = columns[sort]
    rest: list[ColumnElement[Any]] = [_LOCATION] if sort == "location" else []
    return [
        first.desc() if descending else first,
        *rest,
        func.lower(Product.name),
        Product.number.expression,
        Product.id.expression,
    ]
