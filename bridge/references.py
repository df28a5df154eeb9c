"""Variables of the type `reference`: answered by one row of what the provider knows, as a pair of value and display.

A variable has `choice`: `definition` (whose rows they are), `display_field` and `info_fields` (of its columns; empty:
as the definition says), `depends_on` (`{"variable", "field"}`: only rows whose field is the answer to another variable
beside it) and `qualifier` (`{field: [accepted value]}`). Pure: both sides walk forms with it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]

REFERENCE = "reference"
SINCE = "1.1"
"""The version of the wire that knows them."""
PAIR = ("value", "display")
TEXT_LIMIT = 255


@dataclass(frozen=True, slots=True)
class Reference:
    """A variable that was answered, with the answers beside it. `pointer` leads to the answer."""

    pointer: str
    variable: Document
    answer: Document
    beside: Document

    @property
    def depends_on(self) -> str | None:
        """The answer that it depends on, as text; empty where that is missing, None where it depends on nothing."""
        return depended_on(self.variable, self.beside)


def depended_on(variable: Document, beside: Document) -> str | None:
    """The answer that a variable depends on: the value of a pair, the text of any other."""
    depends_on = variable["choice"].get("depends_on")
    return None if not depends_on else plain_value(beside.get(depends_on["variable"]))


def plain_value(answer: Any) -> str:
    """An answer as columns are compared with it."""
    if isinstance(answer, Mapping):
        answer = answer.get("value")
    if isinstance(answer, bool):
        return "true" if answer else "false"
    return answer if isinstance(answer, str) else "" if answer is None else str(answer)


def find_references(form: Document, answers: Document) -> Iterator[Reference]:
    """Every reference that was answered, in parts and sets too. The answers have been checked."""
    yield from _contents(form, answers, "")
    sets = answers.get("sets") or {}
    for one in form.get("sets") or ():
        rows = sets.get(one["key"])
        pointer = f"/sets/{_escape(one['key'])}"
        numbered = [(f"{pointer}/{number}", row) for number, row in enumerate(rows or ())]
        for place, row in numbered if isinstance(rows, list) else [(pointer, rows or {})]:
            yield from _answered(one["variables"], row, place)


def answers_beside(answers: Any, pointer: str) -> Document:
    """The answers of the container in which a pointer's answer stands, as far as there are any."""
    for step in _steps(pointer)[:-1]:
        if isinstance(answers, list):
            answers = answers[int(step)] if step.isdecimal() and len(step) < 5 and int(step) < len(answers) else None
        else:
            answers = answers.get(step) if isinstance(answers, Mapping) else None
    return answers if isinstance(answers, Mapping) else {}


def asks_references(form: Any) -> bool:
    """Whether a reference stands anywhere in a form."""
    if isinstance(form, Mapping):
        return form.get("type") == REFERENCE or any(map(asks_references, form.values()))
    return isinstance(form, list) and any(map(asks_references, form))


def find_reference(form: Document, pointer: str) -> Document | None:
    """The reference that a pointer of an answer means; None where there is none."""
    found = find_variable(form, pointer)
    return found if found is not None and found["type"] == REFERENCE else None


def find_variable(form: Document, pointer: str) -> Document | None:
    """The same for a variable of any type."""
    steps = _steps(pointer)
    if steps[:1] == ["sets"] and len(steps) in (3, 4):
        one = _by_key(form.get("sets") or (), steps[1])
        return _by_key(one["variables"], steps[-1]) if one else None
    within: Document | None = form
    while within is not None and len(steps) > 2 and steps[0] == "parts":
        within, steps = _by_key(within["parts"], steps[1]), steps[2:]
    if within is None or len(steps) != 2 or steps[0] != "characteristics":
        return None
    return _by_key(within["variables"], steps[1])


def _contents(form: Document, answers: Document, pointer: str) -> Iterator[Reference]:
    yield from _answered(form["variables"], answers.get("characteristics") or {}, f"{pointer}/characteristics")
    parts = answers.get("parts") or {}
    for part in form["parts"]:
        chosen = parts.get(part["key"])
        if chosen and chosen.get("selected"):
            yield from _contents(part, chosen, f"{pointer}/parts/{_escape(part['key'])}")


def _answered(variables: Sequence[Document], given: Document, pointer: str) -> Iterator[Reference]:
    for variable in variables:
        answer = given.get(variable["key"])
        if variable["type"] == REFERENCE and isinstance(answer, Mapping):
            yield Reference(f"{pointer}/{_escape(variable['key'])}", variable, answer, given)


def _steps(pointer: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _by_key(some: Sequence[Document], key: str) -> Document | None:
    return next((one for one in some if one["key"] == key), None)


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
