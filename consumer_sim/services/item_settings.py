"""What our people decide of an item, over all its revisions: questions of our own, and whether a request of it needs
approval here before it is sent. Nothing of this, and no answer to such a question, ever leaves this instance.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from bridge.answers import AnswerError, check_answer
from bridge.database import insert_into
from bridge.forms import FormError, FormErrors, check_answers
from consumer_sim.models import CatalogItem, ProviderTask, User
from consumer_sim.models_personas import Approval, ItemSettings
from consumer_sim.services.users import Permission, find_user, permissions_of

Document = dict[str, Any]

OWN = "own"
"""The member of answers that holds those to questions of our own."""
OWN_TYPES = (
    *("text", "multiline_text", "integer", "decimal", "boolean", "choice", "multiple_choice", "date", "datetime"),
    *("email", "url"),
)
VARIABLES_LIMIT, OPTIONS_LIMIT = 50, 200
_CHOICES = ("choice", "multiple_choice")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,59}")
_FREE = frozenset(
    {"location", "contacts", "requested_on", "note", "requested_by", "opened_at", "catalog_item_revision"}
)
"""What may be corrected without another approval: where, when, whom to ask. The rest is what was approved."""


def find_settings(session: Session, connection_id: str, item_id: str | None) -> ItemSettings | None:
    return session.get(ItemSettings, (connection_id, item_id)) if item_id else None


def get_settings(session: Session, item: CatalogItem, *, now: datetime) -> ItemSettings:
    """To change them; made if need be."""
    key = {"connection_id": item.connection_id, "catalog_item_id": item.id}
    row = {**key, "variables": [], "needs_approval": False, "updated_at": now}
    session.execute(insert_into(session, ItemSettings).values(row).on_conflict_do_nothing())
    return session.get_one(ItemSettings, (item.connection_id, item.id), with_for_update=True)


def set_approval(
    session: Session, item: CatalogItem, *, needs_approval: bool, approver: str | None, above_quantity: int | None,
    now: datetime,
) -> ItemSettings:  # fmt: skip
    """Whether requests of the item wait for our own approval, by the user of this name or, without one, by whoever
    may; perhaps only those of more than so many. Raises FormErrors (/approver).
    """
    user = _find_approver(session, approver) if needs_approval and approver else None
    settings = get_settings(session, item, now=now)
    settings.needs_approval = needs_approval
    settings.approver_id = user.id if user else None
    settings.above_quantity = above_quantity if needs_approval else None
    settings.updated_at = now
    session.flush()
    return settings


def set_variables(
    session: Session, item: CatalogItem, variables: Sequence[Mapping[str, Any]], *, now: datetime
) -> ItemSettings:
    """The questions of our own, in their order: each `key`, `label`, `type`, and perhaps `mandatory`, `default`,
    `options`, `description`. What was answered so far stays. Raises FormErrors (/variables).
    """
    errors = list(_variable_errors(variables))
    if errors:
        raise FormErrors(errors)
    settings = get_settings(session, item, now=now)
    settings.variables, settings.updated_at = [_whole(one) for one in variables], now
    session.flush()
    return settings


def check_own(settings: ItemSettings | None, answers: Mapping[str, Any]) -> Document:
    """The answers to questions of our own, in their normal form. Raises FormErrors (/own)."""
    form = {"variables": settings.variables if settings else [], "parts": []}
    try:
        checked = check_answers(form, {"characteristics": answers.get(OWN)})
    except FormErrors as wrong:
        raise FormErrors([replace(one, pointer=_own_pointer(one.pointer)) for one in wrong.errors]) from None
    found: Document = checked["characteristics"]
    return found


def needs_approval(settings: ItemSettings | None, request: Mapping[str, Any]) -> bool:
    if settings is None or not settings.needs_approval:
        return False
    return settings.above_quantity is None or int(request.get("quantity") or 1) > settings.above_quantity


def chooses_otherwise(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether a correction asks for something else than what was approved."""
    return any(before.get(name) != after.get(name) for name in (before.keys() | after.keys()) - _FREE)


