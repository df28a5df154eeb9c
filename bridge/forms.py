"""Do the answers fit the form of a catalog item? Both sides ask this, so that a consumer refuses what a provider would.

`docs/wire.md` describes the form (2.4) and the answers (4.1). Text is accepted wherever an HTML form yields text:
"5" answers an integer, "true" a boolean.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bridge.answers import LAYOUT_TYPES, AnswerError, check_answer
from bridge.choices import escape, find_choice_faults
from bridge.errors import BridgeError

QUANTITY_LIMIT = 1000
ERRORS_LIMIT = 100
ROWS_LIMIT = 100
"""Of a table of a form."""

_MEMBERS = ("quantity", "characteristics", "parts", "location", "contacts", "requested_on", "note")
_PART_MEMBERS = ("selected", "quantity", "characteristics", "parts")


@dataclass(frozen=True)
class FormError:
    """One wrong answer: where (JSON pointer), which rule (stable code), and what would be right."""

    pointer: str
    code: str
    message: str


class FormErrors(BridgeError):
    """The answers do not fit the form; lists what is wrong, the first hundred at most."""

    def __init__(self, errors: list[FormError]) -> None:
        self.errors = errors
        super().__init__(errors)

    def __str__(self) -> str:
        return "; ".join(f"{error.pointer or 'the answers'}: {error.message}" for error in self.errors)


def check_answers(form: Mapping[str, Any], answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers in their normal form; raise FormErrors if any does not fit.

    What is missing takes its default; `null`, blank text and an empty list say that there is no answer. Variables
    without an answer and parts that are not selected drop out, except where silence would bring them back by default:
    there `null` and `{"selected": false}` stay, so that checking twice changes nothing. Rows of a table without any
    answer drop out, too. The members `location`, `contacts`, `requested_on` and `note` are passed on as they are.
    """
    check = _Check()
    checked = dict(answers)
    checked["quantity"] = check.quantity(answers.get("quantity"), "/quantity", 1, QUANTITY_LIMIT)
    sets = form.get("sets") or ()
    checked |= check.contents(form, answers, "", (*_MEMBERS, "sets") if sets else _MEMBERS)
    if sets:
        checked["sets"] = dict(check.sets(sets, answers))
    if check.errors:
        raise FormErrors(check.errors)
    return checked


