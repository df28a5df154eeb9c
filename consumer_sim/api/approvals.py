"""What our own people decide: of an item, over all its revisions, and of a request before it is sent."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from bridge.web import Blueprint
from consumer_sim.api.auth import protect
from consumer_sim.api.context import here
from consumer_sim.api.schemas import ItemQuerySchema
from consumer_sim.api.schemas_personas import (
    ApprovalRuleSchema,
    ApprovalsQuerySchema,
    ApprovingSchema,
    OwnVariablesSchema,
    RejectingSchema,
)
from consumer_sim.models import CatalogItem
from consumer_sim.services import approvals, catalog, item_settings, tasks, views

blueprint = protect(Blueprint("approvals", __name__, url_prefix="/api/v1", description="What is decided here."))

Document = dict[str, Any]
_SETTINGS = "/catalog-items/<uuid:item_id>/settings"


@blueprint.route(_SETTINGS, methods=["GET"])
@blueprint.arguments(ItemQuerySchema, location="query")
@blueprint.response(200)
def get_settings(query: Document, item_id: UUID) -> Document:
    """Questions of our own, and whether requests wait for our approval."""
    with here().database.reading() as session:
        return _settings(session, _item(session, query, item_id))


@blueprint.route(f"{_SETTINGS}/variables", methods=["PUT"])
@blueprint.arguments(ItemQuerySchema, location="query")
@blueprint.arguments(OwnVariablesSchema)
@blueprint.response(200)
def set_variables(query: Document, body: Document, item_id: UUID) -> Document:
    """The questions of our own, in their order."""
    with here().database.transaction() as session:
        item = _item(session, query, item_id)
        item_settings.set_variables(session, item, body["variables"], now=here().clock())
        return _settings(session, item)


@blueprint.route(f"{_SETTINGS}/approval", methods=["PUT"])
@blueprint.arguments(ItemQuerySchema, location="query")
@blueprint.arguments(ApprovalRuleSchema)
@blueprint.response(200)
def set_approval(query: Document, body: Document, item_id: UUID) -> Document:
    """Whether requests of the item wait for our own approval."""
    with here().database.transaction() as session:
        item = _item(session, query, item_id)
        item_settings.set_approval(session, item, **body, now=here().clock())
        return _settings(session, item)


@blueprint.route("/approvals", methods=["GET"])
@blueprint.arguments(ApprovalsQuerySchema, location="query")
@blueprint.response(200)
def list_approvals(query: Document) -> Document:
    """The requests that wait for approval here, the oldest first."""
    with here().database.reading() as session:
        decider = approvals.find_decider(session, query["decided_by"]) if query["decided_by"] else None
        found, total = approvals.search_approvals(session, decider, limit=query["limit"])
        return {"items": views.task_documents(session, [one.task for one in found]), "next": None, "total": total}


@blueprint.route("/requests/<uuid:task_id>/approval/approve", methods=["POST"])
@blueprint.arguments(ApprovingSchema)
@blueprint.response(200)
def approve(body: Document, task_id: UUID) -> Document:
    """Send it; approved again, it is not sent again."""
    with here().database.transaction() as session:
        task = tasks.get_task(session, str(task_id), lock=True)
        decider = approvals.find_decider(session, body["decided_by"])
        approvals.approve_request(session, task, decider, now=here().clock())
        return views.task_detail(session, task)


@blueprint.route("/requests/<uuid:task_id>/approval/reject", methods=["POST"])
@blueprint.arguments(RejectingSchema)
@blueprint.response(200)
def reject(body: Document, task_id: UUID) -> Document:
    """End it; nothing of it was sent."""
    with here().database.transaction() as session:
        task = tasks.get_task(session, str(task_id), lock=True)
        decider = approvals.find_decider(session, body["decided_by"])
        approvals.reject_request(session, task, body["reason"], decider, now=here().clock())
        return views.task_detail(session, task)


def _item(session: Session, query: Document, item_id: UUID) -> CatalogItem:
    connection_id = str(query["connection"]) if query["connection"] else None
    return catalog.get_item(session, str(item_id), connection_id=connection_id)


def _settings(session: Session, item: CatalogItem) -> Document:
    found = item_settings.find_settings(session, item.connection_id, item.id)
    return item_settings.settings_document(found, item_settings.find_approver_name(session, found))
