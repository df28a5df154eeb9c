"""Questions of our own on the order form: shown apart, their fields named `/own/...`, and their answers kept apart."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from werkzeug.datastructures import MultiDict

from consumer_sim.services.item_settings import OWN
from webkit.order_fields import OrderForm
from webkit.order_form import make_order_form, read_answers
from webkit.shown_answers import Shown, show_answers

Errors = Sequence[Mapping[str, str]]
_THERE, _HERE = "/characteristics", f"/{OWN}"


def make_own_form(variables: Sequence[Any], answers: Mapping[str, Any], errors: Errors = ()) -> OrderForm:
    """Their fields with what was answered so far; of the errors only those that are theirs."""
    given = answers.get(OWN)
    theirs = [{**one, "pointer": _THERE + one["pointer"].removeprefix(_HERE)} for one in errors if is_own(one)]
    made = make_order_form(
        _form(variables), {"characteristics": given if isinstance(given, Mapping) else {}}, theirs
    )  # fmt: skip
    fields = tuple(replace(one, name=_renamed(one.name), id=f"{OWN}-{one.id}") for one in made.fields)
    named = {_renamed(name): messages for name, messages in made.errors.items()}
    return replace(made, fields=fields, layout=(), errors=named)


def read_own(variables: Sequence[Any], sent: MultiDict[str, str]) -> dict[str, Any]:
    """The member of answers that holds theirs, as it was typed; nothing where nothing is asked."""
    if not variables:
        return {}
    pairs = [(_THERE + name.removeprefix(_HERE), value) for name, value in sent.items(multi=True)
             if name.startswith(f"{_HERE}/")]  # fmt: skip
    return {OWN: read_answers(_form(variables), MultiDict(pairs))["characteristics"]}


def show_own(variables: Sequence[Any], answers: Mapping[str, Any] | None) -> list[Shown]:
    """In words; what is asked no more, by its key."""
    return list(show_answers(_form(variables), {"characteristics": answers or {}}))


def is_own(error: Mapping[str, str]) -> bool:
    return error.get("pointer", "").split("/")[1:2] == [OWN]


def _renamed(name: str) -> str:
    return _HERE + name.removeprefix(_THERE) if name.startswith(_THERE) else name


def _form(variables: Sequence[Any]) -> dict[str, Any]:
    return {"variables": variables, "parts": [], "besides": []}
