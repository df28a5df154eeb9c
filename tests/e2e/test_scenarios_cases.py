"""A task without an order by real processes: asked for, solved, rejected, solved anew and accepted; its scratchpad."""

from collections.abc import Iterator
from typing import Any

import pytest

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
