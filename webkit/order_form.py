"""From the form document of a catalog item to what people fill in, and back to a document of answers.

Every field is named by the JSON pointer of its answer (`/parts/edge/characteristics/model`), so that what a service
finds wrong stands beside the field it is about. `make_order_form` shows a document, `read_answers` reads what was
sent, `show_answers` tells in words what was answered. Whether answers are right is not asked here.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from werkzeug.datastructures import MultiDict

from webkit.words import NOTHING, show_value

CONTACTS_MOST = 20
_SELECTED = "selected"
"""The type of the tick that takes or leaves an optional part; no variable has it."""
_LOCAL_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_LOCATION = (
    ("name", "Location", "What people call it, such as Berlin office."),
    ("street", "Street and number", ""), ("postal_code", "Postal code", ""), ("city", "City", ""),
    ("country", "Country", ""),
)  # fmt: skip
_CONTACT = (("name", "Name", "text"), ("email", "E-mail", "email"), ("phone", "Telephone", "text"))

Document = Mapping[str, Any]
Options = tuple[tuple[str, str], ...]


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
        return {"integer": "numeric", "decimal": "decimal", "boolean": "choice"}.get(
            self.type, "text" if self.type in ("date", "datetime", "ip_address") else self.type
        )


@dataclass(frozen=True)
class Part:
    """Something within what is ordered. `tick` takes or leaves it; without one it always comes along."""

    title: str
    tick: Field | None
    quantity: Field | None
    fixed_quantity: int
    fields: tuple[Field, ...]
    sections: "tuple[Section, ...]"

    def all_fields(self) -> Iterator[Field]:
        yield from filter(None, (self.tick, self.quantity))
        yield from _fields_within(self.fields, self.sections)


@dataclass(frozen=True)
class Section:
    """Parts that are shown together: those of a group under its title, with how many to choose; or one alone."""

    title: str
    hint: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class OrderForm:
    """A whole order as fields. `errors` are messages by a field's name, those under "" belong to no field."""

    quantity: Field
    fields: tuple[Field, ...]
    sections: tuple[Section, ...]
    location: tuple[Field, ...]
    contacts: tuple[tuple[Field, ...], ...]
    requested_on: Field
    note: Field
    errors: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def all_fields(self) -> Iterator[Field]:
        yield self.quantity
        yield from _fields_within(self.fields, self.sections)
        yield from self.location
        for contact in self.contacts:
            yield from contact
        yield from (self.requested_on, self.note)


@dataclass(frozen=True)
class Shown:
    """One answer in words; `depth` is how many parts it lies within, and a part's own line has no value."""

    label: str
    value: str | None
    depth: int


def make_order_form(form: Document, answers: Document, errors: Sequence[Mapping[str, str]] = ()) -> OrderForm:
    """The fields of a form with what was answered so far, else with the defaults, and one empty contact more.

    `errors` are dicts with `pointer` and `message`, as refusals have them.
    """
    make = _Maker()
    whole = OrderForm(
        quantity=make.field("/quantity", "Quantity", "integer", answers.get("quantity", "1"), mandatory=True),
        fields=make.variables(form, answers, ""),
        sections=make.sections(form, answers, ""),
        location=make.location(_mapping(answers.get("location"))),
        contacts=make.contacts(_rows(answers.get("contacts"))),
        requested_on=make.field("/requested_on", "Wanted on", "date", answers.get("requested_on")),
        note=make.field("/note", "Note", "multiline_text", answers.get("note"), hint="Anything else they should know."),
    )
    return replace(whole, errors=_place(errors, {one.name for one in whole.all_fields()}))


def read_answers(form: Document, sent: MultiDict[str, str]) -> dict[str, Any]:
    """The document of answers that somebody filled in, as it was typed: texts, however wrong."""
    answers: dict[str, Any] = {"characteristics": {}, "parts": {}}
    for one in make_order_form(form, {}).all_fields():
        if not one.name.startswith("/contacts/"):
            _put(answers, one, sent)
    contacts = [
        {key: sent.get(f"/contacts/{row}/{key}", "").strip() for key, _, _ in _CONTACT} for row in range(CONTACTS_MOST)
    ]
    return answers | {"contacts": _rows(contacts)}


