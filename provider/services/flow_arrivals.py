"""What came from consumers just now?"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.flow_recent import Arrival
from bridge.models import Connection
from provider.models.orders import CustomerOrder, ProviderTask

ARRIVALS_LIMIT = 20


def read_arrivals(session: Session, limit: int = ARRIVALS_LIMIT) -> list[Arrival]:
    """The newest requests, by the number of the order that each became; newest first."""
    newest = (
        select(CustomerOrder.id, CustomerOrder.number).order_by(CustomerOrder.number.desc()).limit(limit).subquery()
    )
    rows = session.execute(
        select(ProviderTask.received_at, Connection.id, Connection.name, newest.c.number, ProviderTask.number)
        .join(newest, newest.c.id == ProviderTask.order_id)
        .join(Connection, Connection.id == ProviderTask.connection_id)
        .order_by(newest.c.number.desc())
    )
    return [Arrival(at, id_, name, order, f"Request {task}") for at, id_, name, order, task in rows]
