"""Requests can be written in several sittings: nothing is checked, numbered or sent before they are submitted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.models import Delivery
from consumer_sim.models import Draft, ProviderTask
from tests.consumer_factories import (
    ANSWERS,
    ASKED_BY,
    Consumer,
    connected_consumer,
    item_changed,
    make_item,
    product_changed,
    rows,
)

LATER = {"requested_on": "2026-12-01", "note": "not sure yet"}


@pytest.fixture
def acme(database_url: str, tmp_path: Path) -> Iterator[Consumer]:
    with connected_consumer(database_url, tmp_path) as one:
        yield one


@pytest.fixture
def item_id(acme: Consumer) -> str:
    with acme.context.database.transaction() as session:
        return make_item(session, acme.connection_id).id


def saved(acme: Consumer, item_id: str, **values: Any) -> dict[str, Any]:
    answer = acme.client.post("/api/v1/drafts", json={"catalog_item_id": item_id, **values})
    assert answer.status_code == 201, answer.text
    draft: dict[str, Any] = answer.get_json()
    return draft


def test_a_draft_may_lack_everything_and_sends_nothing(acme: Consumer, item_id: str) -> None:
    draft = saved(acme, item_id, **LATER)
    assert draft["answers"] == LATER
    assert acme.client.get(f"/api/v1/drafts/{draft['id']}").get_json() == draft
    assert acme.client.get("/api/v1/drafts").get_json()["items"] == [draft]
    assert rows(acme, ProviderTask) == rows(acme, Delivery) == []


def test_a_draft_is_checked_when_it_is_submitted_and_stays_when_it_is_refused(acme: Consumer, item_id: str) -> None:
    draft = saved(acme, item_id, **LATER)
    path = f"/api/v1/drafts/{draft['id']}"
    answer = acme.client.post(f"{path}/submit", json={})
    assert (answer.status_code, answer.get_json()["errors"][0]["pointer"]) == (422, "/requested_by")
    assert acme.client.put(path, json={"requested_by": ASKED_BY}).status_code == 200
    answer = acme.client.post(f"{path}/submit", json={})
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["pointer"].startswith("/characteristics/")
    assert len(rows(acme, Draft)) == 1
    assert rows(acme, ProviderTask) == []


def test_a_submitted_draft_is_a_request_of_the_same_id_once(acme: Consumer, item_id: str) -> None:
    draft = saved(acme, item_id, **LATER)
    path = f"/api/v1/drafts/{draft['id']}"
    changed = acme.client.put(path, json={**ANSWERS, "requested_by": ASKED_BY}).get_json()
    assert "note" not in changed["answers"] or "note" in ANSWERS
    first, again = acme.client.post(f"{path}/submit", json={}), acme.client.post(f"{path}/submit", json={})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.get_json() == again.get_json()
    assert (first.get_json()["id"], first.get_json()["delivery"]["state"]) == (draft["id"], "waiting")
    assert len(rows(acme, ProviderTask)) == len(rows(acme, Delivery)) == 1
    assert acme.client.get(path).status_code == 404


def test_a_draft_is_deleted_for_good(acme: Consumer, item_id: str) -> None:
    path = f"/api/v1/drafts/{saved(acme, item_id)['id']}"
    assert acme.client.delete(path).status_code == 204
    assert [acme.client.get(path).status_code, acme.client.delete(path).status_code] == [404, 404]
    assert acme.client.post(f"{path}/submit", json={}).status_code == 404


def test_manage_inventory_lists_the_products_of_its_provider_by_location_once_active(
    acme: Consumer, item_id: str
) -> None:
    inventory = "11111111-1111-4111-8111-111111111111"
    assert acme.verdicts([item_changed(inventory, 1, name="Manage Inventory", kind="inventory", orderable=False)]) == [
        "applied"
    ]
    products = [f"22222222-2222-4222-8222-22222222222{n}" for n in range(3)]
    for product_id, place in zip(products, ("Berlin", "Berlin", "Hamburg"), strict=True):
        told = product_changed(product_id, 1, location={"name": place}, catalog_item_id=item_id)
        assert acme.verdicts([told]) == ["applied"]
    path = f"/api/v1/catalog-items/{inventory}"
    refused = acme.client.get(f"{path}/products")
    assert (refused.status_code, refused.get_json()["code"]) == (409, "not_orderable")
    assert acme.client.post(f"{path}/activate", json={}).get_json()["kind"] == "inventory"
    listed = [acme.client.get(f"{path}/products{query}").get_json()["items"] for query in ("", "?location=Berlin")]
    assert [[product["id"] for product in items] for items in listed] == [products, products[:2]]
    assert [
        product["id"] for product in acme.client.get(f"/api/v1/catalog-items/{item_id}/products").get_json()["items"]
    ] == (products)
    order = {"catalog_item_id": inventory, "requested_by": ASKED_BY}
    assert "cannot be ordered" in acme.client.post("/api/v1/requests", json=order).get_json()["detail"]
