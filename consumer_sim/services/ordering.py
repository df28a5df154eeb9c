"""An order being written on a page. Its draft, and later its request, has the id that the page was opened with, so that
saving, sending twice and going back all mean the same one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from consumer_sim.models import CatalogItem, Draft, ProviderTask
from consumer_sim.services import catalog, drafts, writing
from consumer_sim.services.catalog_search import Offer, get_offer
from consumer_sim.services.errors import NotFound
from consumer_sim.services.order_answers import check_order

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sheet:
    """An order as far as it was written. `sent` is its request, once there is one."""

    offer: Offer
    form: Document
    draft_id: str
    answers: Document
    sent: ProviderTask | None

    @property
    def item(self) -> CatalogItem:
        return self.offer.item


def open_order(session: Session, connection_id: str, item_id: str, draft_id: str) -> Sheet:
    """Raises NotFound, also for a draft of another item."""
    offer = get_offer(session, connection_id, item_id)
    draft = session.get(Draft, draft_id)
    if draft is not None:
        _must_be_of(offer.item, draft)
    return Sheet(
        offer=offer,
        form=offer.item.active_form or offer.item.form,
        draft_id=draft_id,
        answers=draft.answers if draft else {},
        sent=session.get(ProviderTask, (connection_id, draft_id)),
    )


def keep_draft(
    session: Session, item: CatalogItem, draft_id: str, answers: Document, asked_by: Document, *, now: datetime
) -> Draft | None:
    """Write what was typed into the draft of this id, a new one if need be; None when it was sent already.

    Raises NotFound for a draft of another item.
    """
    draft = _lock_draft(session, item, draft_id, asked_by, now)
    if session.get(ProviderTask, (item.connection_id, draft_id)) is not None:
        if draft is not None:
            session.delete(draft)  # made just above: what was still on its way when the order was sent
        return None
    if draft is None:
        raise NotFound("draft", draft_id)
    _must_be_of(item, draft)
    drafts.change_draft(draft, answers, draft.requested_by or dict(asked_by), now=now)
    return draft


def send_order(
    session: Session, item: CatalogItem, draft_id: str, answers: Document, asked_by: Document, *, now: datetime
) -> ProviderTask:
    """Ask for the item, once for each draft id: whoever asks again gets the request that was made.

    Raises FormErrors, ItemNotOrderable, ConnectionNotUsable.
    """
    draft = keep_draft(session, item, draft_id, answers, asked_by, now=now)
    if draft is not None:
        _, form = catalog.get_orderable_form(item)
        drafts.change_draft(draft, check_order(form, answers), draft.requested_by, now=now)
        session.flush()
    return drafts.submit_draft(session, draft_id, now=now)


def _must_be_of(item: CatalogItem, draft: Draft) -> None:
    if (draft.connection_id, draft.catalog_item_id) != (item.connection_id, item.id):
        raise NotFound("draft of this item", draft.id)


def _lock_draft(session: Session, item: CatalogItem, draft_id: str, asked_by: Document, now: datetime) -> Draft | None:
    """The draft's row is there before anything else is looked at: of two that send at once, one waits here."""
    row = {
        "id": draft_id,
        "connection_id": item.connection_id,
        "catalog_item_id": item.id,
        "answers": {},
        "requested_by": dict(asked_by),
        "created_at": now,
        "updated_at": now,
    }
    writing.insert_missing(session, Draft, [row])
    try:
        return drafts.get_draft(session, draft_id, lock=True)
    except NotFound:
        return None  # whoever held it has sent or discarded it meanwhile
