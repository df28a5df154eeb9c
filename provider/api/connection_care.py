"""What a consumer calls to keep its connection well. `docs/wire.md`, 5 and 6, describes it."""

from typing import Any

import flask

from bridge.heartbeats import note_heard
from bridge.web import Blueprint
from provider.api.auth import known
from provider.api.context import here
from provider.api.schemas_care import HeardSchema, HeartbeatSchema
from provider.services import connections

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
