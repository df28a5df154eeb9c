"""The documents of provider tasks without an order, and of scratchpads."""

from marshmallow import Schema, fields, validate

from bridge.schemas import SafeStr, StrictSchema, UtcDateTime, Uuid
from provider.api.paging import PageSchema
from provider.api.schemas import about
from provider.domain.cases import Priority, ResolutionCode, Side
from provider.domain.provider_tasks import ProviderTaskState
from provider.domain.scratchpads import NAME_MOST, VALUE_MOST

_ID = "4a1c0d9e-2a6f-4f0e-8c7d-1d2c3b4a5f60"
_AT = "2026-11-21T09:00:00.000Z"
_STATES = validate.OneOf([str(state) for state in ProviderTaskState])
_PRIORITIES = validate.OneOf([str(priority) for priority in Priority])
_CODES = validate.OneOf([str(code) for code in ResolutionCode])
_SIDES = validate.OneOf([str(side) for side in Side])
_LONG = 10_000


class CasePersonSchema(StrictSchema):
    name = SafeStr(max_length=255, min_length=1, required=True, metadata=about("Who.", "Ada Lovelace"))


# --- what consumers send


class SolutionAnswerSchema(StrictSchema):
    answer = fields.String(
        required=True, validate=validate.OneOf(["accept", "reject"]), metadata=about("accept or reject.", "accept")
    )
    reason = SafeStr(
        max_length=4000, load_default="", metadata=about("Why; needed to reject it.", "It is as slow as before.")
    )
    answered_by = fields.Nested(CasePersonSchema, metadata=about("Who says so."))


class AcknowledgementSchema(StrictSchema):
    acknowledged_by = fields.Nested(CasePersonSchema, required=True, metadata=about("Who has seen it."))


class NewScratchpadEntrySchema(StrictSchema):
    id = Uuid(required=True, metadata=about("Yours, of this write; the event that tells of it names it.", _ID))
    name = SafeStr(
        max_length=NAME_MOST, min_length=1, required=True, metadata=about("Of the entry.", "tracking_number")
    )
    value = SafeStr(
        max_length=VALUE_MOST, required=True, allow_none=True, metadata=about("A text; null removes it.", "1Z999")
    )
    client_visible = fields.Boolean(load_default=False, metadata=about("Whether requesters see it.", True))
    author = fields.Nested(CasePersonSchema, required=True, metadata=about("Who, or which program, wrote it."))


# --- what both read


class ResolutionSchema(Schema):
    code = fields.String(required=True, validate=_CODES, metadata=about("In one word.", "solved"))
    label = fields.String(required=True, metadata=about("The same, to be shown.", "Solved"))
    text = fields.String(required=True, metadata=about("What was done.", "The line was replaced."))


class CaseSubjectSchema(Schema):
    opened_by = fields.String(required=True, validate=_SIDES, metadata=about("consumer or provider.", "consumer"))
    short_description = fields.String(required=True, metadata=about("What it is about.", "Report a fault"))
    description = fields.String(required=True, metadata=about("More of it.", "Since this morning."))
    priority = fields.String(required=True, validate=_PRIORITIES, metadata=about("How urgent.", "moderate"))
    resolution = fields.Nested(
        ResolutionSchema, required=True, allow_none=True, metadata=about("The last solution that was proposed.")
    )
    acknowledged_by = fields.String(
        required=True, allow_none=True, metadata=about("Who of the consumer has seen it.", "Ada Lovelace")
    )


class CaseSchema(CaseSubjectSchema):
    acknowledged_at = fields.String(required=True, allow_none=True, metadata=about("When.", _AT))
    opened_at = fields.String(required=True, metadata=about("When it was opened.", _AT))


class ScratchpadEntrySchema(Schema):
    task_id = fields.String(required=True, metadata=about("The provider task.", _ID))
    name = fields.String(required=True, metadata=about("Of the entry.", "tracking_number"))
    value = fields.String(required=True, allow_none=True, metadata=about("The text; null: removed.", "1Z999"))
    client_visible = fields.Boolean(required=True, metadata=about("Whether requesters see it.", True))
    author = fields.String(required=True, metadata=about("Who wrote it.", "shipping"))
    from_consumer = fields.Boolean(required=True, metadata=about("Whether the consumer did.", False))
    written_at = fields.String(required=True, metadata=about("When it reached the provider.", _AT))


class ScratchpadSchema(Schema):
    items = fields.List(fields.Nested(ScratchpadEntrySchema), required=True, metadata=about("All of them, by name."))


# --- what the provider's people send


class CasesQuerySchema(PageSchema):
    state = fields.String(load_default=None, validate=_STATES, metadata=about("Only these.", "received"))


