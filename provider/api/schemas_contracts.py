"""The documents of contracts."""

from marshmallow import Schema, fields, validate

from bridge.schemas import BoundedInt, Identifier, SafeStr, StrictSchema, UtcDateTime
from provider.api.paging import PageSchema
from provider.api.schemas import about
from provider.domain.contracts import ContractState

_ID = "5b0c0f6e-6f0c-4d0e-9e55-6a1d9b8e2f10"
_AT = "2026-11-21T09:30:00.000Z"
_STATES = [str(state) for state in ContractState]


class ContractsQuerySchema(PageSchema):
    state = fields.String(
        load_default="", validate=validate.OneOf(["", *_STATES]), metadata=about("Only those in it.", "active")
    )


class ContractLineRequestSchema(StrictSchema):
    """For one offering or one specification, in all its versions."""

    offering = Identifier(max_length=120, allow_none=True, metadata=about("By its id in the catalog.", "po-sdwan"))
    specification = Identifier(max_length=120, allow_none=True, metadata=about("By its id in the catalog.", "ps-edge"))
    quantity = BoundedInt(
        minimum=1, maximum=10**9, allow_none=True, metadata=about("How many; without a limit unless given.", 25)
    )


class EditContractSchema(StrictSchema):
    """What is not told stays. Once it is activated only `name` and `ends_on` can change."""

    name = Identifier(max_length=120, metadata=about("For people, and for criteria.", "Gold support"))
    connection_id = SafeStr(max_length=36, allow_none=True, metadata=about("With this consumer,", _ID))
    company = Identifier(max_length=120, allow_none=True, metadata=about("or with all of this company,", "ACME"))
    account = Identifier(max_length=120, allow_none=True, metadata=about("or with all of this account.", "A-1042"))
    starts_on = fields.Date(metadata=about("Its first day, in UTC.", "2026-12-01"))
    ends_on = fields.Date(allow_none=True, metadata=about("Its last day; without an end unless given.", "2027-11-30"))
    lines = fields.List(
        fields.Nested(ContractLineRequestSchema), validate=validate.Length(max=200),
        metadata=about("What it is for; all lines at once."),
    )  # fmt: skip


class ContractRequestSchema(EditContractSchema):
    """With exactly one of `connection_id`, `company` and `account`."""

    name = Identifier(max_length=120, required=True, metadata=about("For people, and for criteria.", "Gold support"))
    starts_on = fields.Date(required=True, metadata=about("Its first day, in UTC.", "2026-12-01"))


class ContractLineSchema(Schema):
    offering = fields.String(required=True, allow_none=True, metadata=about("The offering,", "po-sdwan"))
    specification = fields.String(required=True, allow_none=True, metadata=about("or the specification.", "ps-edge"))
    name = fields.String(required=True, metadata=about("What it is called.", "SD-WAN Package"))
    quantity = fields.Integer(required=True, allow_none=True, metadata=about("How many.", 25))


class ContractSchema(Schema):
    number = fields.String(required=True, metadata=about("Identifies it.", "CON0000001"))
    name = fields.String(required=True, metadata=about("For people, and for criteria.", "Gold support"))
    connection_id = fields.String(required=True, allow_none=True, metadata=about("With this consumer,", _ID))
    company = fields.String(required=True, allow_none=True, metadata=about("with this company,", "ACME"))
    account = fields.String(required=True, allow_none=True, metadata=about("or with this account.", "A-1042"))
    holder = fields.String(required=True, metadata=about("That one by name.", "ACME"))
    state = fields.String(required=True, metadata=about("draft, active, expired or canceled.", "active"))
    starts_on = fields.Date(required=True, metadata=about("Its first day.", "2026-12-01"))
    ends_on = fields.Date(required=True, allow_none=True, metadata=about("Its last day.", "2027-11-30"))
    signed_at = UtcDateTime(required=True, allow_none=True, metadata=about("When people activated it.", _AT))
    reason = fields.String(required=True, allow_none=True, metadata=about("Why it was canceled.", "Sold"))
    lines = fields.List(fields.Nested(ContractLineSchema), required=True, metadata=about("What it is for."))
    created_at = UtcDateTime(required=True, metadata=about("When it was written.", _AT))
