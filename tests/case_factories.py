"""Plain functions that make provider tasks without an order."""

from typing import Any
from uuid import uuid4

from sqlalchemy.orm import Session

from bridge.database import Database
from provider.models.catalog import Entitlement, RemoteRecordProducer
from provider.services.intake import submit_provider_task
from tests.factories import NOW, make_consumer, make_request

FORM: dict[str, Any] = {
    "variables": [
        {
            "key": "symptom", "label": "What do you see?", "type": "text", "mandatory": True, "default": None,
            "options": [], "min_cardinality": 1, "max_cardinality": None, "description": "",
        }
    ],
    "parts": [],
}  # fmt: skip


def make_authored_item(session: Session, *connection_ids: str, name: str = "Report a fault") -> RemoteRecordProducer:
    """A published item whose requests need no order."""
    producer = RemoteRecordProducer(
        id=str(uuid4()), identity=str(uuid4()), revision=1, state="published", kind="task", name=name,
        short_description="", category="", form=FORM, criteria={"all_consumers": True}, published_at=NOW,
    )  # fmt: skip
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


def fault_report(item: RemoteRecordProducer, number: int = 1, **changes: Any) -> dict[str, Any]:
    """A request for the item, as `docs/wire.md` 4.1 describes it."""
    asked = make_request(item, number, characteristics={"symptom": "No light"}, note="Since this morning")
    for name in ("quantity", "parts", "location", "contacts", "requested_on"):
        del asked[name]
    return asked | changes


def make_case(database: Database, prefix: str = "ACME") -> tuple[str, str, str]:
    """A consumer of its own with a request that needs no order: connection, the task's id and number."""
    with database.transaction() as session:
        connection = make_consumer(session, prefix)
        item = make_authored_item(session, connection.id)
        request = fault_report(item, number=1) | {"number": f"{prefix}-PT0000001"}
        submit_provider_task(session, connection.id, request, now=NOW)
    return connection.id, request["id"], request["number"]
