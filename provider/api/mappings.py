"""How one consumer sees our states: look, try, change, go back."""

from typing import Any

import flask

from bridge.web import Blueprint
from provider.api.auth import requires
from provider.api.context import here
from provider.api.schemas_mappings import DryRunQuerySchema, DryRunSchema, MappingChangeSchema, MappingSchema
from provider.services import mapping_overrides

blueprint = Blueprint(
    "mappings", __name__, url_prefix="/api/v1/connections", description="How single consumers see our states."
)

Document = dict[str, Any]


@blueprint.route("/<connection_id>/mapping", methods=["GET"])
@requires("mapping.read")
@blueprint.response(200, MappingSchema)
def get(connection_id: str) -> Document:
    """The tables in force for a connection: its own, or those of everybody."""
    with here().database.reading() as session:
        return mapping_overrides.show_mapping(session, connection_id)


@blueprint.route("/<connection_id>/mapping", methods=["PUT"])
@requires("mapping.write")
@blueprint.arguments(MappingChangeSchema)
@blueprint.response(200, MappingSchema)
def change(body: Document, connection_id: str) -> Document:
    """Put tables in force for this consumer alone; tasks that it sees otherwise now are told again."""
    with here().transaction() as session:
        return mapping_overrides.change_mapping(
            session, connection_id, body["tables"], actor=flask.g.actor, now=here().clock()
        )


@blueprint.route("/<connection_id>/mapping", methods=["DELETE"])
@requires("mapping.write")
@blueprint.response(200, MappingSchema)
def reset(connection_id: str) -> Document:
    """Go back to the tables of everybody."""
    with here().transaction() as session:
        return mapping_overrides.reset_mapping(session, connection_id, actor=flask.g.actor, now=here().clock())


@blueprint.route("/<connection_id>/mapping/dry-run", methods=["POST"])
@requires("mapping.read")
@blueprint.arguments(DryRunQuerySchema, location="query")
@blueprint.arguments(MappingChangeSchema)
@blueprint.response(200, DryRunSchema)
def dry_run(query: Document, body: Document, connection_id: str) -> Document:
    """Check tables and show what they would have made of this consumer's last events; nothing is changed."""
    with here().database.reading() as session:
        return mapping_overrides.try_mapping(session, connection_id, body["tables"], limit=query["limit"])
