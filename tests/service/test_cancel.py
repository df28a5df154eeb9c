"""A cancellation before approval is done, one in fulfilment is assessed, one past the point of no return is refused."""

from collections.abc import Iterator

import pytest

from bridge.database import Database
from provider.domain.errors import Conflict
from provider.domain.orders import OrderState
from provider.services.cancellations import cancel_order
from provider.services.intake import cancel_provider_task
from provider.services.order_moves import legal_moves
from provider.services.order_tasks import complete_task
from provider.services.orders import move_order
from tests.factories import (
    AGENT,
    NOW,
    Ordered,
    exchange_database,
    make_order,
    products_of,
    read_order,
    states_sent,
)

S = OrderState
SHIP_ONLY = {"task_templates": [{"key": "ship", "name": "Ship", "depends_on": [], "point_of_no_return": True}]}


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with exchange_database(database_url) as database:
        yield database


def cancel(database: Database, made: Ordered) -> dict[str, object]:
    with database.transaction() as session:
        return cancel_provider_task(session, made.connection_id, made.task_id, reason="Too late.", now=NOW)


def move(database: Database, made: Ordered, *states: OrderState) -> None:
    for state in states:
        with database.transaction() as session:
            move_order(session, made.order_number, state, reason=None, actor=AGENT, now=NOW)


def complete(database: Database, number: str) -> None:
    with database.transaction() as session:
        complete_task(session, number, actor=AGENT, now=NOW)


@pytest.mark.parametrize("state", [S.NEW, S.REJECTED])
def test_before_approval_it_is_cancelled_at_once(database: Database, state: OrderState) -> None:
    made = make_order(database)
    if state is S.REJECTED:
        with database.transaction() as session:
            move_order(session, made.order_number, state, reason="No.", actor=AGENT, now=NOW)
    answer = cancel(database, made)
    assert (answer["order_state"], answer["state"], answer["reason"]) == ("cancelled", "cancelled", "Too late.")
    assert answer["order_version"] == 1
    assert read_order(database, made.order_number).lines[0].state == "cancelled"
    assert products_of(database, made.order_number) == []


def test_in_fulfilment_it_is_assessed_and_everything_rests(database: Database) -> None:
    made = make_order(database, approved=True)
    answer = cancel(database, made)
    assert (answer["order_state"], answer["state"], answer["order_version"]) == (
        "assessing_cancellation",
        "cancelled",
        2,
    )
    locked = read_order(database, made.order_number)
    assert [task.state for task in locked.order_tasks] == ["on_hold", "on_hold"]
    assert [product.state for product in products_of(database, made.order_number)] == ["installation_pending"]


def test_asking_twice_is_asking_once(database: Database) -> None:
    made = make_order(database, approved=True)
    first = cancel(database, made)
    assert cancel(database, made) == first
    move(database, made, S.CANCELLATION_IN_PROGRESS)
    assert cancel(database, made)["order_state"] == "cancellation_in_progress"
    assert states_sent(database, made.connection_id).count("assessing_cancellation") == 1


def test_an_agreed_cancellation_leaves_no_work_and_no_product(database: Database) -> None:
    made = make_order(database, approved=True, columns={"task_templates": [{**SHIP_ONLY["task_templates"][0]}]})
    cancel(database, made)
    move(database, made, S.CANCELLATION_IN_PROGRESS, S.CANCELLED)
    locked = read_order(database, made.order_number)
    assert ([line.state for line in locked.lines], [task.state for task in locked.order_tasks]) == (
        ["cancelled"],
        ["cancelled"],
    )
    assert [product.state for product in products_of(database, made.order_number)] == ["inactive"]
    assert states_sent(database, made.connection_id)[-3:] == [
        "assessing_cancellation",
        "cancellation_in_progress",
        "cancelled",
    ]


def test_a_declined_cancellation_goes_on_and_can_be_asked_again(database: Database) -> None:
    made = make_order(database, approved=True)
    cancel(database, made)
    move(database, made, S.IN_PROGRESS)
    locked = read_order(database, made.order_number)
    assert [task.state for task in locked.order_tasks] == ["open", "draft"]
    assert cancel(database, made)["order_version"] == 3


def test_past_the_point_of_no_return_nothing_changes(database: Database) -> None:
    made = make_order(database, approved=True)
    two = [{**SHIP_ONLY["task_templates"][0]}, {"key": "bill", "name": "Bill", "depends_on": ["ship"]}]
    two[1]["point_of_no_return"] = False
    made = make_order(database, approved=True, prefix="B", columns={"task_templates": two})
    complete(database, "TASK0000003")
    before = read_order(database, made.order_number)
    assert (before.state, before.order.ponr) == (S.IN_PROGRESS, True)
    for attempt in (lambda: cancel(database, made), lambda: _cancel_here(database, made)):
        with pytest.raises(Conflict) as refused:
            attempt()
        assert refused.value.code == "past_point_of_no_return"
    with pytest.raises(Conflict):
        move(database, made, S.REVISION_IN_PROGRESS)
    after = read_order(database, made.order_number)
    assert after.order.row_version == before.order.row_version
    assert not {S.ASSESSING_CANCELLATION, S.REVISION_IN_PROGRESS} & set(legal_moves(after.order))
    complete(database, "TASK0000004")
    with pytest.raises(Conflict) as refused:
        cancel(database, made)
    assert refused.value.code == "past_point_of_no_return"


def test_what_is_completed_can_no_longer_be_cancelled(database: Database) -> None:
    made = make_order(database, approved=True, columns={"task_templates": []})
    complete(database, "TASK0000001")
    assert not read_order(database, made.order_number).order.ponr
    with pytest.raises(Conflict) as refused:
        cancel(database, made)
    assert refused.value.code == "past_point_of_no_return"


def _cancel_here(database: Database, made: Ordered) -> None:
    with database.transaction() as session:
        cancel_order(session, made.order_number, reason="Really.", actor=AGENT, now=NOW)
