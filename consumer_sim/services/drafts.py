"""Requests that are still being written, each by its owner. Nothing of a draft is checked before it is submitted, and
nothing is sent. A draft that is the correction of a request is written in `correcting`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.forms import FormError, FormErrors
from bridge.ids import new_id
from consumer_sim.models import CatalogItem, Draft, ProviderTask
from consumer_sim.services import catalog, pages, requests, tasks
from consumer_sim.services.errors import NotFound

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Writer:
    """Who is at a draft. One who `sees_all` may also go on with those of others, which stay theirs."""

    id: str | None
    name: str
    sees_all: bool = False

    def may(self, draft: Draft) -> bool:
        return self.sees_all or draft.owner_id == self.id

    @property
    def as_requester(self) -> Document:
        return {"name": self.name}


PROGRAM = Writer(None, "", sees_all=True)
"""Whoever has the API's token: its drafts are nobody's."""


def save_draft(
    session: Session, item: CatalogItem, answers: Mapping[str, Any], requested_by: Document | None, *, now: datetime
) -> Draft:
    """Keep answers as they are for a program, however incomplete; the item need not be active yet."""
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
    """Ask for what was written. The request has the draft's id, so a click that is repeated finds it; a correction is
    one of its request.

    Raises NotFound, FormErrors, and as `submit_request` and `correct_request` do; the draft stays then.
    """
    draft = find_draft(session, draft_id, lock=True)
    if draft is None:
        return _get_submitted(session, draft_id)
    if draft.task_id is not None:
        task = tasks.lock_task(session, draft.connection_id, draft.task_id)
        requests.correct_request(session, task, draft.answers, now=now)
    else:
        task = _request(session, draft, now)
    session.delete(draft)
    return task


def delete_draft(session: Session, draft: Draft) -> None:
    session.delete(draft)


def get_draft(session: Session, draft_id: str, writer: Writer, *, lock: bool = False) -> Draft:
    """Raises NotFound, also for a draft of somebody else."""
    draft = find_draft(session, draft_id, lock=lock)
    if draft is None or not writer.may(draft):
        raise NotFound("draft", draft_id)
    return draft


def find_draft(session: Session, draft_id: str, *, lock: bool = False) -> Draft | None:
    """Whosever it is."""
    query = select(Draft).where(Draft.id == draft_id)
    return session.scalars(query.with_for_update() if lock else query).first()


def list_drafts(session: Session, *, after: str | None, limit: int) -> tuple[list[Draft], str | None]:
    """All of them, by id."""
    return pages.read_page(session, select(Draft), Draft.id, after=after, limit=limit)


def draft_document(draft: Draft) -> Document:
    return {
        "id": draft.id,
        "connection_id": draft.connection_id,
        "catalog_item_id": draft.catalog_item_id,
        "task_id": draft.task_id,
        "answers": draft.answers,
        "requested_by": draft.requested_by,
        "created_at": requests.moment(draft.created_at),
        "updated_at": requests.moment(draft.updated_at),
    }


def _request(session: Session, draft: Draft, now: datetime) -> ProviderTask:
    if not draft.requested_by:
        raise FormErrors([FormError("/requested_by", "required", "somebody must ask for it")])
    item = catalog.get_item(session, draft.catalog_item_id, connection_id=draft.connection_id)
    return requests.submit_request(session, item, draft.answers, draft.requested_by, now=now, request_id=draft.id)


def _get_submitted(session: Session, draft_id: str) -> ProviderTask:
    task = session.scalars(select(ProviderTask).where(ProviderTask.id == draft_id)).first()
    if task is None:
        raise NotFound("draft", draft_id)
    return task
