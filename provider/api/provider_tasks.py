"""What consumers call to order, talk, cancel and see what they have. `docs/wire.md`, section 4, describes it."""

from typing import Any

import flask

from bridge.web import Blueprint
from provider.api.auth import connected
from provider.api.context import here
from provider.api.idempotency import answer_once
from provider.api.paging import PageSchema, page_document, page_schema
from provider.api.schemas_inventory import PRODUCT_PAGE, ActionRequestSchema, OwnProductsQuerySchema, ProductSchema
from provider.api.schemas_orders import (
    CancellationSchema,
    CommentSchema,
    ListedCommentSchema,
    NewCommentSchema,
    ProviderTaskSchema,
    ResubmissionSchema,
    SubmissionSchema,
)
from provider.services import comments, intake, inventory, inventory_actions, provider_tasks
from provider.services.cancellations import note_refusal
from provider.services.connections import as_id

blueprint = Blueprint("exchange_tasks", __name__, url_prefix="/exchange/v1", description="For consumers: order, talk.")

Document = dict[str, Any]


@blueprint.route("/provider-tasks", methods=["POST"])
@connected
@blueprint.arguments(SubmissionSchema())  # made once; of a class one would be made for each request
@blueprint.response(201, ProviderTaskSchema)
def submit(body: Document) -> flask.Response:
    """Ask for something. Accepted is accepted for ever; the same again is the same answer."""
    me = flask.g.connection
    return answer_once(
        201,
        lambda session, now: intake.submit_provider_task(session, me, body, now=now).acceptance,
        on_refusal=lambda session, error: intake.remember_refusal(session, me, body["id"], body["revision"], error),
    )


@blueprint.route("/provider-tasks", methods=["GET"])
@connected
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, page_schema(ProviderTaskSchema))
def list_tasks(page: Document) -> Document:
    """Your requests, by number."""
    with here().database.reading() as session:
        found = provider_tasks.list_tasks(session, flask.g.connection, limit=page["limit"], after=page["cursor"])
        return page_document(found)


@blueprint.route("/provider-tasks/<task_id>", methods=["GET"])
@connected
@blueprint.response(200, ProviderTaskSchema)
def get_task(task_id: str) -> Document:
    """One request, as the last event told it, and what was asked."""
    with here().database.reading() as session:
        return provider_tasks.show_task(session, flask.g.connection, as_id("provider task", task_id))


@blueprint.route("/provider-tasks/<task_id>/resubmit", methods=["POST"])
@connected
@blueprint.arguments(ResubmissionSchema)
@blueprint.response(200, ProviderTaskSchema)
def resubmit(body: Document, task_id: str) -> flask.Response:
    """Correct a request whose order is Rejected."""
    me, task_id = flask.g.connection, as_id("provider task", task_id)
    return answer_once(
        200,
        lambda session, now: intake.resubmit_provider_task(session, me, task_id, body, now=now),
        on_refusal=lambda session, error: intake.remember_refusal(session, me, task_id, body["revision"], error),
    )


@blueprint.route("/provider-tasks/<task_id>/cancel", methods=["POST"])
@connected
@blueprint.arguments(CancellationSchema)
@blueprint.response(200, ProviderTaskSchema)
def cancel(body: Document, task_id: str) -> flask.Response:
    """Ask for a cancellation. It is final before approval, and assessed afterwards."""
    me, task_id, now = flask.g.connection, as_id("provider task", task_id), here().clock()
    reason, asked_by = body["reason"], body.get("requested_by", {}).get("name")
    return answer_once(
        200,
        lambda session, now: intake.cancel_provider_task(
            session, me, task_id, reason=reason, asked_by=asked_by, now=now
        ),
        on_refusal=lambda session, error: note_refusal(session, me, task_id, error, asked_by=asked_by, now=now),
    )


@blueprint.route("/provider-tasks/<task_id>/comments", methods=["POST"])
@connected
@blueprint.arguments(NewCommentSchema)
@blueprint.response(201, CommentSchema)
def add_comment(body: Document, task_id: str) -> flask.Response:
    """Say something about a request. It is not sent back to you."""
    me, task_id = flask.g.connection, as_id("provider task", task_id)
    said = {"text": body["text"], "author_name": body["author"]["name"], "created_at": body["created_at"]}
    return answer_once(
        201,
        lambda session, now: comments.add_comment(session, me, task_id, comment_id=str(body["id"]), **said, now=now),
    )


@blueprint.route("/provider-tasks/<task_id>/comments", methods=["GET"])
@connected
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, page_schema(ListedCommentSchema))
def list_comments(page: Document, task_id: str) -> Document:
    """Both sides' comments on a request, by time and id."""
    me, task_id = flask.g.connection, as_id("provider task", task_id)
    with here().database.reading() as session:
        found = comments.list_comments(session, me, task_id, limit=page["limit"], after=page["cursor"])
        return page_document(found, lambda comment: comments.listed_comment(comment, task_id))


@blueprint.route("/products", methods=["GET"])
@connected
@blueprint.arguments(OwnProductsQuerySchema, location="query")
@blueprint.response(200, PRODUCT_PAGE)
def list_products(page: Document) -> Document:
    """What you have, by number."""
    page["after"] = page.pop("cursor")
    with here().database.reading() as session:
        return page_document(inventory.list_products(session, flask.g.connection, **page))


@blueprint.route("/products/<product_id>", methods=["GET"])
@connected
@blueprint.response(200, ProductSchema)
def get_product(product_id: str) -> Document:
    """One thing that you have."""
    with here().database.reading() as session:
        return inventory.show_product(session, flask.g.connection, as_id("product", product_id))


@blueprint.route("/products/<product_id>/actions", methods=["POST"])
@connected
@blueprint.arguments(ActionRequestSchema)
@blueprint.response(201, ProviderTaskSchema)
def request_action(body: Document, product_id: str) -> flask.Response:
    """Ask for something to be done with what you have: suspend, resume, disconnect, change or move it."""
    me, product_id = flask.g.connection, as_id("product", product_id)
    return answer_once(
        201,
        lambda session, now: inventory_actions.request_action(session, me, product_id, body, now=now).acceptance,
        on_refusal=lambda session, error: intake.remember_refusal(session, me, body["id"], body["revision"], error),
    )
