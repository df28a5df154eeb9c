"""Choices from live data: where their rows come from, and what a definition, a list or a variable may say of them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from provider.domain.errors import FieldError

Document = Mapping[str, Any]

LIST = "list"
OWN_COLUMNS = ("value", "display")
CONSUMER = "consumer"
"""The column of an uploaded list that says who alone sees a row."""
COLUMNS_LIMIT = 20
FILTER_LIMIT = 200
ROWS_LIMIT = 10_000
TEXT_LIMIT = 255
NAME = "[a-z][a-z0-9_-]{0,59}"
"""Of a definition: forms and addresses hold it."""
NAME_IN_WORDS = "use a-z, 0-9, - and _, beginning with a letter, such as my-routers"
_COLUMN = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of the provider's own, of which each consumer sees its own alone. `value` identifies one among them."""

    label: str
    columns: tuple[str, ...]
    value: str
    display: str


SOURCES: Mapping[str, Source] = MappingProxyType(
    {
        "products": Source(
            "Its products", ("number", "name", "state", "location", "offering", "specification"), "number", "name"
        ),
        "locations": Source("The locations of its products", ("name",), "name", "name"),
        "contracts": Source("Its contracts in force", ("number", "name", "starts_on", "ends_on"), "number", "name"),
        "offerings": Source("The offerings it may order", ("offering", "name", "category"), "offering", "name"),
        LIST: Source("A list that we keep", OWN_COLUMNS, "value", "display"),
    }
)


def columns_of(source: str, extra: Sequence[str]) -> tuple[str, ...]:
    """All columns; a list has more than it brings itself."""
    return (*SOURCES[source].columns, *extra) if source == LIST else SOURCES[source].columns


def definition_faults(said: Document) -> Iterator[FieldError]:
    """What is wrong with `name`, `source`, `columns`, `base_filter`, `display_field` and `info_fields`."""
    if not re.fullmatch(NAME, said["name"]):
        yield FieldError("/name", "format", NAME_IN_WORDS)
    if said["source"] not in SOURCES:
        yield FieldError("/source", "unknown", f"one of {', '.join(SOURCES)}")
        return
    yield from _column_faults(said["source"], said["columns"])
    columns = columns_of(said["source"], said["columns"])
    if said["display_field"] not in columns:
        yield FieldError("/display_field", "unknown", f"one of {', '.join(columns)}")
    yield from _unknown(said["info_fields"], columns, "/info_fields")
    yield from filter_faults(said["base_filter"], columns, "/base_filter")


def choice_faults(choice: Document, columns: Sequence[str], keys: Sequence[str], pointer: str) -> Iterator[FieldError]:
    """What is wrong with the `choice` of a variable. `keys` are the other variables beside it."""
    display = choice.get("display_field")
    if display is not None and display not in columns:
        yield FieldError(f"{pointer}/display_field", "unknown", f"one of {', '.join(columns)}")
    yield from _unknown(choice.get("info_fields") or (), columns, f"{pointer}/info_fields")
    yield from filter_faults(choice.get("qualifier") or {}, columns, f"{pointer}/qualifier")
    depends_on = choice.get("depends_on")
    if depends_on is None:
        return
    if not isinstance(depends_on, Mapping) or set(depends_on) != {"variable", "field"}:
        yield FieldError(f"{pointer}/depends_on", "type", 'an object of "variable" and "field"')
        return
    if depends_on["variable"] not in keys:
        message = f"there is no other variable {depends_on['variable']} beside it"
        yield FieldError(f"{pointer}/depends_on/variable", "unknown", message)
    yield from _unknown([depends_on["field"]], columns, f"{pointer}/depends_on/field")


def filter_faults(said: Any, columns: Sequence[str], pointer: str) -> Iterator[FieldError]:
    """Of `{column: [accepted value]}`."""
    if not isinstance(said, Mapping):
        yield FieldError(pointer, "type", "an object of columns, each with a list of accepted values")
        return
    for name, values in said.items():
        texts = values if isinstance(values, list) else []
        if name not in columns:
            yield FieldError(f"{pointer}/{name[:TEXT_LIMIT]}", "unknown", f"one of {', '.join(columns)}")
        elif not texts or len(texts) > FILTER_LIMIT or not all(isinstance(one, str) for one in texts):
            yield FieldError(f"{pointer}/{name}", "type", f"a list of 1 to {FILTER_LIMIT} texts")


def _column_faults(source: str, columns: Sequence[Any]) -> Iterator[FieldError]:
    if source != LIST and columns:
        yield FieldError("/columns", "not_allowed", "only a list has columns of its own")
    elif len(columns) > COLUMNS_LIMIT:
        yield FieldError("/columns", "too_many", f"at most {COLUMNS_LIMIT} columns")
    else:
        for index, name in enumerate(columns):
            if not _COLUMN.fullmatch(name):
                yield FieldError(f"/columns/{index}", "format", "use a-z, 0-9 and _, beginning with a letter")
            elif name in (*OWN_COLUMNS, CONSUMER, *columns[:index]):
                yield FieldError(f"/columns/{index}", "duplicate", f"a list has {name} already")


def _unknown(names: Any, columns: Sequence[str], pointer: str) -> Iterator[FieldError]:
    if not isinstance(names, list | tuple):
        yield FieldError(pointer, "type", "a list of columns")
        return
    for index, name in enumerate(names):
        if name not in columns:
            yield FieldError(f"{pointer}/{index}", "unknown", f"one of {', '.join(columns)}")
