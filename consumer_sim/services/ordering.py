"""An order being written on a page. Its draft, and later its request, has the id that the page was opened with, so that
saving, sending twice and going back all mean the same one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from bridge.forms import FormError, FormErrors
from consumer_sim.models import CatalogItem, Draft, ProviderTask
from consumer_sim.services import catalog, drafts, writing
from consumer_sim.services.catalog_search import Offer, get_offer
from consumer_sim.services.drafts import Writer
from consumer_sim.services.errors import NotFound
from consumer_sim.services.item_settings import OWN, check_own, find_settings
from consumer_sim.services.order_answers import check_order
from consumer_sim.services.personas import check_requester

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sheet:
    """An order as far as it was written. `sent` is its request, once there is one."""

    offer: Offer
    form: Document
    draft_id: str
    answers: Document
    sent: ProviderTask | None
    own: Sequence[Any] = ()
    """Questions of our own, shown apart and never sent."""

    @property
    def item(self) -> CatalogItem:
        return self.offer.item


def open_order(session: Session, connection_id: str, item_id: str, draft_id: str, writer: Writer) -> Sheet:
    """Raises NotFound, also for a draft of another item or of somebody else; NotAuthorised."""
    offer = get_offer(session, connection_id, item_id)
    draft = drafts.find_draft(session, draft_id)
    if draft is not None:
        _must_be_of(offer.item, draft, writer)
    sent = session.get(ProviderTask, (connection_id, draft_id))
    if sent is None:
        check_requester(session, offer.item, (draft and draft.requested_by) or writer.as_requester)
    settings = find_settings(session, connection_id, item_id)
    return Sheet(
        offer=offer,
        form=offer.item.active_form or offer.item.form,
        draft_id=draft_id,
        answers=draft.answers if draft else {},
        sent=sent,
        own=settings.variables if settings else (),
    )


def keep_draft(
    session: Session, item: CatalogItem, draft_id: str, answers: Document, writer: Writer, *, now: datetime
) -> Draft | None:
    """Write what was typed into the draft of this id, a new one if need be; None when it was sent already.

    Raises NotFound for a draft of another item or of somebody else.
    """
    draft = _lock_draft(session, item, draft_id, writer, now)
    if session.get(ProviderTask, (item.connection_id, draft_id)) is not None:
        if draft is not None:
            session.delete(draft)  # made just above: what was still on its way when the order was sent
        return None
    if draft is None:
        raise NotFound("draft", draft_id)
    _must_be_of(item, draft, writer)
    drafts.change_draft(draft, answers, draft.requested_by or writer.as_requester, now=now)
    return draft


def send_order(
    session: Session, item: CatalogItem, draft_id: str, answers: Document, writer: Writer, *, now: datetime
) -> ProviderTask:
    """Ask for the item, once for each draft id: whoever asks again gets the request that was made.

    Raises FormErrors, ItemNotOrderable, NotAuthorised, ConnectionNotUsable.
    """
    draft = keep_draft(session, item, draft_id, answers, writer, now=now)
    if draft is not None:
        _, form = catalog.get_orderable_form(item)
        checked = check_order_and_own(session, item, form, answers, now=now)
        drafts.change_draft(draft, checked, draft.requested_by, now=now)
        session.flush()
    return drafts.submit_draft(session, draft_id, now=now)


def check_order_and_own(
    session: Session, item: CatalogItem, form: Document, answers: Document, *, now: datetime
) -> dict[str, Any]:
    """As `check_order`, and the answers to questions of our own. Raises FormErrors with all that is wrong."""
    settings = find_settings(session, item.connection_id, item.id)
    checked: dict[str, Any] = {}
    errors: list[FormError] = []
    for check in (lambda: check_order(form, answers, today=now.date()), lambda: {OWN: check_own(settings, answers)}):
        try:
            checked |= check()
        except FormErrors as wrong:
            errors += wrong.errors
    if errors:
        raise FormErrors(errors)
    return checked


def _must_be_of(item: CatalogItem, draft: Draft, writer: Writer) -> None:
    is_of_item = (draft.connection_id, draft.catalog_item_id, draft.task_id) == (item.connection_id, item.id, None)
    if not (is_of_item and writer.may(draft)):
        raise NotFound("draft of this item", draft.id)


def _lock_draft(session: Session, item: CatalogItem, draft_id: str, writer: Writer, now: datetime) -> Draft | None:
    """The draft's row is there before anything else is looked at: of two that send at once, one waits here."""
    row = {
        "id": draft_id,
        "owner_id": writer.id,
        "connection_id": item.connection_id,
        "catalog_item_id": item.id,
        "answers": {},
        "requested_by": writer.as_requester,
        "created_at": now,
        "updated_at": now,
    }
    writing.insert_missing(session, Draft, [row])
    return drafts.find_draft(session, draft_id, lock=True)  # whoever held it may have sent or discarded it meanwhile
