"""Services and the inventory by real processes: a customer-facing service is ordered as a service order, and Manage
Inventory shows a consumer what it has, to whom its own criteria give it.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sxg.client import ApiProblem
from tests.e2e.stage import CATALOG, Stage
from tests.e2e.story import Story
from tests.e2e.test_kills import make_story

BERLIN, HAMBURG = {"name": "Berlin office"}, {"name": "Hamburg office"}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("services")) as stage:
        stage.connect()
        yield stage


def publish(stage: Stage, name: str) -> dict[str, Any]:
    """Publish and activate this item; it at the consumer."""
    stage.provider().post("/catalog/import", json.loads(CATALOG.read_text()))
    producers = stage.provider().pages("/remote-record-producers")
    identity = next(row["identity"] for row in producers if row["name"] == name)
    criteria = {"connection_ids": [stage.connection_id]}
    stage.provider().post(f"/remote-record-producers/{identity}/publish", {"criteria": criteria})
    stage.until(lambda: stage.find(f"/catalog-items/{identity}"))
    item: dict[str, Any] = stage.consumer.post(f"/catalog-items/{identity}/activate")
    return item


def order(stage: Stage, item: dict[str, Any], location: dict[str, str]) -> Story:
    story = make_story(stage, item)
    story.answers["location"] = location
    story.tell()
    stage.until(lambda: story.request()["state"] == "closed")
    stage.until(lambda: [product["state"] for product in story.products()] == ["active"] * story.quantity)
    return story


def test_a_service_specification_is_ordered_as_a_service_order(stage: Stage) -> None:
    item = publish(stage, "Remote Hands")
    assert item["kind"] == "service"
    story = order(stage, item, BERLIN)
    done = story.order()
    assert (done["category"], done["state"], done["totals"]) == ("service", "completed", [])
    assert [(line["name"], line["state"]) for line in done["lines"]] == [("Remote Hands", "completed")]
    assert story.request()["state_label"] == "Closed"
    assert stage.differences() == []


def test_manage_inventory_lists_what_the_consumer_has_by_location(stage: Stage) -> None:
    backup = publish(stage, "4G/5G Backup")
    inventory = publish(stage, "Manage Inventory")
    assert (inventory["kind"], inventory["orderable"], inventory["state"]) == ("inventory", False, "active")
    berlin, hamburg = order(stage, backup, BERLIN), order(stage, backup, HAMBURG)
    path = f"/catalog-items/{inventory['id']}/products"
    everything = {product["id"]: product for product in stage.consumer.pages(path)}
    assert {product["id"] for product in berlin.products() + hamburg.products()} <= everything.keys()
    at_hamburg = list(stage.consumer.pages(path, location="Hamburg office"))
    assert sorted(product["id"] for product in at_hamburg) == sorted(product["id"] for product in hamburg.products())
    assert {product["state_label"] for product in at_hamburg} == {"Active"}
    with pytest.raises(ApiProblem, match="cannot be ordered"):
        stage.consumer.post("/requests", {"catalog_item_id": inventory["id"], "requested_by": {"name": "Ada"}})
    assert stage.differences() == []


def test_prices_reach_the_consumer_only_while_its_connection_shows_them(stage: Stage) -> None:
    item = publish(stage, "Managed Firewall")
    assert item["prices"] is None
    settings = f"/connections/{stage.connection_id}/settings"
    assert stage.provider("exchange_admin").post(settings, {"show_prices": True})["settings"]["show_prices"] is True
    shown = stage.until(lambda: stage.consumer.get(f"/catalog-items/{item['id']}")["prices"])
    assert {price["price_type"] for price in shown} == {"one_time", "recurring"}
    assert stage.consumer.get(f"/catalog-items/{item['id']}")["state"] == "active"  # told again, not offered anew
    assert stage.differences() == []
    stage.provider("exchange_admin").post(settings, {"show_prices": False})
    stage.until(lambda: stage.consumer.get(f"/catalog-items/{item['id']}")["prices"] is None)
    assert stage.differences() == []
