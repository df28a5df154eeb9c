"""Approvals that a provider asks for on its tasks: settled once, told once, ended with the task; on both databases."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from bridge.database import Database
from bridge.models import Connection, HeldEvent, Instance
from bridge.vocabulary import EventType
from consumer_sim.services import users
from provider.domain.errors import Conflict, InvalidFields, NotFound
from provider.models.access import AuditEntry
from provider.models.orders import ProviderTask
from provider.services.cases import open_case, withdraw_case
from provider.services.intake import cancel_provider_task
from provider.services.task_approvals import answer_approval, ask_approval, list_approvals, withdraw_approval
from tests.case_factories import FORM, make_case
from tests.factories import NOW, PROVIDER, at_once, events_of, exchange_database, make_order
from tests.remote_pair import EVERYONE, Pair, remote_pair

ANN = "user/ann"
SUBJECT = "Extra cost of 200 EUR for the second visit"
Made = tuple[str, str, str]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with exchange_database(database_url) as found:
        with found.transaction() as session:
            session.add(Instance(id=PROVIDER.id, name=PROVIDER.name, epoch=PROVIDER.epoch))
        yield found


def ask(database: Database, number: str, **said: Any) -> str:
    with database.transaction() as session:
        asked = ask_approval(session, number, subject=SUBJECT, actor=ANN, now=NOW, **{"due_on": None} | said)
    return str(asked["approval_id"])


def answer(database: Database, made: Made, approval_id: str, **said: Any) -> dict[str, Any]:
    whole = {"is_approved": True, "reason": "", "person": "Ada", "now": NOW} | said
    with database.transaction() as session:
        return answer_approval(session, made[0], made[1], approval_id=approval_id, **whole)


def withdraw(database: Database, made: Made, approval_id: str) -> None:
    with database.transaction() as session:
        withdraw_approval(session, made[2], approval_id, reason="Not needed.", actor=ANN, now=NOW)


def told(database: Database, connection_id: str) -> list[tuple[str, str | None]]:
    """What the consumer was told of approvals, oldest first: state, and who settled it."""
    with database.reading() as session:
        found = events_of(session, connection_id)
    return [(data["state"], data["settled_by"]) for type_, _, data in found if type_ == EventType.APPROVAL_CHANGED]


def audited(database: Database) -> list[tuple[str, str]]:
    with database.reading() as session:
        rows = session.scalars(select(AuditEntry).where(AuditEntry.action.startswith("task_approval.")))
        return [(row.action.partition(".")[2], row.actor) for row in rows.all()]


def test_what_is_asked_and_answered_is_told_and_audited_once(database: Database) -> None:
    made = make_case(database)
    approval_id = ask(database, made[2], due_on=date(2026, 12, 1))
    first = answer(database, made, approval_id, reason="Fine.")
    assert answer(database, made, approval_id, reason="Fine.", person="Bob") == first, "the first answer stands"
    assert (first["state"], first["settled_by"], first["reason"]) == ("approved", "Ada", "Fine.")
    assert told(database, made[0]) == [("open", None), ("approved", "Ada")]
    assert audited(database) == [("open", ANN), ("approved", f"connection/{made[0]}")]
    with database.reading() as session:
        (listed,) = list_approvals(session, made[2])
    assert (listed["subject"], listed["due_on"], listed["asked_by"]["company"]) == (
        SUBJECT, "2026-12-01", PROVIDER.name,
    )  # fmt: skip


def test_a_rejection_needs_a_reason_and_another_answer_comes_too_late(database: Database) -> None:
    made = make_case(database)
    approval_id = ask(database, made[2])
    with pytest.raises(InvalidFields, match="/reason"):
        answer(database, made, approval_id, is_approved=False, reason=" ")
    answer(database, made, approval_id, is_approved=False, reason="Too dear.")
    with pytest.raises(Conflict, match="was rejected already") as refused:
        answer(database, made, approval_id)
    assert refused.value.code == "approval_not_open"
    with pytest.raises(Conflict, match="was rejected already"):
        withdraw(database, made, approval_id)
    assert told(database, made[0])[1:] == [("rejected", "Ada")]


def test_of_an_answer_and_a_withdrawal_one_wins_and_the_other_is_told(database: Database) -> None:
    made = make_case(database)
    winners = set()
    for _ in range(8):
        approval_id = ask(database, made[2])
        before = len(told(database, made[0]))
        results = at_once(
            [lambda: answer(database, made, approval_id), lambda: withdraw(database, made, approval_id)]  # noqa: B023
        )
        (refused,) = [one for one in results if isinstance(one, Exception)]
        assert isinstance(refused, Conflict) and refused.code == "approval_not_open", refused
        ((state, _),) = told(database, made[0])[before:]
        winners.add(state)
    assert winners <= {"approved", "withdrawn"}


def test_of_two_answers_at_once_one_is_kept(database: Database) -> None:
    made = make_case(database)
    approval_id = ask(database, made[2])
    no = {"is_approved": False, "reason": "No.", "person": "Bob"}
    results = at_once([lambda: answer(database, made, approval_id), lambda: answer(database, made, approval_id, **no)])
    assert sum(isinstance(one, Conflict) for one in results) == 1
    assert len(told(database, made[0])) == 2


def test_the_end_of_a_case_ends_what_is_open_and_nothing_more_can_be_asked(database: Database) -> None:
    made = make_case(database)
    first, second = ask(database, made[2]), ask(database, made[2])
    answer(database, made, first)
    with database.transaction() as session:
        cancel_provider_task(session, made[0], made[1], reason="Over", now=NOW)
    assert told(database, made[0])[-1] == ("ended", None)
    with pytest.raises(Conflict, match="approval is over"):
        answer(database, made, second)
    with pytest.raises(Conflict, match="nothing left to approve"):
        ask(database, made[2])
    assert len(told(database, made[0])) == 4


def test_the_end_of_an_order_ends_what_is_open_and_an_open_one_holds_nothing_up(database: Database) -> None:
    ordered = make_order(database)
    with database.transaction() as session:
        number = session.execute(
            select(ProviderTask.number).where(ProviderTask.external_id == ordered.task_id)
        ).scalar_one()
    ask(database, number)
    with database.transaction() as session:
        task = cancel_provider_task(session, ordered.connection_id, ordered.task_id, reason="Over", now=NOW)
    assert task["order_state"] == "cancelled"
    assert told(database, ordered.connection_id) == [("open", None), ("ended", None)]


def test_nobody_answers_what_another_consumer_or_task_was_asked(database: Database) -> None:
    made, other = make_case(database), make_case(database, "OTHER")
    approval_id = ask(database, made[2])
    for asked in (other, (made[0], str(uuid4()), "")):
        with pytest.raises(NotFound):
            answer(database, asked, approval_id)
    with pytest.raises(NotFound):
        withdraw(database, other, approval_id)


def test_a_consumer_that_does_not_know_approvals_is_told_when_it_does(database: Database) -> None:
    made = make_case(database)
    with database.transaction() as session:
        unspoken = [str(EventType.APPROVAL_CHANGED)]
        session.execute(update(Connection).where(Connection.id == made[0]).values(unspoken=unspoken))
    ask(database, made[2])
    with database.reading() as session:
        assert list(session.scalars(select(HeldEvent.type))) == unspoken


def test_what_we_opened_ourselves_can_be_asked_about(database: Database) -> None:
    connection_id, _, _ = make_case(database)
    said: dict[str, Any] = {"short_description": "A line is down", "description": "", "priority": "high"}
    with database.transaction() as session:
        number = open_case(session, connection_id, **said, actor=ANN, now=NOW).task.number
    ask(database, number)
    with database.transaction() as session:
        withdraw_case(session, number, reason="A false alarm.", actor=ANN, now=NOW)
    assert told(database, connection_id) == [("open", None), ("ended", None)]


# --- between both sides, over HTTP


@pytest.fixture
def pair(sqlite_url: str, tmp_path: Path) -> Iterator[Pair]:
    with remote_pair(sqlite_url, f"sqlite:///{tmp_path / 'consumer.db'}", tmp_path) as found:
        yield found


@pytest.fixture
def request_of(pair: Pair) -> tuple[str, str]:
    """A request that needs no order, accepted: its id and number. grace may approve."""
    form = {"variables": FORM["variables"], "sets": []}
    identity = pair.ask("POST", "/remote-record-producers", {"name": "Report a fault", "form": form})["identity"]
    pair.ask("POST", f"/remote-record-producers/{identity}/publish", {"criteria": EVERYONE})
    pair.settle()
    pair.tell("POST", f"/catalog-items/{identity}/activate")
    pair.settle()
    body = {"catalog_item_id": identity, "characteristics": {"symptom": "No light"}, "requested_by": {"name": "Ada"}}
    task_id = pair.tell("POST", "/requests", body)["id"]
    pair.settle()
    with pair.consumer.context.database.transaction() as session:
        for name, role in (("grace", "approver"), ("ada", "requester")):
            users.add_user(session, name, [role])
    return task_id, pair.tell("GET", f"/requests/{task_id}")["number"]


def test_an_answer_reaches_the_provider_and_comes_back_as_told(pair: Pair, request_of: tuple[str, str]) -> None:
    task_id, number = request_of
    pair.ask("POST", f"/provider-tasks/{number}/approvals", {"subject": SUBJECT, "due_on": "2027-01-31"})
    pair.settle()
    (asked,) = approvals_at(pair, task_id)
    assert (asked["state"], asked["subject"], asked["due_on"]) == ("open", SUBJECT, "2027-01-31")
    decide(pair, asked, "reject", "Too dear.")
    (waiting,) = approvals_at(pair, task_id)
    assert (waiting["state"], waiting["answer"], waiting["answer_sent"]) == ("open", "reject", "waiting")
    pair.settle()
    (here,), (there,) = pair.ask("GET", f"/provider-tasks/{number}/approvals")["items"], approvals_at(pair, task_id)
    assert [here[name] for name in ("state", "settled_by", "reason")] == ["rejected", "grace", "Too dear."]
    assert {name: there[name] for name in ("state", "settled_by", "settled_at", "reason")} == {
        name: here[name] for name in ("state", "settled_by", "settled_at", "reason")
    }


def test_an_answer_that_meets_a_withdrawal_is_told_so_and_asks_for_nothing_more(
    pair: Pair, request_of: tuple[str, str]
) -> None:
    task_id, number = request_of
    made = pair.ask("POST", f"/provider-tasks/{number}/approvals", {"subject": SUBJECT})
    pair.settle()
    (asked,) = approvals_at(pair, task_id)
    decide(pair, asked, "approve")
    pair.ask("POST", f"/provider-tasks/{number}/approvals/{made['approval_id']}/withdraw", {"reason": "Not needed."})
    pair.settle()
    (found,) = approvals_at(pair, task_id)
    assert (found["state"], found["answer_sent"]) == ("withdrawn", "refused")
    assert "was withdrawn by the provider" in found["answer_problem"]


def test_of_two_people_at_the_consumer_the_second_is_told_and_others_may_not_decide(
    pair: Pair, request_of: tuple[str, str]
) -> None:
    task_id, number = request_of
    pair.ask("POST", f"/provider-tasks/{number}/approvals", {"subject": SUBJECT})
    pair.settle()
    (asked,) = approvals_at(pair, task_id)
    path = f"/api/v1/requests/{task_id}/task-approvals/{asked['id']}/answer"
    for body, status, words in (
        ({"decided_by": "ada", "answer": "approve"}, 409, "which ada may not"),
        ({"decided_by": "grace", "answer": "reject"}, 422, "Say why"),
        ({"decided_by": "grace", "answer": "approve"}, 200, "waiting"),
        ({"decided_by": "grace", "answer": "reject", "reason": "No."}, 409, "grace approved it"),
    ):
        answered = pair.consumer.client.post(path, json=body)
        assert answered.status_code == status and words in answered.text, answered.text


def approvals_at(pair: Pair, task_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pair.tell("GET", f"/requests/{task_id}/task-approvals")["items"]
    return found


def decide(pair: Pair, asked: dict[str, Any], said: str, reason: str = "") -> None:
    path = f"/requests/{asked['task_id']}/task-approvals/{asked['id']}/answer"
    pair.tell("POST", path, {"decided_by": "grace", "answer": said, "reason": reason})
