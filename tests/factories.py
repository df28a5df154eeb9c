"""Plain functions that put a provider into the state a test wants: each takes what it needs and returns what it made."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier, Thread
from typing import Any
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge import outbox
from bridge.database import Database
from bridge.egress import AddressGuard
from bridge.identity import Identity, Keyring
from bridge.models import Connection, Delivery, Lease, OutboxEvent
from bridge.vocabulary import ConnectionState
from provider.migrations import upgrade
from provider.models.catalog import ProductOffering, RemoteRecordProducer
from provider.services.catalog_import import import_catalog
from provider.services.producers import publish_producer
from provider.services.registrations import Introduction, create_registration

# --- instances, connections, catalog

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
PROVIDER = Identity("7a1e4c62-58f7-4f6f-9f55-0f6f3f1f9b10", "northwind", "00000000-0000-4000-8000-000000000001")
LOOPBACK = AddressGuard(("127.0.0.0/8",))
DEMO_CATALOG = Path(__file__).parents[1] / "sxg" / "data" / "managed_service_provider.json"


@contextmanager
def provider_database(url: str, **info: Any) -> Iterator[Database]:
    """A migrated provider database."""
    upgrade(url)
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


def make_registration(session: Session, company: str = "ACME") -> tuple[str, str]:
    """The id and the token of a registration."""
    registration, token = create_registration(
        session, company=company, contact_name="Ada", contact_email="ada@acme.example", actor="user/ann", now=NOW
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


def import_small_catalog(session: Session) -> RemoteRecordProducer:
    """The draft producer of the one offering."""
    import_catalog(session, small_catalog(), NOW)
    return session.execute(select(RemoteRecordProducer)).scalar_one()


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
