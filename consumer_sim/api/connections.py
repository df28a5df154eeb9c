"""Providers: connect, look, settle how offers are treated."""

from typing import Any
from uuid import UUID

from bridge.web import Blueprint
from consumer_sim.api.auth import protect
from consumer_sim.api.context import here
from consumer_sim.api.schemas import ConnectingSchema, SettingsSchema
from consumer_sim.api.schemas_care import AddressSchema, EpochSchema, ReasonSchema, RotateSchema
from consumer_sim.services import connections, offboarding, rotations, views

blueprint = protect(
    Blueprint("connections", __name__, url_prefix="/api/v1", description="The providers of this instance.")
)


@blueprint.route("/connections", methods=["POST"])
@blueprint.arguments(ConnectingSchema)
@blueprint.response(201)
def connect(body: dict[str, str]) -> dict[str, Any]:
    """Connect to a provider with its registration token; the same call again goes on where it stopped."""
    context = here()
    url = body["provider_url"].rstrip("/")
    context.guard.check_url(url)
    with context.database.transaction() as session:
        link_id = connections.begin_connecting(
            session, context.keyring, url, body["token"], body["number_prefix"], now=context.clock()
        ).id
    return _connect(link_id)


@blueprint.route("/connections/<uuid:link_id>/resume", methods=["POST"])
@blueprint.response(200)
def resume(link_id: UUID) -> dict[str, Any]:
    """Take up connecting where it stopped."""
    return _connect(str(link_id))


@blueprint.route("/connections", methods=["GET"])
@blueprint.response(200)
def list_connections() -> dict[str, Any]:
    """All providers, with how far connecting came and why it stopped."""
    with here().database.reading() as session:
        return {"items": views.link_documents(session, connections.get_links(session)), "next": None}


@blueprint.route("/connections/<uuid:link_id>", methods=["GET"])
@blueprint.response(200)
def get_connection(link_id: UUID) -> dict[str, Any]:
    """One provider, by our id or the wire's."""
    with here().database.reading() as session:
        link = connections.get_link(session, str(link_id))
        return views.link_documents(session, [link])[0] | views.directions_document(session, link, here().clock())


@blueprint.route("/connections/<uuid:link_id>/settings", methods=["POST"])
@blueprint.arguments(SettingsSchema)
@blueprint.response(200)
def change_settings(body: dict[str, bool], link_id: UUID) -> dict[str, Any]:
    """Whether offered items are activated as they come."""
    context = here()
    with context.database.transaction() as session:
        link = connections.get_link(session, str(link_id), lock=True)
        connections.set_auto_activate(session, link, body["auto_activate"], now=context.clock())
        return views.link_documents(session, [link])[0]


@blueprint.route("/connections/<uuid:link_id>/rotate", methods=["POST"])
@blueprint.arguments(RotateSchema)
@blueprint.response(200)
def rotate(body: dict[str, Any], link_id: UUID) -> dict[str, Any]:
    """Fetch new secrets from the provider and prove them, now; what does not work now is tried again."""
    context = here()
    with context.database.transaction() as session:
        connection_id = connections.get_connected_id(session, str(link_id))
        rotations.want_rotation(session, connection_id, body["secrets"], now=context.clock())
    for secret in body["secrets"]:
        context.rotator.advance(connection_id, secret)
    with context.database.reading() as session:
        return {"items": [views.rotation_document(one) for one in rotations.list_rotations(session, connection_id)]}


@blueprint.route("/connections/<uuid:link_id>/epoch", methods=["POST"])
@blueprint.arguments(EpochSchema)
@blueprint.response(200)
def settle_epoch(body: dict[str, bool], link_id: UUID) -> dict[str, Any]:
    """Say whether an instance that was refused as a copy is the provider itself, restored, or stays refused."""
    context = here()
    with context.database.transaction() as session:
        connection_id = connections.get_connected_id(session, str(link_id))
        connections.settle_epoch(session, connection_id, accept=body["accept"], now=context.clock())
        return views.link_documents(session, [connections.get_link(session, connection_id)])[0]


@blueprint.route("/connections/<uuid:link_id>/address", methods=["POST"])
@blueprint.arguments(AddressSchema)
@blueprint.response(200)
def change_address(body: dict[str, str | None], link_id: UUID) -> dict[str, Any]:
    """Send to another address of the provider from now, or, without one, tell the provider ours as it is configured."""
    url = body["provider_url"]
    if url is None:
        here().mover.tell_callback(str(link_id))
    else:
        here().mover.move_provider(str(link_id), url.rstrip("/"))
    with here().database.reading() as session:
        return views.link_documents(session, [connections.get_link(session, str(link_id))])[0]


@blueprint.route("/connections/<uuid:link_id>/revoke", methods=["POST"])
@blueprint.arguments(ReasonSchema)
@blueprint.response(200)
def revoke(body: dict[str, str], link_id: UUID) -> dict[str, Any]:
    """End the connection for ever. The provider is told when it can be reached; requests and products stay readable."""
    context = here()
    with context.database.transaction() as session:
        connection_id = connections.get_connected_id(session, str(link_id))
        offboarding.revoke_connection(session, connection_id, reason=body["reason"], now=context.clock())
        return views.link_documents(session, [connections.get_link(session, connection_id)])[0]


def _connect(link_id: str) -> dict[str, Any]:
    context = here()
    with context.sender() as sender:
        context.connector(sender).connect(link_id)
    with context.database.reading() as session:
        return views.link_documents(session, [connections.get_link(session, link_id)])[0]
