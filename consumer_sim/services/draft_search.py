"""Finding drafts: one's own, or those of everybody."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.orm import Session

from consumer_sim.models import CatalogItem, Draft, ProviderConnection, ProviderTask, User
from consumer_sim.services.drafts import Writer

SORTS = ("item", "owner", "changed")


@dataclass(frozen=True, slots=True)
class FoundDraft:
    """A draft with the names of its item, provider and owner; `number` is of the request that it corrects, if any."""

    draft: Draft
    item: str
    provider: str
    owner: str | None
    number: str | None


def search_drafts(
    session: Session, writer: Writer, *, text: str, own: bool, sort: str, descending: bool, offset: int, limit: int
) -> tuple[Sequence[FoundDraft], int]:
    """One page of the drafts that the writer may see, or of the writer's own, and how many there are. `sort` is one of
    `SORTS`.
    """
    wanted = [*_visible(writer, own)]
    if text:
        wanted.append(CatalogItem.name.icontains(text, autoescape=True))
    query = _drafts().where(*wanted)
    total = session.scalar(select(func.count()).select_from(query.with_only_columns(Draft.id).subquery())) or 0
    first: ColumnElement[Any] = {
        "item": func.lower(CatalogItem.name), "owner": func.lower(func.coalesce(User.name, "")),
        "changed": Draft.updated_at.expression,
    }[sort]  # fmt: skip
    ordered = query.order_by(first.desc() if descending else first, Draft.id)
    return [FoundDraft(*row) for row in session.execute(ordered.offset(offset).limit(limit))], total


def count_own_drafts(session: Session, writer: Writer) -> int:
    return session.scalar(select(func.count()).select_from(Draft).where(*_visible(writer, own=True))) or 0


def _visible(writer: Writer, own: bool) -> list[ColumnElement[bool]]:
    return [] if writer.sees_all and not own else [Draft.owner_id == writer.id]


def _drafts() -> Select[Draft, str, str, str, str | None]:
    same_item = and_(CatalogItem.connection_id == Draft.connection_id, CatalogItem.id == Draft.catalog_item_id)
    corrected = and_(ProviderTask.connection_id == Draft.connection_id, ProviderTask.id == Draft.task_id)
    return (
        select(Draft, CatalogItem.name, func.coalesce(ProviderConnection.provider_name, ""), User.name,
               ProviderTask.number)
        .join(CatalogItem, same_item)
        .outerjoin(ProviderConnection, ProviderConnection.connection_id == Draft.connection_id)
        .outerjoin(User, User.id == Draft.owner_id)
        .outerjoin(ProviderTask, corrected)
    )  # fmt: skip
