"""Choices from live data, between real processes: asked while ordering, kept as pairs, checked again when sent."""

from pathlib import Path
from typing import Any

from tests.choice_factories import CENTRES, DATA_CENTRES, pair
from tests.e2e.stage import Stage
from tests.factories import small_catalog

AT = "/characteristics/centre"


def offer_item(stage: Stage) -> str:
    """An item that asks for a data centre; its id."""
    admin = stage.provider()
    admin.post("/choice-definitions", {name: value for name, value in DATA_CENTRES.items() if name != "description"})
    admin.put("/choice-definitions/data-centres/rows", {"rows": CENTRES})
    asked = {"id": "centre", "name": "Centre", "valueType": "reference", "minCardinality": 1,
             "x-choice": {"definition": "data-centres"}}  # fmt: skip
    admin.post("/catalog/import", small_catalog(productSpecCharacteristic=[asked]))
    identity: str = next(row["identity"] for row in admin.pages("/remote-record-producers") if row["kind"] == "product")
    admin.post(f"/remote-record-producers/{identity}/publish", {"criteria": {"all_consumers": True}})
    stage.until(lambda: stage.find(f"/catalog-items/{identity}"))
    stage.consumer.post(f"/catalog-items/{identity}/activate")
    return identity


def order(stage: Stage, item_id: str, centre: dict[str, str]) -> str:
    answers = {"characteristics": {"centre": centre}, "requested_by": {"name": "Ada"}}
    made: str = stage.consumer.post("/requests", {"catalog_item_id": item_id, **answers})["id"]
    return made


def test_a_choice_is_asked_for_live_kept_as_a_pair_and_refused_once_it_is_gone(tmp_path: Path) -> None:
    with Stage(tmp_path) as stage:
        stage.connect()
        item_id = offer_item(stage)

        def choices(**search: str) -> dict[str, Any]:
            found: dict[str, Any] = stage.consumer.get(f"/catalog-items/{item_id}/choices", variable=AT, **search)
            return found

        found = choices(search="berl")
        assert (found["items"], found["notice"]) == ([{"value": "ber1", "display": "Berlin One", "info": "Berlin"}], "")
        chosen = pair("ber1", "Berlin One")
        request_id = order(stage, item_id, chosen)
        number = stage.until(lambda: stage.consumer.get(f"/requests/{request_id}")["order_number"])
        assert stage.consumer.get(f"/requests/{request_id}")["request"]["characteristics"] == {"centre": chosen}
        assert stage.provider().get(f"/orders/{number}")["lines"][0]["characteristics"] == {"centre": chosen}

        stage.provider().put("/choice-definitions/data-centres/rows", {"rows": CENTRES[:2]})
        assert choices(search="berl")["items"], "it is kept for half a minute"
        late = order(stage, item_id, chosen)
        refused = stage.until(lambda: refusal(stage, late))
        assert refused["delivery"]["code"] == "invalid_fields"
        [error] = refused["delivery"]["errors"]
        assert (error["pointer"], error["code"]) == (AT, "not_offered")
        assert choices(search="berl")["items"] == [], "after a refusal what was kept is forgotten"
        right = {"characteristics": {"centre": pair("fra1", "Frankfurt One")}}
        stage.consumer.post(f"/requests/{late}/correct", right)
        stage.until(lambda: stage.consumer.get(f"/requests/{late}")["order_number"])

        with stage.paused("provider-web"):
            found = choices(search="frankfurt")
        assert "does not answer" in found["notice"]


def refusal(stage: Stage, request_id: str) -> dict[str, Any] | None:
    request: dict[str, Any] = stage.consumer.get(f"/requests/{request_id}")
    return request if request["delivery"]["state"] == "refused" else None
