"""Approvals that our people ask consumers for on provider tasks, with or without an order.

They inform people: neither an order nor a case waits for one. Each is settled once, under the lock of its task, and
every step is one audit entry and one event in the task's stream.
"""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from bridge.ids import new_id
from bridge.models import Instance
from bridge.outbox import record_event
from bridge.vocabulary import EventType
from provider.domain.errors import Conflict, FieldError, InvalidFields, NotFound
from provider.domain.task_approvals import TaskApprovalState, check_question, settle
from provider.models.orders import ProviderTask
from provider.models.task_approvals import TaskApproval
from provider.services.audit import record_audit
from provider.services.case_view import moment
from provider.services.order_locks import lock_connection
from provider.services.provider_tasks import get_task, own_name, task_stream
from provider.services.scratchpads import find_by_number, is_over

Document = dict[str, Any]

_S = TaskApprovalState


def ask_approval(
    session: Session, number: str, *, subject: str, due_on: date | None, actor: str, now: datetime
) -> Document:
    """Ask the consumer to approve something; the number is the task's. Raises NotFound, InvalidFields, and Conflict
    `task_over` or `too_many_open`.
    """
    task = _lock(session, find_by_number(session, number))
    counted = select(func.count()).where(TaskApproval.provider_task_id == task.id, TaskApproval.state == _S.OPEN)
    subject = check_question(
        subject, due_on, open_already=session.execute(counted).scalar_one(), today=now.astimezone(UTC).date()
    )
    if is_over(session, task):
        raise Conflict("task_over", "this provider task is over: there is nothing left to approve")
    approval = TaskApproval(
        id=new_id(), provider_task_id=task.id, subject=subject, due_on=due_on, state=_S.OPEN,
        asked_by=actor.removeprefix("user/"), asked_at=now,
    )  # fmt: skip
    session.add(approval)
    session.flush()
    _note(session, task, approval, actor, now)
    return approval_data(approval, task, own_name(session))


def withdraw_approval(
    session: Session, number: str, approval_id: str, *, reason: str, actor: str, now: datetime
) -> Document:
    """Take it back while nobody has answered. Raises NotFound, and Conflict `approval_not_open`."""
    task = _lock(session, find_by_number(session, number))
    approval, by = _get_approval(session, task, approval_id), actor.removeprefix("user/")
    _settle(session, task, approval, _S.WITHDRAWN, reason=reason, by=by, actor=actor, now=now)
    return approval_data(approval, task, own_name(session))


def answer_approval(
    session: Session, connection_id: str, external_id: str, *, approval_id: str, is_approved: bool, reason: str,
    person: str, now: datetime,
) -> Document:  # fmt: skip
    """The consumer's answer; the first one stands, and the same again changes nothing. Raises NotFound, InvalidFields,
    and Conflict `approval_not_open`.
    """
    task = _lock(session, get_task(session, connection_id, external_id))
    approval, wanted = _get_approval(session, task, approval_id), _S.APPROVED if is_approved else _S.REJECTED
    if not is_approved and not reason.strip():
        raise InvalidFields([FieldError("/reason", "required", "must say why it is rejected: the provider reads it")])
    if approval.state != wanted:
        actor = f"connection/{connection_id}"
        _settle(session, task, approval, wanted, reason=reason, by=person, actor=actor, now=now)
    return approval_data(approval, task, own_name(session))


def end_approvals(session: Session, task: ProviderTask, *, actor: str, now: datetime) -> None:
    """The task is over: nobody has to answer any more. The task is locked already."""
    query = select(TaskApproval).where(TaskApproval.provider_task_id == task.id, TaskApproval.state == _S.OPEN)
    for approval in session.scalars(query.order_by(TaskApproval.asked_at, TaskApproval.id)).all():
        _settle(session, task, approval, _S.ENDED, reason="", by=None, actor=actor, now=now)


def list_approvals(session: Session, number: str) -> list[Document]:
    """By the number of the task, the oldest first. Raises NotFound."""
    found = read_approvals(session, number)
    if not found:
        find_by_number(session, number)
    return found


def read_approvals(session: Session, number: str) -> list[Document]:
    """The same for a task that is known to be there, in one query."""
    return _read(session, ProviderTask.number == number)


def list_own_approvals(session: Session, connection_id: str, external_id: str) -> list[Document]:
    """The same of a consumer's task. Raises NotFound."""
    return _read(session, ProviderTask.id == get_task(session, connection_id, external_id).id)


def approval_data(approval: TaskApproval, task: ProviderTask, company: str) -> Document:
    """In the words of the wire; `company` is what consumers know us by."""
    return {
        "task_id": task.external_id,
        "approval_id": approval.id,
        "subject": approval.subject,
        "due_on": approval.due_on.isoformat() if approval.due_on else None,
        "state": str(approval.state),
        "state_label": TaskApprovalState(approval.state).label,
        "asked_by": {"name": approval.asked_by, "company": company},
        "asked_at": moment(approval.asked_at),
        "settled_by": approval.settled_by,
        "settled_at": moment(approval.settled_at) if approval.settled_at else None,
        "reason": approval.reason,
    }


def _read(session: Session, condition: ColumnElement[bool]) -> list[Document]:
    rows: Any = select(TaskApproval, ProviderTask, select(Instance.name).scalar_subquery())
    rows = rows.join(ProviderTask, ProviderTask.id == TaskApproval.provider_task_id).where(condition)
    rows = rows.order_by(TaskApproval.asked_at, TaskApproval.id)
    return [approval_data(approval, task, company) for approval, task, company in session.execute(rows)]


def _settle(
    session: Session, task: ProviderTask, approval: TaskApproval, wanted: TaskApprovalState, *, reason: str,
    by: str | None, actor: str, now: datetime,
) -> None:  # fmt: skip
    approval.state = settle(_S(approval.state), wanted, by=approval.settled_by)
    approval.settled_by, approval.settled_at, approval.reason = by, now, reason.strip() or None
    session.flush()
    _note(session, task, approval, actor, now)


def _note(session: Session, task: ProviderTask, approval: TaskApproval, actor: str, now: datetime) -> None:
    """One entry in the audit, one event."""
    told = {"approval_id": approval.id, "subject": approval.subject, "by": approval.settled_by}
    record_audit(session, actor, f"task_approval.{approval.state}", f"provider_task/{task.number}", now, told)
    data = approval_data(approval, task, own_name(session))
    record_event(session, task_stream(task), EventType.APPROVAL_CHANGED, data, to=[task.connection_id], now=now)


def _get_approval(session: Session, task: ProviderTask, approval_id: str) -> TaskApproval:
    """As it is now that its task is locked. Raises NotFound, also for one of another task."""
    approval = session.get(TaskApproval, approval_id, populate_existing=True)
    if approval is None or approval.provider_task_id != task.id:
        raise NotFound("approval", approval_id)
    return approval


def _lock(session: Session, task: ProviderTask) -> ProviderTask:
    """One of them is settled at a time; in the order of `order_locks`."""
    lock_connection(session, task.connection_id)
    session.refresh(task, with_for_update={"key_share": True})
    return task
