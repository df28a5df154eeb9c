"""The words of the wire: event types, header names, verdicts and limits. `docs/wire.md` explains each."""

from enum import StrEnum


class EventType(StrEnum):
    """The `type` of a CloudEvent that a provider sends."""

    CATALOG_ITEM_CHANGED = "exchange.catalog_item.changed"
    CATALOG_ITEM_REMOVED = "exchange.catalog_item.removed"
    PROVIDER_TASK_STATE_CHANGED = "exchange.provider_task.state_changed"
    COMMENT_ADDED = "exchange.provider_task.comment_added"
    ATTACHMENT_ADDED = "exchange.provider_task.attachment_added"
    CASE_CHANGED = "exchange.provider_task.case_changed"
    APPROVAL_CHANGED = "exchange.provider_task.approval_changed"
    SCRATCHPAD_CHANGED = "exchange.provider_task.scratchpad_changed"
    PRODUCT_CHANGED = "exchange.product.changed"
    AUTHORISED_USER_CHANGED = "exchange.authorised_user.changed"
    CONNECTION_SETTINGS_CHANGED = "exchange.connection.settings_changed"
    REMOTE_TASK_DEFINITION_CHANGED = "exchange.remote_task_definition.changed"
    REMOTE_TASK_DEFINITION_REMOVED = "exchange.remote_task_definition.removed"
    REMOTE_TASK_CHANGED = "exchange.remote_task.changed"
    REMOTE_TASK_COMMENT_ADDED = "exchange.remote_task.comment_added"
    TOMBSTONE = "exchange.tombstone"
    CHALLENGE = "exchange.connection.challenge"
    TEST = "exchange.connection.test"
    HEARTBEAT = "exchange.connection.heartbeat"
    CLOSED = "exchange.connection.closed"


UNSEQUENCED = frozenset({EventType.CHALLENGE, EventType.TEST, EventType.HEARTBEAT, EventType.CLOSED})
"""Events that belong to no stream: answered, never stored."""

REQUIRED = frozenset(
    {
        EventType.CATALOG_ITEM_CHANGED,
        EventType.CATALOG_ITEM_REMOVED,
        EventType.PROVIDER_TASK_STATE_CHANGED,
        EventType.TOMBSTONE,
    }
)
"""Sequenced types that every receiver knows; it may tell that it knows others not yet."""


class Verdict(StrEnum):
    """What a receiver says of one event, or a sender concludes of one call."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    REJECTED = "rejected"
    GAP = "gap"
    RETRY = "retry"
    CONFLICT = "conflict"


ADVANCING = frozenset({Verdict.APPLIED, Verdict.DUPLICATE, Verdict.IGNORED})
"""Verdicts after which the stream goes on."""


class ConnectionState(StrEnum):
    """pending: credentials issued, not proven. diverged: the sides disagree, people must look. revoked: for ever."""

    PENDING = "pending"
    ACTIVE = "active"
    PAUSED = "paused"
    DIVERGED = "diverged"
    REVOKED = "revoked"


EXCHANGE_PATH = "/exchange/v1"
BATCH_CONTENT_TYPE = "application/cloudevents-batch+json"
PROBLEM_CONTENT_TYPE = "application/problem+json"

HEADER_ID = "webhook-id"
HEADER_TIMESTAMP = "webhook-timestamp"
HEADER_SIGNATURE = "webhook-signature"
HEADER_INSTANCE = "Exchange-Instance"
HEADER_EPOCH = "Exchange-Epoch"
CODE_COPIED = "instance_copied"
"""The problem that a copied instance is refused with."""
CODE_NOT_ACTIVE = "connection_not_active"
"""The problem that calls of a connection are refused with while it is not active; its `state` says what it is."""
HEADER_IDEMPOTENCY_KEY = "Idempotency-Key"

BATCH_LIMIT_EVENTS = 200
BATCH_LIMIT_BYTES = 1024 * 1024
EVENT_LIMIT_BYTES = 256 * 1024
ANSWER_LIMIT_BYTES = 64 * 1024
TIMESTAMP_TOLERANCE_S = 300
FAST_DEADLINE_S = 2.0
SLOW_DEADLINE_S = 20.0
