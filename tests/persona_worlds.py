"""What the worlds of `tests/api/worlds.py` hold of personas, authorised users, item settings and approvals."""

from typing import Any
from uuid import uuid4

from sqlalchemy.orm import Session

from bridge.models import Connection
from consumer_sim.models_personas import Persona
from consumer_sim.services import authorised_users, groups, item_settings, requests, users
from provider.services.authorised_users import take_authorised_user
from tests.consumer_factories import ANSWERS, Consumer, make_item
from tests.factories import NOW, make_router_item
from tests.persona_factories import make_persona, told_user

Document = dict[str, Any]


def add_to_provider(session: Session, connection: Connection) -> tuple[Document, Document, Document]:
    """Ids by their names in paths, bodies by endpoint, and ids of an endpoint's own."""
    used, unused = make_persona(session, "Buyer"), make_persona(session, "Nobody")
    make_router_item(session, connection.id).persona_ids = [used.id]
    session.flush()
    told = told_user([used.id])
    take_authorised_user(session, connection.id, told, now=NOW)
    bodies = {
        "personas.create": {"name": "Seller", "description": "Sells."},
        "personas.edit": {"name": "Mobile buyer", "description": "Buys."},
        "personas.choose": {"persona_ids": [used.id]},
        "personas.set_rules": {"approval": "by_person", "limit": 5},
        "personas.refuse": {"reason": "Nobody knows them."},
        "exchange_users.tell": told_user([used.id], groups=["Field service"]),
    }
    ids = {"persona_id": used.id, "authorised_user_id": told["id"]}
    return ids, bodies, {"personas.delete": {"persona_id": unused.id}}


def add_to_consumer(session: Session, one: Consumer) -> tuple[Document, Document, Document]:
    """As `add_to_provider`."""
    persona = Persona(
        connection_id=one.connection_id, id=str(uuid4()), name="Buyer", description="", updated_at=NOW
    )  # fmt: skip
    session.add(persona)
    ada, bob = (users.add_user(session, name, ["requester"]).id for name in ("ada of the world", "bob of the world"))
    users.add_user(session, "grace of the world", ["approver"])
    session.flush()
    named = authorised_users.name_user(session, one.connection_id, ada, [persona.id], now=NOW)
    group = groups.create_group(session, "Field service", now=NOW).id
    item = make_item(session, one.connection_id, name="Approved line")
    item_settings.set_approval(session, item, needs_approval=True, approver=None, above_quantity=None, now=NOW)
    waiting = [
        requests.submit_request(session, item, ANSWERS, {"name": "ada of the world"}, now=NOW).id for _ in range(2)
    ]
    bodies = {
        "personas.name_user": {
            "connection_id": one.connection_id, "name": "bob of the world", "persona_ids": [persona.id],
        },
        "personas.set_active": {"active": False},
        "personas.create_group": {"name": "Sales"},
        "personas.set_members": {"user_ids": [ada, bob]},
        "personas.set_personas": {"connection_id": one.connection_id, "persona_ids": [persona.id]},
        "approvals.set_variables": {"variables": [
            {"key": "cost_centre", "label": "Cost centre", "type": "choice", "mandatory": True, "description": "Ask.",
             "options": [{"value": "4711", "label": "Sales"}]},
        ]},
        "approvals.set_approval": {
            "needs_approval": True, "approver": "grace of the world", "above_quantity": 3,
        },
        "approvals.approve": {"decided_by": "grace of the world"},
        "approvals.reject": {"decided_by": "grace of the world", "reason": "Too dear."},
    }  # fmt: skip
    ids = {"connection_id": one.connection_id, "authorised_user_id": named.id, "group_id": group}
    own_ids = {"approvals.approve": {"task_id": waiting[0]}, "approvals.reject": {"task_id": waiting[1]}}
    return ids, bodies, own_ids
