"""Calls that a restored provider has forgotten: made again, each once, as our records say that they still count.

What it refused before is not asked again, for it might be granted now; what counts only in the light of what followed
(a request, a remote task) is said as it is now.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bridge.models import Delivery, Instance, OutboxEvent, Stream
from bridge.outbox import record_call
from consumer_sim.models import Comment, ProviderTask
from consumer_sim.models_attachments import Attachment
from consumer_sim.models_remote_tasks import RemoteTask, RemoteTaskEntry, Ticket
from consumer_sim.models_task_approvals import TaskApproval
from consumer_sim.services import cases, comments, requests
from consumer_sim.services import remote_task_calls as calls
from consumer_sim.services.remote_task_definitions import ACTIVATION, ask_again

CALLS_AT_ONCE = 200

Said = Mapping[str, Any]


def newest_calls(session: Session, connection_id: str, before: str | None) -> list[str]:
    """Keys of the calls that were answered, newest first, from behind that one on."""
    query = select(Delivery.id).where(Delivery.connection_id == connection_id, Delivery.state == "delivered")
    if before:
        query = query.where(Delivery.id < before)
    return list(session.scalars(query.order_by(Delivery.id.desc()).limit(CALLS_AT_ONCE)))


def is_waiting(session: Session, connection_id: str) -> bool:
    """Whether any call is still to be answered; one that waits for people does not count."""
    waiting = select(Stream.id).where(
        Stream.connection_id == connection_id, Stream.next_sequence > Stream.head, Stream.blocked_by.is_(None)
    )
    return session.scalars(waiting.limit(1)).first() is not None


def call_again(session: Session, connection_id: str, keys: Sequence[str], *, now: datetime) -> None:
    """Make these calls again, in their order, record by record."""
    query = (
        select(Stream.stream, OutboxEvent.type, Delivery.target, Delivery.text)
        .join(Stream, Stream.id == Delivery.stream_id)
        .join(OutboxEvent, OutboxEvent.id == Delivery.event_id)
        .where(Delivery.connection_id == connection_id, Delivery.id.in_(keys))
        .order_by(Delivery.stream_id, Delivery.sequence)
    )
    lost: Mapping[str, list[tuple[str, str, Said]]] = defaultdict(list)
    for stream, operation, target, text in session.execute(query):
        lost[stream].append((operation, target or "", json.loads(text or "{}")))
    for stream in sorted(lost):
        kind, _, record_id = stream.partition("/")
        if kind == "provider_task":
            _task_again(session, connection_id, record_id, lost[stream], now)
        elif kind == "remote_task":
            _remote_task_again(session, connection_id, record_id, lost[stream], now)
        else:  # what is said of users is told again as a whole
            _last_again(session, connection_id, stream, lost[stream], now)
    session.flush()


def _last_again(
    session: Session, connection_id: str, stream: str, lost: Sequence[tuple[str, str, Said]], now: datetime
) -> None:
    operation, target, body = lost[-1]
    if operation in ("activation", ACTIVATION):
        record_call(session, stream, operation, target, body, to=connection_id, now=now)


def _task_again(
    session: Session, connection_id: str, task_id: str, lost: Sequence[tuple[str, str, Said]], now: datetime
) -> None:
    task = session.get(ProviderTask, (connection_id, task_id), with_for_update=True)
    if task is None or task.submission != "accepted":
        return
    operations = [operation for operation, _, _ in lost]
    if "submit" in operations and task.request is not None:
        task.submission = "waiting"
        requests.send_create(session, task, now)
        _say_what_was_told(session, task, now)
    for place, (operation, _, body) in enumerate(lost):
        is_last = operation not in operations[place + 1 :]
        if _still_counts(session, task, operation, body, is_last and "submit" not in operations):
            requests.send(session, task, operation, body, now)


def _say_what_was_told(session: Session, task: ProviderTask, now: datetime) -> None:
    """People there must not do again what was done: they read how far it was, and what they had proposed."""
    case = cases.find_case(session, task)
    if task.state in (None, "received") and (case is None or case.resolution_code is None):
        return
    told = " ".join(filter(None, [task.order_number, task.order_state_label or task.state_label]))
    text = f"Sent again after a restore of yours. Before it you had told: {told}."
    if case is not None and case.resolution_code is not None:
        text += f" Proposed solution: {case.resolution_label}. {case.resolution_text}"
    name = session.scalars(select(Instance.name)).one()
    comments.add_comment(session, task, text, name, name, now=now)


def _still_counts(session: Session, task: ProviderTask, operation: str, body: Said, is_last: bool) -> bool:
    """Whether it was granted, and nothing that followed took its place."""
    record_id = (task.connection_id, str(body.get("id")))
    approval = session.get(TaskApproval, (task.connection_id, str(body.get("approval_id"))))
    comment, file = session.get(Comment, record_id), session.get(Attachment, record_id)
    case = cases.find_case(session, task)
    counts = {
        "comment": comment is not None and comment.sent == "accepted",
        "attachment": file is not None and file.own and file.state != "refused",
        "scratchpad": True,  # of two writes the later one stands, so all of them in their order
        "acknowledgement": case is not None and case.acknowledgement == "accepted",
        "approval_answer": approval is not None and approval.answer_sent == "accepted",
        "answer": is_last and case is not None and case.answer_sent == "accepted",
        "cancel": task.cancellation == "accepted",
        "resubmit": is_last and task.resubmission == "accepted",
    }
    return counts.get(operation, False)


def _remote_task_again(
    session: Session, connection_id: str, task_id: str, lost: Sequence[tuple[str, str, Said]], now: datetime
) -> None:
    """Fields count their changes and comments have ids: all of them can be told, and only what is news is taken in."""
    ticket_id = select(RemoteTask.ticket_id).where(RemoteTask.connection_id == connection_id, RemoteTask.id == task_id)
    ticket = session.scalars(select(Ticket).where(Ticket.id.in_(ticket_id.scalar_subquery())).with_for_update()).first()
    task = session.get(RemoteTask, (connection_id, task_id), with_for_update=True)
    if task is None or task.submission != "accepted":
        return
    if ticket is not None and any(operation == calls.CREATE for operation, _, _ in lost):
        ask_again(session, task, ticket, now=now)
        return
    said = [str(body.get("id")) for operation, _, body in lost if operation == calls.COMMENT]
    session.execute(
        delete(RemoteTaskEntry).where(
            RemoteTaskEntry.connection_id == connection_id, RemoteTaskEntry.remote_task_id == task_id,
            RemoteTaskEntry.entry_id.in_(said), RemoteTaskEntry.from_provider.is_(False),
        )
    )  # fmt: skip
    calls.send_standing(session, task, now)
    if ticket is not None and task.status == "connected":
        calls.catch_up(session, task, ticket, now)
