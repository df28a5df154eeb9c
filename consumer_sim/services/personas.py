"""Who of our people may order what: personas that items ask for, and who holds them.

An item without personas is open to everybody who may order. With some, whoever asks has to hold one of them: told to
the provider, approved there, and active.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from bridge.forms import FormError, FormErrors
from bridge.models import Connection
from consumer_sim.models import CatalogItem, User
from consumer_sim.models_personas import AuthorisedUser, Persona
from consumer_sim.services import fields, writing
from consumer_sim.services.errors import NotAuthorised
from consumer_sim.services.forms import list_of

Document = dict[str, Any]
Key = tuple[str, str]

_RULES: fields.Rules = {
    "persona_id": fields.uuid,
    "name": fields.text(120),
    "description": fields.text(10_000, least=0),
}
well_formed = list_of(fields.members(_RULES))


def keep_personas(session: Session, connection_id: str, told: Sequence[Any], now: datetime) -> None:
    """Those that some items ask for, as they are called now: one statement, and none where no item asks for any."""
    found = {one["persona_id"]: one for personas in told for one in personas or ()}
    rows = [
        {"connection_id": connection_id, "id": key, "name": one["name"], "description": one["description"],
         "updated_at": now}
        for key, one in sorted(found.items())
    ]  # fmt: skip
    writing.upsert(session, Persona, rows, ("name", "description", "updated_at"))


def list_personas(session: Session, connection_id: str | None = None) -> Sequence[Persona]:
    """All that are known, of one provider or of all, by name."""
    query = select(Persona).order_by(Persona.name, Persona.connection_id, Persona.id)
    if connection_id is not None:
        query = query.where(Persona.connection_id == connection_id)
    return session.scalars(query).all()


def check_known(session: Session, connection_id: str, persona_ids: Sequence[str]) -> list[str]:
    """The ids, each once. Raises FormErrors: /connection_id where there is none, /persona_ids for one that the provider
    has not told of.
    """
    if session.get(Connection, connection_id) is None:
        raise FormErrors([FormError("/connection_id", "not_found", "There is no such connection.")])
    known = {one.id for one in list_personas(session, connection_id)}
    wrong = [place for place, one in enumerate(persona_ids) if one not in known]
    if wrong:
        message = "This provider has told of no such persona."
        raise FormErrors([FormError(f"/persona_ids/{place}", "not_found", message) for place in wrong])
    return list(dict.fromkeys(persona_ids))


def personas_of(item: CatalogItem) -> Sequence[Document]:
    """What the revision that is ordered here asks for."""
    return (item.active_personas if item.active_form is not None else item.personas) or ()


def check_requester(session: Session, item: CatalogItem, requested_by: Mapping[str, Any]) -> Document:
    """What the provider has to know of whoever asks, beside the name. Raises NotAuthorised."""
    asked = personas_of(item)
    if not asked:
        return {}
    query = _authorised(str(requested_by.get("name"))).where(AuthorisedUser.connection_id == item.connection_id)
    user = session.scalars(query).first()
    if user is None or not held_personas(user) & {one["persona_id"] for one in asked}:
        raise NotAuthorised(item.name, [one["name"] for one in asked])
    return {"authorised_user_id": user.id}


def may_order(session: Session, item: CatalogItem, name: str) -> bool:
    """Whether whoever is called so may order the item, as far as personas go."""
    try:
        check_requester(session, item, {"name": name})
    except NotAuthorised:
        return False
    return True


def find_closed_items(session: Session, name: str) -> list[Key]:
    """(connection, item) of the active items that whoever is called so may not order: two statements, one if no item
    asks for personas.
    """
    asking = select(CatalogItem.connection_id, CatalogItem.id, CatalogItem.active_personas).where(
        CatalogItem.active_personas.is_not(None), CatalogItem.state == "active"
    )
    items = session.execute(asking).all()
    users = session.scalars(_authorised(name)).all() if items else ()
    held = {user.connection_id: held_personas(user) for user in users}
    return [
        (item.connection_id, item.id)
        for item in items
        if not held.get(item.connection_id, set()) & {one["persona_id"] for one in item.active_personas or ()}
    ]


def held_personas(user: AuthorisedUser) -> set[str]:
    """What the user holds now: told, active and approved."""
    told = user.told or {}
    if user.approval == "refused" or not told.get("active"):
        return set()
    return set(told["persona_ids"]) & set(user.approved_persona_ids)


def _authorised(name: str) -> Select[AuthorisedUser]:
    """The records of whoever is called so, one for each provider; none of those who are blocked here."""
    return (
        select(AuthorisedUser)
        .join(User, User.id == AuthorisedUser.user_id)
        .where(User.name == name, User.active.is_(True))
    )
