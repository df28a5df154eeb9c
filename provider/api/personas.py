"""Personas, for our own people: make them, let items ask for them, approve the users of consumers that hold them."""

from typing import Any

import flask

from bridge.web import Blueprint
from provider.api.auth import requires
from provider.api.context import here
from provider.api.paging import PageSchema, page_document, page_schema
from provider.api.schemas import ProducerSchema
from provider.api.schemas_personas import (
    USER_PAGE,
    AuthorisedUserSchema,
    ChosenPersonasSchema,
    NewPersonaSchema,
    PersonaSchema,
    RulesSchema,
    UserRefusalSchema,
)
from provider.models.catalog import RemoteRecordProducer
from provider.models.personas import Persona
from provider.services import authorised_users, connections, persona_items, personas

blueprint = Blueprint("personas", __name__, url_prefix="/api/v1", description="Personas and authorised users.")

Document = dict[str, Any]
_USER = "/connections/<connection_id>/authorised-users/<authorised_user_id>"


@blueprint.route("/personas", methods=["GET"])
@requires("producer.read")
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, page_schema(PersonaSchema))
def list_all(page: Document) -> Document:
    """All personas, by name."""
    with here().database.reading() as session:
        return page_document(personas.list_personas(session, limit=page["limit"], after=page["cursor"]))


@blueprint.route("/personas", methods=["POST"])
@requires("producer.write")
@blueprint.arguments(NewPersonaSchema)
@blueprint.response(201, PersonaSchema)
def create(body: Document) -> Persona:
    """Make a persona."""
    with here().transaction() as session:
        return personas.create_persona(session, **body, actor=flask.g.actor, now=here().clock())


@blueprint.route("/personas/<persona_id>", methods=["PUT"])
@requires("producer.write")
@blueprint.arguments(NewPersonaSchema)
@blueprint.response(200, PersonaSchema)
def edit(body: Document, persona_id: str) -> Persona:
    """Call it otherwise; consumers that know it are told."""
    with here().transaction() as session:
        return persona_items.edit_persona(session, persona_id, **body, actor=flask.g.actor, now=here().clock())


@blueprint.route("/personas/<persona_id>", methods=["DELETE"])
@requires("producer.write")
@blueprint.response(204)
def delete(persona_id: str) -> None:
    """Forget a persona that no item asks for."""
    with here().transaction() as session:
        personas.delete_persona(session, persona_id, actor=flask.g.actor, now=here().clock())


@blueprint.route("/remote-record-producers/<identity>/personas", methods=["POST"])
@requires("producer.write")
@blueprint.arguments(ChosenPersonasSchema)
@blueprint.response(200, ProducerSchema)
def choose(body: Document, identity: str) -> RemoteRecordProducer:
    """Let the draft ask for personas; of what is published a draft is made first."""
    with here().transaction() as session:
        return persona_items.choose_personas(session, identity, body["persona_ids"], flask.g.actor, here().clock())


@blueprint.route("/connections/<connection_id>/authorised-users", methods=["GET"])
@requires("connection.read")
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, USER_PAGE)
def list_users(page: Document, connection_id: str) -> Document:
    """The users of one consumer."""
    place: Document = {"limit": page["limit"], "after": page["cursor"]}
    with here().database.reading() as session:
        found = authorised_users.list_authorised_users(session, connection_id, **place)
        return page_document(found, authorised_users.user_data)


@blueprint.route(f"{_USER}/approve", methods=["POST"])
@requires("connection.write")
@blueprint.response(200, AuthorisedUserSchema)
def approve(connection_id: str, authorised_user_id: str) -> Document:
    """Let the user hold what is asked for."""
    deed: Document = {"actor": flask.g.actor, "now": here().clock()}
    with here().transaction() as session:
        user = authorised_users.approve_authorised_user(session, connection_id, authorised_user_id, **deed)
        return authorised_users.user_data(user)


@blueprint.route(f"{_USER}/refuse", methods=["POST"])
@requires("connection.write")
@blueprint.arguments(UserRefusalSchema)
@blueprint.response(200, AuthorisedUserSchema)
def refuse(body: Document, connection_id: str, authorised_user_id: str) -> Document:
    """Let the user hold nothing, and say why."""
    deed: Document = {"reason": body["reason"], "actor": flask.g.actor, "now": here().clock()}
    with here().transaction() as session:
        user = authorised_users.refuse_authorised_user(session, connection_id, authorised_user_id, **deed)
        return authorised_users.user_data(user)


@blueprint.route("/connections/<connection_id>/authorised-user-rules", methods=["GET"])
@requires("connection.read")
@blueprint.response(200, RulesSchema)
def get_rules(connection_id: str) -> Document:
    """How users of this consumer are approved, and how many there may be."""
    with here().database.reading() as session:
        return authorised_users.rules_of(connections.get_connection(session, connection_id).settings)


@blueprint.route("/connections/<connection_id>/authorised-user-rules", methods=["PUT"])
@requires("connection.write")
@blueprint.arguments(RulesSchema)
@blueprint.response(200, RulesSchema)
def set_rules(body: Document, connection_id: str) -> Document:
    """Decide it. Who is there already stays."""
    deed: Document = {"actor": flask.g.actor, "now": here().clock()}
    with here().transaction() as session:
        return authorised_users.rules_of(authorised_users.set_rules(session, connection_id, **body, **deed).settings)
