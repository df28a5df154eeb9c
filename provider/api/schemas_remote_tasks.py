"""The documents of definitions, remote tasks, incidents and transforms."""

from typing import Any

from marshmallow import Schema, fields, validate

from bridge.field_maps import CONSUMER, INCIDENT, LINES_LIMIT, PROVIDER, SYNC_WHEN, VERSION_LIMIT
from bridge.schemas import BoundedInt, Identifier, SafeStr, StrictSchema, UtcDateTime, Uuid
from provider.api.schemas import about

_ID = "5b0c0f6e-6f0c-4d0e-9e55-6a1d9b8e2f10"
_AT = "2026-11-21T09:30:00.000Z"
_NUMBER = "ACME-RT0000001"
_INCIDENT = "INC0000001"


def _field(name: str, example: str, **options: Any) -> SafeStr:
    field = INCIDENT.fields[name]
    said = about(f"{field.label}.", example)
    return SafeStr(max_length=field.max_length, allow_none=not field.required, metadata=said, **options)


# --- definitions


class FieldLineSchema(StrictSchema):
    """What is not told: the key is the source, the label is made of the key, and the line is active."""

    key = SafeStr(max_length=40, metadata=about("What crosses under this name.", "priority"))
    label = SafeStr(max_length=80, metadata=about("For people.", "Priority"))
    source = SafeStr(max_length=40, required=True, metadata=about("The field it is read from.", "priority"))
    target = SafeStr(
        max_length=40,
        allow_none=True,
        metadata=about("The field it is written to; none of a virtual line.", "priority"),
    )
    max_length = BoundedInt(minimum=1, maximum=10_000, metadata=about("Longer values do not cross.", 200))
    sync_when = fields.String(
        validate=validate.OneOf(SYNC_WHEN), metadata=about("When the receiver writes it.", "insert_or_update")
    )
    active = fields.Boolean(metadata=about("Whether it crosses at all.", True))
    virtual = fields.Boolean(metadata=about("Kept with the remote task, not with the record.", False))
    pre_existing = fields.Boolean(metadata=about("Of comments: whether those from before cross, too.", True))


class RemoteTaskDefinitionContentSchema(StrictSchema):
    """What is not told stays; of a new definition it begins with comments both ways."""

    name = Identifier(max_length=120, metadata=about("No other definition has it.", "Incidents"))
    description = SafeStr(max_length=500, metadata=about("In a sentence.", "Hand work over to us."))
    provider_table = SafeStr(max_length=40, metadata=about("Our records.", "incident"))
    consumer_table = SafeStr(max_length=40, metadata=about("The consumer's records.", "ticket"))
    inbound = fields.List(
        fields.Nested(FieldLineSchema), validate=validate.Length(max=LINES_LIMIT), metadata=about("From the consumer.")
    )
    outbound = fields.List(
        fields.Nested(FieldLineSchema), validate=validate.Length(max=LINES_LIMIT), metadata=about("To the consumer.")
    )


class NewRemoteTaskDefinitionSchema(RemoteTaskDefinitionContentSchema):
    name = Identifier(max_length=120, required=True, metadata=about("No other definition has it.", "Incidents"))


class RemoteTaskDefinitionSchema(Schema):
    identity = fields.String(required=True, metadata=about("Its id on the wire.", _ID))
    revision = fields.Integer(required=True, metadata=about("Counts from 1.", 1))
    state = fields.String(required=True, metadata=about("Of this revision.", "published"))
    name = fields.String(required=True, metadata=about("For people.", "Incidents"))
    description = fields.String(required=True, metadata=about("In a sentence.", "Hand work over to us."))
    provider_table = fields.String(required=True, metadata=about("Our records.", "incident"))
    consumer_table = fields.String(required=True, metadata=about("The consumer's records.", "ticket"))
    lines = fields.Raw(required=True, metadata=about("The map: `inbound` and `outbound` lines."))
    criteria = fields.Raw(required=True, allow_none=True, metadata=about("Whom it is for.", {"all_consumers": True}))
    published_at = UtcDateTime(required=True, allow_none=True, metadata=about("When it was published.", _AT))


class RemoteTaskDefinitionDetailSchema(Schema):
    identity = fields.String(required=True, metadata=about("Its id on the wire.", _ID))
    revisions = fields.List(
        fields.Nested(RemoteTaskDefinitionSchema), required=True, metadata=about("All of them, oldest first.")
    )


