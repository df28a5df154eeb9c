"""What this instance holds, in the wire's words: one row for each record, to be compared with the provider's."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from consumer_sim.models import CatalogItem, Comment, Product, ProviderTask
from consumer_sim.models_attachments import Attachment
from consumer_sim.models_cases import Case, ScratchpadEntry
from consumer_sim.models_personas import AuthorisedUser
from consumer_sim.models_remote_tasks import RemoteTask, RemoteTaskDefinition
from consumer_sim.models_task_approvals import TaskApproval
from consumer_sim.services import comments, pages
from consumer_sim.services.forms import without_secrets
from consumer_sim.services.remote_task_records import definition_rows, remote_task_rows
from consumer_sim.services.requests import moment
from consumer_sim.services.task_approvals import told_data

Row = dict[str, Any]

_TASK = (
    "number",
    "state",
    "state_label",
    "order_number",
    "order_state",
    "order_state_label",
    "order_version",
    "ponr",
    "reason",
    "cancellation_message",
)
_PRODUCT = (
    "number",
    "name",
    "state",
    "state_label",
    "task_id",
    "order_number",
    "line_number",
    "characteristics",
    "location",
    "catalog_item_id",
    "parent_id",
    "part",
    "changed_by",
)
_ITEM = ("revision", "name", "short_description", "category", "kind", "form", "orderable", "compatibility")


def list_records(
    session: Session, connection_id: str, kind: str, *, after: str | None, limit: int
) -> tuple[list[Row], str | None]:
    """The records of a kind by id, those after the id `after`, and the id to go on after, if there are more.

    Requests the provider has not accepted, and items it took away, are not among them: it does not have them either.
    """
    model, condition, rows_of = _KINDS[kind]
    query = select(model).where(model.connection_id == connection_id, condition)
    found, following = pages.read_page(session, query, model.id, after=after, limit=limit)
    return rows_of(session, connection_id, found), following


def comment_record(comment: Comment) -> Row:
    author = {"name": comment.author_name, "company": comment.author_company}
    return {
        "comment_id": comment.id,
        "text": comment.text,
        "author": author,
        "created_at": moment(comment.created_at),
    }


def task_record(task: ProviderTask) -> Row:
    return {"task_id": task.id, **_members(task, _TASK), "cancellation": task.cancellation_told}


def product_record(product: Product) -> Row:
    resumes_at = moment(product.resumes_at) if product.resumes_at else None
    return {"product_id": product.id, **_members(product, _PRODUCT), "resumes_at": resumes_at}


def _tasks(session: Session, connection_id: str, tasks: Sequence[ProviderTask]) -> list[Row]:
    said = comments.get_comments(session, connection_id, [task.id for task in tasks])
    return [task_record(task) | {"comments": [comment_record(comment) for comment in said[task.id]]} for task in tasks]


def _products(session: Session, connection_id: str, products: Sequence[Product]) -> list[Row]:
    return [product_record(product) for product in products]


def _items(session: Session, connection_id: str, items: Sequence[CatalogItem]) -> list[Row]:
    told: list[Row] = [{"item_id": item.id, **_members(item, _ITEM), **_prices(item)} for item in items]
    return [row | {"form": without_secrets(row["form"])} for row in told]


def _prices(item: CatalogItem) -> Row:
    """The provider tells them to few, and personas and words beside the form of few."""
    told: Row = {"prices": item.prices, "personas": item.personas}
    told |= {"description": item.description or None, "help_text": item.help_text or None}
    return {name: value for name, value in told.items() if value is not None}


def _users(session: Session, connection_id: str, users: Sequence[AuthorisedUser]) -> list[Row]:
    shown = ("revision", "approval", "approved_persona_ids", "reason")
    return [{"authorised_user_id": user.id, **(user.told or {}), **_members(user, shown)} for user in users]


def _cases(session: Session, connection_id: str, tasks: Sequence[ProviderTask]) -> list[Row]:
    mine = (Case.connection_id == connection_id, Case.task_id.in_([task.id for task in tasks]))
    known = {one.task_id: one for one in session.scalars(select(Case).where(*mine))}
    return [{"task_id": task.id, "number": task.number, **_case(known[task.id])} for task in tasks]


def _case(case: Case) -> Row:
    resolution = {name: getattr(case, f"resolution_{name}") for name in ("code", "label", "text")}
    return _members(case, ("opened_by", "short_description", "description", "priority", "acknowledged_by")) | {
        "resolution": resolution if case.resolution_code is not None else None,
        "acknowledged_at": moment(case.acknowledged_at) if case.acknowledged_at else None,
    }


def _scratchpads(session: Session, connection_id: str, tasks: Sequence[ProviderTask]) -> list[Row]:
    """One row for each task, with a member for each entry that the provider told of."""
    rows: dict[str, Row] = {task.id: {"task_id": task.id, "number": task.number} for task in tasks}
    query = select(ScratchpadEntry).where(ScratchpadEntry.connection_id == connection_id, _TOLD)
    for one in session.scalars(query.where(ScratchpadEntry.task_id.in_(rows))):
        rows[one.task_id][f"entry {one.name}"] = {
            **_members(one, ("value", "client_visible")),
            "author": one.author_name,
            "written_at": moment(one.written_at) if one.written_at else None,
        }
    return list(rows.values())


def _attachments(session: Session, connection_id: str, files: Sequence[Attachment]) -> list[Row]:
    shown = ("task_id", "name", "media_type", "size_bytes", "sha256")
    return [{"attachment_id": one.id, "from_consumer": one.own, **_members(one, shown)} for one in files]


def _approvals(session: Session, connection_id: str, approvals: Sequence[TaskApproval]) -> list[Row]:
    return [{"approval_id": one.id, "task_id": one.task_id, **told_data(one)} for one in approvals]


def _members(row: Any, names: Sequence[str]) -> Row:
    return {name: getattr(row, name) for name in names}


def _with(model: Any, *conditions: Any) -> Any:
    """Tasks that have some of these rows."""
    mine = (model.connection_id == ProviderTask.connection_id, model.task_id == ProviderTask.id)
    return exists().where(*mine, *conditions)


_TOLD = ScratchpadEntry.value.is_not(None)
_KINDS: Mapping[str, tuple[Any, Any, Callable[[Session, str, Sequence[Any]], list[Row]]]] = {
    "provider_task": (ProviderTask, ProviderTask.submission == "accepted", _tasks),
    "product": (Product, Product.id.is_not(None), _products),
    "catalog_item": (CatalogItem, CatalogItem.state != "removed", _items),
    "authorised_user": (AuthorisedUser, (AuthorisedUser.revision > 0) & (AuthorisedUser.sent != "refused"), _users),
    "case": (ProviderTask, _with(Case), _cases),
    "scratchpad": (ProviderTask, _with(ScratchpadEntry, _TOLD), _scratchpads),
    "attachment": (Attachment, Attachment.state == "there", _attachments),
    "task_approval": (TaskApproval, TaskApproval.id.is_not(None), _approvals),
    "remote_task_definition": (RemoteTaskDefinition, RemoteTaskDefinition.state != "removed", definition_rows),
    "remote_task": (RemoteTask, RemoteTask.submission == "accepted", remote_task_rows),
}
KINDS = tuple(_KINDS)
