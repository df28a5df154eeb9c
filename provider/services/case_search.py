"""Provider tasks without an order, for those who work on them: which are free, which are mine, who is waiting."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from bridge.models import Connection
from bridge.vocabulary import ConnectionState
from provider.domain.cases import OVER, Priority, Side, legal_moves, waits_for
from provider.domain.errors import NotFound
from provider.domain.provider_tasks import ProviderTaskState
from provider.models.access import Registration
from provider.models.cases import Case, CaseChange
from provider.models.catalog import RemoteRecordProducer
from provider.models.orders import ProviderTask, WorkNote
from provider.services.attachments import attachments_of
from provider.services.case_view import resolution_of
from provider.services.comments import comment_data, comments_of
from provider.services.order_deliveries import show_delivery
from provider.services.pages import Page, read_page
from provider.services.scratchpads import entry_data, list_entries
from provider.services.slices import read_slice

Document = dict[str, Any]

_S = ProviderTaskState
FREE, MINE, OTHERS, UNSETTLED = "free", "mine", "others", "unsettled"
_OPEN = Case.state.not_in([str(state) for state in OVER])
_WAITING = {side: [str(state) for state in _S if waits_for(state) is side] for side in Side}
_COLUMNS: Mapping[str, Any] = {
    "number": ProviderTask.number,
    "subject": Case.short_description,
    "company": Case.company,
    "priority": Case.priority,
    "state": Case.state,
    "assigned_to": Case.assigned_to,
    "since": Case.updated_at,
}
SORTABLE = tuple(_COLUMNS)


def search_cases(  # noqa: PLR0913 - the filters of a list, each by its name
    session: Session, *, actor: str, whose: str = "", text: str = "", state: str = "", waits: str = "",
    opened_by: str = "", sort: str = "since", descending: bool = False, offset: int = 0, limit: int = 25,
) -> tuple[list[Document], int]:  # fmt: skip
    """One page of the cases that match, and how many match in all.

    `whose`: FREE (nobody's), MINE or OTHERS, all of them unsettled; UNSETTLED; empty for all. `waits` is the side whose
    turn it is. `text` is part of a number, a subject, a description or a company.
    """
    key = _COLUMNS[sort]
    conditions = _conditions(actor, whose, text, {"state": state, "waits": waits, "opened_by": opened_by})
    query: Select[Any] = (
        _joined().where(*conditions).order_by(key.desc() if descending else key.asc(), ProviderTask.number)
    )
    rows, total = read_slice(session, query, offset=offset, limit=limit)
    return [_row(task, case) for task, case in rows], total


def list_cases(
    session: Session, *, state: str | None = None, limit: int, after: Sequence[Any] | None = None
) -> Page[Document]:
    """Cases by the numbers of their tasks."""
    query = _joined() if state is None else _joined().where(Case.state == state)
    numbers = read_page(session, query.with_only_columns(ProviderTask), [ProviderTask.number], limit=limit, after=after)
    ids = [task.id for task in numbers.items]
    cases = {row.provider_task_id: row for row in session.scalars(select(Case).where(Case.provider_task_id.in_(ids)))}
    return Page([_row(task, cases[task.id]) for task in numbers.items], numbers.next_key)


def count_cases(session: Session, actor: str) -> dict[str, int]:
    """How many unsettled cases are free, mine and of others, in one query."""
    counts = [func.count().filter(_whose(kind, actor)) for kind in (FREE, MINE, OTHERS)]
    row = session.execute(select(*counts).select_from(Case).where(_OPEN)).one()
    return dict(zip((FREE, MINE, OTHERS), row, strict=True))


def list_consumers(session: Session) -> list[tuple[str, str]]:
    """(id, name) of those that can be told of something, by name."""
    gone = (ConnectionState.PENDING, ConnectionState.REVOKED)
    query = (
        select(Connection.id, func.coalesce(Registration.company, Connection.name))
        .outerjoin(Registration, Registration.connection_id == Connection.id)
        .where(Connection.state.not_in(gone))
    )
    return sorted(((row[0], row[1]) for row in session.execute(query)), key=lambda row: row[1].lower())


def show_case(session: Session, number: str) -> Document:
    """One case with all that people do with it. Raises NotFound."""
    row = session.execute(_joined().where(ProviderTask.number == number)).first()
    if row is None:
        raise NotFound("provider task", number)
    task, case = row
    history = select(CaseChange).where(CaseChange.provider_task_id == task.id).order_by(CaseChange.id)
    notes = select(WorkNote).where(WorkNote.provider_task_id == task.id).order_by(WorkNote.created_at, WorkNote.id)
    return {
        **_row(task, case),
        "catalog_item_id": task.catalog_item_id,
        "form": _form_of(session, task),
        "request": task.request,
        "requested_by": task.requested_by,
        "history": [_change(change) for change in session.scalars(history)],
        "comments": [
            comment_data(one, task.external_id) | {"from_consumer": one.from_consumer}
            for one in comments_of(session, [task.id])
        ],
        "work_notes": [{"author": one.author, "text": one.text, "created_at": one.created_at} for one in
                       session.scalars(notes)],
        "attachments": attachments_of(session, task),
        "scratchpad": [entry_data(one, task) for one in list_entries(session, task)],
        "delivery": show_delivery(session, task),
    }  # fmt: skip


def _form_of(session: Session, task: ProviderTask) -> Document:
    """The form that was filled in; an empty one for what we opened."""
    query = select(RemoteRecordProducer.form).where(
        RemoteRecordProducer.identity == task.catalog_item_id,
        RemoteRecordProducer.revision == task.catalog_item_revision,
    )
    form: Document | None = session.scalar(query) if task.catalog_item_id else None
    if form is not None:
        return form
    # Of an item that was deleted nobody knows any more which of its questions asked for secrets.
    answered = {key for name in ("characteristics", "sets") for key in task.request.get(name) or ()}
    return {"variables": [], "parts": [], "secrets": sorted(answered)}


def _joined() -> Select[Any]:
    query: Any = select(ProviderTask, Case)
    joined: Select[Any] = query.join(Case, Case.provider_task_id == ProviderTask.id)
    return joined


def _whose(kind: str, actor: str) -> ColumnElement[bool]:
    if kind == MINE:
        return and_(_OPEN, Case.assigned_to == actor)
    if kind == OTHERS:
        return and_(_OPEN, Case.assigned_to != actor)
    return and_(_OPEN, Case.assigned_to.is_(None)) if kind == FREE else _OPEN


def _conditions(actor: str, kind: str, text: str, exact: Mapping[str, str]) -> list[ColumnElement[bool]]:
    found = [_whose(kind, actor)] if kind else []
    if exact["state"]:
        found.append(Case.state == exact["state"])
    if exact["opened_by"]:
        found.append(Case.opened_by == exact["opened_by"])
    if exact["waits"]:
        found.append(Case.state.in_(_WAITING.get(Side(exact["waits"]), []) if exact["waits"] in set(Side) else []))
    if text:
        columns = (ProviderTask.number, Case.short_description, Case.description, Case.company)
        found.append(or_(*(column.icontains(text, autoescape=True) for column in columns)))
    return found


def _row(task: ProviderTask, case: Case) -> Document:
    state, opened_by = _S(case.state), Side(case.opened_by)
    turn = waits_for(state)
    priority = Priority.of_rank(case.priority)
    return {
        "number": task.number,
        "task_id": task.external_id,
        "connection_id": task.connection_id,
        "company": case.company,
        "opened_by": str(opened_by),
        "short_description": case.short_description,
        "description": case.description,
        "priority": str(priority),
        "priority_label": priority.label,
        "state": str(state),
        "state_label": state.label,
        "waits_for": str(turn) if turn else None,
        "reason": case.reason,
        "assigned_to": case.assigned_to,
        "resolution": resolution_of(case),
        "acknowledged_by": case.acknowledged_by,
        "acknowledged_at": case.acknowledged_at,
        "opened_at": case.opened_at,
        "updated_at": case.updated_at,
        "legal_moves": [str(move) for move in legal_moves(state, who=Side.PROVIDER, opened_by=opened_by)],
    }


def _change(change: CaseChange) -> Document:
    names = ("from_state", "to_state", "reason", "actor", "person", "at")
    return {name: getattr(change, name) for name in names} | {"to_state_label": _S(change.to_state).label}
