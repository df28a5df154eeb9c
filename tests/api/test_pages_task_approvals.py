"""Approvals on provider tasks, on the pages of both sides: asked for, answered, withdrawn, found."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask
import pytest

from consumer_sim.models_task_approvals import TaskApproval
from consumer_sim.services.task_approvals import SORTS
from provider.services.task_approval_search import SORTABLE
from provider.services.task_approvals import answer_approval, ask_approval
from tests.api.page_client import CountedStatements, Visitor, signed_in, text_of
from tests.api.provider_client import context_of, make_app
from tests.case_factories import make_case
from tests.case_worlds import approval_changed, case_changed
from tests.consumer_factories import Consumer, connected_consumer, rows, state_changed
from tests.factories import NOW, make_order

SUBJECT = "Extra cost of 200 EUR for the second visit"
CASE = "/cases/ACME-PT0000001"
ASK = "/provider-tasks/ACME-PT0000001/approvals"


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    app = make_app(sqlite_url, tmp_path)
    yield app
    context_of(app).database.close()


@pytest.fixture
def ann(app: flask.Flask) -> Visitor:
    return signed_in(app, "ann", "order_agent")


def ask(app: flask.Flask, **said: Any) -> str:
    with context_of(app).database.transaction() as session:
        asked = {"subject": SUBJECT, "due_on": None, "actor": "user/ann", "now": NOW} | said
        return str(ask_approval(session, "ACME-PT0000001", **asked)["approval_id"])


def listed(page: Any) -> list[str]:
    return [text_of(one) for one in page.xpath("//tbody//td[@data-label='What is to be approved']")]


# --- the provider


def test_an_agent_asks_on_a_case_and_sees_what_became_of_it(app: flask.Flask, ann: Visitor) -> None:
    made = make_case(context_of(app).database)
    ann.read(CASE)
    assert ann.post(ASK, {"subject": SUBJECT, "due_on": "2027-01-31"}).location == f"{CASE}#approvals"
    page = ann.read(CASE)
    assert "The answer will stand here." in text_of(page)
    shown = text_of(page.get_element_by_id("approvals-asked"))
    assert shown.startswith(f"Waiting for an answer {SUBJECT} ann asked") and "wanted until 2027-01-31" in shown
    (approval_id,) = [row.split("/")[-2] for row in page.xpath("//form/@action") if row.endswith("/withdraw")]
    with context_of(app).database.transaction() as session:
        said = {"is_approved": False, "reason": "Too dear.", "person": "Ada", "now": NOW}
        answer_approval(session, made[0], made[1], approval_id=approval_id, **said)
    page = ann.read(CASE)
    shown = text_of(page.get_element_by_id("approvals-asked"))
    assert "Rejected" in shown and "Ada of ACME Ltd rejected it" in shown and "“Too dear.”" in shown
    assert not [one for one in page.xpath("//form/@action") if one.endswith("/withdraw")]


def test_an_order_shows_its_own_and_asks_too(app: flask.Flask, ann: Visitor) -> None:
    ordered = make_order(context_of(app).database)
    url = f"/orders/{ordered.order_number}"
    ann.read(url)
    assert ann.post(ASK, {"subject": SUBJECT}).location == f"{url}#approvals"
    assert SUBJECT in text_of(ann.read(url).get_element_by_id("approvals-asked"))


def test_what_is_open_can_be_withdrawn_and_what_is_settled_not(app: flask.Flask, ann: Visitor) -> None:
    made = make_case(context_of(app).database)
    approval_id = ask(app)
    ann.read(CASE)
    withdraw = f"{ASK}/{approval_id}/withdraw"
    assert ann.post(withdraw, headers={"Referer": f"http://localhost{CASE}"}).status_code == 303
    assert "ann withdrew it" in text_of(ann.read(CASE).get_element_by_id("approvals-asked"))
    other = ask(app)
    with context_of(app).database.transaction() as session:
        said = {"is_approved": True, "reason": "", "person": "Ada", "now": NOW}
        answer_approval(session, made[0], made[1], approval_id=other, **said)
    assert ann.post(f"{ASK}/{other}/withdraw", headers={"Referer": f"http://localhost{CASE}"}).status_code == 303
    assert "This approval was approved already (Ada). Nothing was changed." in text_of(ann.read(CASE))


@pytest.mark.parametrize(
    ("typed", "said"),
    [({"subject": " "}, "Say what is to be approved."), ({"subject": SUBJECT, "due_on": "2026-01-01"}, "Must not be")],
)
def test_what_is_wrong_stands_beside_its_field(
    app: flask.Flask, ann: Visitor, typed: dict[str, str], said: str
) -> None:
    make_case(context_of(app).database)
    ann.read(CASE)
    assert ann.post(ASK, typed).status_code == 422
    assert said in ann.page


def test_who_may_only_look_asks_nothing(app: flask.Flask) -> None:
    make_case(context_of(app).database)
    ask(app)
    viewer = signed_in(app, "vic", "viewer")
    page = viewer.read(CASE)
    assert SUBJECT in text_of(page) and "Ask for an approval" not in text_of(page)
    assert viewer.post(ASK, {"subject": SUBJECT}).status_code == 403


def test_what_waits_for_consumers_is_on_the_start_page_and_in_a_list(app: flask.Flask, ann: Visitor) -> None:
    make_case(context_of(app).database)
    assert "Approval asked for" not in text_of(ann.read("/"))
    ask(app)
    assert "Approval asked for" in text_of(ann.read("/"))
    ask(app, subject="A longer contract")
    assert listed(ann.read("/approvals?state=open")) == [SUBJECT, "A longer contract"]
    assert listed(ann.read("/approvals?q=longer")) == ["A longer contract"]
    assert listed(ann.read("/approvals?state=approved")) == []
    for sort in SORTABLE:
        assert len(listed(ann.read(f"/approvals?sort={sort}"))) == 2


def test_the_list_costs_the_same_however_long_it_is(app: flask.Flask, ann: Visitor) -> None:
    make_case(context_of(app).database)
    ask(app)
    ann.read("/approvals")
    counts = []
    for _ in range(2):
        with CountedStatements(app) as counted:
            ann.read("/approvals")
        counts.append(counted.count)
        for _ in range(5):
            ask(app)
    assert counts[0] == counts[1]


# --- the consumer


@pytest.fixture
def acme(sqlite_url: str, tmp_path: Path) -> Iterator[Consumer]:
    with connected_consumer(sqlite_url, tmp_path) as one:
        yield one


@pytest.fixture
def grace(acme: Consumer) -> Visitor:
    return signed_in(acme.app, "grace", "approver")


@pytest.fixture
def asked(acme: Consumer) -> tuple[str, str]:
    """The request's page, and the approval's path."""
    task_id, approval_id = str(uuid4()), str(uuid4())
    assert acme.verdicts([state_changed(task_id, 1)]) == ["applied"]
    assert acme.verdicts([approval_changed(task_id, approval_id, 2, subject=SUBJECT)]) == ["applied"]
    url = f"/requests/{acme.connection_id}/{task_id}"
    return url, f"{url}/task-approvals/{approval_id}"


def shown(visitor: Visitor, url: str) -> str:
    return text_of(visitor.read(url).get_element_by_id("task-approvals"))


def test_an_approver_approves_what_the_provider_asks(acme: Consumer, grace: Visitor, asked: tuple[str, str]) -> None:
    url, one = asked
    said = shown(grace, url)
    assert said.startswith(f"Northwind asks for your approval: {SUBJECT} ann, Northwind")
    assert "Answer wanted until 2026-12-01" in said
    assert "Approval a provider asks for" in text_of(grace.read("/"))
    assert grace.post(f"{one}/approve").status_code == 303
    assert "grace approved it; Northwind is told." in shown(grace, url)
    assert "Approvals providers ask for 0" in text_of(grace.read("/")) or "Approval a provider" not in grace.page
    (found,) = rows(acme, TaskApproval)
    assert (found.state, found.answer, found.answer_by, found.answer_sent) == ("open", "approve", "grace", "waiting")


def test_a_rejection_asks_for_a_reason_first(acme: Consumer, grace: Visitor, asked: tuple[str, str]) -> None:
    url, one = asked
    grace.read(f"{one}/reject")
    assert grace.post(f"{one}/reject", {"reason": " "}).status_code == 422
    assert "the provider reads it" in grace.page
    assert grace.post(f"{one}/reject", {"reason": "Too dear."}).status_code == 303
    assert "grace rejected it; Northwind is told. “Too dear.”" in shown(grace, url)
    (found,) = rows(acme, TaskApproval)
    assert (found.answer, found.answer_reason) == ("reject", "Too dear.")


def test_the_second_who_answers_is_told_what_the_first_said(
    acme: Consumer, grace: Visitor, asked: tuple[str, str]
) -> None:
    url, one = asked
    bob = signed_in(acme.app, "bob", "approver")
    bob.read(url)
    grace.read(url)
    grace.post(f"{one}/approve")
    assert bob.post(f"{one}/approve", headers={"Referer": f"http://localhost{url}"}).status_code == 303
    assert "grace approved it" in text_of(bob.read(url))
    assert len([row for row in rows(acme, TaskApproval) if row.answer_by == "grace"]) == 1


def test_a_requester_sees_it_and_does_not_decide(acme: Consumer, asked: tuple[str, str]) -> None:
    url, one = asked
    ada = signed_in(acme.app, "ada", "requester")
    assert "Somebody here who may approve has to answer." in shown(ada, url)
    assert ada.post(f"{one}/approve").status_code == 403
    assert ada.get("/provider-approvals").status_code == 403


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"state": "approved", "settled_by": "grace", "reason": "Fine."}, "grace approved: Extra"),
        (
            {"state": "withdrawn", "settled_by": "ann", "reason": None},
            "Northwind withdrew what it asked",
        ),
        ({"state": "ended", "settled_by": None, "reason": None}, "Nobody has to approve any more"),
    ],
)
def test_what_became_of_it_is_told_and_nobody_is_asked_any_more(
    acme: Consumer, grace: Visitor, asked: tuple[str, str], told: dict[str, Any], words: str
) -> None:
    url, one = asked
    task_id, approval_id = url.split("/")[-1], one.split("/")[-1]
    settled = {"subject": SUBJECT, "settled_at": "2026-11-21T09:30:00.000Z"} | told
    assert acme.verdicts([approval_changed(task_id, approval_id, 3, **settled)]) == ["applied"]
    page = grace.read(url)
    assert words in text_of(page.get_element_by_id("task-approvals"))
    assert not page.xpath("//*[@id='task-approvals']//form")
    assert grace.post(f"{one}/approve", headers={"Referer": f"http://localhost{url}"}).status_code == 303
    assert "waits for this approval no more" in text_of(grace.read(url))


def test_the_list_finds_what_waits(acme: Consumer, grace: Visitor, asked: tuple[str, str]) -> None:
    _, one = asked
    other = str(uuid4())
    events = [case_changed(other, 1, opened_by="provider", number="PT0000001")]
    events += [approval_changed(other, str(uuid4()), 2, subject="A longer contract")]
    assert acme.verdicts(events) == ["applied", "applied"]
    assert sorted(listed(grace.read("/provider-approvals"))) == ["A longer contract", SUBJECT]
    assert f"{one}/reject" in grace.read("/provider-approvals").xpath("//tbody//a/@href")
    grace.post(f"{one}/approve")
    page = grace.read("/provider-approvals?state=waiting")
    assert listed(page) == ["A longer contract"] and len(page.xpath("//tbody//form")) == 1
    assert len(grace.read("/provider-approvals").xpath("//tbody//form")) == 1, "what was answered is asked no more"
    assert listed(grace.read("/provider-approvals?q=second")) == [SUBJECT]
    for sort in SORTS:
        assert len(listed(grace.read(f"/provider-approvals?sort={sort}"))) == 2


def test_an_event_that_is_not_right_is_rejected(acme: Consumer, asked: tuple[str, str]) -> None:
    task_id = asked[0].split("/")[-1]
    for wrong in ({"state": "maybe"}, {"due_on": "soon"}, {"subject": ""}, {"asked_by": None}, {"approval_id": "1"}):
        approval_id = wrong.pop("approval_id", str(uuid4()))
        assert acme.verdicts([approval_changed(task_id, approval_id, 3, **wrong)]) == ["rejected"], wrong
