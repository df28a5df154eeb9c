"""The documents of entitlements: why, what would change, what waits for a person."""

from typing import Any

from marshmallow import Schema, fields

from bridge.schemas import SafeStr, StrictSchema, UtcDateTime
from provider.api.schemas import CRITERIA, about

_ID = "5b0c0f6e-6f0c-4d0e-9e55-6a1d9b8e2f10"
_AT = "2026-11-21T09:30:00.000Z"


class ExplainQuerySchema(StrictSchema):
    consumer = SafeStr(
        max_length=200, min_length=1, required=True,
        metadata=about("The id, name, company or number prefix of a connection.", "ACME"),
    )  # fmt: skip
    item = SafeStr(
        max_length=200, min_length=1, required=True, metadata=about("The id or name of a catalog item.", "SD-WAN")
    )


class FindingSchema(Schema):
    depth = fields.Integer(required=True, metadata=about("How deep it is combined.", 0))
    words = fields.String(required=True, metadata=about("What is asked for.", "Belong to the company ACME"))
    holds = fields.Boolean(
        required=True, allow_none=True, metadata=about("Empty when it cannot be said; then nothing follows.", True)
    )
    looked_at = fields.String(required=True, metadata=about("What was found.", "its company is ACME"))


class ExplanationSchema(Schema):
    connection_id = fields.String(required=True, metadata=about("The connection.", _ID))
    consumer = fields.String(required=True, metadata=about("Its name.", "ACME IT"))
    item_id = fields.String(required=True, metadata=about("The item.", _ID))
    item = fields.String(required=True, metadata=about("Its name.", "SD-WAN Package"))
    entitled = fields.Boolean(required=True, metadata=about("Whether it may order the item now.", True))
    matches = fields.Boolean(required=True, allow_none=True, metadata=about("Whether the criteria hold for it.", True))
    answer = fields.String(
        required=True, metadata=about("Both in a sentence.", "ACME IT may order SD-WAN: it matches.")
    )
    criteria = fields.List(fields.Nested(FindingSchema), required=True, metadata=about("Each condition, in order."))
    kept_by = fields.String(
        required=True, allow_none=True, metadata=about("Who decided that it keeps the item all the same.", "user/ann")
    )
    since = UtcDateTime(required=True, allow_none=True, metadata=about("When the entitlement changed last.", _AT))


class NamedSchema(Schema):
    connection_id = fields.String(required=True, metadata=about("The connection.", _ID))
    name = fields.String(required=True, metadata=about("Its name.", "ACME IT"))


def _named(description: str) -> fields.List[Any]:
    return fields.List(fields.Nested(NamedSchema), required=True, metadata=about(description))


class PreviewRequestSchema(StrictSchema):
    item = SafeStr(
        max_length=200, min_length=1, load_default=None, allow_none=True,
        metadata=about("The id or name of one item; all that are published unless given.", "SD-WAN"),
    )  # fmt: skip
    criteria = fields.Dict(
        keys=fields.String(), load_default=None, allow_none=True,
        metadata=about("Of this item, instead of those that it has.", CRITERIA),
    )  # fmt: skip


class ItemChangesSchema(Schema):
    item_id = fields.String(required=True, metadata=about("The item.", _ID))
    item = fields.String(required=True, metadata=about("Its name.", "SD-WAN Package"))
    added = _named("Who would get it.")
    removed = _named("Who would lose it.")
    held = _named("Who would lose it once a person has confirmed that so many do.")


class PreviewSchema(Schema):
    items = fields.List(fields.Nested(ItemChangesSchema), required=True, metadata=about("For which anything changes."))


class RefreshedSchema(Schema):
    changed = fields.Integer(required=True, metadata=about("How many entitlements changed.", 0))


class HeldRemovalSchema(Schema):
    id = fields.String(required=True, metadata=about("Identifies what waits.", _ID))
    item_id = fields.String(required=True, metadata=about("The item.", _ID))
    item = fields.String(required=True, metadata=about("Its name.", "SD-WAN Package"))
    audience = fields.String(required=True, metadata=about("Whom it is for, in words.", "only ACME IT"))
    consumers = _named("Who would lose it.")
    entitled = fields.Integer(required=True, metadata=about("How many had it then.", 40))
    created_at = UtcDateTime(required=True, metadata=about("Since when it waits.", _AT))


class HeldRemovalsSchema(Schema):
    items = fields.List(fields.Nested(HeldRemovalSchema), required=True, metadata=about("Oldest first, at most 200."))


class DecidedRemovalSchema(Schema):
    id = fields.String(required=True, metadata=about("Identifies what waited.", _ID))
    item_id = fields.String(required=True, attribute="identity", metadata=about("The item.", _ID))
    state = fields.String(required=True, metadata=about("confirmed or kept.", "confirmed"))
