"""What we have: the products that the provider delivered, as it last told."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, insert, select
from sqlalchemy.orm import Session

from bridge.envelope import Event
from bridge.inbox import Rejection
from bridge.models import table_of
from bridge.vocabulary import EventType
from consumer_sim.models import CatalogItem, Product, ProductStep, ProviderTask
from consumer_sim.services import fields, pages, writing
from consumer_sim.services.errors import ItemNotOrderable, NotFound


def _pairs(value: Any) -> str | None:
    if not isinstance(value, dict):
        return "is not an object"
    return next((wrong for wrong in map(fields.pair_of(lambda _: None), value.values()) if wrong), None)


_CAUSE = fields.members(
    {
        "action": fields.text(20),
        "task_id": fields.uuid,
        "order_number": fields.text(40),
        "changed": fields.or_null(
            fields.members(
                {
                    "characteristics": fields.or_null(_pairs),
                    "location": fields.or_null(fields.pair_of(fields.or_null(fields.document))),
                }
            )
        ),
    }
)
_RULES: Mapping[str, fields.Rules] = {
    EventType.PRODUCT_CHANGED: {
        "product_id": fields.uuid,
        "number": fields.text(40),
        "name": fields.text(255),
        "state": fields.text(40),
        "state_label": fields.text(255),
        "task_id": fields.uuid,
        "order_number": fields.text(40),
        "line_number": fields.text(40),
        "characteristics": fields.document,
        "location": fields.or_null(fields.document),
        "catalog_item_id": fields.or_null(fields.uuid),
        "parent_id": fields.or_null(fields.uuid),
        "part": fields.or_null(fields.texts(16, 255)),
        "resumes_at": fields.or_null(fields.time),
        "changed_by": fields.or_null(_CAUSE),
    }
}
_RECORD: Mapping[str, str] = {EventType.PRODUCT_CHANGED: "product_id"}
_ADD_STEPS = insert(table_of(ProductStep))
_TOLD = tuple(name for name in _RULES[EventType.PRODUCT_CHANGED] if name != "product_id")


class ProductHandler:
    """Keeps each product as the last event of the batch tells it, and every step of its way, in two statements."""

    def check(self, session: Session, connection_id: str, events: Sequence[Event]) -> Mapping[str, Rejection]:
        return fields.rejections(events, _RULES, _RECORD)

    def apply(self, session: Session, connection_id: str, events: Sequence[Event], now: datetime) -> None:
        last: dict[str, dict[str, Any]] = {}
        for event in events:
            last[event.data["product_id"]] = last.get(event.data["product_id"], {}) | _row(
                connection_id, event.data, now
            )
        rows = [last[product_id] for product_id in sorted(last)]
        writing.upsert(session, Product, rows, (*_TOLD, "location_name", "updated_at"))
        session.connection().execute(_ADD_STEPS, [_step(connection_id, event, now) for event in events])


def get_history(session: Session, product: Product) -> list[tuple[ProductStep, str | None]]:
    """Each step that was told, oldest first, with the number of the request it came of, where we know that."""
    steps = session.scalars(
        select(ProductStep)
        .where(ProductStep.connection_id == product.connection_id, ProductStep.product_id == product.id)
        .order_by(ProductStep.sequence)
    ).all()
    causes = {(step.changed_by or {}).get("task_id") for step in steps} - {None}
    numbers = select(ProviderTask.id, ProviderTask.number).where(
        ProviderTask.connection_id == product.connection_id, ProviderTask.id.in_(causes)
    )
    known = {row.id: row.number for row in session.execute(numbers)}
    return [(step, known.get((step.changed_by or {}).get("task_id", ""))) for step in steps]


def get_product(session: Session, product_id: str) -> Product:
    """Raises NotFound."""
    product = session.scalars(select(Product).where(Product.id == product_id).order_by(Product.connection_id)).first()
    if product is None:
        raise NotFound("product", product_id)
    return product


def list_products(
    session: Session, *, location: str | None, state: str | None = None, after: str | None, limit: int,
    item: CatalogItem | None = None,
) -> tuple[list[Product], str | None]:  # fmt: skip
    """The products we have, or only those at one location or in one state. An item lists those that came of it, Manage
    Inventory all those of its provider. Raises ItemNotOrderable for an item that is not active here.
    """
    query = select(Product)
    if item is not None:
        query = query.where(*_listed_by(item))
    if location is not None:
        query = query.where(Product.location_name == location)
    if state is not None:
        query = query.where(Product.state == state)
    return pages.read_page(session, query, Product.id, after=after, limit=limit)


def _listed_by(item: CatalogItem) -> list[ColumnElement[bool]]:
    if item.state != "active":
        raise ItemNotOrderable(item.id, "is not active here")
    own = [Product.connection_id == item.connection_id]
    return own if item.kind == "inventory" else [*own, Product.catalog_item_id == item.id]


def _row(connection_id: str, data: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    told = {name: data[name] for name in _TOLD if name in data}  # what an event does not speak of stays as it was
    if "resumes_at" in told:
        told["resumes_at"] = fields.parse_time(told["resumes_at"]) if told["resumes_at"] else None
    if "location" in told:
        name = (told["location"] or {}).get("name")
        told["location_name"] = name[:255] if isinstance(name, str) else None
    return told | {"connection_id": connection_id, "id": data["product_id"], "updated_at": now}


def _step(connection_id: str, event: Event, now: datetime) -> dict[str, Any]:
    data = event.data
    return {
        "connection_id": connection_id,
        "product_id": data["product_id"],
        "sequence": event.sequence,
        "state": data["state"],
        "state_label": data["state_label"],
        "changed_by": data.get("changed_by"),
        "at": fields.parse_time(event.time) or now,
    }
