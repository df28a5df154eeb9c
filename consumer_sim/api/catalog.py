"""What may be ordered: look, activate, deactivate."""

from typing import Any
from uuid import UUID

from bridge.web import Blueprint
from consumer_sim.api.auth import protect
from consumer_sim.api.context import here
from consumer_sim.api.schemas import PageSchema, ProductsPageSchema
from consumer_sim.services import catalog, products, views

blueprint = protect(Blueprint("catalog", __name__, url_prefix="/api/v1", description="Remote catalog items."))


@blueprint.route("/catalog-items", methods=["GET"])
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200)
def list_items(page: dict[str, Any]) -> dict[str, Any]:
    """The items that providers offer, or once offered."""
    with here().database.reading() as session:
        items, following = catalog.list_items(session, after=_text(page["cursor"]), limit=page["limit"])
        return {"items": [views.item_document(item) for item in items], "next": following}


@blueprint.route("/catalog-items/<uuid:item_id>", methods=["GET"])
@blueprint.response(200)
def get_item(item_id: UUID) -> dict[str, Any]:
    """One item with its form."""
    with here().database.reading() as session:
        return views.item_document(catalog.get_item(session, str(item_id)))


@blueprint.route("/catalog-items/<uuid:item_id>/activate", methods=["POST"])
@blueprint.response(200)
def activate(item_id: UUID) -> dict[str, Any]:
    """Open the newest revision for ordering."""
    context = here()
    with context.database.transaction() as session:
        item = catalog.get_item(session, str(item_id), lock=True)
        catalog.activate_item(session, item, now=context.clock())
        return views.item_document(item)


@blueprint.route("/catalog-items/<uuid:item_id>/deactivate", methods=["POST"])
@blueprint.response(200)
def deactivate(item_id: UUID) -> dict[str, Any]:
    """Close the item for ordering."""
    context = here()
    with context.database.transaction() as session:
        item = catalog.get_item(session, str(item_id), lock=True)
        catalog.deactivate_item(session, item, now=context.clock())
        return views.item_document(item)


@blueprint.route("/catalog-items/<uuid:item_id>/products", methods=["GET"])
@blueprint.arguments(ProductsPageSchema, location="query")
@blueprint.response(200)
def list_products(page: dict[str, Any], item_id: UUID) -> dict[str, Any]:
    """What we have of an item, or of the whole provider if the item is Manage Inventory; perhaps at one location."""
    after, location = _text(page["cursor"]), page.get("location")
    with here().database.reading() as session:
        item = catalog.get_item(session, str(item_id))
        found, following = products.list_products(
            session, item=item, location=location, after=after, limit=page["limit"]
        )
        return {"items": [views.product_document(product) for product in found], "next": following}


def _text(cursor: UUID | None) -> str | None:
    return str(cursor) if cursor else None
