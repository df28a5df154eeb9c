"""The documents of live choices."""

from marshmallow import Schema, fields, validate

from bridge.schemas import BoundedInt, SafeStr, StrictSchema, UtcDateTime
from provider.api.paging import page_schema
from provider.api.schemas import about
from provider.domain.remote_choices import FILTER_LIMIT, NAME, NAME_IN_WORDS, SOURCES, TEXT_LIMIT

_AT = "2026-11-21T09:30:00.000Z"
_COLUMN = {"max_length": 60}


class ChoicesQuerySchema(StrictSchema):
    """Which variable of which form, and what has been filled in so far."""

    revision = BoundedInt(
        minimum=1, maximum=10**6, from_text=True, required=True, metadata=about("Of the item that is filled in.", 1)
    )
    variable = SafeStr(
        max_length=1000, min_length=1, required=True,
        metadata=about("A pointer to its answer.", "/characteristics/router"),
    )  # fmt: skip
    search = SafeStr(max_length=100, load_default="", metadata=about("Part of what is looked for.", "berl"))
    depends_on = SafeStr(
        max_length=TEXT_LIMIT, load_default="",
        metadata=about("The answer to the variable that it depends on; of a pair the value.", "Berlin office"),
    )  # fmt: skip
    limit = BoundedInt(minimum=1, maximum=200, from_text=True, load_default=50, metadata=about("How many.", 50))


class ChoiceSchema(Schema):
    value = fields.String(required=True, metadata=about("Identifies it.", "PRD0000001"))
    display = fields.String(required=True, metadata=about("What it is called.", "Edge router"))
    info = fields.String(required=True, metadata=about("To tell it from others; may be empty.", "Berlin office"))


class ChoicesSchema(Schema):
    items = fields.List(fields.Nested(ChoiceSchema), required=True, metadata=about("By display."))
    more = fields.Boolean(required=True, metadata=about("Whether a search would find others.", False))
    max_age_s = fields.Integer(required=True, metadata=about("How long they may be shown without asking again.", 30))


def _filter(description: str) -> fields.Dict:
    return fields.Dict(
        keys=SafeStr(**_COLUMN), load_default=dict, metadata=about(description, {"state": ["active"]}),
        values=fields.List(SafeStr(max_length=TEXT_LIMIT), validate=validate.Length(min=1, max=FILTER_LIMIT)),
    )  # fmt: skip


class EditDefinitionSchema(StrictSchema):
    """What is not told stays."""

    description = SafeStr(max_length=500, metadata=about("For our people.", "Routers that a consumer has"))
    columns = fields.List(
        SafeStr(**_COLUMN), validate=validate.Length(max=20),
        metadata=about("Of a list, beside value, display and consumer.", ["city"]),
    )  # fmt: skip
    base_filter = fields.Dict(
        keys=SafeStr(**_COLUMN), metadata=about("Only rows with these values.", {"state": ["active"]}),
        values=fields.List(SafeStr(max_length=TEXT_LIMIT), validate=validate.Length(min=1, max=FILTER_LIMIT)),
    )  # fmt: skip
    display_field = SafeStr(min_length=1, **_COLUMN, metadata=about("The column that people read.", "name"))
    info_fields = fields.List(
        SafeStr(**_COLUMN), validate=validate.Length(max=10),
        metadata=about("Columns that tell one from another.", ["location"]),
    )  # fmt: skip


class DefinitionRequestSchema(EditDefinitionSchema):
    name = SafeStr(
        max_length=60, required=True, validate=validate.Regexp(f"{NAME}$", error=NAME_IN_WORDS),
        metadata=about("Forms name it by this.", "my-routers"),
    )  # fmt: skip
    source = fields.String(
        required=True, validate=validate.OneOf(list(SOURCES)), metadata=about("Where its rows are.", "products")
    )
    description = SafeStr(max_length=500, load_default="", metadata=about("For our people.", "Routers of a consumer"))
    columns = fields.List(
        SafeStr(**_COLUMN), validate=validate.Length(max=20), load_default=list,
        metadata=about("Of a list, beside value, display and consumer.", ["city"]),
    )  # fmt: skip
    base_filter = _filter("Only rows with these values.")
    display_field = SafeStr(
        min_length=1, **_COLUMN, required=True, metadata=about("The column that people read.", "name")
    )
    info_fields = fields.List(
        SafeStr(**_COLUMN), validate=validate.Length(max=10), load_default=list,
        metadata=about("Columns that tell one from another.", ["location"]),
    )  # fmt: skip


class DefinitionSchema(Schema):
    name = fields.String(required=True, metadata=about("Forms name it by this.", "my-routers"))
    source = fields.String(required=True, metadata=about("Where its rows are.", "products"))
    description = fields.String(required=True, metadata=about("For our people.", "Routers of a consumer"))
    columns = fields.List(fields.String(), required=True, metadata=about("Of a list, beside its own.", ["city"]))
    base_filter = fields.Dict(required=True, metadata=about("Only rows with these values.", {"state": ["active"]}))
    display_field = fields.String(required=True, metadata=about("The column that people read.", "name"))
    info_fields = fields.List(fields.String(), required=True, metadata=about("What is told beside it.", ["location"]))
    updated_at = UtcDateTime(required=True, metadata=about("When it, or its list, changed last.", _AT))


class RowsRequestSchema(StrictSchema):
    rows = fields.List(
        fields.Dict(keys=SafeStr(**_COLUMN), values=fields.String(allow_none=True)),
        required=True, validate=validate.Length(max=10_000),
        metadata=about("All rows of the list.", [{"value": "b1", "display": "Berlin", "consumer": "ACME"}]),
    )  # fmt: skip


class RowsSchema(Schema):
    rows = fields.Integer(required=True, metadata=about("How many there are now.", 12))


DEFINITION_PAGE = page_schema(DefinitionSchema)
