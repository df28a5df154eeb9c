"""The documents of deciding whether an order is cancelled."""

from marshmallow import Schema, fields

from bridge.schemas import SafeStr, StrictSchema, UtcDateTime
from provider.api.schemas import about

_AT = "2026-11-21T09:00:00.000Z"


class ApprovalSchema(StrictSchema):
    message = SafeStr(
        max_length=4000, allow_none=True, load_default=None, metadata=about("For the consumer.", "As you wish.")
    )


class CancelledLineSchema(Schema):
    number = fields.String(required=True, metadata=about("Of the line.", "ORDL0000001"))
    name = fields.String(required=True, metadata=about("What was ordered.", "SD-WAN Edge Device"))
    ponr = fields.Boolean(required=True, metadata=about("Itself past the point of no return.", True))


class UndoneTaskSchema(Schema):
    number = fields.String(required=True, metadata=about("Of the task.", "TASK0000001"))
    name = fields.String(required=True, metadata=about("What it was.", "Build"))
    assigned_to = fields.String(required=True, allow_none=True, metadata=about("Whose it is.", "user/ann"))


class CompensationSchema(Schema):
    name = fields.String(required=True, metadata=about("What would be done.", "Undo: Build"))
    compensates = fields.String(required=True, metadata=about("The task that it undoes.", "TASK0000001"))


class CancellationDetailSchema(Schema):
    status = fields.String(
        required=True, allow_none=True, metadata=about("requested, approved, declined or refused.", "requested")
    )
    message = fields.String(required=True, allow_none=True, metadata=about("What the consumer was told.", None))
    asked_by = fields.String(required=True, allow_none=True, metadata=about("The person, if it is known.", "Ada"))
    actor = fields.String(required=True, allow_none=True, metadata=about("Which connection or user.", "user/ann"))
    reason = fields.String(required=True, allow_none=True, metadata=about("Why.", "Ordered twice"))
    asked_at = UtcDateTime(required=True, allow_none=True, metadata=about("When.", _AT))
    stays = fields.List(
        fields.Nested(CancelledLineSchema), required=True, metadata=about("Lines that cannot be cancelled any longer.")
    )
    done = fields.List(fields.Nested(UndoneTaskSchema), required=True, metadata=about("What was done already."))
    begun = fields.List(fields.Nested(UndoneTaskSchema), required=True, metadata=about("What would be given up."))
    compensation = fields.List(
        fields.Nested(CompensationSchema), required=True, metadata=about("What would undo it, the first first.")
    )
