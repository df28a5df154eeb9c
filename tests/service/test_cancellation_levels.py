"""What a cancellation does to order, lines, tasks and products when it is asked for, approved, declined and refused."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from bridge.database import Database
from bridge.identity import ensure_instance
from provider.domain.errors import Conflict, DomainError, InvalidFields
from provider.domain.order_tasks import OrderTaskState
from provider.domain.orders import OrderState
from provider.models.access import AuditEntry
from provider.models.catalog import ProductOffering
from provider.services.cancellations import (
    approve_cancellation,
    cancel_order,
    decline_cancellation,
    note_refusal,
    show_cancellation,
)
from provider.services.intake import cancel_provider_task, submit_provider_task
from provider.services.order_locks import LockedOrder
from provider.services.order_tasks import complete_task, move_task, start_task
from provider.services.order_view import show_order
from provider.services.orders import approve_order, decline_request, move_order
from provider.services.task_search import FREE, search_order_tasks
from tests.factories import (
    AGENT,
    NOW,
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

S, T = OrderState, OrderTaskState
CHAIN = [
    {"key": "dig", "name": "Dig", "depends_on": [], "point_of_no_return": False},
    {"key": "lay", "name": "Lay", "depends_on": ["dig"], "point_of_no_return": False},
    {"key": "test", "name": "Test", "depends_on": ["lay"], "point_of_no_return": True},
    {"key": "bill", "name": "Bill", "depends_on": ["test"], "point_of_no_return": False},
]
PLAIN = [{"key": "edge", "name": "Edge", "depends_on": [], "point_of_no_return": False}]
SHIP = [{"key": "ship", "name": "Ship", "depends_on": [], "point_of_no_return": True}]


@pytest.fixture
def database(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with exchange_database(database_url) as database:
        with database.transaction() as session:
            ensure_instance(session, "northwind", tmp_path_factory.mktemp("data"))
        yield database


def do(database: Database, call: Any, *args: Any, **more: Any) -> Any:
    """A use case in a transaction of its own, by somebody, now."""
    with database.transaction() as session:
        return call(session, *args, **more, now=NOW)


def ask(database: Database, made: Ordered, reason: str = "Too late.") -> dict[str, Any]:
    told: dict[str, Any] = do(
        database, cancel_provider_task, made.connection_id, made.task_id, reason=reason, asked_by="Ada Lovelace"
    )
    return told


def approve(database: Database, made: Ordered, message: str | None = None) -> None:
    do(database, approve_cancellation, made.order_number, message=message, actor=AGENT)


def decline(database: Database, made: Ordered, reason: str = "It is built in.") -> None:
    do(database, decline_cancellation, made.order_number, reason=reason, actor=AGENT)


def complete(database: Database, *numbers: str) -> None:
    for number in numbers:
        do(database, complete_task, number, actor=AGENT)


def move(database: Database, made: Ordered, *states: OrderState) -> None:
    for state in states:
        do(database, move_order, made.order_number, state, reason=None, actor=AGENT)


def tasks_of(locked: LockedOrder) -> dict[str, str]:
    return {task.name: task.state for task in locked.order_tasks}


def told(database: Database, made: Ordered) -> list[tuple[str, str | None, str | None]]:
    """What the consumer was told: the order's state, what came of the wish to cancel, and the words to that."""
    with database.reading() as session:
        data = [data for type_, _, data in events_of(session, made.connection_id) if type_.endswith("state_changed")]
    return [(one["order_state"], one["cancellation"], one["cancellation_message"]) for one in data]


def snapshot(locked: LockedOrder) -> list[Any]:
    lines = [(line.state, line.saved_states, line.version, line.revision_operation) for line in locked.lines]
    tasks = [(task.name, task.state, task.previous_state) for task in locked.order_tasks]
    return [locked.order.state, locked.order.saved_states, lines, tasks]


# --- asked for


