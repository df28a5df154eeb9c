"""The documents of what is to be done with products, and of what was."""

from typing import Any

from marshmallow import Schema, fields, post_load, validate

from bridge.schemas import BoundedInt, SafeStr, StrictSchema, UtcDateTime, Uuid
from provider.api.paging import PageSchema, page_schema
from provider.api.schemas import about
from provider.api.schemas_orders import ContactSchema, LocationSchema, RequesterSchema, plain
from provider.domain.inventory import ACTION_RULES, ProductAction, ProductState

_ID = "4a1c0d9e-2a6f-4f0e-8c7d-1d2c3b4a5f60"
_AT = "2026-11-21T09:00:00.000Z"


_ACTIONS = [str(action) for action in ProductAction]


class ActionRequestSchema(StrictSchema):
    """What is to be done with the product that the path names."""

    id = Uuid(required=True, metadata=about("Yours; identifies the request on both sides.", _ID))
    number = SafeStr(max_length=30, required=True, metadata=about("Yours, with your prefix.", "ACME-PT0000001"))
    revision = BoundedInt(
        minimum=1, maximum=10**6, required=True, metadata=about("Of this request; taking another number counts up.", 1)
    )
    action = fields.String(
        required=True,
        validate=validate.OneOf([str(action) for action in ACTION_RULES]),
        metadata=about("What is to be done.", "suspend"),
    )
    starts_at = UtcDateTime(
        allow_none=True, metadata=about("Not before; missing, null or past: as soon as the work is done.", _AT)
    )
    ends_at = UtcDateTime(
        allow_none=True, metadata=about("For `suspend`: when it ends by itself.", "2026-12-24T00:00:00Z")
    )
    characteristics = fields.Dict(
        keys=SafeStr(max_length=255),
        metadata=about("For `change`: new answers, by the key of the variable; the others stay.", {"bandwidth": "100"}),
    )
    location = fields.Nested(LocationSchema, allow_none=True, metadata=about("For `move`: where to."))
    contacts = fields.List(
        fields.Nested(ContactSchema),
        allow_none=True,
        validate=validate.Length(max=20),
        metadata=about("Whom to speak to about it."),
    )
    note = SafeStr(max_length=10_000, allow_none=True, metadata=about("Anything else.", "The office is closed."))
    requested_by = fields.Nested(RequesterSchema, required=True, metadata=about("Who asks."))
    opened_at = UtcDateTime(required=True, metadata=about("When it was asked, by your clock.", _AT))

    @post_load
    def _plain(self, document: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {name: plain(value) for name, value in document.items()}  # what is nested is plain already


class OwnProductsQuerySchema(PageSchema):
    state = fields.String(
        load_default=None,
        validate=validate.OneOf([str(state) for state in ProductState]),
        metadata=about("Only in this state.", "active"),
    )
    location = SafeStr(
        max_length=255, load_default=None, metadata=about("Only at the location of this name.", "Berlin office")
    )


class ProductsQuerySchema(OwnProductsQuerySchema):
    connection = Uuid(load_default=None, metadata=about("Only of this consumer.", _ID))


class CauseSchema(Schema):
    action = fields.String(
        required=True,
        validate=validate.OneOf([str(action) for action in ProductAction]),
        metadata=about("What.", "add"),
    )
    task_id = fields.String(required=True, metadata=about("The request that wanted it.", _ID))
    order_number = fields.String(required=True, metadata=about("Its order.", "ORD0000001"))
    changed = fields.Raw(
        required=True,
        allow_none=True,
        metadata=about("What else became different, before and after.", {"characteristics": {"speed": ["50", "100"]}}),
    )


class ProductSchema(Schema):
    product_id = fields.String(required=True, metadata=about("Identifies the product on both sides.", _ID))
    number = fields.String(required=True, metadata=about("The same for people.", "PRD0000001"))
    name = fields.String(required=True, metadata=about("What it is.", "SD-WAN Edge Device"))
    state = fields.String(required=True, metadata=about("For programs.", "active"))
    state_label = fields.String(required=True, metadata=about("To be shown.", "Active"))
    task_id = fields.String(required=True, metadata=about("The request that brought it.", _ID))
    order_number = fields.String(required=True, metadata=about("The order.", "ORD0000001"))
    line_number = fields.String(required=True, metadata=about("Its line.", "ORDL0000001"))
    characteristics = fields.Raw(required=True, metadata=about("What was chosen.", {"bandwidth": "100"}))
    location = fields.Raw(required=True, allow_none=True, metadata=about("Where.", {"name": "Berlin office"}))
    catalog_item_id = fields.String(required=True, metadata=about("What was ordered.", _ID))
    parent_id = fields.String(required=True, allow_none=True, metadata=about("The product it is part of.", _ID))
    part = fields.List(
        fields.String(), required=True, allow_none=True, metadata=about("Where in the item's form it is.", ["edge"])
    )
    resumes_at = fields.String(
        required=True, allow_none=True, metadata=about("When its suspension ends by itself.", _AT)
    )
    changed_by = fields.Nested(CauseSchema, required=True, metadata=about("What made it what it is now."))


PRODUCT_PAGE = page_schema(ProductSchema)
"""One document, however many lists answer with it."""


class ProductChangeSchema(Schema):
    action = fields.String(required=True, metadata=about("What was done.", "suspend"))
    action_label = fields.String(required=True, metadata=about("The same, to be shown.", "Suspend"))
    from_state = fields.String(required=True, allow_none=True, metadata=about("Null for the first.", "active"))
    to_state = fields.String(required=True, metadata=about("What it became.", "suspended"))
    to_state_label = fields.String(required=True, metadata=about("The same, to be shown.", "Suspended"))
    task_number = fields.String(required=True, metadata=about("The consumer's request.", "ACME-PT0000002"))
    order_number = fields.String(required=True, metadata=about("Its order.", "ORD0000002"))
    changed = fields.Raw(
        required=True, allow_none=True, metadata=about("What else became different, before and after.", None)
    )
    at = UtcDateTime(required=True, metadata=about("When.", _AT))


class ActingSchema(Schema):
    action = fields.String(required=True, metadata=about("What is to be done.", "suspend"))
    action_label = fields.String(required=True, metadata=about("The same, to be shown.", "Suspend"))
    task_number = fields.String(required=True, metadata=about("The consumer's request.", "ACME-PT0000002"))
    order_number = fields.String(required=True, metadata=about("Its order.", "ORD0000002"))
    starts_at = UtcDateTime(required=True, allow_none=True, metadata=about("Not before.", _AT))
    ends_at = UtcDateTime(required=True, allow_none=True, metadata=about("Then it is resumed.", _AT))


class ProductDetailSchema(ProductSchema):
    company = fields.String(required=True, metadata=about("Whose it is.", "ACME"))
    connection_id = fields.String(required=True, metadata=about("Over which connection.", _ID))
    allowed_actions = fields.List(
        fields.String(),
        required=True,
        metadata=about("What may be asked for now, as far as its state goes.", ["resume"]),
    )
    acting = fields.Nested(ActingSchema, required=True, allow_none=True, metadata=about("What is under way."))
    history = fields.List(
        fields.Nested(ProductChangeSchema), required=True, metadata=about("Each step, the oldest first.")
    )
