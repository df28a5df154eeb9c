"""Instances with as much in them as is asked for, made by the services themselves: what pages cost is seen on these.

Of orders, every fourth is new, every fourth rejected, the others are at work; what was told of them has arrived, but
for the newest order of each connection. What is newest is alike, however much there is.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bridge.database import Database
from bridge.models import Delivery, Stream
from consumer_sim.models import ProviderTask
from consumer_sim.services.drafts import PROGRAM
from consumer_sim.services.ordering import keep_draft
from consumer_sim.services.requests import submit_request
from provider.models.catalog import RemoteRecordProducer
from provider.models.orders import CustomerOrder
from provider.services.intake import submit_provider_task
from provider.services.orders import approve_order, reject_order
from tests.api.provider_client import context_of, make_app
from tests.busy_beside import stand_beside_orders, stand_beside_requests
from tests.consumer_factories import (
    ANSWERS,
    ASKED_BY,
    Consumer,
    connected_consumer,
    make_connection,
    product_changed,
    state_changed,
)
from tests.consumer_factories import make_item as make_offered_item
from tests.factories import (
    AGENT,
    NOW,
    import_small_catalog,
    make_consumer,
    make_registration,
    make_request,
    make_router_item,
)

AT_ONCE = 100
"""Orders in one transaction."""
BESIDE = 4
"""For so many orders there is one case and one incident."""


def fill_provider(database: Database, *, connections: int, orders: int) -> None:
    """Every connection has its own item, and its share of the orders."""
    with database.transaction() as session:
        import_small_catalog(session)
        made = [_consumer(session, number) for number in range(connections)]
        for _ in range(2):
            make_registration(session)
    stand_beside_orders(database, [(prefix, connection_id) for prefix, connection_id, _ in made], orders // BESIDE)
    for numbers in _batches(orders):
        with database.transaction() as session:
            for number in numbers:
                _order(session, number, *made[number % connections])
    with database.transaction() as session:
        _deliver(session, connections)


def _consumer(session: Session, number: int) -> tuple[str, str, RemoteRecordProducer]:
    prefix = f"C{number}"
    connection = make_consumer(session, prefix)
    return prefix, connection.id, make_router_item(session, connection.id)


def _order(session: Session, number: int, prefix: str, connection_id: str, item: RemoteRecordProducer) -> None:
    request = make_request(item, number + 1, prefix)
    task = submit_provider_task(session, connection_id, request, now=NOW)
    order = session.get_one(CustomerOrder, task.order_id)
    if number % 4 == 1:
        reject_order(session, order.number, reason="No such street.", actor=AGENT, now=NOW)
    elif number % 4:
        approve_order(session, order.number, actor=AGENT, now=NOW)


def _deliver(session: Session, connections: int) -> None:
    """All but what the newest orders have to tell; of one of these the first event is parked."""
    newest = select(Stream.id).order_by(Stream.id.desc()).limit(connections * 3)
    told = ~Delivery.stream_id.in_(newest)
    session.execute(update(Delivery).where(told).values(state="delivered", settled_at=NOW))
    session.execute(update(Stream).where(~Stream.id.in_(newest)).values(due_at=None, head=Stream.next_sequence))
    first = select(Delivery).where(Delivery.sequence == 1, Delivery.state == "pending")
    parked = session.scalars(first.order_by(Delivery.event_id.desc()).limit(1)).one()
    parked.state, parked.error = "parked", "rejected: no such record"
    stream = session.get_one(Stream, parked.stream_id)
    stream.due_at, stream.blocked_by = None, parked.sequence


def fill_consumer(one: Consumer, *, connections: int, requests: int) -> None:
    """One connection that items come from and requests go to, and others that are just there; a few drafts."""
    with one.context.database.transaction() as session:
        for number in range(1, connections):
            make_offered_item(session, make_connection(session, one.context, prefix=f"C{number}")[0])
        item = make_offered_item(session, one.connection_id)
        for _ in range(2):
            keep_draft(session, item, str(uuid4()), ANSWERS, PROGRAM, now=NOW)
    stand_beside_requests(one, requests // BESIDE)
    for numbers in _batches(requests):
        with one.context.database.transaction() as session:
            ids = [submit_request(session, item, _asked(number), ASKED_BY, now=NOW).id for number in numbers]
        one.verdicts([event for id, number in zip(ids, numbers, strict=True) for event in _told(id, number)])
        # One after the other, behind those that stand beside: which one a list shows first must be no matter of chance.
        times = [
            {"opened_at": NOW + timedelta(minutes=1 + n), "updated_at": NOW + timedelta(minutes=1 + n)} for n in numbers
        ]
        keys = [{"connection_id": one.connection_id, "id": id} for id in ids]
        with one.context.database.transaction() as session:
            session.execute(update(ProviderTask), [key | time for key, time in zip(keys, times, strict=True)])


def _asked(number: int) -> dict[str, Any]:
    return {**ANSWERS, "location": {"name": f"Place {number % 50}", "city": "Berlin"}}


def _told(task_id: str, number: int) -> Iterator[str]:
    yield state_changed(task_id, 1, ("new", "rejected", "in_progress", "completed")[number % 4])
    place = {"name": f"Place {number % 50}"}
    yield product_changed(str(uuid4()), 1, task_id=task_id, number=f"PRD{number:07d}", location=place)


def _batches(count: int) -> Iterator[Sequence[int]]:
    return (range(start, min(start + AT_ONCE, count)) for start in range(0, count, AT_ONCE))


@contextmanager
def filled(side: str, directory: Path, connections: int, orders: int) -> Iterator[flask.Flask]:
    """The app of one side, with all of them in a SQLite file."""
    directory.mkdir()
    url = f"sqlite:///{directory / 'test.db'}"
    if side == "provider":
        app = make_app(url, directory)
        fill_provider(context_of(app).database, connections=connections, orders=orders)
        yield app
        context_of(app).database.close()
    else:
        with connected_consumer(url, directory) as one:
            fill_consumer(one, connections=connections, requests=orders)
            yield one.app