def test_asked_for_all_levels_rest_and_know_what_they_had(database: Database) -> None:
    made = make_order(database, approved=True, columns={"task_templates": CHAIN})
    complete(database, "TASK0000001")
    do(database, start_task, "TASK0000002", actor=AGENT)
    ask(database, made)
    locked = read_order(database, made.order_number)
    assert (locked.state, locked.order.version, locked.order.revision_operation) == (
        S.ASSESSING_CANCELLATION, 2, "cancel",
    )  # fmt: skip
    (line,) = locked.lines
    assert (line.state, line.saved_states, line.version, line.revision_operation) == (
        "assessing_cancellation", ["in_progress"], 2, "cancel",
    )  # fmt: skip
    assert [(task.state, task.previous_state) for task in locked.order_tasks] == [
        ("closed_complete", None), ("on_hold", "in_progress"), ("on_hold", "draft"), ("on_hold", "draft"),
    ]  # fmt: skip
    assert [product.state for product in products_of(database, made.order_number)] == ["installation_pending"]
    assert told(database, made)[-1] == ("assessing_cancellation", "requested", None)


@pytest.mark.parametrize("state", [S.AWAITING_INFORMATION, S.ON_HOLD, S.SCHEDULED, S.REVISION_IN_PROGRESS])
def test_it_is_assessed_wherever_approved_work_stands_and_declined_back_to_there(
    database: Database, state: OrderState
) -> None:
    made = make_order(database, approved=True)
    do(database, start_task, "TASK0000001", actor=AGENT)
    move(database, made, state)
    before = snapshot(read_order(database, made.order_number))
    ask(database, made)
    assert read_order(database, made.order_number).state is S.ASSESSING_CANCELLATION
    decline(database, made)
    after = read_order(database, made.order_number)
    assert [after.order.state, after.order.saved_states] == before[:2]
    assert [(line.state, line.saved_states) for line in after.lines] == [line[:2] for line in before[2]]
    assert snapshot(after)[3] == before[3]
    assert after.order.revision_operation == ("update" if state is S.REVISION_IN_PROGRESS else None)


def test_asked_again_meanwhile_nothing_changes_and_the_manager_is_told(database: Database) -> None:
    made = make_order(database, approved=True)
    first = ask(database, made)
    before = read_order(database, made.order_number).order.row_version
    assert ask(database, made, "Once more.") == first
    with pytest.raises(Conflict, match="Assessing cancellation already; nothing was changed") as refused:
        do(database, cancel_order, made.order_number, reason="By phone.", actor=AGENT)
    assert refused.value.code == "cancellation_under_way"
    assert read_order(database, made.order_number).order.row_version == before
    assert [state for state, *_ in told(database, made)].count("assessing_cancellation") == 1


def test_before_approval_it_is_agreed_to_at_once(database: Database) -> None:
    made = make_order(database)
    answer = ask(database, made)
    assert (answer["order_state"], answer["cancellation"], answer["order_version"]) == ("cancelled", "approved", 1)
    assert told(database, made)[-1] == ("cancelled", "approved", None)
    assert states_sent(database, made.connection_id) == ["draft", "submitted", "new", "cancelled"]


def test_a_manager_asks_on_the_same_way(database: Database) -> None:
    made = make_order(database, approved=True)
    do(database, cancel_order, made.order_number, reason="They phoned.", actor=AGENT)
    with database.reading() as session:
        shown = show_cancellation(session, made.order_number)
    assert (shown["status"], shown["actor"], shown["asked_by"], shown["reason"]) == (
        "requested", AGENT, None, "They phoned.",
    )  # fmt: skip
    approve(database, made)
    assert read_order(database, made.order_number).state is S.CANCELLED


# --- declined


def test_declined_every_level_has_again_what_it_had_and_the_consumer_reads_why(database: Database) -> None:
    made = make_order(database, approved=True, columns={"task_templates": CHAIN})
    complete(database, "TASK0000001")
    do(database, start_task, "TASK0000002", actor=AGENT)
    before = read_order(database, made.order_number)
    products = [product.state for product in products_of(database, made.order_number)]
    ask(database, made)
    decline(database, made)
    after = read_order(database, made.order_number)
    assert (after.state, after.order.saved_states) == (before.state, [])
    assert snapshot(after)[3] == snapshot(before)[3]
    assert [(line.state, line.saved_states, line.revision_operation) for line in after.lines] == [
        ("in_progress", [], None)
    ]
    assert (after.order.version, after.order.revision_operation) == (2, None)
    assert [product.state for product in products_of(database, made.order_number)] == products
    assert told(database, made)[-1] == ("in_progress", "declined", "It is built in.")
    with database.reading() as session:
        order = show_order(session, made.order_number)
    assert [(one["text"], one["author"]["name"]) for one in order["comments"]] == [("It is built in.", "ann")]
    assert ask(database, made)["order_version"] == 3


