"""Is the form of a catalog item one that people here can fill in and `bridge.forms` can check?"""

from collections.abc import Callable
from typing import Any

from bridge.answers import CHECKS
from consumer_sim.services import fields

_TYPES = tuple(CHECKS)
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


_option = _object({"value": fields.text(255, least=0), "label": fields.text(255, least=0)})
_variable_members = _object(
    {
        "key": fields.text(255),
        "label": fields.text(255),
        "type": fields.choice(*_TYPES),
        "mandatory": fields.boolean,
        "options": list_of(_option),
        "min_cardinality": fields.number_from(0),
        "max_cardinality": _count,
    }
)


def _variable(value: Any) -> str | None:
    """`default` may hold anything, for it is checked like an answer, but it must be there."""
    return _variable_members(value) or (None if "default" in value else "default is missing")


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
_form = _object(_contents)


def well_formed(value: Any) -> str | None:
    """What is wrong with a form, or None. JSON as we read it is at most 32 levels deep, which bounds the recursion."""
    return fields.document(value) or _form(value)
