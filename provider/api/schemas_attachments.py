"""The documents of files that belong to requests."""

from marshmallow import Schema, fields, validate

from bridge.attachments import AttachmentState
from bridge.schemas import BoundedInt, SafeStr, StrictSchema, UtcDateTime, Uuid
from provider.api.schemas import about
from provider.api.schemas_orders import AuthorSchema, WriterSchema

_ID = "4a1c0d9e-2a6f-4f0e-8c7d-1d2c3b4a5f60"
_AT = "2026-11-21T09:00:00.000Z"
_HASH = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
_LARGEST = 2**40

_NAME = about("Its name, without a path.", "plan.pdf")
_KIND = about("What it is said to be; nothing depends on it.", "application/pdf")
_MEDIA_TYPE = validate.Regexp(r"[A-Za-z0-9!#$&^_.+-]{1,48}/[A-Za-z0-9!#$&^_.+-]{1,48}\Z")


class AnnouncementSchema(StrictSchema):
    """A file that is about to be sent."""

    id = Uuid(required=True, metadata=about("Yours, of your connection; the same file again is taken once.", _ID))
    name = SafeStr(max_length=255, min_length=1, required=True, metadata=_NAME)
    media_type = fields.String(required=True, validate=_MEDIA_TYPE, metadata=_KIND)
    size_bytes = BoundedInt(minimum=0, maximum=_LARGEST, required=True, metadata=about("How long it is.", 48213))
    sha256 = fields.String(
        required=True, validate=validate.Regexp(r"[0-9a-f]{64}\Z"), metadata=about("Its SHA-256, in hex.", _HASH)
    )
    author = fields.Nested(WriterSchema, required=True, metadata=about("Who attached it."))
    created_at = UtcDateTime(required=True, metadata=about("When, by your clock.", _AT))


class AttachmentSchema(Schema):
    task_id = fields.String(required=True, metadata=about("The request.", _ID))
    attachment_id = fields.String(required=True, metadata=about("Identifies the file on both sides.", _ID))
    name = fields.String(required=True, metadata=_NAME)
    media_type = fields.String(required=True, metadata=_KIND)
    size_bytes = fields.Integer(required=True, metadata=about("How long it is.", 48213))
    sha256 = fields.String(required=True, metadata=about("Its SHA-256, in hex.", _HASH))
    author = fields.Nested(AuthorSchema, required=True, metadata=about("Who attached it."))
    created_at = fields.String(required=True, metadata=about("When, by the sender's clock.", _AT))
    state = fields.String(
        required=True,
        validate=validate.OneOf([str(state) for state in AttachmentState]),
        metadata=about("How far it is at the receiver.", "there"),
    )
    reason = fields.String(required=True, allow_none=True, metadata=about("Why it was refused.", "It is too large."))


class ListedAttachmentSchema(AttachmentSchema):
    from_consumer = fields.Boolean(required=True, metadata=about("Whether the consumer sent it.", True))


class OwnAttachmentSchema(ListedAttachmentSchema):
    id = fields.String(required=True, metadata=about("Our id of it.", _ID))


class OwnAttachmentsSchema(Schema):
    items = fields.List(fields.Nested(OwnAttachmentSchema), required=True, metadata=about("By time, then by id."))


class OutcomeSchema(StrictSchema):
    """What became of a file of the provider."""

    state = fields.String(
        required=True,
        validate=validate.OneOf([str(AttachmentState.THERE), str(AttachmentState.REFUSED)]),
        metadata=about("`there`: you have it, whole.", "there"),
    )
    reason = SafeStr(
        max_length=1000, min_length=1, allow_none=True, load_default=None,
        metadata=about("Why you refused it, for people.", "The file is too large."),
    )  # fmt: skip


class PieceQuerySchema(StrictSchema):
    offset = BoundedInt(
        minimum=0,
        maximum=_LARGEST,
        from_text=True,
        load_default=0,
        metadata=about("Where the piece begins in the file.", 0),
    )


class PieceSchema(Schema):
    state = fields.String(required=True, metadata=about("`there` once the file is whole.", "on_its_way"))
    received_bytes = fields.Integer(required=True, metadata=about("Where the next piece begins.", 1048576))


class FileQuerySchema(StrictSchema):
    name = SafeStr(max_length=255, min_length=1, required=True, metadata=_NAME)
