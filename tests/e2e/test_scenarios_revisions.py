"""F18 by real processes: an Inactive revision continues until it is archived; the consumer activates the new one."""

from collections.abc import Iterator
from typing import Any

import pytest

from sxg.client import ApiProblem
from tests.e2e.stage import Stage
from tests.e2e.test_kills import required_answers


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("revisions")) as stage:
        stage.connect()
        yield stage


def at_consumer(stage: Stage, item_id: str, **wanted: Any) -> dict[str, Any] | None:
    item = stage.find(f"/catalog-items/{item_id}")
    return item if item and all(item[name] == value for name, value in wanted.items()) else None


def order(stage: Stage, item: dict[str, Any]) -> dict[str, Any]:
    """A request, once the provider has answered it."""
    answers = {"characteristics": required_answers(item["form"]), "requested_by": {"name": "Ada"}}
    made = stage.consumer.post("/requests", {"catalog_item_id": item["id"], **answers})

    def answered() -> dict[str, Any] | None:
        request: dict[str, Any] = stage.consumer.get(f"/requests/{made['id']}")
        return request if request["order_number"] or request["delivery"]["state"] == "refused" else None

    return stage.until(answered)


def test_f18_an_inactive_revision_continues_until_archived_and_the_new_one_is_activated(stage: Stage) -> None:
    item = stage.publish("po-vm")
    path = f"/remote-record-producers/{item['id']}"
    admin = stage.provider("exchange_admin")
    stage.consumer.post(f"/catalog-items/{item['id']}/activate")
    draft = admin.post(f"{path}/edit", {"name": "Virtual Machine, second edition"})
    assert (draft["revision"], draft["state"]) == (2, "draft")
    with pytest.raises(ApiProblem, match="publish or cancel it first") as refused:
        admin.post(f"{path}/retire")
    assert refused.value.status == 409
    admin.post(f"{path}/publish", {"criteria": {"all_consumers": True}})
    offered = stage.until(lambda: at_consumer(stage, item["id"], revision=2))
    assert (offered["state"], offered["active_revision"]) == ("active", 1)
    assert [row["state"] for row in admin.get(path)["revisions"]] == ["inactive", "published"]

    old = order(stage, item)
    assert old["delivery"]["state"] == "accepted"

    with stage.paused("consumer-web"):
        admin.post(f"{path}/revisions/1/archive")
    stage.until(lambda: at_consumer(stage, item["id"], state="pending_activation", active_revision=None))
    with pytest.raises(ApiProblem, match="not active here"):
        order(stage, item)

    stage.consumer.post(f"/catalog-items/{item['id']}/activate")
    new = order(stage, item)
    assert new["delivery"]["state"] == "accepted"
    stage.until(stage.is_quiet)
    orders = {row["number"]: row for row in stage.provider("order_manager").pages("/orders")}
    assert orders.keys() >= {old["order_number"], new["order_number"]}, "what was ordered of the archived one goes on"
    assert stage.differences() == []
