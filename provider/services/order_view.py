"""One order with everything around it, for the people who work on it."""

from collections import defaultdict
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from provider.domain.errors import NotFound
from provider.domain.orders import OrderState
from provider.domain.pricing import sum_charges
from provider.models.orders import (
    Comment,
    CustomerOrder,
    OrderLine,
    OrderStateChange,
    OrderTask,
    ProviderTask,
    WorkNote,
)
from provider.services.attachments import attachments_of
from provider.services.comments import comment_data, comments_of
from provider.services.order_deliveries import show_delivery
from provider.services.order_moves import legal_moves
from provider.services.order_tasks import order_tasks_data
from provider.services.product_search import operations_of_order
from provider.services.provider_tasks import task_data

Document = dict[str, Any]


def show_order(session: Session, number: str) -> Document:
    """An order with its request, lines as a tree, tasks, history, comments, notes and delivery. Raises NotFound."""
    row = session.execute(
        select(CustomerOrder, ProviderTask)
        .join(ProviderTask, ProviderTask.order_id == CustomerOrder.id)
        .where(CustomerOrder.number == number)
    ).first()
    if row is None:
        raise NotFound("order", number)
    order, task = row
    work = select(OrderTask).where(OrderTask.order_id == order.id).order_by(OrderTask.number)
    return {
        **order_data(order),
        "provider_task": task_data(session, task, order),
        **_lines(session, order),
        "order_tasks": order_tasks_data(session, list(session.execute(work).scalars())),
        "timeline": _timeline(session, order),
        "comments": [_comment(comment, task.external_id) for comment in comments_of(session, [task.id])],
        "attachments": attachments_of(session, task),
        "work_notes": _work_notes(session, order),
        "delivery": show_delivery(session, task),
        "legal_moves": [str(state) for state in legal_moves(order)],
    }


def order_data(order: CustomerOrder) -> Document:
    """What the list shows of an order."""
    return {
        "number": order.number,
        "category": order.category,
        "connection_id": order.connection_id,
        "company": order.company,
        "state": order.state,
        "state_label": OrderState(order.state).label,
        "version": order.version,
        "revision_operation": order.revision_operation,
        "ponr": order.ponr,
        "cancellation": order.cancellation,
        "reason": order.reason,
        "created_at": order.created_at,
        "updated_at": order.updated_at,
    }


def _lines(session: Session, order: CustomerOrder) -> Document:
    """The lines as a tree, and what they cost together."""
    below: dict[str | None, list[Document]] = defaultdict(list)
    query = select(OrderLine).where(OrderLine.order_id == order.id).order_by(OrderLine.position)
    lines = session.execute(query).scalars().all()
    operations = operations_of_order(session, order.id)
    for line in lines:
        document = _line(line) | {"operation": operations.get(line.id), "lines": below[line.id]}
        below[line.parent_line_id].append(document)
    charges = [charge for line in lines for charge in line.prices or []]
    return {"lines": below[None], "totals": sum_charges(charges)}


def _line(line: OrderLine) -> Document:
    return {
        "id": line.id,
        "specification_id": line.specification_id,
        "number": line.number,
        "name": line.name,
        "action": line.action,
        "quantity": line.quantity,
        "state": line.state,
        "state_label": OrderState(line.state).label,
        "ponr": line.ponr,
        "version": line.version,
        "revision_operation": line.revision_operation,
        "characteristics": line.characteristics,
        "location": line.location,
        "contacts": line.contacts,
        "requested_on": line.requested_on,
        "prices": line.prices or [],
    }


def _timeline(session: Session, order: CustomerOrder) -> list[Document]:
    moves = select(OrderStateChange).where(OrderStateChange.order_id == order.id).order_by(OrderStateChange.id)
    return [
        {
            "from_state": move.from_state,
            "to_state": move.to_state,
            "to_state_label": OrderState(move.to_state).label,
            "reason": move.reason,
            "actor": move.actor,
            "at": move.at,
        }
        for move in session.execute(moves).scalars()
    ]


def _comment(comment: Comment, external_id: str) -> Document:
    return comment_data(comment, external_id) | {"from_consumer": comment.from_consumer}


def _work_notes(session: Session, order: CustomerOrder) -> list[Document]:
    notes = select(WorkNote).where(WorkNote.order_id == order.id).order_by(WorkNote.created_at, WorkNote.id)
    return [work_note_data(note) for note in session.execute(notes).scalars()]


def work_note_data(note: WorkNote) -> Document:
    return {"id": note.id, "author": note.author, "text": note.text, "created_at": note.created_at}
