"""The documents of access, connections and catalog."""

from typing import Any

from marshmallow import Schema, fields, validate

from bridge.schemas import BoundedInt, Identifier, SafeStr, StrictSchema, UtcDateTime, Uuid


def about(description: str, example: Any = None) -> dict[str, Any]:
    """What OpenAPI says of a field."""
    return {"description": description, **({"example": example} if example is not None else {})}


_ID = "5b0c0f6e-6f0c-4d0e-9e55-6a1d9b8e2f10"
_AT = "2026-11-21T09:30:00.000Z"
_BASE_URL = "https://acme.example"
_CALLBACK_URL = f"{_BASE_URL}/exchange/events"


class ReasonSchema(StrictSchema):
    reason = SafeStr(max_length=1000, min_length=1, required=True, metadata=about("Why.", "Maintenance"))


class RegistrationRequestSchema(StrictSchema):
    company = Identifier(max_length=120, required=True, metadata=about("Who is to be connected.", "ACME"))
    contact_name = Identifier(max_length=120, required=True, metadata=about("Whom to speak to there.", "Ada"))
    contact_email = fields.Email(
        required=True, validate=validate.Length(max=254), metadata=about("Their e-mail.", "ada@acme.example")
    )
    base_url = SafeStr(
        max_length=2000, allow_none=True, load_default=None,
        metadata=about("Where their instance is: the token is good for callbacks below it only.", _BASE_URL),
    )  # fmt: skip
    callback_url = SafeStr(
        max_length=2000, allow_none=True, load_default=None,
        metadata=about("Where events are to go: the token is good for this callback only.", _CALLBACK_URL),
    )  # fmt: skip


class RegistrationSchema(Schema):
    id = fields.String(required=True, metadata=about("Identifies the registration.", _ID))
    number = fields.String(required=True, metadata=about("The same for people.", "REG0000001"))
    company = fields.String(required=True, metadata=about("Who is to be connected.", "ACME"))
    contact_name = fields.String(required=True, metadata=about("Whom to speak to there.", "Ada"))
    contact_email = fields.String(required=True, metadata=about("Their e-mail.", "ada@acme.example"))
    base_url = fields.String(required=True, allow_none=True, metadata=about("Where their instance is.", _BASE_URL))
    callback_url = fields.String(required=True, allow_none=True, metadata=about("Where events go.", _CALLBACK_URL))
    state = fields.String(
        required=True, metadata=about("open, work_in_progress, closed_complete or closed_incomplete.", "open")
    )
    step = fields.String(
        required=True, metadata=about("What has to happen next: complete, verify; done or closed.", "verify")
    )
    problem = fields.String(
        required=True, allow_none=True, metadata=about("What it is stuck at.", "the token expired before it was used")
    )
    problem_at = UtcDateTime(required=True, allow_none=True, metadata=about("When the consumer was last refused.", _AT))
    advice = fields.String(
        required=True, allow_none=True, metadata=about("What to do.", "sxg registration reissue REG0000001")
    )
    token_expires_at = UtcDateTime(required=True, metadata=about("When the token ends.", _AT))
    connection_id = fields.String(required=True, allow_none=True, metadata=about("What came of it.", _ID))
    created_at = UtcDateTime(required=True, metadata=about("When it was made.", _AT))


class NewRegistrationSchema(RegistrationSchema):
    token = fields.String(required=True, metadata=about("To hand over; shown this once.", "sxr_..."))


class ConnectionSchema(Schema):
    id = fields.String(required=True, metadata=about("Identifies the connection on both sides.", _ID))
    name = fields.String(required=True, metadata=about("What the consumer calls itself.", "ACME IT"))
    state = fields.String(required=True, metadata=about("pending, active, paused, diverged or revoked.", "active"))
    state_reason = fields.String(required=True, allow_none=True, metadata=about("Why.", "Maintenance"))
    peer_url = fields.String(required=True, allow_none=True, metadata=about("The callback.", "https://acme.example/e"))
    peer_instance_id = fields.String(required=True, allow_none=True, metadata=about("The consumer's instance.", _ID))
    number_prefix = fields.String(required=True, allow_none=True, metadata=about("Begins its numbers.", "ACME"))
    company = fields.String(required=True, allow_none=True, metadata=about("Who was registered.", "ACME"))
    registration_number = fields.String(
        required=True, allow_none=True, metadata=about("How it came to be.", "REG0000001")
    )
    problem = fields.String(
        required=True, allow_none=True, metadata=about("What is wrong with it.", "paused by people: Maintenance")
    )
    advice = fields.String(
        required=True, allow_none=True, metadata=about("What to do about that.", f"sxg connection resume {_ID}")
    )
    settings = fields.Nested(
        "ConnectionSettingsSchema", required=True, metadata=about("What is decided for this consumer alone.")
    )
    created_at = UtcDateTime(required=True, metadata=about("When it was made.", _AT))


