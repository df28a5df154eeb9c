"""How does the other side see our states? Reads, checks and applies the tables of `mappings/`; the only reader of YAML.

`mappings/README.md` describes the files. Which source keys and target states exist is told by the caller: this room
knows neither side.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self, TypeAlias

import yaml

from bridge.errors import BridgeError
from bridge.transforms import find_transform_faults

Json: TypeAlias = Any

FORMAT_VERSION = 1
_MEMBERS = ("version", "event_type", "source_field", "rows")


class MappingError(BridgeError):
    """One mistake in one file; lines count from 1."""

    def __init__(self, file: str, line: int, reason: str) -> None:
        super().__init__(file, line, reason)
        self.file = file
        self.line = line
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


class MappingErrors(BridgeError):
    """Every mistake of a directory, by file and line; nothing of it was taken over."""

    def __init__(self, errors: Iterable[MappingError]) -> None:
        self.errors = tuple(sorted(errors, key=lambda error: (error.file, error.line)))
        super().__init__(self.errors)

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


class MappingHole(BridgeError):
    """The table has no row for a value that an event carries."""

    def __init__(self, table: str, value: Json) -> None:
        super().__init__(table, value)
        self.table = table
        self.value = value

    def __str__(self) -> str:
        return f"the mapping table {self.table} has no row for {self.value}"


@dataclass(frozen=True)
class Expectation:
    """What a table must be: the field it reads, the source keys it must cover, all of them, and the known targets."""

    source_field: str
    sources: AbstractSet[str]
    targets: AbstractSet[str]


@dataclass(frozen=True)
class Table:
    """What the value of `source_field` adds to an event: `rows[value]` is merged into its data."""

    name: str
    event_type: str
    source_field: str
    rows: Mapping[str, Mapping[str, Json]]


@dataclass(frozen=True)
class Tables:
    """One consistent set of tables, by event type."""

    tables: Mapping[str, Table]

    def apply(self, event_type: str, data: Mapping[str, Json]) -> dict[str, Json]:
        """Return the data with the fields of its row, or an equal copy if the type has no table; raise MappingHole."""
        table = self.tables.get(event_type)
        if table is None:
            return dict(data)
        value = data.get(table.source_field)
        if not isinstance(value, str) or value not in table.rows:
            raise MappingHole(table.name, value)
        return {**data, **table.rows[value]}

    def to_json(self) -> str:
        """Text from which `from_json` makes equal tables; equal tables give equal text."""
        return json.dumps([vars(table) for table in self.tables.values()], ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls({document["event_type"]: Table(**document) for document in json.loads(text)})


def load_tables(directory: Path, *, expected: Mapping[str, Expectation]) -> Tables:
    """Read every `*.yaml` of the directory; a table is named after its file.

    `expected` tells, by event type, which tables there must be; others are refused. Raises MappingErrors with all
    mistakes of all files.
    """
    tables: dict[str, Table] = {}
    errors: list[MappingError] = []
    for path in sorted(directory.glob("*.yaml")):
        reader = _Reader(path.name, expected)
        table = reader.read(path)
        errors.extend(reader.errors)
        if table is None:
            continue
        if table.event_type in tables:
            other = tables[table.event_type].name
            errors.append(MappingError(path.name, 1, f"{other}.yaml is a table for {table.event_type} already"))
        tables[table.event_type] = table
    if not errors:
        missing = sorted(expected.keys() - tables.keys())
        errors.extend(MappingError(directory.name, 1, f"no file is a table for {event_type}") for event_type in missing)
    if errors:
        raise MappingErrors(errors)
    return Tables({event_type: tables[event_type] for event_type in sorted(tables)})


def load_transforms(directory: Path) -> dict[str, Json]:
    """Read every `*.yaml` of the directory as a table of transforms, by name: that of its file. Raises MappingErrors
    with all mistakes of all files.
    """
    document: dict[str, Json] = {}
    places: dict[tuple[str | int, ...], tuple[str, int]] = {}
    errors: list[MappingError] = []
    for path in sorted(directory.glob("*.yaml")):
        reader = _Reader(path.name, {})
        root = reader.parse(path)
        if root is not None:
            members = reader.plain(root, (path.stem,), places)
            if members.pop("version", None) != str(FORMAT_VERSION):
                reader.fail(root, f"version must be {FORMAT_VERSION}")
            document[path.stem] = members
        errors.extend(reader.errors)
    for fault in find_transform_faults(document):
        at = next(at for length in range(len(fault.place), 0, -1) if (at := places.get(fault.place[:length])))
        errors.append(MappingError(*at, fault.message))
    if errors:
        raise MappingErrors(errors)
    return document


class _Reader:
    """Reads one file and collects what is wrong with it, so that people mend it in one go."""

    def __init__(self, file: str, expected: Mapping[str, Expectation]) -> None:
        self.file = file
        self.expected = expected
        self.errors: list[MappingError] = []

    def read(self, path: Path) -> Table | None:
        """The table, or None when `errors` tells why there is none."""
        root = self.parse(path)
        if root is None:
            return None
        members = self.members(root, _MEMBERS, "the table")
        if "version" in members and members["version"].value != str(FORMAT_VERSION):
            self.fail(members["version"], f"version must be {FORMAT_VERSION}")
        event_type = self.known_text(members.get("event_type"), "event_type", self.expected)
        expectation = self.expected.get(event_type or "")
        if expectation is None:
            return None
        source_field = self.known_text(members.get("source_field"), "source_field", {expectation.source_field})
        rows = self.rows(members.get("rows"), expectation)
        if self.errors or event_type is None or source_field is None:
            return None
        return Table(path.stem, event_type, source_field, rows)

    def parse(self, path: Path) -> yaml.MappingNode | None:
        content = path.read_bytes()
        try:
            root = yaml.compose(content.decode(), Loader=yaml.SafeLoader)
        except UnicodeDecodeError as error:
            self.fail_at(content.count(b"\n", 0, error.start) + 1, "the file is not UTF-8 text")
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self.fail_at(mark.line + 1 if mark else 1, f"this is not YAML: {error.problem or error.context}")
        except yaml.YAMLError as error:
            self.fail_at(1, f"this is not YAML: {error}")
        else:
            if isinstance(root, yaml.MappingNode):
                return root
            self.fail_at(1, f"the file must hold {', '.join(_MEMBERS)}")
        return None

    def plain(
        self, node: yaml.MappingNode, place: tuple[str | int, ...], places: dict[tuple[str | int, ...], tuple[str, int]]
    ) -> dict[str, Json]:
        """The block as it is, with texts and further blocks; in `places` the file and line of each thing in it."""
        places[place] = (self.file, node.start_mark.line + 1)
        found: dict[str, Json] = {}
        for key_node, key, value in self.pairs(node):
            here = (*place, key)
            places[here] = (self.file, key_node.start_mark.line + 1)
            if isinstance(value, yaml.MappingNode):
                found[key] = self.plain(value, here, places)
            elif key == "version":
                found[key] = value.value
            else:
                found[key] = self.text(value, key)
        return found

    def rows(self, node: yaml.Node | None, expectation: Expectation) -> dict[str, dict[str, Json]]:
        if node is None:
            return {}
        if not isinstance(node, yaml.MappingNode):
            self.fail(node, "rows must hold one row for each source key")
            return {}
        names = (f"{expectation.source_field}_label", "state", "state_label")
        rows: dict[str, dict[str, Json]] = {}
        for key_node, key, value in self.pairs(node):
            if self.is_known(key_node, key, "row", expectation.sources):
                rows[key] = self.row(key_node, value, names, expectation.targets)
        for key in sorted(expectation.sources - rows.keys()):
            self.fail(node, f"the row {key} is missing")
        return rows

    def row(
        self, key: yaml.Node, node: yaml.Node, names: tuple[str, ...], targets: AbstractSet[str]
    ) -> dict[str, Json]:
        if not isinstance(node, yaml.MappingNode):
            self.fail(node, f"the row {key.value} must be written as {{{': ..., '.join(names)}: ...}}")
            return {}
        cells = self.members(node, names, f"the row {key.value}")
        row = {name: self.text(cells[name], name) for name in cells}
        if row.get("state"):
            self.is_known(cells["state"], str(row["state"]), "state", targets)
        return row

    def members(self, node: yaml.MappingNode, names: tuple[str, ...], where: str) -> dict[str, yaml.Node]:
        """The members of a block: exactly those named, each once."""
        what = f"member of {where}"
        found = {key: value for at, key, value in self.pairs(node) if self.is_known(at, key, what, names)}
        for name in names:
            if name not in found:
                self.fail(node, f"{where} has no {name}")
        return found

    def pairs(self, node: yaml.MappingNode) -> Iterator[tuple[yaml.Node, str, yaml.Node]]:
        """Keys and values; plain YAML would let the last of two equal keys win in silence."""
        seen: dict[str, int] = {}
        for key_node, value in node.value:
            key = self.text(key_node, "a key")
            if key is None:
                continue
            if key in seen:
                self.fail(key_node, f"{key} is here a second time, first on line {seen[key]}")
                continue
            seen[key] = key_node.start_mark.line + 1
            yield key_node, key, value

    def known_text(self, node: yaml.Node | None, name: str, known: Iterable[str]) -> str | None:
        text = self.text(node, name) if node else None
        return text if node and text and self.is_known(node, text, name, known) else None

    def text(self, node: yaml.Node, name: str) -> str | None:
        if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:str":
            self.fail(node, f"{name} must be text; put it in quotes if it is")
        elif not node.value.strip():
            self.fail(node, f"{name} must not be empty")
        else:
            return str(node.value)
        return None

    def is_known(self, node: yaml.Node, text: str, what: str, known: Iterable[str]) -> bool:
        names = sorted(known)
        if text in names:
            return True
        near = get_close_matches(text, names, n=1)
        right = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
        self.fail(node, f"{text} is no {what}; {right}")
        return False

    def fail(self, node: yaml.Node, reason: str) -> None:
        self.fail_at(node.start_mark.line + 1, reason)

    def fail_at(self, line: int, reason: str) -> None:
        self.errors.append(MappingError(self.file, line, reason))
