"""What providers opened on their own, for whoever looks whether something is new."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, case, func, or_, select
from sqlalchemy.orm import Session

from consumer_sim.models import ProviderConnection, ProviderTask
from consumer_sim.models_cases import Case
from consumer_sim.services.cases import OVER, PRIORITIES

_RANK = case({name: place for place, name in enumerate(PRIORITIES, 1)}, value=Case.priority, else_=len(PRIORITIES))
_COLUMNS: Mapping[str, Any] = {
    "number": ProviderTask.number,
    "subject": Case.short_description,
    "provider": ProviderConnection.provider_name,
    "priority": _RANK,
    "state": ProviderTask.state,
    "opened": ProviderTask.opened_at,
    "updated": ProviderTask.updated_at,
}
SORTS = tuple(_COLUMNS)
_OPENED = Case.opened_by == "provider"
_UNSEEN = and_(
    Case.acknowledged_at.is_(None),
    or_(Case.acknowledgement.is_(None), Case.acknowledgement == "refused"),
    ProviderTask.state.not_in(OVER),
)


@dataclass(frozen=True, slots=True)
class Told:
    """A task that a provider opened; `is_new` while nobody here said that they have seen it."""

    task: ProviderTask
    case: Case
    provider: str
    is_new: bool


def search_told(
    session: Session, *, text: str, state: str | None, unseen: bool, sort: str, descending: bool, offset: int,
    limit: int,
) -> tuple[list[Told], int]:  # fmt: skip
    """One page of what was opened, and how much there is. `sort` is one of `SORTS`."""
    wanted = [_OPENED]
    if text:
        columns = (ProviderTask.number, Case.short_description, Case.description)
        wanted.append(or_(*(column.icontains(text, autoescape=True) for column in columns)))
    if state:
        wanted.append(ProviderTask.state == state)
    if unseen:
        wanted.append(_UNSEEN)
    query = _joined().where(*wanted)
    total = session.scalar(select(func.count()).select_from(query.with_only_columns(Case.task_id).subquery())) or 0
    key = _COLUMNS[sort].desc() if descending else _COLUMNS[sort].asc()
    rows = session.execute(query.order_by(key, ProviderTask.id).offset(offset).limit(limit))
    return [Told(*row) for row in rows], total


def count_unseen(session: Session) -> int:
    """How much was opened that nobody here has acknowledged, and that is not over."""
    query = _joined().where(_OPENED, _UNSEEN).with_only_columns(func.count())
    return session.scalar(query) or 0


def _joined() -> Select[Any]:
    query: Any = select(ProviderTask, Case, func.coalesce(ProviderConnection.provider_name, ""), _UNSEEN)
    joined: Select[Any] = query.join(
        Case, and_(Case.connection_id == ProviderTask.connection_id, Case.task_id == ProviderTask.id)
    ).outerjoin(ProviderConnection, ProviderConnection.connection_id == ProviderTask.connection_id)
    return joined
