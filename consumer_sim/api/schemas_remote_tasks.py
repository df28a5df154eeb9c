"""The documents of tickets, remote tasks and their definitions."""

from typing import Any

from marshmallow import Schema, fields, validate

from bridge.field_maps import LINES_LIMIT, TICKET
from bridge.schemas import BoundedInt, SafeStr, StrictSchema, Uuid


def _about(description: str, example: Any = None) -> dict[str, Any]:
    return {"description": description, **({"example": example} if example is not None else {})}


def _field(name: str, example: str, **options: Any) -> SafeStr:
    field = TICKET.fields[name]
    said = _about(f"{field.label}.", example)
    return SafeStr(max_length=field.max_length, allow_none=not field.required, metadata=said, **options)


def _page(pattern: str) -> type[Schema]:
    cursor = fields.String(
        load_default=None, validate=validate.Regexp(rf"{pattern}\Z"),
        metadata=_about("Where to go on: the `next` of the page before."),
    )  # fmt: skip
    limit = BoundedInt(minimum=1, maximum=200, from_text=True, load_default=50, metadata=_about("How many.", 50))
    return StrictSchema.from_dict({"limit": limit, "cursor": cursor})


_UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
TicketPageSchema = _page("TKT[0-9]{7,12}")
PairPageSchema = _page(f"{_UUID}_{_UUID}")
"""Two providers may use one id, so the cursor names the connection, too."""

_WHO = _about("Who does it.", "Ada Lovelace")


class TicketChangeSchema(StrictSchema):
    """What is not told stays; null clears."""

    short_description = _field("short_description", "The line is down")
    description = _field("description", "Since noon.")
    state = _field("state", "in_progress")
    priority = _field("priority", "high")
    category = _field("category", "network")
    assigned_to = _field("assigned_to", "Ada")


class NewTicketSchema(TicketChangeSchema):
    short_description = _field("short_description", "The line is down", required=True)
    opened_by = SafeStr(max_length=255, min_length=1, required=True, metadata=_WHO)


class EntrySchema(StrictSchema):
    text = SafeStr(max_length=10_000, min_length=1, required=True, metadata=_about("What to say.", "Any news?"))
    author_name = SafeStr(max_length=255, min_length=1, required=True, metadata=_WHO)
    work_note = fields.Boolean(load_default=False, metadata=_about("Whether it stays here.", False))


class TieSchema(StrictSchema):
    definition_id = Uuid(required=True, metadata=_about("By which definition."))
    connection_id = Uuid(metadata=_about("Of which provider; needed only where two use the same id."))
    opened_by = SafeStr(max_length=255, min_length=1, required=True, metadata=_WHO)


class StopSchema(StrictSchema):
    reason = SafeStr(max_length=500, load_default="", metadata=_about("The provider reads it.", "Done elsewhere."))


def _decided(*names: str) -> fields.Dict:
    value = fields.Dict(keys=fields.String(validate=validate.OneOf(names)), values=SafeStr(max_length=80))
    return fields.Dict(
        keys=SafeStr(max_length=40), values=value, validate=validate.Length(max=LINES_LIMIT),
        metadata=_about(f"By key of the line: {', '.join(names)}.", {"priority": {names[-1]: "priority"}}),
    )  # fmt: skip


class DecisionSchema(StrictSchema):
    """What our people decide of a definition; what is not told stays as it was decided before."""

    inbound = _decided("source")
    outbound = _decided("label", "sync_when", "target")
    trigger = fields.Dict(
        keys=SafeStr(max_length=40), values=SafeStr(max_length=200, allow_none=True),
        validate=validate.Length(max=len(TICKET.fields)),
        metadata=_about("Values by field that a ticket has when it is tied by itself.", {"priority": "critical"}),
    )  # fmt: skip
