"""What consumers call about files of their requests. `docs/wire.md`, 4.4, describes it."""

from typing import Any

import flask

from bridge.downloads import BINARY, download, read_piece
from bridge.web import Blueprint
from provider.api.auth import connected
from provider.api.context import here
from provider.api.idempotency import answer_once
from provider.api.paging import PageSchema, page_document, page_schema
from provider.api.schemas_attachments import (
    AnnouncementSchema,
    AttachmentSchema,
    ListedAttachmentSchema,
    OutcomeSchema,
    PieceQuerySchema,
    PieceSchema,
)
from provider.services import attachments
from provider.services.attachment_content import find_content, take_piece
from provider.services.attachments import Announced
from provider.services.connections import as_id

blueprint = Blueprint("exchange_attachments", __name__, url_prefix="/exchange/v1", description="For consumers: files.")

Document = dict[str, Any]


@blueprint.route("/provider-tasks/<task_id>/attachments", methods=["POST"])
@connected
@blueprint.arguments(AnnouncementSchema)
@blueprint.response(201, AttachmentSchema)
def announce(body: Document, task_id: str) -> flask.Response:
    """Tell of a file that you will send. Accepted, it is sent with `PUT` of its content."""
    context, me, task_id = here(), flask.g.connection, as_id("provider task", task_id)
    said = Announced(author_name=body.pop("author")["name"], **body | {"id": str(body["id"])})
    return answer_once(
        201,
        lambda session, now: attachments.announce_attachment(session, me, task_id, said, context.attachment_limits),
        on_refusal=lambda session, error: attachments.note_refused(session, me, task_id, said, error),
    )


@blueprint.route("/provider-tasks/<task_id>/attachments", methods=["GET"])
@connected
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, page_schema(ListedAttachmentSchema))
def list_all(page: Document, task_id: str) -> Document:
    """Both sides' files of a request, by time and id."""
    me, task_id = flask.g.connection, as_id("provider task", task_id)
    with here().database.reading() as session:
        found = attachments.list_own(session, me, task_id, limit=page["limit"], after=page["cursor"])
        return page_document(found, lambda one: attachments.show_attachment(one, task_id))


@blueprint.route("/attachments/<attachment_id>/content", methods=["PUT"])
@connected
@blueprint.arguments(PieceQuerySchema, location="query")
@blueprint.response(200, PieceSchema)
@blueprint.doc(requestBody={"required": True, **BINARY})
def put_content(query: Document, attachment_id: str) -> Document:
    """Send a piece of your file, at most 1 MiB; with the last one it is whole, and its hash is compared."""
    context, attachment_id = here(), as_id("attachment", attachment_id)
    return take_piece(
        context.database, context.transaction, context.files, flask.g.connection, attachment_id, query["offset"],
        read_piece(),
    )  # fmt: skip


@blueprint.route("/attachments/<attachment_id>/content", methods=["GET"])
@connected
@blueprint.doc(responses={"200": {"description": "The file", **BINARY}})
def get_content(attachment_id: str) -> flask.Response:
    """A file of either side; with `Range`, a piece of it."""
    context, attachment_id = here(), as_id("attachment", attachment_id)
    with context.database.reading() as session:
        attachment = attachments.find_own(session, flask.g.connection, attachment_id)
    return download(find_content(context.files, attachment), attachment.name)


@blueprint.route("/attachments/<attachment_id>/outcome", methods=["PUT"])
@connected
@blueprint.arguments(OutcomeSchema)
@blueprint.response(200, AttachmentSchema)
def settle(body: Document, attachment_id: str) -> Document:
    """Tell what became of a file of ours: you have it, or refused it and why. It may be repeated."""
    attachment_id = as_id("attachment", attachment_id)
    with here().transaction() as session:
        return attachments.settle_attachment(session, flask.g.connection, attachment_id, **body)