class OfferedDefinitionSchema(Schema):
    """As a consumer sees it."""

    definition_id = fields.String(required=True, metadata=about("Its id.", _ID))
    revision = fields.Integer(required=True, metadata=about("Of the published one.", 1))
    name = fields.String(required=True, metadata=about("For people.", "Incidents"))
    description = fields.String(required=True, metadata=about("In a sentence.", "Hand work over to us."))
    provider_table = fields.String(required=True, metadata=about("The provider's records.", "incident"))
    consumer_table = fields.String(required=True, metadata=about("Your records.", "ticket"))
    inbound = fields.Raw(required=True, metadata=about("Lines from you to the provider."))
    outbound = fields.Raw(required=True, metadata=about("Lines from the provider to you."))


class DefinitionActivationSchema(StrictSchema):
    state = fields.String(
        required=True, validate=validate.OneOf(["active", "inactive"]), metadata=about("What you did.", "active")
    )
    revision = BoundedInt(minimum=1, maximum=2**31 - 1, required=True, metadata=about("Of which revision.", 1))


class DefinitionActivationStateSchema(Schema):
    definition_id = fields.String(required=True, attribute="identity", metadata=about("Its id.", _ID))
    state = fields.String(required=True, attribute="consumer_state", metadata=about("As you told.", "active"))
    revision = fields.Integer(required=True, metadata=about("The newest that was sent.", 1))
    active_revision = fields.Integer(required=True, allow_none=True, metadata=about("That you activated.", 1))


# --- what consumers send of remote tasks


class FieldValueSchema(StrictSchema):
    value = SafeStr(
        max_length=10_000, required=True, allow_none=True, metadata=about("Null, empty and missing differ.", "high")
    )
    version = BoundedInt(minimum=1, maximum=VERSION_LIMIT, required=True, metadata=about("Counts changes.", 1))
    by = fields.String(
        required=True, validate=validate.OneOf([CONSUMER, PROVIDER]), metadata=about("Who changed it last.", "consumer")
    )


def _fields(**options: Any) -> fields.Dict:
    example = {"priority": {"value": "high", "version": 1, "by": "consumer"}}
    return fields.Dict(
        keys=SafeStr(max_length=40), values=fields.Nested(FieldValueSchema), validate=validate.Length(max=LINES_LIMIT),
        metadata=about("Values by key of the line.", example), **options,
    )  # fmt: skip


class ParentSchema(StrictSchema):
    id = Uuid(required=True, metadata=about("Your record's id.", _ID))
    number = Identifier(max_length=40, required=True, metadata=about("What your people call it.", "TKT0000001"))


class PersonSchema(StrictSchema):
    name = SafeStr(max_length=255, min_length=1, required=True, metadata=about("Who.", "Ada Lovelace"))


class NewRemoteTaskSchema(StrictSchema):
    id = Uuid(required=True, metadata=about("Yours; the same again is the same remote task.", _ID))
    number = SafeStr(max_length=40, required=True, metadata=about("Yours, with your prefix.", _NUMBER))
    revision = BoundedInt(minimum=1, maximum=2**31 - 1, required=True, metadata=about("Counts from 1.", 1))
    definition_id = Uuid(required=True, metadata=about("By which definition.", _ID))
    definition_revision = BoundedInt(
        minimum=1, maximum=2**31 - 1, required=True, metadata=about("The one you have active.", 1)
    )
    parent = fields.Nested(ParentSchema, required=True, metadata=about("Your record."))
    fields_ = _fields(required=True, data_key="fields", attribute="fields")
    requested_by = fields.Nested(PersonSchema, required=True, metadata=about("Who asked for it."))
    opened_at = UtcDateTime(required=True, metadata=about("When, by your clock.", _AT))


class ChangedFieldsSchema(StrictSchema):
    fields_ = _fields(required=True, data_key="fields", attribute="fields")


class RemoteCommentSchema(StrictSchema):
    id = Uuid(required=True, metadata=about("Yours; the same comment again is taken once.", _ID))
    text = SafeStr(max_length=10_000, min_length=1, required=True, metadata=about("What it says.", "Any news?"))
    author = fields.Nested(PersonSchema, required=True, metadata=about("Who wrote it."))
    created_at = UtcDateTime(required=True, metadata=about("When, by your clock.", _AT))