class NewCaseSchema(StrictSchema):
    connection_id = Uuid(required=True, metadata=about("Which consumer is told.", _ID))
    short_description = SafeStr(
        max_length=200, min_length=1, required=True, metadata=about("What it is about.", "The line in Berlin is slow")
    )
    description = SafeStr(max_length=_LONG, load_default="", metadata=about("More of it.", "Since this morning."))
    priority = fields.String(
        load_default=str(Priority.MODERATE), validate=_PRIORITIES, metadata=about("How urgent.", "high")
    )


class CaseQuestionSchema(StrictSchema):
    question = SafeStr(
        max_length=4000, min_length=1, required=True, metadata=about("What the consumer shall answer.", "Which floor?")
    )


class CaseReasonSchema(StrictSchema):
    reason = SafeStr(max_length=4000, min_length=1, required=True, metadata=about("The consumer reads it.", "Solved"))


class ProposalSchema(StrictSchema):
    code = fields.String(required=True, validate=_CODES, metadata=about("In one word.", "solved"))
    text = SafeStr(
        max_length=_LONG, min_length=1, required=True, metadata=about("What was done.", "The line was replaced.")
    )


class OwnScratchpadEntrySchema(StrictSchema):
    value = SafeStr(max_length=VALUE_MOST, required=True, metadata=about("A text.", "1Z999"))
    client_visible = fields.Boolean(load_default=False, metadata=about("Whether requesters see it.", True))


# --- what the provider's people read


class CaseRowSchema(CaseSubjectSchema):
    number = fields.String(required=True, metadata=about("Of the provider task, on both sides.", "ACME-PT0000001"))
    task_id = fields.String(required=True, metadata=about("Its id on the wire.", _ID))
    connection_id = fields.String(required=True, metadata=about("Whose it is.", _ID))
    company = fields.String(required=True, metadata=about("The same for people.", "ACME"))
    priority_label = fields.String(required=True, metadata=about("To be shown.", "Moderate"))
    state = fields.String(required=True, validate=_STATES, metadata=about("How far it is.", "received"))
    state_label = fields.String(required=True, metadata=about("The same, to be shown.", "Received"))
    waits_for = fields.String(
        required=True, allow_none=True, validate=_SIDES, metadata=about("Whose turn it is.", "provider")
    )
    reason = fields.String(required=True, allow_none=True, metadata=about("Why it has its state.", "Which floor?"))
    assigned_to = fields.String(required=True, allow_none=True, metadata=about("Who works on it.", "user/ann"))
    acknowledged_at = UtcDateTime(required=True, allow_none=True, metadata=about("When.", _AT))
    opened_at = UtcDateTime(required=True, metadata=about("When it was opened.", _AT))
    updated_at = UtcDateTime(required=True, metadata=about("When it took its state.", _AT))
    legal_moves = fields.List(
        fields.String(validate=_STATES), required=True, metadata=about("Where we may take it.", ["work_in_progress"])
    )


class CaseChangeSchema(Schema):
    from_state = fields.String(required=True, allow_none=True, metadata=about("Null for the first.", "received"))
    to_state = fields.String(required=True, metadata=about("What it became.", "work_in_progress"))
    to_state_label = fields.String(required=True, metadata=about("The same, to be shown.", "Work in Progress"))
    reason = fields.String(required=True, allow_none=True, metadata=about("Why.", "Which floor?"))
    actor = fields.String(required=True, metadata=about("Which user or connection.", "user/ann"))
    person = fields.String(required=True, allow_none=True, metadata=about("Who at the consumer.", "Ada Lovelace"))
    at = UtcDateTime(required=True, metadata=about("When.", _AT))


class CaseDetailSchema(CaseRowSchema):
    catalog_item_id = fields.String(required=True, allow_none=True, metadata=about("What was asked for.", _ID))
    request = fields.Raw(required=True, metadata=about("The answers, in the words of the wire.", {}))
    requested_by = fields.Raw(required=True, metadata=about("Who asked.", {"name": "Ada Lovelace"}))
    history = fields.List(fields.Nested(CaseChangeSchema), required=True, metadata=about("How it came here."))
    comments = fields.List(fields.Raw(), required=True, metadata=about("What both sides said."))
    work_notes = fields.List(fields.Nested("CaseNoteSchema"), required=True, metadata=about("What only we read."))
    attachments = fields.List(fields.Raw(), required=True, metadata=about("Both sides' files."))
    scratchpad = fields.List(fields.Nested(ScratchpadEntrySchema), required=True, metadata=about("What programs left."))


class CaseNoteSchema(Schema):
    author = fields.String(required=True, metadata=about("Who wrote it.", "user/ann"))
    text = fields.String(required=True, metadata=about("What it says.", "The depot is closed."))
    created_at = UtcDateTime(required=True, metadata=about("When.", _AT))
