"""Both apps with at least one record of every kind, and for every write route a body that it accepts.

A route that is added without a row here fails the first test of `test_hostile_input.py`.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from bridge.attachments import AttachmentLimits
from bridge.database import Database
from bridge.files import Kept
from bridge.models import Connection, Delivery
from bridge.signing import new_secret
from bridge.vocabulary import ConnectionState
from consumer_sim import models as consumer_models
from provider.models.access import AccessToken, Credential
from provider.models.catalog import ProductOffering, Specification
from provider.models.criteria import HeldRemoval
from provider.models.inventory import Product
from provider.models.orders import CustomerOrder, OrderTask
from provider.services.attachments import attach_file
from provider.services.cancellations import cancel_order
from provider.services.intake import submit_provider_task
from provider.services.orders import approve_order, reject_order
from provider.services.tokens import new_token, token_hash
from tests import case_worlds, form_worlds, remote_worlds
from tests.api.provider_client import context_of, make_app, user_headers
from tests.choice_factories import CENTRES, ROUTERS, make_definition
from tests.consumer_factories import (
    ANSWERS,
    API_TOKEN,
    ASKED_BY,
    Consumer,
    connected_consumer,
    make_connection,
    product_changed,
    state_changed,
)  # fmt: skip
from tests.consumer_factories import make_item as make_consumer_item
from tests.contract_factories import PO_LINE, TERM, make_contract
from tests.factories import (
    AGENT,
    NOW,
    import_small_catalog,
    make_consumer,
    make_registration,
    make_request,
    make_router_item,
    small_catalog,
)
from tests.inventory_factories import bring, make_action, make_manage_inventory
from tests.persona_worlds import add_to_consumer, add_to_provider

Document = dict[str, Any]

API = ("/api/v1/", "/exchange/v1/")
CLOSE = "/exchange/v1/connection/close"
"""How its routes begin. The others are pages, and what programs of the installation read."""


@dataclass
class World:
    """An app with at least one record of every kind; `bodies` are what its write routes accept, by endpoint."""

    app: flask.Flask
    database: Database
    people: dict[str, str]
    peers: dict[str, str]
    ids: dict[str, str]
    bodies: dict[str, Document] = field(default_factory=dict)
    own_ids: dict[str, dict[str, str]] = field(default_factory=dict)
    leaving: dict[str, str] = field(default_factory=dict)
    """The headers of a consumer that only ends its connection."""
    _described: Document = field(default_factory=dict)

    def values(self, rule: Any) -> dict[str, str]:
        """The ids of a record that the route finds, by the names in its path."""
        known = self.ids | self.own_ids.get(endpoint_of(rule), {})
        noun = endpoint_of(rule).split(".")[0]
        return {name: known[name] if name in known else known[f"{noun}.{name}"] for name in rule.arguments}

    def path(self, rule: Any, **changes: str) -> str:
        path = rule.rule
        for name, value in (self.values(rule) | changes).items():
            path = path.replace(f"<uuid:{name}>", value).replace(f"<{name}>", value)
        return str(path)

    def call(self, method: str, path: str, **options: Any) -> TestResponse:
        known = self.peers if path.startswith("/exchange") else self.people
        known = self.leaving if path == CLOSE else known
        headers = known | {"Idempotency-Key": str(uuid4())} | options.pop("headers", {})
        return self.app.test_client().open(path, method=method, headers=headers, **options)

    def rules(self, *methods: str) -> list[tuple[str, Any]]:
        """Method and rule of every route of the API but the open ones."""
        return [
            (method, rule)
            for rule in self.app.url_map.iter_rules()
            for method in sorted((rule.methods or set()) & set(methods))
            if rule.rule.startswith(API)
        ]

    def documented(self, method: str, rule: Any) -> Document:
        if not self._described:
            self._described |= self.app.test_client().get("/openapi.json").get_json()["paths"]
        operation: Document = self._described.get(documented_path(rule), {}).get(method.lower(), {})
        return operation

    def needed(self, method: str, rule: Any) -> dict[str, str]:
        """What the route cannot do without in its query: the examples of its document."""
        asked = (one for one in self.documented(method, rule).get("parameters", ()) if one["in"] == "query")
        return {one["name"]: str(one["schema"]["example"]) for one in asked if one.get("required")}


def endpoint_of(rule: Any) -> str:
    """Noun and verb of a route of the API."""
    return str(rule.endpoint.removeprefix("api_"))


def documented_path(rule: Any) -> str:
    """A route as OpenAPI writes it."""
    return re.sub(r"<(?:\w+(?:\([^)]*\))?:)?(\w+)>", r"{\1}", str(rule.rule))


def make_provider(url: str, directory: Path) -> World:
    app = make_app(url, directory)
    database = context_of(app).database
    token = new_token("sxa_")
    orders: list[tuple[str, str]] = []
    with database.transaction() as session:
        producer = import_small_catalog(session)
        connection, other = make_consumer(session), make_consumer(session, "OTHER")
        paused = make_consumer(session, "PAUSED")
        paused.state = ConnectionState.PAUSED
        cared, leaving = make_consumer(session, "CARED"), make_consumer(session, "LEAVING")
        for one in (connection, cared, leaving):
            one.secrets = context_of(app).keyring.seal({"webhook": [new_secret(bytes(32))]})
            session.add(Credential(connection_id=one.id, client_secret_hash=token_hash(one.id)))
        cared.refused_epoch = str(uuid4())
        item = make_router_item(session, connection.id)
        for number in range(1, 7):
            request = make_request(item, number)
            task = submit_provider_task(session, connection.id, request, now=NOW)
            orders.append((request["id"], session.get_one(CustomerOrder, task.order_id).number))
        approve_order(session, orders[0][1], actor=AGENT, now=NOW)
        reject_order(session, orders[1][1], reason="No such street.", actor=AGENT, now=NOW)
        to_decide = [_assessed(session, connection.id, make_request(item, number)) for number in (8, 9)]
        make_manage_inventory(session, connection.id)
        owned_by = select(CustomerOrder.id).where(
            CustomerOrder.number == bring(session, connection.id, make_request(item, 7))
        )
        owned = session.scalars(select(Product).where(Product.order_id.in_(owned_by))).one()
        expires_at = NOW + timedelta(days=1)
        session.add(AccessToken(token_hash=token_hash(token), connection_id=connection.id, expires_at=expires_at))
        leaves = new_token("sxa_")
        session.add(AccessToken(token_hash=token_hash(leaves), connection_id=leaving.id, expires_at=expires_at))
        registration_id, registration_token = make_registration(session)
        parked = session.scalars(select(Delivery).where(Delivery.sequence == 1)).first()
        assert parked is not None
        session.execute(update(Delivery).where(Delivery.id == parked.id).values(state="parked"))
        held = HeldRemoval(
            id=str(uuid4()), identity=item.identity, state="held", connection_ids=[paused.id], entitled=1,
            created_at=NOW, updated_at=NOW,
        )  # fmt: skip
        session.add(held)
        attached = attach_file(
            session, orders[0][1], name="plan.pdf", media_type="application/pdf", kept=Kept("0" * 64, 5),
            author_name="Ann", limits=AttachmentLimits(), now=NOW,
        )  # fmt: skip
        refused = attach_file(
            session, orders[0][1], name="quote.pdf", media_type="application/pdf", kept=Kept("1" * 64, 5),
            author_name="Ann", limits=AttachmentLimits(), now=NOW,
        )  # fmt: skip
        refused.state, refused.problem = "refused", "Too large."
        chosen = make_definition(session)
        drafted, agreed = (make_contract(session, connection.id, is_active=signed) for signed in (False, True))
        persona_ids, persona_bodies, persona_own = add_to_provider(session, connection)
        remote_ids, remote_bodies, remote_own = remote_worlds.add_to_provider(session, connection)
        case_ids, case_bodies, case_own = case_worlds.add_to_provider(session, connection)
        _, form_bodies, form_own = form_worlds.add_to_provider(session)
        ids = (
            persona_ids
            | remote_ids
            | {
                "registration_id": registration_id,
                "connection_id": connection.id,
                "offering_id": session.scalars(select(ProductOffering.id)).first() or "",
                "specification_id": session.scalars(select(Specification.id)).first() or "",
                "identity": producer.identity,
                "revision": "1",
                "item_id": item.identity,
                "task_id": orders[0][0],
                "product_id": session.scalars(select(Product.id)).first() or "",
                "orders.number": orders[0][1],
                "attachments.number": orders[0][1],
                "products.number": owned.number,
                "order_tasks.number": session.scalars(select(OrderTask.number)).first() or "",
                "delivery_id": parked.id,
                "attachment_id": attached.id,
                "removal_id": held.id,
                "contracts.number": drafted.number,
                "choice_definitions.name": chosen.name,
                "choices.name": chosen.name,
            }
        )
        ids |= case_ids
    correction = make_request(item, revision=2)
    for name in ("id", "number", "catalog_item_id"):
        del correction[name]
    introduced = {
        "token": registration_token, "instance_id": str(uuid4()), "name": "Beta IT",
        "callback_url": "http://127.0.0.1:9/events", "number_prefix": "BETA", "version": "1.0",
    }  # fmt: skip
    comment = {"id": str(uuid4()), "text": "Hi", "author": {"name": "Ada"}, "created_at": "2026-11-21T09:00:00.000Z"}
    catalog = small_catalog(lifecycleStatus="In design")
    catalog["productSpecification"][0]["version"] = "2.0"
    del catalog["productOffering"]
    file = {
        "id": str(uuid4()), "name": "plan.pdf", "media_type": "application/pdf", "size_bytes": 5, "sha256": "2" * 64,
        "author": {"name": "Ada"}, "created_at": "2026-11-21T09:00:00.000Z",
    }  # fmt: skip
    bodies: dict[str, Document] = {
        "exchange_attachments.announce": file,
        "exchange_attachments.settle": {"state": "refused", "reason": "Too large."},
        "exchange.complete": introduced,
        "exchange.report_activation": {"state": "active", "revision": 1},
        "exchange_tasks.submit": make_request(item, 20),
        "exchange_tasks.add_comment": comment,
        "exchange_tasks.request_action": make_action("suspend", 30),
        "exchange_tasks.resubmit": correction,
        "exchange_tasks.cancel": {"reason": "No longer needed"},
        "registrations.create": {"company": "Beta", "contact_name": "Bob", "contact_email": "bob@beta.example"},
        "catalog.import_document": catalog,
        "producers.edit": {"name": "Better line", "compatibility": "1.0"},
        "producers.publish": {"criteria": {"connection_ids": [connection.id]}},
        "entitlements.preview": {"item": producer.identity, "criteria": {"connection_ids": [connection.id]}},
        "choice_definitions.create": ROUTERS,
        "choice_definitions.edit": {"description": "Ours", "columns": ["city", "floor"]},
        "choice_definitions.replace_rows": {"rows": CENTRES},
        "contracts.create": {"name": "Gold", "connection_id": connection.id, **TERM, "lines": [PO_LINE]},
        "contracts.edit": {"name": "Silver", **TERM},
        "contracts.cancel": {"reason": "Sold."},
        "orders.reject": {"reason": "No such street."},
        "orders.comment": {"text": "Which gate?"},
        "orders.note": {"text": "Ask the depot."},
        "order_tasks.move": {"to": "in_progress", "reason": "Now."},
        "orders.move": {"to": "on_hold", "reason": "Waits."},
        "orders.cancel": {"reason": "Asked by phone."},
        "orders.approve_cancellation": {"message": "As you wish."},
        "orders.decline_cancellation": {"reason": "It is built in."},
        "deliveries.skip": {"reason": "Agreed by phone."},
        "connections.change_settings": {"show_prices": True},
        "connections.pause": {"reason": "Maintenance"},
        "connections.revoke": {"reason": "Over"},
        "connections.rotate": {"secrets": ["webhook_secret"], "grace_s": 60.0},
        "connections.settle_epoch": {"accept": False},
        "connections.change_callback": {"callback_url": "http://127.0.0.1:9/theirs"},
        "connection_care.hear": {
            "every_s": 30.0,
            "round_trip_s": 0.1,
            "waiting": 0,
            "parked": 0,
            "oldest_s": 1.0,
            "p95_s": 0.1,
            "spoken": ["exchange.provider_task.comment_added", "exchange.product.changed"],
            "version": "1.1",
        },
        "connection_care.settle_streams": {
            "streams": [{"stream": "product/none", "sequence": 1, "digest": "0" * 64, "ids": [str(uuid4())]}]
        },
        "connection_care.find_unknown_calls": {"keys": [str(uuid4())]},
        "connection_care.close": {"reason": "Over"},
        "connection_care.change_callback": {"callback_url": "http://127.0.0.1:9/mine"},
        "connection_care.prove_ourselves": {"connection_id": connection.id, "nonce": "n" * 32},
    }
    bodies |= persona_bodies | case_bodies | remote_bodies | form_bodies
    own_ids = (
        persona_own
        | remote_own
        | {
            "exchange_tasks.resubmit": {"task_id": orders[1][0]},
            "attachments.retry": {"attachment_id": refused.id},
            "exchange_tasks.cancel": {"task_id": orders[2][0]},
            "exchange_tasks.request_action": {"product_id": owned.id},
            "orders.approve": {"number": orders[5][1]},
            "orders.reject": {"number": orders[3][1]},
            "orders.cancel": {"number": orders[4][1]},
            "orders.approve_cancellation": {"number": to_decide[0]},
            "orders.decline_cancellation": {"number": to_decide[1]},
            "contracts.cancel": {"number": agreed.number},
            "connections.pause": {"connection_id": other.id},
            "connections.resume": {"connection_id": paused.id},
            "connections.revoke": {"connection_id": other.id},
            **{
                f"connections.{name}": {"connection_id": cared.id}
                for name in ("rotate", "settle_epoch", "change_callback")
            },
        }
    )
    own_ids |= case_own | form_own
    people = user_headers(app, "admin")
    shown = app.test_client().get(f"/api/v1/connections/{connection.id}/mapping", headers=people).get_json()
    bodies = {name: {"tables": shown["tables"]} for name in ("mappings.dry_run", "mappings.change")} | bodies
    leaving_headers = {"Authorization": f"Bearer {leaves}"}
    return World(app, database, people, {"Authorization": f"Bearer {token}"}, ids, bodies, own_ids, leaving_headers)


def _assessed(session: Session, connection_id: str, request: Document) -> str:
    """The number of an order whose cancellation is to be decided."""
    accepted = submit_provider_task(session, connection_id, request, now=NOW)
    number = session.get_one(CustomerOrder, accepted.order_id).number
    approve_order(session, number, actor=AGENT, now=NOW)
    cancel_order(session, number, reason="Ordered twice", actor=AGENT, now=NOW)
    return number


def _cared_for(session: Session, one: Consumer) -> str:
    """Another connection, of which a copy was refused; our id of it."""
    connection_id, link_id = make_connection(session, one.context, prefix="OTHER")
    session.get_one(Connection, connection_id).refused_epoch = str(uuid4())
    return link_id


def make_consumer_world(one: Consumer) -> World:
    client = one.client
    with one.context.database.transaction() as session:
        item = make_consumer_item(session, one.connection_id)
        cared = _cared_for(session, one)
        persona_ids, persona_bodies, persona_own = add_to_consumer(session, one)
        remote_ids, remote_bodies, remote_own = remote_worlds.add_to_consumer(session, one)
    asked = {"catalog_item_id": item.id, "requested_by": ASKED_BY, **ANSWERS}
    first, refused = (client.post("/api/v1/requests", json=asked).get_json()["id"] for _ in range(2))
    draft_id = client.post("/api/v1/drafts", json=asked).get_json()["id"]
    one.verdicts([product_changed(product_id := str(uuid4()), 1, part=[]), state_changed(first, 1)])
    with one.context.database.transaction() as session:
        make_consumer_item(session, one.connection_id, kind="inventory", name="Manage Inventory", orderable=False)
        Task = consumer_models.ProviderTask
        session.execute(update(Task).where(Task.id == refused).values(submission="refused"))
    attached = client.post(
        f"/api/v1/requests/{first}/attachments", query_string={"name": "a.txt", "author_name": "Ada"}, data=b"x"
    ).get_json()["id"]
    full = {
        "location": {"name": "Berlin office", "city": "Berlin"},
        "contacts": [{"name": "Ada", "email": None}],
        "requested_on": "2026-12-01",
        "note": "Soon",
    }
    bodies = {
        "requests.submit": asked | full,
        "requests.add_comment": {"text": "Hi", "author_name": "Ada"},
        "products.request_action": {"action": "suspend", "requested_by": ASKED_BY, "note": "Soon"},
        "requests.cancel": {"reason": "No longer needed"},
        "requests.correct": {**ANSWERS, **full},
        "drafts.save": {"catalog_item_id": item.id, "requested_by": ASKED_BY, **full},  # answers wait for the submit
        "drafts.change": {"requested_by": ASKED_BY, **full},
        "connections.change_settings": {"auto_activate": True},
        "connections.connect": {"provider_url": "http://127.0.0.1:1", "token": "sxr_x", "number_prefix": "ACME"},
        "connections.rotate": {"secrets": ["webhook_secret"]},
        "connections.settle_epoch": {"accept": False},
        "connections.change_address": {"provider_url": "http://127.0.0.1:1"},
        "connections.revoke": {"reason": "Over"},
        "faults.set_fault": {
            "mode": "reject", "times": 1, "seconds": 1.5, "status": 500, "type": "x", "stream": "product/x",
        },
    }  # fmt: skip
    case_ids, case_bodies, case_own = case_worlds.add_to_consumer(one)
    bodies |= persona_bodies | case_bodies | remote_bodies
    own_ids = (
        persona_own
        | remote_own
        | {
            "requests.correct": {"task_id": refused},
            **{
                f"connections.{name}": {"link_id": cared}
                for name in ("revoke", "settle_epoch", "change_address", "rotate")
            },
        }
    )
    own_ids |= case_own
    ids = (
        persona_ids
        | remote_ids
        | {
            "item_id": item.id,
            "task_id": first,
            "product_id": product_id,
            "draft_id": draft_id,
            "link_id": one.callback_id,
            "callback_id": one.callback_id,
            "attachment_id": attached,
        }
    )
    ids |= case_ids
    people = {"Authorization": f"Bearer {API_TOKEN}"}
    return World(one.app, one.context.database, people, {}, ids, bodies, own_ids)


def make_worlds(directory: Path, url: Callable[[str], str]) -> Iterator[dict[str, World]]:
    provider = make_provider(url("provider"), directory)
    (directory / "consumer").mkdir()
    with connected_consumer(url("consumer"), directory / "consumer") as one:
        yield {"provider": provider, "consumer": make_consumer_world(one)}
    provider.database.close()
