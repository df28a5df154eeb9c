"""Is a whole order right: what the item's form asks, and where, with whom, when? What the provider would refuse is
refused here, at the same pointers.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from bridge.answers import TEXT_LIMIT, AnswerError, check_answer
from bridge.forms import FormError, FormErrors, check_answers

_LOCATION = {"name": 255, "street": 255, "city": 255, "postal_code": 20, "country": 60}
_CONTACT = {"name": 255, "email": 254, "phone": 60}
_CONTACTS_LIMIT = 20
_BESIDES = ("location", "contacts", "requested_on", "note")
_APART = ("own",)
"""Answers to questions of our own, which `item_settings` checks."""
_ELSEWHERE = timedelta(days=1)
"""It may be yesterday still where somebody is, for our day is that of UTC."""

Document = dict[str, Any]


def check_order(form: Mapping[str, Any], answers: Mapping[str, Any], *, today: date | None = None) -> Document:
    """The answers in their normal form, without what was left empty. Raises FormErrors with all that is wrong.

    With `today`, nothing can be wanted on a day that is over. The provider does not ask: what was right when it was
    sent may arrive late.
    """
    errors: list[FormError] = []
    checked: Document = {}
    try:
        checked = check_answers(form, {name: value for name, value in answers.items() if name not in _BESIDES + _APART})
    except FormErrors as error:
        errors += error.errors
    wanted_on = _text(answers.get("requested_on"), "/requested_on", "The date", errors, kind="date")
    besides = {
        "location": _location(answers.get("location"), errors),
        "contacts": list(_contacts(answers.get("contacts"), errors)),
        "requested_on": wanted_on,
        "note": _text(answers.get("note"), "/note", "The note", errors, limit=TEXT_LIMIT, kind="multiline_text"),
    }
    if today and wanted_on and date.fromisoformat(wanted_on) < today - _ELSEWHERE:
        errors.append(FormError("/requested_on", "range", "The date must not be over already."))
    if errors:
        raise FormErrors(errors)
    return checked | {name: value for name, value in besides.items() if value}


def _location(given: Any, errors: list[FormError]) -> Document | None:
    return _entry(given, "/location", _LOCATION, errors) if _is_told(given) else None


def _contacts(given: Any, errors: list[FormError]) -> Iterator[Document]:
    """Empty rows between others say nothing, and count, for the errors of the others."""
    rows = given if isinstance(given, list) else []
    if len(rows) > _CONTACTS_LIMIT:
        errors.append(FormError("/contacts", "range", f"There are at most {_CONTACTS_LIMIT} contacts."))
    for row, contact in enumerate(rows):
        if _is_told(contact):
            yield _entry(contact, f"/contacts/{row}", _CONTACT, errors)


def _entry(given: Mapping[str, Any], pointer: str, limits: Mapping[str, int], errors: list[FormError]) -> Document:
    found = {
        key: _text(given.get(key), f"{pointer}/{key}", "This", errors, limit=limit, kind=_kind(key))
        for key, limit in limits.items()
    }
    if _is_blank(given.get("name")):
        errors.append(FormError(f"{pointer}/name", "required", "A name is needed, as the rest is filled in."))
    return found


def _kind(key: str) -> str:
    return "email" if key == "email" else "text"


def _text(
    value: Any, pointer: str, label: str, errors: list[FormError], *, kind: str = "text", limit: int = 255
) -> str | None:
    """None where nothing was told, and where what was told is wrong."""
    if _is_blank(value):
        return None
    try:
        text = str(check_answer({"type": kind}, value))
    except AnswerError as error:
        errors.append(FormError(pointer, error.code, f"{label} {error.message}."))
        return None
    if len(text) > limit:
        errors.append(FormError(pointer, "too_long", f"{label} must have at most {limit} characters."))
    return text


def _is_told(given: Any) -> bool:
    return isinstance(given, Mapping) and not all(map(_is_blank, given.values()))


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
