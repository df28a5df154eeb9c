"""The inventory of all consumers."""

from typing import Any

from bridge.web import Blueprint
from provider.api.auth import requires
from provider.api.context import here
from provider.api.paging import page_document
from provider.api.schemas_inventory import PRODUCT_PAGE, ProductDetailSchema, ProductsQuerySchema
from provider.api.schemas_orders import plain
from provider.services import inventory, product_search

blueprint = Blueprint("products", __name__, url_prefix="/api/v1/products", description="What consumers have.")


@blueprint.route("", methods=["GET"])
@requires("product.read")
@blueprint.arguments(ProductsQuerySchema, location="query")
@blueprint.response(200, PRODUCT_PAGE)
def list_all(page: dict[str, Any]) -> dict[str, Any]:
    """Products by number."""
    connection_id = plain(page["connection"])
    with here().database.reading() as session:
        return page_document(
            inventory.list_products(
                session, connection_id, state=page["state"], location=page["location"], limit=page["limit"],
                after=page["cursor"],
            )
        )  # fmt: skip


@blueprint.route("/<number>", methods=["GET"])
@requires("product.read")
@blueprint.response(200, ProductDetailSchema)
def get(number: str) -> dict[str, Any]:
    """One product with what is being done to it and its history."""
    with here().database.reading() as session:
        return product_search.show_product_detail(session, number)