def show_answers(form: Document, answers: Document) -> list[Shown]:
    """What was chosen, for people: labels instead of keys, options by their label. Answers that the form does not know
    (it has changed since) are shown by their keys; parts that were left out are not shown.
    """
    return list(_shown(form, answers, 0))


@dataclass
class _Maker:
    """Makes fields, and gives each an id of the page: a pointer may hold what an id must not."""

    numbers: Iterator[int] = field(default_factory=count)

    def field(self, name: str, label: str, type: str, answer: Any, **more: Any) -> Field:
        return Field(name, f"field-{next(self.numbers)}", label, type, values=_texts(answer, type), **more)

    def variables(self, form: Document, answers: Document, pointer: str) -> tuple[Field, ...]:
        given = _mapping(answers.get("characteristics"))
        return tuple(self.variable(one, given, f"{pointer}/characteristics") for one in form["variables"])

    def variable(self, variable: Document, given: Document, pointer: str) -> Field:
        key, kind = variable["key"], variable["type"]
        answer = given.get(key, variable["default"])
        made = self.field(
            f"{pointer}/{_escape(key)}", variable["label"], kind, answer,
            mandatory=variable["mandatory"], hint=variable.get("description") or "",
        )  # fmt: skip
        return replace(made, options=_options(variable, made.values))

    def sections(self, form: Document, answers: Document, pointer: str) -> tuple[Section, ...]:
        """The parts in their order; those of a group stand together, where its first one would."""
        given = _mapping(answers.get("parts"))
        groups = {key: group for group in form.get("groups") or () for key in group["parts"]}
        found: dict[str, tuple[Document | None, list[Part]]] = {}
        for one in form["parts"]:
            key, group = one["key"], groups.get(one["key"])
            part = self.part(one, _mapping(given.get(key)), f"{pointer}/parts/{_escape(key)}")
            found.setdefault(f"group {group['key']}" if group else f"part {key}", (group, []))[1].append(part)
        return tuple(
            Section(group["name"] if group else "", _how_many(group) if group else "", tuple(parts))
            for group, parts in found.values()
        )

    def part(self, part: Document, answers: Document, pointer: str) -> Part:
        least, most = max(1, part["min_quantity"]), part["max_quantity"]
        tick = quantity = None
        if not part["mandatory"]:
            selected = _first_told(answers.get("selected"), part["default_selected"])
            tick = self.field(f"{pointer}/selected", part["name"], _SELECTED, selected)
        if most is None or most > least:
            hint = f"At least {least}." if most is None else f"Between {least} and {most}."
            given = answers.get("quantity", least)
            quantity = self.field(f"{pointer}/quantity", "Quantity", "integer", given, mandatory=True, hint=hint)
        fields, sections = self.variables(part, answers, pointer), self.sections(part, answers, pointer)
        return Part(part["name"], tick, quantity, least, fields, sections)

    def location(self, given: Document) -> tuple[Field, ...]:
        return tuple(
            self.field(f"/location/{key}", label, "text", given.get(key), hint=hint) for key, label, hint in _LOCATION
        )

    def contacts(self, given: list[Document]) -> tuple[tuple[Field, ...], ...]:
        rows: list[Document] = [*given, {}][:CONTACTS_MOST]
        return tuple(
            tuple(self.field(f"/contacts/{row}/{key}", label, kind, one.get(key)) for key, label, kind in _CONTACT)
            for row, one in enumerate(rows)
        )


