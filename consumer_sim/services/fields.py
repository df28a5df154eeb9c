"""Is the data of an event what `docs/wire.md` promises? Checked by hand: a schema library would cost ten times the
rest of an event.

Each check is a function from a value to what is wrong with it, or None.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from bridge.envelope import Event
from bridge.inbox import Rejection

Check = Callable[[Any], str | None]
Rules = Mapping[str, Check]

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_HASH = re.compile(r"[0-9a-f]{64}")
_LARGEST = 2**31 - 1
_YEARS = range(2000, 2101)
_DEPTH_LIMIT = 30
_LIST_LIMIT = 1000


def uuid(value: Any) -> str | None:
    return None if isinstance(value, str) and _UUID.fullmatch(value) else "is not a UUID in lower case"


def number_from(least: int) -> Check:
    def check(value: Any) -> str | None:
        return (
            None
            if type(value) is int and least <= value <= _LARGEST
            else f"is not an integer from {least} to {_LARGEST}"
        )

    return check


def size(value: Any) -> str | None:
    return None if type(value) is int and 0 <= value <= 2**40 else "is not a number of bytes"


def sha256(value: Any) -> str | None:
    return None if isinstance(value, str) and _HASH.fullmatch(value) else "is not a SHA-256 in lower-case hex"


def boolean(value: Any) -> str | None:
    return None if value is True or value is False else "is not true or false"


def text(limit: int, *, least: int = 1) -> Check:
    wrong = f"is not a text of {least} to {limit} characters"

    def check(value: Any) -> str | None:
        if not isinstance(value, str) or not least <= len(value) <= limit:
            return wrong
        return (
            None
            if (value.isascii() and "\x00" not in value) or storable(value)
            else "has a character that cannot be stored"
        )

    return check


def texts(most: int, limit: int) -> Check:
    one, wrong = text(limit), f"is not a list of at most {most} texts of 1 to {limit} characters"
    return lambda value: None if isinstance(value, list) and len(value) <= most and not any(map(one, value)) else wrong


def choice(*values: str) -> Check:
    known = frozenset(values)
    wrong = f"is not one of {', '.join(values)}"
    return lambda value: None if isinstance(value, str) and value in known else wrong


def time(value: Any) -> str | None:
    return None if isinstance(value, str) and parse_time(value) else "is not an RFC 3339 time between 2000 and 2100"


def day(value: Any) -> str | None:
    return None if isinstance(value, str) and _parse_day(value) else "is not a date between 2000 and 2100"


def document(value: Any) -> str | None:
    if not isinstance(value, dict):
        return "is not an object"
    return None if _all_storable(value, _DEPTH_LIMIT) else "holds what cannot be stored, or is nested too deeply"


def members(rules: Rules) -> Check:
    """Of an object: those that are named, each by its rule."""

    def check(value: Any) -> str | None:
        wrong = document(value)
        if wrong is None:
            found = faults(value, rules)
            wrong = f"{found[0]['pointer'].removeprefix('/data/')} {found[0]['message']}" if found else None
        return wrong

    return check


def pair_of(check: Check) -> Check:
    """What was, and what is."""

    def both(value: Any) -> str | None:
        if not isinstance(value, list) or len(value) != 2:
            return "is not a list of two"
        return check(value[0]) or check(value[1])

    return both


def documents(value: Any) -> str | None:
    if not isinstance(value, list) or len(value) > _LIST_LIMIT:
        return f"is not a list of at most {_LIST_LIMIT}"
    return next((wrong for wrong in map(document, value) if wrong), None)


def or_null(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def parse_time(value: str) -> datetime | None:
    """The aware time, or None for a text that is not one or lies outside the years that both databases can hold in
    UTC.
    """
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo is not None and found.year in _YEARS else None


def _parse_day(value: str) -> date | None:
    try:
        found = date.fromisoformat(value)
    except ValueError:
        return None
    return found if found.year in _YEARS else None


def storable(value: str) -> bool:
    """Whether both databases take the text: no NUL, no half of a surrogate pair."""
    if "\x00" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def rejections(events: Sequence[Event], rules: Mapping[str, Rules], record: Mapping[str, str]) -> dict[str, Rejection]:
    """The events whose data break the rules of their type, or whose stream is not the one of the record they tell of.

    `record` is, per type, the member of the data that names the record's id.
    """
    found = {}
    for event in events:
        wrong = faults(event.data, rules[event.type])
        if not parse_time(event.time):
            wrong.append({"pointer": "/time", "message": "is not an RFC 3339 time between 2000 and 2100"})
        if wrong:
            names = ", ".join(fault["pointer"] for fault in wrong[:5])
            found[event.id] = Rejection(f"{event.type} with unacceptable {names}", wrong[:50])
        elif not event.stream.endswith(f"/{event.data[record[event.type]]}"):
            fault = {"pointer": "/stream", "message": "does not belong to the record of the data"}
            found[event.id] = Rejection(f"{event.type} in the stream of another record", [fault])
    return found


def faults(data: Mapping[str, Any], rules: Rules) -> list[dict[str, str]]:
    wrong = []
    for name, check in rules.items():
        message = check(data.get(name))
        if message is not None:
            wrong.append({"pointer": f"/data/{name}", "message": message if name in data else "is missing"})
    return wrong


def _all_storable(value: Any, levels: int) -> bool:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return levels > 0 and all(storable(key) and _all_storable(inner, levels - 1) for key, inner in value.items())
    if isinstance(value, list):
        return levels > 0 and all(_all_storable(inner, levels - 1) for inner in value)
    return True
