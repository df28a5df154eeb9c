"""What may be done with the revisions of a remote record producer, and what sets one apart from the one before?"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from provider.domain.catalog import RemoteRecordProducerState
from provider.domain.errors import Conflict

_S = RemoteRecordProducerState
COPYABLE = frozenset({_S.PUBLISHED, _S.INACTIVE, _S.ARCHIVED, _S.RETIRED})
"""States of a revision that may be copied as an item of its own; a draft is not finished."""


class ProducerAction(StrEnum):
    """What people do with an item as a whole."""

    PUBLISH = "publish"
    EDIT = "edit"
    CHECKOUT = "checkout"
    CANCEL_DRAFT = "cancel_draft"
    RETIRE = "retire"
    DELETE = "delete"


_REFUSALS = {
    ProducerAction.PUBLISH: ("nothing_to_publish", "all revisions of this item are retired; check one out first"),
    ProducerAction.EDIT: ("nothing_to_edit", "all revisions of this item are retired; check one out first"),
    ProducerAction.CHECKOUT: ("nothing_to_check_out", "only a published or a retired item is checked out"),
    ProducerAction.CANCEL_DRAFT: ("no_draft", "there is no draft to cancel beside another revision"),
    ProducerAction.RETIRE: ("nothing_to_retire", "all revisions of this item are retired already"),
    ProducerAction.DELETE: ("not_retired", "only an item whose newest revision is retired can be deleted"),
}


def possible_actions(states: Sequence[RemoteRecordProducerState]) -> frozenset[ProducerAction]:
    """What the states of an item's revisions, oldest first, allow.

    While there is a draft the published revision is neither checked out nor retired: the draft is decided on first.
    """
    has_draft, is_published, newest = _S.DRAFT in states, _S.PUBLISHED in states, states[-1]
    allowed = {
        ProducerAction.PUBLISH: has_draft or is_published,
        ProducerAction.EDIT: has_draft or is_published,
        ProducerAction.CHECKOUT: not has_draft and (is_published or newest is _S.RETIRED),
        ProducerAction.CANCEL_DRAFT: has_draft and len(states) > 1,
        ProducerAction.RETIRE: has_draft != is_published,
        ProducerAction.DELETE: newest is _S.RETIRED and not is_published,
    }
    return frozenset(action for action, is_allowed in allowed.items() if is_allowed)


def require_action(states: Sequence[RemoteRecordProducerState], action: ProducerAction) -> None:
    """Raises Conflict with what is in the way."""
    if action in possible_actions(states):
        return
    if _S.DRAFT in states and action in (ProducerAction.CHECKOUT, ProducerAction.RETIRE, ProducerAction.DELETE):
        raise Conflict("draft_exists", "there is a draft of this item; publish or cancel it first")
    raise Conflict(*_REFUSALS[action])


def tell_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What people should know of a revision: in words, one sentence for each thing that is not as it was.

    Both are `{"name", "short_description", "category", "compatibility", "form"}`, perhaps with `persona_ids`.
    """
    told = {
        "name": "Name",
        "short_description": "Short description",
        "category": "Category",
        "compatibility": "Version",
    }
    long = {"description": "Description", "help_text": "Help"}
    found = [
        f"{label}: {after[name] or 'nothing'} instead of {before[name] or 'nothing'}."
        for name, label in told.items()
        if before[name] != after[name]
    ]
    found += [f"{label} changed." for name, label in long.items() if before.get(name) != after.get(name)]
    if set(before.get("persona_ids", ())) != set(after.get("persona_ids", ())):
        found.append("Other personas may order it." if after["persona_ids"] else "It is open to every requester.")
    return found + list(_form_differences(before["form"], after["form"], ""))


def _form_differences(before: Mapping[str, Any], after: Mapping[str, Any], of: str) -> Iterator[str]:
    yield from _list_differences(before["variables"], after["variables"], "Question", "label", of)
    yield from _list_differences(before["parts"], after["parts"], "Part", "name", of)
    former_sets, sets = before.get("sets") or (), after.get("sets") or ()
    yield from _list_differences(former_sets, sets, "Set of questions", "label", of)
    yield from _set_differences(former_sets, sets)
    if before.get("besides") != after.get("besides"):
        yield "What is asked beside the questions changed."
    former = {part["key"]: part for part in before["parts"]}
    for part in after["parts"]:
        if part["key"] in former:
            yield from _form_differences(former[part["key"]], part, f" of {part['name']}")
    for name, noun in (("groups", "Groups"), ("rules", "Rules")):
        if before.get(name) != after.get(name):
            yield f"{noun}{of} changed."


def _set_differences(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    former = {one["key"]: one for one in before}
    for one in after:
        if one["key"] in former:
            was = former[one["key"]]["variables"]
            yield from _list_differences(was, one["variables"], "Question", "label", f" of {one['label']}")


def _list_differences(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], noun: str, label: str, of: str
) -> Iterator[str]:
    former, present = ({row["key"]: row for row in rows} for rows in (before, after))
    for key in former.keys() | present.keys():
        if key not in former:
            yield f"{noun} {present[key][label] or key}{of} is new."
        elif key not in present:
            yield f"{noun} {former[key][label] or key}{of} is gone."
        elif _flat(former[key]) != _flat(present[key]):
            yield f"{noun} {present[key][label] or key}{of} changed."


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Without what lies within it, which is told by itself."""
    return {name: value for name, value in row.items() if name not in ("variables", "parts", "groups", "rules")}
