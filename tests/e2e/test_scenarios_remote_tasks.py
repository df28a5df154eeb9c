"""Remote tasks by real processes: a ticket is handed over, both sides go on working on it, processes are killed or away
for a while, and both sides end with the same.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.stage import Stage

FIELDS = [{"source": name, "target": name} for name in ("short_description", "state", "priority", "category")]
COMMENTS = {"source": "comments", "target": "comments"}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("remote")) as stage:
        stage.connect()
        yield stage


def publish(stage: Stage) -> str:
    lines = {"inbound": [*FIELDS, COMMENTS], "outbound": [*FIELDS, COMMENTS]}
    made = stage.provider("exchange_admin").post("/remote-task-definitions", {"name": "Incidents", **lines})
    identity: str = made["identity"]
    path = f"/remote-task-definitions/{identity}"
    stage.provider("exchange_admin").post(f"{path}/publish", {"criteria": {"connection_ids": [stage.connection_id]}})
    stage.until(lambda: stage.find(path))
    stage.consumer.post(f"{path}/activate", {"trigger": {"priority": "critical"}})
    return identity


def same(stage: Stage, ticket_id: str, number: str) -> bool:
    """Whether both records say the same, each in its words."""
    theirs, ours = stage.consumer.get(f"/tickets/{ticket_id}"), stage.provider().get(f"/incidents/{number}")
    words = {"in_progress": "work_in_progress", "critical": "1", "high": "2", "low": "4"}
    pairs = [(theirs[name], ours[name]) for name in ("short_description", "state", "priority", "category")]
    said = [[one["text"] for one in side["entries"] if one["kind"] == "comments"] for side in (theirs, ours)]
    return said[0] == said[1] and all(words.get(there, there) == here for there, here in pairs)


def test_a_ticket_is_worked_on_by_both_sides_whatever_is_killed_meanwhile(stage: Stage) -> None:
    publish(stage)
    body = {"short_description": "The line is down", "priority": "critical", "opened_by": "Ada"}
    ticket = stage.consumer.post("/tickets", body)
    path = f"/tickets/{ticket['id']}"
    task: dict[str, Any] = stage.until(
        lambda: next((one for one in stage.consumer.get(path)["remote_tasks"] if one["status"] == "connected"), None)
    )
    agent, incident = stage.provider("order_agent"), f"/incidents/{task['parent_number']}"
    stage.kill("provider-worker")
    agent.post(f"{incident}/edit", {"state": "work_in_progress"})
    agent.post(f"{incident}/comments", {"text": "We are on it."})
    stage.until(lambda: same(stage, ticket["id"], task["parent_number"]))
    with stage.paused("provider-web"):
        stage.consumer.post(f"{path}/edit", {"priority": "high", "category": None})
        stage.consumer.post(f"{path}/entries", {"text": "It is slow now.", "author_name": "Ada"})
        stage.consumer.post(f"{path}/edit", {"category": "network"})
    stage.until(lambda: same(stage, ticket["id"], task["parent_number"]))
    assert stage.consumer.get(path)["priority"] == "high"
    stage.consumer.post(f"/remote-tasks/{task['id']}/disconnect", {"reason": "Under review."})
    stage.until(lambda: agent.get(f"/remote-tasks/{task['number']}")["status"] == "disconnected")
    agent.post(f"{incident}/edit", {"state": "resolved", "resolution": "Replaced the cable."})
    stage.consumer.post(f"{path}/edit", {"category": "server"})
    assert stage.consumer.get(path)["state"] == "in_progress"
    stage.consumer.post(f"/remote-tasks/{task['id']}/connect")
    stage.until(lambda: same(stage, ticket["id"], task["parent_number"]))
    assert (stage.consumer.get(path)["state"], agent.get(incident)["category"]) == ("resolved", "server")
    assert len(list(stage.provider().pages("/incidents"))) == 1
