"""What a request costs does not depend on how much there is already: the same statements, whatever has grown."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from bridge.database import Database
from tests.api.provider_client import make_app
from tests.api.test_exchange_tasks import TASKS, Consumer
from tests.factories import make_consumer, make_request, make_router_item


@pytest.fixture
def consumer(database_url: str, tmp_path: Path) -> Iterator[Consumer]:
    consumer = Consumer(make_app(database_url, tmp_path))
    yield consumer
    consumer.database.close()


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """All that is sent to the database meanwhile, one entry for each execution."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def submit(consumer: Consumer, number: int) -> list[str]:
    with statements(consumer.database) as seen:
        answer = consumer.post(TASKS, make_request(consumer.item, number))
    assert answer.status_code == 201, answer.text
    return seen


def add_order(consumer: Consumer, number: int) -> None:
    submit(consumer, 100 + number)


def add_connection(consumer: Consumer, number: int) -> None:
    with consumer.database.transaction() as session:
        make_router_item(session, make_consumer(session, f"OTHER{number}").id)


def add_item(consumer: Consumer, _number: int) -> None:
    with consumer.database.transaction() as session:
        make_router_item(session, consumer.id)


@pytest.mark.parametrize("add", [add_order, add_connection, add_item])
def test_a_request_takes_as_many_statements_however_much_there_is(
    consumer: Consumer, add: Callable[[Consumer, int], None]
) -> None:
    submit(consumer, 1)  # the first one of an item also reads what it is made of
    before = submit(consumer, 2)
    for number in range(10):
        add(consumer, number)
    assert submit(consumer, 3) == before
    assert len(before) <= 12


def test_a_request_that_came_before_takes_fewer_statements(consumer: Consumer) -> None:
    submit(consumer, 1)
    request = make_request(consumer.item, 2)
    with statements(consumer.database) as first:
        assert consumer.post(TASKS, request).status_code == 201
    with statements(consumer.database) as again:
        assert consumer.post(TASKS, request).status_code == 201
    assert len(again) < len(first)
    assert not [statement for statement in again if "customer_orders" in statement]
