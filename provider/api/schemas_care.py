"""The documents of connection care: heartbeats, issues, secrets and addresses."""

from marshmallow import EXCLUDE, Schema, fields, validate

from bridge.repairing import POSITIONS_LIMIT
from bridge.schemas import BoundedInt, SafeStr, StrictSchema, UtcDateTime, Uuid
from provider.api.schemas import about
from provider.services.rotations import GRACE_S, SECRETS

_ID = "5b0c0f6e-6f0c-4d0e-9e55-6a1d9b8e2f10"
_STREAM = f"provider_task/{_ID}"
_AT = "2026-11-21T09:30:00.000Z"


class HeartbeatSchema(Schema):
    """What a later consumer adds is passed over: a beat must not fail for it."""

    class Meta:
        unknown = EXCLUDE

    every_s = fields.Float(
        required=True, validate=validate.Range(min=0.1, max=3600), metadata=about("How often you beat, in seconds.", 30)
    )
    round_trip_s = fields.Float(
        allow_none=True, validate=validate.Range(min=0, max=3600),
        metadata=about("How long your last beat took to be answered, in seconds.", 0.05),
    )  # fmt: skip
    waiting = BoundedInt(minimum=0, maximum=10**12, allow_none=True, metadata=about("Calls that wait with you.", 0))
    parked = BoundedInt(minimum=0, maximum=10**12, allow_none=True, metadata=about("Calls your people must see.", 0))
    oldest_s = fields.Float(
        allow_none=True, validate=validate.Range(min=0, max=10**12),
        metadata=about("The age of the oldest of both, in seconds.", 0),
    )  # fmt: skip
    p95_s = fields.Float(
        allow_none=True, validate=validate.Range(min=0, max=3600),
        metadata=about("How long your calls took lately, but for 5 % of them, in seconds.", 0.2),
    )  # fmt: skip
    spoken = fields.List(
        fields.String(validate=validate.Length(max=120)), load_default=None, allow_none=True,
        validate=validate.Length(max=100),
        metadata=about("Types of events that you know; without it you are sent all.", ["exchange.product.changed"]),
    )  # fmt: skip
    version = SafeStr(
        max_length=20, load_default=None, allow_none=True,
        metadata=about("The version of the exchange that you speak now, if not that of your registration.", "1.1"),
    )  # fmt: skip


class HeardSchema(Schema):
    connection_id = fields.String(required=True, metadata=about("The connection's id.", _ID))
    state = fields.String(required=True, metadata=about("pending, active, paused or diverged.", "active"))


class StreamSchema(Schema):
    stream = fields.String(required=True, metadata=about("What it is of.", _STREAM))
    settled = fields.Integer(required=True, metadata=about("The last sequence that you answered well.", 7))
    recorded = fields.Integer(required=True, metadata=about("The last sequence that there is.", 8))


class PositionSchema(StrictSchema):
    stream = SafeStr(required=True, min_length=1, max_length=255, metadata=about("What it is of.", _STREAM))
    sequence = BoundedInt(
        minimum=0, maximum=2**31 - 1, required=True, metadata=about("The last that you applied; 0 for none.", 7)
    )
    digest = fields.String(
        required=True,
        validate=validate.Regexp(r"[0-9a-f]{64}\Z"),
        metadata=about("The digest there, in hex.", "0" * 64),
    )
    ids = fields.List(
        Uuid(), load_default=list, validate=validate.Length(max=50),
        metadata=about("The ids of the last events that you applied.", [_ID]),
    )  # fmt: skip


class PositionsSchema(StrictSchema):
    streams = fields.List(
        fields.Nested(PositionSchema), required=True, validate=validate.Length(max=POSITIONS_LIMIT),
        metadata=about("Where you are in each."),
    )  # fmt: skip


class StreamStandingSchema(Schema):
    stream = fields.String(required=True, metadata=about("What it is of.", _STREAM))
    standing = fields.String(
        required=True, metadata=about("same, replayed, renumbered, differs (people must look) or unknown.", "same")
    )


class StandingsSchema(Schema):
    streams = fields.List(fields.Nested(StreamStandingSchema), required=True, metadata=about("Each that you named."))


class CallKeysSchema(StrictSchema):
    keys = fields.List(
        SafeStr(min_length=1, max_length=255), required=True, validate=validate.Length(max=POSITIONS_LIMIT),
        metadata=about("The Idempotency-Key of each.", [_ID]),
    )  # fmt: skip


