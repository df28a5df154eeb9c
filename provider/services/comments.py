"""What is said about a request: comments, which both sides read, and work notes, which stay here."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.database import insert_into
from bridge.ids import new_id
from bridge.outbox import record_event
from bridge.vocabulary import EventType
from provider.domain.errors import Conflict
from provider.models.orders import Comment, ProviderTask, WorkNote
from provider.services.cases import take_answer
from provider.services.pages import Page, read_page
from provider.services.provider_tasks import company_of, get_subject, get_task, own_name, task_stream

Document = dict[str, Any]


def add_comment(
    session: Session, connection_id: str, external_id: str, *, comment_id: str, text: str, author_name: str,
    created_at: datetime, now: datetime,
) -> Document:  # fmt: skip
    """A consumer's comment; its company is the connection's, whatever it says. Not sent back to where it came from.

    The same comment again is the same answer. Raises NotFound, and Conflict when the id belongs to another comment.
    """
    task = get_task(session, connection_id, external_id)
    comment = Comment(
        id=comment_id,
        provider_task_id=task.id,
        author_name=author_name,
        author_company=company_of(session, task),
        text=text,
        created_at=created_at,
        from_consumer=True,
    )
    data, is_new = _write(session, task, comment, origin=connection_id, now=now)
    if is_new and task.order_id is None:
        take_answer(session, task, person=author_name, now=now)
    return data


def add_reply(session: Session, number: str, *, text: str, author_name: str, now: datetime) -> Document:
    """A comment of the provider on an order, or on a task without one, sent to the consumer. Raises NotFound."""
    task = get_subject(session, number)
    comment = Comment(
        id=new_id(),
        provider_task_id=task.id,
        author_name=author_name,
        author_company=own_name(session),
        text=text,
        created_at=now,
        from_consumer=False,
    )
    return _write(session, task, comment, origin=None, now=now)[0]


def add_work_note(session: Session, number: str, *, text: str, author: str, now: datetime) -> WorkNote:
    """A private note on an order, or on a task without one; no consumer ever sees it. Raises NotFound."""
    task = get_subject(session, number)
    subject = {"order_id": task.order_id} if task.order_id else {"provider_task_id": task.id}
    note = WorkNote(id=new_id(), **subject, author=author, text=text, created_at=now)
    session.add(note)
    session.flush()
    return note


def list_comments(
    session: Session, connection_id: str, external_id: str, *, limit: int, after: Sequence[Any] | None = None
) -> Page[Comment]:
    """Both sides' comments on a task, in the order in which both sides show them. Raises NotFound."""
    task = get_task(session, connection_id, external_id)
    said = select(Comment).where(Comment.provider_task_id == task.id)
    return read_page(session, said, [Comment.created_at, Comment.id], limit=limit, after=after)


def comments_of(session: Session, task_ids: Iterable[str]) -> list[Comment]:
    """The comments on some tasks, by the time of writing, then by id."""
    found = select(Comment).where(Comment.provider_task_id.in_(list(task_ids)))
    return list(session.execute(found.order_by(Comment.created_at, Comment.id)).scalars())


def comment_data(comment: Comment, external_id: str) -> Document:
    """A comment in the words of the wire."""
    return {
        "task_id": external_id,
        "comment_id": comment.id,
        "text": comment.text,
        "author": {"name": comment.author_name, "company": comment.author_company},
        "created_at": comment.created_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


def listed_comment(comment: Comment, external_id: str) -> Document:
    """A comment of either side, as a consumer reads it again."""
    return comment_data(comment, external_id) | {"from_consumer": comment.from_consumer}


def _write(
    session: Session, task: ProviderTask, comment: Comment, *, origin: str | None, now: datetime
) -> tuple[Document, bool]:
    """The comment as it is told, and whether it is new."""
    values = {column.key: getattr(comment, column.key) for column in Comment.__table__.columns}
    statement = insert_into(session, Comment).values(values).on_conflict_do_nothing().returning(Comment.id)
    if session.execute(statement).first() is None:
        return comment_data(_same(session, comment), task.external_id), False
    data = comment_data(comment, task.external_id)
    to = [task.connection_id]
    record_event(session, task_stream(task), EventType.COMMENT_ADDED, data, to=to, now=now, origin=origin)
    return data, True


def _same(session: Session, comment: Comment) -> Comment:
    before = session.get_one(Comment, (comment.provider_task_id, comment.id))
    if before.text != comment.text:
        raise Conflict("comment_exists", "this id was accepted with another comment")
    return before
