"""Which documents may cross between instances? The door for JSON texts, and the fields that documents are built from.

A field is given its meaning and an example where it is used, so that the OpenAPI document can be read on its own:

    class CommentSchema(StrictSchema):
        text = SafeStr(max_length=4000, required=True, metadata={"description": "What to read.", "example": "Hello"})
        at = UtcDateTime(metadata={"description": "When it was written.", "example": "2026-11-21T09:30:00.000Z"})
"""

import json
import math
import re
import unicodedata
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from marshmallow import INCLUDE, RAISE, Schema, fields, validate

from bridge.errors import RefusedDocument

JSON_LIMIT_DEPTH = 32
JSON_LIMIT_NODES = 20_000

UNSAFE_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""What no text may hold: control characters except tab, line feed and carriage return; surrogates. PostgreSQL refuses
NUL and no database stores a lone surrogate, so these would be answered with a 500 if they came that far."""

_TIMESTAMP = re.compile(r"(\d{4})-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,18})")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
YEARS = range(2000, 2101)


_SUSPICIOUS = re.compile(rb"[\\\x00-\x08\x0b\x0c\x0e-\x1f\x7f\xc2]")
"""What a text must not hold, or may hide. Without any of these, and without odd numbers, there need be no look at each
value of a document, which is dear."""

# A string, closed or not, or a bracket. Possessive, so that no text makes it try twice.
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


def strict_json(data: bytes) -> Any:
    """Read a JSON text that means the same to every reader and can be stored, or raise RefusedDocument.

    Refused: empty; not UTF-8, or with a byte order mark; nested deeper than 32; more than 20 000 values; a name
    twice in one object; NaN, infinite numbers and whole numbers beyond 64 bit; text that cannot be stored.
    """
    if not data.strip(b" \t\r\n"):
        raise RefusedDocument("empty_body", "The body is empty where a JSON document is expected.")
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")) or b"\x00" in data[:4]:
        raise RefusedDocument("not_utf8", "The body must be UTF-8, without a byte order mark.")
    _check_depth(data)
    try:
        document, is_odd = _read(data.decode())
    except RefusedDocument:
        raise
    except UnicodeDecodeError as error:
        raise RefusedDocument("bad_utf8", f"The body is not UTF-8 at byte {error.start}.") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise RefusedDocument("not_json", f"The body is not JSON: {error.msg} at {where}.") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; a stack that was deep before
        raise RefusedDocument("not_json", "The body holds a number too long to read.") from error
    if is_odd or len(data) > JSON_LIMIT_NODES or _SUSPICIOUS.search(data):
        _check_values(document)
    return document


def _check_depth(data: bytes) -> None:
    # The reader of Python recurses: 200 kB of "[" would end in a RecursionError, so depth is counted before reading.
    if data.count(b"[") + data.count(b"{") <= JSON_LIMIT_DEPTH:
        return
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(data):
        token = match[0]
        if token in b"[{":
            depth += 1
            if depth > JSON_LIMIT_DEPTH:
                raise RefusedDocument("too_deep", f"The body is nested deeper than {JSON_LIMIT_DEPTH} levels.")
        elif token in b"]}":
            depth -= 1


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise RefusedDocument("duplicate_name", "An object of the body has the same name twice.")
    return result


def _refuse_constant(name: str) -> Any:
    raise RefusedDocument("not_json", f"The body holds {name}, which is not a JSON number.")


class _OddNumberError(Exception):
    """A number that may be out of range."""


def _short_int(text: str) -> int:
    if len(text) > 18:
        raise _OddNumberError
    return int(text)


def _finite_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _OddNumberError
    return number


_HURRIED_READER = json.JSONDecoder(
    object_pairs_hook=_unique_names, parse_constant=_refuse_constant, parse_int=_short_int, parse_float=_finite_float
)
_READER = json.JSONDecoder(object_pairs_hook=_unique_names, parse_constant=_refuse_constant)


def _read(text: str) -> tuple[Any, bool]:
    """The document, and whether there is a number in it that may be out of range."""
    try:
        return _HURRIED_READER.decode(text), False
    except _OddNumberError:
        return _READER.decode(text), True


def _check_values(document: Any) -> None:
    pending: list[tuple[Any, tuple[Any, ...]]] = [(document, ())]
    count = 0
    while pending:
        value, path = pending.pop()
        count += 1
        if count > JSON_LIMIT_NODES:
            raise RefusedDocument("too_many_values", f"The body has more than {JSON_LIMIT_NODES} values.")
        if isinstance(value, dict):
            for name in value:
                _check_scalar(name, path)
            pending += [(inner, (path, name)) for name, inner in value.items()]
        elif isinstance(value, list):
            pending += [(inner, (path, position)) for position, inner in enumerate(value)]
        else:
            _check_scalar(value, path)


def _check_scalar(value: Any, path: tuple[Any, ...]) -> None:
    if isinstance(value, str):
        if UNSAFE_TEXT.search(value):
            detail = "Text must not contain control characters or lone surrogates."
            raise RefusedDocument("unsafe_text", detail, _pointer(path))
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise RefusedDocument("number_out_of_range", "A number is too large.", _pointer(path))
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise RefusedDocument("number_out_of_range", "A whole number does not fit in 64 bit.", _pointer(path))


def _pointer(path: tuple[Any, ...]) -> str:
    steps = []
    while path:
        path, step = path
        steps.append("/" + str(step).replace("~", "~0").replace("/", "~1"))
    return "".join(reversed(steps))


class StrictSchema(Schema):
    """Base of every document that comes in: an unknown field is refused, so nobody can set what we do not offer."""

    class Meta:
        unknown = RAISE


class SafeStr(fields.String):
    """Text of at most `max_length` characters, stored as it came: refused is only what cannot be stored or shown."""

    default_error_messages = {"unsafe": "Contains a control character or a lone surrogate."}  # noqa: RUF012 - marshmallow

    def __init__(self, *, max_length: int, min_length: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.validators.insert(0, validate.Length(min=min_length or None, max=max_length))

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if UNSAFE_TEXT.search(text):
            raise self.make_error("unsafe")
        return text


class Identifier(SafeStr):
    """A reference that is compared: normalised to NFC, so that two that look the same are the same.

    At least one character, no white space at the ends, none that cannot be seen (zero-width, bidirectional marks).
    """

    default_error_messages = {  # noqa: RUF012 - marshmallow collects these along the bases
        "invisible": "Contains a character that cannot be seen.",
        "blank_end": "Begins or ends with white space.",
    }

    def __init__(self, *, max_length: int = 255, **kwargs: Any) -> None:
        super().__init__(max_length=max_length, min_length=1, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text = unicodedata.normalize("NFC", super()._deserialize(value, attr, data, **kwargs))
        if any(unicodedata.category(character) in _INVISIBLE for character in text):
            raise self.make_error("invisible")
        if text != text.strip():
            raise self.make_error("blank_end")
        return text


class UtcDateTime(fields.DateTime):
    """A moment per RFC 3339 with an offset, 2000 to 2100; an aware UTC datetime here, `...Z` with milliseconds there.

    The year is checked before the conversion to UTC: 0001-01-01T00:00:00+14:00 has no moment in UTC.
    """

    default_error_messages = {  # noqa: RUF012 - marshmallow
        "invalid": "Not a moment like 2026-11-21T09:30:00.000Z.",
        "year": f"Not between the years {YEARS.start} and {YEARS.stop - 1}.",
    }

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> datetime:
        match = _TIMESTAMP.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise self.make_error("invalid")
        if int(match[1]) not in YEARS:
            raise self.make_error("year")
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except ValueError as error:
            raise self.make_error("invalid") from error

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{attr} has no time zone")
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


class BoundedInt(fields.Integer):
    """A whole number from `minimum` to `maximum`. `from_text=True` is for query strings, where every value is text."""

    def __init__(self, *, minimum: int, maximum: int, from_text: bool = False, **kwargs: Any) -> None:
        super().__init__(strict=not from_text, **kwargs)
        self.validators.insert(0, validate.Range(min=minimum, max=maximum))

    def _validated(self, value: Any) -> int:
        # int() would take "1_000", " 7 ", digits of any script, and spend a long time on a long text.
        if not self.strict and not (isinstance(value, str) and _INTEGER.fullmatch(value)):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class DecimalStr(fields.String):
    """An exact number as text, without exponent: JSON numbers become binary floats in most readers. Decimal here.

    At most `digits` before the point and `places` behind it, by default what NUMERIC(18, 4) holds.
    """

    default_error_messages = {  # noqa: RUF012 - marshmallow
        "invalid": 'Not a decimal number in a string, like "12.50".',
        "minimum": "Must be at least {minimum}.",
    }

    def __init__(self, *, digits: int = 14, places: int = 4, minimum: Decimal | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        fraction = rf"(\.[0-9]{{1,{places}}})?" if places else ""
        self._pattern = re.compile(rf"-?(0|[1-9][0-9]{{0,{digits - 1}}}){fraction}")
        self._minimum = minimum
        self.metadata = {"pattern": f"^{self._pattern.pattern}$", **self.metadata}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if not isinstance(value, str) or not self._pattern.fullmatch(value):
            raise self.make_error("invalid")
        number = Decimal(value)
        if self._minimum is not None and number < self._minimum:
            raise self.make_error("minimum", minimum=self._minimum)
        return number

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else format(value, "f")


class Uuid(fields.UUID):
    """A UUID in its usual form only; the library would take braces, a urn: prefix or no hyphens at all as well."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> uuid.UUID:
        if not isinstance(value, str) or not _UUID.fullmatch(value):
            raise self.make_error("invalid_uuid")
        return uuid.UUID(value)


