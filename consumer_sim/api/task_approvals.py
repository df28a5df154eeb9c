"""What providers ask us to approve on their tasks, and our answers."""

from typing import Any
from uuid import UUID

from bridge.web import Blueprint
from consumer_sim.api.auth import protect
from consumer_sim.api.context import here
from consumer_sim.api.schemas_personas import ApprovalAnswerSchema
from consumer_sim.services import approvals, task_approvals, tasks

blueprint = protect(
    Blueprint("task_approvals", __name__, url_prefix="/api/v1", description="What providers ask us to approve.")
)

Document = dict[str, Any]
_ALL = "/requests/<uuid:task_id>/task-approvals"


@blueprint.route(_ALL, methods=["GET"])
@blueprint.response(200)
def list_all(task_id: UUID) -> Document:
    """Of a request, the oldest first."""
    with here().database.reading() as session:
        found = task_approvals.get_approvals(session, tasks.get_task(session, str(task_id)))
        return {"items": [task_approvals.approval_document(one) for one in found]}


@blueprint.route(f"{_ALL}/<uuid:approval_id>/answer", methods=["POST"])
@blueprint.arguments(ApprovalAnswerSchema)
@blueprint.response(200)
def answer(body: Document, task_id: UUID, approval_id: UUID) -> Document:
    """Approve it, or reject it with a reason; the provider is told. The first answer of ours stands."""
    with here().database.transaction() as session:
        task = tasks.get_task(session, str(task_id), lock=True)
        decider = approvals.find_decider(session, body["decided_by"])
        said: Document = {"decider": decider, "now": here().clock()}
        found = task_approvals.answer_approval(session, task, str(approval_id), body["answer"], body["reason"], **said)
        return task_approvals.approval_document(found)