class ConnectionSettingsSchema(StrictSchema):
    show_prices = fields.Boolean(
        required=True, dump_default=False, metadata=about("Whether it is told what items cost.", False)
    )
    account = Identifier(
        max_length=120, allow_none=True, dump_default=None,
        metadata=about("By which criteria find it, besides its company; as it was unless given.", "A-1042"),
    )  # fmt: skip
    labels = fields.Dict(
        keys=Identifier(max_length=120), values=Identifier(max_length=120), validate=validate.Length(max=50),
        dump_default=dict, metadata=about("The same by name; all of them at once.", {"tier": "gold"}),
    )  # fmt: skip


class HealthSchema(Schema):
    waiting = fields.Integer(required=True, metadata=about("Events not settled yet.", 0))
    parked = fields.Integer(required=True, metadata=about("Events that people must look at.", 0))
    oldest_at = UtcDateTime(required=True, allow_none=True, metadata=about("The oldest of both.", _AT))
    failures = fields.Integer(required=True, metadata=about("Failed attempts in a row.", 0))
    failing_since = UtcDateTime(required=True, allow_none=True, metadata=about("Since when.", _AT))
    not_before = UtcDateTime(required=True, allow_none=True, metadata=about("Nothing is sent before then.", _AT))
    last_success_at = UtcDateTime(required=True, allow_none=True, metadata=about("The last good answer.", _AT))
    last_duration_s = fields.Float(required=True, allow_none=True, metadata=about("How long the last took.", 0.05))
    last_error = fields.String(required=True, allow_none=True, metadata=about("What went wrong last.", "timeout"))
    directions = fields.Nested("DirectionsSchema", required=True, metadata=about("As heartbeats tell."))


class DirectionSchema(Schema):
    condition = fields.String(required=True, metadata=about("up, slow, down or unknown.", "up"))
    beat_at = UtcDateTime(required=True, allow_none=True, metadata=about("The last heartbeat.", _AT))
    answered_at = UtcDateTime(required=True, allow_none=True, metadata=about("The last that was answered.", _AT))
    every_s = fields.Float(required=True, allow_none=True, metadata=about("How often they are sent.", 30))
    round_trip_s = fields.Float(required=True, allow_none=True, metadata=about("How long the last took.", 0.05))
    missed = fields.Integer(required=True, metadata=about("Unanswered ones in a row.", 0))
    error = fields.String(required=True, allow_none=True, metadata=about("Why.", "timeout"))
    waiting = fields.Integer(required=True, allow_none=True, metadata=about("What waits at the sender.", 0))
    parked = fields.Integer(required=True, allow_none=True, metadata=about("What its people must look at.", 0))
    oldest_s = fields.Float(required=True, allow_none=True, metadata=about("The age of the oldest of both.", 0.0))
    p95_s = fields.Float(required=True, allow_none=True, metadata=about("How long sending took lately.", 0.2))


class DirectionsSchema(Schema):
    out = fields.Nested(DirectionSchema, required=True, metadata=about("From here to the consumer."))
    inbound = fields.Nested(
        DirectionSchema, required=True, data_key="in", attribute="in", metadata=about("From the consumer to here.")
    )


class ConnectionDetailSchema(ConnectionSchema):
    health = fields.Nested(HealthSchema, required=True, metadata=about("How the flow does."))


class TestEventSchema(Schema):
    event_id = fields.String(required=True, metadata=about("The consumer shows the same.", _ID))
    delivered = fields.Boolean(required=True, metadata=about("Whether the consumer answered as it should.", True))
    detail = fields.String(required=True, metadata=about("What it answered, or what went wrong.", "applied"))
    took_s = fields.Float(required=True, metadata=about("How long that took.", 0.02))


