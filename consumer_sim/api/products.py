"""Products: what this instance has."""

from typing import Any
from uuid import UUID

from bridge.web import Blueprint
from consumer_sim.api.auth import protect
from consumer_sim.api.context import here
from consumer_sim.api.schemas import ActionSchema, ProductsPageSchema
from consumer_sim.services import product_actions, products, views

blueprint = protect(Blueprint("products", __name__, url_prefix="/api/v1", description="What was delivered."))


@blueprint.route("/products", methods=["GET"])
@blueprint.arguments(ProductsPageSchema, location="query")
@blueprint.response(200)
def list_products(page: dict[str, Any]) -> dict[str, Any]:
    """The products we have, or only those at one location or in one state."""
    after = str(page["cursor"]) if page["cursor"] else None
    with here().database.reading() as session:
        found, following = products.list_products(
            session, location=page.get("location"), state=page.get("state"), after=after, limit=page["limit"]
        )
        return {"items": [views.product_document(product) for product in found], "next": following}


@blueprint.route("/products/<uuid:product_id>", methods=["GET"])
@blueprint.response(200)
def get_product(product_id: UUID) -> dict[str, Any]:
    """One product with its history, what is being done with it, and what may be."""
    with here().database.reading() as session:
        return views.product_detail(session, products.get_product(session, str(product_id)))


@blueprint.route("/products/<uuid:product_id>/actions", methods=["POST"])
@blueprint.arguments(ActionSchema)
@blueprint.response(201)
def request_action(body: dict[str, Any], product_id: UUID) -> dict[str, Any]:
    """Have something done with it: suspend, resume, disconnect, change or move it. Works while the provider is away."""
    context, action, asked_by = here(), body.pop("action"), body.pop("requested_by")
    with context.database.transaction() as session:
        connection_id = products.get_product(session, str(product_id)).connection_id
        task = product_actions.request_action(
            session, connection_id, str(product_id), action, body, asked_by, now=context.clock()
        )
        return views.task_detail(session, task)
