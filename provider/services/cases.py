"""Provider tasks without an order: opened by a consumer or by us, worked on by agents, accepted by consumers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from bridge.ids import new_id
from bridge.models import Connection, table_of
from bridge.outbox import record_event
from bridge.vocabulary import ConnectionState, EventType
from provider.domain.cases import OVER, Priority, Side, check_solution, move_case
from provider.domain.errors import Conflict, FieldError, InvalidFields, NotFound
from provider.domain.provider_tasks import ProviderTaskState
from provider.models.access import Registration
from provider.models.cases import Case, CaseChange
from provider.models.orders import ProviderTask
from provider.services.audit import record_audit
from provider.services.case_view import case_data
from provider.services.numbers import next_number
from provider.services.order_locks import lock_connection
from provider.services.provider_tasks import get_task, show_case_task, task_stream
from provider.services.task_approvals import end_approvals

Document = dict[str, Any]

_S = ProviderTaskState
_ADD_CHANGE = insert(table_of(CaseChange))


@dataclass
class LockedCase:
    """A provider task without an order, and its case."""

    task: ProviderTask
    case: Case

    @property
    def state(self) -> ProviderTaskState:
        return _S(self.case.state)


def make_case(task: Mapping[str, Any], *, company: str, name: str, now: datetime) -> Case:
    """The case of a request that was just received; neither is in the session yet."""
    return Case(
        provider_task_id=task["id"],
        connection_id=task["connection_id"],
        company=company,
        opened_by=Side.CONSUMER,
        short_description=name,
        description=task["request"].get("note") or "",
        priority=Priority.MODERATE.rank,
        state=_S.RECEIVED,
        opened_at=task["opened_at"],
        updated_at=now,
    )


def add_case(session: Session, task: ProviderTask, case: Case, *, actor: str, now: datetime) -> None:
    """Write a new case down, and tell the consumer of it. Its task is in the database already."""
    session.add(case)
    session.flush()
    _note(session, task, case, before=None, actor=actor, person=None, now=now)


def open_case(
    session: Session, connection_id: str, *, short_description: str, description: str, priority: str, actor: str,
    now: datetime,
) -> LockedCase:  # fmt: skip
    """Tell a consumer of something on our own. Raises NotFound, and Conflict for a connection that is not in use."""
    connection = session.get(Connection, connection_id, with_for_update={"read": True})
    if connection is None:
        raise NotFound("connection", connection_id)
    if connection.state in (ConnectionState.PENDING, ConnectionState.REVOKED):
        raise Conflict("connection_not_active", f"the connection is {connection.state}: nothing can be told there")
    company = session.scalar(select(Registration.company).where(Registration.connection_id == connection_id))
    task = ProviderTask(
        id=new_id(),
        connection_id=connection_id,
        external_id=new_id(),
        number=next_number(session, "provider_task"),
        revision=1,
        fingerprint="",
        request={},
        requested_by={"name": actor.removeprefix("user/")},
        opened_at=now,
        received_at=now,
    )
    case = Case(
        provider_task_id=task.id,
        connection_id=connection_id,
        company=company or connection.name,
        opened_by=Side.PROVIDER,
        short_description=short_description,
        description=description,
        priority=Priority(priority).rank,
        state=_S.RECEIVED,
        opened_at=now,
        updated_at=now,
    )
    session.add(task)
    session.flush()
    add_case(session, task, case, actor=actor, now=now)
    record_audit(session, actor, "case.open", f"provider_task/{task.number}", now)
    return LockedCase(task, case)


def take_case(session: Session, number: str, *, actor: str, now: datetime) -> LockedCase:
    """Make it mine; one that was only received is in work from now on. Raises NotFound, IllegalMove when it is over."""
    locked = lock_case(session, number)
    locked.case.assigned_to = actor
    if locked.state is _S.RECEIVED or locked.state in OVER:
        _move(session, locked, _S.WORK_IN_PROGRESS, actor=actor, now=now)
    record_audit(session, actor, "case.take", f"provider_task/{number}", now)
    return locked


def give_back_case(session: Session, number: str, *, actor: str, now: datetime) -> LockedCase:
    """Make it nobody's, in the state it has. Raises NotFound."""
    locked = lock_case(session, number)
    locked.case.assigned_to = None
    record_audit(session, actor, "case.give_back", f"provider_task/{number}", now)
    return locked


