"""What a consumer should hold now, in the words of the wire: one row for each record, to be compared with its own."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from provider.models.inventory import Product
from provider.models.orders import ProviderTask
from provider.services.authorised_users import list_authorised_users, user_data
from provider.services.comments import comment_data, comments_of
from provider.services.connections import get_connection
from provider.services.entitlements import list_catalog_items
from provider.services.pages import Page, read_page
from provider.services.product_changes import products_data
from provider.services.provider_tasks import show_case_task, tasks_data, with_cases, with_orders

Row = dict[str, Any]

_TOLD = (
    "task_id",
    "number",
    "state",
    "state_label",
    "order_number",
    "order_state",
    "order_state_label",
    "order_version",
    "ponr",
    "reason",
    "cancellation",
    "cancellation_message",
)


def list_records(
    session: Session, connection_id: str, kind: str, *, limit: int, after: Sequence[Any] | None = None
) -> Page[Row]:
    """The records of one kind that a connection should have. Raises NotFound. `kind` is one of KINDS."""
    return _READ[kind](session, get_connection(session, connection_id).id, limit, after)


def _tasks(session: Session, connection_id: str, limit: int, after: Sequence[Any] | None) -> Page[Row]:
    mine = select(ProviderTask).where(ProviderTask.connection_id == connection_id)
    page = read_page(session, mine, [ProviderTask.number], limit=limit, after=after)
    external_ids = {task.id: task.external_id for task in page.items}
    said: Mapping[str, list[Row]] = defaultdict(list)
    for comment in comments_of(session, external_ids):
        data = comment_data(comment, external_ids[comment.provider_task_id])
        said[data.pop("task_id")].append(data)
    documents = tasks_data(session, connection_id, with_orders(session, page.items))
    documents += [show_case_task(task, case) for task, case in with_cases(session, page.items)]
    documents.sort(key=lambda row: str(row["number"]))
    rows = [{name: row[name] for name in _TOLD} | {"comments": said[row["task_id"]]} for row in documents]
    return Page(rows, page.next_key)


def _products(session: Session, connection_id: str, limit: int, after: Sequence[Any] | None) -> Page[Row]:
    mine = select(Product).where(Product.connection_id == connection_id)
    page = read_page(session, mine, [Product.number], limit=limit, after=after)
    return Page(products_data(session, page.items), page.next_key)


def _items(session: Session, connection_id: str, limit: int, after: Sequence[Any] | None) -> Page[Row]:
    return list_catalog_items(session, connection_id, limit=limit, after=after)


def _users(session: Session, connection_id: str, limit: int, after: Sequence[Any] | None) -> Page[Row]:
    page = list_authorised_users(session, connection_id, limit=limit, after=after)
    return Page([user_data(user) for user in page.items], page.next_key)


_READ: Mapping[str, Callable[[Session, str, int, Sequence[Any] | None], Page[Row]]] = {
    "provider_task": _tasks,
    "product": _products,
    "catalog_item": _items,
    "authorised_user": _users,
}
KINDS = tuple(_READ)
