"""The documents of connection care."""

from marshmallow import fields, validate

from bridge.schemas import SafeStr, StrictSchema, Uuid
from consumer_sim.services.rotations import SECRETS


class IssuesQuerySchema(StrictSchema):
    connection_id = Uuid(load_default=None, metadata={"description": "Of this connection only."})
    resolved = fields.Boolean(load_default=False, metadata={"description": "Those that are over.", "example": False})


class RotateSchema(StrictSchema):
    secrets = fields.List(
        fields.String(validate=validate.OneOf(SECRETS)), load_default=list(SECRETS), validate=validate.Length(1, 2),
        metadata={"description": "Which secrets; both unless you name one.", "example": ["webhook_secret"]},
    )  # fmt: skip


class ReasonSchema(StrictSchema):
    reason = SafeStr(
        max_length=1000, min_length=1, required=True, metadata={"description": "Why.", "example": "The contract ended."}
    )


class EpochSchema(StrictSchema):
    accept = fields.Boolean(required=True, metadata={"description": "Whether it is the provider itself, restored."})


class AddressSchema(StrictSchema):
    provider_url = SafeStr(
        max_length=2000, min_length=1, load_default=None, allow_none=True,
        metadata={"description": "Where the provider answers now.", "example": "https://exchange.example"},
    )  # fmt: skip
