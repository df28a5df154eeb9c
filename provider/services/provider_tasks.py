"""Requests as the consumer sees them: in the words of the wire, with the state that its mapping tables give."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.mapping import MappingHole
from bridge.models import Connection, Instance
from bridge.outbox import Rendering
from bridge.vocabulary import EventType
from provider.domain.errors import NotFound
from provider.domain.orders import OrderState
from provider.models.cases import Case
from provider.models.orders import CustomerOrder, ProviderTask
from provider.services.case_view import case_task_data, moment
from provider.services.pages import Page, read_page

Document = dict[str, Any]


def task_stream(task: ProviderTask) -> str:
    return f"provider_task/{task.external_id}"


def state_data(task: ProviderTask, order: CustomerOrder) -> Document:
    """What an event tells of a task, before any mapping."""
    return {
        "task_id": task.external_id,
        "number": task.number,
        "order_number": order.number,
        "order_state": str(order.state),
        "order_state_label": OrderState(order.state).label,
        "order_version": order.version,
        "ponr": order.ponr,
        "reason": order.reason,
        "cancellation": order.cancellation,
        "cancellation_message": order.cancellation_message,
    }


def task_data(session: Session, task: ProviderTask, order: CustomerOrder) -> Document:
    """One task as in the event, plus what was asked."""
    return tasks_data(session, task.connection_id, [(task, order)])[0]


def tasks_data(
    session: Session, connection_id: str, rows: Sequence[tuple[ProviderTask, CustomerOrder]]
) -> list[Document]:
    """Tasks of one connection. Behind a hole in its mapping the state is None, as it is in no event."""
    version = session.execute(select(Connection.mapping_version).where(Connection.id == connection_id)).scalar_one()
    return [render_task(session, version, task, order) for task, order in rows]


def render_task(session: Session, mapping_version: int | None, task: ProviderTask, order: CustomerOrder) -> Document:
    """A task for a connection with that mapping version. Neither record need be in the session."""
    rendering: Rendering = session.info["outbox"]
    tables = rendering.tables_of(session, mapping_version)
    told = state_data(task, order)
    unknown = {"state": None, "state_label": None}
    try:
        told = tables.apply(EventType.PROVIDER_TASK_STATE_CHANGED, told) if tables else told | unknown
    except MappingHole:
        told = told | unknown
    return {**_asked(task), **told}


def get_task(session: Session, connection_id: str, external_id: str) -> ProviderTask:
    """Raises NotFound, also for a task of another connection."""
    found = select(ProviderTask).where(
        ProviderTask.connection_id == connection_id, ProviderTask.external_id == external_id
    )
    task = session.execute(found).scalar_one_or_none()
    if task is None:
        raise NotFound("provider task", external_id)
    return task


def show_task(session: Session, connection_id: str, external_id: str) -> Document:
    """One task of a connection. Raises NotFound."""
    task = get_task(session, connection_id, external_id)
    if task.order_id is None:
        return show_case_task(task, session.get_one(Case, task.id))
    return task_data(session, task, session.get_one(CustomerOrder, task.order_id))


def show_case_task(task: ProviderTask, case: Case) -> Document:
    """A task without an order, as in the event, plus what was asked."""
    requested = {"requested_by": task.requested_by, "opened_at": moment(task.opened_at)}
    return {**requested, **_asked(task), **case_task_data(task, case)}


def list_tasks(
    session: Session, connection_id: str, *, limit: int, after: Sequence[Any] | None = None
) -> Page[Document]:
    """The tasks of a connection, by the consumer's number."""
    mine = select(ProviderTask).where(ProviderTask.connection_id == connection_id)
    page = read_page(session, mine, [ProviderTask.number], limit=limit, after=after)
    found = tasks_data(session, connection_id, with_orders(session, page.items))
    found += [show_case_task(task, case) for task, case in with_cases(session, page.items)]
    return Page(sorted(found, key=lambda task: str(task["number"])), page.next_key)


def with_orders(session: Session, tasks: Sequence[ProviderTask]) -> list[tuple[ProviderTask, CustomerOrder]]:
    """Each task with its order, in one query."""
    wanted = select(CustomerOrder).where(CustomerOrder.id.in_([task.order_id for task in tasks]))
    orders = {order.id: order for order in session.execute(wanted).scalars()}
    return [(task, orders[task.order_id]) for task in tasks if task.order_id]


def with_cases(session: Session, tasks: Sequence[ProviderTask]) -> list[tuple[ProviderTask, Case]]:
    """Each task that has no order with its case, in one query, if there are any."""
    without = {task.id: task for task in tasks if task.order_id is None}
    if not without:
        return []
    cases = session.execute(select(Case).where(Case.provider_task_id.in_(without))).scalars()
    return [(without[case.provider_task_id], case) for case in cases]


def get_subject(session: Session, number: str) -> ProviderTask:
    """The task behind a number that our people use: of an order, or of a task that has none. Raises NotFound."""
    order_id = session.scalar(select(CustomerOrder.id).where(CustomerOrder.number == number))
    mine = ProviderTask.order_id == order_id if order_id else ProviderTask.number == number
    task = session.execute(select(ProviderTask).where(mine)).scalar_one_or_none()
    if task is None or (task.order_id is not None and order_id is None):
        raise NotFound("order", number)
    return task


def company_of(session: Session, task: ProviderTask) -> str:
    """What the consumer of a task is called here."""
    column = Case.company if task.order_id is None else CustomerOrder.company
    mine = Case.provider_task_id == task.id if task.order_id is None else CustomerOrder.id == task.order_id
    return session.execute(select(column).where(mine)).scalar_one()


def own_name(session: Session) -> str:
    """What consumers know us by."""
    return session.execute(select(Instance.name)).scalar_one()


def _asked(task: ProviderTask) -> Document:
    asked = {name: value for name, value in task.request.items() if name != "id"}
    return asked | {
        "number": task.number,
        "revision": task.revision,
        "catalog_item_id": task.catalog_item_id,
        "catalog_item_revision": task.catalog_item_revision,
    }
