"""The documents of requests, orders, their work, comments and inventory."""

import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from marshmallow import Schema, fields, post_load, validate

from bridge.schemas import BoundedInt, Identifier, SafeStr, StrictSchema, UtcDateTime, Uuid
from provider.api.paging import PageSchema
from provider.api.schemas import about
from provider.api.schemas_cases import CaseSchema
from provider.domain.order_tasks import OrderTaskState
from provider.domain.orders import OrderState
from provider.services import records

_ID = "4a1c0d9e-2a6f-4f0e-8c7d-1d2c3b4a5f60"
_AT = "2026-11-21T09:00:00.000Z"

_ORDER_STATES = [str(state) for state in OrderState]
_ORDER_TASK_STATES = [str(state) for state in OrderTaskState]
_DELIVERY_STATES = ["pending", "delivered", "parked", "skipped"]


def plain(value: Any) -> Any:
    """A checked value as JSON says it again: what is stored and compared."""
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


class IdText(Uuid):
    """A UUID as text: what is nested is kept as it was read."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        return str(super()._deserialize(value, attr, data, **kwargs))


# --- what consumers send


class LocationSchema(StrictSchema):
    name = SafeStr(max_length=255, min_length=1, required=True, metadata=about("For people.", "Berlin office"))
    street = SafeStr(max_length=255, allow_none=True, metadata=about("Street and house number.", "Torstr. 1"))
    city = SafeStr(max_length=255, allow_none=True, metadata=about("City.", "Berlin"))
    postal_code = SafeStr(max_length=20, allow_none=True, metadata=about("Postal code.", "10119"))
    country = SafeStr(max_length=60, allow_none=True, metadata=about("Country, best as ISO 3166 code.", "DE"))


class ContactSchema(StrictSchema):
    name = SafeStr(max_length=255, min_length=1, required=True, metadata=about("Whom to speak to.", "Ada"))
    email = SafeStr(max_length=254, allow_none=True, metadata=about("Their e-mail.", "ada@acme.example"))
    phone = SafeStr(max_length=60, allow_none=True, metadata=about("Their telephone.", "+49 30 1234"))


class RequesterSchema(StrictSchema):
    name = SafeStr(max_length=255, min_length=1, required=True, metadata=about("Who asks.", "Ada Lovelace"))
    email = SafeStr(max_length=254, allow_none=True, metadata=about("Their e-mail.", "ada@acme.example"))
    authorised_user_id = IdText(metadata=about("Which of your authorised users, where an item asks for one.", _ID))


class AskedSchema(StrictSchema):
    """What is asked for; the item's form says which characteristics and parts there are."""

    catalog_item_revision = BoundedInt(
        minimum=1, maximum=10**6, required=True, metadata=about("The revision whose form was filled in.", 1)
    )
    revision = BoundedInt(
        minimum=1, maximum=10**6, required=True, metadata=about("Of this request; a correction counts up.", 1)
    )
    quantity = BoundedInt(minimum=1, maximum=1000, metadata=about("How many; 1 if missing.", 2))
    characteristics = fields.Dict(
        keys=SafeStr(max_length=255), metadata=about("Answers, by the key of the variable.", {"bandwidth": "100"})
    )
    parts = fields.Dict(
        keys=SafeStr(max_length=255),
        values=fields.Dict(keys=SafeStr(max_length=255), allow_none=True),
        metadata=about("By key: selected, quantity, characteristics, parts.", {"edge": {"selected": True}}),
    )
    sets = fields.Dict(
        keys=SafeStr(max_length=255),
        metadata=about("Answers to sets of variables, by key: by variable, or in rows.", {"people": [{"name": "Ada"}]}),
    )
    location = fields.Nested(LocationSchema, allow_none=True, metadata=about("Where."))
    contacts = fields.List(
        fields.Nested(ContactSchema),
        allow_none=True,
        validate=validate.Length(max=20),
        metadata=about("Whom to speak to about it."),
    )
    requested_on = fields.Date(allow_none=True, metadata=about("The day it is wanted.", "2026-12-01"))
    note = SafeStr(max_length=10_000, allow_none=True, metadata=about("Anything else.", "Deliver before noon"))
    requested_by = fields.Nested(RequesterSchema, required=True, metadata=about("Who asks."))
    opened_at = UtcDateTime(required=True, metadata=about("When it was asked, by your clock.", _AT))

    @post_load
    def _plain(self, document: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {name: plain(value) for name, value in document.items()}  # what is nested is plain already


class SubmissionSchema(AskedSchema):
    id = Uuid(required=True, metadata=about("Yours; identifies the request on both sides.", _ID))
    number = SafeStr(max_length=30, required=True, metadata=about("Yours, with your prefix.", "ACME-PT0000001"))
    catalog_item_id = Uuid(required=True, metadata=about("What is ordered.", _ID))


class ResubmissionSchema(AskedSchema):
    id = Uuid(metadata=about("The same as in the path, if it is given.", _ID))


class CancellationSchema(StrictSchema):
    reason = SafeStr(max_length=4000, required=True, metadata=about("Why.", "No longer needed"))
    requested_by = fields.Nested(RequesterSchema, metadata=about("Who wishes to cancel."))


class WriterSchema(StrictSchema):
    name = Identifier(max_length=120, required=True, metadata=about("Who wrote it.", "Ada Lovelace"))


class NewCommentSchema(StrictSchema):
    id = Uuid(required=True, metadata=about("Yours; the same comment again is taken once.", _ID))
    text = SafeStr(max_length=20_000, min_length=1, required=True, metadata=about("What it says.", "Use gate 2."))
    author = fields.Nested(WriterSchema, required=True, metadata=about("Who wrote it."))
    created_at = UtcDateTime(required=True, metadata=about("When, by your clock.", _AT))


# --- what consumers read


class ProviderTaskSchema(Schema):
    task_id = fields.String(required=True, metadata=about("Your id of the request.", _ID))
    number = fields.String(required=True, metadata=about("Your number of it.", "ACME-PT0000001"))
    state = fields.String(required=True, allow_none=True, metadata=about("The state on the wire.", "received"))
    state_label = fields.String(required=True, allow_none=True, metadata=about("The same, to be shown.", "Received"))
    order_number = fields.String(
        required=True, allow_none=True, metadata=about("The order made of it, if it needs one.", "ORD0000001")
    )
    order_state = fields.String(
        required=True, allow_none=True, validate=validate.OneOf(_ORDER_STATES),
        metadata=about("The order's own state.", "new"),
    )  # fmt: skip
    order_state_label = fields.String(required=True, allow_none=True, metadata=about("The same, to be shown.", "New"))
    order_version = fields.Integer(
        required=True, allow_none=True, metadata=about("Counts corrections, revisions, cancellations.", 1)
    )
    ponr = fields.Boolean(required=True, allow_none=True, metadata=about("Too late to cancel.", False))
    reason = fields.String(required=True, allow_none=True, metadata=about("Why it has its state.", "No such street."))
    cancellation = fields.String(
        required=True, allow_none=True, metadata=about("What came of your wish to cancel.", "declined")
    )
    cancellation_message = fields.String(
        required=True, allow_none=True, metadata=about("The same for people.", "It is on the lorry.")
    )
    revision = fields.Integer(required=True, metadata=about("Of the request.", 1))
    catalog_item_id = fields.String(
        required=True, allow_none=True, metadata=about("What was asked for; null for what we opened.", _ID)
    )
    catalog_item_revision = fields.Integer(required=True, allow_none=True, metadata=about("In which revision.", 1))
    case = fields.Nested(CaseSchema, metadata=about("What stands there instead of an order."))
    quantity = fields.Integer(metadata=about("As asked.", 2))
    characteristics = fields.Raw(metadata=about("As asked.", {"bandwidth": "100"}))
    sets = fields.Raw(metadata=about("As asked, where the form has sets.", {"people": [{"name": "Ada"}]}))
    parts = fields.Raw(metadata=about("As asked.", {}))
    location = fields.Raw(metadata=about("As asked.", {"name": "Berlin office"}))
    contacts = fields.Raw(metadata=about("As asked.", [{"name": "Ada"}]))
    requested_on = fields.String(allow_none=True, metadata=about("As asked.", "2026-12-01"))
    note = fields.String(allow_none=True, metadata=about("As asked.", "Deliver before noon"))
    requested_by = fields.Raw(required=True, metadata=about("Who asked.", {"name": "Ada Lovelace"}))
    opened_at = fields.String(required=True, metadata=about("When it was asked.", _AT))
    action = fields.String(metadata=about("What is done to a product, instead of an order.", "suspend"))
    product_id = fields.String(metadata=about("To which.", _ID))
    starts_at = fields.String(allow_none=True, metadata=about("Not before; null: at once.", _AT))
    ends_at = fields.String(allow_none=True, metadata=about("When a suspension ends by itself.", _AT))


class AuthorSchema(Schema):
    name = fields.String(required=True, metadata=about("A person.", "Ada Lovelace"))
    company = fields.String(required=True, metadata=about("Their organisation.", "ACME"))


class CommentSchema(Schema):
    task_id = fields.String(required=True, metadata=about("The request.", _ID))
    comment_id = fields.String(required=True, metadata=about("Identifies the comment on both sides.", _ID))
    text = fields.String(required=True, metadata=about("What it says.", "Use gate 2."))
    author = fields.Nested(AuthorSchema, required=True, metadata=about("Who wrote it."))
    created_at = fields.String(required=True, metadata=about("When, by the writer's clock.", _AT))


class ListedCommentSchema(CommentSchema):
    from_consumer = fields.Boolean(required=True, metadata=about("Whether it is yours.", True))


# --- what the provider's people send


class OrdersQuerySchema(PageSchema):
    state = fields.String(
        load_default=None, validate=validate.OneOf(_ORDER_STATES), metadata=about("Only these.", "new")
    )


class OrderTasksQuerySchema(PageSchema):
    state = fields.String(
        load_default=None, validate=validate.OneOf(_ORDER_TASK_STATES), metadata=about("Only these.", "open")
    )
    order = SafeStr(max_length=20, load_default=None, metadata=about("Only of this order.", "ORD0000001"))


class DeliveriesQuerySchema(PageSchema):
    connection = Uuid(load_default=None, metadata=about("Only of this consumer.", _ID))
    state = fields.String(
        load_default=None, validate=validate.OneOf(_DELIVERY_STATES), metadata=about("Only these.", "parked")
    )


class RecordsQuerySchema(PageSchema):
    kind = fields.String(
        required=True, validate=validate.OneOf(records.KINDS), metadata=about("Which records.", "provider_task")
    )


class OrderReasonSchema(StrictSchema):
    reason = SafeStr(max_length=4000, min_length=1, required=True, metadata=about("Why.", "No such street."))


class OrderMoveSchema(StrictSchema):
    to = fields.String(required=True, validate=validate.OneOf(_ORDER_STATES), metadata=about("Where to.", "on_hold"))
    reason = SafeStr(max_length=4000, allow_none=True, load_default=None, metadata=about("Why.", "Waits for parts."))


class OrderTaskMoveSchema(StrictSchema):
    to = fields.String(
        required=True, validate=validate.OneOf(_ORDER_TASK_STATES), metadata=about("Where to.", "on_hold")
    )
    reason = SafeStr(max_length=4000, allow_none=True, load_default=None, metadata=about("Why.", "Waits for parts."))


class TextSchema(StrictSchema):
    text = SafeStr(max_length=20_000, min_length=1, required=True, metadata=about("What it says.", "Which gate?"))


# --- what the provider's people read


class OrderSchema(Schema):
    number = fields.String(required=True, metadata=about("Of the order.", "ORD0000001"))
    category = fields.String(required=True, metadata=about("product or service.", "product"))
    connection_id = fields.String(required=True, metadata=about("Whose order.", _ID))
    company = fields.String(required=True, metadata=about("The same for people.", "ACME"))
    state = fields.String(required=True, metadata=about("For programs.", "new"))
    state_label = fields.String(required=True, metadata=about("To be shown.", "New"))
    version = fields.Integer(required=True, metadata=about("Counts corrections, revisions, cancellations.", 1))
    revision_operation = fields.String(
        required=True, allow_none=True, metadata=about("update or cancel: what its version changes.", None)
    )
    ponr = fields.Boolean(required=True, metadata=about("Past the point of no return.", False))
    cancellation = fields.String(
        required=True, allow_none=True, metadata=about("requested, approved, declined or refused.", None)
    )
    reason = fields.String(required=True, allow_none=True, metadata=about("Why it has its state.", None))
    created_at = UtcDateTime(required=True, metadata=about("When it came.", _AT))
    updated_at = UtcDateTime(required=True, metadata=about("When it last moved.", _AT))


class OrderLineSchema(Schema):
    number = fields.String(required=True, metadata=about("Of the line.", "ORDL0000001"))
    name = fields.String(required=True, metadata=about("What is ordered.", "SD-WAN Package"))
    action = fields.String(required=True, metadata=about("What it does to the inventory.", "add"))
    quantity = fields.Integer(required=True, metadata=about("Per piece of the line above.", 2))
    state = fields.String(required=True, metadata=about("For programs.", "new"))
    state_label = fields.String(required=True, metadata=about("To be shown.", "New"))
    ponr = fields.Boolean(required=True, metadata=about("Past the point of no return.", False))
    characteristics = fields.Raw(required=True, metadata=about("What was chosen.", {"bandwidth": "100"}))
    location = fields.Raw(required=True, allow_none=True, metadata=about("Where.", {"name": "Berlin office"}))
    contacts = fields.Raw(required=True, metadata=about("Whom to speak to.", []))
    requested_on = fields.String(required=True, allow_none=True, metadata=about("The day it is wanted.", "2026-12-01"))
    version = fields.Integer(required=True, metadata=about("Counts the revisions and cancellations it took.", 1))
    revision_operation = fields.String(
        required=True, allow_none=True, metadata=about("update or cancel: what its version changes.", None)
    )
    prices = fields.Raw(required=True, metadata=about("What it costs; no consumer is told.", []))
    operation = fields.Raw(required=True, allow_none=True, metadata=about("What it does to which product.", None))
    lines = fields.List(fields.Nested("OrderLineSchema"), required=True, metadata=about("Its parts."))


class OrderTaskSchema(Schema):
    number = fields.String(required=True, metadata=about("Of the task.", "TASK0000001"))
    key = fields.String(required=True, metadata=about("Names it among those of its line.", "deliver"))
    name = fields.String(required=True, metadata=about("What is to be done.", "Deliver"))
    state = fields.String(required=True, metadata=about("For programs.", "open"))
    state_label = fields.String(required=True, metadata=about("To be shown.", "Open"))
    depends_on = fields.List(fields.String(), required=True, metadata=about("Keys of what it waits for.", ["build"]))
    point_of_no_return = fields.Boolean(required=True, metadata=about("Closing it ends cancelling.", False))
    compensates = fields.String(
        required=True, allow_none=True, metadata=about("The task that it undoes, of a cancelled line.", "TASK0000001")
    )
    assigned_to = fields.String(required=True, allow_none=True, metadata=about("Who works on it.", "user/ann"))
    reason = fields.String(required=True, allow_none=True, metadata=about("Why it has its state.", None))
    completed_at = UtcDateTime(required=True, allow_none=True, metadata=about("When it was closed.", _AT))
    order_number = fields.String(required=True, metadata=about("For which order.", "ORD0000001"))
    line_number = fields.String(required=True, metadata=about("For which line.", "ORDL0000001"))
    line_name = fields.String(required=True, metadata=about("What that line orders.", "SD-WAN Package"))
    legal_moves = fields.List(fields.String(), required=True, metadata=about("Where it may go.", ["in_progress"]))


class OrderStateChangeSchema(Schema):
    from_state = fields.String(required=True, allow_none=True, metadata=about("Empty for the first.", "draft"))
    to_state = fields.String(required=True, metadata=about("For programs.", "submitted"))
    to_state_label = fields.String(required=True, metadata=about("To be shown.", "Submitted"))
    reason = fields.String(required=True, allow_none=True, metadata=about("Why.", None))
    actor = fields.String(required=True, metadata=about("Who.", "user/ann"))
    at = UtcDateTime(required=True, metadata=about("When.", _AT))


class WorkNoteSchema(Schema):
    id = fields.String(required=True, metadata=about("Identifies the note.", _ID))
    author = fields.String(required=True, metadata=about("Who wrote it.", "user/ann"))
    text = fields.String(required=True, metadata=about("What no consumer reads.", "Ask the depot."))
    created_at = UtcDateTime(required=True, metadata=about("When.", _AT))


class OrderEventSchema(Schema):
    id = fields.String(required=True, metadata=about("Identifies the delivery, and the event on the wire.", _ID))
    type = fields.String(required=True, metadata=about("What is told.", "exchange.product.changed"))
    stream = fields.String(required=True, metadata=about("Of which record.", f"product/{_ID}"))
    sequence = fields.Integer(required=True, metadata=about("Its place in the stream.", 1))
    state = fields.String(required=True, metadata=about("sent, waiting, failing, parked or skipped.", "sent"))
    reason = fields.String(required=True, allow_none=True, metadata=about("Why it is not sent.", "timeout"))
    next_try_at = UtcDateTime(required=True, allow_none=True, metadata=about("When it is tried next.", _AT))
    occurred_at = UtcDateTime(required=True, metadata=about("When the change was made.", _AT))
    settled_at = UtcDateTime(required=True, allow_none=True, metadata=about("When it was answered.", _AT))


class OrderDeliverySchema(Schema):
    state = fields.String(required=True, metadata=about("That of the worst event.", "sent"))
    recorded = fields.Integer(required=True, metadata=about("Events about the order so far.", 5))
    waiting = fields.Integer(required=True, metadata=about("Those the consumer does not have yet.", 0))
    parked = fields.String(
        required=True, allow_none=True, metadata=about("The delivery that the others wait for.", _ID)
    )
    error = fields.String(required=True, allow_none=True, metadata=about("Why it is parked.", "rejected"))
    events = fields.List(
        fields.Nested(OrderEventSchema), required=True, metadata=about("The newest 200, oldest of them first.")
    )


class OrderDetailSchema(OrderSchema):
    provider_task = fields.Nested(ProviderTaskSchema, required=True, metadata=about("The request."))
    lines = fields.List(fields.Nested(OrderLineSchema), required=True, metadata=about("What is ordered, as a tree."))
    totals = fields.Raw(required=True, metadata=about("What it costs, by type, period and currency.", []))
    order_tasks = fields.List(fields.Nested(OrderTaskSchema), required=True, metadata=about("The work."))
    timeline = fields.List(fields.Nested(OrderStateChangeSchema), required=True, metadata=about("Every move."))
    comments = fields.List(fields.Nested(CommentSchema), required=True, metadata=about("What both sides read."))
    work_notes = fields.List(fields.Nested(WorkNoteSchema), required=True, metadata=about("What only we read."))
    delivery = fields.Nested(OrderDeliverySchema, required=True, metadata=about("How far the consumer is."))
    legal_moves = fields.List(fields.String(), required=True, metadata=about("Where it may go.", ["acknowledged"]))


class DeliverySchema(Schema):
    id = fields.String(required=True, metadata=about("Identifies the delivery, and the event on the wire.", _ID))
    connection_id = fields.String(required=True, metadata=about("To whom.", _ID))
    type = fields.String(required=True, metadata=about("What is told.", "exchange.product.changed"))
    stream = fields.String(required=True, metadata=about("Of which record.", f"product/{_ID}"))
    sequence = fields.Integer(required=True, metadata=about("Its place in the stream.", 1))
    state = fields.String(required=True, metadata=about("pending, delivered, parked or skipped.", "delivered"))
    error = fields.String(required=True, allow_none=True, metadata=about("What went wrong with it.", "rejected"))
    reason = fields.String(required=True, allow_none=True, metadata=about("Why it is not sent.", "timeout"))
    next_try_at = UtcDateTime(required=True, allow_none=True, metadata=about("When it is tried next.", _AT))
    original_id = fields.String(required=True, allow_none=True, metadata=about("Of what a tombstone replaced.", _ID))
    occurred_at = UtcDateTime(required=True, metadata=about("When the change was made.", _AT))
    settled_at = UtcDateTime(required=True, allow_none=True, metadata=about("When it was answered.", _AT))


class RecordsSchema(Schema):
    items = fields.List(
        fields.Dict(), required=True, metadata=about("In the words of the wire; their members depend on the kind.")
    )
    next = fields.String(
        required=True, allow_none=True, metadata=about("The cursor of the next page, null at the end.")
    )
