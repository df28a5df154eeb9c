"""The links to consumers, for our own people: see how they do, pause, resume, revoke, test."""

from typing import Any

import flask

from bridge.web import Blueprint
from provider.api.auth import requires
from provider.api.context import here
from provider.api.paging import PageSchema, page_document, page_schema
from provider.api.schemas import (
    ConnectionDetailSchema,
    ConnectionSchema,
    ConnectionSettingsSchema,
    ReasonSchema,
    TestEventSchema,
)
from provider.api.schemas_care import CallbackSchema, EpochSchema, RotateSchema, RotationsSchema
from provider.services import connections, registrations, rotations
from provider.services.pages import Page
from provider.services.registrations import Echo

Document = dict[str, Any]

blueprint = Blueprint(
    "connections", __name__, url_prefix="/api/v1/connections", description="Connections to consumers."
)


@blueprint.route("", methods=["GET"])
@requires("connection.read")
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, page_schema(ConnectionSchema))
def list_all(page: dict[str, Any]) -> dict[str, Any]:
    """All connections: in which state each is, what is wrong with it, and what to do."""
    with here().database.reading() as session:
        found = connections.list_connections(session, limit=page["limit"], after=page["cursor"])
        shown = connections.show_connections(session, found.items, now=here().clock())
        return page_document(Page(shown, found.next_key))


@blueprint.route("/<connection_id>", methods=["GET"])
@requires("connection.read")
@blueprint.response(200, ConnectionDetailSchema)
def get(connection_id: str) -> Document:
    """One connection and how its flow does."""
    with here().database.reading() as session:
        connection = connections.get_connection(session, connection_id)
        shown = connections.show_connection(session, connection, now=here().clock())
        return {**shown, "health": connections.read_health(session, connection.id, now=here().clock())}


@blueprint.route("/<connection_id>/pause", methods=["POST"])
@requires("connection.write")
@blueprint.arguments(ReasonSchema)
@blueprint.response(200, ConnectionSchema)
def pause(body: Document, connection_id: str) -> Document:
    """Stop the flow both ways; what happens meanwhile is sent afterwards."""
    now, actor = here().clock(), flask.g.actor
    with here().transaction() as session:
        paused = connections.pause_connection(session, connection_id, reason=body["reason"], actor=actor, now=now)
        return connections.show_connection(session, paused, now=now)


@blueprint.route("/<connection_id>/resume", methods=["POST"])
@requires("connection.write")
@blueprint.response(200, ConnectionSchema)
def resume(connection_id: str) -> Document:
    """Let it flow again."""
    now = here().clock()
    with here().transaction() as session:
        resumed = connections.resume_connection(session, connection_id, actor=flask.g.actor, now=now)
        return connections.show_connection(session, resumed, now=now)


@blueprint.route("/<connection_id>/revoke", methods=["POST"])
@requires("connection.write")
@blueprint.arguments(ReasonSchema)
@blueprint.response(200, ConnectionSchema)
def revoke(body: Document, connection_id: str) -> Document:
    """End the connection for ever."""
    now, actor = here().clock(), flask.g.actor
    with here().transaction() as session:
        revoked = connections.revoke_connection(session, connection_id, reason=body["reason"], actor=actor, now=now)
        return connections.show_connection(session, revoked, now=now)


@blueprint.route("/<connection_id>/epoch", methods=["POST"])
@requires("connection.write")
@blueprint.arguments(EpochSchema)
@blueprint.response(200, ConnectionSchema)
def settle_epoch(body: Document, connection_id: str) -> Document:
    """Say whether an instance that was refused as a copy is the consumer itself, restored, or stays refused."""
    now = here().clock()
    with here().transaction() as session:
        settled = connections.settle_epoch(session, connection_id, accept=body["accept"], actor=flask.g.actor, now=now)
        return connections.show_connection(session, settled, now=now)


@blueprint.route("/<connection_id>/callback", methods=["POST"])
@requires("connection.write")
@blueprint.arguments(CallbackSchema)
@blueprint.response(200, ConnectionSchema)
def change_callback(body: Document, connection_id: str) -> Document:
    """Send its events elsewhere, once that address has proven itself; may be repeated."""
    moved = here().move_callback(connection_id, body["callback_url"], by_consumer=False, actor=flask.g.actor)
    with here().database.reading() as session:
        connection = connections.get_connection(session, moved.id)
        return connections.show_connection(session, connection, now=here().clock())


@blueprint.route("/<connection_id>/rotate", methods=["POST"])
@requires("connection.write")
@blueprint.arguments(RotateSchema)
@blueprint.response(200, RotationsSchema)
def rotate(body: Document, connection_id: str) -> Document:
    """Ask the consumer to fetch new secrets. The former ones stay good until the new ones are proven, and longer."""
    now = here().clock()
    with here().transaction() as session:
        begun = rotations.want_rotation(
            session, connection_id, body["secrets"], grace_s=body["grace_s"], actor=flask.g.actor, now=now
        )
        return {"items": begun}


@blueprint.route("/<connection_id>/rotations", methods=["GET"])
@requires("connection.read")
@blueprint.response(200, RotationsSchema)
def list_rotations(connection_id: str) -> Document:
    """How far the last change of each secret is."""
    with here().database.reading() as session:
        connection = connections.get_connection(session, connection_id)
        return {"items": rotations.list_rotations(session, connection.id)}


@blueprint.route("/<connection_id>/settings", methods=["POST"])
@requires("connection.write")
@blueprint.arguments(ConnectionSettingsSchema)
@blueprint.response(200, ConnectionSchema)
def change_settings(body: Document, connection_id: str) -> Document:
    """Decide what this consumer is told, and what criteria find it by: its account and its labels."""
    now = here().clock()
    with here().transaction() as session:
        changed = connections.change_settings(session, connection_id, body, actor=flask.g.actor, now=now)
        return connections.show_connection(session, changed, now=now)


@blueprint.route("/<connection_id>/test-event", methods=["POST"])
@requires("connection.write")
@blueprint.response(200, TestEventSchema)
def test_event(connection_id: str) -> Echo:
    """Send a test event now and tell what came of it. The consumer shows the same event id."""
    context, now = here(), here().clock()
    with context.database.reading() as session:
        connection = connections.get_reachable(session, connection_id)
    echo = registrations.send_test_event(context.carrier(), context.identity, connection, now=now)
    with context.transaction() as session:
        registrations.record_test(session, connection.id, echo, actor=flask.g.actor, now=now)
    return echo
