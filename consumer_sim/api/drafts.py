"""Drafts of requests: write, look, go on writing, submit, throw away."""

from typing import Any
from uuid import UUID

from bridge.web import Blueprint
from consumer_sim.api.auth import protect
from consumer_sim.api.context import here
from consumer_sim.api.schemas import DraftAnswersSchema, DraftSchema, PageSchema
from consumer_sim.services import catalog, drafts, views

blueprint = protect(Blueprint("drafts", __name__, url_prefix="/api/v1", description="Requests being written."))


@blueprint.route("/drafts", methods=["POST"])
@blueprint.arguments(DraftSchema)
@blueprint.response(201)
def save(body: dict[str, Any]) -> dict[str, Any]:
    """Keep a request for later, whatever is still missing in it."""
    context = here()
    item_id, connection_id = str(body.pop("catalog_item_id")), body.pop("connection_id", None)
    requested_by = body.pop("requested_by", None)
    with context.database.transaction() as session:
        item = catalog.get_item(session, item_id, connection_id=str(connection_id) if connection_id else None)
        return drafts.draft_document(drafts.save_draft(session, item, body, requested_by, now=context.clock()))


@blueprint.route("/drafts", methods=["GET"])
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200)
def list_drafts(page: dict[str, Any]) -> dict[str, Any]:
    """All drafts."""
    after = str(page["cursor"]) if page["cursor"] else None
    with here().database.reading() as session:
        found, following = drafts.list_drafts(session, after=after, limit=page["limit"])
        return {"items": [drafts.draft_document(draft) for draft in found], "next": following}


@blueprint.route("/drafts/<uuid:draft_id>", methods=["GET"])
@blueprint.response(200)
def get_draft(draft_id: UUID) -> dict[str, Any]:
    """One draft."""
    with here().database.reading() as session:
        return drafts.draft_document(drafts.get_draft(session, str(draft_id), drafts.PROGRAM))


@blueprint.route("/drafts/<uuid:draft_id>", methods=["PUT"])
@blueprint.arguments(DraftAnswersSchema)
@blueprint.response(200)
def change(body: dict[str, Any], draft_id: UUID) -> dict[str, Any]:
    """Put these answers in place of the former ones."""
    context, requested_by = here(), body.pop("requested_by", None)
    with context.database.transaction() as session:
        draft = drafts.get_draft(session, str(draft_id), drafts.PROGRAM, lock=True)
        drafts.change_draft(draft, body, requested_by, now=context.clock())
        return drafts.draft_document(draft)


@blueprint.route("/drafts/<uuid:draft_id>", methods=["DELETE"])
@blueprint.response(204)
def delete(draft_id: UUID) -> None:
    """Throw a draft away."""
    with here().database.transaction() as session:
        drafts.delete_draft(session, drafts.get_draft(session, str(draft_id), drafts.PROGRAM, lock=True))


@blueprint.route("/drafts/<uuid:draft_id>/submit", methods=["POST"])
@blueprint.response(201)
def submit(draft_id: UUID) -> dict[str, Any]:
    """Ask for what was written. The request has the draft's id; submitting twice is submitting once."""
    context = here()
    with context.database.transaction() as session:
        return views.task_detail(session, drafts.submit_draft(session, str(draft_id), now=context.clock()))
