"""What does a value of one side's field mean in the other's? Tables of values, by a pair of fields and by direction.

A document of transforms is `{name: {"provider_table", "provider_field", "consumer_table", "consumer_field", "inbound":
{their value: ours}, "outbound": {ours: theirs}}}`. `bridge.mapping` reads it from files, people change it for one
connection. The other end of a virtual line is written `virtual:` and the key of the line.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from bridge.errors import BridgeError
from bridge.field_maps import (
    CHOICE,
    CONSUMER_TABLES,
    DIRECTIONS,
    INBOUND,
    JOURNAL,
    OUTBOUND,
    PROVIDER_TABLES,
    Document,
    Fault,
    Field,
)

MEMBERS = ("provider_table", "provider_field", "consumer_table", "consumer_field", INBOUND, OUTBOUND)
ROWS_LIMIT = 500
VALUE_LIMIT = 4000
VIRTUAL = "virtual:"
_ENDS = {"provider": PROVIDER_TABLES, "consumer": CONSUMER_TABLES}


class TransformHole(BridgeError):
    """The table of a pair of fields has no row for a value."""

    def __init__(self, name: str, value: str) -> None:
        super().__init__(name, value)
        self.name = name
        self.value = value

    def __str__(self) -> str:
        return f"the transform {self.name} has no row for “{self.value[:80]}”"


def transform(
    transforms: Mapping[str, Document], tables: tuple[str, str], line: Document, direction: str, value: Any
) -> Any:
    """The value as the other side's field takes it. Null and empty are the same on both sides; a pair of fields without
    a table has the same words. `tables` are the provider's and the consumer's. Raises TransformHole.
    """
    if value in (None, ""):
        return value
    ends = _ends(tables, line, direction)
    for name, table in transforms.items():
        if tuple(table[member] for member in MEMBERS[:4]) == ends and (rows := table.get(direction)):
            if value not in rows:
                raise TransformHole(name, str(value))
            return rows[value]
    return value


def is_transformed(transforms: Mapping[str, Document], tables: tuple[str, str], line: Document, direction: str) -> bool:
    """Whether the two fields of a line have words of their own."""
    ends = _ends(tables, line, direction)
    return any(tuple(table[member] for member in MEMBERS[:4]) == ends for table in transforms.values())


def _ends(tables: tuple[str, str], line: Document, direction: str) -> tuple[str, str, str, str]:
    source, target = line["source"], f"{VIRTUAL}{line['key']}" if line["virtual"] else line["target"]
    ours, theirs = (target, source) if direction == INBOUND else (source, target)
    return tables[0], ours, tables[1], theirs


def find_transform_faults(document: Any) -> list[Fault]:
    """Everything that is wrong with a document of transforms. Two tables for one pair of fields are refused."""
    if not isinstance(document, Mapping):
        return [Fault((), "type", "an object of transforms by name")]
    found: list[Fault] = []
    seen: dict[tuple[Any, ...], str] = {}
    for name, table in document.items():
        faults = [Fault((name, *fault.place), fault.code, fault.message) for fault in _faults(table)]
        found += faults
        if faults:
            continue
        ends = tuple(table[member] for member in MEMBERS[:4])
        if ends in seen:
            found.append(Fault((name,), "duplicate", f"{seen[ends]} is a table for these two fields already"))
        seen.setdefault(ends, name)
    return found


def find_rows_missing(table: Document) -> dict[str, list[str]]:
    """By direction the values of a choice that have no row and so would wait; a direction without rows has none."""
    sources = {
        INBOUND: CONSUMER_TABLES[table["consumer_table"]].fields.get(table["consumer_field"]),
        OUTBOUND: PROVIDER_TABLES[table["provider_table"]].fields.get(table["provider_field"]),
    }
    return {
        direction: [value for value in field.choices if value not in rows]
        for direction, field in sources.items()
        if field is not None and (rows := table.get(direction))
    }


def _faults(table: Any) -> Iterator[Fault]:
    if not isinstance(table, Mapping):
        yield Fault((), "type", f"an object of {', '.join(MEMBERS)}")
        return
    for name in table:
        if name not in MEMBERS:
            yield Fault((name,), "unknown", _unknown(str(name), "member of a transform", MEMBERS))
    ends: dict[str, Field | None] = {}
    for side in _ENDS:
        fault = _end_fault(table, side, ends)
        if fault is not None:
            yield fault
    if len(ends) == len(_ENDS):
        yield from _row_faults(table, ends)
        if not any(table.get(direction) for direction in DIRECTIONS):
            yield Fault((), "required", "inbound or outbound rows")


def _end_fault(table: Document, side: str, ends: dict[str, Field | None]) -> Fault | None:
    """Notes the field of one side in `ends`, or says why there is none."""
    named, field = table.get(f"{side}_table"), table.get(f"{side}_field")
    if not isinstance(named, str) or named not in _ENDS[side]:
        return Fault((f"{side}_table",), "unknown", _unknown(str(named), f"table of a {side}", _ENDS[side]))
    fields = {name: one for name, one in _ENDS[side][named].fields.items() if one.kind != JOURNAL}
    if isinstance(field, str) and field.startswith(VIRTUAL):
        ends[side] = None
    elif not isinstance(field, str) or field not in fields:
        return Fault((f"{side}_field",), "unknown", _unknown(str(field), f"field of {named}", fields))
    else:
        ends[side] = fields[field]
    return None


def _row_faults(table: Document, ends: Mapping[str, Field | None]) -> Iterator[Fault]:
    for direction in DIRECTIONS:
        rows = table.get(direction)
        if rows is None:
            continue
        if not isinstance(rows, Mapping) or len(rows) > ROWS_LIMIT:
            yield Fault((direction,), "type", f"an object of at most {ROWS_LIMIT} rows: a value, and what it becomes")
            continue
        source, target = ("consumer", "provider") if direction == INBOUND else ("provider", "consumer")
        for value, becomes in rows.items():
            for side, one in ((source, value), (target, becomes)):
                if (wrong := _value_fault(one, ends[side])) is not None:
                    yield Fault((direction, value), "value", wrong)


def _value_fault(value: Any, field: Field | None) -> str | None:
    if not isinstance(value, str) or not value or len(value) > VALUE_LIMIT:
        return f"a text of 1 to {VALUE_LIMIT} characters; put it in quotes if it is"
    if field is not None and field.kind == CHOICE and value not in field.choices:
        return _unknown(value, field.label.lower(), field.choices)
    return None


def _unknown(name: str, noun: str, known: Any) -> str:
    near = get_close_matches(name, list(known), n=1)
    right = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    return f"{name[:80]} is no {noun}; {right}"
