"""Finding requests among thousands, with the stage each has reached in plain words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select, tuple_
from sqlalchemy.orm import Session, aliased

from consumer_sim.models import CatalogItem, ProviderConnection, ProviderTask
from consumer_sim.models_cases import Case
from consumer_sim.services.errors import NotFound

STAGES = (
    *("awaiting_approval", "sending", "received", "in_progress", "awaiting_info", "proposed", "rejected", "done"),
    *("cancelled", "not_approved"),
)
"""How far a request is, as its requester sees it. `rejected`: it can be corrected; `awaiting_approval`, `not_approved`:
by our own people, before anything is sent; `sending`: not with the provider yet; `received`: the provider has not
approved it yet; `proposed`: it proposes a solution, to be accepted or rejected."""
SORTS = ("number", "item", "state", "order", "opened", "updated")

_OF_TASK = {
    "received": "received",
    "work_in_progress": "in_progress",
    "awaiting_info": "awaiting_info",
    "resolved": "done",
    "closed": "done",
    "cancelled": "cancelled",
}
_cases = aliased(Case)
_HAS_CASE = (
    select(_cases.task_id)
    .where(_cases.connection_id == ProviderTask.connection_id, _cases.task_id == ProviderTask.id)
    .exists()
)
"""Without an order a solution is to be accepted; an order that a mapping of its own calls resolved is just done."""
_STAGE = case(
    (ProviderTask.approval == "waiting", "awaiting_approval"),
    (and_(ProviderTask.submission == "withdrawn", ProviderTask.approval == "rejected"), "not_approved"),
    (ProviderTask.submission == "withdrawn", "cancelled"),
    (ProviderTask.submission == "refused", "rejected"),
    (ProviderTask.resubmission == "waiting", "sending"),
    (ProviderTask.order_state == "rejected", "rejected"),
    # The wire shows it as cancelled, though the provider may still say no.
    (ProviderTask.order_state == "assessing_cancellation", "in_progress"),
    (and_(ProviderTask.state == "resolved", _HAS_CASE), "proposed"),
    *((ProviderTask.state == state, stage) for state, stage in _OF_TASK.items()),
    (ProviderTask.submission == "waiting", "sending"),
    else_="received",
)
_ITEM_NAME = func.coalesce(CatalogItem.name, Case.short_description, "")


def stage_of_step(state: str, order_state: str | None, *, is_case: bool) -> str:
    """One of `STAGES`: how far a request was when its provider told this."""
    if order_state == "rejected":
        return "rejected"
    if order_state == "assessing_cancellation":
        return "in_progress"
    return "proposed" if is_case and state == "resolved" else _OF_TASK.get(state, "received")


@dataclass(frozen=True, slots=True)
class Found:
    """A request, its stage, what it asks for and whom; `item` is empty for a request known from the provider only."""

    task: ProviderTask
    stage: str
    item: str
    provider: str


def search_requests(
    session: Session, *, text: str, stage: str | None, item_id: str | None, asked_by: str | None, sort: str,
    descending: bool, offset: int, limit: int,
) -> tuple[list[Found], int]:  # fmt: skip
    """One page of the requests, and how many there are. `sort` is one of `SORTS`; `asked_by` is a person's name."""
    query = _requests().where(*_wanted(text, stage, item_id, asked_by))
    total = session.scalar(select(func.count()).select_from(query.with_only_columns(ProviderTask.id).subquery())) or 0
    order = _order(sort, descending)
    # Sorted by their keys alone: with all that was asked for, the last page of ten thousand takes ten times as long.
    place = query.with_only_columns(ProviderTask.connection_id, ProviderTask.id).order_by(*order)
    page = place.offset(offset).limit(limit).subquery()
    here = and_(ProviderTask.connection_id == page.c.connection_id, ProviderTask.id == page.c.id)
    rows = session.execute(_requests().join(page, here).order_by(*order))
    return [Found(*row) for row in rows], total


def get_found(session: Session, connection_id: str, task_id: str) -> Found:
    """One request. Raises NotFound."""
    query = _requests().where(ProviderTask.connection_id == connection_id, ProviderTask.id == task_id)
    row = session.execute(query).first()
    if row is None:
        raise NotFound("request", task_id)
    return Found(*row)


def count_stages(session: Session) -> dict[str, int]:
    """How many requests are at each stage."""
    staged = select(_STAGE.label("stage")).select_from(ProviderTask).subquery()
    counted = session.execute(select(staged.c.stage, func.count()).group_by(staged.c.stage))
    return dict.fromkeys(STAGES, 0) | {stage: count for stage, count in counted}


def list_requested_items(session: Session) -> Sequence[tuple[str, str]]:
    """(id, name) of all items that were ever asked for, to narrow a list by."""
    asked = select(ProviderTask.connection_id, ProviderTask.catalog_item_id).distinct()
    key = tuple_(CatalogItem.connection_id, CatalogItem.id)
    query = select(CatalogItem.id, CatalogItem.name).where(key.in_(asked)).order_by(CatalogItem.name, CatalogItem.id)
    return [(row[0], row[1]) for row in session.execute(query)]


def _requests() -> Select[ProviderTask, str, str, str]:
    same_item = and_(
        CatalogItem.connection_id == ProviderTask.connection_id, CatalogItem.id == ProviderTask.catalog_item_id
    )
    return (
        select(ProviderTask, _STAGE, _ITEM_NAME, func.coalesce(ProviderConnection.provider_name, ""))
        .outerjoin(CatalogItem, same_item)
        .outerjoin(Case, and_(Case.connection_id == ProviderTask.connection_id, Case.task_id == ProviderTask.id))
        .outerjoin(ProviderConnection, ProviderConnection.connection_id == ProviderTask.connection_id)
    )


def _wanted(text: str, stage: str | None, item_id: str | None, asked_by: str | None) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if text:
        told = (ProviderTask.number, ProviderTask.order_number, CatalogItem.name, Case.short_description)
        wanted.append(or_(*(column.icontains(text, autoescape=True) for column in told)))
    if stage:
        wanted.append(_STAGE.in_([stage]))
    if item_id:
        wanted.append(ProviderTask.catalog_item_id == item_id)
    if asked_by:
        wanted.append(ProviderTask.request["requested_by"]["name"].as_string() == asked_by)
    return wanted


def _order(sort: str, descending: bool) -> list[ColumnElement[Any]]:
    columns: dict[str, ColumnElement[Any]] = {
        "number": ProviderTask.number.expression,
        "item": func.lower(_ITEM_NAME),
        "state": _STAGE,
        "order": ProviderTask.order_number.expression,
        "opened": ProviderTask.opened_at.expression,
        "updated": ProviderTask.updated_at.expression,
    }
    first = columns[sort]
    return [first.desc().nulls_last() if descending else first.asc().nulls_last(), ProviderTask.id.expression]
