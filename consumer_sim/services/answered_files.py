"""Files that answer questions of forms: chosen first, named by an answer, and given to the provider with the request.

What people chose stands in a row of its own, so that an answer can name only what this instance has taken in.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.answered_files import MEMBERS, AnsweredFile, find_files
from bridge.attachments import MEDIA_TYPE, AttachmentState
from bridge.files import Kept
from bridge.forms import FormError, FormErrors
from bridge.ids import new_id
from bridge.models import Instance
from consumer_sim.models import HeldCall, ProviderTask
from consumer_sim.models_attachments import Attachment, ChosenFile

Document = dict[str, Any]


def keep_chosen(session: Session, kept: Kept, *, name: str, media_type: str, chosen_by: str, now: datetime) -> Document:
    """Note a file that is on disk; the answer that names it."""
    chosen = ChosenFile(
        id=new_id(), name=name, media_type=media_type[:100] or MEDIA_TYPE, size_bytes=kept.size_bytes,
        sha256=kept.sha256, chosen_by=chosen_by, chosen_at=now,
    )  # fmt: skip
    session.add(chosen)
    session.flush()
    return _answer(chosen)


def check_chosen(session: Session, connection_id: str, task_id: str | None, answers: Mapping[str, Any]) -> None:
    """Raises FormErrors for answers that name what was not chosen here, or what belongs to another request than this
    one.
    """
    if errors := list(_find_faults(session, connection_id, task_id, list(find_files(answers)))):
        raise FormErrors(errors)


def take_back(session: Session, task: ProviderTask, former: Mapping[str, Any]) -> None:
    """Forget the files that a request named before and names no more, as long as the provider was told nothing."""
    if task.submission == "accepted":
        return
    gone = {one.answer["attachment_id"] for one in find_files(former)}
    gone -= {one.answer["attachment_id"] for one in find_files(task.request)}
    held = select(HeldCall).where(HeldCall.connection_id == task.connection_id, HeldCall.task_id == task.id)
    for call in session.scalars(held).all() if gone else ():
        if call.operation == "attachment" and call.body["id"] in gone:
            session.delete(call)
            session.delete(session.get_one(Attachment, (task.connection_id, call.body["id"])))
    session.flush()


def find_new(session: Session, task: ProviderTask) -> Iterator[Attachment]:
    """The rows of files that the answers of a request name and that are not among its files yet, each content once."""
    named = (Attachment.connection_id == task.connection_id) & (Attachment.task_id == task.id)
    known = {(one.sha256, one.name) for one in session.scalars(select(Attachment).where(named, Attachment.own))}
    request: Mapping[str, Any] = task.request or {}
    for one in find_files(request):
        if one.content not in known:
            known.add(one.content)
            yield _attachment(task, one.answer, request["requested_by"]["name"], _own_name(session))


def _attachment(task: ProviderTask, answer: Mapping[str, Any], author: str, company: str) -> Attachment:
    at = task.updated_at
    return Attachment(
        connection_id=task.connection_id, id=answer["attachment_id"], task_id=task.id, name=answer["name"],
        media_type=answer["media_type"], size_bytes=answer["size_bytes"], sha256=answer["sha256"], author_name=author,
        author_company=company, created_at=at.replace(microsecond=at.microsecond // 1000 * 1000), own=True,
        state=AttachmentState.ON_ITS_WAY, moved_bytes=0, failures=0,
    )  # fmt: skip


def _find_faults(
    session: Session, connection_id: str, task_id: str | None, named: list[AnsweredFile]
) -> Iterator[FormError]:
    ids = {one.answer["attachment_id"] for one in named}
    if not ids:
        return
    chosen = {one.id: one for one in session.scalars(select(ChosenFile).where(ChosenFile.id.in_(ids)))}
    taken = select(Attachment.id, Attachment.task_id).where(Attachment.connection_id == connection_id)
    owners = {one.id: one.task_id for one in session.execute(taken.where(Attachment.id.in_(ids)))}
    for one in named:
        identity = one.answer["attachment_id"]
        if identity not in chosen or _answer(chosen[identity]) != dict(one.answer):
            yield FormError(one.pointer, "not_chosen", "This file was not taken in here. Choose it again.")
        elif owners.get(identity, task_id) != task_id:
            yield FormError(one.pointer, "of_another", "This file belongs to another request. Choose it again.")


def _answer(chosen: ChosenFile) -> Document:
    return {"attachment_id": chosen.id} | {name: getattr(chosen, name) for name in MEMBERS[1:]}


def _own_name(session: Session) -> str:
    return session.execute(select(Instance.name)).scalar_one()
