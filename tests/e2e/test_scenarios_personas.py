"""Who may order, between real processes: a persona, its user, an approval here and there, and what stays at home."""

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sxg.client import ApiProblem
from sxg.databases import add_consumer_user
from tests.e2e.stage import Stage

CANARY = "CANARY-cost-centre-4711"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        stage.connect()
        yield stage


def refused(stage: Stage, body: dict[str, Any]) -> ApiProblem:
    with pytest.raises(ApiProblem) as problem:
        stage.consumer.post("/requests", body)
    return problem.value


def user_of(stage: Stage) -> dict[str, Any]:
    users: list[dict[str, Any]] = stage.consumer.get(f"/authorised-users?connection={stage.connection_id}")["items"]
    return users[0]


def rejected_by_provider(stage: Stage, task_id: str) -> dict[str, Any] | None:
    task: dict[str, Any] = stage.consumer.get(f"/requests/{task_id}")
    return task if task["delivery"]["state"] == "refused" else None


def accepted(stage: Stage, task_id: str) -> bool:
    return bool(stage.consumer.get(f"/requests/{task_id}")["order_number"])


def test_f3_a_persona_a_user_an_approval_and_nothing_of_our_own_leaves(stage: Stage, tmp_path: Path) -> None:
    admin, here = stage.provider(), stage.consumer
    item = stage.publish("po-mobile-backup")
    _add_people(stage)
    persona = admin.post("/personas", {"name": "Security officer", "description": "Orders firewalls."})
    admin.post(f"/remote-record-producers/{item['id']}/personas", {"persona_ids": [persona["id"]]})
    admin.post(f"/remote-record-producers/{item['id']}/publish", {"criteria": {"all_consumers": True}})
    rules = {"approval": "by_person", "limit": 1}
    admin.put(f"/connections/{stage.connection_id}/authorised-user-rules", rules)
    stage.until(lambda: (stage.find(f"/catalog-items/{item['id']}") or {}).get("personas"))
    here.post(f"/catalog-items/{item['id']}/activate")
    request = {"catalog_item_id": item["id"], "requested_by": {"name": "ada"}, **_answers(item)}

    # Named here, approved there, and only then let order.
    assert refused(stage, request).code == "not_authorised"
    told = {"connection_id": stage.connection_id, "name": "ada", "persona_ids": [persona["id"]]}
    user = here.post("/authorised-users", told)
    stage.until(lambda: user_of(stage)["sent"] == "accepted")
    assert refused(stage, request).code == "not_authorised"
    admin.post(f"/connections/{stage.connection_id}/authorised-users/{user['id']}/approve")
    stage.until(lambda: user_of(stage)["approval"] == "approved")
    problem = _refusal_of_naming(stage, told | {"name": "bob"})
    assert (problem.code, "1 users" in str(problem)) == ("authorised_user_limit", True)

    # Asked here about what stays here, approved here, sent once.
    own = {"key": "cost_centre", "label": "Cost centre", "type": "text", "mandatory": True}
    here.put(f"/catalog-items/{item['id']}/settings/variables", {"variables": [own]})
    here.put(f"/catalog-items/{item['id']}/settings/approval", {"needs_approval": True, "above_quantity": 0})
    asked = here.post("/requests", request | {"own": {"cost_centre": CANARY}})
    assert (asked["delivery"]["state"], list(admin.pages("/orders"))) == ("awaiting_approval", [])
    for _ in range(2):
        here.post(f"/requests/{asked['id']}/approval/approve", {"decided_by": "grace"})
    stage.until(lambda: accepted(stage, asked["id"]))
    assert len(list(admin.pages("/orders"))) == 1
    assert here.get(f"/requests/{asked['id']}")["own"] == {"cost_centre": CANARY}

    # Taken back at the provider while the consumer's word is on its way: the provider decides, with a pointer.
    with stage.paused("provider-worker", "provider-slow", "provider-sweeper"):
        admin.post(
            f"/connections/{stage.connection_id}/authorised-users/{user['id']}/refuse", {"reason": "Left the company."}
        )
        late = here.post("/requests", request | {"own": {"cost_centre": CANARY}})
        here.post(f"/requests/{late['id']}/approval/approve", {"decided_by": "grace"})
        found = stage.until(lambda: rejected_by_provider(stage, late["id"]))
    assert found["delivery"]["errors"][0]["pointer"] == "/requested_by/authorised_user_id"
    stage.until(lambda: user_of(stage)["reason"] == "Left the company.")
    assert stage.differences() == []
    _must_not_hold(tmp_path, CANARY)


def _add_people(stage: Stage) -> None:
    for name, role in (("ada", "requester"), ("bob", "requester"), ("grace", "approver")):
        add_consumer_user(stage.deployment.consumer.database_url, name, [role])


def _refusal_of_naming(stage: Stage, body: dict[str, Any]) -> ApiProblem:
    with pytest.raises(ApiProblem) as problem:
        stage.consumer.post("/authorised-users", body)
    return problem.value


def _answers(item: dict[str, Any]) -> dict[str, Any]:
    """Something for each question that must be answered."""
    variables = [one for one in item["form"]["variables"] if one["mandatory"] and one["default"] is None]
    return {"characteristics": {one["key"]: one["options"][0]["value"] for one in variables}}


def _must_not_hold(directory: Path, text: str) -> None:
    """No table of the provider's database holds the text."""
    (path,) = [one for one in directory.rglob("*.db") if "provider" in str(one)]
    dump = "\n".join(sqlite3.connect(path).iterdump())
    assert re.search("Left the company", dump) and text not in dump
