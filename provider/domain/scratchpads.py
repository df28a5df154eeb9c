"""What may stand in the scratchpad of a provider task: names with texts, which programs of both sides leave there."""

from datetime import timedelta

from provider.domain.errors import Conflict, FieldError, InvalidFields

ENTRIES_MOST = 50
NAME_MOST = 100
VALUE_MOST = 4000
KEPT = timedelta(days=3)
"""How long entries stay after the end of their task, unless the setting says otherwise."""


def check_entry(name: str, value: str | None) -> None:
    """Raises InvalidFields. A value of None removes the entry."""
    wrong = []
    if not 1 <= len(name) <= NAME_MOST or "/" in name:  # the name stands in addresses, where a slash would end it
        wrong.append(FieldError("/name", "invalid", f"a name has 1 to {NAME_MOST} characters, and no slash"))
    if value is not None and len(value) > VALUE_MOST:
        wrong.append(FieldError("/value", "too_long", f"a value has at most {VALUE_MOST} characters"))
    if wrong:
        raise InvalidFields(wrong)


def check_room(taken: int) -> None:
    """Whether one more entry fits beside those that are there. Raises Conflict `scratchpad_full`."""
    if taken >= ENTRIES_MOST:
        raise Conflict("scratchpad_full", f"there are {ENTRIES_MOST} entries, and no more fit: remove one first")
