"""The documents of the API for this instance's people and programs."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from marshmallow import fields, validate

from bridge.schemas import BoundedInt, Identifier, SafeStr, StrictSchema, UtcDateTime, Uuid
from consumer_sim.models import FAULT_MODES
from consumer_sim.services.product_actions import ACTIONS
from consumer_sim.services.records import KINDS

_AT = "2026-12-24T00:00:00.000Z"


class DateText(fields.Date):
    """A calendar date, kept as the text that crosses the wire."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        found: date = super()._deserialize(value, attr, data, **kwargs)
        return found.isoformat()


def _about(description: str, example: Any = None) -> dict[str, Any]:
    return {"description": description, **({"example": example} if example is not None else {})}


class LocationSchema(StrictSchema):
    name = SafeStr(
        max_length=255, min_length=1, required=True, metadata=_about("What people call it.", "Berlin office")
    )
    street = SafeStr(max_length=255, allow_none=True, metadata=_about("Street and house number.", "Torstr. 1"))
    city = SafeStr(max_length=255, allow_none=True, metadata=_about("City.", "Berlin"))
    postal_code = SafeStr(max_length=20, allow_none=True, metadata=_about("Postal code.", "10119"))
    country = SafeStr(max_length=60, allow_none=True, metadata=_about("Country, best as ISO 3166 code.", "DE"))


class ContactSchema(StrictSchema):
    name = SafeStr(max_length=255, min_length=1, required=True, metadata=_about("Whom to speak to.", "Ada"))
    email = SafeStr(max_length=254, allow_none=True, metadata=_about("E-mail address.", "ada@acme.example"))
    phone = SafeStr(max_length=60, allow_none=True, metadata=_about("Telephone number.", "+49 30 1234"))


class RequesterSchema(StrictSchema):
    name = SafeStr(max_length=255, min_length=1, required=True, metadata=_about("Who asks.", "Ada Lovelace"))
    email = SafeStr(max_length=254, allow_none=True, metadata=_about("E-mail address.", "ada@acme.example"))


class AnswersSchema(StrictSchema):
    """What is asked for. Characteristics and parts are checked against the item's form."""

    quantity = fields.Raw(metadata=_about("How many.", 2))
    characteristics = fields.Dict(keys=fields.String(), metadata=_about("Answers by key.", {"bandwidth": "100"}))
    parts = fields.Dict(keys=fields.String(), metadata=_about("Answers for parts, by key."))
    sets = fields.Dict(
        keys=fields.String(), metadata=_about("Answers to sets of questions, by key: an object, or a list of rows.")
    )
    location = fields.Nested(LocationSchema, allow_none=True, metadata=_about("Where."))
    contacts = fields.List(
        fields.Nested(ContactSchema), allow_none=True, validate=validate.Length(max=20), metadata=_about("Whom to ask.")
    )
    requested_on = DateText(allow_none=True, metadata=_about("When it is wanted.", "2026-12-01"))
    note = SafeStr(max_length=10_000, allow_none=True, metadata=_about("Anything else.", "Deliver before noon"))
    own = fields.Dict(
        keys=fields.String(), metadata=_about("Answers to questions of our own; never sent.", {"cost_centre": "4711"})
    )


class RequestSchema(AnswersSchema):
    catalog_item_id = Uuid(required=True, metadata=_about("What is ordered."))
    connection_id = Uuid(metadata=_about("Of which provider; needed only where two use the same item id."))
    requested_by = fields.Nested(RequesterSchema, required=True, metadata=_about("Who asks."))


class DraftAnswersSchema(AnswersSchema):
    """Nothing must be there yet."""

    requested_by = fields.Nested(RequesterSchema, allow_none=True, metadata=_about("Who asks."))


class DraftSchema(DraftAnswersSchema):
    catalog_item_id = Uuid(required=True, metadata=_about("What is to be ordered."))
    connection_id = Uuid(metadata=_about("Of which provider; needed only where two use the same item id."))


