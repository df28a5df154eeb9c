"""What a consumer should hold now, for `sxg compare`."""

from typing import Any

from bridge.web import Blueprint
from provider.api.auth import requires
from provider.api.context import here
from provider.api.paging import page_document
from provider.api.schemas_orders import RecordsQuerySchema, RecordsSchema
from provider.services import records

blueprint = Blueprint("records", __name__, url_prefix="/api/v1/connections", description="What a consumer should hold.")


@blueprint.route("/<connection_id>/records", methods=["GET"])
@requires("delivery.read")
@blueprint.arguments(RecordsQuerySchema, location="query")
@blueprint.response(200, RecordsSchema)
def list_all(page: dict[str, Any], connection_id: str) -> dict[str, Any]:
    """The records of one kind."""
    with here().database.reading() as session:
        found = records.list_records(session, connection_id, page["kind"], limit=page["limit"], after=page["cursor"])
        return page_document(found)
