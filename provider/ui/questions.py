"""The forms in which people write what an item asks: one question, or one set of them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from wtforms import (
    BooleanField,
    DecimalField,
    Field,
    IntegerField,
    RadioField,
    SelectChoice,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from bridge.answered_files import ATTACHMENT
from provider.domain.authored_forms import KINDS, ROWS_LIMIT, SCALE_LIMIT
from webkit.forms import Form, strip

Document = dict[str, Any]

_PLACE = re.compile(r"^(/sets/\d+)?/variables/\d+")
_SET_PLACE = re.compile(r"^/sets/\d+")
_TEXT_FIELDS = ("min_length", "max_length")
_BOUNDS = ("min", "max")
_PATTERN = ("pattern", "pattern_hint")
_REFERENCE = ("choice_definition", "choice_depends_on_variable", "choice_depends_on_field", "choice_qualifier")
_FILE = ("max_size_bytes", "file_types")
_MIB = 1024 * 1024
_FIELDS_OF_TYPE: Mapping[str, tuple[str, ...]] = {
    "text": ("default", *_TEXT_FIELDS, *_PATTERN),
    "multiline_text": ("default", *_TEXT_FIELDS),
    "masked": (*_TEXT_FIELDS, *_PATTERN),
    "html": ("default", *_TEXT_FIELDS),
    "integer": ("default", *_BOUNDS),
    "decimal": ("default", *_BOUNDS),
    "date": ("default", *_BOUNDS),
    "datetime": ("default", *_BOUNDS),
    "choice": ("options", "default"),
    "multiple_choice": ("options", "default", "min_cardinality", "max_cardinality"),
    "reference": _REFERENCE,
    "attachment": _FILE,
    "label": (), "rich_text": (), "break": (), "container_start": (), "container_split": (), "container_end": (),
}  # fmt: skip
"""What can be said of a question beside its name and help; of types that are not here, a default."""
_SILENT = frozenset({"break", "container_split", "container_end"})
_LAYOUT = frozenset({"label", "rich_text", "container_start", *_SILENT})
_TRUTH = {"yes": "true", "no": "false"}


def _text(label: str, most: int, description: str = "") -> StringField:
    return StringField(label, [Length(max=most)], filters=[strip], description=description)


def _number(label: str, least: int, most: int) -> IntegerField:
    return IntegerField(label, [Optional(), NumberRange(least, most, f"A whole number from {least} to {most}.")])


class QuestionForm(Form):
    """One question of a kind, which decides what can be said of it."""

    label = _text("What is asked", 255)
    description = TextAreaField("Help", [Length(max=10_000)], filters=[strip])
    mandatory = BooleanField("Must be answered")
    options = TextAreaField(
        "Options", [Length(max=50_000)], description="One a line: what is shown, or value = what is shown."
    )
    default = _text("Default", 4000)
    min = _text("At least", 40)
    max = _text("At most", 40)
    min_cardinality = _number("Options, at least", 0, 500)
    max_cardinality = _number("Options, at most", 1, 500)
    min_length = _number("Characters, at least", 0, 4000)
    max_length = _number("Characters, at most", 1, 4000)
    pattern = _text("Pattern", 200, "Characters and classes, such as [A-Z]{2}-\\d+, without groups and choices.")
    pattern_hint = _text("In words", 255, "How the sentence goes on after “must”, such as: be a code like DE-7.")
    choice_definition = SelectField("From", validate_choice=False)
    choice_depends_on_variable = SelectField("Depends on", validate_choice=False)
    choice_depends_on_field = _text("By the column", 60, "Only rows whose column is the answer to that question.")
    choice_qualifier = TextAreaField("Only rows with", [Length(max=5000)], description="One a line: column = a, b.")
    max_size_bytes = DecimalField(
        "Size, at most (MiB)", [Optional(), NumberRange(0, None, "A number of MiB.")], places=None,
        description="Empty: 20 MiB, or what is taken here at most.",
    )  # fmt: skip
    file_types = _text("Types", 300, "Endings of names, such as: pdf, png. Empty: all that are taken here.")
    key = _text("Key", 60, "Names the answer for programs. Empty: made from what is asked.")

    def __init__(
        self, kind: str, *, definitions: Sequence[str] = (), others: Sequence[str] = (), **options: Any
    ) -> None:
        super().__init__(**options)
        self.kind = kind
        _, self.type, self.display = KINDS[kind]
        self.choice_definition.choices = _choices("Choose one", definitions)
        self.choice_depends_on_variable.choices = _choices("Nothing", others)
        kept = {*self._kept(), "csrf_token"}
        for name in [name for name in self._fields if name not in kept]:
            del self[name]
        if self.display == "scale":
            self.max.description = f"A scale shows at most {SCALE_LIMIT} steps."
        if self.type == "rich_text":
            self.description.label.text = "Text"
            self.description.description = "Paragraphs, **bold**, *italic*, - lists, [words](https://…)."

    def _kept(self) -> tuple[str, ...]:
        of_type = _FIELDS_OF_TYPE.get(self.type, ("default",))
        asked = () if self.type in _LAYOUT else ("mandatory",)
        help_ = () if self.type in _SILENT | {"label", "container_start"} else ("description",)
        return ("key", *(() if self.type in _SILENT else ("label",)), *help_, *asked, *of_type)

    def read(self, taken: Iterable[str]) -> Document:
        """The question as it was written; `taken` are the keys of the others beside it."""
        told = {name: self[name].data for name in self._fields if not name.startswith(("choice_", "csrf"))}
        base = told.get("label") or self.type
        variable: Document = {**told, "key": told["key"] or free_key(base, taken), "type": self.type}
        variable |= {"display": self.display, "default": self._default(told.get("default"))}
        if "options" in told:
            variable["options"] = read_options(told["options"] or "")
        if self.type == ATTACHMENT:
            variable |= {"max_size_bytes": _bytes(told["max_size_bytes"]), "file_types": _types(told["file_types"])}
        return variable | ({"choice": self._choice()} if self.type == "reference" else {})

    def find(self, pointer: str) -> Field | None:
        """Pointers lead into the whole form of the item."""
        return super().find(_PLACE.sub("", pointer))

    def _default(self, text: str | None) -> Any:
        if not text:
            return None
        if self.type == "multiple_choice":
            return [one.strip() for one in text.split(",") if one.strip()]
        return _TRUTH.get(text.lower(), text) if self.type == "boolean" else text

    def _choice(self) -> Document:
        above, column = self.choice_depends_on_variable.data, self.choice_depends_on_field.data
        lines = [line.partition("=") for line in (self.choice_qualifier.data or "").splitlines() if line.strip()]
        return {
            "definition": self.choice_definition.data or "",
            "depends_on": {"variable": above, "field": column or ""} if above else None,
            "qualifier": {name.strip(): [one.strip() for one in values.split(",")] for name, _, values in lines},
        }


class SetForm(Form):
    """A set of questions, without the questions."""

    label = StringField("Heading", [InputRequired("Say what it is about."), Length(max=255)], filters=[strip])
    many = RadioField(
        "It is", default="", validate_choice=False,
        choices=[SelectChoice("", "Asked once"), SelectChoice("many", "A table: a row for each thing that is told")],
    )  # fmt: skip
    description = TextAreaField("Help", [Length(max=10_000)], filters=[strip])
    min_rows = _number("Rows of a table, at least", 0, ROWS_LIMIT)
    max_rows = _number("Rows of a table, at most", 1, ROWS_LIMIT)
    key = _text("Key", 60, "Names the answers for programs. Empty: made from the heading.")

    def read(self, taken: Iterable[str]) -> Document:
        """The set as it was written; `taken` are the keys of the others."""
        told = {name: self[name].data for name in ("label", "description", "min_rows", "max_rows")}
        return {**told, "key": self.key.data or free_key(told["label"], taken), "many": self.many.data == "many"}

    def find(self, pointer: str) -> Field | None:
        """As for a question."""
        return super().find(_SET_PLACE.sub("", pointer))


def shown_question(variable: Mapping[str, Any]) -> Document:
    """What stands in the form of a question that is there already."""
    shown = {name: value for name, value in variable.items() if name not in ("options", "default", "choice", "type")}
    shown["options"] = "\n".join(_option(one) for one in variable["options"])
    default = variable["default"]
    shown["default"] = ", ".join(default) if isinstance(default, list) else _say(default)
    shown |= {name: _say(variable.get(name)) for name in _BOUNDS}
    most = variable.get("max_size_bytes")
    shown |= {"max_size_bytes": Decimal(most) / _MIB if most else None}
    shown["file_types"] = ", ".join(variable.get("file_types") or ())
    choice = variable.get("choice") or {}
    above = choice.get("depends_on") or {}
    qualifier = (choice.get("qualifier") or {}).items()
    return shown | {
        "choice_definition": choice.get("definition"),
        "choice_depends_on_variable": above.get("variable"),
        "choice_depends_on_field": above.get("field"),
        "choice_qualifier": "\n".join(f"{name} = {', '.join(values)}" for name, values in qualifier),
    }


def read_options(text: str) -> list[Document]:
    """One of each line: `value = label`, or a label that is its own value."""
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        value, equals, label = (part.strip() for part in line.partition("="))
        found.append({"value": value, "label": label if equals else value})
    return found


def free_key(text: str, taken: Iterable[str]) -> str:
    """A key that says what the text says, and that no other has."""
    words = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:50].strip("_")
    base = words if words[:1].isalpha() else f"q_{words}".rstrip("_")
    used, number, key = set(taken), 1, base
    while key in used:
        number += 1
        key = f"{base}_{number}"
    return key


def _bytes(mib: Decimal | None) -> int | None:
    return None if mib is None else int(mib * _MIB)


def _types(text: str | None) -> list[str]:
    """However they are written: with dots, in capitals, beside each other."""
    return list(dict.fromkeys(one.lstrip(".").lower() for one in re.split(r"[\s,;]+", text or "") if one.strip(".")))


def _choices(nothing: str, some: Sequence[str]) -> list[SelectChoice]:
    return [SelectChoice("", nothing), *(SelectChoice(one, one) for one in some)]


def _option(option: Mapping[str, str]) -> str:
    value, label = option["value"], option["label"]
    return value if label in ("", value) else f"{value} = {label}"


def _say(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
