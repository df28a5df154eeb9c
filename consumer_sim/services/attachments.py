"""Files that belong to a request, ours and the provider's: what is known of them, and how far each is.

Ours are announced in the stream of the request; what is in them crosses on its own, both ways (`attachment_lane`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bridge.attachments import MEDIA_TYPE, AttachmentLimits, AttachmentState, clean_name
from bridge.carriers import CallAnswer
from bridge.envelope import Event
from bridge.files import FileStore, Kept
from bridge.ids import new_id
from bridge.inbox import Rejection
from bridge.vocabulary import EventType
from consumer_sim.models import ProviderTask
from consumer_sim.models_attachments import Attachment
from consumer_sim.services import fields, requests, tasks, writing
from consumer_sim.services.errors import MoveRefused, NotFound

Document = dict[str, Any]

RULES: fields.Rules = {
    "task_id": fields.uuid,
    "attachment_id": fields.uuid,
    "name": fields.text(255),
    "media_type": fields.text(100),
    "size_bytes": fields.size,
    "sha256": fields.sha256,
    "author": fields.members({"name": fields.text(255), "company": fields.or_null(fields.text(255, least=0))}),
    "created_at": fields.time,
}
_RULES: Mapping[str, fields.Rules] = {EventType.ATTACHMENT_ADDED: RULES}
_RECORD: Mapping[str, str] = {EventType.ATTACHMENT_ADDED: "task_id"}


class AttachmentHandler:
    """Notes each file once, in two statements, for the lane to fetch; one that is told again is looked at again."""

    def check(self, session: Session, connection_id: str, events: Sequence[Event]) -> Mapping[str, Rejection]:
        return fields.rejections(events, _RULES, _RECORD)

    def apply(self, session: Session, connection_id: str, events: Sequence[Event], now: datetime) -> None:
        first = {
            event.data["task_id"]: fields.parse_time(event.data["created_at"]) or now for event in reversed(events)
        }
        tasks.ensure_tasks(session, connection_id, first, now)
        last = {event.data["attachment_id"]: event.data for event in events}
        rows = [row_of(connection_id, data, now) for data in last.values()]
        writing.upsert(session, Attachment, rows, ("state", "problem", "step", "due_at", "failures"))


def row_of(connection_id: str, data: Mapping[str, Any], now: datetime) -> Document:
    """A file of the provider that is to be fetched, from what the wire says of it."""
    return {
        "connection_id": connection_id, "id": data["attachment_id"], "task_id": data["task_id"],
        "name": clean_name(data["name"]), "media_type": data["media_type"], "size_bytes": data["size_bytes"],
        "sha256": data["sha256"], "author_name": data["author"]["name"],
        "author_company": data["author"].get("company"), "created_at": fields.parse_time(data["created_at"]),
        "own": False, "state": AttachmentState.ON_ITS_WAY, "problem": None, "moved_bytes": 0, "step": "download",
        "due_at": now, "failures": 0,
    }  # fmt: skip


def attach_file(
    session: Session, task: ProviderTask, *, name: str, media_type: str, kept: Kept, author_name: str, company: str,
    limits: AttachmentLimits, now: datetime,
) -> Attachment:  # fmt: skip
    """Give the provider a file. The same file again is given once; one that it refused is tried again.

    Raises MoveRefused for a withdrawn request, AttachmentRefused.
    """
    if task.submission == "withdrawn":
        raise MoveRefused(task.number, "was withdrawn")
    name = clean_name(name)
    named = {"connection_id": task.connection_id, "task_id": task.id, "sha256": kept.sha256, "name": name, "own": True}
    found = session.scalars(select(Attachment).filter_by(**named)).first()
    if found is not None:
        if found.state == AttachmentState.REFUSED:
            requests.announce_file(session, task, found, now)
        return found
    limits.check(name, kept.size_bytes, already=_count(session, task))
    attachment = Attachment(
        id=new_id(), media_type=media_type[:100] or MEDIA_TYPE, size_bytes=kept.size_bytes, author_name=author_name,
        author_company=company, created_at=now.replace(microsecond=now.microsecond // 1000 * 1000),
        state=AttachmentState.ON_ITS_WAY, moved_bytes=0, failures=0, **named,
    )  # fmt: skip
    session.add(attachment)
    requests.announce_file(session, task, attachment, now)
    return attachment


def retry_attachment(session: Session, attachment: Attachment, *, now: datetime) -> None:
    """Try again with a file that was refused, by the provider or by us. Raises MoveRefused for any other."""
    task = tasks.lock_task(session, attachment.connection_id, attachment.task_id)
    if task.submission == "withdrawn":
        raise MoveRefused(task.number, "was withdrawn")
    if attachment.state != AttachmentState.REFUSED:
        raise MoveRefused(task.number, f"has the file {attachment.name} {attachment.state.replace('_', ' ')}")
    if attachment.own:
        requests.announce_file(session, task, attachment, now)
    else:
        attachment.state, attachment.problem = AttachmentState.ON_ITS_WAY, None
        attachment.step, attachment.due_at, attachment.failures = "download", now, 0


def settle_announcement(session: Session, answer: CallAnswer, now: datetime) -> None:
    """The provider takes the file, which is sent then, or refuses it; or it has it already."""
    attachment = session.get(Attachment, (answer.connection_id, str(answer.body.get("id"))))
    if attachment is None or attachment.state != AttachmentState.ON_ITS_WAY:
        return
    other_id = answer.document.get("attachment_id", attachment.id) != attachment.id
    if not answer.accepted:
        refuse(attachment, str(answer.document.get("detail") or answer.document.get("title") or answer.code)[:2000])
    elif answer.document.get("state") == AttachmentState.THERE:
        attachment.state, attachment.moved_bytes = AttachmentState.THERE, attachment.size_bytes
    elif other_id:
        refuse(attachment, "The provider knows this file under another id, and waits for it there.")
    else:
        attachment.step, attachment.due_at, attachment.failures = "upload", now, 0
    company = (answer.document.get("author") or {}).get("company") if answer.accepted else None
    if isinstance(company, str):
        attachment.author_company = company[:255]  # the provider knows us by the name of our registration


def refuse(attachment: Attachment, reason: str) -> None:
    """It stays here, with the reason."""
    attachment.state, attachment.problem = AttachmentState.REFUSED, reason
    attachment.step = attachment.due_at = None


def get_attachments(session: Session, connection_id: str, task_id: str) -> Sequence[Attachment]:
    """Both sides' files of a request, in the order in which both sides show them."""
    query = select(Attachment).where(Attachment.connection_id == connection_id, Attachment.task_id == task_id)
    return session.scalars(query.order_by(Attachment.created_at, Attachment.id)).all()


