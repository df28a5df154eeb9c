"""What the page of an order task says of the work, and what is said once the work is done."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest

from bridge.database import Database
from tests.api.page_client import Visitor, signed_in, text_of
from tests.api.provider_client import context_of, make_app
from tests.factories import TWO_TASKS, make_order
from tests.service.test_cancellation_levels import make_package, number_of

PLAIN = [TWO_TASKS[0], TWO_TASKS[1] | {"point_of_no_return": False}]


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


def complete(fred: Visitor, number: str) -> str:
    """What is said of it."""
    fred.read(f"/tasks/{number}")
    assert fred.post(f"/tasks/{number}/move/closed_complete").status_code == 303
    (said,) = fred.read(f"/tasks/{number}").cssselect("main > .alert-success")
    return text_of(said)


def work_of(page: Any) -> str:
    return text_of(page.xpath("//section[@id='line']")[0])


def test_a_task_says_what_is_to_be_done_where_when_and_for_whom(database: Database, fred: Visitor) -> None:
    made = make_order(
        database, approved=True, quantity=3, note="Ring twice.", requested_on="2026-12-24",
        location={"name": "Bakery", "city": "Oslo"}, contacts=[{"name": "Bo", "phone": "123"}],
    )  # fmt: skip
    page = fred.read("/tasks/TASK0000001")
    text = work_of(page)
    assert text.startswith("What is to be done For3")
    for said in ("100 Mbit/s", "Bakery, Oslo", "2026-12-24", "Bo, 123", "Ring twice."):
        assert said in text
    assert page.xpath(f"//a[@href='/orders/{made.order_number}']")


def test_the_last_task_asks_first_and_says_that_it_completed_the_order(database: Database, fred: Visitor) -> None:
    made = make_order(database, approved=True, columns={"task_templates": PLAIN})
    assert not fred.read("/tasks/TASK0000001").xpath("//form[@data-confirm]")
    assert complete(fred, "TASK0000001") == "Task TASK0000001, Build, is complete."
    (form,) = fred.read("/tasks/TASK0000002").xpath("//form[@data-confirm]")
    assert form.get("data-confirm") == (
        f"This is the last task: it completes order {made.order_number}, and ACME Ltd is told."
    )
    assert complete(fred, "TASK0000002") == (
        f"Task TASK0000002, Ship, is complete. That completed order {made.order_number}, and ACME Ltd is told."
    )


def test_work_on_a_whole_that_is_done_first_says_which_parts_are_still_open(database: Database, fred: Visitor) -> None:
    made = make_package(database)
    deliver = number_of(database, made, "Deliver")
    assert "It is complete once these are: Edge, Fan." in work_of(fred.read(f"/tasks/{deliver}"))
    assert complete(fred, deliver).endswith("Package item is complete once its parts are: Edge, Fan.")
    assert complete(fred, number_of(database, made, "Fan")).endswith("That completed Fan.")
