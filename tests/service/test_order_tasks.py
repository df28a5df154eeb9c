"""The work of an order: what waits, what opens, and what completes when the last of it is done."""

from collections.abc import Iterator

import pytest

from bridge.database import Database
from provider.domain.errors import Conflict, IllegalMove, NotFound
from provider.domain.order_tasks import ORDER_TASK_MOVES, OrderTaskState
from provider.domain.orders import OrderState
from provider.services.intake import submit_provider_task
from provider.services.order_tasks import complete_task, list_order_tasks, move_task, start_task
from provider.services.orders import approve_order, move_order
from provider.services.provider_tasks import show_task
from tests.factories import (
    AGENT,
    NOW,
    TWO_TASKS,
    Ordered,
    as_part,
    events_of,
    exchange_database,
    make_consumer,
    make_item,
    make_order,
    make_request,
    make_specification,
    products_of,
    read_order,
    states_sent,
)

T = OrderTaskState
BUILD, SHIP = "TASK0000001", "TASK0000002"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with exchange_database(database_url) as database:
        yield database


def complete(database: Database, *numbers: str) -> None:
    for number in numbers:
        with database.transaction() as session:
            complete_task(session, number, actor=AGENT, now=NOW)


def move(database: Database, number: str, *states: OrderTaskState) -> None:
    for state in states:
        with database.transaction() as session:
            move_task(session, number, state, reason=None, actor=AGENT, now=NOW)


def states(database: Database, made: Ordered) -> list[str]:
    return [order_task.state for order_task in read_order(database, made.order_number).order_tasks]


def test_a_task_that_waits_opens_when_what_it_waits_for_is_closed(database: Database) -> None:
    made = make_order(database, approved=True)
    with pytest.raises(IllegalMove):
        complete(database, SHIP)
    with pytest.raises(Conflict, match=f"waits for {BUILD}"):
        move(database, SHIP, T.OPEN)
    assert states(database, made) == ["open", "draft"]
    complete(database, BUILD)
    assert states(database, made) == ["closed_complete", "open"]
    build, _ = read_order(database, made.order_number).order_tasks
    assert (build.assigned_to, build.completed_at) == (AGENT, NOW)


def test_the_last_task_completes_line_products_order_and_request(database: Database) -> None:
    made = make_order(database, approved=True, quantity=2)
    complete(database, BUILD, SHIP)
    locked = read_order(database, made.order_number)
    assert (locked.state, [line.state for line in locked.lines]) == (OrderState.COMPLETED, ["completed"])
    assert [product.state for product in products_of(database, made.order_number)] == ["active", "active"]
    with database.reading() as session:
        task = show_task(session, made.connection_id, made.task_id)
    assert (task["state"], task["order_state"], task["ponr"]) == ("closed", "completed", True)
    assert states_sent(database, made.connection_id)[-1] == "completed"


def test_the_point_of_no_return_comes_with_its_task(database: Database) -> None:
    made = make_order(database, approved=True)
    complete(database, BUILD)
    locked = read_order(database, made.order_number)
    assert (locked.order.ponr, locked.lines[0].ponr) == (False, False)
    with database.transaction() as session:
        start_task(session, SHIP, actor=AGENT, now=NOW)
    assert not read_order(database, made.order_number).order.ponr
    complete(database, SHIP)
    locked = read_order(database, made.order_number)
    assert (locked.order.ponr, locked.lines[0].ponr) == (True, True)


def test_the_consumer_is_told_of_the_point_of_no_return_when_it_comes(database: Database) -> None:
    """Once: by itself if the order stays In progress, else with the order's own move."""
    bill = {"key": "bill", "name": "Bill", "depends_on": ["ship"], "point_of_no_return": True}
    made = make_order(database, approved=True, columns={"task_templates": [*TWO_TASKS, bill]})
    for number in (BUILD, SHIP, "TASK0000003"):
        complete(database, number)
    with database.reading() as session:
        told = [data for type_, _, data in events_of(session, made.connection_id) if type_.endswith("state_changed")]
    assert [(data["order_state"], data["ponr"]) for data in told[4:]] == [
        ("in_progress", False),
        ("in_progress", True),
        ("completed", True),
    ]


