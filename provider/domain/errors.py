"""What the rules refuse, and why. Classes carry facts as attributes; the edges decide what they mean over HTTP."""

from collections.abc import Iterable
from dataclasses import dataclass


class DomainError(Exception):
    """Base of every refusal of this room; `str(error)` is a sentence for people."""


@dataclass(frozen=True)
class FieldError:
    """One wrong field: where (JSON pointer, RFC 6901), which rule (stable code), and what would be right."""

    pointer: str
    code: str
    message: str


class IllegalMove(DomainError):
    """A record was asked to take a state that its present state does not lead to."""

    def __init__(self, noun: str, current: str, wanted: str, legal: tuple[str, ...]) -> None:
        super().__init__(noun, current, wanted, legal)
        self.noun = noun
        self.current = current
        self.wanted = wanted
        self.legal = legal

    def __str__(self) -> str:
        ways_out = f"only {' or '.join(self.legal)}" if self.legal else "nothing else: that state is final"
        return f"this {self.noun} is {self.current} and cannot become {self.wanted}; it can become {ways_out}"


class NotFound(DomainError):
    """No record has this key, or none that the caller may know of."""

    def __init__(self, noun: str, key: str) -> None:
        super().__init__(noun, key)
        self.noun = noun
        self.key = key

    def __str__(self) -> str:
        return f"there is no {self.noun} {self.key}"


class NotEntitled(DomainError):
    """The record exists, but this connection has no right to it."""

    def __init__(self, noun: str, key: str) -> None:
        super().__init__(noun, key)
        self.noun = noun
        self.key = key

    def __str__(self) -> str:
        return f"this connection is not entitled to {self.noun} {self.key}"


class InvalidFields(DomainError):
    """A document breaks rules; every broken one is listed."""

    def __init__(self, errors: Iterable[FieldError]) -> None:
        self.errors = list(errors)
        super().__init__(self.errors)

    def __str__(self) -> str:
        return "; ".join(f"{error.pointer or 'the document'}: {error.message}" for error in self.errors)


class Conflict(DomainError):
    """What is asked contradicts what already is. `code` is stable; `facts` tell what the caller may need to go on."""

    def __init__(self, code: str, message: str, **facts: object) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.facts = facts

    def __str__(self) -> str:
        return self.message
