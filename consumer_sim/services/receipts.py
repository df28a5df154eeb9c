"""What came from providers just now?"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, String, and_, cast, func, literal, select
from sqlalchemy.orm import Session

from bridge.models import Connection, InboxMessage, InboxStream
from consumer_sim.models import CatalogItem, Comment, Product, ProviderTask, TaskState

RECEIPTS_LIMIT = 20


@dataclass(frozen=True, slots=True)
class Receipt:
    """One thing that a provider told. `kind` is `task`, `product` or `item`, and with `record_id` says of which record;
    `number` is what that is called here.
    """

    at: datetime
    connection_id: str
    connection: str
    kind: str
    record_id: str
    number: str
    text: str


def read_receipts(session: Session, limit: int = RECEIPTS_LIMIT) -> list[Receipt]:
    """The newest, newest first; four queries by index, however long the history is."""
    found = [
        Receipt(*row)
        for query in (_states(), _comments(), _products(), _items())
        for row in session.execute(query.limit(limit))
    ]
    return sorted(found, key=lambda receipt: receipt.at, reverse=True)[:limit]


def _states() -> Select[Any]:
    text = literal("State ").concat(TaskState.order_state_label)
    query = _told(TaskState, TaskState.received_at, "task", TaskState.task_id, _number(), text)
    return query.outerjoin(ProviderTask, _task_of(TaskState)).order_by(TaskState.received_at.desc())


def _comments() -> Select[Any]:
    text = literal("Comment of ").concat(Comment.author_name)
    query = _told(Comment, Comment.created_at, "task", Comment.task_id, _number(), text)
    told = query.outerjoin(ProviderTask, _task_of(Comment)).where(Comment.own.is_(False))
    return told.order_by(Comment.created_at.desc())


def _products() -> Select[Any]:
    text = Product.name.concat(" ").concat(Product.state_label)
    query = _told(Product, Product.updated_at, "product", Product.id, Product.number, text)
    return query.order_by(Product.updated_at.desc())


def _items() -> Select[Any]:
    """Our own people change items, too; when the provider told of one is known to the inbox."""
    came = InboxMessage.received_at
    text = literal("Catalog item, revision ").concat(cast(CatalogItem.revision, String))
    query = _told(CatalogItem, came, "item", CatalogItem.id, CatalogItem.name, text)
    stream = and_(
        InboxStream.connection_id == CatalogItem.connection_id,
        InboxStream.stream == literal("catalog_item/").concat(CatalogItem.id),
    )
    last = and_(InboxMessage.stream_id == InboxStream.id, InboxMessage.sequence == InboxStream.applied_sequence)
    return query.join(InboxStream, stream).join(InboxMessage, last).order_by(CatalogItem.updated_at.desc())


def _told(model: Any, at: Any, kind: str, record_id: Any, number: Any, text: Any) -> Select[Any]:
    told = select(at, model.connection_id, Connection.name, literal(kind), record_id, number, text)
    return told.join(Connection, Connection.id == model.connection_id)


def _number() -> Any:
    return func.coalesce(ProviderTask.number, "without a number")


def _task_of(model: Any) -> Any:
    return and_(ProviderTask.connection_id == model.connection_id, ProviderTask.id == model.task_id)
