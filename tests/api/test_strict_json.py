"""Does the door for JSON let in only what means the same to every reader and can be stored?"""

import json
import random
import time
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from marshmallow import ValidationError, fields

from bridge.errors import RefusedDocument
from bridge.schemas import BoundedInt, DecimalStr, Identifier, SafeStr, StrictSchema, UtcDateTime, Uuid, strict_json

REFUSED = {
    "empty": (b"", "empty_body"),
    "white space": (b" \r\n\t ", "empty_body"),
    "not JSON": (b"{'a': 1}", "not_json"),
    "two documents": (b"{} {}", "not_json"),
    "trailing comma": (b"[1,]", "not_json"),
    "comment": (b"[1] // one", "not_json"),
    "cut": (b'{"a": [1, 2', "not_json"),
    "open string": (b'"abc', "not_json"),
    "raw line feed in a string": (b'"a\nb"', "not_json"),
    "bad escape": (b'"\\x41"', "not_json"),
    "byte order mark": (b"\xef\xbb\xbf{}", "not_utf8"),
    "UTF-16 with a mark": ("{}".encode("utf-16"), "not_utf8"),
    "UTF-16 LE": ('{"a":1}'.encode("utf-16-le"), "not_utf8"),
    "UTF-16 BE": ('{"a":1}'.encode("utf-16-be"), "not_utf8"),
    "UTF-32": ('{"a":1}'.encode("utf-32-be"), "not_utf8"),
    "bad UTF-8": (b'{"a": "\xff"}', "bad_utf8"),
    "overlong UTF-8": (b'{"a": "\xc0\xaf"}', "bad_utf8"),
    "surrogate in UTF-8": (b'{"a": "\xed\xa0\x80"}', "bad_utf8"),
    "Latin-1": ('{"a": "caf\xe9"}'.encode("latin-1"), "bad_utf8"),
    "200 kB of brackets": (b"[" * 200_000, "too_deep"),
    "200 kB of braces": (b'{"a":' * 40_000, "too_deep"),
    "33 levels": (b"[" * 33 + b"]" * 33, "too_deep"),
    "depth behind a string": (b'["\\"[", ' + b"[" * 32 + b"]" * 33, "too_deep"),
    "too many values": (b"[" + b"1," * 20_000 + b"1]", "too_many_values"),
    "the same name twice": (b'{"a": 1, "a": 1}', "duplicate_name"),
    "the same name, escaped": (b'[{"a": 1, "\\u0061": 2}]', "duplicate_name"),
    "NaN": (b'{"a": NaN}', "not_json"),
    "Infinity": (b"[Infinity]", "not_json"),
    "-Infinity": (b"[-Infinity]", "not_json"),
    "1e999": (b"[1e999]", "number_out_of_range"),
    "-1e999": (b'{"a": -1e999}', "number_out_of_range"),
    "2^63": (b"[9223372036854775808]", "number_out_of_range"),
    "-2^63-1": (b"[-9223372036854775809]", "number_out_of_range"),
    "4000 digits": (b"[" + b"9" * 4000 + b"]", "number_out_of_range"),
    "5000 digits": (b"[" + b"9" * 5000 + b"]", "not_json"),
    "NUL": (b'{"a": "x\\u0000y"}', "unsafe_text"),
    "NUL in a name": (b'{"a\\u0000": 1}', "unsafe_text"),
    "escape": (b'["\\u001b[2J"]', "unsafe_text"),
    "backspace": (b'["\\b"]', "unsafe_text"),
    "delete": (b'["\x7f"]', "unsafe_text"),
    "C1": ('["\x85"]'.encode(), "unsafe_text"),
    "high surrogate": (b'{"a": "\\ud800"}', "unsafe_text"),
    "low surrogate": (b'["\\udc00"]', "unsafe_text"),
    "surrogates in the wrong order": (b'["\\udc00\\ud800"]', "unsafe_text"),
    "surrogate in a name": (b'{"\\ud800": 1}', "unsafe_text"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    data, code = REFUSED[name]
    with pytest.raises(RefusedDocument) as caught:
        strict_json(data)
    assert caught.value.code == code
    json.dumps(caught.value.detail).encode()


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"{}", {}),
        (b" [1, -1.5, true, null] ", [1, -1.5, True, None]),
        (b'"text"', "text"),
        (b"0", 0),
        (b"[" * 32 + b"]" * 32, eval("[" * 32 + "]" * 32)),
        (b'"' + b"[" * 100 + b'"', "[" * 100),
        (b'["\\"", "[", "\\\\"]', ['"', "[", "\\"]),
        (b"[" + b"1," * 19_998 + b"1]", [1] * 19_999),
        (b"[9223372036854775807, -9223372036854775808]", [2**63 - 1, -(2**63)]),
        (b'["a\\n\\r\\tb"]', ["a\n\r\tb"]),
        (b'["\\ud83d\\ude00"]', ["\U0001f600"]),
        ('["\u4f60\u597d \u202e \u200b \U0001f600"]'.encode(), ["\u4f60\u597d \u202e \u200b \U0001f600"]),
        (b'{"a": {"b": 1}, "b": {"a": 1}}', {"a": {"b": 1}, "b": {"a": 1}}),
    ],
)
def test_what_is_read_as_it_came(data: bytes, value: Any) -> None:
    assert strict_json(data) == value


def test_a_refused_value_is_pointed_at() -> None:
    with pytest.raises(RefusedDocument) as caught:
        strict_json(b'{"lines": [{}, {"a/b~c": "\\u0000"}]}')
    assert caught.value.pointer == "/lines/1/a~1b~0c"


