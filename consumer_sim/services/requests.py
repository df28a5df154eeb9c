"""What our people ask for. Id and number are minted here, so that a request exists and can be talked about while the
provider is away.

Nothing about a task is sent before its create is accepted: comments and a cancellation wait as held calls (`settling`
releases them). Where our own people have to approve it first (`item_settings`), not even the create is sent before.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from bridge.attachments import AttachmentState
from bridge.forms import check_answers
from bridge.ids import new_id
from bridge.models import Connection
from bridge.outbox import record_call
from bridge.vocabulary import EXCHANGE_PATH, ConnectionState
from consumer_sim.models import CatalogItem, HeldCall, ProviderTask
from consumer_sim.models_attachments import Attachment
from consumer_sim.services import answered_files, catalog, item_settings, numbers
from consumer_sim.services.errors import ConnectionNotUsable, MoveRefused, NotFound
from consumer_sim.services.personas import check_requester

_ASKED = ("quantity", "characteristics", "parts", "sets", "location", "contacts", "requested_on", "note")


def submit_request(
    session: Session, item: CatalogItem, answers: Mapping[str, Any], requested_by: Mapping[str, Any], *, now: datetime,
    request_id: str | None = None,
) -> ProviderTask:  # fmt: skip
    """Ask for the item. Raises FormErrors, ItemNotOrderable, NotAuthorised, ConnectionNotUsable."""
    must_be_usable(session, item.connection_id)
    revision, form = catalog.get_orderable_form(item)
    settings = item_settings.find_settings(session, item.connection_id, item.id)
    checked = _checked(form, answers)
    answered_files.check_chosen(session, item.connection_id, request_id, checked)
    request = {
        "catalog_item_revision": revision,
        **checked,
        "requested_by": {**requested_by, **check_requester(session, item, requested_by)},
        "opened_at": moment(now),
    }
    task = ProviderTask(
        connection_id=item.connection_id,
        id=request_id or new_id(),
        number=numbers.next_task_number(session, item.connection_id),
        revision=1,
        placeholder=False,
        catalog_item_id=item.id,
        request=request,
        opened_at=now,
        updated_at=now,
        submission="waiting",
        own_answers=item_settings.check_own(settings, answers) or None,
    )
    session.add(task)
    _give_files(session, task, {}, now)
    if settings is not None and item_settings.needs_approval(settings, request):
        item_settings.hold_back(session, task, settings, None, now=now)
    else:
        send_create(session, task, now)
    return task


def send_approved(session: Session, task: ProviderTask, *, now: datetime) -> None:
    """Send what waited for our own approval. Raises NotAuthorised when whoever asked may not order the item any more,
    ConnectionNotUsable.
    """
    must_be_usable(session, task.connection_id)
    check_requester(session, _item_of(session, task), (task.request or {})["requested_by"])
    send_create(session, task, now)


def correct_request(
    session: Session, task: ProviderTask, answers: Mapping[str, Any], *, by: str | None = None, now: datetime
) -> None:
    """Ask again, differently: after a refusal, or while the provider's order is Rejected. Other choices than those
    that were sent wait for our own approval where the item needs it; a correction of the rest goes at once. `by` is
    who corrects it, if that is known: they do not approve it.

    Raises MoveRefused, FormErrors, ItemNotOrderable, NotAuthorised, ConnectionNotUsable.
    """
    revision, form = get_correction_form(session, task)
    former = task.request or {}
    kept = {name: former.get(name) for name in ("requested_by", "opened_at")}
    checked = _checked(form, answers)
    answered_files.check_chosen(session, task.connection_id, task.id, checked)
    request = {"catalog_item_revision": revision, **checked, **kept}
    settings = item_settings.find_settings(session, task.connection_id, task.catalog_item_id)
    own = item_settings.check_own(settings, answers) if item_settings.OWN in answers else task.own_answers
    needs_approval = item_settings.needs_approval(settings, request)
    if settings is not None and needs_approval and item_settings.chooses_otherwise(former, request):
        item_settings.hold_back(session, task, settings, {"request": request, "own": own, "by": by}, now=now)
    else:
        apply_correction(session, task, request, own, now=now)


def apply_correction(
    session: Session, task: ProviderTask, request: dict[str, Any], own_answers: dict[str, Any] | None, *, now: datetime
) -> None:
    """Send a correction that was checked. Raises as `correct_request` does: it may have waited for long."""
    must_be_usable(session, task.connection_id)
    resubmits, former = task.submission == "accepted", task.request or {}
    _must_be_correctable(task, resubmits)
    asked_by = {name: value for name, value in request["requested_by"].items() if name != "authorised_user_id"}
    asked_by |= check_requester(session, _item_of(session, task), asked_by)
    task.request, task.own_answers, task.approval = request | {"requested_by": asked_by}, own_answers or None, None
    task.revision += 1
    task.updated_at = now
    task.refusal = None
    _give_files(session, task, former, now)
    if resubmits:
        task.resubmission = "waiting"
        body = {"id": task.id, "revision": task.revision, **task.request}
        send(session, task, "resubmit", body, now)
    else:
        task.submission = "waiting"
        send_create(session, task, now)


def get_correction_form(session: Session, task: ProviderTask) -> tuple[int, dict[str, Any]]:
    """The revision of the item and its form that a correction has to fit. An accepted request goes on although the item
    was closed, or taken away. Raises MoveRefused, ItemNotOrderable, ConnectionNotUsable.
    """
    must_be_usable(session, task.connection_id)
    resubmits = task.submission == "accepted"
    _must_be_correctable(task, resubmits)
    item = _item_of(session, task)
    if resubmits and (item.state == "removed" or item.active_form is not None):
        return item.active_revision or item.revision, item.active_form or item.form
    return catalog.get_orderable_form(item)


def cancel_request(
    session: Session, task: ProviderTask, reason: str, *, asked_by: str | None = None, now: datetime
) -> None:
    """Take the request back: at once while the provider has refused it, else by asking the provider. Raises
    MoveRefused.
    """
    is_cancelled = "cancelled" in (task.order_state, task.order_state or task.state)  # of an order it may be a wish
    if task.submission == "withdrawn" or task.state == "closed" or is_cancelled:
        raise MoveRefused(task.number, "is over")
    if why := _CANCELLING.get(cancellation_stage(task)):
        raise MoveRefused(task.number, why)
    if task.submission == "refused" or is_held_back(task):
        withdraw(session, task, now)
        return
    item_settings.drop_approval(session, task)
    task.cancellation, task.cancellation_reason, task.updated_at = "waiting", None, now
    task.cancellation_told = task.cancellation_message = None
    body: dict[str, Any] = {"reason": reason}
    if asked_by:
        body["requested_by"] = {"name": asked_by}
    send(session, task, "cancel", body, now)


def cancellation_stage(task: ProviderTask) -> str:
    """What came of the last wish to cancel: `waiting` here, or what the provider told of it; empty for none."""
    heard = {"accepted": "requested", "waiting": "waiting", "refused": "refused"}
    return task.cancellation_told or heard.get(task.cancellation or "", "")


def withdraw(session: Session, task: ProviderTask, now: datetime) -> None:
    """The request was never accepted and is wanted no more: what waited for its acceptance is dropped."""
    item_settings.drop_approval(session, task)
    task.submission, task.updated_at = "withdrawn", now
    session.execute(delete(HeldCall).where(HeldCall.connection_id == task.connection_id, HeldCall.task_id == task.id))
    unsent = (Attachment.connection_id == task.connection_id) & (Attachment.task_id == task.id) & Attachment.own
    kept_here = {"state": AttachmentState.REFUSED, "problem": "It was never sent: the request was withdrawn."}
    session.execute(update(Attachment).where(unsent).values(kept_here))


def is_held_back(task: ProviderTask) -> bool:
    """Whether nothing of it was sent yet, for our own people have to approve it first."""
    return task.approval == "waiting" and task.submission == "waiting"


def send_create(session: Session, task: ProviderTask, now: datetime) -> None:
    body = {"id": task.id, "number": task.number, "revision": task.revision, **(task.request or {})}
    target = f"POST {EXCHANGE_PATH}/provider-tasks"
    if task.action:
        target = f"POST {EXCHANGE_PATH}/products/{task.product_id}/actions"
    else:
        body["catalog_item_id"] = task.catalog_item_id
    record_call(session, stream_of(task), "submit", target, body, to=task.connection_id, now=now)


def send(session: Session, task: ProviderTask, operation: str, body: Mapping[str, Any], now: datetime) -> None:
    """Record a call about the task, or hold it while the create is not accepted."""
    if task.submission != "accepted":
        session.flush()
        session.add(HeldCall(connection_id=task.connection_id, task_id=task.id, operation=operation, body=dict(body)))
        return
    target = f"POST {EXCHANGE_PATH}/provider-tasks/{task.id}/{_PATHS[operation]}"
    record_call(session, stream_of(task), operation, target, body, to=task.connection_id, now=now)


def release_held(session: Session, task: ProviderTask, now: datetime) -> None:
    """The create is accepted: what waited for that goes out, in the order it was asked for."""
    held = select(HeldCall).where(HeldCall.connection_id == task.connection_id, HeldCall.task_id == task.id)
    for call in session.scalars(held.order_by(HeldCall.id)).all():
        send(session, task, call.operation, call.body, now)
        session.delete(call)


def announce_file(session: Session, task: ProviderTask, attachment: Attachment, now: datetime) -> None:
    """Tell the provider of a file of ours. The lane sends it once that is accepted."""
    attachment.state, attachment.problem, attachment.moved_bytes = AttachmentState.ON_ITS_WAY, None, 0
    attachment.step = attachment.due_at = None
    body = {name: getattr(attachment, name) for name in ("id", "name", "media_type", "size_bytes", "sha256")}
    body |= {"author": {"name": attachment.author_name}, "created_at": moment(attachment.created_at)}
    send(session, task, "attachment", body, now)


def stream_of(task: ProviderTask) -> str:
    return f"provider_task/{task.id}"


def moment(at: datetime) -> str:
    """A time as the wire writes it, in milliseconds."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


