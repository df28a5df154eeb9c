"""Products: what this instance has."""

from typing import Any
from uuid import UUID

from bridge.web import Blueprint
from consumer_sim.api.auth import protect
from consumer_sim.api.context import here
from consumer_sim.api.schemas import ProductsPageSchema
from consumer_sim.services import products, views

blueprint = protect(Blueprint("products", __name__, url_prefix="/api/v1", description="What was delivered."))


@blueprint.route("/products", methods=["GET"])
@blueprint.arguments(ProductsPageSchema, location="query")
@blueprint.response(200)
def list_products(page: dict[str, Any]) -> dict[str, Any]:
    """The products we have, or those at one location."""
    after = str(page["cursor"]) if page["cursor"] else None
    with here().database.reading() as session:
        found, following = products.list_products(
            session, location=page.get("location"), after=after, limit=page["limit"]
        )
        return {"items": [views.product_document(product) for product in found], "next": following}


@blueprint.route("/products/<uuid:product_id>", methods=["GET"])
@blueprint.response(200)
def get_product(product_id: UUID) -> dict[str, Any]:
    """One product."""
    with here().database.reading() as session:
        return views.product_document(products.get_product(session, str(product_id)))
