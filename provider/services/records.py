"""What a consumer should hold now, in the words of the wire: one row for each record, to be compared with its own."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from provider.models.attachments import Attachment
from provider.models.cases import Case, ScratchpadEntry
from provider.models.inventory import Product
from provider.models.orders import ProviderTask
from provider.models.task_approvals import TaskApproval
from provider.services.authorised_users import list_authorised_users, user_data
from provider.services.case_view import case_data, moment
from provider.services.comments import comment_data, comments_of
from provider.services.connections import get_connection
from provider.services.entitlements import list_catalog_items
from provider.services.pages import Page, read_page
from provider.services.product_changes import products_data
from provider.services.provider_tasks import own_name, show_case_task, tasks_data, with_cases, with_orders
from provider.services.remote_task_records import definition_rows, remote_task_rows
from provider.services.task_approvals import approval_data

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
_CASE = ("task_id", "number", "opened_by", "short_description", "description", "priority", "resolution",
         "acknowledged_by", "acknowledged_at")  # fmt: skip
_FILE = ("name", "media_type", "size_bytes", "sha256", "from_consumer")


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


def _cases(session: Session, connection_id: str, limit: int, after: Sequence[Any] | None) -> Page[Row]:
    mine = select(ProviderTask).where(
        ProviderTask.connection_id == connection_id, ProviderTask.id.in_(select(Case.provider_task_id))
    )
    page = read_page(session, mine, [ProviderTask.number], limit=limit, after=after)
    told = [case_data(task, case) for task, case in with_cases(session, page.items)]
    told.sort(key=lambda row: str(row["number"]))
    return Page([{name: row[name] for name in _CASE} for row in told], page.next_key)


def _scratchpads(session: Session, connection_id: str, limit: int, after: Sequence[Any] | None) -> Page[Row]:
    """One row for each task that has any, with a member for each entry."""
    mine = select(ProviderTask).where(
        ProviderTask.connection_id == connection_id,
        ProviderTask.id.in_(select(ScratchpadEntry.provider_task_id)),
    )
    page = read_page(session, mine, [ProviderTask.number], limit=limit, after=after)
    rows = {task.id: {"task_id": task.external_id, "number": task.number} for task in page.items}
    entries = select(ScratchpadEntry).where(ScratchpadEntry.provider_task_id.in_(rows))
    for one in session.scalars(entries):
        rows[one.provider_task_id][f"entry {one.name}"] = {
            "value": one.value,
            "client_visible": one.client_visible,
            "author": one.author_name,
            "written_at": moment(one.written_at),
        }
    return Page(list(rows.values()), page.next_key)


def _attachments(session: Session, connection_id: str, limit: int, after: Sequence[Any] | None) -> Page[Row]:
    """Those whose receiver has all of it."""
    there = select(Attachment).where(Attachment.connection_id == connection_id, Attachment.state == "there")
    page = read_page(session, there, [Attachment.external_id], limit=limit, after=after)
    tasks = select(ProviderTask.id, ProviderTask.external_id)
    ids = session.execute(tasks.where(ProviderTask.id.in_([one.provider_task_id for one in page.items])))
    task_ids = {row.id: row.external_id for row in ids}
    rows = [
        {"attachment_id": one.external_id, "task_id": task_ids[one.provider_task_id]}
        | {name: getattr(one, name) for name in _FILE}
        for one in page.items
    ]
    return Page(rows, page.next_key)


def _approvals(session: Session, connection_id: str, limit: int, after: Sequence[Any] | None) -> Page[Row]:
    query: Any = select(TaskApproval).join(ProviderTask, ProviderTask.id == TaskApproval.provider_task_id)
    mine = query.where(ProviderTask.connection_id == connection_id)
    page = read_page(session, mine, [TaskApproval.id], limit=limit, after=after)
    wanted = select(ProviderTask).where(ProviderTask.id.in_([one.provider_task_id for one in page.items]))
    tasks, company = {task.id: task for task in session.scalars(wanted)}, own_name(session)
    rows = [approval_data(one, tasks[one.provider_task_id], company) for one in page.items]
    return Page([{name: value for name, value in row.items() if name != "state_label"} for row in rows], page.next_key)


_READ: Mapping[str, Callable[[Session, str, int, Sequence[Any] | None], Page[Row]]] = {
    "provider_task": _tasks,
    "product": _products,
    "catalog_item": _items,
    "authorised_user": _users,
    "case": _cases,
    "scratchpad": _scratchpads,
    "attachment": _attachments,
    "task_approval": _approvals,
    "remote_task_definition": definition_rows,
    "remote_task": remote_task_rows,
}
KINDS = tuple(_READ)