@dataclass
class _Check:
    """Walks form and answers together; the form decides the depth, so answers cannot."""

    errors: list[FormError] = field(default_factory=list)

    def fail(self, pointer: str, code: str, message: str) -> None:
        """Beyond the limit nobody is told any more: thousands of wrong answers must not fill the memory."""
        if len(self.errors) < ERRORS_LIMIT:
            self.errors.append(FormError(pointer, code, message))

    def contents(
        self, form: Mapping[str, Any], answers: Mapping[str, Any], pointer: str, members: tuple[str, ...]
    ) -> dict[str, Any]:
        """The characteristics and parts of the item itself or of one part; `members` may occur beside them."""
        self.known(answers, members, pointer, "member")
        contents = {
            "characteristics": dict(self.characteristics(form["variables"], answers, f"{pointer}/characteristics")),
            "parts": dict(self.parts(form["parts"], answers, f"{pointer}/parts")),
        }
        for below, code, message in find_choice_faults(form, contents):
            self.fail(pointer + below, code, message)
        return contents

    def characteristics(
        self, variables: list[dict[str, Any]], answers: Mapping[str, Any], pointer: str
    ) -> Iterator[tuple[str, Any]]:
        given = self.members_of(answers, "characteristics", pointer)
        yield from self.variables(variables, given, pointer, "characteristic")

    def variables(
        self, variables: list[dict[str, Any]], given: Mapping[str, Any], pointer: str, noun: str
    ) -> Iterator[tuple[str, Any]]:
        asked = [variable for variable in variables if variable["type"] not in LAYOUT_TYPES]
        self.known(given, tuple(variable["key"] for variable in asked), pointer, noun)
        for variable in asked:
            key = variable["key"]
            value = self.characteristic(variable, given.get(key, variable["default"]), f"{pointer}/{escape(key)}")
            if value is not None or variable["default"] is not None:
                yield key, value

    def sets(self, sets: list[dict[str, Any]], answers: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Groups of variables, by their keys: answers by variable, or a list of such rows where it is a table."""
        given = self.members_of(answers, "sets", "/sets")
        self.known(given, tuple(one["key"] for one in sets), "/sets", "set")
        for one in sets:
            key, pointer = one["key"], f"/sets/{escape(one['key'])}"
            if one["many"]:
                yield key, list(self.rows(one, given.get(key), pointer))
            else:
                yield (
                    key,
                    dict(self.variables(one["variables"], self.members_of(given, key, pointer), pointer, "answer")),
                )

    def rows(self, one: Mapping[str, Any], value: Any, pointer: str) -> Iterator[dict[str, Any]]:
        rows = [] if value is None else value
        if not isinstance(rows, list):
            self.fail(pointer, "type", "must be a list of rows")
            return
        told = {index: row for index, row in enumerate(rows) if not _says_nothing(row, one["variables"])}
        least, most = one["min_rows"], min(one["max_rows"] or ROWS_LIMIT, ROWS_LIMIT)
        if len(told) < least:
            self.fail(pointer, "range", f"{one['label']} needs at least {least} {_rows(least)}")
        if len(told) > most:
            self.fail(pointer, "range", f"{one['label']} takes at most {most} {_rows(most)}")
            return
        for index, row in told.items():
            below = f"{pointer}/{index}"
            if isinstance(row, Mapping):
                yield dict(self.variables(one["variables"], row, below, "answer"))
            else:
                self.fail(below, "type", "must be an object")

    def characteristic(self, variable: Mapping[str, Any], value: Any, pointer: str) -> Any:
        if _is_blank(value):
            if variable["mandatory"]:
                self.fail(pointer, "required", f"{variable['label']} must be answered")
            return None
        try:
            return check_answer(variable, value)
        except AnswerError as error:
            self.fail(pointer + error.below, error.code, f"{variable['label']} {error.message}")
            return None

    def parts(
        self, parts: list[dict[str, Any]], answers: Mapping[str, Any], pointer: str
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        given = self.members_of(answers, "parts", pointer)
        self.known(given, tuple(part["key"] for part in parts), pointer, "part")
        for part in parts:
            below = f"{pointer}/{escape(part['key'])}"
            answer = self.part(part, self.members_of(given, part["key"], below), below)
            if answer is not None:
                yield part["key"], answer

    def part(self, part: Mapping[str, Any], answers: Mapping[str, Any], pointer: str) -> dict[str, Any] | None:
        if not self.selected(part, answers.get("selected"), pointer):
            return {"selected": False} if part["default_selected"] else None
        least = max(1, part["min_quantity"])
        most = min(part["max_quantity"] or QUANTITY_LIMIT, QUANTITY_LIMIT)
        quantity = self.quantity(answers.get("quantity"), f"{pointer}/quantity", least, most)
        return {"selected": True, "quantity": quantity} | self.contents(part, answers, pointer, _PART_MEMBERS)

    def selected(self, part: Mapping[str, Any], value: Any, pointer: str) -> bool:
        default = bool(part["mandatory"] or part["default_selected"])
        try:
            selected = default if _is_blank(value) else bool(check_answer({"type": "boolean"}, value))
        except AnswerError as error:
            self.fail(f"{pointer}/selected", error.code, f"selected {error.message}")
            return default
        if part["mandatory"] and not selected:
            self.fail(f"{pointer}/selected", "mandatory", f"{part['name']} cannot be left out")
            return True
        return selected

    def quantity(self, value: Any, pointer: str, least: int, most: int) -> int:
        """`least` where none is given."""
        if _is_blank(value):
            return least
        try:
            quantity = check_answer({"type": "integer"}, value)
        except AnswerError as error:
            self.fail(pointer, error.code, f"the quantity {error.message}")
            return least
        if not least <= quantity <= most:
            rule = f"{least}" if least == most else f"between {least} and {most}"
            self.fail(pointer, "range", f"the quantity must be {rule}")
        return int(quantity)

    def members_of(self, answers: Mapping[str, Any], key: str, pointer: str) -> Mapping[str, Any]:
        value = answers.get(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.fail(pointer, "type", "must be an object")
            return {}
        return value

    def known(self, given: Mapping[str, Any], keys: tuple[str, ...], pointer: str, noun: str) -> None:
        for key in given:
            if key not in keys:
                right = f"there are {', '.join(keys)}" if keys else "there are none"
                self.fail(f"{pointer}/{escape(key)}", "unknown", f"there is no {noun} of this name; {right}")


def _says_nothing(row: Any, variables: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a row of a table is empty. A checkbox that nobody ticked says nothing."""
    if not isinstance(row, Mapping):
        return row is None
    ticks = {variable["key"] for variable in variables if variable.get("display") == "checkbox"}
    return all(_is_blank(value) or (key in ticks and value in (False, "false")) for key, value in row.items())


def _rows(count: int) -> str:
    return "row" if count == 1 else "rows"


def _is_blank(value: Any) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip())
