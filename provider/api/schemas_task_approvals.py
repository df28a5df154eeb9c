"""The documents of approvals that consumers are asked for on provider tasks."""

from marshmallow import Schema, fields, validate

from bridge.schemas import SafeStr, StrictSchema, Uuid
from provider.api.schemas import about
from provider.api.schemas_cases import CasePersonSchema
from provider.domain.task_approvals import REASON_MOST, SUBJECT_MOST, TaskApprovalState

_ID = "4a1c0d9e-2a6f-4f0e-8c7d-1d2c3b4a5f60"
_AT = "2026-11-21T09:00:00.000Z"


class NewTaskApprovalSchema(StrictSchema):
    subject = SafeStr(
        max_length=SUBJECT_MOST, min_length=1, required=True,
        metadata=about("What the consumer is to approve.", "Extra cost of 200 EUR for the second visit"),
    )  # fmt: skip
    due_on = fields.Date(
        load_default=None, allow_none=True, metadata=about("Until when an answer is hoped for.", "2026-12-01")
    )


class WithdrawalSchema(StrictSchema):
    reason = SafeStr(
        max_length=REASON_MOST, load_default="", metadata=about("Why; the consumer reads it.", "Not needed any more.")
    )


class ApprovalAnswerSchema(StrictSchema):
    approval_id = Uuid(required=True, metadata=about("Which one is answered.", _ID))
    answer = fields.String(
        required=True, validate=validate.OneOf(["approve", "reject"]), metadata=about("approve or reject.", "approve")
    )
    reason = SafeStr(
        max_length=REASON_MOST, load_default="", metadata=about("Why; needed to reject it.", "Too expensive.")
    )
    answered_by = fields.Nested(CasePersonSchema, required=True, metadata=about("Who says so."))


class AskerSchema(Schema):
    name = fields.String(required=True, metadata=about("Who.", "ann"))
    company = fields.String(required=True, metadata=about("Of which company.", "Nordic Telecom"))


class TaskApprovalSchema(Schema):
    task_id = fields.String(required=True, metadata=about("The provider task.", _ID))
    approval_id = fields.String(required=True, metadata=about("Its id, on both sides.", _ID))
    subject = fields.String(required=True, metadata=about("What is to be approved.", "Extra cost of 200 EUR"))
    due_on = fields.String(required=True, allow_none=True, metadata=about("Until when.", "2026-12-01"))
    state = fields.String(
        required=True, validate=validate.OneOf([str(state) for state in TaskApprovalState]),
        metadata=about("What became of it.", "open"),
    )  # fmt: skip
    state_label = fields.String(required=True, metadata=about("The same, to be shown.", "Waiting for an answer"))
    asked_by = fields.Nested(AskerSchema, required=True, metadata=about("Who asks."))
    asked_at = fields.String(required=True, metadata=about("When.", _AT))
    settled_by = fields.String(
        required=True, allow_none=True, metadata=about("Who answered, or withdrew it.", "Ada Lovelace")
    )
    settled_at = fields.String(required=True, allow_none=True, metadata=about("When.", _AT))
    reason = fields.String(required=True, allow_none=True, metadata=about("What was said then.", "Too expensive."))


class TaskApprovalsSchema(Schema):
    items = fields.List(fields.Nested(TaskApprovalSchema), required=True, metadata=about("All, the oldest first."))
