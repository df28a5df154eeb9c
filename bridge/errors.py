"""What can go wrong on the wire and in the engine. Classes carry facts; the edges decide what they mean to a caller."""

from enum import StrEnum


class BridgeError(Exception):
    """Base of every error raised by this room."""


class SignatureInvalid(BridgeError):
    """The signature, its timestamp or one of its headers does not prove the sender."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class EnvelopeInvalid(BridgeError):
    """A batch or an event is not what `docs/wire.md` describes."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class EventTooLarge(BridgeError):
    """A rendered event exceeds the limit; it is refused together with the change that wanted to record it."""

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"the event is {size_bytes} bytes, the limit is {limit_bytes}")
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class DatabaseBusy(BridgeError):
    """The database could not be written to in time; nothing was changed, and the same call may be repeated."""


class LeaseLost(BridgeError):
    """Another drain has taken the connection: what this one learnt must not be written."""


class NothingToReplay(BridgeError):
    """The delivery is not parked, so there is nothing to replay or skip."""

    def __init__(self, delivery_id: str, state: str) -> None:
        super().__init__(f"delivery {delivery_id} is {state}, only a parked one can be replayed or skipped")
        self.delivery_id = delivery_id
        self.state = state


class IdempotencyKeyReused(BridgeError):
    """The key was used before for another request."""


class InstanceCopied(BridgeError):
    """Whoever speaks has the peer's identity and secrets, but its database is a copy, or was restored."""

    def __init__(self) -> None:
        super().__init__(
            "the database of your instance is a copy, or was restored: nothing is taken from it until our people say "
            "that it is the instance this connection was made with"
        )


class SecretUnreadable(BridgeError):
    """A stored secret cannot be decrypted with the keys of the key file."""


class RefusedAddress(BridgeError):
    """This URL, or an address behind it, is not one we connect to."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FaultKind(StrEnum):
    """What ended a send without an answer. `timeout` is the total deadline, whatever was under way when it passed."""

    REFUSED_ADDRESS = "refused_address"
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    RESET = "reset"
    BAD_RESPONSE = "bad_response"
    TOO_LARGE = "too_large"


class SendFailed(BridgeError):
    """No usable answer came; the far side may have acted or not. `detail` is for the sending side's own people only."""

    def __init__(self, kind: FaultKind, detail: str, duration_s: float) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
        self.duration_s = duration_s


class AttachmentRefused(BridgeError):
    """A file that this instance does not take; `code` is a word for programs, the text is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class OffsetDiffers(BridgeError):
    """A piece of a file does not follow on what is here, which is `received_bytes`."""

    def __init__(self, received_bytes: int) -> None:
        super().__init__(f"the next piece of this file begins at byte {received_bytes}")
        self.received_bytes = received_bytes


class RefusedDocument(BridgeError, ValueError):
    """A JSON text that is not read; a ValueError, as callers of a JSON reader expect one.

    `code` is a word for programs, `pointer` a JSON Pointer to the refused value, where it is one value.
    """

    def __init__(self, code: str, detail: str, pointer: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.pointer = pointer
