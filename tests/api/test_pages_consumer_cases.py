"""What a consumer's people see and do with tasks without an order, and with scratchpads."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from bridge.models import Delivery, OutboxEvent
from consumer_sim.models import ProviderTask
from consumer_sim.models_cases import Case, ScratchpadEntry
from consumer_sim.services import requests as consumer_requests
from consumer_sim.services.case_search import SORTS
from tests.api.page_client import CountedStatements, Visitor, signed_in, text_of
from tests.case_factories import FORM
from tests.case_worlds import RESOLUTION, case_changed, entry_changed
from tests.consumer_factories import ASKED_BY, NOW, Consumer, connected_consumer, make_item, rows


@pytest.fixture
def acme(sqlite_url: str, tmp_path: Path) -> Iterator[Consumer]:
    with connected_consumer(sqlite_url, tmp_path) as one:
        yield one


@pytest.fixture
def ada(acme: Consumer) -> Visitor:
    return signed_in(acme.app, "ada", "requester")


def ask(one: Consumer) -> str:
    """A request that needs no order, accepted; its id."""
    with one.context.database.transaction() as session:
        item = make_item(session, one.connection_id, kind="task", name="Report a fault", form=FORM, active_form=FORM)
        answers = {"characteristics": {"symptom": "No light"}}
        task = consumer_requests.submit_request(session, item, answers, ASKED_BY, now=NOW)
        task_id = task.id
        session.flush()
        accepted = update(ProviderTask).where(ProviderTask.id == task_id).values(submission="accepted")
        session.execute(accepted)
    return task_id


def told(one: Consumer, task_id: str, sequence: int, **data: Any) -> None:
    assert one.verdicts([case_changed(task_id, sequence, **data)]) == ["applied"]


def url_of(one: Consumer, task_id: str) -> str:
    return f"/requests/{one.connection_id}/{task_id}"


def steps(page: Any) -> list[str]:
    words = [text_of(one) for one in page.xpath("//ol[@class='steps']/li")]
    return [word.removeprefix("✓ ").removesuffix(" (done)") for word in words]


def said(one: Consumer) -> list[tuple[str, str]]:
    """The calls that were recorded: our word for each, and where to."""
    with one.context.database.reading() as session:
        query = select(OutboxEvent.type, Delivery.target).join(Delivery, Delivery.event_id == OutboxEvent.id)
        return [(row[0], row[1]) for row in session.execute(query.order_by(OutboxEvent.id))]


def test_the_line_of_progress_speaks_of_no_order(acme: Consumer, ada: Visitor) -> None:
    task_id = ask(acme)
    page = ada.read(url_of(acme, task_id))
    assert steps(page) == ["Sent", "Received", "In progress", "Solution proposed", "Done"]
    assert "Order number" not in text_of(page)
    assert page.xpath("//*[@id='products']") == []
    assert "No light" in text_of(page)
    told(acme, task_id, 1, state="work_in_progress", state_label="Work in Progress")
    assert ada.read(url_of(acme, task_id)).xpath("//li[@aria-current='step']")[0].text.strip() == "In progress"
    told(acme, task_id, 2, state="awaiting_info", state_label="Awaiting info", reason="Which floor?")
    page = ada.read(url_of(acme, task_id))
    assert "Which floor?" in text_of(page.get_element_by_id("question"))
    assert "Waiting for your answer" in steps(page)


def test_a_solution_is_rejected_with_a_reason_and_the_next_one_accepted(acme: Consumer, ada: Visitor) -> None:
    task_id = ask(acme)
    url = url_of(acme, task_id)
    told(acme, task_id, 1, state="resolved", state_label="Resolved", resolution=RESOLUTION)
    assert "1 Solution to accept" in text_of(ada.read("/"))
    assert "Line replaced." in text_of(ada.read(url).get_element_by_id("solution"))
    answer = ada.post(f"{url}/reject", {"reason": " "})
    assert answer.status_code == 422
    assert "Say why, so that the work can go on." in ada.page
    assert ada.post(f"{url}/reject", {"reason": "It is as slow."}).status_code == 303
    page = ada.read(url)
    assert "You rejected it" in text_of(page)
    assert page.xpath(f"//form[@action='{url}/accept']") == [], "one answer at a time"
    told(acme, task_id, 2, state="work_in_progress", state_label="Work", reason="It is as slow.", resolution=RESOLUTION)
    assert "was rejected: It is as slow." in text_of(ada.read(url).get_element_by_id("solution"))
    told(acme, task_id, 3, state="resolved", state_label="Resolved", resolution=RESOLUTION | {"text": "Cable, too."})
    ada.read(url)
    assert ada.post(f"{url}/accept").status_code == 303
    told(acme, task_id, 4, state="closed", state_label="Closed", resolution=RESOLUTION)
    page = ada.read(url)
    assert "solved it: Solved." in text_of(page)
    assert steps(page)[-1] == "Done"
    assert [operation for operation, _ in said(acme)] == ["submit", "answer", "answer"]
    assert "/cancel" not in ada.page


def test_what_a_provider_opened_is_listed_new_until_somebody_has_seen_it(acme: Consumer, ada: Visitor) -> None:
    task_id = str(uuid4())
    about = {"opened_by": "provider", "number": "PT0000001", "short_description": "A line is down", "priority": "high"}
    told(acme, task_id, 1, **about)
    assert "1 New from your provider" in text_of(ada.read("/"))
    page = ada.read("/from-provider?seen=no")
    assert [text_of(one) for one in page.xpath("//tbody//td[@data-label='Number']")] == ["PT0000001"]
    assert "New" in text_of(page.xpath("//tbody//td[@data-label='About']")[0])
    url = url_of(acme, task_id)
    page = ada.read(url)
    assert "Opened by Northwind, priority high" in text_of(page)
    assert "it is not known here who asked" not in text_of(page)
    assert page.xpath(f"//a[@href='{url}/cancel']") == []
    assert ada.post(f"{url}/seen").status_code == 303
    assert said(acme) == [("acknowledgement", f"POST /exchange/v1/provider-tasks/{task_id}/acknowledgement")]
    assert "Nothing fits this search." in text_of(ada.read("/from-provider?seen=no"))
    told(acme, task_id, 2, **about, acknowledged_by="ada", acknowledged_at="2026-11-21T09:00:00.000Z")
    assert "ada told Northwind" in text_of(ada.read(url))
    assert "A line is down" in text_of(ada.read("/requests?q=line"))


def test_requesters_see_what_is_marked_for_them_and_admins_write(acme: Consumer, ada: Visitor) -> None:
    task_id = ask(acme)
    url = url_of(acme, task_id)
    shown = [entry_changed(task_id, 1), entry_changed(task_id, 2, name="asset", value="A-1", client_visible=False)]
    assert acme.verdicts(shown) == ["applied", "applied"]
    page = text_of(ada.read(url).get_element_by_id("entries"))
    assert ("carrier" in page, "asset" in page) == (True, False)
    assert ada.post(f"{url}/scratchpad", {"name": "x", "value": "y"}).status_code == 403
    boss = signed_in(acme.app, "boss", "admin")
    assert "asset" in text_of(boss.read(url).get_element_by_id("entries"))
    assert boss.post(f"{url}/scratchpad", {"name": "floor", "value": "3", "client_visible": "y"}).status_code == 303
    assert "floor3 not sent yet" in text_of(boss.read(url).get_element_by_id("entries"))
    assert boss.post(f"{url}/scratchpad", {"name": "", "value": "x" * 4001}).status_code == 422
    boss.read(url)
    assert boss.post(f"{url}/scratchpad/remove", {"name": "carrier"}).status_code == 303
    assert "carrier" not in text_of(boss.read(url).get_element_by_id("entries"))
    assert [operation for operation, _ in said(acme)] == ["submit", "scratchpad", "scratchpad"]


def test_an_event_that_breaks_the_promises_is_rejected_at_its_fields(acme: Consumer) -> None:
    task_id = str(uuid4())
    wrong = {"state": "magic", "opened_by": "nobody", "resolution": {"code": "solved"}, "opened_at": "soon"}
    answer = acme.post([case_changed(task_id, 1, **wrong)]).json["verdicts"][0]
    assert answer["verdict"] == "rejected"
    pointers = {one["pointer"] for one in answer["fields"]}
    assert pointers == {"/data/state", "/data/opened_by", "/data/resolution", "/data/opened_at"}
    answer = acme.post([entry_changed(task_id, 1, name="", value="x" * 4001, author={})]).json["verdicts"][0]
    assert {one["pointer"] for one in answer["fields"]} == {"/data/name", "/data/value", "/data/author"}
    assert rows(acme, Case) == rows(acme, ScratchpadEntry) == rows(acme, ProviderTask) == []


@pytest.mark.parametrize("column", SORTS)
def test_the_list_sorts_by_each_column_and_costs_the_same_however_long_it_is(
    acme: Consumer, ada: Visitor, column: str
) -> None:
    def open_one(place: int) -> None:
        about = {"opened_by": "provider", "number": f"PT{place:07d}", "short_description": f"Line {place}"}
        told(acme, str(uuid4()), 1, **about)

    open_one(0)
    ada.read("/from-provider")
    with CountedStatements(acme.app) as few:
        ada.read(f"/from-provider?sort={column}")
    for place in range(1, 12):
        open_one(place)
    with CountedStatements(acme.app) as many:
        page = ada.read(f"/from-provider?sort=-{column}")
    assert len(page.xpath("//tbody/tr")) == 12
    assert few.count == many.count
