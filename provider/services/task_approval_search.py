"""Approvals that consumers were asked for, over all tasks: which still wait."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from provider.domain.task_approvals import TaskApprovalState
from provider.models.cases import Case
from provider.models.orders import CustomerOrder, ProviderTask
from provider.models.task_approvals import TaskApproval
from provider.services.slices import read_slice

Document = dict[str, Any]

_COMPANY = func.coalesce(CustomerOrder.company, Case.company)
_COLUMNS: Mapping[str, ColumnElement[Any]] = {
    "asked": TaskApproval.asked_at.expression,
    "due": TaskApproval.due_on.expression,
    "number": ProviderTask.number.expression,
    "company": func.lower(_COMPANY),
    "state": TaskApproval.state.expression,
}
SORTABLE = tuple(_COLUMNS)


def search_task_approvals(
    session: Session, *, text: str = "", state: str = "", sort: str = "asked", descending: bool = False,
    offset: int = 0, limit: int = 25,
) -> tuple[list[Document], int]:  # fmt: skip
    """One page of them, each with the number of its task, and of its order if it has one, and how many there are."""
    columns: Any = (TaskApproval, ProviderTask.number, CustomerOrder.number, _COMPANY)
    query = (
        select(*columns)
        .join(ProviderTask, ProviderTask.id == TaskApproval.provider_task_id)
        .outerjoin(CustomerOrder, CustomerOrder.id == ProviderTask.order_id)
        .outerjoin(Case, Case.provider_task_id == ProviderTask.id)
    )
    if state:
        query = query.where(TaskApproval.state == state)
    if text:
        told = (TaskApproval.subject, ProviderTask.number, CustomerOrder.number, _COMPANY)
        query = query.where(or_(*(one.icontains(text, autoescape=True) for one in told)))
    first = _COLUMNS[sort]
    query = query.order_by(first.desc() if descending else first.asc(), TaskApproval.id)
    found, total = read_slice(session, query, offset=offset, limit=limit)
    return [_row(*row) for row in found], total


def count_open_approvals(session: Session) -> int:
    """How many wait for an answer of a consumer."""
    return session.scalar(select(func.count()).where(TaskApproval.state == TaskApprovalState.OPEN)) or 0


def _row(approval: TaskApproval, task_number: str, order_number: str | None, company: str) -> Document:
    names = ("subject", "due_on", "state", "asked_by", "asked_at", "settled_by", "settled_at", "reason")
    return {name: getattr(approval, name) for name in names} | {
        "state_label": TaskApprovalState(approval.state).label,
        "number": task_number,
        "order_number": order_number,
        "company": company,
    }