def test_declining_needs_a_reason_and_something_to_decline(database: Database) -> None:
    made = make_order(database, approved=True)
    for decide in (approve, decline):
        with pytest.raises(Conflict) as refused:
            decide(database, made)
        assert refused.value.code == "nothing_to_decide"
    ask(database, made)
    with pytest.raises(InvalidFields, match="needs to know why"):
        decline(database, made, "  ")
    do(database, decline_request, made.order_number, reason="No.", actor=AGENT)
    assert read_order(database, made.order_number).state is S.IN_PROGRESS
    assert told(database, made)[-1] == ("in_progress", "declined", "No.")


def test_a_line_finished_before_its_order_is_taken_along_and_given_back(database: Database) -> None:
    made = make_package(database, edge=PLAIN)
    complete(database, number_of(database, made, "Edge"))
    assert states_of(database, made)["Edge"] == "completed"
    ask(database, made)
    assert set(states_of(database, made).values()) == {"assessing_cancellation"}
    decline(database, made)
    assert states_of(database, made) == {"Package item": "in_progress", "Edge": "completed", "Fan": "in_progress"}


# --- approved


def test_approved_with_nothing_done_it_is_cancelled_at_once(database: Database) -> None:
    made = make_order(database, approved=True)
    ask(database, made)
    approve(database, made, "As you wish.")
    locked = read_order(database, made.order_number)
    assert (locked.state, [line.state for line in locked.lines]) == (S.CANCELLED, ["cancelled"])
    assert tasks_of(locked) == {"Build": "cancelled", "Ship": "cancelled"}
    assert [product.state for product in products_of(database, made.order_number)] == ["inactive"]
    assert told(database, made)[-2:] == [
        ("cancellation_in_progress", "approved", "As you wish."),
        ("cancelled", "approved", "As you wish."),
    ]


def test_approved_what_was_done_is_undone_by_tasks_the_last_first(database: Database) -> None:
    made = make_order(database, approved=True, columns={"task_templates": CHAIN})
    complete(database, "TASK0000001", "TASK0000002")
    do(database, start_task, "TASK0000003", actor=AGENT)
    ask(database, made)
    with database.reading() as session:
        shown = show_cancellation(session, made.order_number)
    assert [one["name"] for one in shown["done"]] == ["Dig", "Lay"]
    assert [one["name"] for one in shown["begun"]] == ["Test"]
    assert [(one["name"], one["compensates"]) for one in shown["compensation"]] == [
        ("Undo: Lay", "TASK0000002"), ("Undo: Dig", "TASK0000001"),
    ]  # fmt: skip
    approve(database, made)
    locked = read_order(database, made.order_number)
    assert (locked.state, locked.lines[0].state) == (S.CANCELLATION_IN_PROGRESS, "cancellation_in_progress")
    assert tasks_of(locked) == {
        "Dig": "closed_complete", "Lay": "closed_complete", "Test": "on_hold", "Bill": "on_hold",
        "Undo: Lay": "open", "Undo: Dig": "draft",
    }  # fmt: skip
    with database.reading() as session:
        free, _ = search_order_tasks(session, actor=AGENT, whose=FREE)
        order = show_order(session, made.order_number)
    assert [(task["name"], "closed_complete" in task["moves"]) for task in free] == [("Undo: Lay", True)]
    assert [task["compensates"] for task in order["order_tasks"]][-2:] == ["TASK0000002", "TASK0000001"]
    with pytest.raises(Conflict, match="2 are open") as refused:
        move(database, made, S.CANCELLED)
    assert refused.value.code == "tasks_open"
    with pytest.raises(Conflict):
        complete(database, "TASK0000003")
    complete(database, "TASK0000005")
    assert read_order(database, made.order_number).state is S.CANCELLATION_IN_PROGRESS
    complete(database, "TASK0000006")
    locked = read_order(database, made.order_number)
    assert (locked.state, locked.lines[0].state, locked.order.ponr) == (S.CANCELLED, "cancelled", False)
    assert tasks_of(locked) == {
        "Dig": "closed_complete", "Lay": "closed_complete", "Test": "cancelled", "Bill": "cancelled",
        "Undo: Lay": "closed_complete", "Undo: Dig": "closed_complete",
    }  # fmt: skip
    assert [product.state for product in products_of(database, made.order_number)] == ["inactive"]


