"""Requests that wait for approval by our own people before they are sent: who decides, and what that does.

Nobody decides on a request of their own. A named approver decides, or whoever looks after the catalog in their place.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from consumer_sim.models import CatalogItem, ProviderConnection, ProviderTask, User
from consumer_sim.models_personas import Approval
from consumer_sim.services import requests
from consumer_sim.services.errors import MoveRefused, NotFound
from consumer_sim.services.users import Permission, find_user, permissions_of

SORTS = ("asked", "number", "item", "by")
_ASKED_BY = ProviderTask.request["requested_by"]["name"].as_string()
_CORRECTED_BY = Approval.correction["by"].as_string()


@dataclass(frozen=True, slots=True)
class Decider:
    """Somebody who decides on requests of others."""

    id: str
    name: str
    permissions: AbstractSet[str]

    @property
    def decides_all(self) -> bool:
        """Also what waits for somebody else."""
        return Permission.CATALOG_WRITE in self.permissions


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that waits, what it asks for, and by whom it is to be decided, if that is said."""

    task: ProviderTask
    approval: Approval
    item: str
    provider: str
    approver: str | None

    @property
    def request(self) -> dict[str, Any]:
        """What is to be approved: the correction, where it is one."""
        if self.approval.correction:
            found: dict[str, Any] = self.approval.correction["request"]
            return found
        return self.task.request or {}


def find_decider(session: Session, name: str) -> Decider:
    """Somebody by name, for programs. Raises NotFound, also for a user who is blocked."""
    user = find_user(session, name)
    if user is None or not user.active:
        raise NotFound("user", name)
    return Decider(user.id, user.name, permissions_of(user.roles))


def approve_request(session: Session, task: ProviderTask, decider: Decider, *, now: datetime) -> None:
    """Send it. Approved twice, it is sent once. Raises MoveRefused, NotAuthorised when its requester may not order the
    item any more, ConnectionNotUsable.
    """
    if task.approval == "approved":
        return
    approval = _get_waiting(session, task, decider)
    correction = approval.correction
    if correction is None:
        requests.send_approved(session, task, now=now)
    else:
        task.approval = None
        requests.apply_correction(session, task, correction["request"], correction["own"], now=now)
    task.approval, task.updated_at = "approved", now
    approval.decided_by, approval.decided_at, approval.correction = decider.name, now, None


def reject_request(session: Session, task: ProviderTask, reason: str, decider: Decider, *, now: datetime) -> None:
    """End it: nothing of it was sent. Of a correction only that ends. Raises MoveRefused."""
    if task.approval == "rejected":
        return
    approval = _get_waiting(session, task, decider)
    task.approval, task.updated_at = "rejected", now
    if approval.correction is None:
        requests.withdraw(session, task, now)
    approval.decided_by, approval.decided_at, approval.reason = decider.name, now, reason
    approval.correction = None


def may_decide(task: ProviderTask, approval: Approval | None, decider: Decider) -> bool:
    return approval is not None and _obstacle(task, approval, decider) is None


def find_approval(session: Session, task: ProviderTask) -> Approval | None:
    return session.get(Approval, (task.connection_id, task.id)) if task.approval else None


def approver_of(session: Session, approval: Approval | None) -> str | None:
    user = session.get(User, approval.approver_id) if approval and approval.approver_id else None
    return user.name if user else None


def search_approvals(
    session: Session, decider: Decider | None, *, text: str = "", sort: str = "asked", descending: bool = False,
    offset: int = 0, limit: int = 50,
) -> tuple[list[Waiting], int]:  # fmt: skip
    """One page of what waits for this person, or for anybody, and how much that is."""
    query = _waiting(decider)
    if text:
        told = (ProviderTask.number, CatalogItem.name, _ASKED_BY)
        query = query.where(or_(*(column.icontains(text, autoescape=True) for column in told)))
    total = session.scalar(select(func.count()).select_from(query.with_only_columns(ProviderTask.id).subquery())) or 0
    columns: dict[str, ColumnElement[Any]] = {
        "asked": Approval.asked_at.expression, "number": ProviderTask.number.expression,
        "item": func.lower(CatalogItem.name), "by": func.lower(_ASKED_BY),
    }  # fmt: skip
    first = columns[sort]
    ordered = query.order_by(first.desc() if descending else first, ProviderTask.id)
    return [Waiting(*row) for row in session.execute(ordered.offset(offset).limit(limit))], total


def count_approvals(session: Session, decider: Decider) -> int:
    query = _waiting(decider).with_only_columns(ProviderTask.id)
    return session.scalar(select(func.count()).select_from(query.subquery())) or 0


def _waiting(decider: Decider | None) -> Select[ProviderTask, Approval, str, str, str]:
    same_item = and_(
        CatalogItem.connection_id == ProviderTask.connection_id, CatalogItem.id == ProviderTask.catalog_item_id
    )
    theirs = [] if decider is None else [one.is_distinct_from(decider.name) for one in (_ASKED_BY, _CORRECTED_BY)]
    if decider is not None and not decider.decides_all:
        theirs.append(or_(Approval.approver_id.is_(None), Approval.approver_id == decider.id))
    return (
        select(
            ProviderTask, Approval, func.coalesce(CatalogItem.name, ""),
            func.coalesce(ProviderConnection.provider_name, ""), User.name,
        )
        .join(Approval, and_(Approval.connection_id == ProviderTask.connection_id, Approval.task_id == ProviderTask.id))
        .outerjoin(CatalogItem, same_item)
        .outerjoin(ProviderConnection, ProviderConnection.connection_id == ProviderTask.connection_id)
        .outerjoin(User, User.id == Approval.approver_id)
        .where(Approval.decided_at.is_(None), ProviderTask.approval == "waiting")
        .where(*theirs)
    )  # fmt: skip


def _get_waiting(session: Session, task: ProviderTask, decider: Decider) -> Approval:
    approval = find_approval(session, task)
    if approval is None or task.approval != "waiting":
        raise MoveRefused(task.number, "does not wait for approval here; it was decided on, or withdrawn")
    if why := _obstacle(task, approval, decider):
        raise MoveRefused(task.number, why)
    return approval


def _obstacle(task: ProviderTask, approval: Approval, decider: Decider) -> str | None:
    """Why this person does not decide on it; None for whoever does."""
    asked_by = (task.request or {}).get("requested_by", {}).get("name")
    if Permission.REQUEST_APPROVE not in decider.permissions:
        return f"is decided on by people who may approve requests, which {decider.name} may not"
    if decider.name in (asked_by, (approval.correction or {}).get("by")):
        return "is your own; somebody else has to decide on it"
    if approval.approver_id not in (None, decider.id) and not decider.decides_all:
        return "waits for somebody else"
    return None
