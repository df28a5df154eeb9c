"""What is said about a request, by us and by the provider; both sides show it by (created_at, id)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.envelope import Event
from bridge.ids import new_id
from bridge.inbox import Rejection
from bridge.vocabulary import EventType
from consumer_sim.models import Comment, ProviderTask
from consumer_sim.services import fields, requests, tasks, writing
from consumer_sim.services.errors import MoveRefused

RULES: fields.Rules = {
    "task_id": fields.uuid,
    "comment_id": fields.uuid,
    "text": fields.text(20_000),
    "author": fields.document,
    "created_at": fields.time,
}
_RULES: Mapping[str, fields.Rules] = {EventType.COMMENT_ADDED: RULES}
AUTHOR = {"name": fields.text(255), "company": fields.or_null(fields.text(255, least=0))}
_RECORD: Mapping[str, str] = {EventType.COMMENT_ADDED: "task_id"}


class CommentHandler:
    """Adds each comment once, in two statements; one of our own that comes back, as after a restore of the provider,
    changes nothing.
    """

    def check(self, session: Session, connection_id: str, events: Sequence[Event]) -> Mapping[str, Rejection]:
        found = fields.rejections(events, _RULES, _RECORD)
        for event in events:
            if event.id not in found and (wrong := fields.faults(event.data["author"], AUTHOR)):
                below = [fault | {"pointer": fault["pointer"].replace("/data/", "/data/author/")} for fault in wrong]
                found[event.id] = Rejection(f"{event.type} with an unacceptable author", below)
        return found

    def apply(self, session: Session, connection_id: str, events: Sequence[Event], now: datetime) -> None:
        first = {
            event.data["task_id"]: fields.parse_time(event.data["created_at"]) or now for event in reversed(events)
        }
        tasks.ensure_tasks(session, connection_id, first, now)
        writing.insert_missing(session, Comment, [row_of(connection_id, event.data) for event in events])


def add_comment(
    session: Session, task: ProviderTask, text: str, author_name: str, company: str, *, now: datetime
) -> Comment:
    """Say something to the provider. Raises MoveRefused for a withdrawn request, which nobody there knows."""
    if task.submission == "withdrawn":
        raise MoveRefused(task.number, "was withdrawn")
    created_at = now.replace(microsecond=now.microsecond // 1000 * 1000)
    comment = Comment(
        connection_id=task.connection_id,
        id=new_id(),
        task_id=task.id,
        author_name=author_name,
        author_company=company,
        text=text,
        created_at=created_at,
        own=True,
        sent="waiting",
    )
    session.add(comment)
    body = {"id": comment.id, "text": text, "author": {"name": author_name}, "created_at": requests.moment(created_at)}
    requests.send(session, task, "comment", body, now)
    return comment


def get_comments(session: Session, connection_id: str, task_ids: Sequence[str]) -> dict[str, list[Comment]]:
    """The comments of each task, in the order in which both sides show them."""
    found: dict[str, list[Comment]] = {task_id: [] for task_id in task_ids}
    query = select(Comment).where(Comment.connection_id == connection_id, Comment.task_id.in_(task_ids))
    for comment in session.scalars(query.order_by(Comment.created_at, Comment.id)):
        found[comment.task_id].append(comment)
    return found


def row_of(connection_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
    author = data["author"]
    return {
        "connection_id": connection_id,
        "id": data["comment_id"],
        "task_id": data["task_id"],
        "author_name": author["name"],
        "author_company": author.get("company"),
        "text": data["text"],
        "created_at": fields.parse_time(data["created_at"]),
        "own": False,
        "sent": None,
    }
