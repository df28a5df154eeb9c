"""All that a requester wants to know of one request: how far it is, what was said, what came of it, what one can do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bridge.ailments import is_paused_there
from bridge.models import Connection, Lease
from consumer_sim.models import CatalogItem, Comment, Product, ProviderTask, TaskState
from consumer_sim.models_attachments import Attachment
from consumer_sim.models_cases import Case
from consumer_sim.models_task_approvals import TaskApproval
from consumer_sim.services import comments, requests, tasks
from consumer_sim.services.attachments import get_attachments
from consumer_sim.services.cases import can_answer, find_case
from consumer_sim.services.request_search import Found, get_found, stage_of_step
from consumer_sim.services.scratchpads import show_entries
from consumer_sim.services.task_approvals import get_approvals

_PRODUCTS_SHOWN = 50
_BEFORE_APPROVAL = ("draft", "submitted", "enrichment_in_progress", "enrichment_on_hold", "new", "rejected")


@dataclass(frozen=True, slots=True)
class Way:
    """Whether what we say reaches the provider. `waiting` words name what is still here; `failing_since` is empty while
    the provider answers, `stuck` unless people must help.
    """

    waiting: Sequence[str]
    connection_state: str
    failing_since: datetime | None
    is_paused_there: bool
    stuck: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """What changed for the requester. `mark` says what happened within a stage: `ponr` or `too_late` to cancel."""

    stage: str
    mark: str | None
    reason: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class RequestView:
    """`products` are the first ones of `product_count`."""

    found: Found
    form: dict[str, Any]
    timeline: Sequence[TaskState]
    comments: Sequence[Comment]
    products: Sequence[Product]
    product_count: int
    way: Way
    attachments: Sequence[Attachment] = ()
    product: Product | None = None
    """What an action is about."""
    case: Case | None = None
    """What the provider tells of a task without an order."""
    is_case: bool = False
    """Whether there is no order, also while nothing was told yet."""
    scratchpad: Sequence[dict[str, Any]] = ()
    approvals: Sequence[TaskApproval] = ()
    """What the provider asks us to approve, settled ones, too."""
    prices: Sequence[dict[str, Any]] = ()
    """Of the item, as its provider tells them now; empty where it does not, and for an action."""

    @property
    def is_told(self) -> bool:
        """Whether the provider opened it."""
        return self.case is not None and self.case.opened_by == "provider"

    @property
    def can_answer(self) -> bool:
        """Whether a proposed solution waits for us."""
        return can_answer(self.task, self.case)

    @property
    def task(self) -> ProviderTask:
        return self.found.task

    @property
    def was_approved(self) -> bool:
        """Whether work on it was let begin, whatever became of that."""
        return any(step.order_state not in (None, *_BEFORE_APPROVAL, "cancelled") for step in self.timeline)

    @property
    def history(self) -> list[Step]:
        """The timeline in stages, oldest first; what the provider's order did within one is left out."""
        steps: list[Step] = []
        before: TaskState | None = None
        for told in self.timeline:
            stage = stage_of_step(told.state, told.order_state, is_case=self.is_case)
            is_same = before is not None and told.order_state is not None and told.order_state == before.order_state
            mark = ("too_late" if told.cancellation == "refused" else "ponr") if is_same else None
            if mark or not steps or stage != steps[-1].stage or told.reason not in (None, before and before.reason):
                steps.append(Step(stage, mark, None if mark else told.reason, told.at))
            before = told
        return steps

    @property
    def is_asked(self) -> bool:
        """Whether the provider waits for an answer of ours."""
        return self.found.stage == "awaiting_info" and (self.is_case or self.task.order_state == "awaiting_information")


def get_request_view(session: Session, connection_id: str, task_id: str) -> RequestView:
    """Raises NotFound."""
    found = get_found(session, connection_id, task_id)
    said = comments.get_comments(session, connection_id, [task_id])[task_id]
    products = select(Product).where(Product.connection_id == connection_id, Product.task_id == task_id)
    case = find_case(session, found.task)
    first = products.order_by(Product.number, Product.id).limit(_PRODUCTS_SHOWN)
    return RequestView(
        found=found,
        form=get_form(session, found.task),
        timeline=tasks.get_timeline(session, found.task),
        comments=said,
        products=session.scalars(first).all(),
        product_count=session.scalar(select(func.count()).select_from(products.subquery())) or 0,
        attachments=get_attachments(session, connection_id, task_id),
        way=_way_of(session, found.task, said),
        product=session.get(Product, (connection_id, found.task.product_id)) if found.task.product_id else None,
        case=case,
        is_case=case is not None or _needs_no_order(session, found.task),
        scratchpad=show_entries(session, found.task),
        approvals=get_approvals(session, found.task),
        prices=_prices_of(session, found.task),
    )


def _prices_of(session: Session, task: ProviderTask) -> Sequence[dict[str, Any]]:
    item = _item_of(session, task)
    return () if item is None or task.action else item.prices or ()


def _item_of(session: Session, task: ProviderTask) -> CatalogItem | None:
    return session.get(CatalogItem, (task.connection_id, task.catalog_item_id)) if task.catalog_item_id else None


def _needs_no_order(session: Session, task: ProviderTask) -> bool:
    item = _item_of(session, task)
    return item is not None and item.kind == "task" and task.order_number is None


def get_form(session: Session, task: ProviderTask) -> dict[str, Any]:
    """The form that a correction has to fit, and by which answers are told; an empty one where the item is unknown."""
    item = _item_of(session, task)
    return {"variables": [], "parts": []} if item is None else item.active_form or item.form


def can_correct(task: ProviderTask) -> bool:
    """Whether the provider has sent it back. The item may still be in the way, which only an attempt tells."""
    if task.placeholder or task.action or task.resubmission == "waiting" or task.approval == "waiting":
        return False
    return task.submission == "refused" or (task.submission == "accepted" and task.order_state == "rejected")


def can_cancel(task: ProviderTask) -> bool:
    """Whether asking makes sense. The provider may still refuse."""
    is_over = task.submission == "withdrawn" or task.state in ("closed", "cancelled")
    return not (is_over or task.ponr or requests.cancellation_stage(task) in ("waiting", "requested", "approved"))


def cancels_at_once(task: ProviderTask) -> bool:
    """Whether the provider need not agree, as far as we know: nothing of it was approved yet."""
    return task.submission != "accepted" or task.order_state in (None, *_BEFORE_APPROVAL)


def _way_of(session: Session, task: ProviderTask, said: Sequence[Comment]) -> Way:
    query = select(Connection.state, Lease.failing_since, Lease.last_error).outerjoin(
        Lease, Lease.connection_id == Connection.id
    )
    state, failing_since, last_error = session.execute(query.where(Connection.id == task.connection_id)).one()
    stream = requests.stream_of(task)
    return Way(
        waiting=_waiting(task, said),
        connection_state=state,
        failing_since=failing_since,
        is_paused_there=failing_since is not None and is_paused_there(last_error),
        stuck=tasks.find_parked(session, task.connection_id, [stream]).get(stream),
    )


def _waiting(task: ProviderTask, said: Sequence[Comment]) -> list[str]:
    waits = {
        "request": task.submission == "waiting" and not requests.is_held_back(task),
        "correction": task.resubmission == "waiting",
        "cancellation": task.cancellation == "waiting",
        "comment": not requests.is_held_back(task) and any(comment.sent == "waiting" for comment in said),
    }
    return [name for name, is_waiting in waits.items() if is_waiting]
