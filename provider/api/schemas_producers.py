"""What people write and change of remote record producers."""

from marshmallow import Schema, fields, validate

from bridge.schemas import BoundedInt, Identifier, SafeStr, StrictSchema, Uuid
from provider.api.schemas import about
from provider.domain.authored_forms import BESIDES, QUESTIONS_LIMIT, ROWS_LIMIT, SETS_LIMIT
from provider.services.bulk_publishing import BULK_LIMIT, OFFERING, SPECIFICATION

_ID = "77aa1c0d-0000-4000-8000-000000000001"


class EditProducerSchema(StrictSchema):
    """What is not told stays."""

    name = Identifier(max_length=200, metadata=about("For people.", "SD-WAN Package"))
    short_description = SafeStr(max_length=500, metadata=about("In a sentence.", "Managed SD-WAN"))
    category = SafeStr(max_length=120, metadata=about("Where it is shown.", "Networking"))
    compatibility = SafeStr(max_length=20, metadata=about("The least version a consumer has to speak.", "1.0"))
    description = SafeStr(max_length=10_000, metadata=about("In full.", "Managed SD-WAN for branch offices."))
    help_text = SafeStr(max_length=10_000, metadata=about("Helps to fill in the form.", "Ask your network team."))


class OptionSchema(StrictSchema):
    value = SafeStr(max_length=255, min_length=1, required=True, metadata=about("As it is answered.", "s"))
    label = SafeStr(max_length=255, load_default="", metadata=about("As it is shown.", "Small"))


class VariableSchema(StrictSchema):
    """One question, or layout between questions."""

    key = SafeStr(max_length=60, required=True, metadata=about("Names the answer.", "size"))
    label = SafeStr(max_length=255, load_default="", metadata=about("What is asked.", "Which size?"))
    type = SafeStr(max_length=20, required=True, metadata=about("As in section 2.4 of the wire.", "choice"))
    display = SafeStr(max_length=20, metadata=about("line, wide, checkbox, radio or scale.", "radio"))
    mandatory = fields.Boolean(load_default=False, metadata=about("Must it be answered?", True))
    default = fields.Raw(load_default=None, allow_none=True, metadata=about("The answer unless told otherwise.", "s"))
    options = fields.List(
        fields.Nested(OptionSchema), load_default=list, validate=validate.Length(max=500), metadata=about("To choose.")
    )
    description = SafeStr(
        max_length=10_000, load_default="", metadata=about("Help; the text of a rich text label.", "")
    )
    min_cardinality = BoundedInt(minimum=0, maximum=500, load_default=0, metadata=about("Options, at least.", 0))
    max_cardinality = BoundedInt(
        minimum=1, maximum=500, load_default=None, allow_none=True, metadata=about("Options, at most.", 3)
    )
    min = fields.Raw(allow_none=True, metadata=about("The least answer.", 1))
    max = fields.Raw(allow_none=True, metadata=about("The greatest answer.", 5))
    min_length = BoundedInt(minimum=0, maximum=4000, allow_none=True, metadata=about("Characters, at least.", 2))
    max_length = BoundedInt(minimum=1, maximum=4000, allow_none=True, metadata=about("Characters, at most.", 40))
    pattern = SafeStr(
        max_length=200, allow_none=True, metadata=about("Characters and classes, without groups.", "[A-Z]{2}-\\d+")
    )
    pattern_hint = SafeStr(max_length=255, allow_none=True, metadata=about("“must …”.", "be a code such as DE-7"))
    choice = fields.Dict(keys=fields.String(), allow_none=True, metadata=about("Of a reference: what it refers to."))
    max_size_bytes = BoundedInt(
        minimum=1, maximum=2**40, allow_none=True, metadata=about("Of a file: its size, at most.", 1_048_576)
    )
    file_types = fields.List(
        SafeStr(max_length=20), allow_none=True, validate=validate.Length(max=50),
        metadata=about("Of a file: endings of names that are taken; none for all that are taken here.", ["pdf"]),
    )  # fmt: skip


class SetSchema(StrictSchema):
    """A group of variables under a heading, or a table with a row of them for each thing that is told."""

    key = SafeStr(max_length=60, required=True, metadata=about("Names the answers.", "people"))
    label = SafeStr(max_length=255, required=True, metadata=about("The heading.", "People"))
    many = fields.Boolean(load_default=False, metadata=about("Is it a table?", True))
    min_rows = BoundedInt(minimum=0, maximum=ROWS_LIMIT, load_default=0, metadata=about("Rows, at least.", 1))
    max_rows = BoundedInt(
        minimum=1, maximum=ROWS_LIMIT, load_default=None, allow_none=True, metadata=about("Rows, at most.", 10)
    )
    description = SafeStr(max_length=10_000, load_default="", metadata=about("Help.", ""))
    variables = fields.List(
        fields.Nested(VariableSchema), load_default=list, validate=validate.Length(max=QUESTIONS_LIMIT),
        metadata=about("What is asked."),
    )  # fmt: skip


class FormSchema(StrictSchema):
    """What a hand-authored item asks."""

    variables = fields.List(
        fields.Nested(VariableSchema), load_default=list, validate=validate.Length(max=QUESTIONS_LIMIT),
        metadata=about("In their order."),
    )  # fmt: skip
    sets = fields.List(
        fields.Nested(SetSchema), load_default=list, validate=validate.Length(max=SETS_LIMIT),
        metadata=about("After the variables."),
    )  # fmt: skip
    besides = fields.List(
        fields.String(validate=validate.OneOf(BESIDES)), load_default=lambda: ["note"],
        metadata=about("What is asked beside them.", ["contacts", "note"]),
    )  # fmt: skip


class HandWrittenItemSchema(EditProducerSchema):
    """An item whose requests need no order."""

    name = Identifier(max_length=200, required=True, metadata=about("For people.", "Access to a building"))
    form = fields.Nested(FormSchema, load_default=None, allow_none=True, metadata=about("May be written later."))


class BulkPublishSchema(StrictSchema):
    """Without `criteria` each goes to whom it is for already."""

    identities = fields.List(
        Uuid(), required=True, validate=validate.Length(min=1, max=BULK_LIMIT), metadata=about("Items.", [_ID])
    )
    criteria = fields.Dict(
        keys=fields.String(), load_default=None, allow_none=True,
        metadata=about("Whom they are for, as in publishing one of them.", {"all_consumers": True}),
    )  # fmt: skip


class EntrySchema(StrictSchema):
    kind = fields.String(
        required=True, validate=validate.OneOf((OFFERING, SPECIFICATION)), metadata=about("What it is.", OFFERING)
    )
    id = Uuid(required=True, metadata=about("Its id.", _ID))


class BulkSellSchema(StrictSchema):
    """What is to have an item for consumers."""

    entries = fields.List(
        fields.Nested(EntrySchema), required=True, validate=validate.Length(min=1, max=BULK_LIMIT),
        metadata=about("Offerings and customer-facing service specifications."),
    )  # fmt: skip


class BulkOutcomeSchema(Schema):
    key = fields.String(required=True, metadata=about("Which one: an item's id, or kind and id.", _ID))
    name = fields.String(required=True, metadata=about("For people.", "SD-WAN Package"))
    is_done = fields.Boolean(required=True, metadata=about("Whether it went.", True))
    message = fields.String(required=True, metadata=about("What was done, or why not.", "Revision 2 is published."))
    identity = fields.String(required=True, allow_none=True, metadata=about("The item's id, if there is one.", _ID))


class BulkOutcomesSchema(Schema):
    outcomes = fields.List(fields.Nested(BulkOutcomeSchema), required=True, metadata=about("One for each, in order."))