class StandingSchema(StrictSchema):
    stopped = SafeStr(
        max_length=2000, min_length=1, required=True, allow_none=True,
        metadata=about("Why your side stops it; null to let it go on.", "Not needed now."),
    )  # fmt: skip
    error = SafeStr(max_length=2000, allow_none=True, metadata=about("Your record is gone.", "The ticket was deleted."))
    definition_revision = BoundedInt(minimum=1, maximum=2**31 - 1, metadata=about("The one you have active now.", 2))
    missed = fields.List(
        Uuid(), validate=validate.Length(max=1000), metadata=about("Comments that came while it was stopped.", [_ID])
    )


class FieldProblemSchema(StrictSchema):
    key = SafeStr(max_length=40, min_length=1, required=True, metadata=about("Of which line.", "state"))
    reason = SafeStr(max_length=2000, min_length=1, required=True, metadata=about("For people.", "It is closed."))


class FieldProblemsSchema(StrictSchema):
    problems = fields.List(
        fields.Nested(FieldProblemSchema), required=True, validate=validate.Length(max=LINES_LIMIT),
        metadata=about("All that you did not take; none if you took everything."),
    )  # fmt: skip


class OwnRemoteTaskSchema(Schema):
    """As a consumer sees it."""

    task_id = fields.String(required=True, metadata=about("Your id.", _ID))
    number = fields.String(required=True, metadata=about("Your number.", _NUMBER))
    definition_id = fields.String(required=True, metadata=about("By which definition.", _ID))
    definition_revision = fields.Integer(required=True, metadata=about("And which revision of it.", 1))
    parent_number = fields.String(required=True, allow_none=True, metadata=about("The provider's record.", _INCIDENT))
    status = fields.String(required=True, metadata=about("connected, disconnected or error.", "connected"))
    stopped = fields.String(required=True, allow_none=True, metadata=about("Why the provider stopped it."))
    error = fields.String(required=True, allow_none=True, metadata=about("What is wrong with it."))
    problems = fields.Raw(required=True, metadata=about("Fields of yours that did not get through, and why.", []))


class RemoteRecordSchema(OwnRemoteTaskSchema):
    revision = fields.Integer(required=True, metadata=about("The last that you asked for it with.", 1))
    parent = fields.Raw(required=True, metadata=about("Your record: its id and number.", {"number": "TKT0000001"}))
    stopped_by_consumer = fields.String(required=True, allow_none=True, metadata=about("Why you stopped it."))
    requested_by = fields.Raw(required=True, metadata=about("Who asked for it.", {"name": "Ada"}))
    opened_at = fields.String(required=True, metadata=about("When.", "2026-11-21T09:00:00.000Z"))
    fields_ = fields.Raw(
        required=True, attribute="fields", data_key="fields",
        metadata=about("By direction: key, value in your words, version and by of each line.", {"inbound": []}),
    )  # fmt: skip
    comments = fields.Raw(required=True, metadata=about("As in the event, and from_consumer.", []))


class TakenCommentSchema(OwnRemoteTaskSchema):
    taken = fields.Boolean(required=True, metadata=about("False while it is not connected: tell it again then.", True))


# --- our people


class RemoteTaskSchema(Schema):
    number = fields.String(required=True, metadata=about("On both sides.", _NUMBER))
    connection_id = fields.String(required=True, metadata=about("Of which consumer.", _ID))
    definition_id = fields.String(required=True, metadata=about("By which definition.", _ID))
    definition_revision = fields.Integer(required=True, metadata=about("And which revision of it.", 1))
    parent_number = fields.String(required=True, metadata=about("The consumer's record.", "TKT0000001"))
    incident_id = fields.String(required=True, allow_none=True, metadata=about("Our record.", _ID))
    status = fields.String(required=True, metadata=about("connected, disconnected or error.", "connected"))
    stopped_here = fields.String(required=True, allow_none=True, metadata=about("Why we stopped it."))
    stopped_there = fields.String(required=True, allow_none=True, metadata=about("Why the consumer stopped it."))
    error = fields.String(required=True, allow_none=True, metadata=about("What is wrong with it."))
    virtual = fields.Raw(required=True, metadata=about("Values of virtual lines, by key.", {}))
    problems = fields.Raw(required=True, metadata=about("Fields that did not get through, and why.", []))
    updated_at = UtcDateTime(required=True, metadata=about("When anything of it changed last.", _AT))


