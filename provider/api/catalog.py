"""What we sell, for our own people: import, look, publish, retire."""

from typing import Any

import flask

from bridge.web import Blueprint
from provider.api.auth import requires
from provider.api.context import here
from provider.api.paging import PageSchema, page_document, page_schema
from provider.api.schemas import CatalogDocumentSchema, ImportResultSchema, OfferingSchema, SpecificationSchema
from provider.api.schemas_producers import BulkOutcomesSchema, BulkSellSchema
from provider.models.catalog import ProductOffering, Specification
from provider.services import catalog
from provider.services.bulk_publishing import sell_entries
from provider.services.catalog_export import export_catalog
from provider.services.catalog_import import ImportResult, import_catalog

blueprint = Blueprint("catalog", __name__, url_prefix="/api/v1", description="Offerings and specifications.")


@blueprint.route("/catalog/import", methods=["POST"])
@requires("catalog.write")
@blueprint.arguments(CatalogDocumentSchema)
@blueprint.response(200, ImportResultSchema)
def import_document(document: dict[str, Any]) -> ImportResult:
    """Take in a catalog document, as a whole or not at all; repeating it changes nothing."""
    with here().transaction() as session:
        return import_catalog(session, document, here().clock(), flask.g.actor)


@blueprint.route("/catalog/export", methods=["GET"])
@requires("catalog.read")
@blueprint.response(200, CatalogDocumentSchema)
def export_document() -> dict[str, Any]:
    """The whole catalog, as the document that an import takes."""
    with here().database.reading() as session:
        return export_catalog(session)


@blueprint.route("/catalog/sell", methods=["POST"])
@requires("catalog.write")
@blueprint.arguments(BulkSellSchema)
@blueprint.response(200, BulkOutcomesSchema)
def sell_many(body: dict[str, Any]) -> dict[str, Any]:
    """Sell up to 20 entries over the exchange, each judged by itself: their items for consumers are drafts then."""
    entries = [(one["kind"], str(one["id"])) for one in body["entries"]]
    with here().transaction() as session:
        return {"outcomes": sell_entries(session, entries, flask.g.actor, here().clock())}


@blueprint.route("/product-offerings", methods=["GET"])
@requires("catalog.read")
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, page_schema(OfferingSchema))
def list_offerings(page: dict[str, Any]) -> dict[str, Any]:
    """All offerings in all versions."""
    with here().database.reading() as session:
        return page_document(catalog.list_offerings(session, limit=page["limit"], after=page["cursor"]))


@blueprint.route("/product-offerings/<offering_id>/publish", methods=["POST"])
@requires("catalog.write")
@blueprint.response(200, OfferingSchema)
def publish_offering(offering_id: str) -> ProductOffering:
    """Publish in the catalog; for the exchange this drafts a remote record producer."""
    with here().transaction() as session:
        return catalog.publish_offering(session, offering_id, flask.g.actor, here().clock())


@blueprint.route("/product-offerings/<offering_id>/retire", methods=["POST"])
@requires("catalog.write")
@blueprint.response(200, OfferingSchema)
def retire_offering(offering_id: str) -> ProductOffering:
    """End selling; consumers lose the item, open orders and products go on."""
    with here().transaction() as session:
        return catalog.retire_offering(session, offering_id, flask.g.actor, here().clock())


@blueprint.route("/specifications", methods=["GET"])
@requires("catalog.read")
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, page_schema(SpecificationSchema))
def list_specifications(page: dict[str, Any]) -> dict[str, Any]:
    """All specifications in all versions."""
    with here().database.reading() as session:
        return page_document(catalog.list_specifications(session, limit=page["limit"], after=page["cursor"]))


@blueprint.route("/specifications/<specification_id>/publish", methods=["POST"])
@requires("catalog.write")
@blueprint.response(200, SpecificationSchema)
def publish_specification(specification_id: str) -> Specification:
    """Publish; a customer-facing service for the exchange drafts a remote record producer."""
    with here().transaction() as session:
        return catalog.publish_specification(session, specification_id, flask.g.actor, here().clock())
