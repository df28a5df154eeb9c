"""Provider tasks without an order: accepted once, worked on, solved; opened by either side."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from bridge.database import Database
from bridge.models import Connection, HeldEvent, Instance
from bridge.vocabulary import EventType
from provider.domain.errors import Conflict, IllegalMove, InvalidFields, NotFound
from provider.models.cases import Case, CaseChange
from provider.models.orders import CustomerOrder, ProviderTask
from provider.services import cases, comments, provider_tasks
from provider.services.case_search import count_cases, search_cases, show_case
from provider.services.intake import cancel_provider_task, resubmit_provider_task, submit_provider_task
from tests.case_factories import fault_report, make_authored_item, make_case
from tests.factories import NOW, PROVIDER, at_once, events_of, exchange_database, make_consumer

ANN = "user/ann"


@pytest.fixture
def database(database_url: str):  # type: ignore[no-untyped-def]
    with exchange_database(database_url) as found:
        with found.transaction() as session:
            session.add(Instance(id=PROVIDER.id, name=PROVIDER.name, epoch=PROVIDER.epoch))
        yield found


def do(database: Database, act: Any, number: str, **said: Any) -> str:
    with database.transaction() as session:
        return str(act(session, number, **said, actor=ANN, now=NOW).case.state)


def answer(database: Database, connection_id: str, task_id: str, accept: bool, reason: str = "") -> Any:
    with database.transaction() as session:
        said: Any = {"is_accepted": accept, "reason": reason, "person": "Ada"}
        return cases.answer_solution(session, connection_id, task_id, **said, now=NOW)


def told(database: Database, connection_id: str) -> list[tuple[str, str | None]]:
    with database.reading() as session:
        events = events_of(session, connection_id)
    return [(data["state"], data["reason"]) for kind, _, data in events if kind == EventType.CASE_CHANGED]


def test_a_request_for_an_authored_item_becomes_a_task_without_an_order(database: Database) -> None:
    connection_id, task_id, number = make_case(database)
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(CustomerOrder)) == 0
        shown = provider_tasks.show_task(session, connection_id, task_id)
        listed = provider_tasks.list_tasks(session, connection_id, limit=10).items
        (event,) = events_of(session, connection_id)
    assert listed == [shown]
    assert (shown["number"], shown["state"], shown["order_number"]) == (number, "received", None)
    assert shown["case"]["short_description"] == "Report a fault"
    assert shown["characteristics"] == {"symptom": "No light"}
    assert (event[0], event[1]) == (EventType.CASE_CHANGED, f"provider_task/{task_id}")
    assert event[2]["description"] == "Since this morning"


def test_the_same_request_again_is_the_same_task_and_the_same_answer(database: Database) -> None:
    with database.transaction() as session:
        connection = make_consumer(session)
        item = make_authored_item(session, connection.id)
        request = fault_report(item)

    def submit() -> Any:
        with database.transaction() as session:
            return submit_provider_task(session, connection.id, request, now=NOW).acceptance

    first, second = at_once([submit, submit])
    assert first == second == submit()
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Case)) == 1
    assert told(database, connection.id) == [("received", None)]
    with pytest.raises(Conflict, match="other content"), database.transaction() as session:
        submit_provider_task(session, connection.id, request | {"note": "Another"}, now=NOW)


def test_a_number_that_is_taken_is_answered_with_the_next_free_one(database: Database) -> None:
    connection_id, _, number = make_case(database)
    with database.transaction() as session:
        cases.open_case(
            session, connection_id, short_description="Maintenance", description="", priority="low", actor=ANN, now=NOW
        )
    with pytest.raises(Conflict) as refusal, database.transaction() as session:
        item = make_authored_item(session, connection_id)
        submit_provider_task(session, connection_id, fault_report(item) | {"number": number}, now=NOW)
    assert refusal.value.facts["next_number"] == "ACME-PT0000002"


def test_bad_answers_are_refused_at_their_pointer(database: Database) -> None:
    with database.transaction() as session:
        connection = make_consumer(session)
        item = make_authored_item(session, connection.id)
    with pytest.raises(InvalidFields) as refusal, database.transaction() as session:
        submit_provider_task(session, connection.id, fault_report(item, characteristics={}), now=NOW)
    assert [error.pointer for error in refusal.value.errors] == ["/characteristics/symptom"]


def test_a_case_is_taken_solved_and_accepted(database: Database) -> None:
    connection_id, task_id, number = make_case(database)
    assert do(database, cases.take_case, number) == "work_in_progress"
    assert do(database, cases.propose_solution, number, code="solved", text="Line replaced.") == "resolved"
    closed = answer(database, connection_id, task_id, True)
    assert (closed["state"], closed["case"]["resolution"]["label"]) == ("closed", "Solved")
    assert answer(database, connection_id, task_id, True) == closed, "a second acceptance changes nothing"
    assert [state for state, _ in told(database, connection_id)] == [
        "received", "work_in_progress", "resolved", "closed",
    ]  # fmt: skip
    with database.reading() as session:
        changes = session.execute(select(CaseChange.actor, CaseChange.person).order_by(CaseChange.id)).all()
    assert [tuple(change) for change in changes[1:]] == [
        (ANN, None),
        (ANN, None),
        (f"connection/{connection_id}", "Ada"),
    ]


def test_a_rejected_solution_goes_back_to_work_with_its_reason(database: Database) -> None:
    connection_id, task_id, number = make_case(database)
    do(database, cases.take_case, number)
    do(database, cases.propose_solution, number, code="workaround", text="Use the other line.")
    with pytest.raises(InvalidFields):
        answer(database, connection_id, task_id, False, " ")
    rejected = answer(database, connection_id, task_id, False, "It is as slow.")
    assert (rejected["state"], rejected["reason"]) == ("work_in_progress", "It is as slow.")
    assert told(database, connection_id)[-1] == ("work_in_progress", "It is as slow.")
    with database.reading() as session:
        assert show_case(session, number)["reason"] == "It is as slow."


def test_what_is_not_resolved_is_not_accepted_and_the_refusal_names_what_is_possible(database: Database) -> None:
    connection_id, task_id, number = make_case(database)
    with pytest.raises(IllegalMove) as refusal:
        answer(database, connection_id, task_id, True)
    assert (refusal.value.current, refusal.value.legal) == ("received", ("cancelled",))
    with pytest.raises(IllegalMove) as refusal:
        do(database, cases.propose_solution, number, code="solved", text="Done.")
    assert "received" in str(refusal.value)
    assert "work_in_progress" in str(refusal.value)


def test_a_question_waits_for_the_consumers_next_comment(database: Database) -> None:
    connection_id, task_id, number = make_case(database)
    do(database, cases.take_case, number)
    assert do(database, cases.ask_consumer, number, question="Which floor?") == "awaiting_info"
    with database.transaction() as session:
        comments.add_comment(
            session, connection_id, task_id, comment_id=str(uuid4()), text="The third.", author_name="Ada",
            created_at=NOW, now=NOW,
        )  # fmt: skip
        comments.add_reply(session, number, text="Thank you.", author_name="Ann", now=NOW)
        comments.add_work_note(session, number, text="Ask the depot.", author=ANN, now=NOW)
    with database.reading() as session:
        shown = show_case(session, number)
    assert shown["state"] == "work_in_progress"
    said = {(one["author"]["company"], one["text"]) for one in shown["comments"]}
    assert said == {("ACME Ltd", "The third."), ("northwind", "Thank you.")}
    assert [note["text"] for note in shown["work_notes"]] == ["Ask the depot."]
    assert do(database, cases.ask_consumer, number, question="Which room?") == "awaiting_info"
    assert do(database, cases.resume_case, number) == "work_in_progress"


@pytest.mark.parametrize("steps", range(4))
def test_the_consumer_cancels_in_any_state_before_the_end(database: Database, steps: int) -> None:
    connection_id, task_id, number = make_case(database)
    way: list[Any] = [
        lambda: do(database, cases.take_case, number),
        lambda: do(database, cases.ask_consumer, number, question="Which floor?"),
        lambda: (
            do(database, cases.resume_case, number),
            do(database, cases.propose_solution, number, code="solved", text="Done."),
        ),
    ]
    for step in way[:steps]:
        step()
    for _ in range(2):
        with database.transaction() as session:
            found = cancel_provider_task(session, connection_id, task_id, reason="No longer", asked_by="Ada", now=NOW)
        assert (found["state"], found["reason"]) == ("cancelled", "No longer")
    assert told(database, connection_id)[-1] == ("cancelled", "No longer")
    with pytest.raises(IllegalMove):
        do(database, cases.take_case, number)


def test_what_is_closed_is_neither_cancelled_nor_rejected_nor_resubmitted(database: Database) -> None:
    connection_id, task_id, number = make_case(database)
    do(database, cases.take_case, number)
    do(database, cases.propose_solution, number, code="solved", text="Done.")
    assert do(database, cases.close_unanswered, number, reason="No answer for a week.") == "closed"
    with pytest.raises(IllegalMove), database.transaction() as session:
        cancel_provider_task(session, connection_id, task_id, reason="Late", now=NOW)
    with pytest.raises(IllegalMove):
        answer(database, connection_id, task_id, False, "Late")
    with pytest.raises(Conflict, match="no order"), database.transaction() as session:
        resubmit_provider_task(session, connection_id, task_id, {"revision": 2}, now=NOW)


def open_towards(database: Database, connection_id: str, **said: Any) -> tuple[str, str]:
    asked = {"short_description": "A line is down", "description": "We noticed it first.", "priority": "high", **said}
    with database.transaction() as session:
        made = cases.open_case(session, connection_id, **asked, actor=ANN, now=NOW)
        return made.task.external_id, made.task.number


def test_the_provider_opens_a_case_that_the_consumer_acknowledges_and_accepts(database: Database) -> None:
    with database.transaction() as session:
        connection = make_consumer(session)
    task_id, number = open_towards(database, connection.id)
    assert number == "PT0000001"
    for person in ("Ada", "Bob"):
        with database.transaction() as session:
            found = cases.acknowledge_case(session, connection.id, task_id, person=person, now=NOW)
        assert (found["case"]["acknowledged_by"], found["case"]["opened_by"]) == ("Ada", "provider")
    with database.reading() as session:
        data = [data for kind, _, data in events_of(session, connection.id) if kind == EventType.CASE_CHANGED]
        assert provider_tasks.show_task(session, connection.id, task_id)["catalog_item_id"] is None
    assert [one["acknowledged_by"] for one in data] == [None, "Ada"], "told once"
    assert data[0]["priority"] == "high"
    with pytest.raises(Conflict, match="only the provider"), database.transaction() as session:
        cancel_provider_task(session, connection.id, task_id, reason="Not ours", now=NOW)
    assert do(database, cases.withdraw_case, number, reason="A false alarm.") == "cancelled"


def test_who_opened_it_cancels_it_and_a_request_is_not_acknowledged(database: Database) -> None:
    connection_id, task_id, number = make_case(database)
    with pytest.raises(Conflict, match="only the consumer"):
        do(database, cases.withdraw_case, number, reason="We do not like it.")
    with pytest.raises(Conflict, match="request of yours"), database.transaction() as session:
        cases.acknowledge_case(session, connection_id, task_id, person="Ada", now=NOW)


def test_nothing_is_opened_towards_a_connection_that_is_not_in_use(database: Database) -> None:
    with database.transaction() as session:
        connection = make_consumer(session)
        session.get_one(Connection, connection.id).state = "revoked"
    with pytest.raises(Conflict, match="revoked"):
        open_towards(database, connection.id)
    with pytest.raises(NotFound):
        open_towards(database, str(uuid4()))


def test_a_consumer_that_does_not_know_cases_has_them_held(database: Database) -> None:
    with database.transaction() as session:
        connection = make_consumer(session)
        session.get_one(Connection, connection.id).unspoken = [str(EventType.CASE_CHANGED)]
    open_towards(database, connection.id)
    with database.reading() as session:
        assert events_of(session, connection.id) == []
        assert session.scalars(select(HeldEvent.type)).all() == [EventType.CASE_CHANGED]


def test_lists_narrow_by_whose_they_are_who_waits_and_what_is_said(database: Database) -> None:
    connection_id, _, number = make_case(database)
    _, opened = open_towards(database, connection_id)
    do(database, cases.take_case, number)
    do(database, cases.ask_consumer, number, question="Which floor?")

    def found(**narrowed: Any) -> list[str]:
        with database.reading() as session:
            rows, total = search_cases(session, actor=ANN, sort="number", **narrowed)
        assert total == len(rows)
        return [row["number"] for row in rows]

    assert found() == [number, opened]
    assert found(whose="mine") == found(waits="consumer") == found(opened_by="consumer") == [number]
    assert found(whose="free") == found(waits="provider") == found(text="line is down") == [opened]
    assert found(state="awaiting_info") == [number]
    assert found(waits="nobody") == found(text="100%") == []
    with database.reading() as session:
        assert count_cases(session, ANN) == {"free": 1, "mine": 1, "others": 0}


def test_another_consumer_finds_nothing_of_it(database: Database) -> None:
    _, task_id, _ = make_case(database)
    with database.transaction() as session:
        other = make_consumer(session, "OTHER").id
    with pytest.raises(NotFound):
        answer(database, other, task_id, True)
    with pytest.raises(NotFound), database.transaction() as session:
        cancel_provider_task(session, other, task_id, reason="Mine", now=NOW)
    with database.reading() as session:
        assert session.scalars(select(ProviderTask).where(ProviderTask.connection_id == other)).all() == []


def test_a_comment_that_comes_again_answers_no_question_that_was_asked_since(database: Database) -> None:
    connection_id, task_id, number = make_case(database)
    do(database, cases.take_case, number)
    said: Any = {"comment_id": str(uuid4()), "text": "Still dark.", "author_name": "Ada", "created_at": NOW, "now": NOW}
    with database.transaction() as session:
        comments.add_comment(session, connection_id, task_id, **said)
    assert do(database, cases.ask_consumer, number, question="Which room?") == "awaiting_info"
    with database.transaction() as session:
        comments.add_comment(session, connection_id, task_id, **said)
    with database.reading() as session:
        assert show_case(session, number)["state"] == "awaiting_info"
