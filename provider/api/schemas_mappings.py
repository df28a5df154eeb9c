"""The documents of mapping tables."""

from marshmallow import Schema, fields, validate

from bridge.schemas import BoundedInt, StrictSchema, UtcDateTime
from provider.api.schemas import about

_ID = "5b0c0f6e-6f0c-4d0e-9e55-6a1d9b8e2f10"
_AT = "2026-11-21T09:30:00.000Z"
_ROW = {"order_state_label": "Rejected", "state": "awaiting_info", "state_label": "Awaiting info"}


class TableChangeSchema(StrictSchema):
    event_type = fields.String(metadata=about("As it is read; cannot be changed.", "exchange.provider_task…"))
    source_field = fields.String(metadata=about("As it is read; cannot be changed.", "order_state"))
    rows = fields.Dict(
        keys=fields.String(), required=True, metadata=about("A row for every state.", {"rejected": _ROW})
    )


class MappingChangeSchema(StrictSchema):
    tables = fields.Dict(
        keys=fields.String(),
        values=fields.Nested(TableChangeSchema),
        required=True,
        validate=validate.Length(min=1, max=20),
        metadata=about("By the name of the table; those that are not named stay those of everybody."),
    )


class DryRunQuerySchema(StrictSchema):
    limit = BoundedInt(
        minimum=1, maximum=1000, from_text=True, load_default=100, metadata=about("How many events to look at.", 100)
    )


class TableSchema(Schema):
    event_type = fields.String(required=True, metadata=about("What it translates.", "exchange.provider_task…"))
    source_field = fields.String(required=True, metadata=about("What picks the row.", "order_state"))
    rows = fields.Raw(required=True, metadata=about("By state.", {"rejected": _ROW}))


class MappingVersionSchema(Schema):
    version = fields.Integer(required=True, metadata=about("Counts over all connections.", 7))
    created_at = UtcDateTime(required=True, metadata=about("When it was made.", _AT))


class MappingSchema(Schema):
    connection_id = fields.String(required=True, metadata=about("For whom.", _ID))
    version = fields.Integer(required=True, allow_none=True, metadata=about("What is in force.", 7))
    is_default = fields.Boolean(required=True, metadata=about("Whether it is what everybody has.", False))
    tables = fields.Dict(
        keys=fields.String(), values=fields.Nested(TableSchema), required=True, metadata=about("By name.")
    )
    versions = fields.List(
        fields.Nested(MappingVersionSchema), required=True, metadata=about("This consumer's own, newest first.")
    )


class MappedEventSchema(Schema):
    delivery_id = fields.String(required=True, metadata=about("Which event.", _ID))
    stream = fields.String(required=True, metadata=about("Of which record.", f"provider_task/{_ID}"))
    number = fields.String(required=True, allow_none=True, metadata=about("The same for people.", "ACME-PT0000001"))
    occurred_at = UtcDateTime(required=True, metadata=about("When the change was made.", _AT))
    before = fields.Raw(required=True, allow_none=True, metadata=about("As the tables in force say it.", _ROW))
    after = fields.Raw(required=True, allow_none=True, metadata=about("As these tables say it.", _ROW))


class DryRunSchema(Schema):
    checked = fields.Integer(required=True, metadata=about("How many events were looked at.", 100))
    changed = fields.List(
        fields.Nested(MappedEventSchema), required=True, metadata=about("Those it would say otherwise, newest first.")
    )
