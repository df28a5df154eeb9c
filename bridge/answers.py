"""Does one answer fit the type of its variable, and what is its normal form?"""

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from bridge.answered_files import ATTACHMENT, MEMBERS, find_fault
from bridge.patterns import TEXT_LIMIT as PATTERN_TEXT_LIMIT
from bridge.patterns import compile_pattern
from bridge.references import PAIR
from bridge.references import TEXT_LIMIT as PAIR_LIMIT

TEXT_LIMIT = 4000
URL_LIMIT = 2000
EMAIL_LIMIT = 254
PERSON_LIMIT = 255
INTEGER_LIMIT = 2**53 - 1
"""Beyond it JSON readers of other languages round."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,16}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,9})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)*")
_DURATION = re.compile(  # possessive: between two parts that are missing no blank is tried twice
    r"P?\s*+(?:(?P<days>[0-9]{1,5})\s*+D)?[\sT]*+(?:(?P<hours>[0-9]{1,5})\s*+H)?\s*+(?:(?P<minutes>[0-9]{1,5})\s*+M)?"
)
LAYOUT_TYPES = frozenset({"label", "rich_text", "break", "container_start", "container_split", "container_end"})
"""Variables that ask nothing: they stand between the others and are never answered."""


class AnswerError(Exception):
    """The answer does not fit; `message` continues a sentence that begins with the variable's label."""

    def __init__(self, code: str, message: str, below: str = "") -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.below = below
        """The rest of the JSON pointer when only a member of the answer is wrong."""


def check_answer(variable: Mapping[str, Any], value: Any) -> Any:
    """Return the normal form of an answer that is not blank; raise AnswerError. Variables: `docs/wire.md` 2.4."""
    check = CHECKS.get(variable["type"])
    if check is None:
        raise AnswerError("unsupported_type", f"is of the type {variable['type']}, which this version cannot check")
    answer = check(variable, value)
    _check_bounds(variable, answer)
    if isinstance(answer, str):
        _check_text(variable, answer)
    return answer


def _check_bounds(variable: Mapping[str, Any], answer: Any) -> None:
    """`min` and `max` are answers themselves; where both are told, one message says both."""
    least, most = variable.get("min"), variable.get("max")
    measure = _MEASURES.get(variable["type"])
    if measure is None or (least is None and most is None):
        return
    below = least is not None and measure(answer) < measure(least)
    above = most is not None and measure(answer) > measure(most)
    if below or above:
        if least is None or most is None:
            rule = f"at most {most}" if least is None else f"at least {least}"
        else:
            rule = f"between {least} and {most}"
        raise AnswerError("range", f"must be {rule}")


def _check_text(variable: Mapping[str, Any], text: str) -> None:
    least, most, pattern = (variable.get(name) for name in ("min_length", "max_length", "pattern"))
    if least is not None and len(text) < least:
        raise AnswerError("too_short", f"must have at least {least} characters")
    if most is not None and len(text) > most:
        raise AnswerError("too_long", f"must have at most {most} characters")
    if pattern is None:
        return
    right = variable.get("pattern_hint") or f"fit the pattern {pattern}"
    compiled = compile_pattern(pattern)
    if compiled is None:
        raise AnswerError("unsupported_pattern", "has a pattern that this version does not take")
    if len(text) > PATTERN_TEXT_LIMIT or not compiled.fullmatch(text):
        raise AnswerError("pattern", f"must {right}")


def _plain_text(value: Any, *, lines: bool = False, limit: int = TEXT_LIMIT) -> str:
    """Text without the characters that databases, logs or terminals trip over."""
    if not isinstance(value, str):
        raise AnswerError("type", "must be text")
    text = value.strip().replace("\r\n", "\n")
    if len(text) > limit:
        raise AnswerError("too_long", f"must have at most {limit} characters")
    for character in text:
        # Cc: control characters. Cs: halves of surrogate pairs, which JSON can carry and UTF-8 cannot.
        if unicodedata.category(character) in {"Cc", "Cs"} and not (lines and character in "\n\t"):
            raise AnswerError("format", "must be text without control characters" + ("" if lines else " on one line"))
    return text


def _text(variable: Mapping[str, Any], value: Any) -> str:
    return _plain_text(value)


def _person(variable: Mapping[str, Any], value: Any) -> str:
    return _plain_text(value, limit=PERSON_LIMIT)


def _multiline_text(variable: Mapping[str, Any], value: Any) -> str:
    return _plain_text(value, lines=True)


def _integer(variable: Mapping[str, Any], value: Any) -> int:
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise AnswerError("type", "must be a whole number such as 5")
    if abs(value) > INTEGER_LIMIT:
        raise AnswerError("range", f"must be between -{INTEGER_LIMIT} and {INTEGER_LIMIT}")
    return value


def _decimal(variable: Mapping[str, Any], value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= INTEGER_LIMIT:
        value = str(value)
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value.strip()):
        raise AnswerError("type", 'must be a decimal number as text, such as "12.50"')
    return f"{Decimal(value.strip()):f}"


def _boolean(variable: Mapping[str, Any], value: Any) -> bool:
    if value in ("true", "false"):
        return bool(value == "true")
    if not isinstance(value, bool):
        raise AnswerError("type", "must be true or false")
    return value


