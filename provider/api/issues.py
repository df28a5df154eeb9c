"""What is wrong with connections, and what to do about it."""

from typing import Any

from bridge.issues import describe_issues
from bridge.web import Blueprint
from provider.api.auth import requires
from provider.api.context import here
from provider.api.schemas_care import IssuesQuerySchema, IssuesSchema

blueprint = Blueprint("issues", __name__, url_prefix="/api/v1", description="What is wrong, and what to do.")


@blueprint.route("/issues", methods=["GET"])
@requires("connection.read")
@blueprint.arguments(IssuesQuerySchema, location="query")
@blueprint.response(200, IssuesSchema)
def list_all(asked: dict[str, Any]) -> dict[str, Any]:
    """The open issues of all connections, or of one; or those that were resolved."""
    with here().database.reading() as session:
        return describe_issues(session, **asked)
