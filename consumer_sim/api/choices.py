"""What can be chosen in a form now, as its provider says."""

from typing import Any
from uuid import UUID

from bridge.schemas import SafeStr, StrictSchema, Uuid
from bridge.web import Blueprint
from consumer_sim.api.auth import protect
from consumer_sim.api.context import here
from consumer_sim.services.catalog import get_item
from consumer_sim.services.live_choices import SEARCH_LIMIT

blueprint = protect(Blueprint("choices", __name__, url_prefix="/api/v1", description="Live choices of forms."))


def _about(description: str, example: str) -> dict[str, str]:
    return {"description": description, "example": example}


class ChoicesQuerySchema(StrictSchema):
    connection = Uuid(load_default=None, metadata=_about("Of which provider.", "5b0c0f6e-6f0c-4d0e-9e55-6a1d9b8e2f10"))
    variable = SafeStr(
        max_length=1000,
        min_length=1,
        required=True,
        metadata=_about("A pointer to its answer.", "/sets/a/site"),
    )
    search = SafeStr(max_length=SEARCH_LIMIT, load_default="", metadata=_about("Part of what is looked for.", "berl"))
    depends_on = SafeStr(
        max_length=255, load_default=None, metadata=_about("The answer that the variable depends on.", "Berlin office")
    )


@blueprint.route("/catalog-items/<uuid:item_id>/choices", methods=["GET"])
@blueprint.arguments(ChoicesQuerySchema, location="query")
@blueprint.response(200)
def find(asked: dict[str, Any], item_id: UUID) -> dict[str, Any]:
    """Pairs of value and display for one variable; `notice` says where they may be out of date."""
    context, connection = here(), asked["connection"]
    with context.database.reading() as session:
        item = get_item(session, str(item_id), connection_id=str(connection) if connection else None)
    found = context.chooser.find(
        item.connection_id, item.id, asked["variable"], {}, asked["search"], depends_on=asked["depends_on"]
    )
    return {"items": list(found.items), "notice": found.notice}
