"""Which choices need or exclude each other? A rule stands at an item, a bundle or a part, and speaks of what is below.

In a form it is plain JSON, as `docs/wire.md` 2.4 describes it; whether answers keep it `bridge.choices` says.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from provider.domain.errors import FieldError


class RuleKind(StrEnum):
    """What the first choice does to the others: it needs one of them, or goes with none of them."""

    REQUIRES = "requires"
    EXCLUDES = "excludes"


_TYPES: Mapping[str, type] = {"boolean": bool, "integer": int}
"""Of the answers that are not text in their normal form."""
_WORDS = {RuleKind.REQUIRES: "needs", RuleKind.EXCLUDES: "cannot be combined with"}


@dataclass(frozen=True)
class Condition:
    """A choice: the part that these keys lead to is chosen, and its characteristic has one of the values.

    No keys: where the rule stands. No characteristic: whatever is answered. No values: any answer.
    """

    parts: tuple[str, ...] = ()
    characteristic: str | None = None
    values: tuple[Any, ...] = ()


@dataclass(frozen=True)
class ChoiceRule:
    """If the first choice is made, then one of the others must be (requires), or none may be (excludes)."""

    kind: RuleKind
    given: Condition
    others: tuple[Condition, ...]


def render_rules(rules: Sequence[ChoiceRule], form: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Rules as a form carries them, each with the words for people. `name`: of what the form is for."""
    return [
        {
            "kind": str(rule.kind),
            "if": _condition(rule.given),
            "then": [_condition(other) for other in rule.others],
            "message": _message(rule, form, name),
        }
        for rule in rules
    ]


def rule_flaws(rules: Sequence[ChoiceRule], form: Mapping[str, Any], pointer: str) -> Iterator[FieldError]:
    """What of the rules the form does not have, or nobody could keep."""
    for index, rule in enumerate(rules):
        at = f"{pointer}/{index}"
        yield from _condition_flaws(rule.given, form, f"{at}/if")
        if not rule.others:
            yield FieldError(f"{at}/then", "required", "a rule names at least one other choice")
        for number, other in enumerate(rule.others):
            yield from _condition_flaws(other, form, f"{at}/then/{number}")
            if rule.kind is RuleKind.EXCLUDES and other == rule.given:
                yield FieldError(f"{at}/then/{number}", "contradiction", "a choice cannot exclude itself")


def _condition(condition: Condition) -> dict[str, Any]:
    return {
        "parts": list(condition.parts),
        "characteristic": condition.characteristic,
        "values": list(condition.values),
    }


def _message(rule: ChoiceRule, form: Mapping[str, Any], name: str) -> str:
    others = " or ".join(_in_words(other, form, name) for other in rule.others)
    return f"{_in_words(rule.given, form, name)} {_WORDS[rule.kind]} {others}"[:1000]


def _in_words(condition: Condition, form: Mapping[str, Any], name: str) -> str:
    """`Edge Device with Uplink 5G`."""
    for key in condition.parts:
        form = _find(form["parts"], key) or form
        name = form.get("name", name)
    if condition.characteristic is None:
        return name
    variable = _find(form["variables"], condition.characteristic)
    label = variable["label"] if variable else condition.characteristic
    labels = {option["value"]: option["label"] or option["value"] for option in (variable or {}).get("options", ())}
    values = " or ".join(str(labels.get(value, _plain(value))) for value in condition.values)
    return f"{name} with {label} {values}".strip()


def _plain(value: Any) -> Any:
    return {True: "Yes", False: "No"}[value] if isinstance(value, bool) else value


def _condition_flaws(condition: Condition, form: Mapping[str, Any], pointer: str) -> Iterator[FieldError]:
    for index, key in enumerate(condition.parts):
        part = _find(form["parts"], key)
        if part is None:
            yield FieldError(f"{pointer}/parts/{index}", "unknown", f"there is no part {key} here")
            return
        form = part
    if condition.characteristic is None:
        if not condition.parts:
            yield FieldError(pointer, "required", "a choice is a part, or a characteristic, or both")
        return
    variable = _find(form["variables"], condition.characteristic)
    if variable is None:
        message = f"there is no characteristic {condition.characteristic} here"
        yield FieldError(f"{pointer}/characteristic", "unknown", message)
        return
    yield from _value_flaws(condition.values, variable, f"{pointer}/values")


def _value_flaws(values: Sequence[Any], variable: Mapping[str, Any], pointer: str) -> Iterator[FieldError]:
    for index, value in enumerate(values):
        if type(value) is not _TYPES.get(variable["type"], str):
            yield FieldError(f"{pointer}/{index}", "type", f"this is no answer of {variable['label']}")
        elif variable["options"] and value not in [option["value"] for option in variable["options"]]:
            message = f"{value} is no option of {variable['label']}"
            yield FieldError(f"{pointer}/{index}", "not_an_option", message)


def _find(rows: Sequence[Mapping[str, Any]], key: str) -> Mapping[str, Any] | None:
    return next((row for row in rows if row["key"] == key), None)
