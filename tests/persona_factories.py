"""Personas and users that hold them, as tests want them."""

from typing import Any
from uuid import uuid4

from sqlalchemy.orm import Session

from bridge.models import Connection
from provider.models.catalog import RemoteRecordProducer
from provider.models.personas import Persona
from provider.services.personas import create_persona
from tests.factories import AGENT, NOW, make_consumer, make_router_item


def make_persona(session: Session, name: str = "Buyer", description: str = "") -> Persona:
    return create_persona(session, name=name, description=description, actor=AGENT, now=NOW)


def make_guarded_item(
    session: Session, *names: str, prefix: str = "ACME"
) -> tuple[Connection, RemoteRecordProducer, list[str]]:
    """A connection that may order an item with these personas, and their ids."""
    connection = make_consumer(session, prefix)
    item = make_router_item(session, connection.id)
    item.persona_ids = [make_persona(session, name).id for name in names]
    session.flush()
    return connection, item, list(item.persona_ids)


def told_user(persona_ids: list[str], revision: int = 1, **changes: Any) -> dict[str, Any]:
    """What a consumer says of one of its users."""
    said = {"id": str(uuid4()), "name": "Ada Lovelace", "groups": [], "active": True}
    return {**said, "revision": revision, "persona_ids": persona_ids, **changes}