class IssuesQuerySchema(StrictSchema):
    connection_id = Uuid(load_default=None, metadata=about("Of this connection only."))
    resolved = fields.Boolean(
        load_default=False, metadata=about("Those that are over, instead of the open ones.", False)
    )


class IssueSchema(Schema):
    id = fields.Integer(required=True, metadata=about("Identifies the issue.", 1))
    connection_id = fields.String(required=True, metadata=about("What it is about.", _ID))
    connection = fields.String(required=True, metadata=about("The same for people.", "ACME IT"))
    kind = fields.String(required=True, metadata=about("A word for the known cause.", "outbound_down"))
    subject = fields.String(required=True, metadata=about("What of the connection; empty: all of it.", ""))
    fault = fields.String(required=True, metadata=about("What is wrong.", "2 heartbeats were not answered"))
    advice = fields.String(required=True, metadata=about("What to do about that.", "Is the other side up?"))
    count = fields.Integer(required=True, metadata=about("How often it was found.", 3))
    first_at = UtcDateTime(required=True, metadata=about("When first.", _AT))
    last_at = UtcDateTime(required=True, metadata=about("When last.", _AT))
    resolved_at = UtcDateTime(required=True, allow_none=True, metadata=about("When it was not found any more.", _AT))


class IssuesSchema(Schema):
    items = fields.List(fields.Nested(IssueSchema), required=True, metadata=about("At most 200, seen last first."))
    total = fields.Integer(required=True, metadata=about("How many there are.", 1))
    next = fields.String(required=True, allow_none=True, metadata=about("Always null: there is one page."))


class SecretSchema(Schema):
    secret = fields.String(required=True, metadata=about("The new one, in clear.", "whsec_..."))


class RotateSchema(StrictSchema):
    secrets = fields.List(
        fields.String(validate=validate.OneOf(SECRETS)), load_default=list(SECRETS), validate=validate.Length(1, 2),
        metadata=about("Which secrets; both unless you name one.", ["webhook_secret"]),
    )  # fmt: skip
    grace_s = fields.Float(
        load_default=GRACE_S, validate=validate.Range(0, 30 * 86_400),
        metadata=about("How long the former one stays good after the new one is proven, in seconds.", 86_400),
    )  # fmt: skip


class RotationSchema(Schema):
    secret = fields.String(required=True, metadata=about("webhook_secret or client_secret.", "webhook_secret"))
    state = fields.String(required=True, metadata=about("wanted, offered, proven or done.", "proven"))
    started_at = UtcDateTime(required=True, metadata=about("When it began.", _AT))
    proven_at = UtcDateTime(required=True, allow_none=True, metadata=about("When the new one was proven.", _AT))
    former_until = UtcDateTime(required=True, allow_none=True, metadata=about("When the former one ends.", _AT))


class RotationsSchema(Schema):
    items = fields.List(fields.Nested(RotationSchema), required=True, metadata=about("The last one of each secret."))


class EpochSchema(StrictSchema):
    accept = fields.Boolean(required=True, metadata=about("Whether it is the consumer itself, restored.", True))


class CallbackSchema(StrictSchema):
    callback_url = SafeStr(
        max_length=2000, min_length=1, required=True,
        metadata=about("Where events go, once it has proven itself.", "https://acme.example/exchange/events"),
    )  # fmt: skip


class ProofRequestSchema(StrictSchema):
    connection_id = Uuid(required=True, metadata=about("Your connection.", _ID))
    nonce = SafeStr(max_length=128, min_length=16, required=True, metadata=about("Any text.", "mB3v9pXkq2LJr8sT"))


class ProofSchema(Schema):
    id = fields.String(data_key="webhook-id", required=True, metadata=about("Part of what is signed.", "proof_..."))
    timestamp = fields.String(data_key="webhook-timestamp", required=True, metadata=about("In seconds.", "1795251600"))
    signature = fields.String(data_key="webhook-signature", required=True, metadata=about("As on events.", "v1,..."))


class MovedSchema(Schema):
    connection_id = fields.String(required=True, metadata=about("The connection's id.", _ID))
    callback_url = fields.String(required=True, metadata=about("Where events go.", "https://acme.example/events"))
