"""Tasks without an order, and scratchpads, between a provider and a consumer over real HTTP in one process."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from provider.services.scratchpads import forget_old
from tests.case_factories import FORM
from tests.remote_pair import EVERYONE, Pair, remote_pair

ADA = {"name": "Ada Lovelace"}


@pytest.fixture
def pair(sqlite_url: str, tmp_path: Path) -> Iterator[Pair]:
    with remote_pair(sqlite_url, f"sqlite:///{tmp_path / 'consumer.db'}", tmp_path) as found:
        yield found


def publish(pair: Pair) -> str:
    """An authored item, active at the consumer."""
    form = {"variables": FORM["variables"], "sets": []}
    identity: str = pair.ask("POST", "/remote-record-producers", {"name": "Report a fault", "form": form})["identity"]
    pair.ask("POST", f"/remote-record-producers/{identity}/publish", {"criteria": EVERYONE})
    pair.settle()
    pair.tell("POST", f"/catalog-items/{identity}/activate")
    pair.settle()
    return identity


def report(pair: Pair, identity: str) -> str:
    """A request that needs no order, accepted; its id."""
    body = {"catalog_item_id": identity, "characteristics": {"symptom": "No light"}, "requested_by": ADA}
    made = pair.tell("POST", "/requests", body)
    pair.settle()
    return str(made["id"])


def request_of(pair: Pair, task_id: str) -> dict[str, Any]:
    found: dict[str, Any] = pair.tell("GET", f"/requests/{task_id}")
    return found


def case_of(pair: Pair, number: str) -> dict[str, Any]:
    found: dict[str, Any] = pair.ask("GET", f"/cases/{number}")
    return found


def solve(pair: Pair, number: str, text: str = "Line replaced.") -> None:
    pair.ask("POST", f"/cases/{number}/take")
    pair.ask("POST", f"/cases/{number}/solution", {"code": "solved", "text": text})
    pair.settle()


def answer(pair: Pair, task_id: str, said: str, reason: str = "") -> None:
    pair.tell("POST", f"/requests/{task_id}/answer", {"answer": said, "reason": reason, "answered_by": "Ada"})
    pair.settle()


def test_a_request_is_solved_rejected_solved_anew_and_closed_on_both_sides(pair: Pair) -> None:
    task_id = report(pair, publish(pair))
    request = request_of(pair, task_id)
    number = request["number"]
    assert (request["state"], request["order_number"], request["case"]["opened_by"]) == ("received", None, "consumer")
    solve(pair, number, "Use the other line.")
    assert request_of(pair, task_id)["case"]["resolution"]["text"] == "Use the other line."
    answer(pair, task_id, "reject", "It is as slow.")
    assert case_of(pair, number)["reason"] == request_of(pair, task_id)["reason"] == "It is as slow."
    assert case_of(pair, number)["state"] == request_of(pair, task_id)["state"] == "work_in_progress"
    pair.ask("POST", f"/cases/{number}/solution", {"code": "solved", "text": "Line replaced."})
    pair.settle()
    assert request_of(pair, task_id)["case"]["answer"]["answer"] is None, "a new solution is to be answered anew"
    answer(pair, task_id, "accept")
    request = request_of(pair, task_id)
    assert (request["state"], case_of(pair, number)["state"]) == ("closed", "closed")
    assert request["case"]["answer"] == {"answer": "accept", "sent": "accepted", "problem": None}
    states = [step["state"] for step in request["timeline"]]
    assert states == ["received", "work_in_progress", "resolved", "work_in_progress", "resolved", "closed"]


def test_a_question_is_answered_by_a_comment_and_work_notes_stay(pair: Pair) -> None:
    task_id = report(pair, publish(pair))
    number = request_of(pair, task_id)["number"]
    pair.ask("POST", f"/cases/{number}/take")
    pair.ask("POST", f"/cases/{number}/work-notes", {"text": "Ask the depot."})
    pair.ask("POST", f"/cases/{number}/ask", {"question": "Which floor?"})
    pair.settle()
    assert (request_of(pair, task_id)["state"], request_of(pair, task_id)["reason"]) == (
        "awaiting_info",
        "Which floor?",
    )
    pair.tell("POST", f"/requests/{task_id}/comments", {"text": "The third.", "author_name": "Ada"})
    pair.ask("POST", f"/cases/{number}/comments", {"text": "We come today."})
    pair.settle()
    request = request_of(pair, task_id)
    assert request["state"] == case_of(pair, number)["state"] == "work_in_progress"
    assert {one["text"] for one in request["comments"]} == {"The third.", "We come today."}
    assert "depot" not in str(request)


def test_a_cancelled_request_is_cancelled_on_both_sides_once(pair: Pair) -> None:
    task_id = report(pair, publish(pair))
    number = request_of(pair, task_id)["number"]
    pair.tell("POST", f"/requests/{task_id}/cancel", {"reason": "It works again.", "asked_by": "Ada"})
    pair.settle()
    assert request_of(pair, task_id)["state"] == case_of(pair, number)["state"] == "cancelled"
    again = pair.consumer.client.post(f"/api/v1/requests/{task_id}/cancel", json={"reason": "Again"})
    assert (again.status_code, again.json["code"]) == (409, "not_possible_now")
    late = pair.consumer.client.post(
        f"/api/v1/requests/{task_id}/answer", json={"answer": "accept", "answered_by": "Ada"}
    )
    assert late.status_code == 409


def test_an_answer_that_comes_too_late_is_told_to_whoever_gave_it(pair: Pair) -> None:
    task_id = report(pair, publish(pair))
    number = request_of(pair, task_id)["number"]
    solve(pair, number)
    pair.ask("POST", f"/cases/{number}/close", {"reason": "No answer for a week."})
    pair.tell(
        "POST", f"/requests/{task_id}/answer", {"answer": "reject", "reason": "Still dark.", "answered_by": "Ada"}
    )
    pair.settle()
    request = request_of(pair, task_id)
    assert (request["state"], request["reason"]) == ("closed", "No answer for a week.")
    assert request["case"]["answer"]["sent"] == "refused"
    assert "closed" in request["case"]["answer"]["problem"]


def test_what_the_provider_opens_arrives_is_seen_discussed_and_accepted(pair: Pair) -> None:
    said = {"connection_id": pair.connection_id, "short_description": "A line is down", "priority": "high"}
    number = pair.ask("POST", "/cases", said)["number"]
    pair.settle()
    (request,) = pair.tell("GET", "/requests")["items"]
    assert (request["number"], request["state"], request["case"]["priority"]) == (number, "received", "high")
    pair.tell("POST", f"/requests/{request['id']}/acknowledge", {"acknowledged_by": "Ada"})
    pair.tell("POST", f"/requests/{request['id']}/comments", {"text": "Thank you.", "author_name": "Ada"})
    pair.settle()
    assert case_of(pair, number)["acknowledged_by"] == "Ada"
    assert [one["text"] for one in case_of(pair, number)["comments"]] == ["Thank you."]
    assert request_of(pair, request["id"])["case"]["acknowledgement"] == "accepted"
    solve(pair, number)
    answer(pair, request["id"], "accept")
    assert case_of(pair, number)["state"] == request_of(pair, request["id"])["state"] == "closed"


def entries(pair: Pair, task_id: str, number: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Name and value on both sides."""
    ours = pair.ask("GET", f"/provider-tasks/{number}/scratchpad")["items"]
    theirs = pair.tell("GET", f"/requests/{task_id}/scratchpad")["items"]
    return {one["name"]: one["value"] for one in ours}, {one["name"]: one["value"] for one in theirs}


