"""Files of requests: attach, fetch, try again."""

from typing import Any
from uuid import UUID

import flask

from bridge.attachments import clean_name
from bridge.downloads import BINARY, allow_upload, download
from bridge.web import Blueprint
from consumer_sim.api.auth import protect
from consumer_sim.api.context import here
from consumer_sim.api.schemas import FileQuerySchema
from consumer_sim.services import answered_files, attachments, tasks

blueprint = protect(Blueprint("attachments", __name__, url_prefix="/api/v1", description="Files of requests."))


@blueprint.route("/requests/<uuid:task_id>/attachments", methods=["POST"])
@blueprint.arguments(FileQuerySchema, location="query")
@blueprint.response(201)
@blueprint.doc(requestBody={"required": True, **BINARY})
def attach(query: dict[str, str], task_id: UUID) -> dict[str, Any]:
    """Attach the body of this request, a file of any length that is allowed; the provider gets it."""
    context, limits = here(), here().config.attachments
    allow_upload(limits)
    with context.database.reading() as session:
        name = attachments.check_talking(tasks.get_task(session, str(task_id)), query["name"], limits)
    said: dict[str, Any] = {"name": name, "media_type": flask.request.mimetype, "author_name": query["author_name"]}
    said |= {"kept": context.files.keep(flask.request.stream, name, limits), "limits": limits}
    with context.database.transaction() as session:
        task, company = tasks.get_task(session, str(task_id), lock=True), context.identity.name
        made = attachments.attach_file(session, task, **said, company=company, now=context.clock())
        return attachments.attachment_document(made)


@blueprint.route("/files", methods=["POST"])
@blueprint.arguments(FileQuerySchema, location="query")
@blueprint.response(201)
@blueprint.doc(requestBody={"required": True, **BINARY})
def choose(query: dict[str, str]) -> dict[str, Any]:
    """Take in the body of this request for a question that is answered with a file; the answer is what this answers."""
    context, limits, name = here(), here().config.attachments, clean_name(query["name"])
    allow_upload(limits)
    kept = context.files.keep(flask.request.stream, name, limits)
    said: dict[str, Any] = {"name": name, "media_type": flask.request.mimetype, "chosen_by": query["author_name"]}
    with context.database.transaction() as session:
        return answered_files.keep_chosen(session, kept, **said, now=context.clock())


@blueprint.route("/attachments/<uuid:attachment_id>/content", methods=["GET"])
@blueprint.doc(responses={"200": {"description": "The file", **BINARY}})
def get_content(attachment_id: UUID) -> flask.Response:
    """The file itself, if it is here."""
    context = here()
    with context.database.reading() as session:
        attachment = attachments.get_attachment(session, str(attachment_id))
    return download(attachments.find_content(context.files, attachment), attachment.name)


@blueprint.route("/attachments/<uuid:attachment_id>/retry", methods=["POST"])
@blueprint.response(200)
def retry(attachment_id: UUID) -> dict[str, Any]:
    """Try again with a file that was refused."""
    with here().database.transaction() as session:
        attachment = attachments.get_attachment(session, str(attachment_id), lock=True)
        attachments.retry_attachment(session, attachment, now=here().clock())
        return attachments.attachment_document(attachment)
