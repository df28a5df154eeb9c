"""Files that belong to a request: what is known of them, told to the other side in the stream of its request.

What is in them crosses on its own (`attachment_content`), so that no file ever holds up a record.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bridge.answered_files import find_files
from bridge.attachments import MEDIA_TYPE, AttachmentLimits, AttachmentState, clean_name
from bridge.database import insert_into
from bridge.errors import AttachmentRefused
from bridge.files import Kept
from bridge.ids import new_id
from bridge.outbox import record_event
from bridge.vocabulary import EventType
from provider.domain.errors import Conflict, DomainError, FieldError, InvalidFields, NotFound
from provider.models.attachments import Attachment
from provider.models.orders import ProviderTask
from provider.services.errors import FileRefused
from provider.services.order_locks import lock_connection
from provider.services.pages import Page, read_page
from provider.services.provider_tasks import company_of, get_subject, get_task, own_name, task_stream

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Announced:
    """What a consumer says of a file that it is about to send."""

    id: str
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    author_name: str
    created_at: datetime


def announce_attachment(
    session: Session, connection_id: str, external_id: str, said: Announced, limits: AttachmentLimits
) -> Document:
    """A consumer's file, to be sent next. The same again is the same answer; a refused one is looked at anew.

    A file with this content and name that the consumer attached to the request before is answered with that one.
    Raises NotFound, InvalidFields, FileRefused, and Conflict when the id belongs to another file.
    """
    task = get_task(session, connection_id, external_id)
    if clean_name(said.name) != said.name:
        message = f"is not a name that is safe everywhere, without a path; {clean_name(said.name)!r} is"
        raise InvalidFields([FieldError("/name", "unsafe_name", message)])
    _must_be_as_answered(task, said)
    _lock(session, task)
    attachment = _insert_or_find(session, _row_of(session, task, said))
    if attachment.state != AttachmentState.THERE:
        _check(limits, said.name, said.size_bytes, _count_others(session, task, attachment.id))
        attachment.state, attachment.problem = AttachmentState.ON_ITS_WAY, None
    return attachment_data(attachment, external_id)


def note_refused(session: Session, connection_id: str, external_id: str, said: Announced, error: DomainError) -> None:
    """Our people see what was refused, and why."""
    if not isinstance(error, FileRefused):
        return
    task = get_task(session, connection_id, external_id)
    attachment = _insert_or_find(session, _row_of(session, task, said))
    attachment.state, attachment.problem = AttachmentState.REFUSED, error.message


def attach_file(
    session: Session, number: str, *, name: str, media_type: str, kept: Kept, author_name: str,
    limits: AttachmentLimits, now: datetime,
) -> Attachment:  # fmt: skip
    """A file of ours on an order, told to the consumer, who fetches it. The same file again is told once; one that was
    refused is offered again. Raises NotFound, FileRefused.
    """
    task = _lock(session, get_subject(session, number))
    identity = new_id()
    values: Document = {
        "id": identity, "connection_id": task.connection_id, "external_id": identity, "provider_task_id": task.id,
        "name": clean_name(name), "media_type": media_type[:100] or MEDIA_TYPE, "size_bytes": kept.size_bytes,
        "sha256": kept.sha256, "author_name": author_name,
        "author_company": own_name(session), "created_at": now,
        "from_consumer": False, "state": AttachmentState.ON_ITS_WAY, "problem": None,
    }  # fmt: skip
    _check(limits, values["name"], kept.size_bytes, _count_others(session, task, identity))
    attachment = _insert_or_find(session, values)
    if attachment.id == identity or attachment.state == AttachmentState.REFUSED:
        _offer(session, task, attachment, now)
    return attachment


def retry_attachment(session: Session, attachment_id: str, *, now: datetime) -> Attachment:
    """Offer a file of ours again that the consumer refused. Raises NotFound, and Conflict for any other."""
    attachment = get_attachment(session, attachment_id, lock=True)
    if attachment.from_consumer or attachment.state != AttachmentState.REFUSED:
        raise Conflict("not_refused", "only a file of ours that the consumer refused can be offered again")
    _offer(session, session.get_one(ProviderTask, attachment.provider_task_id), attachment, now)
    return attachment


def settle_attachment(
    session: Session, connection_id: str, external_id: str, *, state: str, reason: str | None
) -> Document:
    """What the consumer made of a file of ours. Raises NotFound."""
    attachment = find_own(session, connection_id, external_id, lock=True)
    if attachment.from_consumer:
        raise NotFound("attachment", external_id)
    refused = state == AttachmentState.REFUSED
    attachment.state, attachment.problem = state, (reason or "The consumer gave no reason.") if refused else None
    return attachment_data(attachment, _task_id(session, attachment))


def find_own(session: Session, connection_id: str, external_id: str, *, lock: bool = False) -> Attachment:
    """A file of one of a consumer's requests, by the id on the wire. Raises NotFound."""
    query = select(Attachment).where(Attachment.connection_id == connection_id, Attachment.external_id == external_id)
    attachment = session.execute(query.with_for_update() if lock else query).scalar_one_or_none()
    if attachment is None:
        raise NotFound("attachment", external_id)
    return attachment


def get_attachment(session: Session, attachment_id: str, *, lock: bool = False) -> Attachment:
    """A file of any request, by our own id. Raises NotFound."""
    attachment = session.get(Attachment, attachment_id, with_for_update=lock or None)
    if attachment is None:
        raise NotFound("attachment", attachment_id)
    return attachment