def put(pair: Pair, task_id: str, name: str, value: str) -> None:
    pair.tell("PUT", f"/requests/{task_id}/scratchpad/{name}", {"value": value, "author_name": "assets"})


def test_both_sides_write_the_scratchpad_and_the_write_that_reaches_the_provider_last_stands(pair: Pair) -> None:
    task_id = report(pair, publish(pair))
    number = request_of(pair, task_id)["number"]
    pair.ask("PUT", f"/provider-tasks/{number}/scratchpad/carrier", {"value": "UPS", "client_visible": True})
    put(pair, task_id, "asset", "A-1")
    assert entries(pair, task_id, number) == ({"carrier": "UPS"}, {"asset": "A-1"}), "each sees its own at once"
    pair.settle()
    assert entries(pair, task_id, number) == ({"asset": "A-1", "carrier": "UPS"},) * 2
    put(pair, task_id, "carrier", "DHL")  # written first, and reaches the provider last
    pair.ask("PUT", f"/provider-tasks/{number}/scratchpad/carrier", {"value": "FedEx"})
    pair.deliver()
    assert entries(pair, task_id, number)[1]["carrier"] == "DHL", "ours is shown until the provider judged it"
    pair.settle()
    assert entries(pair, task_id, number) == ({"asset": "A-1", "carrier": "DHL"},) * 2
    pair.tell("DELETE", f"/requests/{task_id}/scratchpad/carrier")
    pair.ask("DELETE", f"/provider-tasks/{number}/scratchpad/asset")
    pair.settle()
    assert entries(pair, task_id, number) == ({}, {})
    gone = pair.consumer.client.get(f"/api/v1/requests/{task_id}/scratchpad/carrier")
    assert gone.status_code == 404


def test_a_write_that_the_provider_refuses_is_told_and_gives_way(pair: Pair) -> None:
    task_id = report(pair, publish(pair))
    number = request_of(pair, task_id)["number"]
    for place in range(50):
        pair.ask("PUT", f"/provider-tasks/{number}/scratchpad/entry{place}", {"value": "x"})
    put(pair, task_id, "one_more", "y")
    pair.settle()
    shown = pair.tell("GET", f"/requests/{task_id}/scratchpad/one_more")
    assert (shown["sent"], shown["value"]) == ("refused", None)
    assert "50 entries" in shown["problem"]
    full = pair.consumer.client.put(f"/api/v1/requests/{task_id}/scratchpad/z", json={"value": "z", "author_name": "a"})
    assert full.status_code == 409
    for body in ({"value": "x" * 4001, "author_name": "a"}, {"value": 7, "author_name": "a"}, {}):
        answered = pair.consumer.client.put(f"/api/v1/requests/{task_id}/scratchpad/z", json=body)
        assert answered.status_code == 422


def test_a_scratchpad_is_forgotten_some_days_after_the_end_and_not_written_after_it(pair: Pair) -> None:
    task_id = report(pair, publish(pair))
    number = request_of(pair, task_id)["number"]
    put(pair, task_id, "asset", "A-1")
    pair.settle()
    solve(pair, number)
    answer(pair, task_id, "accept")
    late = pair.app.test_client().put(
        f"/api/v1/provider-tasks/{number}/scratchpad/z", json={"value": "z"}, headers=pair.admin
    )
    assert (late.status_code, late.json["code"]) == (409, "task_over")
    database, kept = pair.provider.database, timedelta(days=3)
    assert forget_old(database.reading, database.transaction, kept, now=pair.clock.now) == 0
    pair.clock.now += kept
    assert forget_old(database.reading, database.transaction, kept, now=pair.clock.now) == 1
    assert forget_old(database.reading, database.transaction, kept, now=pair.clock.now) == 0
    pair.settle()
    assert entries(pair, task_id, number) == ({}, {})
