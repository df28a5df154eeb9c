"""Which fields of two records follow each other? The maps of remote tasks: checked, read out, compared, taken in.

A remote task ties a record of a provider (an incident) to one of a consumer (a ticket). A *line* of its map names a
field of each; `inbound` lines lead from the consumer to the provider, `outbound` lines back. What crosses is
`{key of the line: {"value", "version", "by"}}`: a value that is null, empty or missing is three things.

Both sides may change the same field at once. Each change counts the field's *stamp* on: (version, side). Of two values
the one with the greater stamp stays, on both sides, whoever's clock is right; what is not greater is not taken in, so
nothing that came by sync goes back.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as with_factory
from types import MappingProxyType
from typing import Any

Document = Mapping[str, Any]
Stamp = tuple[int, str]
Stamps = Mapping[str, Sequence[Any]]

INBOUND, OUTBOUND = "inbound", "outbound"
DIRECTIONS = (INBOUND, OUTBOUND)
CONSUMER, PROVIDER = "consumer", "provider"
SYNC_WHEN = ("insert", "insert_or_update", "never")
TEXT, CHOICE, JOURNAL = "text", "choice", "journal"
COMMENTS = "comments"
LINES_LIMIT = 40
VERSION_LIMIT = 2**31 - 1
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
_LABEL_LIMIT = 80


@dataclass(frozen=True, slots=True)
class Field:
    """What a record has under one name. A journal is a list of entries, each of which crosses by itself."""

    name: str
    label: str
    kind: str = TEXT
    max_length: int = 4000
    choices: Mapping[str, str] = with_factory(default_factory=dict)
    """Value and label of each choice."""
    required: bool = False
    """It cannot be null or empty."""

    def fault(self, value: Any) -> str | None:
        """Why the field does not take the value, in words; None if it does."""
        if value is None or value == "":
            return f"{self.label} needs a value" if self.required else None
        if not isinstance(value, str):
            return f"{self.label} takes text"
        if self.kind == CHOICE and value not in self.choices:
            return f"{self.label} cannot be “{value[:80]}”; it is one of {', '.join(self.choices)}"
        if len(value) > self.max_length:
            return f"{self.label} takes at most {self.max_length} characters"
        return None

    def say(self, value: Any) -> str:
        """The value as people read it."""
        return "nothing" if value in (None, "") else f"“{self.choices.get(value, value)}”"


@dataclass(frozen=True, slots=True)
class RecordTable:
    """A kind of record that remote tasks can tie to another one."""

    name: str
    label: str
    fields: Mapping[str, Field]


def _table(name: str, label: str, *fields: Field) -> RecordTable:
    return RecordTable(name, label, MappingProxyType({field.name: field for field in fields}))


def _choice(name: str, label: str, **choices: str) -> Field:
    return Field(name, label, CHOICE, 40, MappingProxyType(choices), required=True)


TICKET = _table(
    "ticket",
    "Ticket",
    Field("short_description", "Short description", max_length=200, required=True),
    Field("description", "Description"),
    _choice(
        "state", "State", new="New", in_progress="In progress", on_hold="On hold", resolved="Resolved", closed="Closed"
    ),
    _choice("priority", "Priority", critical="Critical", high="High", moderate="Moderate", low="Low"),
    Field("category", "Category", max_length=80),
    Field("assigned_to", "Assigned to", max_length=120),
    Field(COMMENTS, "Comments", JOURNAL, 10_000),
)
INCIDENT = _table(
    "incident",
    "Incident",
    Field("short_description", "Short description", max_length=200, required=True),
    Field("description", "Description"),
    _choice(
        "state", "State", new="New", work_in_progress="Work in progress", awaiting_info="Awaiting info",
        resolved="Resolved", closed="Closed",
    ),
    Field(
        "priority", "Priority", CHOICE, 40,
        MappingProxyType({"1": "1 Critical", "2": "2 High", "3": "3 Moderate", "4": "4 Low"}), required=True,
    ),
    Field("category", "Category", max_length=80),
    Field("assigned_to", "Assigned to", max_length=120),
    Field("resolution", "Resolution"),
    Field(COMMENTS, "Comments", JOURNAL, 10_000),
)  # fmt: skip
CONSUMER_TABLES: Mapping[str, RecordTable] = MappingProxyType({TICKET.name: TICKET})
PROVIDER_TABLES: Mapping[str, RecordTable] = MappingProxyType({INCIDENT.name: INCIDENT})
"""What can be tied, by the name that a definition uses. Work notes are no field of either: they cannot cross."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a map: `place` are the steps from its root."""

    place: tuple[str | int, ...]
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Told:
    """One value that came: its line, and the stamp it came with."""

    line: Document
    value: Any
    stamp: Stamp