class CatalogDocumentSchema(StrictSchema):
    """Shaped like TMF620 and TMF633; what the lists hold is checked by the import itself, all faults at once."""

    productSpecification = fields.Raw(metadata=about("ProductSpecification resources.", []))
    serviceSpecification = fields.Raw(metadata=about("ServiceSpecification resources.", []))
    productOffering = fields.Raw(metadata=about("ProductOffering resources.", []))
    productOfferingPrice = fields.Raw(metadata=about("ProductOfferingPrice resources.", []))


class ImportResultSchema(Schema):
    created = fields.Integer(required=True, metadata=about("New specifications and offerings.", 12))
    updated = fields.Integer(required=True, metadata=about("Changed ones.", 0))
    unchanged = fields.Integer(required=True, metadata=about("Those that were the same already.", 0))


class OfferingSchema(Schema):
    id = fields.String(required=True, metadata=about("Identifies this version.", _ID))
    external_id = fields.String(required=True, metadata=about("The id in the catalog document.", "po-sdwan"))
    version = fields.String(required=True, metadata=about("Its version there.", "1.0"))
    name = fields.String(required=True, metadata=about("For people.", "SD-WAN Package"))
    description = fields.String(required=True, metadata=about("What it is.", "Managed SD-WAN for one site."))
    category = fields.String(required=True, metadata=about("Where it is shown.", "Networking"))
    specification_id = fields.String(required=True, metadata=about("What it is made of.", _ID))
    sellable = fields.Boolean(required=True, metadata=about("Whether it can be sold by itself.", True))
    line_level_ponr = fields.Boolean(
        required=True, metadata=about("Of an order, only lines past the point of no return stay.", False)
    )
    channels = fields.List(fields.String(), required=True, metadata=about("Where it is sold.", ["service_exchange"]))
    prices = fields.Raw(required=True, metadata=about("Never told to consumers.", []))
    lifecycle_state = fields.String(required=True, metadata=about("in_draft, published, retired.", "published"))


class SpecificationSchema(Schema):
    id = fields.String(required=True, metadata=about("Identifies this version.", _ID))
    external_id = fields.String(required=True, metadata=about("The id in the catalog document.", "ps-sdwan"))
    version = fields.String(required=True, metadata=about("Its version there.", "1.0"))
    kind = fields.String(required=True, metadata=about("product or service.", "product"))
    name = fields.String(required=True, metadata=about("For people.", "SD-WAN Edge Device"))
    service_type = fields.String(required=True, allow_none=True, metadata=about("Of a service.", "customer_facing"))
    lifecycle_state = fields.String(required=True, metadata=about("in_draft, published, retired.", "published"))
    characteristics = fields.Raw(required=True, metadata=about("What can be chosen.", []))
    children = fields.Raw(required=True, metadata=about("What it bundles.", []))
    task_templates = fields.Raw(required=True, metadata=about("The work that fulfils it.", []))


class ProducerSchema(Schema):
    identity = fields.String(required=True, metadata=about("The catalog item's id on the wire.", _ID))
    revision = fields.Integer(required=True, metadata=about("Counts from 1.", 1))
    state = fields.String(required=True, metadata=about("draft, published, inactive, retired, archived.", "draft"))
    kind = fields.String(required=True, metadata=about("product, service, inventory or task.", "product"))
    name = fields.String(required=True, metadata=about("For people.", "SD-WAN Package"))
    short_description = fields.String(required=True, metadata=about("In a sentence.", "Managed SD-WAN"))
    category = fields.String(required=True, metadata=about("Where it is shown.", "Networking"))
    criteria = fields.Raw(required=True, allow_none=True, metadata=about("Who may order.", {"all_consumers": True}))
    published_at = UtcDateTime(required=True, allow_none=True, metadata=about("When it was published.", _AT))
    compatibility = fields.String(required=True, metadata=about("The least version a consumer has to speak.", "1.0"))


class ProducerDetailSchema(Schema):
    identity = fields.String(required=True, metadata=about("The catalog item's id on the wire.", _ID))
    form = fields.Raw(required=True, metadata=about("The form of the newest revision.", {"variables": [], "parts": []}))
    revisions = fields.List(fields.Nested(ProducerSchema), required=True, metadata=about("Oldest first."))


CRITERIA = {"any": [{"companies": ["ACME"]}, {"owns_offerings": ["po-sdwan"]}]}