def ask_consumer(session: Session, number: str, *, question: str, actor: str, now: datetime) -> LockedCase:
    """Let it wait for an answer; the consumer's next comment is one. Raises NotFound, IllegalMove."""
    return _move(
        session, lock_case(session, number), _S.AWAITING_INFO, reason=_said(question, "/question"), actor=actor, now=now
    )


def resume_case(session: Session, number: str, *, actor: str, now: datetime) -> LockedCase:
    """Go on without an answer. Raises NotFound, IllegalMove unless it waits for one."""
    return _move(session, lock_case(session, number), _S.WORK_IN_PROGRESS, actor=actor, now=now)


def propose_solution(session: Session, number: str, *, code: str, text: str, actor: str, now: datetime) -> LockedCase:
    """Say how it is solved, and let the consumer accept or reject that. Raises NotFound, InvalidFields, IllegalMove."""
    locked, solution = lock_case(session, number), check_solution(code, text)
    locked.case.resolution_code, locked.case.resolution_text = solution.code, solution.text
    return _move(session, locked, _S.RESOLVED, actor=actor, now=now)


def close_unanswered(session: Session, number: str, *, reason: str, actor: str, now: datetime) -> LockedCase:
    """Close it with the solution that the consumer does not answer. Raises NotFound, IllegalMove."""
    return _move(session, lock_case(session, number), _S.CLOSED, reason=_said(reason, "/reason"), actor=actor, now=now)


def withdraw_case(session: Session, number: str, *, reason: str, actor: str, now: datetime) -> LockedCase:
    """Take back what we opened. Raises NotFound, IllegalMove, and Conflict for what a consumer asked for."""
    return _move(
        session, lock_case(session, number), _S.CANCELLED, reason=_said(reason, "/reason"), actor=actor, now=now
    )


def answer_solution(
    session: Session, connection_id: str, external_id: str, *, is_accepted: bool, reason: str, person: str | None,
    now: datetime,
) -> Document:  # fmt: skip
    """The consumer accepts the proposed solution, which closes it, or says why not. The task as it is then.

    An acceptance of what is closed already changes nothing. Raises NotFound, IllegalMove, InvalidFields.
    """
    locked, actor = lock_case_of_task(session, connection_id, external_id), f"connection/{connection_id}"
    if is_accepted and locked.state is _S.CLOSED:
        return show_case_task(locked.task, locked.case)
    wanted = _S.CLOSED if is_accepted or locked.state is not _S.RESOLVED else _S.WORK_IN_PROGRESS
    why = reason.strip() or None if is_accepted else _said(reason, "/reason")
    _move(session, locked, wanted, reason=why, actor=actor, person=person, now=now)
    return show_case_task(locked.task, locked.case)


def acknowledge_case(session: Session, connection_id: str, external_id: str, *, person: str, now: datetime) -> Document:
    """The consumer has seen what we opened; the first who says so is kept. Raises NotFound, Conflict."""
    locked = lock_case_of_task(session, connection_id, external_id)
    if locked.case.opened_by != Side.PROVIDER:
        raise Conflict("illegal_move", "this is a request of yours: only what the provider opened is acknowledged")
    if locked.case.acknowledged_at is None:
        locked.case.acknowledged_by, locked.case.acknowledged_at = person, now
        session.flush()
        tell_case(session, locked.task, locked.case, now=now)
    return show_case_task(locked.task, locked.case)


