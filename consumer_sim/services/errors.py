"""What the consumer's use cases refuse. Classes carry facts and know no HTTP."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any


class ConsumerError(Exception):
    """Base of every refusal of this room."""


class NotFound(ConsumerError):
    """There is no such record here."""

    def __init__(self, kind: str, record_id: str) -> None:
        super().__init__(f"there is no {kind} {record_id}")
        self.kind = kind
        self.record_id = record_id


class ItemNotOrderable(ConsumerError):
    """The catalog item cannot be asked for, or activated, now."""

    def __init__(self, item_id: str, reason: str) -> None:
        super().__init__(f"catalog item {item_id} {reason}")
        self.item_id = item_id
        self.reason = reason


class NotAuthorised(ConsumerError):
    """Whoever asks holds none of the personas that the item asks for."""

    def __init__(self, item: str, personas: Sequence[str]) -> None:
        needed = " or ".join(personas)
        super().__init__(f"{item} can be ordered by authorised users only: active, approved, and {needed}")
        self.item = item


class LimitReached(ConsumerError):
    """The provider lets no more of our users be authorised."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the provider lets {limit} users be authorised, and so many are; deactivate another first")
        self.limit = limit


class ConnectionNotUsable(ConsumerError):
    """Nothing new can be addressed to this provider."""

    def __init__(self, state: str) -> None:
        super().__init__(f"the connection to the provider is {state}")
        self.state = state


class MoveRefused(ConsumerError):
    """The request is not in a state that allows this."""

    def __init__(self, number: str | None, reason: str) -> None:
        super().__init__(f"request {number or 'without a number'} {reason}")
        self.number = number
        self.reason = reason


class ActionRefused(ConsumerError):
    """What is wanted cannot be done with the product now; the text says why, and what can."""


class ProviderRefused(ConsumerError):
    """The provider answered a step of connecting with a refusal."""

    def __init__(
        self, status: int, code: str | None, detail: str, document: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        super().__init__(f"the provider answered {status}{f' {code}' if code else ''}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.document = document


class ProviderAnswerInvalid(ConsumerError):
    """What came back is not what the wire promises."""

    def __init__(self, detail: str, document: Any = None) -> None:
        super().__init__(detail)
        self.document = document


class UserRefused(ConsumerError):
    """This cannot be a user here."""
