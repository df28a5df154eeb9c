"""Files of orders, for the people who work on them."""

from typing import Any

import flask

from bridge.downloads import BINARY, allow_upload, download
from bridge.web import Blueprint
from provider.api.auth import requires
from provider.api.context import here
from provider.api.schemas_attachments import FileQuerySchema, OwnAttachmentSchema, OwnAttachmentsSchema
from provider.services import attachments
from provider.services.attachment_content import find_content, keep_file
from provider.services.connections import as_id

blueprint = Blueprint("attachments", __name__, url_prefix="/api/v1", description="Files of orders.")

Document = dict[str, Any]


@blueprint.route("/orders/<number>/attachments", methods=["POST"])
@requires("comment.write")
@blueprint.arguments(FileQuerySchema, location="query")
@blueprint.response(201, OwnAttachmentSchema)
@blueprint.doc(requestBody={"required": True, **BINARY})
def attach(query: Document, number: str) -> Document:
    """Attach the body of this request, a file of any length that is allowed; the consumer is told, and fetches it."""
    context, limits = here(), here().attachment_limits
    allow_upload(limits)
    kept = keep_file(context.database, context.files, number, query["name"], flask.request.stream, limits)
    said: Document = {"name": query["name"], "media_type": flask.request.mimetype, "kept": kept, "limits": limits}
    with context.transaction() as session:
        actor = flask.g.actor.removeprefix("user/")
        made = attachments.attach_file(session, number, **said, author_name=actor, now=context.clock())
        return attachments.show_own(session, made)


@blueprint.route("/orders/<number>/attachments", methods=["GET"])
@requires("order.read")
@blueprint.response(200, OwnAttachmentsSchema)
def list_all(number: str) -> Document:
    """Both sides' files of an order, with how far each is."""
    with here().database.reading() as session:
        return {"items": attachments.list_attachments(session, number)}


@blueprint.route("/attachments/<attachment_id>/content", methods=["GET"])
@requires("order.read")
@blueprint.doc(responses={"200": {"description": "The file", **BINARY}})
def get_content(attachment_id: str) -> flask.Response:
    """The file itself."""
    context, attachment_id = here(), as_id("attachment", attachment_id)
    with context.database.reading() as session:
        attachment = attachments.get_attachment(session, attachment_id)
    return download(find_content(context.files, attachment), attachment.name)


@blueprint.route("/attachments/<attachment_id>/retry", methods=["POST"])
@requires("comment.write")
@blueprint.response(200, OwnAttachmentSchema)
def retry(attachment_id: str) -> Document:
    """Offer a file of ours again that the consumer refused."""
    with here().transaction() as session:
        attachment_id = as_id("attachment", attachment_id)
        made = attachments.retry_attachment(session, attachment_id, now=here().clock())
        return attachments.show_own(session, made)
