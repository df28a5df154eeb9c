"""A task without an order by real processes: asked for, solved, rejected, solved anew and accepted; its scratchpad; a
file that answers a question, and an approval that the provider asks for.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from sxg.client import ApiProblem
from sxg.databases import add_consumer_user
from tests.case_factories import FORM
from tests.e2e.stage import Stage

ADA = {"name": "Ada Lovelace"}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("cases")) as stage:
        stage.connect()
        yield stage


def request_of(stage: Stage, task_id: str) -> dict[str, Any]:
    found: dict[str, Any] = stage.consumer.get(f"/requests/{task_id}")
    return found


def test_a_fault_is_reported_solved_and_both_sides_agree(stage: Stage) -> None:
    form = {"variables": FORM["variables"], "sets": []}
    made = stage.provider().post("/remote-record-producers", {"name": "Report a fault", "form": form})
    identity = made["identity"]
    stage.provider().post(f"/remote-record-producers/{identity}/publish", {"criteria": {"all_consumers": True}})
    stage.until(lambda: stage.find(f"/catalog-items/{identity}"))
    stage.consumer.post(f"/catalog-items/{identity}/activate")
    asked = {"catalog_item_id": identity, "characteristics": {"symptom": "No light"}, "requested_by": ADA}
    task_id = stage.consumer.post("/requests", asked)["id"]
    number = request_of(stage, task_id)["number"]
    agent = stage.provider("fulfilment_agent")
    stage.until(lambda: request_of(stage, task_id)["state"] == "received")

    def say(answer: str, reason: str) -> None:
        stage.until(lambda: request_of(stage, task_id)["state"] == "resolved")
        body = {"answer": answer, "reason": reason, "answered_by": "Ada"}
        stage.consumer.post(f"/requests/{task_id}/answer", body)

    agent.post(f"/cases/{number}/take")
    agent.post(f"/cases/{number}/solution", {"code": "workaround", "text": "Use the other line."})
    say("reject", "It is as slow.")
    stage.until(lambda: agent.get(f"/cases/{number}")["reason"] == "It is as slow.")
    stage.consumer.put(f"/requests/{task_id}/scratchpad/asset", {"value": "A-1", "author_name": "assets"})
    agent.put(f"/provider-tasks/{number}/scratchpad/carrier", {"value": "UPS", "client_visible": True})
    agent.post(f"/cases/{number}/solution", {"code": "solved", "text": "Line replaced."})
    stage.until(lambda: request_of(stage, task_id)["case"]["resolution"]["code"] == "solved")
    say("accept", "")
    stage.until(lambda: request_of(stage, task_id)["state"] == agent.get(f"/cases/{number}")["state"] == "closed")
    ours = agent.get(f"/provider-tasks/{number}/scratchpad")["items"]
    stage.until(lambda: len(stage.consumer.get(f"/requests/{task_id}/scratchpad")["items"]) == 2)
    assert [(one["name"], one["value"]) for one in ours] == [("asset", "A-1"), ("carrier", "UPS")]
    assert stage.differences() == []


def test_a_file_answers_a_question_and_an_approval_is_asked_for_on_the_way(stage: Stage) -> None:
    question = {"key": "plan", "label": "Plan", "type": "attachment", "mandatory": True, "max_size_bytes": 3_000_000}
    form = {"variables": [question | {"file_types": ["pdf"]}], "sets": []}
    made = stage.provider().post("/remote-record-producers", {"name": "Lay a cable", "form": form})
    identity = made["identity"]
    stage.provider().post(f"/remote-record-producers/{identity}/publish", {"criteria": {"all_consumers": True}})
    item = stage.until(lambda: stage.find(f"/catalog-items/{identity}"))
    assert item["compatibility"] == "1.1"
    stage.consumer.post(f"/catalog-items/{identity}/activate")

    content = b"%PDF-1.7 " + b"plan " * 500_000
    named = stage.consumer.upload("/files?name=plan.pdf&author_name=Ada", content, "application/pdf")
    asked = {"catalog_item_id": identity, "requested_by": ADA}
    for wrong in ({}, {"plan": named | {"size_bytes": 1}}):
        with pytest.raises(ApiProblem) as refused:
            stage.consumer.post("/requests", asked | {"characteristics": wrong})
        assert [error["pointer"] for error in refused.value.errors] == ["/characteristics/plan"]
    task_id = stage.consumer.post("/requests", asked | {"characteristics": {"plan": named}})["id"]
    agent = stage.provider("fulfilment_agent")
    number = stage.until(lambda: request_of(stage, task_id)["state"] and request_of(stage, task_id)["number"])
    assert agent.get(f"/cases/{number}")["request"]["characteristics"]["plan"] == named

    agent.post(f"/provider-tasks/{number}/approvals", {"subject": "Extra cost of 200 EUR", "due_on": "2100-01-31"})
    path = f"/requests/{task_id}/task-approvals"
    (approval,) = stage.until(lambda: stage.consumer.get(path)["items"])
    add_consumer_user(stage.deployment.consumer.database_url, "grace", ["approver"])
    body = {"decided_by": "grace", "answer": "approve", "reason": "Within the budget."}
    stage.consumer.post(f"{path}/{approval['id']}/answer", body)
    told = stage.until(
        lambda: [one for one in agent.get(f"/provider-tasks/{number}/approvals")["items"] if one["state"] == "approved"]
    )
    assert (told[0]["settled_by"], told[0]["reason"]) == ("grace", "Within the budget.")

    (file,) = stage.until(
        lambda: [one for one in agent.get(f"/cases/{number}")["attachments"] if one["state"] == "there"], 30
    )
    assert (file["attachment_id"], file["sha256"]) == (named["attachment_id"], named["sha256"])
    stage.until(lambda: stage.consumer.get(path)["items"][0]["state"] == "approved")
    stage.until(stage.is_quiet)
    assert stage.differences() == []
