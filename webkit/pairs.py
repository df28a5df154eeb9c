"""What is chosen from live data: a value with the words for it, which stay together in an input as everywhere else."""

import json
from collections.abc import Mapping
from typing import Any

_MEMBERS = ("value", "display")
_TEXT_LIMIT = 4000


def write_pair(answer: Any) -> str:
    """As one text, for an input; nothing for what is no pair."""
    if not is_pair(answer):
        return ""
    return json.dumps([answer[name] for name in _MEMBERS], ensure_ascii=False, separators=(",", ":"))


def read_pair(text: str) -> dict[str, str] | None:
    """The pair back from what `write_pair` wrote; None for anything else."""
    try:
        found = json.loads(text) if len(text) <= _TEXT_LIMIT else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, list) or len(found) != len(_MEMBERS) or not all(isinstance(one, str) for one in found):
        return None
    return dict(zip(_MEMBERS, found, strict=True))


def is_pair(answer: Any) -> bool:
    return (
        isinstance(answer, Mapping)
        and answer.keys() == set(_MEMBERS)
        and all(isinstance(answer[name], str) for name in _MEMBERS)
    )


def show_pair(answer: Mapping[str, str]) -> str:
    """What it is called, and what identifies it."""
    value, display = answer["value"], answer["display"]
    return display if display == value else f"{display} ({value})"
