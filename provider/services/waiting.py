"""What waits for people, counted; and how far a new instance has come."""

from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session

from bridge.ailments import find_ailments
from bridge.flow import read_flows
from bridge.models import Connection, Delivery
from bridge.vocabulary import ConnectionState
from provider.domain.orders import OrderState
from provider.domain.roles import Permission
from provider.models.access import Registration
from provider.models.catalog import ProductOffering, RemoteRecordProducer
from provider.models.criteria import HeldRemoval
from provider.models.orders import CustomerOrder, ProviderTask
from provider.models.personas import AuthorisedUser
from provider.services.case_search import count_cases
from provider.services.order_search import said_since
from provider.services.producer_search import count_reaching_nobody
from provider.services.task_approval_search import count_open_approvals
from provider.services.task_search import FREE, MINE, count_order_tasks

_P = Permission


def count_waiting(session: Session, *, actor: str, permissions: AbstractSet[str], now: datetime) -> dict[str, int]:
    """How many records wait, by what they wait for; only what these permissions let one read is counted.

    Order states count the orders in them, `comments` those of which the consumer said something since. `free` and
    `mine` are order tasks, with `cases_` before them tasks without an order, `task_approvals` what consumers were asked
    to approve, `parked` deliveries, `trouble` connections, `drafts` remote record producers, `removals` items that many
    would lose at once, `unreached` items that nobody may order.
    """
    found: dict[str, int] = {}
    if _P.ORDER_READ in permissions:
        states = select(CustomerOrder.state, func.count()).group_by(CustomerOrder.state)
        found |= {str(state): 0 for state in OrderState} | {state: count for state, count in session.execute(states)}
        said = select(func.count()).join_from(CustomerOrder, ProviderTask).where(said_since())
        found["comments"] = session.scalar(said) or 0
    if _P.ORDER_TASK_READ in permissions:
        tasks = count_order_tasks(session, actor)
        found |= {kind: tasks[kind] for kind in (FREE, MINE)}
    if _P.CASE_READ in permissions:
        cases = count_cases(session, actor)
        found["task_approvals"] = count_open_approvals(session)
        found |= {"cases_free": cases[FREE], "cases_mine": cases[MINE]}
    if _P.DELIVERY_READ in permissions:
        found["parked"] = _count(session, Delivery.state == "parked")
    if _P.CONNECTION_READ in permissions:
        found["authorised_users"] = _count(session, AuthorisedUser.approval == "requested")
        found["trouble"] = sum(1 for flow in read_flows(session) if find_ailments(flow, now))
    if _P.PRODUCER_READ in permissions:
        found["removals"] = _count(session, HeldRemoval.state == "held")
        found["unreached"] = count_reaching_nobody(session)
        found["drafts"] = _count(session, RemoteRecordProducer.state == "draft")
    return found


def read_first_steps(session: Session) -> dict[str, bool]:
    """Which of the first steps of a new instance are done, in their order."""
    steps: dict[str, Any] = {
        "catalog": exists(select(ProductOffering.id)),
        "item": exists(select(RemoteRecordProducer.id).where(RemoteRecordProducer.state == "published")),
        "registration": exists(select(Registration.id)),
        "connection": exists(select(Connection.id).where(Connection.state == ConnectionState.ACTIVE)),
        "order": exists(select(CustomerOrder.id)),
        "fulfilment": exists(select(CustomerOrder.id).where(CustomerOrder.state == OrderState.COMPLETED)),
    }
    row = session.execute(select(*(step.label(name) for name, step in steps.items()))).one()
    return {name: bool(done) for name, done in zip(steps, row, strict=True)}


def _count(session: Session, condition: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).where(condition)) or 0
