"""Plain functions that put a provider into the state a test wants: each takes what it needs, returns what it made."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier, Thread
from typing import Any
from uuid import uuid4

from sqlalchemy import event, select
from sqlalchemy.orm import Session

from bridge import outbox
from bridge.database import Database
from bridge.egress import AddressGuard
from bridge.identity import Identity, Keyring
from bridge.mapping import Expectation, Tables, load_tables
from bridge.models import Connection, Delivery, Lease, OutboxEvent, table_of
from bridge.vocabulary import ConnectionState, EventType
from provider.domain.catalog import build_form
from provider.domain.orders import OrderState
from provider.domain.provider_tasks import ProviderTaskState
from provider.migrations import upgrade
from provider.models.catalog import Entitlement, ProductOffering, RemoteRecordProducer, Specification
from provider.models.inventory import Product
from provider.models.orders import CustomerOrder
from provider.services.catalog import load_specification
from provider.services.catalog_import import import_catalog
from provider.services.intake import submit_provider_task
from provider.services.order_locks import LockedOrder, lock_order
from provider.services.orderable import read_orderable_item, with_right
from provider.services.orders import approve_order
from provider.services.producers import publish_producer
from provider.services.registrations import Introduction, create_registration
from tests.templates import prepare

# --- instances, connections, catalog

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
PROVIDER = Identity("7a1e4c62-58f7-4f6f-9f55-0f6f3f1f9b10", "northwind", "00000000-0000-4000-8000-000000000001")
LOOPBACK = AddressGuard(("127.0.0.0/8",))
DEMO_CATALOG = Path(__file__).parents[1] / "sxg" / "data" / "managed_service_provider.json"


@contextmanager
def provider_database(url: str, **info: Any) -> Iterator[Database]:
    """A migrated provider database."""
    prepare(url, upgrade)
    database = Database(url, info={"outbox": outbox.Rendering(PROVIDER.source), **info})
    try:
        yield database
    finally:
        database.close()


def make_keyring(directory: Path) -> Keyring:
    return Keyring.load(directory / "provider")


def make_connection(session: Session, *, name: str = "ACME IT", state: str = ConnectionState.ACTIVE) -> Connection:
    """A connection without credentials, for tests that do not call over HTTP."""
    connection = Connection(
        id=str(uuid4()),
        name=name,
        state=state,
        peer_url="https://acme.example/exchange/events",
        number_prefix=None,
        settings={},
        created_at=NOW,
    )
    session.add(connection)
    session.flush()
    session.add(Lease(connection_id=connection.id))
    session.flush()
    return connection


def make_registration(session: Session, company: str = "ACME", **urls: str) -> tuple[str, str]:
    """The id and the token of a registration; `base_url` and `callback_url` may be given."""
    contact = {"contact_name": "Ada", "contact_email": "ada@acme.example"}
    registration, token = create_registration(
        session, LOOPBACK, company=company, **contact, **urls, actor="user/ann", now=NOW
    )
    return registration.id, token


def introduction(**changes: str) -> Introduction:
    """What a consumer says of itself; each call is another instance unless `instance_id` is given."""
    said = {
        "instance_id": str(uuid4()),
        "name": "ACME IT",
        "callback_url": f"https://acme.example/{uuid4()}",
        "number_prefix": "ACME",
        "version": "1.0",
    }
    return Introduction(**{**said, **changes})


def small_catalog(**specification: Any) -> dict[str, Any]:
    """One sellable offering of one specification, and a service of each type. Keywords change the specification."""
    return {
        "productSpecification": [
            {
                "id": "ps-line",
                "name": "Line",
                "version": "1.0",
                "description": "A line. Really.",
                "lifecycleStatus": "Active",
                "productSpecCharacteristic": [
                    {
                        "name": "Bandwidth",
                        "valueType": "string",
                        "configurable": True,
                        "minCardinality": 1,
                        "maxCardinality": 1,
                        "productSpecCharacteristicValue": [{"value": "50"}, {"value": "100", "isDefault": True}],
                    }
                ],
                **specification,
            }
        ],
        "productOffering": [
            {
                "id": "po-line",
                "name": "Business Line",
                "version": "1.0",
                "description": "A line for businesses. With a price.",
                "lifecycleStatus": "Active",
                "isSellable": True,
                "channel": [{"id": "service_exchange"}],
                "category": [{"name": "Networking"}],
                "productSpecification": {"id": "ps-line"},
                "productOfferingPrice": [{"id": "pop-line"}],
            }
        ],
        "productOfferingPrice": [
            {"id": "pop-line", "name": "Monthly", "priceType": "recurring", "price": {"unit": "EUR", "value": "49.90"}}
        ],
    }


def demo_catalog() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(DEMO_CATALOG.read_text())
    return document


def import_small_catalog(session: Session, **specification: Any) -> RemoteRecordProducer:
    """The draft producer of the one offering."""
    import_catalog(session, small_catalog(**specification), NOW)
    return session.execute(select(RemoteRecordProducer).where(RemoteRecordProducer.kind == "product")).scalar_one()


def publish_to_all(session: Session, offering: str = "po-line") -> RemoteRecordProducer:
    """Publish the newest item of an offering, by its external id, to all consumers."""
    query = (
        select(RemoteRecordProducer.identity)
        .join(ProductOffering, RemoteRecordProducer.product_offering_id == ProductOffering.id)
        .where(ProductOffering.external_id == offering)
        .limit(1)
    )
    identity = session.execute(query).scalar_one()
    return publish_producer(session, identity, {"all_consumers": True}, "user/ann", NOW)


def events_of(session: Session, connection_id: str) -> list[tuple[str, str, dict[str, Any]]]:
    """What was recorded for a connection, oldest first: type, stream, data before mapping."""
    rows = session.execute(
        select(OutboxEvent.type, OutboxEvent.stream, OutboxEvent.data)
        .join(Delivery, Delivery.event_id == OutboxEvent.id)
        .where(Delivery.connection_id == connection_id)
        .order_by(OutboxEvent.id, Delivery.sequence)
    )
    return [(type_, stream, json.loads(data)) for type_, stream, data in rows]


def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run the calls in threads that start together; results in their order, exceptions as values."""
    barrier, results = Barrier(len(calls)), [None] * len(calls)

    def run(index: int, call: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            results[index] = call()
        except Exception as error:  # noqa: BLE001 - handed to the test's own thread
            results[index] = error  # type: ignore[call-overload]

    threads = [Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


# --- orders

AGENT = "user/ann"
TWO_TASKS = (
    {"key": "build", "name": "Build", "depends_on": [], "point_of_no_return": False},
    {"key": "ship", "name": "Ship", "depends_on": ["build"], "point_of_no_return": True},
)


@contextmanager
def exchange_database(url: str) -> Iterator[Database]:
    """A provider database whose events are mapped by the tables of `mappings/`."""
    with provider_database(url, outbox=outbox.Rendering(PROVIDER.source, tables={None: mapping_tables()})) as database:
        yield database


def mapping_tables() -> Tables:
    expectation = Expectation("order_state", set(OrderState), set(ProviderTaskState))
    expected = {EventType.PROVIDER_TASK_STATE_CHANGED: expectation}
    return load_tables(Path(__file__).parents[1] / "mappings", expected=expected)


def make_specification(session: Session, name: str, **columns: Any) -> Specification:
    """A published product specification; `task_templates`, `children` and the like as keywords."""
    row = {"kind": "product", "lifecycle_state": "published", "version": "1.0", "description": "", "channels": []}
    row |= {"characteristics": [], "children": [], "task_templates": [], **columns}
    specification = Specification(id=str(uuid4()), external_id=str(uuid4()), name=name, **row)
    session.add(specification)
    session.flush()
    return specification


def as_part(specification: Specification, key: str, **columns: Any) -> dict[str, Any]:
    """A specification as a child of another."""
    row = {"mandatory": True, "default_selected": True, "min_quantity": 1, "max_quantity": 10, **columns}
    return {"specification_id": specification.id, "key": key, **row}


def make_item(session: Session, specification: Specification, *connection_ids: str) -> RemoteRecordProducer:
    """A published catalog item that the connections may order; an offering's, or a service's."""
    offering = ProductOffering(
        id=str(uuid4()), external_id=str(uuid4()), version="1.0", name=specification.name, description="", category="",
        specification_id=specification.id, sellable=True, channels=[], prices=[], lifecycle_state="published",
    )  # fmt: skip
    if specification.kind == "product":
        session.add(offering)
        session.flush()
    producer = RemoteRecordProducer(
        id=str(uuid4()),
        identity=str(uuid4()),
        revision=1,
        state="published",
        kind=specification.kind,
        name=f"{specification.name} item",
        short_description="",
        category="",
        product_offering_id=offering.id if specification.kind == "product" else None,
        specification_id=specification.id,
        form=build_form(load_specification(session, specification.id)),
        criteria={"all_consumers": True},
        published_at=NOW,
    )
    session.add(producer)
    session.flush()
    for connection_id in connection_ids:
        entitlement = Entitlement(
            connection_id=connection_id, identity=producer.identity, entitled=True, revision=1,
            consumer_state="active", active_revision=1, updated_at=NOW,
        )  # fmt: skip
        session.add(entitlement)
    session.flush()
    return producer


def make_consumer(session: Session, prefix: str = "ACME") -> Connection:
    """An active connection with a number prefix."""
    connection = make_connection(session, name=f"{prefix} Ltd")
    connection.number_prefix = prefix
    session.flush()
    return connection


def get_orderable_item(session: Session, connection_id: str, identity: str, revision: int) -> Any:
    """As an order finds it, with its prices. Raises NotFound when the connection may not order it."""
    connections = table_of(Connection)
    query = with_right(select(connections.c.id).select_from(connections).where(connections.c.id == connection_id))
    asked = {"connection_id": connection_id, "identity": identity, "revision": revision}
    return read_orderable_item(session, identity, session.execute(query, asked).first())


def make_router_item(session: Session, connection_id: str, **columns: Any) -> RemoteRecordProducer:
    """One thing with one characteristic, made by two tasks of which the second is the point of no return."""
    characteristic = {
        "key": "bandwidth", "name": "Bandwidth", "type": "choice", "mandatory": True, "default": None,
        "options": [{"value": "50", "label": "50 Mbit/s"}, {"value": "100", "label": "100 Mbit/s"}],
        "min_cardinality": 0, "max_cardinality": None, "description": "", "configurable": True,
    }  # fmt: skip
    columns = {"characteristics": [characteristic], "task_templates": list(TWO_TASKS), **columns}
    return make_item(session, make_specification(session, "Router", **columns), connection_id)


def make_request(item: RemoteRecordProducer, number: int = 1, prefix: str = "ACME", **changes: Any) -> dict[str, Any]:
    """A request as `docs/wire.md` 4.1 describes it."""
    return {
        "id": str(uuid4()),
        "number": f"{prefix}-PT{number:07d}",
        "revision": 1,
        "catalog_item_id": item.identity,
        "catalog_item_revision": item.revision,
        "quantity": 1,
        "characteristics": {"bandwidth": "100"} if item.form["variables"] else {},
        "parts": {},
        "location": {"name": "Berlin office", "city": "Berlin", "country": "DE"},
        "contacts": [{"name": "Ada", "email": "ada@acme.example", "phone": None}],
        "requested_on": "2026-12-01",
        "note": "Deliver before noon",
        "requested_by": {"name": "Ada Lovelace", "email": "ada@acme.example"},
        "opened_at": "2026-11-21T09:00:00.000Z",
        **changes,
    }


@dataclass
class Ordered:
    """A submitted request, with what tests need to go on."""

    connection_id: str
    request: dict[str, Any]
    task_id: str
    order_number: str


def make_order(
    database: Database, *, approved: bool = False, prefix: str = "ACME", number: int = 1, columns: Any = None,
    **changes: Any,
) -> Ordered:  # fmt: skip
    """A consumer of its own with an order for a router, New or In progress."""
    with database.transaction() as session:
        connection = make_consumer(session, prefix)
        item = make_router_item(session, connection.id, **(columns or {}))
        request = make_request(item, number, prefix, **changes)
        task = submit_provider_task(session, connection.id, request, now=NOW)
        order = session.get_one(CustomerOrder, task.order_id)
        if approved:
            approve_order(session, order.number, actor=AGENT, now=NOW)
    return Ordered(connection.id, request, request["id"], order.number)


def read_order(database: Database, number: str) -> LockedOrder:
    """An order with its lines and tasks, as it stands now."""
    with database.transaction() as session:
        return lock_order(session, number)


def products_of(database: Database, number: str) -> list[Product]:
    with database.reading() as session:
        query = select(Product).join(CustomerOrder, CustomerOrder.id == Product.order_id)
        return list(session.execute(query.where(CustomerOrder.number == number).order_by(Product.number)).scalars())


def states_sent(database: Database, connection_id: str) -> list[str]:
    """The order states that a connection was told, oldest first."""
    with database.reading() as session:
        events = events_of(session, connection_id)
    return [data["order_state"] for type_, _, data in events if type_ == EventType.PROVIDER_TASK_STATE_CHANGED]


@contextmanager
def count_selects(database: Database, ignoring: str = "FROM connections") -> Iterator[list[str]]:
    """The SELECT statements run meanwhile, except those that hold `ignoring`."""
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().upper().startswith("SELECT") and ignoring not in " ".join(statement.split()):
            seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
