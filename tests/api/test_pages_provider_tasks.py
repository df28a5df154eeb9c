"""What those who do the work see and do on the pages of order tasks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from sqlalchemy import select

from bridge.database import Database
from provider.domain.order_tasks import OrderTaskState
from provider.domain.orders import OrderState
from provider.models.orders import CustomerOrder, OrderTask
from provider.services.cancellations import approve_cancellation, cancel_order
from provider.services.intake import submit_provider_task
from provider.services.order_tasks import complete_task
from provider.services.orders import approve_order, move_order
from provider.services.task_search import SORTABLE
from tests.api.page_client import CountedStatements, Visitor, signed_in, text_of
from tests.api.provider_client import context_of, make_app
from tests.factories import (
    AGENT,
    NOW,
    TWO_TASKS,
    make_consumer,
    make_order,
    make_request,
    make_router_item,
    read_order,
)


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    app = make_app(sqlite_url, tmp_path)
    yield app
    context_of(app).database.close()


@pytest.fixture
def database(app: flask.Flask) -> Database:
    return context_of(app).database


@pytest.fixture
def fred(app: flask.Flask) -> Visitor:
    return signed_in(app, "fred", "fulfilment_agent")


def listed(page: Any) -> list[str]:
    return [text_of(one) for one in page.xpath("//tbody//td[@data-label='Task']//span[@class]")]


def task_of(database: Database, number: str) -> OrderTask:
    with database.reading() as session:
        return session.scalars(select(OrderTask).where(OrderTask.number == number)).one()


def buttons_of(page: Any) -> list[str]:
    return [form.get("action") for form in page.xpath("//section[@id='moves']//form")]


def test_a_task_is_to_take_then_mine_then_nobodys_again(database: Database, fred: Visitor) -> None:
    make_order(database, approved=True)
    assert listed(fred.read("/tasks?whose=free")) == ["TASK0000001"]
    assert "You have no tasks" in text_of(fred.read("/tasks?whose=mine"))
    answer = fred.post("/tasks/TASK0000001/take", {"back": "/tasks?whose=free"})
    assert (answer.status_code, answer.location) == (303, "/tasks?whose=free")
    assert listed(fred.read("/tasks?whose=free")) == []
    assert listed(fred.read("/tasks?whose=mine")) == ["TASK0000001"]
    assert task_of(database, "TASK0000001").state == "open"
    assert fred.post("/tasks/TASK0000001/give-back").location == "/tasks/TASK0000001"
    assert task_of(database, "TASK0000001").assigned_to is None


def test_what_others_have_can_be_taken_over(app: flask.Flask, database: Database, fred: Visitor) -> None:
    make_order(database, approved=True)
    fred.read("/tasks")
    fred.post("/tasks/TASK0000001/move/in_progress")
    gina = signed_in(app, "gina", "fulfilment_manager")
    page = gina.read("/tasks?whose=others")
    assert listed(page) == ["TASK0000001"]
    assert "fred" in text_of(page.xpath("//tbody")[0])
    assert "Take over" in text_of(page.xpath("//tbody")[0])
    gina.post("/tasks/TASK0000001/take")
    assert task_of(database, "TASK0000001").assigned_to == "user/gina"


def test_from_start_to_completion_on_the_page_of_the_order(database: Database, fred: Visitor) -> None:
    made = make_order(database, approved=True)
    url = f"/orders/{made.order_number}"
    for _ in range(4):
        page = fred.read(url)
        forms = page.xpath("//section[@id='lines']//form[contains(@action, '/move/')]")
        assert forms
        assert fred.post(forms[0].get("action"), {"back": url}).location == url
    assert read_order(database, made.order_number).state is OrderState.COMPLETED
    assert not fred.read(url).xpath("//section[@id='lines']//form")


def test_a_return_address_of_somebody_else_is_ignored(database: Database, fred: Visitor) -> None:
    make_order(database, approved=True)
    fred.read("/tasks")
    for back in ("https://evil.example/tasks", "//evil.example/orders/", "/sign-out"):
        assert fred.post("/tasks/TASK0000001/take", {"back": back}).location == "/tasks/TASK0000001"


def test_dependencies_and_resting_orders_are_said_in_words(database: Database, fred: Visitor) -> None:
    made = make_order(database, approved=True)
    waiting = fred.read("/tasks/TASK0000002")
    assert "waits for Build" in text_of(waiting)
    assert "/tasks/TASK0000002/move/in_progress" not in buttons_of(waiting)
    with database.transaction() as session:
        move_order(session, made.order_number, OrderState.ON_HOLD, reason="Closed", actor=AGENT, now=NOW)
    resting = fred.read("/tasks/TASK0000001")
    assert "waits until the order is in progress" in text_of(resting)
    assert buttons_of(resting) == ["/tasks/TASK0000001/take"]
    assert listed(fred.read("/tasks?whose=free")) == []


def test_every_button_of_every_state_works(app: flask.Flask, database: Database, fred: Visitor) -> None:
    """Walks from the two tasks of a new order over all buttons, to every state that they lead to."""
    with database.transaction() as session:
        connection = make_consumer(session)
        item = make_router_item(session, connection.id)
    made = 0

    def tasks_after(place: int, path: tuple[str, ...]) -> str:
        nonlocal made
        made += 1
        with database.transaction() as session:
            task = submit_provider_task(session, connection.id, make_request(item, made), now=NOW)
            order = session.get_one(CustomerOrder, task.order_id)
            approve_order(session, order.number, actor=AGENT, now=NOW)
            numbers = sorted(session.scalars(select(OrderTask.number).where(OrderTask.order_id == order.id)))
        for to in path:
            answer = fred.post(f"/tasks/{numbers[place]}/move/{to}", {"reason": "Because."})
            assert answer.status_code == 303, (place, path, to, answer.get_data(as_text=True))
        return numbers[place]

    seen: set[tuple[int, str]] = set()
    todo: list[tuple[int, tuple[str, ...]]] = [(0, ()), (1, ())]
    while todo:
        place, path = todo.pop(0)
        number = tasks_after(place, path)
        state = task_of(database, number).state
        if (place, state) in seen:
            continue
        seen.add((place, state))
        moves = [url for url in buttons_of(fred.read(f"/tasks/{number}")) if "/move/" in url]
        assert moves or state in ("closed_complete", "cancelled"), (place, state)
        todo += [(place, (*path, url.rpartition("/")[2])) for url in moves]
    assert {state for place, state in seen if place == 0} == {*OrderTaskState} - {"draft"}
    assert (1, "draft") in seen


def test_holding_asks_for_a_reason_and_keeps_what_was_typed(database: Database, fred: Visitor) -> None:
    make_order(database, approved=True)
    fred.read("/tasks/TASK0000001")
    answer = fred.post("/tasks/TASK0000001/move/on_hold", {"reason": " "})
    assert answer.status_code == 422
    assert "Say why." in answer.get_data(as_text=True)
    assert fred.post("/tasks/TASK0000001/move/on_hold", {"reason": "No ladder."}).status_code == 303
    assert "No ladder." in text_of(fred.read("/tasks/TASK0000001"))


def test_a_button_that_came_too_late_says_why(database: Database, fred: Visitor) -> None:
    make_order(database, approved=True)
    fred.read("/tasks/TASK0000002")
    answer = fred.post("/tasks/TASK0000002/move/in_progress")
    assert answer.status_code == 422
    assert "cannot become in_progress" in answer.get_data(as_text=True)
    for _ in range(2):
        answer = fred.post("/tasks/TASK0000001/move/closed_complete")
    assert "that state is final" in answer.get_data(as_text=True)
    answer = fred.post("/tasks/TASK0000001/take")
    assert (answer.status_code, answer.location) == (303, "/tasks/TASK0000001/take")
    assert fred.post("/tasks/TASK0000001/move/nonsense").status_code == 404
    assert fred.get("/tasks/TASK9999999").status_code == 404


def test_tasks_are_found_filtered_and_sorted(database: Database, fred: Visitor) -> None:
    first = make_order(database, approved=True)
    make_order(database, approved=True, prefix="BETA")
    for query, found in {
        "q=build": ["TASK0000001", "TASK0000003"], "q=beta+ltd": ["TASK0000003", "TASK0000004"],
        f"q={first.order_number}": ["TASK0000001", "TASK0000002"], "q=TASK0000004": ["TASK0000004"],
        "state=draft": ["TASK0000002", "TASK0000004"], "q=nothing": [],
    }.items():  # fmt: skip
        assert listed(fred.read(f"/tasks?{query}")) == found, query
    for name in SORTABLE:
        forwards, backwards = listed(fred.read(f"/tasks?sort={name}")), listed(fred.read(f"/tasks?sort=-{name}"))
        assert sorted(forwards) == sorted(backwards) == [f"TASK000000{number}" for number in range(1, 5)]
    assert listed(fred.read("/tasks?sort=-number"))[0] == "TASK0000004"


def test_finished_tasks_are_shown_when_asked_for(database: Database, fred: Visitor) -> None:
    make_order(database, approved=True)
    fred.read("/tasks")
    fred.post("/tasks/TASK0000001/move/closed_complete")
    assert listed(fred.read("/tasks")) == ["TASK0000002"]
    assert listed(fred.read("/tasks?whose=nonsense")) == ["TASK0000002"]
    assert listed(fred.read("/tasks?state=closed_complete")) == ["TASK0000001"]
    assert listed(fred.read("/tasks?whose=all")) == ["TASK0000001", "TASK0000002"]


def test_a_list_costs_the_same_whatever_its_length(app: flask.Flask, database: Database, fred: Visitor) -> None:
    make_order(database, approved=True)
    with CountedStatements(app) as few:
        fred.read("/tasks")
    many = [{**TWO_TASKS[0], "key": f"task-{number}"} for number in range(20)]
    make_order(database, approved=True, prefix="BETA", columns={"task_templates": many})
    with CountedStatements(app) as more:
        fred.read("/tasks")
    assert more.count == few.count


def test_who_only_looks_sees_no_buttons_and_is_refused(app: flask.Flask, database: Database, fred: Visitor) -> None:
    make_order(database, approved=True)
    viewer = signed_in(app, "vera", "viewer")
    for url in ("/tasks", "/tasks/TASK0000001"):
        assert not viewer.read(url).xpath("//main//form[@method='post']")
    for last in ("take", "give-back", "move/in_progress", "move/on_hold"):
        answer = viewer.post(f"/tasks/TASK0000001/{last}", {"reason": "Because"})
        assert answer.status_code == 403
        assert "fred (fulfilment_agent)" in answer.get_data(as_text=True)
    assert task_of(database, "TASK0000001").state == "open"


def test_the_point_of_no_return_is_shown_and_warned_of_before_it_is_passed(database: Database, fred: Visitor) -> None:
    made = make_order(database, approved=True, columns={"task_templates": [TWO_TASKS[1] | {"depends_on": []}]})
    page = fred.read("/tasks/TASK0000001")
    (warning,) = page.xpath("//section[@id='moves']//details[.//button[contains(., 'there is no way back')]]")
    assert f"after it, order {made.order_number} can no longer be cancelled" in text_of(warning)
    assert "Point of no return" in text_of(page.xpath("//dl")[0])
    (form,) = warning.xpath(".//form")
    assert fred.post(form.get("action")).status_code == 303
    assert not fred.read("/tasks/TASK0000001").xpath("//button[contains(., 'there is no way back')]")


def test_a_task_that_undoes_says_so_and_is_worked_while_the_order_is_cancelled(
    database: Database, fred: Visitor
) -> None:
    made = make_order(database, approved=True)
    with database.transaction() as session:
        complete_task(session, "TASK0000001", actor=AGENT, now=NOW)
        cancel_order(session, made.order_number, reason="Twice", actor=AGENT, now=NOW)
        approve_cancellation(session, made.order_number, message=None, actor=AGENT, now=NOW)
    assert "Undo: Build" in text_of(fred.read("/tasks?whose=free"))
    assert "It undoes what was done for a line that is being cancelled." in text_of(fred.read("/tasks/TASK0000003"))
    assert fred.post("/tasks/TASK0000003/move/closed_complete").status_code == 303
    assert "Cancelled" in text_of(fred.read(f"/orders/{made.order_number}").xpath("//*[@id='head']")[0])
