"""Who gains and who loses what by a choice: asked before somebody loses an item, and said once it is done."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from provider.services.criteria import ACCOUNT, LABELS
from provider.services.pricing import SHOW_PRICES
from webkit.words import in_words

Document = Mapping[str, Any]
_NAMED = 3


def losers_of(changes: Sequence[Document]) -> list[Document]:
    """Connections that would have it no more, also those for which the loss is held."""
    return [one for change in changes for kind in ("removed", "held") for one in change[kind]]


def mark_of(changes: Sequence[Document]) -> str:
    """Stands for exactly those who would lose it: whoever says yes to it has seen these. Empty where nobody would."""
    ids = sorted(one["connection_id"] for one in losers_of(changes))
    return sha256(" ".join(ids).encode()).hexdigest()[:32] if ids else ""


def say_gains(changes: Sequence[Document], *, later: bool) -> str:
    """In sentences, for what is done. `later`: whether those that connect later may gain it, too."""
    said = [
        _say(changes, "added", ("gains it", "gain it")),
        _say(changes, "removed", ("has lost it", "have lost it")),
        _say(changes, "held", ("keeps it until somebody confirms", "keep it until somebody confirms")),
    ]
    if found := [one for one in said if one]:
        return " ".join(found)
    return "No consumer gains or loses it now." + (" Consumers that fit and connect later gain it." if later else "")


def say_settings(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What of a connection's settings was changed; that nothing was, where that is so."""
    said = []
    if bool(before.get(SHOW_PRICES)) != bool(after.get(SHOW_PRICES)):
        said.append("Prices are told from now on." if after.get(SHOW_PRICES) else "Prices are not told any more.")
    differing = [name for name in (ACCOUNT, LABELS) if (before.get(name) or None) != (after.get(name) or None)]
    said += [f"{in_words(name)} saved." for name in differing]
    return said or ["Nothing was changed."]


def say_items(had: Mapping[str, str], has: Mapping[str, str], name: str) -> list[str]:
    """Which items a connection gained and lost: names by id, before and after."""
    gained = [item for identity, item in has.items() if identity not in had]
    lost = [item for identity, item in had.items() if identity not in has]
    said = [f"{name} gains {name_some(gained)}."] if gained else []
    return [*said, f"{name} has lost {name_some(lost)}."] if lost else said


def name_some(names: Sequence[str]) -> str:
    """A few of them, and how many more."""
    if len(names) > _NAMED + 1:
        return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} others"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _say(changes: Sequence[Document], kind: str, verbs: tuple[str, str]) -> str:
    names = [one["name"] for change in changes for one in change[kind]]
    return f"{name_some(names)} {verbs[len(names) > 1]}." if names else ""
