"""What is wrong with the connections to providers, and what to do about it."""

from typing import Any

from bridge.issues import describe_issues
from bridge.web import Blueprint
from consumer_sim.api.auth import protect
from consumer_sim.api.context import here
from consumer_sim.api.schemas_care import IssuesQuerySchema
from consumer_sim.services.requests import moment

blueprint = protect(Blueprint("issues", __name__, url_prefix="/api/v1", description="What is wrong, and what to do."))


@blueprint.route("/issues", methods=["GET"])
@blueprint.arguments(IssuesQuerySchema, location="query")
@blueprint.response(200)
def list_all(asked: dict[str, Any]) -> dict[str, Any]:
    """The open issues of all connections, or of one; or those that were resolved. At most 200, seen last first."""
    with here().database.reading() as session:
        told = describe_issues(session, **asked)
    times = ("first_at", "last_at", "resolved_at")
    return {
        **told,
        "items": [{**one, **{name: one[name] and moment(one[name]) for name in times}} for one in told["items"]],
    }
