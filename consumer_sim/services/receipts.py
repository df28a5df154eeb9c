"""What came from providers just now?"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, String, and_, cast, func, literal, select, tuple_
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
    """The newest, newest first; five queries by index, however long the history is."""
    told = (_states(), _comments(), _products())
    found = [Receipt(*row) for query in told for row in session.execute(query.limit(limit))]
    found += _items(session, limit)
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


def _items(session: Session, limit: int) -> list[Receipt]:
    """Our own people change items, too; when the provider told of one is known to the inbox."""
    text = literal("Catalog item, revision ").concat(cast(CatalogItem.revision, String))
    query = _told(CatalogItem, CatalogItem.updated_at, "item", CatalogItem.id, CatalogItem.name, text)
    newest = [Receipt(*row) for row in session.execute(query.order_by(CatalogItem.updated_at.desc()).limit(limit))]
    place = tuple_(InboxStream.connection_id, InboxStream.stream)
    last = and_(InboxMessage.stream_id == InboxStream.id, InboxMessage.sequence == InboxStream.applied_sequence)
    told = select(InboxStream.connection_id, InboxStream.stream, InboxMessage.received_at).join(InboxMessage, last)
    came = {
        (connection_id, stream): at
        for connection_id, stream, at in session.execute(told.where(place.in_([_place(one) for one in newest])))
    }
    return [replace(one, at=came[_place(one)]) for one in newest if _place(one) in came]


def _place(item: Receipt) -> tuple[str, str]:
    """Where the inbox keeps what was told of an item."""
    return item.connection_id, f"catalog_item/{item.record_id}"


def _told(model: Any, at: Any, kind: str, record_id: Any, number: Any, text: Any) -> Select[Any]:
    told = select(at, model.connection_id, Connection.name, literal(kind), record_id, number, text)
    return told.join(Connection, Connection.id == model.connection_id)


def _number() -> Any:
    return func.coalesce(ProviderTask.number, "without a number")


def _task_of(model: Any) -> Any:
    return and_(ProviderTask.connection_id == model.connection_id, ProviderTask.id == model.task_id)