def default_map() -> dict[str, list[dict[str, Any]]]:
    """What a new definition begins with: comments, both ways."""
    line = {"key": COMMENTS, "label": "Comments", "source": COMMENTS, "target": COMMENTS, "max_length": 10_000}
    line |= {"sync_when": "insert_or_update", "active": True, "virtual": False, "pre_existing": True}
    return {INBOUND: [dict(line)], OUTBOUND: [dict(line)]}


def complete_line(line: Document) -> dict[str, Any]:
    """The line with what it did not say: its key is its source, its label its key, and it is active."""
    key = line.get("key") or line.get("source") or ""
    said = {name: value for name, value in line.items() if value is not None}
    target = None if line.get("virtual") else line.get("target")
    return {
        "key": key, "label": str(key).replace("_", " ").capitalize(), "source": None, "max_length": 4000,
        "sync_when": "insert_or_update", "active": True, "virtual": False, "pre_existing": True, **said,
        "target": target,
    }  # fmt: skip


def find_faults(lines: Mapping[str, Sequence[Document]], provider_table: str, consumer_table: str) -> list[Fault]:
    """Everything that is wrong with a map of complete lines. No name, label or target may be there twice in one
    direction: two lines would fight for one field.
    """
    tables = {CONSUMER: CONSUMER_TABLES[consumer_table], PROVIDER: PROVIDER_TABLES[provider_table]}
    found: list[Fault] = []
    for direction in DIRECTIONS:
        source, target = (tables[side] for side in _sides(direction))
        if len(lines[direction]) > LINES_LIMIT:
            found.append(Fault((direction,), "too_many", f"at most {LINES_LIMIT} lines"))
        seen: dict[tuple[str, Any], int] = {}
        for index, line in enumerate(lines[direction]):
            place = (direction, index)
            found += [
                Fault((*place, *fault.place), fault.code, fault.message) for fault in _faults(line, source, target)
            ]
            found += _repeated(line, place, seen)
    return found


def _sides(direction: str) -> tuple[str, str]:
    """Whose field is the source, and whose the target."""
    return (CONSUMER, PROVIDER) if direction == INBOUND else (PROVIDER, CONSUMER)


def _faults(line: Document, source: RecordTable, target: RecordTable) -> list[Fault]:
    found = []
    if not _KEY.fullmatch(str(line["key"])):
        found.append(Fault(("key",), "format", "small letters, digits and underscores, beginning with a letter"))
    if not str(line["label"]).strip() or len(str(line["label"])) > _LABEL_LIMIT:
        found.append(Fault(("label",), "length", f"a label of 1 to {_LABEL_LIMIT} characters"))
    if line["sync_when"] not in SYNC_WHEN:
        found.append(Fault(("sync_when",), "unknown", f"one of {', '.join(SYNC_WHEN)}"))
    if not 1 <= line["max_length"] <= 10_000:
        found.append(Fault(("max_length",), "range", "1 to 10000 characters"))
    for name, table in (("source", source), ("target", target)):
        if name == "target" and line["virtual"]:
            continue
        if line[name] not in table.fields:
            message = f"{table.label} has no field {line[name]}; there are {', '.join(table.fields)}"
            found.append(Fault((name,), "unknown", message))
    return found or _journal_faults(line, source, target)


def _journal_faults(line: Document, source: RecordTable, target: RecordTable) -> list[Fault]:
    """Entries can only become entries."""
    reads = source.fields[line["source"]].kind == JOURNAL
    writes = not line["virtual"] and target.fields[line["target"]].kind == JOURNAL
    if reads != writes:
        return [Fault(("target",), "kind", "comments can only lead to comments, and a field only to a field")]
    return []


def _repeated(line: Document, place: tuple[str, int], seen: dict[tuple[str, Any], int]) -> list[Fault]:
    found = []
    for name in ("key", "label", "target"):
        value = str(line[name]).strip().lower()
        if name == "target" and line["virtual"]:
            continue
        if (name, value) in seen:
            message = f"line {seen[name, value] + 1} has this {name} already"
            found.append(Fault((*place, name), "duplicate", message))
        seen.setdefault((name, value), place[1])
    return found


# --- what crosses


def active_lines(lines: Mapping[str, Sequence[Document]], direction: str) -> list[Document]:
    """The lines along which fields cross, but those of comments."""
    return [line for line in lines[direction] if line["active"] and line["source"] != COMMENTS]