def get_attachment(
    session: Session, attachment_id: str, *, connection_id: str | None = None, lock: bool = False
) -> Attachment:
    """Raises NotFound. Of two files with one id, which only a provider that guesses ours could make, ours is found."""
    query = select(Attachment).where(Attachment.id == attachment_id).order_by(Attachment.own.desc()).limit(1)
    if connection_id is not None:
        query = query.where(Attachment.connection_id == connection_id)
    attachment = session.scalars(query.with_for_update() if lock else query).first()
    if attachment is None:
        raise NotFound("attachment", attachment_id)
    return attachment


def find_content(files: FileStore, attachment: Attachment) -> Path:
    """Where a file lies that is here. Raises NotFound: it is still on its way, refused, or gone from the disk."""
    is_here = attachment.own or attachment.state == AttachmentState.THERE
    path = files.find(attachment.sha256) if is_here else None
    if path is None:
        raise NotFound("file of attachment", attachment.id)
    return path


def attachment_document(attachment: Attachment) -> Document:
    names = (
        "id", "task_id", "connection_id", "name", "media_type", "size_bytes", "sha256", "own", "state", "problem",
        "moved_bytes",
    )  # fmt: skip
    return {
        **{name: getattr(attachment, name) for name in names},
        "author": {"name": attachment.author_name, "company": attachment.author_company},
        "created_at": requests.moment(attachment.created_at),
    }


def check_talking(task: ProviderTask, name: str, limits: AttachmentLimits) -> str:
    """The name under which a file may be taken in. Raises MoveRefused, AttachmentRefused."""
    if task.submission == "withdrawn":
        raise MoveRefused(task.number, "was withdrawn")
    limits.check(clean_name(name), 1)
    return clean_name(name)


def _count(session: Session, task: ProviderTask) -> int:
    counts = (Attachment.connection_id == task.connection_id) & (Attachment.task_id == task.id)
    query = select(func.count()).where(counts, Attachment.state != AttachmentState.REFUSED)
    return session.execute(query).scalar_one()
