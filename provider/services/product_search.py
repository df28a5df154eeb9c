"""Products for people: found by what they remember of one, and one with all that is known of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from provider.domain.errors import NotFound
from provider.domain.inventory import OperationState, ProductAction, ProductState, allowed_actions
from provider.models.catalog import Specification
from provider.models.inventory import InventoryOperation, Product
from provider.models.orders import CustomerOrder, ProviderTask
from provider.services.product_changes import products_data, show_history
from provider.services.slices import read_slice

Document = dict[str, Any]

_COLUMNS: Mapping[str, Any] = {
    "number": Product.number,
    "name": func.lower(Product.name),
    "company": CustomerOrder.company,
    "location": func.lower(func.coalesce(Product.location_name, "")),
    "state": Product.state,
    "order": CustomerOrder.number,
}
SORTABLE = tuple(_COLUMNS)
LOCATIONS_LIMIT = 300


def search_products(
    session: Session, *, text: str = "", company: str = "", state: str = "", location: str = "",
    sort: str = "number", descending: bool = False, offset: int = 0, limit: int = 25,
) -> tuple[list[Document], int]:  # fmt: skip
    """One page of the products that match, and how many match in all.

    `text` is part of a number, a name, an order or a location. `sort` is one of SORTABLE.
    """
    query = select(Product, CustomerOrder.company, CustomerOrder.number.label("order_number")).join(
        CustomerOrder, CustomerOrder.id == Product.order_id
    )
    query = query.where(*_conditions(text, company, state, location))
    key = _COLUMNS[sort]
    ordered = query.order_by(key.desc() if descending else key.asc(), Product.number)
    keys, total = read_slice(session, ordered.with_only_columns(Product.id), offset=offset, limit=limit)
    rows = session.execute(ordered.where(Product.id.in_([key[0] for key in keys])))
    return [_brief(product) | {"company": whose, "order_number": order} for product, whose, order in rows], total


def list_locations(session: Session) -> list[str]:
    """Where products are, at most LOCATIONS_LIMIT."""
    named = select(Product.location_name).where(Product.location_name.is_not(None)).distinct()
    return list(session.scalars(named.order_by(Product.location_name).limit(LOCATIONS_LIMIT)))


def show_product_detail(session: Session, number: str) -> Document:
    """A product with its owner, what it is part of, its parts, what is being done to it and its history.

    `named` tells what its characteristics are called, by their keys. Raises NotFound.
    """
    product = session.execute(select(Product).where(Product.number == number)).scalar_one_or_none()
    if product is None:
        raise NotFound("product", number)
    order = session.get_one(CustomerOrder, product.order_id)
    whole = session.get(Product, product.parent_id) if product.parent_id else None
    parts = session.scalars(select(Product).where(Product.parent_id == product.id).order_by(Product.number))
    specification = session.get_one(Specification, product.specification_id)
    return {
        **products_data(session, [product])[0],
        "company": order.company,
        "connection_id": product.connection_id,
        "allowed_actions": [str(action) for action in allowed_actions(ProductState(product.state))],
        "named": {one["key"]: one["name"] for one in specification.characteristics},
        "whole": _brief(whole) if whole else None,
        "parts": [_brief(part) for part in parts],
        "acting": _acting(session, product.id),
        "history": show_history(session, product.id),
    }


def operations_of_order(session: Session, order_id: str) -> dict[str, Document]:
    """What the lines of an order do to which products, by line id."""
    rows = session.execute(
        select(InventoryOperation, Product.number, Product.name, Product.state)
        .join(Product, Product.id == InventoryOperation.product_id)
        .where(InventoryOperation.order_id == order_id)
    )
    return {
        row.order_line_id: {
            "action": row.action,
            "action_label": ProductAction(row.action).label,
            "product_number": number,
            "product_name": name,
            "product_state": state,
            "product_state_label": ProductState(state).label,
            "state": row.state,
            "starts_at": row.starts_at,
            "ends_at": row.ends_at,
            "previous": row.previous,
        }
        for row, number, name, state in rows
    }


def _conditions(text: str, company: str, state: str, location: str) -> list[ColumnElement[bool]]:
    wanted: Sequence[tuple[Any, str]] = (
        (Product.state, state), (CustomerOrder.company, company), (Product.location_name, location),
    )  # fmt: skip
    found: list[ColumnElement[bool]] = [column == value for column, value in wanted if value]
    if text:
        columns = (Product.number, Product.name, CustomerOrder.number, Product.location_name)
        found.append(or_(*(column.icontains(text, autoescape=True) for column in columns)))
    return found


def _brief(product: Product) -> Document:
    return {
        "number": product.number,
        "name": product.name,
        "state": product.state,
        "state_label": ProductState(product.state).label,
        "location_name": product.location_name,
    }


def _acting(session: Session, product_id: str) -> Document | None:
    row = session.execute(
        select(InventoryOperation, ProviderTask.number, CustomerOrder.number.label("order_number"))
        .join(CustomerOrder, CustomerOrder.id == InventoryOperation.order_id)
        .join(ProviderTask, ProviderTask.order_id == InventoryOperation.order_id)
        .where(InventoryOperation.product_id == product_id, InventoryOperation.state == OperationState.SCHEDULED)
    ).first()
    if row is None:
        return None
    operation, task_number, order_number = row
    return {
        "action": operation.action,
        "action_label": ProductAction(operation.action).label,
        "task_number": task_number,
        "order_number": order_number,
        "starts_at": operation.starts_at,
        "ends_at": operation.ends_at,
    }
