"""A whole is complete once its parts are, whichever work is done first."""

from collections.abc import Iterator

import pytest

from bridge.database import Database
from provider.domain.orders import OrderState
from provider.services.cancellations import approve_cancellation, cancel_order
from provider.services.order_tasks import complete_task
from provider.services.orders import move_order
from tests.factories import AGENT, NOW, Ordered, exchange_database, products_of, read_order
from tests.service.test_cancellation_levels import make_package, number_of, states_of

S = OrderState


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with exchange_database(database_url) as database:
        yield database


def complete(database: Database, made: Ordered, *names: str) -> None:
    for name in names:
        number = number_of(database, made, name)
        with database.transaction() as session:
            complete_task(session, number, actor=AGENT, now=NOW)


def move(database: Database, made: Ordered, state: OrderState) -> None:
    with database.transaction() as session:
        move_order(session, made.order_number, state, reason="Later.", actor=AGENT, now=NOW)


def cancel(database: Database, made: Ordered) -> None:
    with database.transaction() as session:
        cancel_order(session, made.order_number, reason="No need.", actor=AGENT, now=NOW)
        approve_cancellation(session, made.order_number, message=None, actor=AGENT, now=NOW)


def test_a_whole_whose_own_work_is_done_first_waits_for_its_parts(database: Database) -> None:
    made = make_package(database)
    complete(database, made, "Deliver", "Fan")
    assert states_of(database, made) == {"Package item": "in_progress", "Edge": "in_progress", "Fan": "completed"}
    products = {product.name: product.state for product in products_of(database, made.order_number)}
    assert products["Package item"] == "installation_pending"
    complete(database, made, "Ship", "Bill")
    assert read_order(database, made.order_number).state is S.COMPLETED
    assert {product.state for product in products_of(database, made.order_number)} == {"active"}


def test_without_the_part_that_was_cancelled_the_whole_is_complete(database: Database) -> None:
    made = make_package(database, line_level=True)
    complete(database, made, "Deliver", "Ship", "Bill")
    assert states_of(database, made)["Package item"] == "in_progress"
    cancel(database, made)
    assert states_of(database, made) == {"Package item": "completed", "Edge": "completed", "Fan": "cancelled"}
    assert read_order(database, made.order_number).state is S.COMPLETED


def test_a_part_cancelled_while_the_order_is_held_completes_the_whole_when_it_goes_on(database: Database) -> None:
    made = make_package(database, line_level=True)
    complete(database, made, "Deliver", "Ship", "Bill")
    move(database, made, S.ON_HOLD)
    cancel(database, made)
    assert states_of(database, made)["Package item"] == "on_hold"
    move(database, made, S.IN_PROGRESS)
    assert read_order(database, made.order_number).state is S.COMPLETED
    products = {product.name: product.state for product in products_of(database, made.order_number)}
    assert products == {"Package item": "active", "Edge": "active", "Fan": "inactive"}
