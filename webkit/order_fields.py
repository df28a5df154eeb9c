"""What an order form is made of: questions, and how they stand together."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

_LOCAL_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_CONTROLS = {
    "integer": "numeric", "decimal": "decimal", "boolean": "choice", "masked": "password", "html": "multiline_text",
    "attachment": "file",
    **dict.fromkeys(("date", "datetime", "ip_address", "duration", "requested_for"), "text"),
}  # fmt: skip

Options: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Field:
    """One question. `values` are the texts that stand in it, several only where several may be chosen."""

    name: str
    id: str
    label: str
    type: str
    mandatory: bool = False
    hint: str = ""
    options: Options = ()
    values: tuple[str, ...] = ()
    display: str = ""
    """How the form wishes it to be shown, where there are several ways: `wide`, `checkbox`, `radio`, `scale`."""
    depends_on: str = ""
    """The name of the field without whose answer there is nothing to choose from."""
    accept: str = ""
    """Of a file, which types it may have, as browsers are told."""

    @property
    def value(self) -> str:
        return self.values[0] if self.values else ""

    @property
    def control(self) -> str:
        """How it is shown. What a browser's own control for dates could not show, and so would lose, is text."""
        if self.type == "date" and (not self.value or _DATE.fullmatch(self.value)):
            return "date"
        if self.type == "datetime" and (not self.value or _LOCAL_TIME.fullmatch(self.value)):
            return "datetime-local"
        if (self.type, self.display) == ("boolean", "checkbox"):
            return "checkbox"
        if self.options and self.display in ("radio", "scale"):
            return "radio"
        return _CONTROLS.get(self.type, self.type)


@dataclass(frozen=True)
class Text:
    """Words between questions: a `label`, text of several paragraphs (`rich_text`), or a line (`break`)."""

    type: str
    label: str
    text: str


@dataclass(frozen=True)
class Container:
    """Questions beside each other, in columns under a title."""

    title: str
    columns: "tuple[tuple[Entry, ...], ...]"


Entry: TypeAlias = Field | Text | Container


@dataclass(frozen=True)
class FieldSet:
    """Questions under a heading. With `rows` it is a table, each row being the same questions again."""

    name: str
    title: str
    hint: str
    fields: tuple[Field, ...] = ()
    layout: tuple[Entry, ...] = ()
    is_table: bool = False
    heads: tuple[Field, ...] = ()
    rows: tuple[tuple[Field, ...], ...] = ()
    can_grow: bool = False
    can_shrink: bool = False

    def all_fields(self) -> Iterator[Field]:
        yield from self.fields
        for row in self.rows:
            yield from row


@dataclass(frozen=True)
class Part:
    """Something within what is ordered. `tick` takes or leaves it; without one it always comes along."""

    title: str
    tick: Field | None
    quantity: Field | None
    fixed_quantity: int
    fields: tuple[Field, ...]
    layout: tuple[Entry, ...]
    sections: "tuple[Section, ...]"

    def all_fields(self) -> Iterator[Field]:
        yield from filter(None, (self.tick, self.quantity))
        yield from fields_within(self.fields, self.sections)


@dataclass(frozen=True)
class Section:
    """Parts that are shown together: those of a group under its title, with how many to choose; or one alone."""

    title: str
    hint: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Search:
    """What was found for a field whose choices the provider knows: `options` are pairs and their words."""

    text: str = ""
    options: Options = ()
    notice: str = ""


@dataclass(frozen=True)
class OrderForm:
    """A whole order as fields. `errors` are messages by a field's name, those under "" belong to no field. What a form
    does not ask for is None or empty.
    """

    quantity: Field | None
    fields: tuple[Field, ...]
    layout: tuple[Entry, ...]
    sets: tuple[FieldSet, ...]
    sections: tuple[Section, ...]
    location: tuple[Field, ...]
    contacts: tuple[tuple[Field, ...], ...]
    requested_on: Field | None
    note: Field | None
    errors: Mapping[str, Sequence[str]] = field(default_factory=dict)
    searches: Mapping[str, Search] = field(default_factory=dict)
    """By the name of the field; whoever shows the form puts them in."""

    @property
    def has_live_choices(self) -> bool:
        """Whether the script is needed that asks what can be chosen."""
        return any(one.control == "reference" for one in self.all_fields())

    @property
    def has_files(self) -> bool:
        """Whether what is sent may hold files."""
        return any(one.control == "file" for one in (*self.all_fields(), *self._heads()))

    def all_fields(self) -> Iterator[Field]:
        if self.quantity:
            yield self.quantity
        yield from fields_within(self.fields, self.sections)
        for one in self.sets:
            yield from one.all_fields()
        yield from self.location
        for contact in self.contacts:
            yield from contact
        yield from filter(None, (self.requested_on, self.note))

    def _heads(self) -> Iterator[Field]:
        for one in self.sets:
            yield from one.heads


def fields_within(fields: tuple[Field, ...], sections: tuple[Section, ...]) -> Iterator[Field]:
    """The questions of an item or a part, and of the parts within it."""
    yield from fields
    for section in sections:
        for part in section.parts:
            yield from part.all_fields()
