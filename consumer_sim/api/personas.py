"""Who may order what asks for personas: users, and groups of them."""

from typing import Any
from uuid import UUID

from bridge.web import Blueprint
from consumer_sim.api.auth import protect
from consumer_sim.api.context import here
from consumer_sim.api.schemas_personas import (
    ActiveSchema,
    ConnectionQuerySchema,
    GroupPersonasSchema,
    MembersSchema,
    NamedUserSchema,
    NewGroupSchema,
)
from consumer_sim.services import authorised_users, groups, personas, users

blueprint = protect(Blueprint("personas", __name__, url_prefix="/api/v1", description="Personas and who holds them."))

Document = dict[str, Any]
_USER = "/authorised-users/<uuid:connection_id>/<uuid:authorised_user_id>"


@blueprint.route("/personas", methods=["GET"])
@blueprint.arguments(ConnectionQuerySchema, location="query")
@blueprint.response(200)
def list_personas(query: Document) -> Document:
    """Those that items of a provider ask for."""
    with here().database.reading() as session:
        found = personas.list_personas(session, str(query["connection"]))
        told = [{"id": one.id, "name": one.name, "description": one.description} for one in found]
        return {"items": told, "next": None}


@blueprint.route("/authorised-users", methods=["GET"])
@blueprint.arguments(ConnectionQuerySchema, location="query")
@blueprint.response(200)
def list_users(query: Document) -> Document:
    """Our users that a provider knows, by name."""
    with here().database.reading() as session:
        found = authorised_users.list_users(session, str(query["connection"]))
        return {"items": [authorised_users.user_document(user, name) for user, name in found], "next": None}


@blueprint.route("/authorised-users", methods=["POST"])
@blueprint.arguments(NamedUserSchema)
@blueprint.response(200)
def name_user(body: Document) -> Document:
    """Ask a provider to let a user hold personas; again for the same user, others."""
    wanted, now = [str(one) for one in body["persona_ids"]], here().clock()
    with here().database.transaction() as session:
        user = users.get_user_by_name(session, body["name"])
        named = authorised_users.name_user(session, str(body["connection_id"]), user.id, wanted, now=now)
        return authorised_users.user_document(named, user.name)


@blueprint.route(f"{_USER}/active", methods=["POST"])
@blueprint.arguments(ActiveSchema)
@blueprint.response(200)
def set_active(body: Document, connection_id: UUID, authorised_user_id: UUID) -> Document:
    """Let a user order, or not, whatever the provider approved."""
    with here().database.transaction() as session:
        user = authorised_users.get_user(session, str(connection_id), str(authorised_user_id), lock=True)
        authorised_users.set_active(session, user, body["active"], now=here().clock())
        return authorised_users.user_document(user, users.get_user(session, user.user_id).name)


@blueprint.route(f"{_USER}/tell-again", methods=["POST"])
@blueprint.response(200)
def tell_again(connection_id: UUID, authorised_user_id: UUID) -> Document:
    """After the provider did not take it."""
    with here().database.transaction() as session:
        user = authorised_users.get_user(session, str(connection_id), str(authorised_user_id), lock=True)
        authorised_users.tell_again(session, user, now=here().clock())
        return authorised_users.user_document(user, users.get_user(session, user.user_id).name)


@blueprint.route("/groups", methods=["GET"])
@blueprint.response(200)
def list_groups() -> Document:
    """All groups of our users, by name."""
    place: Document = {"text": "", "sort": "name", "descending": False, "offset": 0, "limit": 1000}
    with here().database.reading() as session:
        found, _ = groups.search_groups(session, **place)
        told = [{"id": group.id, "name": group.name, "members": count} for group, count in found]
        return {"items": told, "next": None}


@blueprint.route("/groups", methods=["POST"])
@blueprint.arguments(NewGroupSchema)
@blueprint.response(201)
def create_group(body: Document) -> Document:
    """Make a group."""
    with here().database.transaction() as session:
        return groups.group_document(session, groups.create_group(session, body["name"], now=here().clock()).id)


@blueprint.route("/groups/<uuid:group_id>", methods=["GET"])
@blueprint.response(200)
def get_group(group_id: UUID) -> Document:
    """One group with its members and personas."""
    with here().database.reading() as session:
        return groups.group_document(session, str(group_id))


@blueprint.route("/groups/<uuid:group_id>", methods=["DELETE"])
@blueprint.response(204)
def delete_group(group_id: UUID) -> None:
    """Its members hold no more what it held."""
    with here().database.transaction() as session:
        groups.delete_group(session, str(group_id), now=here().clock())


@blueprint.route("/groups/<uuid:group_id>/members", methods=["PUT"])
@blueprint.arguments(MembersSchema)
@blueprint.response(200)
def set_members(body: Document, group_id: UUID) -> Document:
    """Who is in it: exactly these."""
    wanted = [str(one) for one in body["user_ids"]]
    with here().database.transaction() as session:
        groups.set_members(session, str(group_id), wanted, now=here().clock())
        return groups.group_document(session, str(group_id))


@blueprint.route("/groups/<uuid:group_id>/personas", methods=["PUT"])
@blueprint.arguments(GroupPersonasSchema)
@blueprint.response(200)
def set_personas(body: Document, group_id: UUID) -> Document:
    """What its members hold with a provider."""
    wanted, connection_id = [str(one) for one in body["persona_ids"]], str(body["connection_id"])
    with here().database.transaction() as session:
        groups.set_group_personas(session, str(group_id), connection_id, wanted, now=here().clock())
        return groups.group_document(session, str(group_id))
