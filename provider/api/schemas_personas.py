"""The documents of personas and authorised users."""

from typing import Any

from marshmallow import Schema, fields, validate

from bridge.schemas import BoundedInt, Identifier, SafeStr, StrictSchema
from provider.api.paging import page_schema
from provider.api.schemas import about
from provider.api.schemas_orders import IdText
from provider.services.authorised_users import AUTOMATIC, BY_PERSON

_ID = "0b9d5c4e-7f57-4b59-8c5e-0f7a4f0d2c11"
_PERSONAS_LIMIT = 200


def _persona_ids(description: str) -> fields.List[Any]:
    return fields.List(
        IdText(), required=True, validate=validate.Length(max=_PERSONAS_LIMIT), metadata=about(description, [_ID])
    )


# --- our own people


class NewPersonaSchema(StrictSchema):
    name = Identifier(max_length=120, required=True, metadata=about("For people; no two are alike.", "Mobile buyer"))
    description = SafeStr(max_length=2000, load_default="", metadata=about("Who that is.", "Orders mobile lines."))


class PersonaSchema(Schema):
    id = fields.String(required=True, metadata=about("Identifies it on both sides.", _ID))
    name = fields.String(required=True, metadata=about("For people.", "Mobile buyer"))
    description = fields.String(required=True, metadata=about("Who that is.", "Orders mobile lines."))


class ChosenPersonasSchema(StrictSchema):
    persona_ids = _persona_ids("Of which a requester has to hold one; none: open to all.")


class RulesSchema(StrictSchema):
    approval = fields.String(
        required=True,
        validate=validate.OneOf([AUTOMATIC, BY_PERSON]),
        metadata=about("Whether users are approved by themselves or by a person.", BY_PERSON),
    )
    limit = BoundedInt(
        minimum=0, maximum=100_000, allow_none=True, required=True, metadata=about("How many may be active.", 25)
    )


class UserRefusalSchema(StrictSchema):
    reason = SafeStr(max_length=1000, min_length=1, required=True, metadata=about("The consumer reads it.", "Unknown."))


# --- what crosses


class ToldUserSchema(StrictSchema):
    id = IdText(required=True, metadata=about("Yours; identifies the user on both sides.", _ID))
    revision = BoundedInt(minimum=1, maximum=2**31 - 1, required=True, metadata=about("Counts what you say of it.", 1))
    name = SafeStr(max_length=255, min_length=1, required=True, metadata=about("Who it is.", "Ada Lovelace"))
    groups = fields.List(
        SafeStr(max_length=255, min_length=1), load_default=list, validate=validate.Length(max=_PERSONAS_LIMIT),
        metadata=about("Groups by which some of the personas are held, for people.", ["Field service"]),
    )  # fmt: skip
    persona_ids = _persona_ids("What the user is to hold, by itself or by a group.")
    active = fields.Boolean(required=True, truthy={True}, falsy={False}, metadata=about("Whether it may order.", True))


class AuthorisedUserSchema(Schema):
    authorised_user_id = fields.String(required=True, metadata=about("The consumer's id of the user.", _ID))
    revision = fields.Integer(required=True, metadata=about("The last one that came.", 1))
    name = fields.String(required=True, metadata=about("Who it is.", "Ada Lovelace"))
    groups = fields.List(fields.String(), required=True, metadata=about("By which groups.", ["Field service"]))
    persona_ids = fields.List(fields.String(), required=True, metadata=about("What is asked for.", [_ID]))
    active = fields.Boolean(required=True, metadata=about("Whether the consumer lets it order.", True))
    approval = fields.String(required=True, metadata=about("requested, approved or refused.", "approved"))
    approved_persona_ids = fields.List(fields.String(), required=True, metadata=about("What is approved.", [_ID]))
    reason = fields.String(required=True, allow_none=True, metadata=about("Why it is refused.", None))


USER_PAGE = page_schema(AuthorisedUserSchema)
"""Made once: two lists of the same are one schema of the document."""
