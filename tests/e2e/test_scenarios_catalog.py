"""The documented scenarios of the catalog by real processes: F1 publish, F2 criteria, F3 activation, F17 retire."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sxg.client import ApiProblem
from tests.e2e.neighbour import Neighbour
from tests.e2e.stage import CATALOG, Stage
from tests.e2e.test_kills import make_story, required_answers


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("catalog")) as stage:
        stage.connect()
        yield stage


@pytest.fixture(scope="module")
def globex(stage: Stage) -> Iterator[Neighbour]:
    with Neighbour(stage, "GLOBEX") as neighbour:
        neighbour.connect()
        yield neighbour


def import_catalog(stage: Stage, document: dict[str, Any] | None = None) -> None:
    stage.provider().post("/catalog/import", document or json.loads(CATALOG.read_text()))


def producers(stage: Stage) -> dict[str, dict[str, Any]]:
    """The newest revision of each item, by name."""
    return {row["name"]: row for row in stage.provider().pages("/remote-record-producers")}


def publish(stage: Stage, name: str, criteria: dict[str, Any]) -> str:
    """Offer this item to an audience; its identity."""
    identity: str = producers(stage)[name]["identity"]
    stage.provider("exchange_admin").post(f"/remote-record-producers/{identity}/publish", {"criteria": criteria})
    return identity


def state_at(consumer: Any, item_id: str) -> str | None:
    item = consumer(item_id)
    return item["state"] if item else None


def acme_item(stage: Stage, item_id: str) -> dict[str, Any] | None:
    return stage.find(f"/catalog-items/{item_id}")


def test_f1_publishing_a_sellable_offering_of_the_channel_drafts_its_item_and_manage_inventory(stage: Stage) -> None:
    import_catalog(stage)
    found = producers(stage)
    assert found["SD-WAN Package"]["state"] == "draft"
    assert found["SD-WAN Package"]["kind"] == "product"
    assert found["Manage Inventory"]["state"] == "draft"
    assert found["Manage Inventory"]["kind"] == "inventory"
    assert found["Remote Hands"]["kind"] == "service"  # a customer-facing service specification of the channel
    import_catalog(stage)
    rows = list(stage.provider().pages("/remote-record-producers"))
    assert sum(row["kind"] == "inventory" for row in rows) == 1
    assert len(rows) == len(found)


def test_f1_without_the_channel_not_sellable_or_resource_facing_there_is_no_item(stage: Stage) -> None:
    import_catalog(stage)
    document = json.loads(CATALOG.read_text())
    unsellable = next(o for o in document["productOffering"] if o["id"] == "po-ddos")
    unsellable |= {"id": "po-ddos-inside", "name": "DDoS Protection, inside a bundle only", "isSellable": False}
    import_catalog(stage, document | {"productOffering": [unsellable]})
    offerings = {row["name"]: row for row in stage.provider().pages("/product-offerings")}
    assert {offerings[name]["lifecycle_state"] for name in (unsellable["name"], "Wi-Fi Access Point, spare part")} == {
        "published"
    }
    services = {row["name"]: row for row in stage.provider().pages("/specifications") if row["kind"] == "service"}
    assert services["Routing Service"]["service_type"] == "resource_facing"
    found = producers(stage)
    assert "Wi-Fi Access Point, spare part" not in found  # sold directly only
    assert unsellable["name"] not in found
    assert "Routing Service" not in found


def test_f2_named_companies_get_an_item_and_nobody_else(stage: Stage, globex: Neighbour) -> None:
    import_catalog(stage)
    identity = publish(stage, "Managed Firewall", {"connection_ids": [globex.connection_id]})
    stage.until(lambda: globex.find_item(identity))
    stage.until(stage.is_quiet)
    assert acme_item(stage, identity) is None
    assert state_at(globex.find_item, identity) == "pending_activation"


def test_f2_changing_the_criteria_adds_and_removes(stage: Stage, globex: Neighbour) -> None:
    import_catalog(stage)
    identity = publish(stage, "Managed Backup", {"connection_ids": [globex.connection_id]})
    stage.until(lambda: globex.find_item(identity))
    publish(stage, "Managed Backup", {"connection_ids": [stage.connection_id]})
    stage.until(lambda: acme_item(stage, identity))
    stage.until(lambda: state_at(globex.find_item, identity) == "removed")
    left = globex.find_item(identity)
    assert left
    assert left["removed_reason"] == "not_entitled"
    with pytest.raises(ApiProblem, match="no longer offered"):
        globex.client.post(f"/catalog-items/{identity}/activate")


def test_f2_an_item_follows_what_a_consumer_owns(stage: Stage, globex: Neighbour) -> None:
    item = stage.publish("po-mpls")
    stage.consumer.post(f"/catalog-items/{item['id']}/activate")
    extra = publish(stage, "DDoS Protection", {"owns_offerings": ["po-mpls"]})
    story = make_story(stage, item)
    story.submit()
    story.approve()
    assert state_at(lambda one: acme_item(stage, one), extra) in (None, "removed"), "nothing is in use yet"
    story.fulfil()
    stage.until(lambda: state_at(lambda one: acme_item(stage, one), extra) == "pending_activation")
    told = stage.provider().get("/entitlements/explain", consumer=stage.connection_id, item=extra)
    assert (told["entitled"], told["matches"]) == (True, True)
    assert "in use of po-mpls, such as PRD" in told["criteria"][0]["looked_at"]
    told = stage.provider().get("/entitlements/explain", consumer=globex.connection_id, item=extra)
    assert (told["entitled"], told["matches"]) == (False, False)


def test_f2_an_item_follows_a_contract(stage: Stage, globex: Neighbour) -> None:
    import_catalog(stage)
    extra = publish(stage, "Dedicated Internet Access", {"contracts": {"names": ["Gold"], "offerings": ["po-mpls"]}})
    manager = stage.provider("order_manager")
    agreed = {"name": "Gold", "connection_id": stage.connection_id, "starts_on": "2026-01-01"}
    made = manager.post("/contracts", agreed | {"lines": [{"offering": "po-mpls", "quantity": 5}]})
    assert made["state"] == "draft"
    stage.until(stage.is_quiet)
    assert acme_item(stage, extra) is None, "a draft is no contract in force"
    manager.post(f"/contracts/{made['number']}/activate")
    stage.until(lambda: state_at(lambda one: acme_item(stage, one), extra) == "pending_activation")
    told = stage.provider().get("/entitlements/explain", consumer=stage.connection_id, item=extra)
    assert told["criteria"][0]["looked_at"] == f"it has {made['number']} (Gold) in force"
    assert globex.find_item(extra) is None
    manager.post(f"/contracts/{made['number']}/cancel", {"reason": "Sold."})
    stage.until(lambda: state_at(lambda one: acme_item(stage, one), extra) == "removed")


def test_f2_all_consumers_are_named_as_such(stage: Stage, globex: Neighbour) -> None:
    import_catalog(stage)
    with pytest.raises(ApiProblem) as refused:
        publish(stage, "SIP Trunk", {})
    assert (refused.value.status, refused.value.errors[0]["pointer"]) == (422, "/criteria")
    identity = publish(stage, "SIP Trunk", {"all_consumers": True})
    stage.until(lambda: acme_item(stage, identity))
    stage.until(lambda: globex.find_item(identity))


def test_f3_nothing_can_be_ordered_before_it_is_activated(stage: Stage) -> None:
    item = stage.publish("Managed LAN Switch")
    assert item["state"] == "pending_activation"
    body = make_story(stage, item)
    asked = {"catalog_item_id": item["id"], **body.answers}
    with pytest.raises(ApiProblem, match="not active here") as refused:
        stage.consumer.post("/requests", asked)
    assert refused.value.status == 409
    stage.consumer.post(f"/catalog-items/{item['id']}/activate")
    made = stage.consumer.post("/requests", asked)
    stage.until(lambda: stage.consumer.get(f"/requests/{made['id']}")["order_number"])
    stage.consumer.post(f"/catalog-items/{item['id']}/deactivate")
    with pytest.raises(ApiProblem, match="not active here"):
        stage.consumer.post("/requests", asked)


def test_f3_auto_activate_opens_what_waits_and_what_comes(stage: Stage, globex: Neighbour) -> None:
    import_catalog(stage)
    waiting = publish(stage, "Business Broadband", {"all_consumers": True})
    stage.until(lambda: state_at(globex.find_item, waiting) == "pending_activation")
    link = globex.client.get("/connections")["items"][0]["id"]
    globex.client.post(f"/connections/{link}/settings", {"auto_activate": True})
    stage.until(lambda: state_at(globex.find_item, waiting) == "active")
    coming = publish(stage, "Managed Wi-Fi", {"all_consumers": True})
    stage.until(lambda: state_at(globex.find_item, coming) == "active")
    stage.until(lambda: acme_item(stage, coming))
    assert state_at(lambda item: acme_item(stage, item), coming) == "pending_activation"


def test_f17_a_request_that_was_under_way_when_its_item_was_retired_is_refused(stage: Stage) -> None:
    item = stage.publish("po-vm")
    stage.consumer.post(f"/catalog-items/{item['id']}/activate")
    answers = {"characteristics": required_answers(item["form"]), "requested_by": {"name": "Ada"}}
    with stage.paused("provider-worker", "provider-slow", "provider-sweeper"):
        stage.provider().post(f"/remote-record-producers/{item['id']}/retire")
        made = stage.consumer.post("/requests", {"catalog_item_id": item["id"], **answers})
        refused = stage.until(lambda: refusal(stage, made["id"]))
    assert refused["delivery"]["code"] == "not_found"
    stage.until(lambda: removed(stage, item["id"]))


def test_f17_retiring_removes_the_item_and_open_orders_go_on(stage: Stage) -> None:
    item = stage.publish("po-mobile-backup")
    stage.consumer.post(f"/catalog-items/{item['id']}/activate")
    story = make_story(stage, item)
    story.submit()
    offering = next(o for o in stage.provider().pages("/product-offerings") if o["external_id"] == "po-mobile-backup")
    stage.provider("catalog_manager").post(f"/product-offerings/{offering['id']}/retire")
    gone = stage.until(lambda: removed(stage, item["id"]))
    assert gone["removed_reason"] == "retired"
    with pytest.raises(ApiProblem, match="no longer offered") as refused:
        stage.consumer.post("/requests", {"catalog_item_id": item["id"], **story.answers})
    assert refused.value.status == 409
    story.approve()
    story.comment()
    story.fulfil()
    story.check()
    assert stage.differences() == []


def removed(stage: Stage, item_id: str) -> dict[str, Any] | None:
    item = acme_item(stage, item_id)
    return item if item and item["state"] == "removed" else None


def refusal(stage: Stage, request_id: str) -> dict[str, Any] | None:
    request: dict[str, Any] = stage.consumer.get(f"/requests/{request_id}")
    return request if request["delivery"]["state"] == "refused" else None
