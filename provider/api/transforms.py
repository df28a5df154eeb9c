"""With which words one consumer's fields follow ours: look, try, change, go back."""

from typing import Any

import flask

from bridge.web import Blueprint
from provider.api.auth import requires
from provider.api.context import here
from provider.api.schemas_mappings import DryRunQuerySchema
from provider.api.schemas_remote_tasks import TransformDryRunSchema, TransformsChangeSchema, TransformsSchema
from provider.services import transforms

blueprint = Blueprint(
    "transforms", __name__, url_prefix="/api/v1/connections", description="The words of single consumers' fields."
)

Document = dict[str, Any]


@blueprint.route("/<connection_id>/transforms", methods=["GET"])
@requires("mapping.read")
@blueprint.response(200, TransformsSchema)
def get(connection_id: str) -> Document:
    """The transforms in force for a connection: its own in the place of those of everybody."""
    with here().database.reading() as session:
        return transforms.show_transforms(session, connection_id)


@blueprint.route("/<connection_id>/transforms", methods=["PUT"])
@requires("mapping.write")
@blueprint.arguments(TransformsChangeSchema)
@blueprint.response(200, TransformsSchema)
def change(body: Document, connection_id: str) -> Document:
    """Put transforms in force for this consumer alone; what it sees otherwise now is told again."""
    who: dict[str, Any] = {"actor": flask.g.actor, "now": here().clock()}
    with here().transaction() as session:
        return transforms.change_transforms(session, connection_id, body["transforms"], **who)


@blueprint.route("/<connection_id>/transforms", methods=["DELETE"])
@requires("mapping.write")
@blueprint.response(200, TransformsSchema)
def reset(connection_id: str) -> Document:
    """Go back to the transforms of everybody."""
    with here().transaction() as session:
        return transforms.reset_transforms(session, connection_id, actor=flask.g.actor, now=here().clock())


@blueprint.route("/<connection_id>/transforms/dry-run", methods=["POST"])
@requires("mapping.read")
@blueprint.arguments(DryRunQuerySchema, location="query")
@blueprint.arguments(TransformsChangeSchema)
@blueprint.response(200, TransformDryRunSchema)
def dry_run(query: Document, body: Document, connection_id: str) -> Document:
    """Check transforms and show what this consumer would see otherwise; nothing is changed."""
    with here().database.reading() as session:
        return transforms.try_transforms(session, connection_id, body["transforms"], limit=query["limit"])