def list_own(
    session: Session, connection_id: str, external_id: str, *, limit: int, after: Sequence[Any] | None = None
) -> Page[Attachment]:
    """Both sides' files of a consumer's request, in the order in which both sides show them. Raises NotFound."""
    task = get_task(session, connection_id, external_id)
    found = select(Attachment).where(Attachment.provider_task_id == task.id)
    return read_page(session, found, [Attachment.created_at, Attachment.external_id], limit=limit, after=after)


def check_order(session: Session, number: str) -> None:
    """Raises NotFound, before a file for the order is taken in."""
    get_subject(session, number)


def list_attachments(session: Session, number: str) -> list[Document]:
    """Both sides' files of an order, as our people see them. Raises NotFound."""
    return attachments_of(session, get_subject(session, number))


def attachments_of(session: Session, task: ProviderTask) -> list[Document]:
    """The files of a request, by the time of attaching, then by id."""
    found = select(Attachment).where(Attachment.provider_task_id == task.id)
    rows = session.execute(found.order_by(Attachment.created_at, Attachment.external_id)).scalars()
    return [show_attachment(one, task.external_id) for one in rows]


def show_own(session: Session, attachment: Attachment) -> Document:
    """One file, as our people see it."""
    return show_attachment(attachment, _task_id(session, attachment))


def show_attachment(attachment: Attachment, external_id: str) -> Document:
    """For our people: with our own id."""
    return attachment_data(attachment, external_id) | {"id": attachment.id, "from_consumer": attachment.from_consumer}


def attachment_data(attachment: Attachment, external_id: str) -> Document:
    """A file in the words of the wire, with how far it is."""
    return _told(attachment, external_id) | {"state": str(attachment.state), "reason": attachment.problem}


def _told(attachment: Attachment, external_id: str) -> Document:
    return {
        "task_id": external_id,
        "attachment_id": attachment.external_id,
        "name": attachment.name,
        "media_type": attachment.media_type,
        "size_bytes": attachment.size_bytes,
        "sha256": attachment.sha256,
        "author": {"name": attachment.author_name, "company": attachment.author_company},
        "created_at": attachment.created_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


def _must_be_as_answered(task: ProviderTask, said: Announced) -> None:
    """A file that an answer of the request names is the one that it names. Raises Conflict."""
    for one in find_files(task.request):
        is_other = (one.answer["sha256"], one.answer["size_bytes"]) != (said.sha256, said.size_bytes)
        if one.answer["attachment_id"] == said.id and (is_other or one.answer["name"] != said.name):
            raise Conflict("attachment_exists", f"this id was given to another file: {one.pointer} names it")


def _offer(session: Session, task: ProviderTask, attachment: Attachment, now: datetime) -> None:
    attachment.state, attachment.problem = AttachmentState.ON_ITS_WAY, None
    data = _told(attachment, task.external_id)
    record_event(session, task_stream(task), EventType.ATTACHMENT_ADDED, data, to=[task.connection_id], now=now)


def _lock(session: Session, task: ProviderTask) -> ProviderTask:
    """Whoever attaches a file: of two at once the second counts the first. In the order of `order_locks`."""
    lock_connection(session, task.connection_id)
    session.refresh(task, with_for_update={"key_share": True})
    return task


def _row_of(session: Session, task: ProviderTask, said: Announced) -> Document:
    company = company_of(session, task)
    return {
        "id": new_id(), "connection_id": task.connection_id, "external_id": said.id, "provider_task_id": task.id,
        "name": clean_name(said.name), "media_type": said.media_type, "size_bytes": said.size_bytes,
        "sha256": said.sha256, "author_name": said.author_name, "author_company": company,
        "created_at": said.created_at, "from_consumer": True, "state": AttachmentState.ON_ITS_WAY, "problem": None,
    }  # fmt: skip


def _insert_or_find(session: Session, values: Mapping[str, Any]) -> Attachment:
    """The new row, or the one that has this id or this content already. Raises Conflict."""
    session.execute(insert_into(session, Attachment).values(values).on_conflict_do_nothing())
    named = {"connection_id": values["connection_id"], "external_id": values["external_id"]}
    same = {name: values[name] for name in ("provider_task_id", "from_consumer", "sha256", "name")}
    by_id = session.scalars(select(Attachment).filter_by(**named).with_for_update()).first()
    if by_id is None:
        return session.scalars(select(Attachment).filter_by(**same).with_for_update()).one()
    if any(getattr(by_id, name) != value for name, value in same.items()) or by_id.size_bytes != values["size_bytes"]:
        raise Conflict("attachment_exists", "this id was given to another file")
    return by_id


def _check(limits: AttachmentLimits, name: str, size_bytes: int, already: int) -> None:
    try:
        limits.check(name, size_bytes, already=already)
    except AttachmentRefused as refusal:
        raise FileRefused(refusal.code, refusal.message) from None


def _count_others(session: Session, task: ProviderTask, attachment_id: str) -> int:
    """How many other files the request has, but for refused ones."""
    counts = (Attachment.state != AttachmentState.REFUSED) & (Attachment.id != attachment_id)
    query = select(func.count()).where(Attachment.provider_task_id == task.id, counts)
    return session.execute(query).scalar_one()


def _task_id(session: Session, attachment: Attachment) -> str:
    found = select(ProviderTask.external_id).where(ProviderTask.id == attachment.provider_task_id)
    return session.execute(found).scalar_one()