class PublishSchema(StrictSchema):
    criteria = fields.Dict(
        keys=fields.String(), required=True,
        metadata=about(
            '`{"all_consumers": true}`, one condition, or several below `any` or `all`. Conditions: connection_ids, '
            "companies, accounts, owns_offerings and owns_specifications (each a list), label and setting (name and "
            "values).",
            CRITERIA,
        ),
    )  # fmt: skip


class IntroductionSchema(StrictSchema):
    token = SafeStr(max_length=100, required=True, metadata=about("The registration token.", "sxr_..."))
    instance_id = Uuid(required=True, metadata=about("The consumer's instance id.", _ID))
    name = Identifier(max_length=120, required=True, metadata=about("What it calls itself.", "ACME IT"))
    callback_url = SafeStr(
        max_length=2000, required=True, metadata=about("Where events go.", "https://acme.example/exchange/events")
    )
    number_prefix = fields.String(
        required=True,
        validate=validate.Regexp(r"[A-Z][A-Z0-9]{1,11}\Z"),
        metadata=about("Begins its numbers.", "ACME"),
    )
    version = SafeStr(max_length=40, required=True, metadata=about("Of its software.", "1.0"))


class ProviderSchema(Schema):
    instance_id = fields.String(required=True, metadata=about("This provider's instance id.", _ID))
    name = fields.String(required=True, metadata=about("What it calls itself.", "northwind"))


class AdmissionSchema(Schema):
    connection_id = fields.String(required=True, metadata=about("Identifies the connection on both sides.", _ID))
    client_id = fields.String(required=True, metadata=about("For the token endpoint.", _ID))
    client_secret = fields.String(required=True, metadata=about("Shown this once.", "sxc_..."))
    webhook_secret = fields.String(required=True, metadata=about("Signs events; shown this once.", "whsec_..."))
    number_prefix = fields.String(required=True, metadata=about("Yours, or made unique.", "ACME2"))
    provider = fields.Nested(ProviderSchema, required=True, metadata=about("Who this is."))


class LinkSchema(Schema):
    connection_id = fields.String(required=True, metadata=about("Identifies the connection on both sides.", _ID))
    state = fields.String(required=True, metadata=about("pending, active, paused, diverged or revoked.", "active"))
    number_prefix = fields.String(required=True, metadata=about("Begins your numbers.", "ACME"))
    provider = fields.Nested(ProviderSchema, required=True, metadata=about("Who this is."))


class CatalogItemSchema(Schema):
    item_id = fields.String(required=True, metadata=about("Identifies the item over all revisions.", _ID))
    revision = fields.Integer(required=True, metadata=about("Counts from 1.", 1))
    name = fields.String(required=True, metadata=about("For people.", "SD-WAN Package"))
    short_description = fields.String(required=True, metadata=about("In a sentence.", "Managed SD-WAN"))
    category = fields.String(required=True, metadata=about("Where it is shown.", "Networking"))
    kind = fields.String(required=True, metadata=about("product, service, inventory or task.", "product"))
    form = fields.Raw(required=True, metadata=about("What to fill in.", {"variables": [], "parts": []}))
    orderable = fields.Boolean(required=True, metadata=about("Whether it can be ordered.", True))
    compatibility = fields.String(required=True, metadata=about("The least version that may activate it.", "1.0"))
    description = fields.String(metadata=about("In full, if there is more to say.", "Managed SD-WAN for branches."))
    help_text = fields.String(metadata=about("Helps to fill in the form.", "Ask your network team."))
    prices = fields.Raw(metadata=about("What it costs, if the provider tells you.", []))
    personas = fields.Raw(metadata=about("Of which a requester has to hold one; not there: open to all.", []))


class ActivationSchema(StrictSchema):
    state = fields.String(
        required=True,
        validate=validate.OneOf(["active", "inactive"]),
        metadata=about("What you did with the item.", "active"),
    )
    revision = BoundedInt(minimum=1, maximum=10**6, required=True, metadata=about("Of which revision.", 1))


class ActivationStateSchema(Schema):
    item_id = fields.String(required=True, metadata=about("The item.", _ID))
    state = fields.String(required=True, metadata=about("As recorded now.", "active"))
    revision = fields.Integer(required=True, metadata=about("The newest revision that was sent.", 1))
    active_revision = fields.Integer(required=True, allow_none=True, metadata=about("The one you activated.", 1))
