"""The links to consumers, for our own people: see how they do, pause, resume, revoke, test."""

from typing import Any

import flask

from bridge.models import Connection
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
from provider.services import connections, registrations

blueprint = Blueprint(
    "connections", __name__, url_prefix="/api/v1/connections", description="Connections to consumers."
)


@blueprint.route("", methods=["GET"])
@requires("connection.read")
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, page_schema(ConnectionSchema))
def list_all(page: dict[str, Any]) -> dict[str, Any]:
    """All connections."""
    with here().database.reading() as session:
        return page_document(connections.list_connections(session, limit=page["limit"], after=page["cursor"]))


@blueprint.route("/<connection_id>", methods=["GET"])
@requires("connection.read")
@blueprint.response(200, ConnectionDetailSchema)
def get(connection_id: str) -> dict[str, Any]:
    """One connection and how its flow does."""
    with here().database.reading() as session:
        connection = connections.get_connection(session, connection_id)
        columns = {name: getattr(connection, name) for name in ConnectionSchema().fields}
        return {**columns, "health": connections.read_health(session, connection.id)}


@blueprint.route("/<connection_id>/pause", methods=["POST"])
@requires("connection.write")
@blueprint.arguments(ReasonSchema)
@blueprint.response(200, ConnectionSchema)
def pause(body: dict[str, Any], connection_id: str) -> Connection:
    """Stop the flow both ways; what happens meanwhile is sent afterwards."""
    context = here()
    with context.transaction() as session:
        return connections.pause_connection(
            session, connection_id, reason=body["reason"], actor=flask.g.actor, now=context.clock()
        )


@blueprint.route("/<connection_id>/resume", methods=["POST"])
@requires("connection.write")
@blueprint.response(200, ConnectionSchema)
def resume(connection_id: str) -> Connection:
    """Let it flow again."""
    context = here()
    with context.transaction() as session:
        return connections.resume_connection(session, connection_id, actor=flask.g.actor, now=context.clock())


@blueprint.route("/<connection_id>/revoke", methods=["POST"])
@requires("connection.write")
@blueprint.arguments(ReasonSchema)
@blueprint.response(200, ConnectionSchema)
def revoke(body: dict[str, Any], connection_id: str) -> Connection:
    """End the connection for ever."""
    context = here()
    with context.transaction() as session:
        return connections.revoke_connection(
            session, connection_id, reason=body["reason"], actor=flask.g.actor, now=context.clock()
        )


@blueprint.route("/<connection_id>/settings", methods=["POST"])
@requires("connection.write")
@blueprint.arguments(ConnectionSettingsSchema)
@blueprint.response(200, ConnectionSchema)
def change_settings(body: dict[str, Any], connection_id: str) -> Connection:
    """Decide whether this consumer is told what items cost."""
    context = here()
    with context.transaction() as session:
        return connections.change_settings(session, connection_id, body, actor=flask.g.actor, now=context.clock())


@blueprint.route("/<connection_id>/test-event", methods=["POST"])
@requires("connection.write")
@blueprint.response(200, TestEventSchema)
def test_event(connection_id: str) -> dict[str, Any]:
    """Send a test event now and tell what came of it."""
    context = here()
    with context.database.reading() as session:
        connection = connections.get_reachable(session, connection_id)
    detail = registrations.send_test_event(context.carrier(), context.identity, connection, now=context.clock())
    return {"delivered": detail == "applied", "detail": detail}
