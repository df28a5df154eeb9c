"""Plain functions that give consumers products, and ask for things to be done with them."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.database import Database
from provider.models.catalog import Entitlement, RemoteRecordProducer
from provider.models.inventory import Product
from provider.models.orders import CustomerOrder, OrderTask
from provider.services.intake import submit_provider_task
from provider.services.inventory_actions import request_action
from provider.services.order_tasks import complete_task
from provider.services.orders import approve_order
from tests.factories import (
    AGENT,
    NOW,
    as_part,
    make_consumer,
    make_item,
    make_request,
    make_router_item,
    make_specification,
)

Document = dict[str, Any]


def make_manage_inventory(session: Session, *connection_ids: str) -> RemoteRecordProducer:
    """The item by which these connections manage what they have."""
    drafted = session.scalars(select(RemoteRecordProducer).where(RemoteRecordProducer.kind == "inventory")).first()
    producer = drafted or RemoteRecordProducer(
        id=str(uuid4()), identity=str(uuid4()), revision=1, state="published", kind="inventory",
        name="Manage Inventory", short_description="", category="Inventory", form={"variables": [], "parts": []},
        criteria={"all_consumers": True}, published_at=NOW,
    )  # fmt: skip
    producer.state, producer.criteria, producer.published_at = "published", {"all_consumers": True}, NOW
    session.add(producer)
    session.flush()
    entitle(session, producer, *connection_ids)
    return producer


def entitle(session: Session, producer: RemoteRecordProducer, *connection_ids: str) -> None:
    for connection_id in connection_ids:
        entitlement = Entitlement(
            connection_id=connection_id, identity=producer.identity, entitled=True, revision=1,
            consumer_state="active", active_revision=1, updated_at=NOW,
        )  # fmt: skip
        session.add(entitlement)
    session.flush()


def make_owner(database: Database, prefix: str = "ACME") -> str:
    """The connection of a consumer who has one active router, and may manage it."""
    with database.transaction() as session:
        connection_id = make_consumer(session, prefix).id
        make_manage_inventory(session, connection_id)
        item = make_router_item(session, connection_id)
        bring(session, connection_id, make_request(item, 1, prefix))
    return connection_id


def make_package_owner(database: Database) -> str:
    """As `make_owner`: a package of two edges with a fan each, all of them active."""
    with database.transaction() as session:
        connection_id = make_consumer(session).id
        make_manage_inventory(session, connection_id)
        fan = as_part(make_specification(session, "Fan"), "fan")
        edge = as_part(make_specification(session, "Edge", children=[fan]), "edge")
        item = make_item(session, make_specification(session, "Package", children=[edge]), connection_id)
        bring(session, connection_id, make_request(item, parts={"edge": {"quantity": 2}}))
    return connection_id


def bring(session: Session, connection_id: str, request: Document) -> str:
    """Order it, approve it and do all the work; the number of the order."""
    task = submit_provider_task(session, connection_id, request, now=NOW)
    number = session.get_one(CustomerOrder, task.order_id).number
    approve_order(session, number, actor=AGENT, now=NOW)
    work(session, number)
    return number


def work(session: Session, order_number: str, now: datetime = NOW) -> None:
    """Close all tasks of an order as they open."""
    mine = select(OrderTask.number).join(CustomerOrder, CustomerOrder.id == OrderTask.order_id)
    mine = mine.where(CustomerOrder.number == order_number, OrderTask.state == "open").order_by(OrderTask.number)
    while number := session.scalars(mine.limit(1)).first():
        complete_task(session, number, actor=AGENT, now=now)


def make_action(action: str, number: int = 2, prefix: str = "ACME", **changes: Any) -> Document:
    """A request as `docs/wire.md` 4.3 describes it."""
    return {
        "id": str(uuid4()),
        "number": f"{prefix}-PT{number:07d}",
        "revision": 1,
        "action": action,
        "requested_by": {"name": "Ada Lovelace", "email": "ada@acme.example"},
        "opened_at": "2026-11-21T09:00:00.000Z",
        **changes,
    }


def ask(database: Database, connection_id: str, product: Product, request: Document, now: datetime = NOW) -> str:
    """Ask for it; the number of its order."""
    with database.transaction() as session:
        order_id = request_action(session, connection_id, product.id, request, now=now).order_id
        return session.get_one(CustomerOrder, order_id).number


def carry_out(database: Database, order_number: str, now: datetime = NOW) -> None:
    """Approve an order and do all its work."""
    with database.transaction() as session:
        approve_order(session, order_number, actor=AGENT, now=now)
    with database.transaction() as session:
        work(session, order_number, now)


def all_products(database: Database) -> list[Product]:
    with database.reading() as session:
        return list(session.scalars(select(Product).order_by(Product.number)))


def states(database: Database) -> dict[str, str]:
    """The state of each product by its number, without what all numbers begin with."""
    return {product.number.removeprefix("PRD000000"): product.state for product in all_products(database)}
