"""Approvals on provider tasks: our people ask for them, consumers answer them (`docs/wire.md`, 4.7)."""

from typing import Any

import flask

from bridge.web import Blueprint
from provider.api.auth import connected, requires
from provider.api.context import here
from provider.api.idempotency import answer_once
from provider.api.schemas_task_approvals import (
    ApprovalAnswerSchema,
    NewTaskApprovalSchema,
    TaskApprovalSchema,
    TaskApprovalsSchema,
    WithdrawalSchema,
)
from provider.services import task_approvals
from provider.services.connections import as_id

blueprint = Blueprint(
    "task_approvals", __name__, url_prefix="/api/v1/provider-tasks", description="What consumers are to approve."
)
exchange = Blueprint(
    "exchange_task_approvals", __name__, url_prefix="/exchange/v1", description="For consumers: approvals."
)

Document = dict[str, Any]


@blueprint.route("/<number>/approvals", methods=["GET"])
@requires("case.read")
@blueprint.response(200, TaskApprovalsSchema)
def list_all(number: str) -> Document:
    """What was asked on a provider task, with or without an order, and what became of it."""
    with here().database.reading() as session:
        return {"items": task_approvals.list_approvals(session, number)}


@blueprint.route("/<number>/approvals", methods=["POST"])
@requires("comment.write")
@blueprint.arguments(NewTaskApprovalSchema)
@blueprint.response(201, TaskApprovalSchema)
def ask(body: Document, number: str) -> Document:
    """Ask the consumer to approve something. Nothing waits for the answer but people."""
    with here().transaction() as session:
        return task_approvals.ask_approval(session, number, **body, actor=flask.g.actor, now=here().clock())


@blueprint.route("/<number>/approvals/<approval_id>/withdraw", methods=["POST"])
@requires("comment.write")
@blueprint.arguments(WithdrawalSchema)
@blueprint.response(200, TaskApprovalSchema)
def withdraw(body: Document, number: str, approval_id: str) -> Document:
    """Take it back while it is open; 409 `approval_not_open` says what became of it."""
    named, now = as_id("approval", approval_id), here().clock()
    with here().transaction() as session:
        return task_approvals.withdraw_approval(session, number, named, **body, actor=flask.g.actor, now=now)


@exchange.route("/provider-tasks/<task_id>/approvals", methods=["GET"])
@connected
@exchange.response(200, TaskApprovalsSchema)
def list_own(task_id: str) -> Document:
    """What you are asked to approve on a request, and what became of it."""
    with here().database.reading() as session:
        found = task_approvals.list_own_approvals(session, flask.g.connection, as_id("provider task", task_id))
        return {"items": found}


@exchange.route("/provider-tasks/<task_id>/approval-answers", methods=["POST"])
@connected
@exchange.arguments(ApprovalAnswerSchema)
@exchange.response(200, TaskApprovalSchema)
def answer(body: Document, task_id: str) -> flask.Response:
    """Approve or reject. The first answer stands; the same again changes nothing."""
    me, task_id = flask.g.connection, as_id("provider task", task_id)
    said: Document = {"approval_id": str(body["approval_id"]), "is_approved": body["answer"] == "approve"}
    said |= {"reason": body["reason"], "person": body["answered_by"]["name"]}
    return answer_once(200, lambda session, now: task_approvals.answer_approval(session, me, task_id, **said, now=now))
