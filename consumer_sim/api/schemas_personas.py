"""The documents of authorised users, groups, what is decided of items, and approval before sending."""

from typing import Any

from marshmallow import fields, validate

from bridge.schemas import BoundedInt, Identifier, SafeStr, StrictSchema, Uuid
from consumer_sim.services.item_settings import OPTIONS_LIMIT, OWN_TYPES, VARIABLES_LIMIT

_ID = "0b9d5c4e-7f57-4b59-8c5e-0f7a4f0d2c11"
_LIMIT = 200


def _about(description: str, example: Any = None) -> dict[str, Any]:
    return {"description": description, **({"example": example} if example is not None else {})}


def _ids(description: str) -> fields.List[Any]:
    return fields.List(Uuid(), required=True, validate=validate.Length(max=_LIMIT), metadata=_about(description, [_ID]))


class ConnectionQuerySchema(StrictSchema):
    connection = Uuid(required=True, metadata=_about("With which provider, by the wire's id.", _ID))


class NamedUserSchema(StrictSchema):
    connection_id = Uuid(required=True, metadata=_about("With which provider, by the wire's id.", _ID))
    name = Identifier(max_length=120, required=True, metadata=_about("Which of our users.", "ada"))
    persona_ids = _ids("What the user is to hold alone; groups come on top.")


class ActiveSchema(StrictSchema):
    active = fields.Boolean(required=True, truthy={True}, falsy={False}, metadata=_about("Whether to order.", True))


class NewGroupSchema(StrictSchema):
    name = Identifier(max_length=120, required=True, metadata=_about("For people; no two are alike.", "Field service"))


class MembersSchema(StrictSchema):
    user_ids = _ids("Exactly these.")


class GroupPersonasSchema(StrictSchema):
    connection_id = Uuid(required=True, metadata=_about("With which provider, by the wire's id.", _ID))
    persona_ids = _ids("What each member is to hold.")


class OptionSchema(StrictSchema):
    value = SafeStr(max_length=255, min_length=1, required=True, metadata=_about("What is kept.", "4711"))
    label = SafeStr(max_length=255, metadata=_about("What is shown.", "Sales"))


class OwnVariableSchema(StrictSchema):
    key = SafeStr(max_length=60, min_length=1, required=True, metadata=_about("Names the answer.", "cost_centre"))
    label = SafeStr(max_length=255, min_length=1, required=True, metadata=_about("The question.", "Cost centre"))
    type = fields.String(required=True, validate=validate.OneOf(OWN_TYPES), metadata=_about("Of the answer.", "text"))
    mandatory = fields.Boolean(truthy={True}, falsy={False}, metadata=_about("Whether it must be answered.", True))
    default = fields.Raw(allow_none=True, metadata=_about("The answer if there is none.", "4711"))
    options = fields.List(
        fields.Nested(OptionSchema), validate=validate.Length(max=OPTIONS_LIMIT), metadata=_about("To choose from.")
    )
    description = SafeStr(max_length=2000, metadata=_about("A hint beside it.", "Ask your manager."))


class OwnVariablesSchema(StrictSchema):
    variables = fields.List(
        fields.Nested(OwnVariableSchema), required=True, validate=validate.Length(max=VARIABLES_LIMIT),
        metadata=_about("Questions of our own, in their order; no answer to them ever leaves."),
    )  # fmt: skip


class ApprovalRuleSchema(StrictSchema):
    needs_approval = fields.Boolean(
        required=True, truthy={True}, falsy={False}, metadata=_about("Whether requests wait for our approval.", True)
    )
    approver = Identifier(
        max_length=120, allow_none=True, load_default=None, metadata=_about("By whom; null: whoever may.", "grace")
    )
    above_quantity = BoundedInt(
        minimum=0, maximum=1000, allow_none=True, load_default=None,
        metadata=_about("Only requests of more than so many wait; null: all.", 5),
    )  # fmt: skip


class ApprovingSchema(StrictSchema):
    decided_by = Identifier(max_length=120, required=True, metadata=_about("A user who may approve.", "grace"))


class RejectingSchema(ApprovingSchema):
    reason = SafeStr(max_length=2000, min_length=1, required=True, metadata=_about("Why.", "Too dear."))


class ApprovalAnswerSchema(ApprovingSchema):
    answer = fields.String(
        required=True, validate=validate.OneOf(["approve", "reject"]), metadata=_about("approve or reject.", "approve")
    )
    reason = SafeStr(max_length=4000, load_default="", metadata=_about("Why; needed to reject it.", "Too dear."))


class ApprovalsQuerySchema(StrictSchema):
    decided_by = Identifier(
        max_length=120, load_default=None, metadata=_about("Only what waits for this user of ours.", "grace")
    )
    limit = BoundedInt(
        minimum=1, maximum=200, from_text=True, load_default=50, metadata=_about("How many at most.", 50)
    )
