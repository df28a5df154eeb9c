"""A start page: what waits for me and for others; on a new instance, what to do first."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import flask
from flask_login import current_user

from webkit.words import in_words

_STEPS_SEEN = "first-steps-seen"


@dataclass(frozen=True)
class Waiting:
    """One thing that waits: for those with `permission`, or for `others`."""

    key: str
    label: str
    url: str
    permission: str
    others: str = ""
    single: str = ""
    """The label of one of them."""

    def called(self, count: int) -> str:
        return self.single if count == 1 and self.single else self.label

    @property
    def for_me(self) -> bool:
        return not self.others and bool(current_user.may(self.permission))


@dataclass(frozen=True)
class Step:
    """One of the first things to do on a new instance."""

    key: str
    label: str
    hint: str
    url: str
    permission: str


def show_start(
    waiting: Sequence[Waiting],
    counts: Mapping[str, int],
    first: Sequence[Step],
    done: Mapping[str, bool],
    holders: Callable[[str], Iterable[str]],
) -> str:
    """The page. What waits for me is shown also when nothing does, what waits for others only when something does.

    `counts` and `done` are by key; what is not counted is not this person's to see. The steps go with the last one,
    and that they are done is said once to whoever saw them. `holders` are the roles that hold a permission.
    """
    shown = [(one, counts[one.key]) for one in waiting if one.key in counts]
    steps = [(step, done[step.key], current_user.may(step.permission)) for step in first]
    others = [
        (one, count, one.others or ", ".join(in_words(role).lower() for role in holders(one.permission)))
        for one, count in shown
        if count and not one.for_me
    ]
    is_done = done[first[-1].key]
    return flask.render_template(
        "webkit/start.html",
        steps=None if is_done else steps,
        is_just_done=_is_just_done(is_done),
        mine=[pair for pair in shown if pair[0].for_me],
        others=others,
    )


def _is_just_done(is_done: bool) -> bool:
    """Whether this person saw the steps, and not yet that they are done. A page that renews itself changes nothing."""
    has_seen = _STEPS_SEEN in flask.session
    is_live = bool(flask.request.headers.get("X-Live"))
    if is_done and has_seen and not is_live:
        del flask.session[_STEPS_SEEN]
    elif not is_done and not has_seen and not is_live:
        flask.session[_STEPS_SEEN] = True
    return is_done and has_seen