def cancel_case(
    session: Session, connection_id: str, external_id: str, *, reason: str, person: str | None, now: datetime
) -> Document:
    """The consumer takes its request back, in any state before the end. Raises NotFound, IllegalMove, Conflict."""
    locked = lock_case_of_task(session, connection_id, external_id)
    if locked.state is _S.CANCELLED:
        return show_case_task(locked.task, locked.case)
    actor = f"connection/{connection_id}"
    _move(session, locked, _S.CANCELLED, reason=reason.strip() or None, actor=actor, person=person, now=now)
    return show_case_task(locked.task, locked.case)


def take_answer(session: Session, task: ProviderTask, *, person: str, now: datetime) -> None:
    """The consumer said something: if its answer was waited for, the work goes on."""
    locked = lock_case_of_task(session, task.connection_id, task.external_id)
    if locked.state is _S.AWAITING_INFO:
        actor = f"connection/{task.connection_id}"
        _move(session, locked, _S.WORK_IN_PROGRESS, actor=actor, person=person, now=now)


def lock_case(session: Session, number: str) -> LockedCase:
    """By the number of its task. Raises NotFound."""
    query = select(ProviderTask).join(Case, Case.provider_task_id == ProviderTask.id)
    task = session.scalars(query.where(ProviderTask.number == number)).first()
    if task is None:
        raise NotFound("provider task", number)
    return _lock(session, task)


def lock_case_of_task(session: Session, connection_id: str, external_id: str) -> LockedCase:
    """By the consumer's id. Raises NotFound, also for another connection's task, and Conflict for one with an order."""
    task = get_task(session, connection_id, external_id)
    if task.order_id is not None:
        raise Conflict("illegal_move", "an order stands behind this provider task: there is no solution to speak of")
    return _lock(session, task)


def tell_case(session: Session, task: ProviderTask, case: Case, *, now: datetime) -> None:
    """Tell the consumer how it stands."""
    data, to = case_data(task, case), [task.connection_id]
    record_event(session, task_stream(task), EventType.CASE_CHANGED, data, to=to, now=now)


def _lock(session: Session, task: ProviderTask) -> LockedCase:
    """In the order of `order_locks`: connection, provider task, and what stands behind it."""
    lock_connection(session, task.connection_id)
    session.refresh(task, with_for_update={"key_share": True})
    query = select(Case).where(Case.provider_task_id == task.id).with_for_update(key_share=True)
    return LockedCase(task, session.execute(query.execution_options(populate_existing=True)).scalar_one())


def _move(
    session: Session, locked: LockedCase, wanted: ProviderTaskState, *, actor: str, now: datetime,
    reason: str | None = None, person: str | None = None,
) -> LockedCase:  # fmt: skip
    """One row in its history, one event. An actor that is a connection is the consumer."""
    case, before = locked.case, locked.state
    who = Side.CONSUMER if actor.startswith("connection/") else Side.PROVIDER
    case.state = move_case(before, wanted, who=who, opened_by=Side(case.opened_by))
    case.reason, case.updated_at = reason, now
    case.over_at = now if wanted in OVER else None
    session.flush()
    _note(session, locked.task, case, before=before, actor=actor, person=person, now=now)
    if wanted in OVER:
        end_approvals(session, locked.task, actor=actor, now=now)
    return locked


def _note(
    session: Session, task: ProviderTask, case: Case, *, before: str | None, actor: str, person: str | None,
    now: datetime,
) -> None:  # fmt: skip
    row = {"provider_task_id": case.provider_task_id, "from_state": before, "to_state": case.state}
    session.execute(_ADD_CHANGE, row | {"reason": case.reason, "actor": actor, "person": person, "at": now})
    tell_case(session, task, case, now=now)


def _said(text: str, pointer: str) -> str:
    if not text.strip():
        raise InvalidFields([FieldError(pointer, "required", "must say something: the consumer reads it")])
    return text.strip()
