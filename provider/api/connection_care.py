"""What a consumer calls to keep its connection well. `docs/wire.md`, 5 and 6, describes it."""

from typing import Any

import flask

from bridge.heartbeats import note_heard
from bridge.models import Rotation
from bridge.web import Blueprint
from provider.api.auth import known
from provider.api.context import here
from provider.api.schemas import ReasonSchema
from provider.api.schemas_care import HeardSchema, HeartbeatSchema, RotationSchema, SecretSchema
from provider.services import connections, registrations, rotations

blueprint = Blueprint(
    "connection_care", __name__, url_prefix="/exchange/v1/connection", description="For consumers: stay connected."
)


@blueprint.route("/heartbeat", methods=["POST"])
@known
@blueprint.arguments(HeartbeatSchema)
@blueprint.response(200, HeardSchema)
def hear(body: dict[str, Any]) -> dict[str, Any]:
    """Tell that you are there, and what waits with you. People see it; nothing else depends on it."""
    now = here().clock()
    with here().transaction() as session:
        note_heard(session, flask.g.connection, body, now=now)
        connection = connections.get_connection(session, flask.g.connection)
        return {"connection_id": connection.id, "state": connection.state}


@blueprint.route("/secrets/<any(webhook_secret, client_secret):secret>", methods=["POST"])
@known
@blueprint.response(200, SecretSchema)
def offer(secret: str) -> dict[str, str]:
    """A new secret beside the one you have; both are good until you have proven the new one, and a while longer."""
    context = here()
    with context.transaction() as session:
        made = rotations.offer_secret(session, context.keyring, flask.g.connection, secret, now=context.clock())
    return {"secret": made}


@blueprint.route("/secrets/webhook_secret/verify", methods=["POST"])
@known
@blueprint.response(200, RotationSchema)
def prove() -> Rotation:
    """Challenge your callback with the new webhook secret alone; its answer proves that you have it."""
    context, connection_id = here(), flask.g.connection
    with context.transaction() as session:
        challenge = rotations.prepare_proof(
            session, context.keyring, context.identity, connection_id, now=context.clock()
        )
    registrations.send_challenge(context.carrier(), challenge)
    with context.transaction() as session:
        return rotations.settle_proof(session, context.keyring, challenge, now=context.clock())


@blueprint.route("/close", methods=["POST"])
@known
@blueprint.arguments(ReasonSchema)
@blueprint.response(200, HeardSchema)
def close(body: dict[str, Any]) -> dict[str, Any]:
    """End the connection for ever. Orders and inventory stay readable here; your tokens end at once."""
    now, connection_id = here().clock(), flask.g.connection
    with here().transaction() as session:
        said = f"ended by the consumer: {body['reason']}"
        ended = connections.revoke_connection(
            session, connection_id, reason=said, told=True, actor=flask.g.actor, now=now
        )
        return {"connection_id": ended.id, "state": ended.state}
