"""What was sent to consumers, and what got stuck."""

from typing import Any

import flask

from bridge.web import Blueprint
from provider.api.auth import requires
from provider.api.context import here
from provider.api.paging import page_document, page_schema
from provider.api.schemas_orders import DeliveriesQuerySchema, DeliverySchema, OrderReasonSchema, plain
from provider.services import deliveries
from provider.services.connections import as_id

blueprint = Blueprint("deliveries", __name__, url_prefix="/api/v1/deliveries", description="Events to consumers.")

Document = dict[str, Any]


@blueprint.route("", methods=["GET"])
@requires("delivery.read")
@blueprint.arguments(DeliveriesQuerySchema, location="query")
@blueprint.response(200, page_schema(DeliverySchema))
def list_all(page: Document) -> Document:
    """Deliveries in the order in which they were recorded."""
    connection_id, state = plain(page["connection"]), page["state"]
    with here().database.reading() as session:
        found = deliveries.list_deliveries(
            session, connection_id=connection_id, state=state, limit=page["limit"], after=page["cursor"]
        )
        return page_document(found)


@blueprint.route("/<delivery_id>", methods=["GET"])
@requires("delivery.read")
@blueprint.response(200, DeliverySchema)
def get(delivery_id: str) -> Document:
    """One delivery: its place, its state, and why it is not further."""
    with here().database.reading() as session:
        return deliveries.get_delivery(session, as_id("delivery", delivery_id))


@blueprint.route("/<delivery_id>/replay", methods=["POST"])
@requires("delivery.write")
@blueprint.response(200, DeliverySchema)
def replay(delivery_id: str) -> Document:
    """Send a parked delivery again."""
    delivery_id = as_id("delivery", delivery_id)
    with here().transaction() as session:
        return deliveries.replay_delivery(session, delivery_id, actor=flask.g.actor, now=here().clock())


@blueprint.route("/<delivery_id>/skip", methods=["POST"])
@requires("delivery.write")
@blueprint.arguments(OrderReasonSchema)
@blueprint.response(200, DeliverySchema)
def skip(body: Document, delivery_id: str) -> Document:
    """Give a parked delivery up, so that those behind it go on."""
    delivery_id, reason = as_id("delivery", delivery_id), body["reason"]
    with here().transaction() as session:
        return deliveries.skip_delivery(session, delivery_id, reason=reason, actor=flask.g.actor, now=here().clock())
