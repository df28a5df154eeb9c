"""The bare endpoint: takes the JSON of a request, inserts the rows of an accepted one, answers the same JSON. No more.

It checks nothing: not who calls, not what is asked, not whether it came before. It takes no number from a counter,
follows no state table and asks no mapping; what those would have said is known when it starts. It shares with the real
endpoint what is no logic: gunicorn, Flask, the driver, the settings of the database, the tables with their indexes and
constraints. Its statements are built once, and rows of one table go in together.
"""

import json
from datetime import UTC, datetime
from typing import Any

import flask
from sqlalchemy import insert, select
from sqlalchemy.engine import Connection as Link

from bridge.database import Database
from bridge.ids import new_id
from bridge.models import Connection, Delivery, IdempotencyRecord, OutboxEvent, Stream, table_of
from bridge.vocabulary import EventType
from provider.domain.pricing import price_line
from provider.models.catalog import ProductOffering, RemoteRecordProducer
from provider.models.orders import CustomerOrder, OrderLine, OrderStateChange, ProviderTask
from sxg.settings import read_config

PREFIX = "BARE"
PATH = "/orders"

_HASH = "0" * 64
_STATES = ((None, "draft", "Draft"), ("draft", "submitted", "Submitted"), ("submitted", "new", "New"))
_KEPT = ("id", "number", "catalog_item_id")

_ORDER, _TASK, _LINE, _HISTORY, _ANSWER = (
    insert(table_of(model)) for model in (CustomerOrder, ProviderTask, OrderLine, OrderStateChange, IdempotencyRecord)
)
_EVENT = insert(table_of(OutboxEvent)).returning(OutboxEvent.id)
_STREAM = insert(table_of(Stream)).returning(Stream.id)
_DELIVERY = insert(table_of(Delivery))

Document = dict[str, Any]


def make_app() -> flask.Flask:
    """For gunicorn. The database holds a connection with the number prefix PREFIX, and an item."""
    database = Database(read_config("provider").database_url)
    with database.reading() as session:
        mine = select(Connection.id).where(Connection.number_prefix == PREFIX)
        connection_id = session.execute(mine).scalar_one()
        offered = select(RemoteRecordProducer, ProductOffering.prices).join(ProductOffering)
        rows = session.execute(offered.where(RemoteRecordProducer.state == "published"))
        items = {item.identity: (item, price_line(prices, 1)) for item, prices in rows}
    app = flask.Flask(__name__, static_folder=None)

    @app.get("/ready")
    def ready() -> Document:
        return {"status": "up"}

    @app.post(PATH)
    def order() -> tuple[Document, int]:
        asked = flask.request.get_json()
        with database.transaction() as session:
            answer = _insert(session.connection(), connection_id, *items[asked["catalog_item_id"]], asked)
        return answer, 201

    return app


def _insert(
    link: Link, connection_id: str, item: RemoteRecordProducer, prices: list[Document], asked: Document
) -> Document:
    now, order_id, digits = datetime.now(UTC), new_id(), asked["number"].removeprefix(f"{PREFIX}-PT")
    request = {name: value for name, value in asked.items() if name not in _KEPT}
    facts = _facts(asked, f"{PREFIX}{digits}")
    answer = request | facts[-1] | {name: asked[name] for name in ("catalog_item_id", "revision")}
    link.execute(_ORDER, {
        "id": order_id, "number": f"{PREFIX}{digits}", "category": item.kind, "connection_id": connection_id,
        "company": PREFIX, "state": "new", "saved_states": [], "version": 1, "ponr": False, "reason": None,
        "created_at": now, "updated_at": now, "row_version": 1,
    })  # fmt: skip
    link.execute(_TASK, {
        "id": new_id(), "connection_id": connection_id, "external_id": asked["id"], "number": asked["number"],
        "catalog_item_id": asked["catalog_item_id"], "catalog_item_revision": asked["catalog_item_revision"],
        "revision": asked["revision"], "fingerprint": _HASH, "request": request, "acceptance": answer,
        "order_id": order_id, "requested_by": asked["requested_by"],
        "opened_at": datetime.fromisoformat(asked["opened_at"]), "received_at": now,
    })  # fmt: skip
    link.execute(_LINE, {
        "id": new_id(), "number": f"{PREFIX}L{digits}", "order_id": order_id, "parent_line_id": None, "position": 1,
        "name": item.name, "product_offering_id": item.product_offering_id, "specification_id": item.specification_id,
        "action": "add", "quantity": asked["quantity"], "state": "new", "saved_states": [], "ponr": False,
        "characteristics": asked["characteristics"], "location": asked["location"], "contacts": asked["contacts"],
        "requested_on": asked["requested_on"], "prices": prices,
    })  # fmt: skip
    link.execute(_HISTORY, [
        {"order_id": order_id, "from_state": before, "to_state": state, "reason": None, "actor": PREFIX, "at": now}
        for before, state, _ in _STATES
    ])  # fmt: skip
    _insert_events(link, connection_id, f"provider_task/{asked['id']}", facts, now)
    link.execute(_ANSWER, {
        "connection_id": connection_id, "key": flask.request.headers["Idempotency-Key"], "fingerprint": _HASH,
        "status": 201, "body": json.dumps(answer), "created_at": now,
    })  # fmt: skip
    return answer


def _facts(asked: Document, order_number: str) -> list[Document]:
    """What is told of each state."""
    return [
        {
            "task_id": asked["id"], "number": asked["number"], "order_number": order_number, "order_state": state,
            "order_state_label": label, "order_version": 1, "ponr": False, "reason": None, "state": "received",
            "state_label": "Received",
        }
        for _, state, label in _STATES
    ]  # fmt: skip


def _insert_events(link: Link, connection_id: str, stream: str, facts: list[Document], now: datetime) -> None:
    kind = str(EventType.PROVIDER_TASK_STATE_CHANGED)
    event = {"type": kind, "stream": stream, "origin": None, "traceparent": None, "occurred_at": now}
    event_ids = link.execute(_EVENT, [event | {"data": json.dumps(fact)} for fact in facts]).scalars().all()
    stream_id = link.execute(_STREAM, {
        "connection_id": connection_id, "stream": stream, "next_sequence": len(facts) + 1, "head": 1, "due_at": now,
        "blocked_by": None, "failures": 0, "digest": bytes(32),
    }).scalar_one()  # fmt: skip
    head = {
        "specversion": "1.0", "id": new_id(), "source": PREFIX, "type": kind, "subject": stream,
        "time": now.isoformat(), "datacontenttype": "application/json", "stream": stream, "contenthash": _HASH,
    }  # fmt: skip
    link.execute(_DELIVERY, [
        {
            "stream_id": stream_id, "sequence": place, "id": new_id(), "connection_id": connection_id,
            "event_id": event_id, "target": None, "text": json.dumps(head | {"sequence": place, "data": fact}),
            "contenthash": _HASH, "state": "pending", "error": None,
        }
        for place, (event_id, fact) in enumerate(zip(sorted(event_ids), facts, strict=True), 1)
    ])  # fmt: skip
