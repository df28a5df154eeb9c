"""What a consumer calls to keep its connection well. `docs/wire.md`, 5 and 6, describes it."""

from typing import Any

import flask

from bridge import repairing
from bridge.heartbeats import note_heard
from bridge.holding import note_spoken
from bridge.models import Rotation
from bridge.repairing import Position, read_digest
from bridge.web import Blueprint
from provider.api.auth import known, public
from provider.api.context import here
from provider.api.paging import PageSchema, page_document, page_schema
from provider.api.schemas import ReasonSchema
from provider.api.schemas_care import (
    CallbackSchema,
    CallKeysSchema,
    HeardSchema,
    HeartbeatSchema,
    MovedSchema,
    PositionsSchema,
    ProofRequestSchema,
    ProofSchema,
    RotationSchema,
    SecretSchema,
    StandingsSchema,
    StreamSchema,
)
from provider.services import addresses, connections, registrations, restoring, rotations
from provider.services.entitlements import tell_items
from provider.services.item_telling import note_version
from provider.services.pages import Page

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
        note_spoken(session, flask.g.connection, body["spoken"], now=now)
        if note_version(session, flask.g.connection, body["version"], now=now):
            tell_items(session, flask.g.connection, now=now)
        connection = connections.get_connection(session, flask.g.connection)
        return {"connection_id": connection.id, "state": connection.state}


@blueprint.route("/streams", methods=["GET"])
@known
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, page_schema(StreamSchema))
def list_streams(page: dict[str, Any]) -> dict[str, Any]:
    """What you were told of, by streams: to find what you lost."""
    after = str(page["cursor"][0]) if page["cursor"] else None
    with here().database.reading() as session:
        rows, following = repairing.list_streams(session, flask.g.connection, after=after, limit=page["limit"])
        items = [{"stream": name, "settled": settled, "recorded": recorded} for name, settled, recorded in rows]
        return page_document(Page(items, [following] if following else None))


@blueprint.route("/streams", methods=["POST"])
@known
@blueprint.arguments(PositionsSchema)
@blueprint.response(200, StandingsSchema)
def settle_streams(body: dict[str, Any]) -> dict[str, Any]:
    """Tell where you are: what you lack is sent again, and what we lost is counted on from there. May be repeated."""
    now, lease_s = here().clock(), here().lease_s
    told = {
        one["stream"]: Position(one["sequence"], read_digest(one["digest"]), [str(each) for each in one["ids"]])
        for one in body["streams"]
    }
    with here().transaction() as session:
        found = restoring.settle_positions(session, flask.g.connection, told, lease_s=lease_s, now=now)
        return {"streams": [{"stream": stream, "standing": str(one)} for stream, one in found.items()]}


@blueprint.route("/calls", methods=["POST"])
@known
@blueprint.arguments(CallKeysSchema)
@blueprint.response(200, CallKeysSchema)
def find_unknown_calls(body: dict[str, Any]) -> dict[str, Any]:
    """Which of these calls of yours were never answered here, as after a restore of ours: make them again."""
    with here().database.reading() as session:
        return {"keys": restoring.find_unknown_calls(session, flask.g.connection, body["keys"])}


@blueprint.route("/secrets/webhook_secret", methods=["POST"])
@known
@blueprint.response(200, SecretSchema)
def offer_webhook_secret() -> dict[str, str]:
    """A new webhook secret; events are signed with both until you have proven the new one, and a while longer."""
    return _offer(rotations.WEBHOOK)


@blueprint.route("/secrets/client_secret", methods=["POST"])
@known
@blueprint.response(200, SecretSchema)
def offer_client_secret() -> dict[str, str]:
    """A new client secret; both are good until you have used the new one, and a while longer."""
    return _offer(rotations.CLIENT)


def _offer(secret: str) -> dict[str, str]:
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


@blueprint.route("/callback", methods=["POST"])
@known
@blueprint.arguments(CallbackSchema)
@blueprint.response(200, MovedSchema)
def change_callback(body: dict[str, str]) -> dict[str, Any]:
    """Have your events sent elsewhere. The new address is challenged while this call is open; until it has proven
    itself, everything goes to the former one. It may be repeated.
    """
    moved = here().move_callback(flask.g.connection, body["callback_url"], by_consumer=True, actor=flask.g.actor)
    return {"connection_id": moved.id, "callback_url": moved.peer_url}


@blueprint.route("/proof", methods=["POST"])
@public
@blueprint.arguments(ProofRequestSchema)
@blueprint.response(200, ProofSchema)
def prove_ourselves(body: dict[str, Any]) -> dict[str, str]:
    """A signature over `proof:` and your nonce, with the secret of your connection: only your provider can make it."""
    context = here()
    with context.database.reading() as session:
        connection_id = str(body["connection_id"])
        made = addresses.prove_ourselves(session, context.keyring, connection_id, body["nonce"], now=context.clock())
    return {name.removeprefix("webhook-"): value for name, value in made.items()}
