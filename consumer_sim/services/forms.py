"""Is the form of a catalog item one that people here can fill in and `bridge.forms` can check?"""

from collections.abc import Callable, Iterator
from typing import Any

from bridge.answers import CHECKS, LAYOUT_TYPES, AnswerError, check_answer
from bridge.patterns import PATTERN_LIMIT, compile_pattern
from consumer_sim.services import fields

_TYPES = (*CHECKS, *LAYOUT_TYPES)
_BESIDES = ("quantity", "location", "contacts", "requested_on", "note")
_NODES_LIMIT = 2000
_count = fields.or_null(fields.number_from(0))


def list_of(check: Callable[[Any], str | None]) -> fields.Check:
    def every(value: Any) -> str | None:
        if not isinstance(value, list) or len(value) > _NODES_LIMIT:
            return "is not a list"
        return next((wrong for wrong in map(check, value) if wrong), None)

    return every


def _object(rules: fields.Rules) -> fields.Check:
    def check(value: Any) -> str | None:
        if not isinstance(value, dict):
            return "is not an object"
        wrong = fields.faults(value, rules)
        return f"{wrong[0]['pointer'].removeprefix('/data/')} {wrong[0]['message']}" if wrong else None

    return check


def _pattern(value: Any) -> str | None:
    is_usable = isinstance(value, str) and compile_pattern(value) is not None
    return None if is_usable else f"is not a pattern of at most {PATTERN_LIMIT} characters without groups"


_option = _object({"value": fields.text(255, least=0), "label": fields.text(255, least=0)})
_variable_members = _object(
    {
        "key": fields.text(255),
        "label": fields.text(255, least=0),
        "type": fields.choice(*_TYPES),
        "mandatory": fields.boolean,
        "options": list_of(_option),
        "min_cardinality": fields.number_from(0),
        "max_cardinality": _count,
        "description": fields.or_null(fields.text(10_000, least=0)),
        "display": fields.or_null(fields.text(20, least=0)),
        "min_length": _count,
        "max_length": _count,
        "pattern": fields.or_null(_pattern),
        "pattern_hint": fields.or_null(fields.text(255, least=0)),
        "max_size_bytes": fields.or_null(fields.number_from(1)),
        "file_types": fields.or_null(list_of(fields.text(20))),
    }
)


_choice_members = _object(
    {"depends_on": fields.or_null(_object({"variable": fields.text(255), "field": fields.text(255)}))}
)


def _variable(value: Any) -> str | None:
    """`default` may hold anything, for it is checked like an answer, but it must be there."""
    missing = None if "default" in value else "default is missing"
    return _variable_members(value) or missing or _bounds(value) or _choice(value)


def _choice(variable: dict[str, Any]) -> str | None:
    """A reference says what its choices depend on; from which rows they are is known at the provider."""
    return _choice_members(variable.get("choice")) if variable["type"] == "reference" else None


def _bounds(variable: dict[str, Any]) -> str | None:
    """They are compared with answers, so they must be such."""
    for name in ("min", "max"):
        if variable.get(name) is not None:
            try:
                check_answer({"type": variable["type"]}, variable[name])
            except (AnswerError, KeyError):
                return f"{name} is not an answer"
    return None


def _part(value: Any) -> str | None:
    return _as_part(value)


def _conditions(value: Any) -> str | None:
    return list_of(_condition)(value) or (None if value else "names nothing")


_keys = list_of(fields.text(255))
_group = _object(
    {
        "key": fields.text(255),
        "name": fields.text(255),
        "min_options": fields.number_from(0),
        "max_options": _count,
        "parts": _keys,
    }
)
_condition = _object(
    {"parts": _keys, "characteristic": fields.or_null(fields.text(255)), "values": list_of(lambda value: None)}
)
_rule = _object({"kind": fields.text(40), "if": _condition, "then": _conditions, "message": fields.text(1000)})
_contents: dict[str, fields.Check] = {
    "variables": list_of(_variable),
    "parts": list_of(_part),
    "groups": fields.or_null(list_of(_group)),
    "rules": fields.or_null(list_of(_rule)),
}
_as_part = _object(
    {
        "key": fields.text(255),
        "name": fields.text(255),
        "mandatory": fields.boolean,
        "default_selected": fields.boolean,
        "min_quantity": fields.number_from(0),
        "max_quantity": _count,
    }
    | _contents
)
_set_members = _object(
    {
        "key": fields.text(255),
        "label": fields.text(255, least=0),
        "many": fields.boolean,
        "min_rows": fields.number_from(0),
        "max_rows": _count,
        "description": fields.or_null(fields.text(10_000, least=0)),
        "variables": list_of(_variable),
    }
)
_form = _object(
    _contents
    | {"sets": fields.or_null(list_of(_set_members)), "besides": fields.or_null(list_of(fields.choice(*_BESIDES)))}
)


def well_formed(value: Any) -> str | None:
    """What is wrong with a form, or None. JSON as we read it is at most 32 levels deep, which bounds the recursion."""
    return fields.document(value) or _form(value)


def keep_secrets(form: dict[str, Any], *former: Any) -> dict[str, Any]:
    """The form as it was told, with the keys of questions for secrets that former ones had and it has not: what was
    answered to those is not shown either.
    """
    told = without_secrets(form)
    kept = {key for one in former if one for key in (*one.get("secrets", ()), *_secrets_in(one))}
    lost = kept - set(_secrets_in(told))
    return {**told, "secrets": sorted(lost)} if lost else told


def without_secrets(form: dict[str, Any]) -> dict[str, Any]:
    """As the provider told it."""
    return {name: value for name, value in form.items() if name != "secrets"}


def _secrets_in(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _secrets_in(one)
    elif isinstance(value, dict):
        if value.get("type") == "masked":
            yield str(value.get("key"))
        for one in value.values():
            yield from _secrets_in(one)