def _checkbox_or_boolean(variable: Mapping[str, Any], value: Any) -> bool:
    answer = _boolean(variable, value)
    if not answer and variable.get("mandatory") and variable.get("display") == "checkbox":
        raise AnswerError("required", "must be ticked")
    return answer


def _duration(variable: Mapping[str, Any], value: Any) -> str:
    """ISO 8601 in days, hours and minutes, each below its next: P1DT2H30M. People may leave the P and the T out."""
    text = _plain_text(value).upper()
    found = _DURATION.fullmatch(text)
    is_months = text.startswith("P") and "T" not in text and not text.endswith("D")
    if not found or not any(found.groups()) or is_months:
        raise AnswerError("format", "must be a duration such as 1d 2h 30m")
    days, hours, minutes = (int(part or 0) for part in found.groups())
    hours, minutes = divmod(((days * 24) + hours) * 60 + minutes, 60)
    days, hours = divmod(hours, 24)
    time = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    return (f"P{days}D" if days else "P") + (f"T{time}" if time else "") if days or time else "PT0M"


def _choice(variable: Mapping[str, Any], value: Any) -> str:
    options = [option["value"] for option in variable["options"]]
    if value not in options:
        raise AnswerError("not_an_option", f"must be one of {', '.join(options)}")
    return str(value)


def _multiple_choice(variable: Mapping[str, Any], value: Any) -> list[str]:
    options = [option["value"] for option in variable["options"]]
    if not isinstance(value, list):
        raise AnswerError("type", f"must be a list of options out of {', '.join(options)}")
    for index, member in enumerate(value):
        if member not in options:
            raise AnswerError("not_an_option", f"must be out of {', '.join(options)}", f"/{index}")
        if member in value[:index]:
            raise AnswerError("duplicate", f"has {member} twice", f"/{index}")
    least, most = variable["min_cardinality"], variable["max_cardinality"]
    if len(value) < least:
        raise AnswerError("range", f"needs at least {least} options")
    if most is not None and len(value) > most:
        raise AnswerError("range", f"takes at most {most} options")
    return [option for option in options if option in value]


def _date(variable: Mapping[str, Any], value: Any) -> str:
    text = _plain_text(value)
    try:
        # Python reads more of ISO 8601 than people write: 20261201, 2026-W49-2.
        if not _DATE.fullmatch(text):
            raise ValueError(text)
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise AnswerError("format", "must be a date such as 2026-12-01") from None


def _datetime(variable: Mapping[str, Any], value: Any) -> str:
    text = _plain_text(value)
    try:
        if not _DATE.match(text):
            raise ValueError(text)
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError(text)
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        raise AnswerError("format", "must be a time with its zone, such as 2026-12-01T09:30:00Z") from None


def _email(variable: Mapping[str, Any], value: Any) -> str:
    text = _plain_text(value, limit=EMAIL_LIMIT)
    if not _EMAIL.fullmatch(text):
        raise AnswerError("format", "must be an e-mail address such as ada@example.com")
    return text


def _url(variable: Mapping[str, Any], value: Any) -> str:
    text = _plain_text(value, limit=URL_LIMIT)
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or True)
    except ValueError:
        usable = False
    if not usable or " " in text:
        raise AnswerError("format", "must be a web address such as https://example.com/")
    return text


def _ip_address(variable: Mapping[str, Any], value: Any) -> str:
    try:
        return str(ipaddress.ip_address(_plain_text(value)))
    except ValueError:
        raise AnswerError("format", "must be an IP address such as 192.0.2.1 or 2001:db8::1") from None


def _reference(variable: Mapping[str, Any], value: Any) -> dict[str, str]:
    """What can be chosen is known at the provider alone, which looks again when it is asked for."""
    if not isinstance(value, Mapping) or set(value) != set(PAIR):
        raise AnswerError("type", "must be chosen: an object of value and display")
    pair = {name: _plain_text(value[name], limit=PAIR_LIMIT) for name in PAIR}
    if not all(pair.values()):
        raise AnswerError("required", "must be chosen with value and display")
    return pair


def _attachment(variable: Mapping[str, Any], value: Any) -> dict[str, Any]:
    """The name of a file, with what is to arrive under it. The file itself comes apart, and is compared then."""
    if (fault := find_fault(variable, value)) is not None:
        raise AnswerError(*fault)
    return {name: value[name].lower() if name == "attachment_id" else value[name] for name in MEMBERS}


CHECKS: Mapping[str, Callable[[Mapping[str, Any], Any], Any]] = {
    "text": _text,
    "multiline_text": _multiline_text,
    "integer": _integer,
    "decimal": _decimal,
    "boolean": _checkbox_or_boolean,
    "choice": _choice,
    "multiple_choice": _multiple_choice,
    "date": _date,
    "datetime": _datetime,
    "email": _email,
    "url": _url,
    "ip_address": _ip_address,
    "masked": _text,
    "duration": _duration,
    "html": _multiline_text,
    "requested_for": _person,
    "reference": _reference,
    ATTACHMENT: _attachment,
}
"""One check for each type of variable that is answered."""

_MEASURES: Mapping[str, Callable[[Any], Any]] = {
    "integer": int,
    "decimal": Decimal,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
}
"""How answers of a type are compared with the bounds of their variable."""
