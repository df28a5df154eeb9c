"""What was answered on an order form, in words."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webkit.file_fields import FILE, say_file
from webkit.order_form import LAYOUT_TYPES
from webkit.words import NOTHING, show_value

MASK = "\u2022" * 8
"""Stands for a secret: how long it is is not told either."""

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """One answer of a row, in words. `file` is the answer where it names one."""

    text: str
    file: Document | None = None


@dataclass(frozen=True)
class Shown:
    """One answer in words; `depth` is how many parts it lies within, and a part's own line has no value. A table has
    `heads` and `rows`. `file` is the answer where it names one.
    """

    label: str
    value: str | None
    depth: int
    heads: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()
    file: Document | None = None


def show_answers(form: Document, answers: Document) -> list[Shown]:
    """What was chosen, for people: labels instead of keys, options by their label. Answers that the form does not know
    (it has changed since) are shown by their keys; parts that were left out are not shown, nor are secrets, nor what
    was one when it was answered: the form tells the keys of such questions in `secrets`.
    """
    told = _hide({name: answers.get(name) for name in ("characteristics", "parts", "sets")}, form.get("secrets") or ())
    return [*_shown(form, told, 0), *_shown_sets(form.get("sets") or (), _mapping(told["sets"]))]


def _hide(value: Any, secrets: Collection[str]) -> Any:
    if isinstance(value, list):
        return [_hide(one, secrets) for one in value]
    if not isinstance(value, Mapping):
        return value
    blank: tuple[Any, ...] = (None, "", [])
    return {key: MASK if key in secrets and one not in blank else _hide(one, secrets) for key, one in value.items()}


def _shown(form: Document, answers: Document, depth: int) -> Iterator[Shown]:
    yield from _shown_variables(form["variables"], _mapping(answers.get("characteristics")), depth)
    given = dict(_mapping(answers.get("parts")))
    for part in form["parts"]:
        yield from _shown_part(part["name"], part, _mapping(given.pop(part["key"], None)), depth)
    for key, value in given.items():
        yield from _shown_part(key, {"variables": [], "parts": []}, _mapping(value), depth)


def _shown_variables(variables: Sequence[Document], answers: Document, depth: int) -> Iterator[Shown]:
    given = dict(answers)
    for variable in variables:
        if (value := given.pop(variable["key"], None)) not in (None, "", []):
            yield Shown(variable["label"], say_answer(variable, value), depth, file=_file(variable, value))
    yield from (Shown(key, show_value(value), depth) for key, value in given.items())


def _shown_sets(sets: Sequence[Document], answers: Document) -> Iterator[Shown]:
    given = dict(answers)
    for one in sets:
        value = given.pop(one["key"], None)
        if one["many"] and isinstance(value, list) and value:
            yield _shown_table(one, [_mapping(row) for row in value])
        elif isinstance(value, Mapping) and (told := list(_shown_variables(one["variables"], value, 1))):
            yield Shown(one["label"], None, 0)
            yield from told
    yield from (Shown(key, show_value(str(value)), 0) for key, value in given.items())


def _shown_table(one: Document, rows: Sequence[Document]) -> Shown:
    asked = [variable for variable in one["variables"] if variable["type"] not in LAYOUT_TYPES]
    cells = [[_cell(variable, row.get(variable["key"])) for variable in asked] for row in rows]
    return Shown(one["label"], None, 0, [variable["label"] for variable in asked], cells)


def _shown_part(title: str, part: Document, answers: Document, depth: int) -> Iterator[Shown]:
    if answers and answers.get("selected") is not False:
        quantity = answers.get("quantity") or 1
        yield Shown(f"{title} ({quantity})" if quantity != 1 else title, None, depth)
        yield from _shown(part, answers, depth + 1)


def say_answer(variable: Document, value: Any) -> str:
    """One answer: its option's label, a duration as people write one, a mask for a secret, the name of a file."""
    if value in (None, "", []):
        return NOTHING
    if variable["type"] == FILE:
        return say_file(value) or show_value(value)
    if variable["type"] == "masked":
        return MASK
    if variable["type"] == "duration":
        return (
            str(value)
            .removeprefix("P")
            .replace("T", "")
            .replace("D", "d ")
            .replace("H", "h ")
            .replace("M", "m")
            .strip()
        )
    labels = {one["value"]: one["label"] for one in variable["options"]}
    many = value if isinstance(value, list) else [value]
    return ", ".join(labels.get(str(one)) or show_value(one) for one in many) or NOTHING


def _cell(variable: Document, value: Any) -> Cell:
    return Cell(say_answer(variable, value), _file(variable, value))


def _file(variable: Document, value: Any) -> Document | None:
    return value if variable["type"] == FILE and say_file(value) else None


def _mapping(value: Any) -> Document:
    """Drafts may hold anything."""
    return value if isinstance(value, Mapping) else {}
