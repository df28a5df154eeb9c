"""Reading a JSON object member by member, noting every fault with its pointer instead of stopping at the first."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from provider.domain.errors import FieldError

_MISSING = object()


@dataclass
class Faults:
    """What was found wrong so far."""

    errors: list[FieldError] = field(default_factory=list)

    def add(self, pointer: str, code: str, message: str) -> None:
        self.errors.append(FieldError(pointer, code, message))


@dataclass(frozen=True)
class Reference:
    """A record of this document or of the database, by its id there; without version the newest."""

    external_id: str
    version: str | None
    pointer: str


@dataclass(frozen=True)
class Node:
    """An object of the document and where it stands. A faulty or missing member reads as its default."""

    value: Mapping[str, Any]
    pointer: str
    faults: Faults

    def at(self, member: str) -> str:
        return f"{self.pointer}/{member.replace('~', '~0').replace('/', '~1')}"

    def allow(self, members: frozenset[str]) -> None:
        """Refuse other members than these: a typing error must not pass in silence. `@type` and such may be there."""
        for member in self.value:
            if member not in members and not member.startswith("@"):
                self.faults.add(self.at(member), "unknown_field", f"{member} is not a member that is read here")

    def text(self, member: str, *, limit: int = 200, default: str = "", required: bool = False) -> str:
        value = self._get(member, str, "a text", required)
        if value is _MISSING:
            return default
        if required and not value.strip():
            self.faults.add(self.at(member), "required", f"{member} must not be blank")
        if len(value) > limit:
            self.faults.add(self.at(member), "too_long", f"{member} has at most {limit} characters")
        return str(value)

    def reference(self) -> Reference:
        """What this object refers to."""
        version = self.text("version", limit=20) or None
        return Reference(self.text("id", limit=120, required=True), version, self.at("id"))

    def flag(self, member: str, *, default: bool) -> bool:
        value = self._get(member, bool, "true or false", False)
        return default if value is _MISSING else bool(value)

    def count(self, member: str, *, default: int | None) -> int | None:
        value = self._get(member, int, "a whole number", False)
        if value is _MISSING:
            return default
        if not 0 <= value <= 1000:
            self.faults.add(self.at(member), "range", f"{member} is between 0 and 1000")
            return default
        return int(value)

    def decimal(self, member: str) -> Decimal:
        """A number or, better, a text: text keeps every digit."""
        value = self._get(member, (str, int, float), "a decimal number", True)
        try:
            number = Decimal(str(value)) if value is not _MISSING and not isinstance(value, bool) else Decimal(0)
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite() or not re.fullmatch(r"\d{1,14}(\.\d{1,4})?", format(number, "f")):
            self.faults.add(
                self.at(member), "type", f"{member} is a decimal number with at most 4 places, not negative"
            )
            return Decimal(0)
        return number

    def moment(self, member: str) -> datetime | None:
        text = self.text(member)
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None or not 2000 <= moment.year <= 2100:
            self.faults.add(self.at(member), "type", f"{member} is a time with an offset, 2000 to 2100")
            return None
        return moment

    def child(self, member: str) -> "Node":
        value = self._get(member, Mapping, "an object", False)
        return Node({} if value is _MISSING else value, self.at(member), self.faults)

    def children(self, member: str) -> Iterator["Node"]:
        """The objects of a list."""
        for index, value in enumerate(self.items(member)):
            if isinstance(value, Mapping):
                yield Node(value, f"{self.at(member)}/{index}", self.faults)
            else:
                self.faults.add(f"{self.at(member)}/{index}", "type", "must be an object")

    def items(self, member: str) -> list[Any]:
        value = self._get(member, list, "a list", False)
        return [] if value is _MISSING else list(value)

    def _get(self, member: str, kind: Any, words: str, required: bool) -> Any:
        value = self.value.get(member, _MISSING)
        if value is None or value is _MISSING:
            if required:
                self.faults.add(self.at(member), "required", f"{member} is missing")
            return _MISSING
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self.faults.add(self.at(member), "type", f"{member} must be {words}")
            return _MISSING
        return value


def key_of(text: str) -> str:
    """`Bandwidth (Mbit/s)` -> `bandwidth_mbit_s`: the key that a name makes where none is given."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:60]