def test_compensation_that_is_given_up_holds_nothing_back(database: Database) -> None:
    made = make_order(database, approved=True)
    complete(database, "TASK0000001")
    ask(database, made)
    approve(database, made)
    do(database, move_task, "TASK0000003", T.CANCELLED, reason="Nothing to undo.", actor=AGENT)
    assert read_order(database, made.order_number).state is S.CANCELLED


def test_work_that_is_resolved_is_done_and_undone_too(database: Database) -> None:
    made = make_order(database, approved=True)
    do(database, start_task, "TASK0000001", actor=AGENT)
    do(database, move_task, "TASK0000001", T.RESOLVED, reason=None, actor=AGENT)
    ask(database, made)
    approve(database, made)
    assert tasks_of(read_order(database, made.order_number))["Undo: Build"] == "open"


def test_lines_end_one_by_one_and_the_order_with_the_last(database: Database) -> None:
    made = make_package(database, edge=PLAIN)
    complete(database, number_of(database, made, "Edge"), number_of(database, made, "Fan"))
    ask(database, made)
    approve(database, made)
    assert states_of(database, made) == {
        "Package item": "cancelled", "Edge": "cancellation_in_progress", "Fan": "cancellation_in_progress",
    }  # fmt: skip
    products = {product.name: product.state for product in products_of(database, made.order_number)}
    assert products == {
        "Package item": "inactive", "Edge": "inactivation_pending", "Fan": "inactivation_pending",
    }  # fmt: skip
    first, second = (task for task in read_order(database, made.order_number).order_tasks if task.compensates_id)
    complete(database, first.number)
    assert read_order(database, made.order_number).state is S.CANCELLATION_IN_PROGRESS
    complete(database, second.number)
    assert (read_order(database, made.order_number).state, set(states_of(database, made).values())) == (
        S.CANCELLED, {"cancelled"},
    )  # fmt: skip


# --- refused


def test_too_late_is_told_beside_the_answer_once_and_the_order_stays_as_it_is(database: Database) -> None:
    made = make_order(database, approved=True, columns={"task_templates": CHAIN})
    complete(database, "TASK0000001", "TASK0000002", "TASK0000003")
    before, known = snapshot(read_order(database, made.order_number)), len(told(database, made))
    with pytest.raises(Conflict) as refused:
        ask(database, made)
    for _ in range(2):
        do(database, note_refusal, made.connection_id, made.task_id, refused.value, asked_by="Ada Lovelace")
    after = read_order(database, made.order_number)
    assert (snapshot(after), after.order.version) == (before, 1)
    message = "Order ORD0000001 is past the point of no return and can no longer be cancelled or revised."
    assert told(database, made)[known:] == [("in_progress", "refused", message)]
    with database.reading() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.action == "order.cancel_refused")).all()
    assert [entry.object for entry in entries] == ["order/ORD0000001"]


def test_other_refusals_are_not_told_as_too_late(database: Database) -> None:
    made = make_order(database, approved=True)
    for error in (Conflict("tasks_open", "no"), DomainError("no")):
        do(database, note_refusal, made.connection_id, made.task_id, error, asked_by=None)
    assert read_order(database, made.order_number).order.cancellation is None


def test_one_line_past_it_holds_the_whole_order(database: Database) -> None:
    made = make_package(database)
    complete(database, number_of(database, made, "Fan"))
    assert read_order(database, made.order_number).order.ponr is False
    complete(database, number_of(database, made, "Ship"))
    locked = read_order(database, made.order_number)
    assert (locked.order.ponr, [line.ponr for line in locked.lines]) == (True, [False, True, False])
    with pytest.raises(Conflict) as refused:
        ask(database, made)
    assert refused.value.code == "past_point_of_no_return"


# --- line by line, where the offering says so


