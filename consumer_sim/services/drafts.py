"""Requests that are still being written. Nothing of a draft is checked before it is submitted, and nothing is sent."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.forms import FormError, FormErrors
from bridge.ids import new_id
from consumer_sim.models import CatalogItem, Draft, ProviderTask
from consumer_sim.services import catalog, pages, requests
from consumer_sim.services.errors import NotFound

Document = dict[str, Any]


def save_draft(
    session: Session, item: CatalogItem, answers: Mapping[str, Any], requested_by: Document | None, *, now: datetime
) -> Draft:
    """Keep answers as they are, however incomplete; the item need not be active yet."""
    draft = Draft(
        id=new_id(),
        connection_id=item.connection_id,
        catalog_item_id=item.id,
        answers=dict(answers),
        requested_by=requested_by,
        created_at=now,
        updated_at=now,
    )
    session.add(draft)
    session.flush()
    return draft


def change_draft(draft: Draft, answers: Mapping[str, Any], requested_by: Document | None, *, now: datetime) -> None:
    """Put these answers in place of the former ones."""
    draft.answers, draft.requested_by, draft.updated_at = dict(answers), requested_by, now


def submit_draft(session: Session, draft_id: str, *, now: datetime) -> ProviderTask:
    """Ask for what was written. The request has the draft's id, so a click that is repeated finds it.

    Raises NotFound, FormErrors, and as `submit_request` does; the draft stays then.
    """
    draft = _find(session, draft_id, lock=True)
    if draft is None:
        return _get_submitted(session, draft_id)
    if not draft.requested_by:
        raise FormErrors([FormError("/requested_by", "required", "somebody must ask for it")])
    item = catalog.get_item(session, draft.catalog_item_id, connection_id=draft.connection_id)
    task = requests.submit_request(session, item, draft.answers, draft.requested_by, now=now, request_id=draft.id)
    session.delete(draft)
    return task


def delete_draft(session: Session, draft: Draft) -> None:
    session.delete(draft)


def get_draft(session: Session, draft_id: str, *, lock: bool = False) -> Draft:
    """Raises NotFound."""
    draft = _find(session, draft_id, lock=lock)
    if draft is None:
        raise NotFound("draft", draft_id)
    return draft


def list_drafts(session: Session, *, after: str | None, limit: int) -> tuple[list[Draft], str | None]:
    """All of them, by id."""
    return pages.read_page(session, select(Draft), Draft.id, after=after, limit=limit)


def draft_document(draft: Draft) -> Document:
    return {
        "id": draft.id,
        "connection_id": draft.connection_id,
        "catalog_item_id": draft.catalog_item_id,
        "answers": draft.answers,
        "requested_by": draft.requested_by,
        "created_at": requests.moment(draft.created_at),
        "updated_at": requests.moment(draft.updated_at),
    }


def _find(session: Session, draft_id: str, *, lock: bool) -> Draft | None:
    query = select(Draft).where(Draft.id == draft_id)
    return session.scalars(query.with_for_update() if lock else query).first()


def _get_submitted(session: Session, draft_id: str) -> ProviderTask:
    task = session.scalars(select(ProviderTask).where(ProviderTask.id == draft_id)).first()
    if task is None:
        raise NotFound("draft", draft_id)
    return task