def test_an_order_completes_with_the_last_of_its_lines(database: Database) -> None:
    with database.transaction() as session:
        connection = make_consumer(session)
        part = as_part(make_specification(session, "Edge", task_templates=list(TWO_TASKS)), "edge")
        item = make_item(session, make_specification(session, "Package", children=[part]), connection.id)
        request = make_request(item, parts={"edge": {"quantity": 2}})
        submit_provider_task(session, connection.id, request, now=NOW)
        order = approve_order(session, "ORD0000001", actor=AGENT, now=NOW)
    locked = read_order(database, order.number)
    assert [(task.key, task.name) for task in locked.order_tasks] == [
        ("deliver", "Deliver"),
        ("build", "Build"),
        ("ship", "Ship"),
    ]
    complete(database, "TASK0000002", "TASK0000003")
    locked = read_order(database, order.number)
    assert [line.state for line in locked.lines] == ["in_progress", "completed"]
    assert locked.state is OrderState.IN_PROGRESS
    by_name = sorted((product.name, product.unit, product.state) for product in products_of(database, order.number))
    assert by_name == [("Edge", 1, "active"), ("Edge", 2, "active"), ("Package item", 1, "installation_pending")]
    complete(database, "TASK0000001")
    assert read_order(database, order.number).state is OrderState.COMPLETED


def test_a_held_order_leaves_finished_lines_alone(database: Database) -> None:
    with database.transaction() as session:
        connection = make_consumer(session)
        part = as_part(make_specification(session, "Edge"), "edge")
        item = make_item(session, make_specification(session, "Package", children=[part]), connection.id)
        submit_provider_task(session, connection.id, make_request(item), now=NOW)
        approve_order(session, "ORD0000001", actor=AGENT, now=NOW)
    complete(database, "TASK0000002")
    for state in (OrderState.ON_HOLD, OrderState.IN_PROGRESS):
        with database.transaction() as session:
            move_order(session, "ORD0000001", state, reason=None, actor=AGENT, now=NOW)
        locked = read_order(database, "ORD0000001")
        assert [line.state for line in locked.lines] == [state, "completed"]
        assert locked.order_tasks[1].state == "closed_complete"


def test_what_is_given_up_holds_nothing_back_and_delivers_nothing(database: Database) -> None:
    made = make_order(database, approved=True)
    move(database, BUILD, T.CANCELLED)
    assert states(database, made) == ["cancelled", "open"]
    move(database, SHIP, T.CANCELLED)
    locked = read_order(database, made.order_number)
    assert (locked.state, locked.order.ponr) == (OrderState.IN_PROGRESS, False)
    with database.transaction() as session:
        move_order(session, made.order_number, OrderState.COMPLETED, reason="As agreed.", actor=AGENT, now=NOW)
    assert [product.state for product in products_of(database, made.order_number)] == ["active"]


@pytest.mark.parametrize("current", list(T))
def test_the_service_performs_every_legal_move_and_no_other(database: Database, current: OrderTaskState) -> None:
    """All 81 cells; a task that waits may not begin, and closing an open one begins it on the way.

    A legal move is made by a fresh task; what is refused leaves its task as it was.
    """
    legal = [wanted for wanted in T if wanted in ORDER_TASK_MOVES.moves[current]]
    if current is T.OPEN:
        legal.append(T.CLOSED_COMPLETE)
    elif current is T.DRAFT:
        legal.remove(T.OPEN)
    place = 1 if current is T.DRAFT else 0
    for index, wanted in enumerate(legal):
        made, number = brought(database, current, prefix=f"T{index}")
        move(database, number, wanted)
        assert states(database, made)[place] == wanted
    made, number = brought(database, current, prefix="REFUSED")
    for wanted in [wanted for wanted in T if wanted not in legal]:
        with pytest.raises(Conflict if (current, wanted) == (T.DRAFT, T.OPEN) else IllegalMove):
            move(database, number, wanted)
        assert states(database, made)[place] == current


def brought(database: Database, state: OrderTaskState, *, prefix: str) -> tuple[Ordered, str]:
    """A fresh order, and the number of one of its tasks, which is in this state."""
    ways = {
        T.DRAFT: (),
        T.OPEN: (),
        T.RESOLVED: (T.IN_PROGRESS, T.RESOLVED),
        T.CLOSED_COMPLETE: (T.IN_PROGRESS, T.CLOSED_COMPLETE),
    }
    made = make_order(database, approved=True, prefix=prefix)
    first, second = (order_task.number for order_task in read_order(database, made.order_number).order_tasks)
    number = second if state is T.DRAFT else first
    move(database, number, *ways.get(state, (state,)))
    return made, number


def test_the_list_names_what_a_task_works_for(database: Database) -> None:
    made = make_order(database, approved=True)
    make_order(database, approved=True, prefix="B")
    with database.reading() as session:
        of_order = list_order_tasks(session, state=None, order=made.order_number, limit=10)
        opened = list_order_tasks(session, state="open", order=None, limit=10)
    assert [row["number"] for row in of_order.items] == [BUILD, SHIP]
    assert of_order.items[0]["line_name"] == "Router item"
    assert [row["order_number"] for row in opened.items] == ["ORD0000001", "ORD0000002"]


def test_an_unknown_task_is_not_found(database: Database) -> None:
    with pytest.raises(NotFound):
        complete(database, "TASK0000009")
