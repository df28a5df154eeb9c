"""The start page: what is waiting, and for whom; what to do first on a new instance."""

from flask_login import current_user

from provider.domain.orders import OrderState
from provider.domain.roles import Permission, holders
from provider.services.task_search import FREE, MINE
from provider.services.waiting import count_waiting, read_first_steps
from provider.ui.context import actor, here
from webkit.pages import SIGNED_IN, Pages
from webkit.start import Step, Waiting, show_start

pages = Pages("start", __name__)

_P, _S = Permission, OrderState


_CONSUMER = "the consumer"
WAITING = (
    Waiting(
        _S.NEW, "Orders to approve", "/orders?state=new&sort=since",
        _P.ORDER_APPROVE, single="Order to approve",
    ),
    Waiting(
        _S.ASSESSING_CANCELLATION, "Cancellations to decide", "/orders?state=assessing_cancellation&sort=since",
        _P.ORDER_APPROVE, single="Cancellation to decide",
    ),
    Waiting(
        _S.REVISION_IN_PROGRESS, "Revisions to decide", "/orders?state=revision_in_progress&sort=since",
        _P.ORDER_APPROVE, single="Revision to decide",
    ),
    Waiting(
        _S.CANCELLATION_IN_PROGRESS, "Cancellations being undone", "/orders?state=cancellation_in_progress&sort=since",
        _P.ORDER_APPROVE, single="Cancellation being undone",
    ),
    Waiting(
        _S.ON_HOLD, "Orders on hold", "/orders?state=on_hold&sort=since",
        _P.ORDER_APPROVE, single="Order on hold",
    ),
    Waiting(
        "comments", "Orders with new comments of the consumer", "/orders?comments=new&sort=since",
        _P.COMMENT_WRITE, single="Order with new comments of the consumer",
    ),
    Waiting(
        MINE, "Tasks of mine", "/tasks?whose=mine",
        _P.ORDER_TASK_WRITE, single="Task of mine",
    ),
    Waiting(
        FREE, "Tasks to take", "/tasks?whose=free",
        _P.ORDER_TASK_WRITE, single="Task to take",
    ),
    Waiting(
        "cases_mine", "Cases of mine", "/cases?whose=mine",
        _P.CASE_WRITE, single="Case of mine",
    ),
    Waiting(
        "cases_free", "Cases to take", "/cases?whose=free",
        _P.CASE_WRITE, single="Case to take",
    ),
    Waiting(
        "parked", "Parked deliveries", "/deliveries?state=parked",
        _P.DELIVERY_WRITE, single="Parked delivery",
    ),
    Waiting(
        "trouble", "Connections in trouble", "/connections",
        _P.CONNECTION_WRITE, single="Connection in trouble",
    ),
    Waiting(
        "authorised_users", "Users of consumers to approve", "/authorised-users?state=requested",
        _P.CONNECTION_WRITE, single="User of a consumer to approve",
    ),
    Waiting(
        "removals", "Removals of many to confirm", "/removals",
        _P.PRODUCER_WRITE, single="Removal of many to confirm",
    ),
    Waiting(
        "drafts", "Drafts of catalog items to review", "/producers?state=draft",
        _P.PRODUCER_WRITE, single="Draft of a catalog item to review",
    ),
    Waiting(
        "unreached", "Items that reach nobody", "/producers?reach=nobody",
        _P.PRODUCER_WRITE, single="Item that reaches nobody",
    ),
    Waiting(
        "task_approvals", "Approvals asked for", "/approvals?state=open",
        _P.CASE_READ, _CONSUMER, single="Approval asked for",
    ),
    Waiting(
        _S.AWAITING_INFORMATION, "Orders awaiting information", "/orders?state=awaiting_information&sort=since",
        _P.ORDER_READ, _CONSUMER, single="Order awaiting information",
    ),
    Waiting(
        _S.REJECTED, "Rejected orders to correct", "/orders?state=rejected&sort=since",
        _P.ORDER_READ, _CONSUMER, single="Rejected order to correct",
    ),
)  # fmt: skip
STEPS = (
    Step("catalog", "Fill the catalog", "Import offerings, or look at those that are there.", "/catalog",
         _P.CATALOG_READ),
    Step("item", "Offer a product",
         "Publish its item to consumers. An offering needs the channel Service Exchange. Publish Manage Inventory too: "
         "with it consumers change what they have.",
         "/producers", _P.PRODUCER_READ),
    Step("registration", "Invite a consumer", "Register it, and hand its token over.", "/connections",
         _P.CONNECTION_READ),
    Step("connection", "Connect it", "The consumer uses the token; then the connection is active.", "/connections",
         _P.CONNECTION_READ),
    Step("order", "Get the first order", "The consumer activates the item and orders it.", "/orders", _P.ORDER_READ),
    Step("fulfilment", "Approve and fulfil an order", "Approve it, work its tasks, complete it.", "/orders",
         _P.ORDER_READ),
)  # fmt: skip


@pages.page("/", SIGNED_IN)
def show() -> str:
    with here().database.reading() as session:
        counts = count_waiting(session, actor=actor(), permissions=current_user.permissions, now=here().clock())
        done = read_first_steps(session)
    return show_start(WAITING, counts, STEPS, done, lambda permission: holders(Permission(permission)))