_CANCELLING = {
    "waiting": "has a cancellation under way",
    "requested": "has a cancellation that the provider decides on already; nothing was changed",
    "approved": "is being cancelled already; nothing was changed",
}
_PATHS = {
    "attachment": "attachments", "comment": "comments", "cancel": "cancel", "resubmit": "resubmit",
    "answer": "answer", "acknowledgement": "acknowledgement", "scratchpad": "scratchpad",
    "approval_answer": "approval-answers",
}  # fmt: skip


def _give_files(session: Session, task: ProviderTask, former: Mapping[str, Any], now: datetime) -> None:
    """The files that answers name go to the provider behind the request; it does not wait for them."""
    session.flush()
    answered_files.take_back(session, task, former)
    for attachment in answered_files.find_new(session, task):
        session.add(attachment)
        announce_file(session, task, attachment, now)


def _checked(form: Mapping[str, Any], answers: Mapping[str, Any]) -> dict[str, Any]:
    checked = check_answers(form, {name: answers[name] for name in _ASKED if name in answers})
    return {name: checked[name] for name in _ASKED if checked.get(name) is not None}


def must_be_usable(session: Session, connection_id: str) -> None:
    """Raises ConnectionNotUsable."""
    state = session.execute(select(Connection.state).where(Connection.id == connection_id)).scalar_one()
    if state in (ConnectionState.PENDING, ConnectionState.REVOKED):
        raise ConnectionNotUsable(state)


def _must_be_correctable(task: ProviderTask, resubmits: bool) -> None:
    if task.action:
        raise MoveRefused(task.number, "acts on a product and is not corrected; cancel it, and ask anew")
    if task.approval == "waiting":
        raise MoveRefused(task.number, "waits for the approval of your own people")
    if resubmits and task.order_state != "rejected":
        raise MoveRefused(task.number, "was accepted, and its order is not rejected")
    if resubmits and task.resubmission == "waiting":
        raise MoveRefused(task.number, "has a correction under way")
    if not resubmits and task.submission != "refused":
        raise MoveRefused(task.number, f"is {task.submission}, only a refused one can be corrected")


def _item_of(session: Session, task: ProviderTask) -> CatalogItem:
    if task.catalog_item_id is None:
        raise MoveRefused(task.number, "is known from the provider only, so there is no form to correct")
    try:
        return catalog.get_item(session, task.catalog_item_id, connection_id=task.connection_id)
    except NotFound:
        raise MoveRefused(task.number, "is about a catalog item that is not known here") from None
