"""Orders, for the people who decide about them."""

from typing import Any

import flask

from bridge.web import Blueprint
from provider.api.auth import requires
from provider.api.context import here
from provider.api.paging import page_document, page_schema
from provider.api.schemas_cancellation import ApprovalSchema, CancellationDetailSchema
from provider.api.schemas_orders import (
    CommentSchema,
    OrderDetailSchema,
    OrderMoveSchema,
    OrderReasonSchema,
    OrderSchema,
    OrdersQuerySchema,
    TextSchema,
    WorkNoteSchema,
)
from provider.domain.orders import OrderState
from provider.services import cancellations, comments, orders
from provider.services.order_deliveries import replay_order_deliveries
from provider.services.order_view import order_data, show_order, work_note_data

blueprint = Blueprint("orders", __name__, url_prefix="/api/v1/orders", description="Orders of all consumers.")

Document = dict[str, Any]


@blueprint.route("", methods=["GET"])
@requires("order.read")
@blueprint.arguments(OrdersQuerySchema, location="query")
@blueprint.response(200, page_schema(OrderSchema))
def list_all(page: Document) -> Document:
    """Orders by number."""
    with here().database.reading() as session:
        found = orders.list_orders(session, state=page["state"], limit=page["limit"], after=page["cursor"])
        return page_document(found, order_data)


@blueprint.route("/<number>", methods=["GET"])
@requires("order.read")
@blueprint.response(200, OrderDetailSchema)
def get(number: str) -> Document:
    """One order with its request, lines, tasks, history, comments and delivery."""
    with here().database.reading() as session:
        return show_order(session, number)


@blueprint.route("/<number>/approve", methods=["POST"])
@requires("order.approve")
@blueprint.response(200, OrderDetailSchema)
def approve(number: str) -> Document:
    """Accept an order or its revision: it is acknowledged, and fulfilment begins."""
    with here().transaction() as session:
        orders.approve_order(session, number, actor=flask.g.actor, now=here().clock())
        return show_order(session, number)


@blueprint.route("/<number>/reject", methods=["POST"])
@requires("order.approve")
@blueprint.arguments(OrderReasonSchema)
@blueprint.response(200, OrderDetailSchema)
def reject(body: Document, number: str) -> Document:
    """Send an order back; the consumer reads the reason."""
    with here().transaction() as session:
        orders.reject_order(session, number, reason=body["reason"], actor=flask.g.actor, now=here().clock())
        return show_order(session, number)


@blueprint.route("/<number>/move", methods=["POST"])
@requires("order.approve")
@blueprint.arguments(OrderMoveSchema)
@blueprint.response(200, OrderDetailSchema)
def move(body: Document, number: str) -> Document:
    """Perform any of the order's legal moves."""
    wanted, reason = OrderState[body["to"].upper()], body["reason"]
    with here().transaction() as session:
        orders.move_order(session, number, wanted, reason=reason, actor=flask.g.actor, now=here().clock())
        return show_order(session, number)


@blueprint.route("/<number>/cancel", methods=["POST"])
@requires("order.write")
@blueprint.arguments(OrderReasonSchema)
@blueprint.response(200, OrderDetailSchema)
def cancel(body: Document, number: str) -> Document:
    """Begin what a consumer's cancellation begins."""
    with here().transaction() as session:
        cancellations.cancel_order(session, number, reason=body["reason"], actor=flask.g.actor, now=here().clock())
        return show_order(session, number)


@blueprint.route("/<number>/cancellation", methods=["GET"])
@requires("order.read")
@blueprint.response(200, CancellationDetailSchema)
def get_cancellation(number: str) -> Document:
    """Who wishes to cancel it and why, what was done, and what would undo that."""
    with here().database.reading() as session:
        return cancellations.show_cancellation(session, number)


@blueprint.route("/<number>/cancellation/approve", methods=["POST"])
@requires("order.approve")
@blueprint.arguments(ApprovalSchema)
@blueprint.response(200, OrderDetailSchema)
def approve_cancellation(body: Document, number: str) -> Document:
    """Agree to a cancellation: what was done is undone, or nothing was, and it is cancelled."""
    message, now = body["message"], here().clock()
    with here().transaction() as session:
        cancellations.approve_cancellation(session, number, message=message, actor=flask.g.actor, now=now)
        return show_order(session, number)


@blueprint.route("/<number>/cancellation/decline", methods=["POST"])
@requires("order.approve")
@blueprint.arguments(OrderReasonSchema)
@blueprint.response(200, OrderDetailSchema)
def decline_cancellation(body: Document, number: str) -> Document:
    """Refuse a cancellation: the work goes on where it was, and the consumer reads the reason."""
    reason, now = body["reason"], here().clock()
    with here().transaction() as session:
        cancellations.decline_cancellation(session, number, reason=reason, actor=flask.g.actor, now=now)
        return show_order(session, number)


@blueprint.route("/<number>/comments", methods=["POST"])
@requires("comment.write")
@blueprint.arguments(TextSchema)
@blueprint.response(201, CommentSchema)
def comment(body: Document, number: str) -> Document:
    """Say something to the consumer."""
    author = flask.g.actor.removeprefix("user/")
    with here().transaction() as session:
        return comments.add_reply(session, number, text=body["text"], author_name=author, now=here().clock())


@blueprint.route("/<number>/deliveries/replay", methods=["POST"])
@requires("delivery.write")
@blueprint.response(200, OrderDetailSchema)
def replay(number: str) -> Document:
    """Send everything again that is parked of this order."""
    with here().transaction() as session:
        replay_order_deliveries(session, number, actor=flask.g.actor, now=here().clock())
        return show_order(session, number)


@blueprint.route("/<number>/work-notes", methods=["POST"])
@requires("work_note.write")
@blueprint.arguments(TextSchema)
@blueprint.response(201, WorkNoteSchema)
def note(body: Document, number: str) -> Document:
    """Note something that no consumer reads."""
    with here().transaction() as session:
        noted = comments.add_work_note(session, number, text=body["text"], author=flask.g.actor, now=here().clock())
        return work_note_data(noted)