class ProblemFieldSchema(Schema):
    """One thing that is wrong with a request."""

    pointer = fields.String(
        required=True, metadata={"description": "JSON Pointer (RFC 6901) to the value.", "example": "/lines/0/quantity"}
    )
    code = fields.String(required=True, metadata={"description": "A word for programs.", "example": "required"})
    message = fields.String(
        required=True, metadata={"description": "A sentence for people.", "example": "Missing data for required field."}
    )
    location = fields.String(
        data_key="in", metadata={"description": "Where it is, if not in the body.", "example": "query"}
    )


class ProblemSchema(Schema):
    """An error, as application/problem+json per RFC 9457. Some problems carry further members."""

    class Meta:
        unknown = INCLUDE

    type = fields.String(
        required=True, metadata={"description": "Names the kind of problem.", "example": "urn:sxg:problem:not_found"}
    )
    code = fields.String(required=True, metadata={"description": "The end of `type`.", "example": "not_found"})
    title = fields.String(required=True, metadata={"description": "The kind in words.", "example": "Not Found"})
    status = fields.Integer(required=True, metadata={"description": "The HTTP status.", "example": 404})
    detail = fields.String(
        metadata={"description": "What happened this time.", "example": "There is no order ORD0001042."}
    )
    instance = fields.String(
        metadata={"description": "The id of this request, also in X-Request-Id and our logs.", "example": "6f1c0a"}
    )
    errors = fields.List(fields.Nested(ProblemFieldSchema), metadata={"description": "Every value that is wrong."})
