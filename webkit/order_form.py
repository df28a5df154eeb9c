"""From the form document of a catalog item to what people fill in, and back to a document of answers.

Every field is named by the JSON pointer of its answer (`/parts/edge/characteristics/model`), so that what a service
finds wrong stands beside the field it is about. `make_order_form` shows a document, `read_answers` reads what was
sent. Whether answers are right is not asked here, and `webkit.shown_answers` tells in words what was answered.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from werkzeug.datastructures import MultiDict

from webkit.file_fields import DROP, FILE, accepted_types, hint_of_file, say_file
from webkit.order_fields import Container, Entry, Field, FieldSet, Options, OrderForm, Part, Section, Text
from webkit.pairs import read_pair, show_pair, write_pair
from webkit.words import sentence, show_value

CONTACTS_MOST = 20
ROWS_MOST = 100
"""Of a table, whatever its form says."""
LAYOUT_TYPES = frozenset({"label", "rich_text", "break", "container_start", "container_split", "container_end"})
"""Variables that ask nothing."""
_BESIDES = ("quantity", "location", "contacts", "requested_on", "note")
_SCALE_MOST = 20
_NESTED_MOST = 10
"""Containers within each other: a form may come from another instance, and nobody reads deeper ones."""
_HINTS = {
    "datetime": "As UTC.", "duration": "Such as 1d 2h 30m.", "html": "HTML. It is kept and shown as it is written.",
    "requested_for": "The name of the person it is for.",
}  # fmt: skip
_REFERENCE = "reference"
"""Chosen from what the provider knows now, as a pair."""
_SELECTED = "selected"
"""The type of the tick that takes or leaves an optional part; no variable has it."""
_LOCAL_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?")
_LOCATION = (
    ("name", "Location", "What people call it, such as Berlin office."),
    ("street", "Street and number", ""), ("postal_code", "Postal code", ""), ("city", "City", ""),
    ("country", "Country", ""),
)  # fmt: skip
_CONTACT = (("name", "Name", "text"), ("email", "E-mail", "email"), ("phone", "Telephone", "text"))

Document = Mapping[str, Any]


def make_order_form(
    form: Document, answers: Document, errors: Sequence[Mapping[str, str]] = (), *, person: str = ""
) -> OrderForm:
    """The fields of a form with what was answered so far, else with the defaults, and one empty contact more, unless
    something is wrong.

    `errors` are dicts with `pointer` and `message`, as refusals have them. `person` is who fills it in: what is asked
    for is for them, unless they say otherwise.
    """
    make = _Maker(person)
    fields, layout = make.variables(form["variables"], _mapping(answers.get("characteristics")), "/characteristics")
    location = _mapping(answers.get("location"))
    besides = _BESIDES if form.get("besides") is None else form["besides"]
    whole = OrderForm(
        quantity=make.beside("quantity", "Quantity", "integer", answers, besides, "1", mandatory=True),
        fields=fields,
        layout=layout,
        sets=make.sets(form.get("sets") or (), _mapping(answers.get("sets"))),
        sections=make.sections(form, answers, ""),
        location=make.location(location) if "location" in besides else (),
        contacts=make.contacts(_rows(answers.get("contacts")), more=not errors) if "contacts" in besides else (),
        requested_on=make.beside("requested_on", "Wanted on", "date", answers, besides),
        note=make.beside("note", "Note", "multiline_text", answers, besides, hint="Anything else they should know."),
    )
    names = {one.name for one in whole.all_fields()} | {one.name for one in whole.sets}
    return replace(whole, errors=_place(errors, names))


def read_answers(form: Document, sent: MultiDict[str, str], kept: Document | None = None) -> dict[str, Any]:
    """The document of answers that somebody filled in, as it was typed: texts, however wrong.

    `kept` is what was answered before: a secret is not shown again, so one that is left empty stays as it was; and so
    does a file that was chosen, unless it was taken off.
    """
    counted: dict[str, list[Any]] = {
        one["key"]: [{}] * _count_rows(one, sent) for one in form.get("sets") or () if one["many"]
    }
    answers: dict[str, Any] = {"characteristics": {}, "parts": {}}
    asked = make_order_form(form, {"sets": counted})
    for one in asked.all_fields():
        if not one.name.startswith("/contacts/"):
            _put(answers, one, sent, kept or {})
    if form.get("sets"):
        answers["sets"] = _sets_of(form["sets"], answers.get("sets", {}), counted)
    if asked.contacts:
        told = range(CONTACTS_MOST)
        contacts = [{key: sent.get(f"/contacts/{row}/{key}", "").strip() for key, _, _ in _CONTACT} for row in told]
        answers["contacts"] = _rows(contacts)
    return answers


def change_rows(form: Document, answers: dict[str, Any], wish: str) -> dict[str, Any]:
    """The answers after a button of a table: `add /sets/people`, or `remove /sets/people/1`. What means no row of the
    form changes nothing.
    """
    verb, _, pointer = wish.partition(" ")
    key, _, row = pointer.removeprefix("/sets/").partition("/")
    one = next((one for one in form.get("sets") or () if _escape(one["key"]) == key and one["many"]), None)
    if one is None:
        return answers
    rows = list(answers["sets"][one["key"]])
    if verb == "add" and len(rows) < _most_rows(one):
        rows.append({})
    if verb == "remove" and row in map(str, range(len(rows))):
        del rows[int(row)]
    return answers | {"sets": answers["sets"] | {one["key"]: rows}}


@dataclass
class _Maker:
    """Makes fields, and gives each an id of the page: a pointer may hold what an id must not."""

    person: str = ""
    numbers: Iterator[int] = field(default_factory=count)

    def field(self, name: str, label: str, type: str, answer: Any, **more: Any) -> Field:
        values = () if type == "masked" else _texts(answer, type)
        return Field(name, f"field-{next(self.numbers)}", label, type, values=values, **more)

    def beside(
        self,
        key: str,
        label: str,
        type: str,
        answers: Document,
        besides: Sequence[str],
        default: Any = None,
        **more: Any,
    ) -> Field | None:
        """A question that every form asks unless it says which of them it asks."""
        return self.field(f"/{key}", label, type, answers.get(key, default), **more) if key in besides else None

    def variables(
        self, variables: Sequence[Document], given: Document, pointer: str
    ) -> tuple[tuple[Field, ...], tuple[Entry, ...]]:
        """The questions, and how they stand among what is none."""
        made = [self.entry(one, given, pointer) for one in variables]
        fields = tuple(one for one in made if isinstance(one, Field))
        return fields, tuple(_arrange(iter(made)))

    def entry(self, variable: Document, given: Document, pointer: str) -> Field | Text:
        if variable["type"] in LAYOUT_TYPES:
            return Text(variable["type"], variable["label"], variable.get("description") or "")
        return self.variable(variable, given, pointer)

    def variable(self, variable: Document, given: Document, pointer: str) -> Field:
        key, kind = variable["key"], variable["type"]
        answer = given.get(key, variable["default"])
        if kind == "requested_for" and key not in given and answer is None:
            answer = self.person
        made = self.field(
            f"{pointer}/{_escape(key)}", variable["label"], kind, answer, mandatory=variable["mandatory"],
            hint=_hint(variable, answer), display=variable.get("display") or "", accept=accepted_types(variable),
        )  # fmt: skip
        depends_on = (variable.get("choice") or {}).get("depends_on")
        above = f"{pointer}/{_escape(depends_on['variable'])}" if depends_on else ""
        return replace(made, options=_options(variable, made.values), depends_on=above)

    def sets(self, sets: Sequence[Document], given: Document) -> tuple[FieldSet, ...]:
        return tuple(
            self.table(one, given.get(one["key"])) if one["many"] else self.group(one, _mapping(given.get(one["key"])))
            for one in sets
        )

    def group(self, one: Document, given: Document) -> FieldSet:
        name = f"/sets/{_escape(one['key'])}"
        fields, layout = self.variables(one["variables"], given, name)
        return FieldSet(name, one["label"], one.get("description") or "", fields, layout)

    def table(self, one: Document, given: Any) -> FieldSet:
        """As many rows as were answered, and as are needed."""
        name, least, most = f"/sets/{_escape(one['key'])}", one["min_rows"], _most_rows(one)
        told = [_mapping(row) for row in given] if isinstance(given, list) else []
        told = (told + [{}] * (least - len(told)))[:most]
        rows = tuple(self.variables(one["variables"], row, f"{name}/{number}")[0] for number, row in enumerate(told))
        heads, _ = self.variables(one["variables"], {}, name)
        return FieldSet(
            name, one["label"], one.get("description") or "", is_table=True, heads=heads, rows=rows,
            can_grow=len(rows) < most, can_shrink=len(rows) > least,
        )  # fmt: skip

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
        given = _mapping(answers.get("characteristics"))
        fields, layout = self.variables(part["variables"], given, f"{pointer}/characteristics")
        return Part(part["name"], tick, quantity, least, fields, layout, self.sections(part, answers, pointer))

    def location(self, given: Document) -> tuple[Field, ...]:
        return tuple(
            self.field(f"/location/{key}", label, "text", given.get(key), hint=hint) for key, label, hint in _LOCATION
        )

    def contacts(self, given: list[Document], *, more: bool) -> tuple[tuple[Field, ...], ...]:
        rows: list[Document] = [*given, {}][:CONTACTS_MOST] if more or not given else given[:CONTACTS_MOST]
        return tuple(
            tuple(self.field(f"/contacts/{row}/{key}", label, kind, one.get(key)) for key, label, kind in _CONTACT)
            for row, one in enumerate(rows)
        )


def _texts(answer: Any, kind: str) -> tuple[str, ...]:
    """An answer as the texts that an input holds."""
    if isinstance(answer, list):
        return tuple(_text(one) for one in answer) if kind == "multiple_choice" else (show_value(answer),)
    if kind == FILE:
        return (told,) if (told := say_file(answer)) else ()
    text = write_pair(answer) if kind == _REFERENCE else _text(answer)
    if kind == "datetime" and _LOCAL_TIME.fullmatch(text.removesuffix("Z")):
        text = text.removesuffix("Z")
    return (text,) if text else ()


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _hint(variable: Document, answer: Any) -> str:
    told = [variable.get("description") or "", _HINTS.get(variable["type"], "")]
    told += [hint_of_file(variable)] if variable["type"] == FILE else []
    if variable["type"] == "masked" and answer:
        told.append("What you typed is kept, and not shown. Leave this empty to keep it.")
    return " ".join(filter(None, told))


def _options(variable: Document, values: tuple[str, ...]) -> Options:
    """What may be chosen; also what was chosen and is not offered any more, for it must not vanish unseen."""
    if variable["type"] == "boolean":
        options: Options = (("true", "Yes"), ("false", "No"))
    elif variable.get("display") == "scale":
        options = tuple((str(one), str(one)) for one in _scale(variable))
    elif variable["type"] in ("choice", "multiple_choice"):
        options = tuple((one["value"], one["label"] or one["value"]) for one in variable["options"])
    elif variable["type"] == _REFERENCE:
        return tuple((text, show_pair(pair)) for text in values if (pair := read_pair(text)))
    else:
        return ()
    known = {value for value, _ in options}
    return options + tuple((value, f"{value} (not offered)") for value in values if value not in known)


def _scale(variable: Document) -> range:
    """The steps of a numeric scale; none where it has no ends, or is too long to be shown step by step."""
    least, most = variable.get("min"), variable.get("max")
    is_short = isinstance(least, int) and isinstance(most, int) and most - least < _SCALE_MOST
    return range(least, most + 1) if is_short else range(0)  # type: ignore[operator,arg-type]


def _arrange(entries: Iterator[Field | Text], end: str = "", depth: int = 0) -> Iterator[Entry]:
    """What stands between the start and the end of a container, in it. One that is never closed ends with the form; of
    those that lie too deep within each other only what they hold is shown.
    """
    too_deep = 0
    for one in entries:
        kind = one.type
        if kind == "container_start" and isinstance(one, Text) and depth < _NESTED_MOST:
            yield Container(one.label, tuple(_columns(entries, depth + 1)))
        elif kind == "container_start" or (too_deep and kind in ("container_split", "container_end")):
            too_deep += {"container_start": 1, "container_end": -1}.get(kind, 0)
        elif kind in ("container_split", "container_end"):
            if end:
                yield Text(kind, "", "")  # for whoever makes the columns
                return
        else:
            yield one


def _columns(entries: Iterator[Field | Text], depth: int) -> Iterator[tuple[Entry, ...]]:
    while True:
        column = list(_arrange(entries, "container_end", depth))
        last = column[-1] if column else None
        closed_by = last.type if isinstance(last, Text) else ""
        is_closed = closed_by in ("container_split", "container_end")
        yield tuple(column[:-1] if is_closed else column)
        if closed_by != "container_split":
            return


def _most_rows(one: Document) -> int:
    return min(one["max_rows"] or ROWS_MOST, ROWS_MOST)


def _count_rows(one: Document, sent: MultiDict[str, str]) -> int:
    """How many rows of a table stood on the page."""
    told = sent.get(f"/sets/{_escape(one['key'])}/rows", "")
    return min(int(told), _most_rows(one)) if told.isdecimal() and len(told) < 5 else 0


def _sets_of(sets: Sequence[Document], read: Document, counted: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """What was read row by row, as lists."""
    found: dict[str, Any] = {}
    for one in sets:
        told = _mapping(read.get(one["key"]))
        rows = range(max(len(counted.get(one["key"], ())), one["min_rows"]))
        found[one["key"]] = [told.get(str(row), {}) for row in rows] if one["many"] else told
    return found


def _put(answers: dict[str, Any], one: Field, sent: MultiDict[str, str], kept: Document) -> None:
    """Write what was sent for one field to where its pointer says."""
    value: Any = sent.get(one.name)
    way = [step.replace("~1", "/").replace("~0", "~") for step in one.name.split("/")[1:]]
    if one.type == _SELECTED:
        value = value is not None
    elif one.control == "checkbox":
        value = "true" if value else "false"
    elif one.type == "multiple_choice":
        value = sent.getlist(one.name)
    elif (one.type == "masked" and not value) or one.type == FILE:
        value = None if f"{DROP}{one.name}" in sent else _find(kept, way)
    if value is None:
        return
    for step in way[:-1]:
        answers = answers.setdefault(step, {})
    answers[way[-1]] = _as_answer(one, value)


def _as_answer(one: Field, value: Any) -> Any:
    """What an input cannot say as answers do."""
    if one.type == _REFERENCE:
        return read_pair(value)
    return f"{value}Z" if one.type == "datetime" and _LOCAL_TIME.fullmatch(value) else value


def _find(answers: Any, way: Sequence[str]) -> Any:
    for step in way:
        if isinstance(answers, list):
            answers = answers[int(step)] if int(step) < len(answers) else None
        else:
            answers = _mapping(answers).get(step)
    return answers


def _place(errors: Sequence[Mapping[str, str]], names: set[str]) -> dict[str, list[str]]:
    """The messages by the field whose name is the longest beginning of their pointer."""
    placed: dict[str, list[str]] = {}
    for error in errors:
        name = error.get("pointer", "")
        while name and name not in names:
            name = name.rpartition("/")[0]
        placed.setdefault(name, []).append(sentence(error["message"]))
    return placed


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
