"""The start page: what is waiting, and for whom; what to do first on a new instance."""

from collections.abc import Mapping
from dataclasses import dataclass

import flask
from flask_login import current_user

from consumer_sim.services.users import Permission, holders
from consumer_sim.services.waiting import count_waiting, read_first_steps
from consumer_sim.ui.context import here
from webkit.pages import SIGNED_IN, Pages
from webkit.words import in_words

pages = Pages("start", __name__)

_P = Permission


@dataclass(frozen=True)
class Waiting:
    """One thing that waits: for those with `permission`, or for `others`."""

    key: str
    label: str
    url: str
    permission: Permission
    others: str = ""

    @property
    def for_me(self) -> bool:
        return not self.others and bool(current_user.may(self.permission))

    @property
    def who(self) -> str:
        return self.others or ", ".join(in_words(role).lower() for role in holders(self.permission))


@dataclass(frozen=True)
class Step:
    """One of the first things to do on a new instance."""

    key: str
    label: str
    hint: str
    url: str
    permission: Permission


_PROVIDER = "the provider"
WAITING = (
    Waiting("drafts", "Drafts to finish", "/drafts", _P.REQUEST_WRITE),
    Waiting("rejected", "Requests to correct", "/requests?state=rejected", _P.REQUEST_WRITE),
    Waiting("awaiting_info", "Requests on hold or asked about", "/requests?state=awaiting_info", _P.REQUEST_WRITE),
    Waiting("pending_activation", "Items to activate", "/items?state=pending_activation", _P.CATALOG_WRITE),
    Waiting("revised", "New revisions to activate", "/items?state=revised", _P.CATALOG_WRITE),
    Waiting("trouble", "Connections in trouble", "/connections?health=ill", _P.CONNECTION_WRITE),
    Waiting("sending", "Requests on their way", "/requests?state=sending", _P.REQUEST_READ, _PROVIDER),
    Waiting("accepted", "Requests accepted", "/requests?state=accepted", _P.REQUEST_READ, _PROVIDER),
    Waiting("in_progress", "Requests in progress", "/requests?state=in_progress", _P.REQUEST_READ, _PROVIDER),
)
STEPS = (
    Step("connect", "Connect to a provider", "It registers us and gives us a token.", "/connections/connect",
         _P.CONNECTION_WRITE),
    Step("activate", "Activate what people may order", "The provider's offers wait at the items.", "/items",
         _P.CATALOG_WRITE),
    Step("order", "Order something", "Choose it in the catalog, and follow the request.", "/catalog",
         _P.REQUEST_WRITE),
)  # fmt: skip


@pages.page("/", SIGNED_IN)
def show() -> str:
    permissions = current_user.permissions
    with here().database.reading() as session:
        counts = count_waiting(session, author=current_user.name, permissions=permissions, now=here().clock())
        done = read_first_steps(session)
    steps = None if done["order"] else [(step, done[step.key], current_user.may(step.permission)) for step in STEPS]
    return flask.render_template("webkit/start.html", steps=steps, **_sorted(counts))


def _sorted(counts: Mapping[str, int]) -> dict[str, list[tuple[Waiting, int]]]:
    """What waits for me also when nothing does, what waits for others only when something does."""
    shown = [(waiting, counts[waiting.key]) for waiting in WAITING if waiting.key in counts]
    return {
        "mine": [pair for pair in shown if pair[0].for_me],
        "others": [(waiting, count) for waiting, count in shown if count and not waiting.for_me],
    }