def two_way_lines(lines: Mapping[str, Sequence[Document]]) -> list[tuple[Document, Document]]:
    """Pairs of an inbound and an outbound line between the same two fields that always follow each other."""
    always = {
        direction: [
            line
            for line in active_lines(lines, direction)
            if not line["virtual"] and line["sync_when"] == "insert_or_update"
        ]
        for direction in DIRECTIONS
    }
    there = {(line["source"], line["target"]): line for line in always[INBOUND]}
    pairs = ((there.get((line["target"], line["source"])), line) for line in always[OUTBOUND])
    return [(inbound, outbound) for inbound, outbound in pairs if inbound is not None]


def comments_line(lines: Mapping[str, Sequence[Document]], direction: str) -> Document | None:
    """The line along which comments cross, if they do."""
    return next((line for line in lines[direction] if line["active"] and line["source"] == COMMENTS), None)


def stamp_key(line: Document, direction: str) -> str:
    """Under which name both sides count a line's field: the provider's, which no consumer can rename. So a field that
    crosses both ways has one count.
    """
    if direction == OUTBOUND:
        return str(line["source"])
    return f"{line['key']}?" if line["virtual"] else str(line["target"])


def count_on(
    lines: Mapping[str, Sequence[Document]], direction: str, changed: Iterable[str], stamps: Stamps
) -> dict[str, Sequence[Any]]:
    """The stamps after our side changed these fields of its record."""
    names, by = set(changed), _sides(direction)[0]
    following = dict(stamps)
    for key in sorted(
        {stamp_key(line, direction) for line in active_lines(lines, direction) if line["source"] in names}
    ):
        following[key] = [min(_stamp(stamps, key)[0] + 1, VERSION_LIMIT), by]
    return following


def count_first(lines: Mapping[str, Sequence[Document]], direction: str, stamps: Stamps) -> dict[str, Sequence[Any]]:
    """The stamps with a first one for every field that was never told, so that it can be."""
    fresh = {line["source"] for line in active_lines(lines, direction) if stamp_key(line, direction) not in stamps}
    return count_on(lines, direction, fresh, stamps)


def tell_fields(
    lines: Mapping[str, Sequence[Document]],
    direction: str,
    record: Mapping[str, Any],
    stamps: Stamps,
    names: Iterable[str] | None = None,
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """What to tell of these fields of our record, of all if none are named: by key of the line, each value with its
    stamp, and why others cannot be told.
    """
    wanted = None if names is None else set(names)
    told: dict[str, dict[str, Any]] = {}
    refused: dict[str, str] = {}
    for line in active_lines(lines, direction):
        if wanted is not None and line["source"] not in wanted:
            continue
        version, by = _stamp(stamps, stamp_key(line, direction))
        value = record[line["source"]]
        if isinstance(value, str) and len(value) > line["max_length"]:
            refused[line["key"]] = f"{line['label']} is longer than the {line['max_length']} characters that may cross"
        else:
            told[line["key"]] = {"value": value, "version": version, "by": by}
    return told, refused


def hear_fields(
    lines: Mapping[str, Sequence[Document]], direction: str, fields: Mapping[str, Document], stamps: Stamps
) -> tuple[list[Told], dict[str, Sequence[Any]], list[str]]:
    """What of the fields that came is news, the stamps with it, and the keys that no line has."""
    by_key = {line["key"]: line for line in active_lines(lines, direction)}
    news, following = [], dict(stamps)
    for key, said in fields.items():
        if key not in by_key:
            continue
        name, stamp = stamp_key(by_key[key], direction), (int(said["version"]), str(said["by"]))
        if stamp > _stamp(stamps, name):  # as of before: several lines may tell of one field
            news.append(Told(by_key[key], said["value"], stamp))
            following[name] = list(stamp)
    return news, following, [key for key in fields if key not in by_key]


def is_last(stamps: Stamps, line: Document, direction: str, stamp: Sequence[Any]) -> bool:
    """Whether nothing has changed the line's field since this stamp."""
    return _stamp(stamps, stamp_key(line, direction)) == (int(stamp[0]), str(stamp[1]))


def takes_in(line: Document, *, initial: bool) -> bool:
    """Whether the receiver of a line writes the field now: at first, always, or never."""
    return line["sync_when"] == "insert_or_update" or (initial and line["sync_when"] == "insert")


def _stamp(stamps: Stamps, key: str) -> Stamp:
    version, by = stamps.get(key, (0, ""))
    return int(version), str(by)
