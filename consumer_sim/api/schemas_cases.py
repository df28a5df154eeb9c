"""The documents of tasks without an order, and of scratchpads."""

from typing import Any

from marshmallow import fields, validate

from bridge.schemas import SafeStr, StrictSchema
from consumer_sim.services.scratchpads import VALUE_MOST


def _about(description: str, example: Any = None) -> dict[str, Any]:
    return {"description": description, **({"example": example} if example is not None else {})}


class SolutionAnswerSchema(StrictSchema):
    answer = fields.String(
        required=True, validate=validate.OneOf(["accept", "reject"]), metadata=_about("accept or reject.", "accept")
    )
    reason = SafeStr(max_length=4000, load_default="", metadata=_about("Why; needed to reject it.", "It is as slow."))
    answered_by = SafeStr(max_length=120, min_length=1, required=True, metadata=_about("Who says so.", "Ada Lovelace"))


class SeenSchema(StrictSchema):
    acknowledged_by = SafeStr(
        max_length=120, min_length=1, required=True, metadata=_about("Who has seen it.", "Ada Lovelace")
    )


class ScratchpadEntrySchema(StrictSchema):
    value = SafeStr(max_length=VALUE_MOST, required=True, metadata=_about("A text.", "1Z999"))
    client_visible = fields.Boolean(load_default=False, metadata=_about("Whether requesters see it.", True))
    author_name = SafeStr(
        max_length=120, min_length=1, required=True, metadata=_about("Who wrote it.", "asset register")
    )


class ScratchpadRemovalSchema(StrictSchema):
    author_name = SafeStr(
        max_length=120, min_length=1, load_default="-", metadata=_about("Who removes it.", "asset register")
    )
