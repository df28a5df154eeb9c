"""The start page: what is waiting, and for whom; what to do first on a new instance."""

from flask_login import current_user

from consumer_sim.services.users import Permission, holders
from consumer_sim.services.waiting import count_waiting, read_first_steps
from consumer_sim.ui.context import here, writer
from webkit.pages import SIGNED_IN, Pages
from webkit.start import Step, Waiting, show_start

pages = Pages("start", __name__)

_P = Permission


_PROVIDER = "the provider"
WAITING = (
    Waiting("approvals", "Requests to approve", "/approvals", _P.REQUEST_APPROVE, single="Request to approve"),
    Waiting(
        "task_approvals",
        "Approvals providers ask for",
        "/provider-approvals?state=waiting",
        _P.REQUEST_APPROVE,
        single="Approval a provider asks for",
    ),
    Waiting("drafts", "Drafts to finish", "/drafts?whose=mine", _P.REQUEST_WRITE, single="Draft to finish"),
    Waiting(
        "rejected", "Requests to correct", "/requests?state=rejected", _P.REQUEST_WRITE, single="Request to correct"
    ),
    Waiting(
        "proposed",
        "Solutions to accept",
        "/requests?state=proposed",
        _P.REQUEST_WRITE,
        single="Solution to accept",
    ),
    Waiting(
        "unseen",
        "New from your provider",
        "/from-provider?seen=no",
        _P.REQUEST_WRITE,
        single="New from your provider",
    ),
    Waiting(
        "awaiting_info",
        "Requests on hold or asked about",
        "/requests?state=awaiting_info",
        _P.REQUEST_WRITE,
        single="Request on hold or asked about",
    ),
    Waiting(
        "pending_activation",
        "Items to activate",
        "/items?state=pending_activation",
        _P.CATALOG_WRITE,
        single="Item to activate",
    ),
    Waiting(
        "revised",
        "New revisions to activate",
        "/items?state=revised",
        _P.CATALOG_WRITE,
        single="New revision to activate",
    ),
    Waiting(
        "trouble",
        "Connections in trouble",
        "/connections?health=ill",
        _P.CONNECTION_WRITE,
        single="Connection in trouble",
    ),
    Waiting(
        "awaiting_approval",
        "Requests waiting for our own approval",
        "/requests?state=awaiting_approval",
        _P.REQUEST_READ,
        "those who approve",
        single="Request waiting for our own approval",
    ),
    Waiting("sending", "Requests on their way", "/requests?state=sending", _P.REQUEST_READ, _PROVIDER),
    Waiting("received", "Requests waiting for approval", "/requests?state=received", _P.REQUEST_READ, _PROVIDER),
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
        counts = count_waiting(session, writer=writer(), permissions=permissions, now=here().clock())
        done = read_first_steps(session)
    return show_start(WAITING, counts, STEPS, done, holders)
