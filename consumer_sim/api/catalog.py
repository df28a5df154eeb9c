"""What may be ordered: look, activate, deactivate."""

from typing import Any
from uuid import UUID

from bridge.web import Blueprint
from consumer_sim.api.auth import protect
from consumer_sim.api.context import here
from consumer_sim.api.schemas import ItemQuerySchema, ItemsPageSchema, ProductsPageSchema
from consumer_sim.services import catalog, products, views

blueprint = protect(Blueprint("catalog", __name__, url_prefix="/api/v1", description="Remote catalog items."))


@blueprint.route("/catalog-items", methods=["GET"])
@blueprint.arguments(ItemsPageSchema, location="query")
@blueprint.response(200)
def list_items(page: dict[str, Any]) -> dict[str, Any]:
    """The items that providers offer, or once offered."""
    with here().database.reading() as session:
        items, following = catalog.list_items(
            session, connection_id=_text(page["connection"]), after=page["cursor"], limit=page["limit"]
        )
        return {"items": [views.item_document(item) for item in items], "next": following}


@blueprint.route("/catalog-items/<uuid:item_id>", methods=["GET"])
@blueprint.arguments(ItemQuerySchema, location="query")
@blueprint.response(200)
def get_item(query: dict[str, Any], item_id: UUID) -> dict[str, Any]:
    """One item with its form."""
    with here().database.reading() as session:
        return views.item_document(catalog.get_item(session, str(item_id), connection_id=_text(query["connection"])))


@blueprint.route("/catalog-items/<uuid:item_id>/activate", methods=["POST"])
@blueprint.arguments(ItemQuerySchema, location="query")
@blueprint.response(200)
def activate(query: dict[str, Any], item_id: UUID) -> dict[str, Any]:
    """Open the newest revision for ordering."""
    context = here()
    with context.database.transaction() as session:
        item = catalog.get_item(session, str(item_id), connection_id=_text(query["connection"]), lock=True)
        catalog.activate_item(session, item, now=context.clock())
        return views.item_document(item)


@blueprint.route("/catalog-items/<uuid:item_id>/deactivate", methods=["POST"])
@blueprint.arguments(ItemQuerySchema, location="query")
@blueprint.response(200)
def deactivate(query: dict[str, Any], item_id: UUID) -> dict[str, Any]:
    """Close the item for ordering."""
    context = here()
    with context.database.transaction() as session:
        item = catalog.get_item(session, str(item_id), connection_id=_text(query["connection"]), lock=True)
        catalog.deactivate_item(session, item, now=context.clock())
        return views.item_document(item)


@blueprint.route("/catalog-items/<uuid:item_id>/products", methods=["GET"])
@blueprint.arguments(ProductsPageSchema, location="query")
@blueprint.response(200)
def list_products(page: dict[str, Any], item_id: UUID) -> dict[str, Any]:
    """What we have of an item, or of the whole provider if the item is Manage Inventory; perhaps at one location."""
    after, location = _text(page["cursor"]), page.get("location")
    with here().database.reading() as session:
        item = catalog.get_item(session, str(item_id), connection_id=_text(page["connection"]))
        found, following = products.list_products(
            session, item=item, location=location, state=page.get("state"), after=after, limit=page["limit"]
        )
        return {"items": [views.product_document(product) for product in found], "next": following}


def _text(value: UUID | None) -> str | None:
    return str(value) if value else None