def _texts(answer: Any, kind: str) -> tuple[str, ...]:
    """An answer as the texts that an input holds."""
    if isinstance(answer, list):
        return tuple(_text(one) for one in answer) if kind == "multiple_choice" else (show_value(answer),)
    text = _text(answer)
    if kind == "datetime" and _LOCAL_TIME.fullmatch(text.removesuffix("Z")):
        text = text.removesuffix("Z")
    return (text,) if text else ()


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _options(variable: Document, values: tuple[str, ...]) -> Options:
    """What may be chosen; also what was chosen and is not offered any more, for it must not vanish unseen."""
    if variable["type"] == "boolean":
        options: Options = (("true", "Yes"), ("false", "No"))
    elif variable["type"] in ("choice", "multiple_choice"):
        options = tuple((one["value"], one["label"] or one["value"]) for one in variable["options"])
    else:
        return ()
    known = {value for value, _ in options}
    return options + tuple((value, f"{value} (not offered)") for value in values if value not in known)


def _put(answers: dict[str, Any], one: Field, sent: MultiDict[str, str]) -> None:
    """Write what was sent for one field to where its pointer says."""
    value: Any = sent.get(one.name)
    if one.type == _SELECTED:
        value = value is not None
    elif one.type == "multiple_choice":
        value = sent.getlist(one.name)
    elif value is None:
        return
    elif one.type == "datetime" and _LOCAL_TIME.fullmatch(value):
        value += "Z"
    *way, last = [step.replace("~1", "/").replace("~0", "~") for step in one.name.split("/")[1:]]
    for step in way:
        answers = answers.setdefault(step, {})
    answers[last] = value


def _place(errors: Sequence[Mapping[str, str]], names: set[str]) -> dict[str, list[str]]:
    """The messages by the field whose name is the longest beginning of their pointer."""
    placed: dict[str, list[str]] = {}
    for error in errors:
        name = error.get("pointer", "")
        while name and name not in names:
            name = name.rpartition("/")[0]
        placed.setdefault(name, []).append(error["message"])
    return placed


def _shown(form: Document, answers: Document, depth: int) -> Iterator[Shown]:
    given = dict(_mapping(answers.get("characteristics")))
    for variable in form["variables"]:
        if (value := given.pop(variable["key"], None)) not in (None, "", []):
            yield Shown(variable["label"], _in_words(variable, value), depth)
    yield from (Shown(key, show_value(value), depth) for key, value in given.items())
    given = dict(_mapping(answers.get("parts")))
    for part in form["parts"]:
        yield from _shown_part(part["name"], part, _mapping(given.pop(part["key"], None)), depth)
    for key, value in given.items():
        yield from _shown_part(key, {"variables": [], "parts": []}, _mapping(value), depth)


def _shown_part(title: str, part: Document, answers: Document, depth: int) -> Iterator[Shown]:
    if answers and answers.get("selected") is not False:
        quantity = answers.get("quantity") or 1
        yield Shown(f"{title} ({quantity})" if quantity != 1 else title, None, depth)
        yield from _shown(part, answers, depth + 1)


def _in_words(variable: Document, value: Any) -> str:
    labels = {one["value"]: one["label"] for one in variable["options"]}
    many = value if isinstance(value, list) else [value]
    return ", ".join(labels.get(str(one)) or show_value(one) for one in many) or NOTHING


def _fields_within(fields: tuple[Field, ...], sections: tuple[Section, ...]) -> Iterator[Field]:
    yield from fields
    for section in sections:
        for part in section.parts:
            yield from part.all_fields()


def _how_many(group: Document) -> str:
    least, most = group["min_options"], group["max_options"]
    if most is None:
        return f"Choose at least {least}." if least else "Choose as many as you like."
    if least == most:
        return f"Choose {least}."
    return f"Choose {least} to {most}." if least else f"Choose at most {most}."


def _rows(value: Any) -> list[Document]:
    """Contacts up to the last with something in it; empty ones before it stay, for errors count rows."""
    rows = [_mapping(one) for one in value] if isinstance(value, list) else []
    while rows and not any(rows[-1].values()):
        rows.pop()
    return rows


def _mapping(value: Any) -> Document:
    """Drafts may hold anything."""
    return value if isinstance(value, Mapping) else {}


def _first_told(value: Any, default: Any) -> Any:
    if value in (None, ""):
        value = default
    return "true" if value in (True, "true") else None


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