@pytest.mark.parametrize("unit", [b'"', b'\\"', b'"\\', b'["', b'{"a":"', b"\\"])
def test_no_text_makes_it_slow(unit: bytes) -> None:
    started = time.perf_counter()
    with pytest.raises(RefusedDocument):
        strict_json((b"[" + unit * 262_144)[:262_144])
    assert time.perf_counter() - started < 0.5


def test_random_damage_is_read_or_refused_and_nothing_else() -> None:
    chance = random.Random(20261121)
    good = json.dumps({"a": [1, 2.5, "x\u00e9\n", None, {"b": "\U0001f600"}], "c": True}).encode()
    refused = 0
    for _ in range(3000):
        data = bytearray(good)
        for _change in range(chance.randint(1, 4)):
            at = chance.randrange(len(data))
            data[at : at + chance.randint(0, 2)] = chance.randbytes(chance.randint(0, 2))
        try:
            strict_json(bytes(data))
        except RefusedDocument:
            refused += 1
    assert 1000 < refused < 3000


class Document(StrictSchema):
    name = SafeStr(max_length=10, min_length=1)
    key = Identifier(max_length=20)
    at = UtcDateTime()
    count = BoundedInt(minimum=1, maximum=200)
    limit = BoundedInt(minimum=1, maximum=200, from_text=True)
    price = DecimalStr(minimum=Decimal(0))
    id = Uuid()


GOOD: list[tuple[str, Any, Any]] = [
    ("name", "a\nb\u0301", "a\nb\u0301"),
    ("key", "PO 7/\u00e9", "PO 7/\u00e9"),
    ("key", "PO e\u0301", "PO \u00e9"),
    ("at", "2026-11-21T09:30:00Z", datetime(2026, 11, 21, 9, 30, tzinfo=UTC)),
    ("at", "2026-11-21t09:30:00.123456789+02:00", datetime(2026, 11, 21, 7, 30, 0, 123456, tzinfo=UTC)),
    ("at", "2000-01-01T00:00:00+14:00", datetime(1999, 12, 31, 10, tzinfo=UTC)),
    ("at", "2100-12-31T23:59:59-12:00", datetime(2101, 1, 1, 11, 59, 59, tzinfo=UTC)),
    ("count", 1, 1),
    ("count", 200, 200),
    ("limit", "17", 17),
    ("price", "12.5000", Decimal("12.5000")),
    ("price", "0", Decimal(0)),
    ("price", "99999999999999.9999", Decimal("99999999999999.9999")),
    ("id", "0192F0C1-8B1E-7C44-9B0F-3D2A5E6F7081", UUID("0192f0c1-8b1e-7c44-9b0f-3d2a5e6f7081")),
]


@pytest.mark.parametrize(("name", "given", "read"), GOOD)
def test_a_field_reads(name: str, given: Any, read: Any) -> None:
    assert Document().load({name: given}) == {name: read}


BAD: dict[str, list[Any]] = {
    "name": ["", "12345678901", "a\x00", "a\x1b", "\ud800", "\x7f", 1, None, True, [], {}],
    "key": ["", " a", "a ", "a\n", "a\u200bb", "a\u202eb", "\ufeffa", "\x00", "a\u2028b", "x" * 21, 1],
    "at": [
        "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "1999-12-31T23:59:59Z", "2101-01-01T00:00:00Z",
        "2026-11-21", "2026-11-21T09:30:00", "2026-11-21 09:30:00Z", "20261121T093000Z", "2026-W47-6T09:30:00Z",
        "2026-02-30T00:00:00Z", "2026-11-21T24:00:00Z", "2026-11-21T23:59:60Z", "2026-11-21T09:30:00+99:00",
        "\u0662026-11-21T09:30:00Z", "now", "", 0, 1e9, None, True,
    ],
    "count": [0, 201, -1, "1", 1.0, 1.5, True, None, 2**70, [], "1_0"],
    "limit": ["0", "201", "1_0", " 1", "1 ", "+1", "01", "1.0", "1e1", "\u0661", "9" * 5000, "", "NaN", True],
    "price": ["", "1e2", "NaN", "Infinity", "-0.01", "1.", ".5", "01", "1.23456", "9" * 15, "1,5", " 1", "\u0661", 1.5],
    "id": ["", "{0192f0c1-8b1e-7c44-9b0f-3d2a5e6f7081}", "urn:uuid:0192f0c1-8b1e-7c44-9b0f-3d2a5e6f7081",
           "0192f0c18b1e7c449b0f3d2a5e6f7081", "0192f0c1-8b1e-7c44-9b0f-3d2a5e6f708", 7, None],
    "state": ["approved"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "given"), [(name, given) for name, values in BAD.items() for given in values])
def test_a_field_refuses(name: str, given: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        Document().load({name: given})
    assert list(caught.value.messages_dict) == [name]


def test_fields_write_one_form() -> None:
    east = timezone(timedelta(hours=2))
    given = {"at": datetime(2026, 11, 21, 11, 30, 0, 123999, tzinfo=east), "price": Decimal("1E+3"), "id": UUID(int=7)}
    assert Document().dump(given) == {
        "at": "2026-11-21T09:30:00.123Z",
        "price": "1000",
        "id": "00000000-0000-0000-0000-000000000007",
    }
    with pytest.raises(ValueError, match="time zone"):
        Document().dump({"at": datetime(2026, 11, 21)})  # noqa: DTZ001


def test_text_needs_a_length() -> None:
    with pytest.raises(TypeError):
        SafeStr()  # type: ignore[call-arg]
    assert isinstance(Document().fields["name"], fields.String)