class DisconnectSchema(StrictSchema):
    reason = SafeStr(max_length=500, load_default="", metadata=about("The consumer reads it.", "Done elsewhere."))


class IncidentSchema(Schema):
    number = fields.String(required=True, metadata=about("For people.", _INCIDENT))
    short_description = fields.String(required=True, metadata=about("In a sentence.", "The line is down"))
    description = fields.String(required=True, allow_none=True, metadata=about("At length."))
    state = fields.String(required=True, metadata=about("How far it is.", "new"))
    priority = fields.String(required=True, metadata=about("1 is the highest.", "4"))
    category = fields.String(required=True, allow_none=True, metadata=about("What it is about.", "network"))
    assigned_to = fields.String(required=True, allow_none=True, metadata=about("Who works on it.", "ann"))
    resolution = fields.String(required=True, allow_none=True, metadata=about("What was done."))
    company = fields.String(required=True, allow_none=True, metadata=about("Whose it is.", "ACME"))
    opened_by = fields.String(required=True, metadata=about("Who opened it.", "Ada (ACME)"))
    opened_at = UtcDateTime(required=True, metadata=about("When.", _AT))
    updated_at = UtcDateTime(required=True, metadata=about("When it changed last.", _AT))


class IncidentEntrySchema(Schema):
    id = fields.String(required=True, metadata=about("Its id.", _ID))
    kind = fields.String(required=True, metadata=about("comments cross, work_notes never do.", "comments"))
    author_name = fields.String(required=True, metadata=about("Who wrote it.", "Ann"))
    author_company = fields.String(required=True, allow_none=True, metadata=about("Of which company.", "Northwind"))
    text = fields.String(required=True, metadata=about("What it says.", "We are on it."))
    created_at = UtcDateTime(required=True, metadata=about("When, by its writer's clock.", _AT))


class IncidentDetailSchema(IncidentSchema):
    entries = fields.List(
        fields.Nested(IncidentEntrySchema), required=True, metadata=about("What was written, in order.")
    )


class IncidentChangeSchema(StrictSchema):
    """What is not told stays; null clears."""

    short_description = _field("short_description", "The line is down")
    description = _field("description", "Since noon.")
    state = _field("state", "work_in_progress")
    priority = _field("priority", "2")
    category = _field("category", "network")
    assigned_to = _field("assigned_to", "ann")
    resolution = _field("resolution", "Replaced the cable.")


class NewIncidentSchema(IncidentChangeSchema):
    short_description = _field("short_description", "The line is down", required=True)


class WrittenSchema(StrictSchema):
    text = SafeStr(max_length=10_000, min_length=1, required=True, metadata=about("What to say.", "We are on it."))


# --- transforms


class TransformsChangeSchema(StrictSchema):
    transforms = fields.Dict(
        keys=SafeStr(max_length=80, min_length=1), values=fields.Raw(), required=True,
        validate=validate.Length(min=1, max=100),
        metadata=about("By name; those that are not named stay those of everybody."),
    )  # fmt: skip


class TransformVersionSchema(Schema):
    version = fields.Integer(required=True, metadata=about("Counts over all connections.", 3))
    created_at = UtcDateTime(required=True, metadata=about("When.", _AT))
    actor = fields.String(required=True, metadata=about("Who.", "user/ann"))
    document = fields.Raw(required=True, allow_none=True, metadata=about("The tables; null: back to everybody's."))


class TransformsSchema(Schema):
    connection_id = fields.String(required=True, metadata=about("For whom.", _ID))
    version = fields.Integer(required=True, allow_none=True, metadata=about("What is in force.", 3))
    is_default = fields.Boolean(required=True, metadata=about("Whether it is what everybody has.", True))
    own = fields.Raw(required=True, metadata=about("This consumer's own tables, by name.", {}))
    transforms = fields.Raw(required=True, metadata=about("All in force, by name."))
    versions = fields.List(
        fields.Nested(TransformVersionSchema), required=True, metadata=about("This consumer's own, newest first.")
    )


class TransformDryRunSchema(Schema):
    checked = fields.Integer(required=True, metadata=about("How many remote tasks were looked at.", 3))
    changed = fields.Raw(required=True, metadata=about("What would be seen otherwise: number, field, before, after."))
