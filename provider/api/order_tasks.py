"""Order tasks, for the people who do the work."""

from typing import Any

import flask

from bridge.web import Blueprint
from provider.api.auth import requires
from provider.api.context import here
from provider.api.paging import page_document, page_schema
from provider.api.schemas_orders import OrderTaskMoveSchema, OrderTaskSchema, OrderTasksQuerySchema
from provider.domain.order_tasks import OrderTaskState
from provider.services import order_tasks

blueprint = Blueprint("order_tasks", __name__, url_prefix="/api/v1/order-tasks", description="The work on orders.")

Document = dict[str, Any]


@blueprint.route("", methods=["GET"])
@requires("order_task.read")
@blueprint.arguments(OrderTasksQuerySchema, location="query")
@blueprint.response(200, page_schema(OrderTaskSchema))
def list_all(page: Document) -> Document:
    """Order tasks by number."""
    page["after"] = page.pop("cursor")
    with here().database.reading() as session:
        return page_document(order_tasks.list_order_tasks(session, **page))


@blueprint.route("/<number>/start", methods=["POST"])
@requires("order_task.write")
@blueprint.response(200, OrderTaskSchema)
def start(number: str) -> Document:
    """Begin to work on a task, and take it if nobody has."""
    with here().transaction() as session:
        return order_tasks.start_task(session, number, actor=flask.g.actor, now=here().clock())


@blueprint.route("/<number>/complete", methods=["POST"])
@requires("order_task.write")
@blueprint.response(200, OrderTaskSchema)
def complete(number: str) -> Document:
    """Close a task. The last one of a line completes it, the last line the order."""
    with here().transaction() as session:
        return order_tasks.complete_task(session, number, actor=flask.g.actor, now=here().clock())


@blueprint.route("/<number>/move", methods=["POST"])
@requires("order_task.write")
@blueprint.arguments(OrderTaskMoveSchema)
@blueprint.response(200, OrderTaskSchema)
def move(body: Document, number: str) -> Document:
    """Perform any of the task's legal moves."""
    wanted, reason = OrderTaskState[body["to"].upper()], body["reason"]
    with here().transaction() as session:
        return order_tasks.move_task(session, number, wanted, reason=reason, actor=flask.g.actor, now=here().clock())
