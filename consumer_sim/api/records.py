"""What this instance holds, in the wire's words, for a comparison with the provider."""

from typing import Any

from bridge.web import Blueprint
from consumer_sim.api.auth import protect
from consumer_sim.api.context import here
from consumer_sim.api.schemas import RecordsPageSchema
from consumer_sim.services import connections, records

blueprint = protect(Blueprint("records", __name__, url_prefix="/api/v1", description="Records to compare."))


@blueprint.route("/records", methods=["GET"])
@blueprint.arguments(RecordsPageSchema, location="query")
@blueprint.response(200)
def list_records(page: dict[str, Any]) -> dict[str, Any]:
    """One row for each record of a kind, by id."""
    after = str(page["cursor"]) if page["cursor"] else None
    chosen = str(page["connection"]) if page.get("connection") else None
    with here().database.reading() as session:
        connection_id = connections.get_connected_id(session, chosen)
        rows, following = records.list_records(session, connection_id, page["kind"], after=after, limit=page["limit"])
        return {"items": rows, "next": following}
