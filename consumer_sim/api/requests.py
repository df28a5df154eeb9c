"""Requests: ask, follow, discuss, correct, cancel."""

from typing import Any
from uuid import UUID

from bridge.web import Blueprint
from consumer_sim.api.auth import protect
from consumer_sim.api.context import here
from consumer_sim.api.schemas import AnswersSchema, CancelSchema, CommentSchema, PageSchema, RequestSchema
from consumer_sim.services import catalog, comments, requests, tasks, views

blueprint = protect(Blueprint("requests", __name__, url_prefix="/api/v1", description="What was asked of providers."))


@blueprint.route("/requests", methods=["POST"])
@blueprint.arguments(RequestSchema)
@blueprint.response(201)
def submit(body: dict[str, Any]) -> dict[str, Any]:
    """Ask for an item; works while the provider is away."""
    context = here()
    connection_id = body.get("connection_id")
    with context.database.transaction() as session:
        item = catalog.get_item(
            session, str(body["catalog_item_id"]), connection_id=str(connection_id) if connection_id else None
        )
        task = requests.submit_request(session, item, body, body["requested_by"], now=context.clock())
        return views.task_detail(session, task)


@blueprint.route("/requests", methods=["GET"])
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200)
def list_requests(page: dict[str, Any]) -> dict[str, Any]:
    """All requests, newest first."""
    after = str(page["cursor"]) if page["cursor"] else None
    with here().database.reading() as session:
        found, following = tasks.list_tasks(session, after=after, limit=page["limit"])
        return {"items": views.task_documents(session, found), "next": following}


@blueprint.route("/requests/<uuid:task_id>", methods=["GET"])
@blueprint.response(200)
def get_request(task_id: UUID) -> dict[str, Any]:
    """One request with its timeline and comments."""
    with here().database.reading() as session:
        return views.task_detail(session, tasks.get_task(session, str(task_id)))


@blueprint.route("/requests/<uuid:task_id>/comments", methods=["POST"])
@blueprint.arguments(CommentSchema)
@blueprint.response(201)
def add_comment(body: dict[str, str], task_id: UUID) -> dict[str, Any]:
    """Say something about a request; the provider reads it."""
    context = here()
    with context.database.transaction() as session:
        task = tasks.get_task(session, str(task_id), lock=True)
        company = context.identity.name
        comment = comments.add_comment(session, task, body["text"], body["author_name"], company, now=context.clock())
        return views.comment_document(comment)


@blueprint.route("/requests/<uuid:task_id>/cancel", methods=["POST"])
@blueprint.arguments(CancelSchema)
@blueprint.response(200)
def cancel(body: dict[str, Any], task_id: UUID) -> dict[str, Any]:
    """Take the request back, as far as the provider lets us."""
    context = here()
    with context.database.transaction() as session:
        task = tasks.get_task(session, str(task_id), lock=True)
        requests.cancel_request(session, task, body["reason"], asked_by=body["asked_by"], now=context.clock())
        return views.task_detail(session, task)


@blueprint.route("/requests/<uuid:task_id>/correct", methods=["POST"])
@blueprint.arguments(AnswersSchema)
@blueprint.response(200)
def correct(body: dict[str, Any], task_id: UUID) -> dict[str, Any]:
    """Answer anew after a refusal, or while the order is rejected."""
    context = here()
    with context.database.transaction() as session:
        task = tasks.get_task(session, str(task_id), lock=True)
        requests.correct_request(session, task, body, now=context.clock())
        return views.task_detail(session, task)