def hold_back(
    session: Session, task: ProviderTask, settings: ItemSettings, correction: Document | None, *, now: datetime
) -> None:
    """Let the request, or the correction of it, wait for approval here: nothing of it is sent."""
    session.flush()
    row = session.get(Approval, (task.connection_id, task.id))
    if row is None:
        row = Approval(connection_id=task.connection_id, task_id=task.id)
        session.add(row)
    row.approver_id, row.correction, row.asked_at = settings.approver_id, correction, now
    row.decided_by = row.decided_at = row.reason = None
    task.approval, task.updated_at = "waiting", now


def drop_approval(session: Session, task: ProviderTask) -> None:
    """Nobody has to decide any more."""
    if task.approval == "waiting":
        task.approval = None
        row = session.get(Approval, (task.connection_id, task.id))
        if row is not None:
            session.delete(row)


def settings_document(settings: ItemSettings | None, approver: str | None) -> Document:
    return {
        "variables": settings.variables if settings else [],
        "needs_approval": bool(settings and settings.needs_approval),
        "approver": approver,
        "above_quantity": settings.above_quantity if settings else None,
    }


def find_approver_name(session: Session, settings: ItemSettings | None) -> str | None:
    user = session.get(User, settings.approver_id) if settings and settings.approver_id else None
    return user.name if user else None


def _find_approver(session: Session, name: str) -> User:
    user = find_user(session, name)
    if user is None or not user.active or Permission.REQUEST_APPROVE not in permissions_of(user.roles):
        raise FormErrors([FormError("/approver", "not_found", f"{name} is nobody who may approve requests.")])
    return user


def _own_pointer(pointer: str) -> str:
    return f"/{OWN}{pointer.removeprefix('/characteristics')}"


def _variable_errors(variables: Sequence[Mapping[str, Any]]) -> Iterator[FormError]:
    if len(variables) > VARIABLES_LIMIT:
        yield FormError("/variables", "range", f"There are at most {VARIABLES_LIMIT} questions.")
    keys: set[str] = set()
    for place, one in enumerate(variables):
        at, key = f"/variables/{place}", str(one.get("key", ""))
        if not _KEY.fullmatch(key):
            yield FormError(f"{at}/key", "invalid", "A key has small letters, digits and _, and begins with a letter.")
        if key in keys:
            yield FormError(f"{at}/key", "taken", "Another question has this key.")
        keys.add(key)
        if not str(one.get("label", "")).strip():
            yield FormError(f"{at}/label", "required", "A question needs its words.")
        if one.get("type") not in OWN_TYPES:
            yield FormError(f"{at}/type", "unknown", f"The types are {', '.join(OWN_TYPES)}.")
        else:
            yield from _option_errors(one, at)
            yield from _default_errors(one, at)


def _option_errors(one: Mapping[str, Any], at: str) -> Iterator[FormError]:
    values = [option.get("value") for option in one.get("options") or ()]
    if one["type"] not in _CHOICES:
        return
    if not values or not all(isinstance(value, str) and value.strip() for value in values):
        yield FormError(f"{at}/options", "required", "Name at least one option, each by some text.")
    if len(set(map(str, values))) < len(values) or len(values) > OPTIONS_LIMIT:
        yield FormError(f"{at}/options", "range", f"At most {OPTIONS_LIMIT} options, none of them twice.")


def _default_errors(one: Mapping[str, Any], at: str) -> Iterator[FormError]:
    if one.get("default") is not None:
        try:
            check_answer(_whole(one), one["default"])
        except AnswerError as wrong:
            yield FormError(f"{at}/default", wrong.code, f"The default {wrong.message}.")


def _whole(one: Mapping[str, Any]) -> Document:
    """As a variable of a form is."""
    options = [
        {"value": option["value"], "label": option.get("label") or option["value"]}
        for option in one.get("options") or ()
    ]
    return {
        "key": one["key"],
        "label": one["label"].strip(),
        "type": one["type"],
        "mandatory": bool(one.get("mandatory")),
        "default": one.get("default"),
        "options": options if one["type"] in _CHOICES else [],
        "description": one.get("description") or "",
        "min_cardinality": 0,
        "max_cardinality": None if one["type"] == "multiple_choice" else 1,
    }
