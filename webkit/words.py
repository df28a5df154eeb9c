"""How pages say things: times, states and their colours."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import flask
import humanize
from markupsafe import Markup

from webkit.pairs import is_pair, show_pair
from webkit.rich_text import rich_text

NOTHING = "\u2013"

COLOURS = {
    # going well
    "active": "success", "completed": "success", "closed_complete": "success", "published": "success",
    "connected": "success", "sent": "success", "accepted": "success",
    "up": "success", "done": "success", "resolved": "success", "delivered": "success",
    # under way
    "in_progress": "primary", "work_in_progress": "primary", "acknowledged": "primary", "scheduled": "primary",
    "submitted": "primary", "new": "info", "open": "info", "assigned": "info", "waiting": "info", "pending": "info",
    "received": "info", "awaiting_approval": "info", "requested": "info", "approved": "success",
    "pending_activation": "info", "draft": "secondary", "in_draft": "secondary",
    # somebody has to do something
    "on_hold": "warning", "awaiting_info": "warning", "awaiting_information": "warning", "rejected": "warning",
    "proposed": "warning",
    "assessing_cancellation": "warning", "revision_in_progress": "warning", "paused": "warning", "slow": "warning",
    "suspended": "warning", "change_pending": "warning", "installation_pending": "primary",
    "pending_verification": "info",
    # wrong, or over
    "error": "danger", "failing": "danger", "parked": "danger",
    "refused": "danger", "down": "danger", "failed": "danger",
    "cancelled": "secondary", "closed_incomplete": "secondary", "inactive": "secondary", "retired": "secondary",
    "removed": "secondary", "revoked": "secondary", "archived": "secondary", "skipped": "secondary",
}  # fmt: skip


def install(app: flask.Flask, clock: Callable[[], datetime]) -> None:
    """The filters and functions that templates use."""

    def when(moment: datetime | str | None) -> str:
        """How long ago, with the exact time on hover."""
        if not moment:
            return NOTHING
        at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        exact = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        relative = humanize.naturaltime(clock() - at)
        return Markup('<time datetime="{}" title="{}">{}</time>').format(at.isoformat(), exact, relative)

    app.jinja_env.filters |= {"when": when, "value": show_value}
    app.jinja_env.filters |= {one.__name__: one for one in (in_words, colour, sentence, rich_text)}


def in_words(name: Any) -> str:
    """`closed_complete` as people say it: Closed complete."""
    return str(name).replace("_", " ").capitalize()


def sentence(text: Any) -> str:
    """What programs say between commas, as a sentence: Paused by people: maintenance."""
    said = str(text).strip()
    return said[:1].upper() + said[1:] + ("" if not said or said.endswith((".", "!", "?")) else ".")


def colour(state: Any) -> str:
    """The colour of Bootstrap that stands for a state."""
    return COLOURS.get(str(state), "secondary")


def show_value(value: Any) -> str:
    """A characteristic's value: yes and no for truth, lists with commas, pairs with both, a dash for nothing."""
    if value is None or value in ("", []):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(show_value(one) for one in value)
    if isinstance(value, date):
        return value.isoformat()
    return show_pair(value) if is_pair(value) else str(value)