class ActionSchema(StrictSchema):
    """What is to be done with a product."""

    action = fields.String(
        required=True, validate=validate.OneOf(ACTIONS), metadata=_about("What is to be done.", "suspend")
    )
    starts_at = UtcDateTime(allow_none=True, metadata=_about("Not before; null or past: at once.", _AT))
    ends_at = UtcDateTime(allow_none=True, metadata=_about("For `suspend`: when it ends by itself.", _AT))
    characteristics = fields.Dict(
        keys=fields.String(), metadata=_about("For `change`: new answers by key.", {"bandwidth": "100"})
    )
    location = fields.Nested(LocationSchema, allow_none=True, metadata=_about("For `move`: where to."))
    note = SafeStr(max_length=10_000, allow_none=True, metadata=_about("Anything else.", "The office is closed."))
    requested_by = fields.Nested(RequesterSchema, required=True, metadata=_about("Who asks."))


class ConnectingSchema(StrictSchema):
    provider_url = SafeStr(max_length=2000, min_length=1, required=True, metadata=_about("The provider's base URL."))
    token = SafeStr(max_length=255, min_length=1, required=True, metadata=_about("The registration token.", "sxr_…"))
    number_prefix = SafeStr(
        max_length=12,
        required=True,
        validate=validate.Regexp(r"[A-Z][A-Z0-9]{1,11}\Z"),
        metadata=_about("How our request numbers begin; the provider makes it unique.", "ACME"),
    )


class SettingsSchema(StrictSchema):
    auto_activate = fields.Boolean(required=True, metadata=_about("Activate items as they are offered.", True))


class CommentSchema(StrictSchema):
    text = SafeStr(max_length=10_000, min_length=1, required=True, metadata=_about("What is said."))
    author_name = Identifier(max_length=120, required=True, metadata=_about("Who says it.", "Ada Lovelace"))


class CancelSchema(StrictSchema):
    reason = SafeStr(max_length=2000, load_default="", metadata=_about("Why.", "No longer needed"))
    asked_by = SafeStr(
        max_length=120, allow_none=True, load_default=None, metadata=_about("Who asks; the provider reads it.", "Ada")
    )


class FaultSchema(StrictSchema):
    mode = fields.String(
        required=True,
        validate=validate.OneOf(("ok", *FAULT_MODES)),
        metadata=_about("How the receiver misbehaves.", "reject"),
    )
    times = BoundedInt(
        minimum=1, maximum=1_000_000, allow_none=True, metadata=_about("How often; null: until changed.", 3)
    )
    seconds = fields.Float(
        allow_none=True, validate=validate.Range(min=0, max=120), metadata=_about("For `slow`: how long.", 3.0)
    )
    status = BoundedInt(
        minimum=300, maximum=599, allow_none=True, metadata=_about("For `error`: the answer's status.", 500)
    )
    type = SafeStr(max_length=120, allow_none=True, metadata=_about("For `reject`: events of this type."))
    stream = SafeStr(max_length=255, allow_none=True, metadata=_about("For `reject`: events of this stream."))


def _limit() -> BoundedInt:
    return BoundedInt(minimum=1, maximum=200, from_text=True, load_default=50, metadata=_about("How many at most.", 50))


_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


class PageSchema(StrictSchema):
    limit = _limit()
    cursor = Uuid(load_default=None, metadata=_about("Where to go on: the `next` of the page before."))


class ItemQuerySchema(StrictSchema):
    connection = Uuid(
        load_default=None, metadata=_about("Over which connection; needed only where two offer the same item.")
    )


class ItemsPageSchema(StrictSchema):
    limit = _limit()
    connection = Uuid(load_default=None, metadata=_about("Only what is offered over this connection."))
    cursor = fields.String(
        load_default=None,
        validate=validate.Regexp(rf"{_UUID}_{_UUID}\Z"),
        metadata=_about("Where to go on: the `next` of the page before."),
    )


class ProductsPageSchema(PageSchema, ItemQuerySchema):
    location = SafeStr(max_length=255, metadata=_about("Only products at the location of this name.", "Berlin office"))
    state = SafeStr(max_length=40, metadata=_about("Only products in this state.", "active"))


class RecordsPageSchema(PageSchema):
    kind = fields.String(required=True, validate=validate.OneOf(KINDS), metadata=_about("Which records.", "product"))
    connection = Uuid(metadata=_about("With which provider; the oldest connection if not given."))


class FileQuerySchema(StrictSchema):
    name = SafeStr(max_length=255, min_length=1, required=True, metadata=_about("Its name.", "plan.pdf"))
    author_name = SafeStr(max_length=255, min_length=1, required=True, metadata=_about("Who attaches it.", "Ada"))