def test_with_the_option_the_line_past_it_stays_and_the_others_are_cancelled(database: Database) -> None:
    made = make_package(database, line_level=True)
    complete(database, number_of(database, made, "Fan"), number_of(database, made, "Ship"))
    assert read_order(database, made.order_number).order.ponr is False
    ask(database, made)
    assert states_of(database, made) == {
        "Package item": "on_hold", "Edge": "on_hold", "Fan": "assessing_cancellation",
    }  # fmt: skip
    with database.reading() as session:
        shown = show_cancellation(session, made.order_number)
    assert [(line["name"], line["ponr"]) for line in shown["stays"]] == [("Package item", False), ("Edge", True)]
    assert [one["name"] for one in shown["compensation"]] == ["Undo: Fan"]
    with pytest.raises(Conflict) as refused:
        move(database, made, S.CANCELLATION_IN_PROGRESS)
    assert refused.value.code == "lines_stay"
    approve(database, made, "Without the fan, then.")
    locked = read_order(database, made.order_number)
    assert (locked.state, locked.order.ponr, locked.order.revision_operation) == (S.IN_PROGRESS, True, "cancel")
    assert states_of(database, made) == {
        "Package item": "in_progress", "Edge": "in_progress", "Fan": "cancellation_in_progress",
    }  # fmt: skip
    assert told(database, made)[-1] == ("in_progress", "approved", "Without the fan, then.")
    with pytest.raises(Conflict) as refused:
        ask(database, made)
    assert refused.value.code == "past_point_of_no_return"
    move(database, made, S.ON_HOLD, S.IN_PROGRESS)
    assert tasks_of(read_order(database, made.order_number))["Undo: Fan"] == "open"
    complete(database, number_of(database, made, "Undo: Fan"))
    assert states_of(database, made)["Fan"] == "cancelled"
    complete(database, number_of(database, made, "Bill"), number_of(database, made, "Deliver"))
    assert read_order(database, made.order_number).state is S.COMPLETED
    products = {product.name: product.state for product in products_of(database, made.order_number)}
    assert products == {"Package item": "active", "Edge": "active", "Fan": "inactive"}


def test_with_the_option_a_declined_wish_leaves_all_lines_as_they_were(database: Database) -> None:
    made = make_package(database, line_level=True)
    complete(database, number_of(database, made, "Ship"))
    ask(database, made)
    decline(database, made)
    locked = read_order(database, made.order_number)
    assert (set(states_of(database, made).values()), locked.order.ponr) == ({"in_progress"}, False)
    assert tasks_of(locked) == {"Deliver": "open", "Ship": "closed_complete", "Bill": "open", "Fan": "open"}


def test_with_the_option_an_order_whose_lines_are_all_past_it_is_past_it(database: Database) -> None:
    made = make_package(database, line_level=True, fan=SHIP)
    edge, fan = (task for task in read_order(database, made.order_number).order_tasks if task.point_of_no_return)
    complete(database, edge.number)
    assert not read_order(database, made.order_number).order.ponr
    complete(database, fan.number)
    assert read_order(database, made.order_number).order.ponr


# --- a package of two parts


def make_package(database: Database, *, line_level: bool = False, edge: Any = None, fan: Any = None) -> Ordered:
    """An order in progress: Deliver for the package; Ship (the point of no return), then Bill for the edge; Fan."""
    bill = {"key": "bill", "name": "Bill", "depends_on": ["ship"], "point_of_no_return": False}
    fans = fan or [{"key": "fan", "name": "Fan", "depends_on": [], "point_of_no_return": False}]
    with database.transaction() as session:
        connection = make_consumer(session)
        edge_part = as_part(make_specification(session, "Edge", task_templates=edge or [*SHIP, bill]), "edge")
        fan_part = as_part(make_specification(session, "Fan", task_templates=fans), "fan")
        item = make_item(session, make_specification(session, "Package", children=[edge_part, fan_part]), connection.id)
        session.get_one(ProductOffering, item.product_offering_id).line_level_ponr = line_level
        request = make_request(item, parts={"edge": {}, "fan": {}})
        submit_provider_task(session, connection.id, request, now=NOW)
        order = approve_order(session, "ORD0000001", actor=AGENT, now=NOW)
        return Ordered(connection.id, request, request["id"], order.number)


def number_of(database: Database, made: Ordered, name: str) -> str:
    """Of a task; by the line for a line that has one task only."""
    locked = read_order(database, made.order_number)
    lines = {line.id: line.name for line in locked.lines}
    found = [task for task in locked.order_tasks if task.name == name]
    return (found or [task for task in locked.order_tasks if lines[task.order_line_id] == name])[-1].number


def states_of(database: Database, made: Ordered) -> dict[str, str]:
    return {line.name: line.state for line in read_order(database, made.order_number).lines}
