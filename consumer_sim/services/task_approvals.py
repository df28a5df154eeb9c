"""What providers ask us to approve on their tasks, and our answers. Only what the provider tells is settled."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from bridge.carriers import CallAnswer
from bridge.envelope import Event
from bridge.forms import FormError, FormErrors
from bridge.inbox import Rejection
from bridge.vocabulary import EventType
from consumer_sim.models import ProviderConnection, ProviderTask
from consumer_sim.models_task_approvals import TaskApproval
from consumer_sim.services import fields, requests, tasks, writing
from consumer_sim.services.approvals import Decider
from consumer_sim.services.errors import MoveRefused, NotFound
from consumer_sim.services.users import Permission

Document = dict[str, Any]

STATES = ("open", "approved", "rejected", "withdrawn", "ended")
OPERATION = "approval_answer"
_ANSWERED = {"approve": "approved", "reject": "rejected"}
_RULES: Mapping[str, fields.Rules] = {
    EventType.APPROVAL_CHANGED: {
        "task_id": fields.uuid,
        "approval_id": fields.uuid,
        "subject": fields.text(4000),
        "due_on": fields.or_null(fields.day),
        "state": fields.choice(*STATES),
        "asked_by": fields.members({"name": fields.text(255), "company": fields.or_null(fields.text(255, least=0))}),
        "asked_at": fields.time,
        "settled_by": fields.or_null(fields.text(255)),
        "settled_at": fields.or_null(fields.time),
        "reason": fields.or_null(fields.text(10_000, least=0)),
    }
}
_RECORD: Mapping[str, str] = {EventType.APPROVAL_CHANGED: "task_id"}
_TOLD = (
    "subject", "due_on", "state", "asked_by", "asked_company", "asked_at", "settled_by", "settled_at", "reason",
)  # fmt: skip
_WAITS = and_(
    TaskApproval.state == "open", or_(TaskApproval.answer_sent.is_(None), TaskApproval.answer_sent == "refused")
)
_COLUMNS: Mapping[str, ColumnElement[Any]] = {
    "asked": TaskApproval.asked_at.expression,
    "due": TaskApproval.due_on.expression,
    "number": ProviderTask.number.expression,
    "state": TaskApproval.state.expression,
}
SORTS = tuple(_COLUMNS)


class TaskApprovalHandler:
    """Sets each approval to the last of what was told of it, in two statements. Our answer beside it stays."""

    def check(self, session: Session, connection_id: str, events: Sequence[Event]) -> Mapping[str, Rejection]:
        return fields.rejections(events, _RULES, _RECORD)

    def apply(self, session: Session, connection_id: str, events: Sequence[Event], now: datetime) -> None:
        first = {event.data["task_id"]: fields.parse_time(event.data["asked_at"]) or now for event in reversed(events)}
        tasks.ensure_tasks(session, connection_id, first, now)
        last = {event.data["approval_id"]: event.data for event in events}
        rows = [_row(connection_id, last[identity], now) for identity in sorted(last)]
        writing.upsert(session, TaskApproval, rows, _TOLD)


def answer_approval(
    session: Session, task: ProviderTask, approval_id: str, answer: str, reason: str, decider: Decider, *,
    now: datetime,
) -> TaskApproval:  # fmt: skip
    """Approve or reject, once for all of us: whoever is second is told what the first one said. The task is locked.

    `answer` is approve or reject. Raises NotFound, MoveRefused, FormErrors (/reason).
    """
    found = get_approval(session, task, approval_id)
    if Permission.REQUEST_APPROVE not in decider.permissions:
        raise MoveRefused(task.number, f"has approvals for people who may approve, which {decider.name} may not")
    if found.state != "open":
        by = f" by {found.settled_by}" if found.settled_by else ""
        raise MoveRefused(task.number, f"waits for this approval no more: it was {found.state}{by}")
    if found.answer_sent in ("waiting", "accepted"):
        said = _ANSWERED[found.answer or "approve"]
        raise MoveRefused(task.number, f"has an answer already: {found.answer_by} {said} it")
    if answer == "reject" and not reason.strip():
        raise FormErrors([FormError("/reason", "required", "Say why: the provider reads it.")])
    found.answer, found.answer_by, found.answer_reason = answer, decider.name, reason.strip() or None
    found.answer_sent, found.answer_problem = "waiting", None
    task.updated_at = now
    body = {"approval_id": approval_id, "answer": answer, "reason": reason.strip()}
    requests.send(session, task, OPERATION, body | {"answered_by": {"name": decider.name}}, now)
    return found


def settle_answer(session: Session, task: ProviderTask, answer: CallAnswer, problem: str | None) -> None:
    """What became of our answer. Only of one that was not taken anything is left to say."""
    found = session.get(TaskApproval, (task.connection_id, str(answer.body.get("approval_id"))))
    if found is not None and found.answer_sent == "waiting":
        found.answer_sent, found.answer_problem = ("accepted" if answer.accepted else "refused"), problem


def get_approvals(session: Session, task: ProviderTask) -> Sequence[TaskApproval]:
    """Of a request, the oldest first."""
    named = (TaskApproval.connection_id == task.connection_id) & (TaskApproval.task_id == task.id)
    return session.scalars(select(TaskApproval).where(named).order_by(TaskApproval.asked_at, TaskApproval.id)).all()


def get_approval(session: Session, task: ProviderTask, approval_id: str) -> TaskApproval:
    """As it is now. Raises NotFound, also for one of another request."""
    found = session.get(TaskApproval, (task.connection_id, approval_id), populate_existing=True)
    if found is None or found.task_id != task.id:
        raise NotFound("approval", approval_id)
    return found


def search_task_approvals(
    session: Session, *, text: str = "", state: str | None = None, sort: str = "asked", descending: bool = False,
    offset: int = 0, limit: int = 50,
) -> tuple[list[tuple[TaskApproval, ProviderTask, str]], int]:  # fmt: skip
    """One page of them, each with its request and the name of its provider, and how many there are; `state` may also be
    `waiting`: those that somebody here has to answer. `sort` is one of SORTS.
    """
    wanted: list[ColumnElement[bool]] = []
    if state:
        wanted.append(_WAITS if state == "waiting" else TaskApproval.state == state)
    if text:
        told = (TaskApproval.subject, ProviderTask.number, ProviderConnection.provider_name)
        wanted.append(or_(*(one.icontains(text, autoescape=True) for one in told)))
    query = _joined().where(*wanted)
    total = session.scalar(select(func.count()).select_from(query.with_only_columns(TaskApproval.id).subquery())) or 0
    key = _COLUMNS[sort].desc() if descending else _COLUMNS[sort].asc()
    rows = session.execute(query.order_by(key, TaskApproval.id).offset(offset).limit(limit))
    return [(row[0], row[1], row[2]) for row in rows], total


def count_task_approvals(session: Session) -> int:
    """How many wait for an answer of ours."""
    return session.scalar(select(func.count()).where(_WAITS)) or 0


def approval_document(approval: TaskApproval) -> Document:
    names = ("id", "task_id", "connection_id", "answer", "answer_by", "answer_reason", "answer_sent", "answer_problem")
    return {name: getattr(approval, name) for name in names} | told_data(approval)


def told_data(approval: TaskApproval) -> Document:
    """What the provider told, in the words of the wire."""
    return {
        **{name: getattr(approval, name) for name in ("subject", "state", "settled_by", "reason")},
        "due_on": approval.due_on.isoformat() if approval.due_on else None,
        "asked_by": {"name": approval.asked_by, "company": approval.asked_company},
        "asked_at": requests.moment(approval.asked_at),
        "settled_at": requests.moment(approval.settled_at) if approval.settled_at else None,
    }


def _joined() -> Select[Any]:
    same = and_(ProviderTask.connection_id == TaskApproval.connection_id, ProviderTask.id == TaskApproval.task_id)
    query: Any = select(TaskApproval, ProviderTask, func.coalesce(ProviderConnection.provider_name, ""))
    joined: Select[Any] = query.join(ProviderTask, same).outerjoin(
        ProviderConnection, ProviderConnection.connection_id == TaskApproval.connection_id
    )
    return joined


def _row(connection_id: str, data: Mapping[str, Any], now: datetime) -> Document:
    due_on, settled_at = data.get("due_on"), data.get("settled_at")
    return {
        "connection_id": connection_id, "id": data["approval_id"], "task_id": data["task_id"],
        "subject": data["subject"], "due_on": date.fromisoformat(due_on) if due_on else None, "state": data["state"],
        "asked_by": data["asked_by"]["name"], "asked_company": data["asked_by"].get("company"),
        "asked_at": fields.parse_time(data["asked_at"]) or now, "settled_by": data.get("settled_by"),
        "settled_at": fields.parse_time(settled_at) if settled_at else None, "reason": data.get("reason"),
    }  # fmt: skip
