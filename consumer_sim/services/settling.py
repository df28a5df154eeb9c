"""What the provider's final answer to one of our calls does here, in the transaction that settles the call."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from bridge.carriers import CallAnswer
from consumer_sim.models import Comment, ProviderTask
from consumer_sim.services import (
    attachments,
    authorised_users,
    cases,
    catalog,
    numbers,
    remote_tasks,
    requests,
    scratchpads,
    task_approvals,
)
from consumer_sim.services.live_choices import forget_refused

# Codes of docs/wire.md that answer the operation. A 404 about a task that was accepted is not among them: the two sides
# disagree then, the call parks, and people look at it.
_ALWAYS_FINAL = frozenset({"invalid_fields", "idempotency_key_reused"})
_FINAL = {
    "submit": {
        "number_taken",
        "already_accepted",
        "revision_superseded",
        "not_found",
        "product_busy",
        "action_not_allowed",
    },
    "resubmit": {"revision_superseded", "illegal_move"},
    "cancel": {"past_point_of_no_return", "illegal_move"},
    "comment": {"already_accepted", "comment_exists"},
    "answer": {"illegal_move"},
    "acknowledgement": {"illegal_move"},
    task_approvals.OPERATION: {"approval_not_open"},
    # Also of a provider that knows no scratchpads.
    "scratchpad": {"scratchpad_full", "task_over", "not_found", "method_not_allowed"},
    # Also of a provider that knows no attachments: a file must never hold up what comes after it.
    "attachment": {"attachment_refused", "attachment_exists", "not_found", "method_not_allowed"},
    "activation": {"not_found", "revision_archived", "version_too_old"},
    **remote_tasks.OPERATIONS,
    authorised_users.OPERATION: authorised_users.FINAL,
}


def is_final(operation: str, code: str) -> bool:
    """Whether a problem with this code settles a call of this operation; anything else says nothing about it."""
    return code in _ALWAYS_FINAL or code in _FINAL.get(operation, ())


def apply_answer(session: Session, answer: CallAnswer, now: datetime) -> None:
    """Safe to repeat, and silent about a record that is gone: an answer must never be what stops a drain."""
    if answer.operation in remote_tasks.OPERATIONS:
        remote_tasks.settle_answer(session, answer, now)
        return
    if answer.operation == "activation":
        catalog.settle_activation(session, answer.connection_id, _record_id(answer), _refusal_text(answer))
        return
    if answer.operation == authorised_users.OPERATION:
        authorised_users.settle_telling(session, answer, now)
        return
    task = session.get(ProviderTask, (answer.connection_id, _record_id(answer)), with_for_update=True)
    settle = _SETTLE.get(answer.operation)
    if task is not None and settle is not None:
        settle(session, task, answer, now)
        task.updated_at = now


def _settle_submit(session: Session, task: ProviderTask, answer: CallAnswer, now: datetime) -> None:
    if answer.accepted:
        task.submission, task.refusal = "accepted", None
        requests.release_held(session, task, now)
    elif answer.body.get("revision") != task.revision or task.submission != "waiting":
        return  # a correction is under way already
    elif answer.code == "number_taken":
        free = answer.document.get("next_number")
        task.number = numbers.next_task_number(
            session, task.connection_id, free_from=free if isinstance(free, str) else None
        )
        task.revision += 1
        requests.send_create(session, task, now)
    else:
        task.submission, task.refusal = "refused", dict(answer.document)
        forget_refused(session, task.connection_id, answer.document)
        if task.cancellation == "waiting":
            task.cancellation = "accepted"
            requests.withdraw(session, task, now)


def _settle_resubmit(session: Session, task: ProviderTask, answer: CallAnswer, now: datetime) -> None:
    if answer.body.get("revision") == task.revision:
        task.resubmission = "accepted" if answer.accepted else "refused"
        task.refusal = None if answer.accepted else dict(answer.document)
        forget_refused(session, task.connection_id, answer.document)


def _settle_cancel(session: Session, task: ProviderTask, answer: CallAnswer, now: datetime) -> None:
    task.cancellation = "accepted" if answer.accepted else "refused"
    task.cancellation_reason = _refusal_text(answer)
    if not answer.accepted:
        task.cancellation_told, task.cancellation_message = "refused", task.cancellation_reason


def _settle_comment(session: Session, task: ProviderTask, answer: CallAnswer, now: datetime) -> None:
    comment = session.get(Comment, (answer.connection_id, str(answer.body.get("id"))))
    if comment is None:
        return
    comment.sent, comment.problem = ("accepted" if answer.accepted else "refused"), _refusal_text(answer)
    author = answer.document.get("author")
    company = author.get("company") if isinstance(author, dict) else None
    if answer.accepted and isinstance(company, str):
        comment.author_company = company[:255]  # the provider knows us by the name of our registration


def _settle_attachment(session: Session, task: ProviderTask, answer: CallAnswer, now: datetime) -> None:
    attachments.settle_announcement(session, answer, now)


def _settle_answer(session: Session, task: ProviderTask, answer: CallAnswer, now: datetime) -> None:
    cases.settle_answer(session, task, answer, _refusal_text(answer))


def _settle_acknowledgement(session: Session, task: ProviderTask, answer: CallAnswer, now: datetime) -> None:
    cases.settle_acknowledgement(session, task, answer)


def _settle_write(session: Session, task: ProviderTask, answer: CallAnswer, now: datetime) -> None:
    scratchpads.settle_write(session, task, answer, _refusal_text(answer))


def _settle_approval(session: Session, task: ProviderTask, answer: CallAnswer, now: datetime) -> None:
    task_approvals.settle_answer(session, task, answer, _refusal_text(answer))


_SETTLE: dict[str, Callable[[Session, ProviderTask, CallAnswer, datetime], None]] = {
    "submit": _settle_submit,
    "resubmit": _settle_resubmit,
    "cancel": _settle_cancel,
    "comment": _settle_comment,
    "attachment": _settle_attachment,
    "answer": _settle_answer,
    "acknowledgement": _settle_acknowledgement,
    "scratchpad": _settle_write,
    task_approvals.OPERATION: _settle_approval,
}


def _record_id(answer: CallAnswer) -> str:
    return answer.stream.partition("/")[2]


def _refusal_text(answer: CallAnswer) -> str | None:
    """What people read; None for an accepted call."""
    if answer.accepted:
        return None
    text = answer.document.get("detail") or answer.document.get("title")
    return str(text or f"refused: {answer.code}")[:2000]
