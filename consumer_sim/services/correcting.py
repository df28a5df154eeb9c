"""A correction being written on a page: one draft of each person for a request, until it is sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.ids import new_id
from consumer_sim.models import Draft, ProviderTask
from consumer_sim.services import drafts, requests, tasks
from consumer_sim.services.drafts import Writer
from consumer_sim.services.errors import NotFound
from consumer_sim.services.order_answers import check_order
from consumer_sim.services.request_search import Found, get_found
from consumer_sim.services.request_view import can_correct, get_form

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Correction:
    """`draft` is what was kept of it so far; `errors` are what the provider found wrong in what was sent."""

    found: Found
    form: Document
    draft: Draft | None

    @property
    def task(self) -> ProviderTask:
        return self.found.task

    @property
    def answers(self) -> Document:
        return self.draft.answers if self.draft else self.task.request or {}

    @property
    def errors(self) -> list[dict[str, str]]:
        """Of the fields as they were sent, so nothing that is told of a draft."""
        return [] if self.draft else (self.task.refusal or {}).get("errors") or []


def open_correction(
    session: Session, connection_id: str, task_id: str, writer: Writer, draft_id: str | None = None
) -> Correction:
    """With the writer's own draft, or with that of this id. Raises NotFound, also for a draft that is not the writer's
    to see or of another request.
    """
    found = get_found(session, connection_id, task_id)
    return Correction(found, get_form(session, found.task), _find_draft(session, found.task, writer, draft_id))


def keep_correction(
    session: Session, connection_id: str, task_id: str, answers: Document, writer: Writer, draft_id: str | None = None,
    *, now: datetime,
) -> Draft | None:  # fmt: skip
    """Keep what was typed; None when the request cannot be corrected any more, as after it was sent."""
    task = tasks.lock_task(session, connection_id, task_id)
    if not can_correct(task) or task.catalog_item_id is None:
        return None
    draft = _find_draft(session, task, writer, draft_id)
    if draft is None:
        draft = Draft(
            id=new_id(), owner_id=writer.id, connection_id=task.connection_id, catalog_item_id=task.catalog_item_id,
            task_id=task.id, created_at=now,
        )  # fmt: skip
        session.add(draft)
    drafts.change_draft(draft, answers, (task.request or {}).get("requested_by"), now=now)
    return draft


def send_correction(
    session: Session, connection_id: str, task_id: str, answers: Document, writer: Writer, draft_id: str | None = None,
    *, now: datetime,
) -> None:  # fmt: skip
    """Send it, and forget the draft. Raises as `correct_request` does, and FormErrors with all that is wrong."""
    task = tasks.lock_task(session, connection_id, task_id)
    checked = check_order(get_form(session, task), answers, today=now.date())
    requests.correct_request(session, task, checked, by=writer.name, now=now)
    draft = _find_draft(session, task, writer, draft_id)
    if draft is not None:
        drafts.delete_draft(session, draft)


def _find_draft(session: Session, task: ProviderTask, writer: Writer, draft_id: str | None) -> Draft | None:
    if draft_id is None:
        key = (Draft.owner_id == writer.id, Draft.connection_id == task.connection_id, Draft.task_id == task.id)
        return session.scalars(select(Draft).where(*key)).first()
    draft = drafts.get_draft(session, draft_id, writer)
    if (draft.connection_id, draft.task_id) != (task.connection_id, task.id):
        raise NotFound("draft of this request", draft_id)
    return draft
