"""An item written by hand, by real processes: from its questions to a request, with sets and secrets."""

from collections.abc import Iterator
from typing import Any

import pytest

from sxg.client import ApiProblem
from tests.e2e.stage import Stage

FORM: dict[str, Any] = {
    "variables": [
        {"key": "intro", "type": "rich_text", "description": "For **guests** of more than a day."},
        {"key": "building", "label": "Building", "type": "choice", "display": "radio", "mandatory": True,
         "options": [{"value": "hq", "label": "Headquarters"}, {"value": "lab", "label": "Laboratory"}]},
        {"key": "pin", "label": "Pin", "type": "masked", "pattern": "\\d{4}", "pattern_hint": "be four digits"},
        {"key": "stay", "label": "How long", "type": "duration"},
    ],
    "sets": [
        {"key": "guests", "label": "Guests", "many": True, "min_rows": 1, "max_rows": 3,
         "variables": [
             {"key": "name", "label": "Name", "type": "text", "mandatory": True},
             {"key": "level", "label": "Level", "type": "integer", "display": "scale", "min": 1, "max": 5},
         ]},
        {"key": "host", "label": "Host", "variables": [{"key": "mail", "label": "E-mail", "type": "email"}]},
    ],
    "besides": ["note"],
}  # fmt: skip
ANSWERS: dict[str, Any] = {
    "characteristics": {"building": "lab", "pin": "1234", "stay": "2d 4h"},
    "sets": {"guests": [{"name": "Ada", "level": "3"}, {"name": "Bob"}], "host": {"mail": "eve@acme.example"}},
    "requested_by": {"name": "Ada Lovelace"},
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("authored")) as stage:
        stage.connect()
        yield stage


def test_an_item_written_by_hand_is_asked_for_with_its_sets(stage: Stage) -> None:
    admin = stage.provider("exchange_admin")
    made = admin.post("/remote-record-producers", {"name": "Guests", "help_text": "Ask a day before."})
    path = f"/remote-record-producers/{made['identity']}"
    with pytest.raises(ApiProblem, match="add a question"):
        admin.post(f"{path}/publish", {"criteria": {"all_consumers": True}})
    admin.put(f"{path}/form", FORM)
    empty = admin.post("/remote-record-producers", {"name": "Empty"})["identity"]
    both = {"identities": [made["identity"], empty], "criteria": {"all_consumers": True}}
    outcomes = admin.post("/remote-record-producers/bulk/publish", both)["outcomes"]
    assert [one["is_done"] for one in outcomes] == [True, False]

    item = stage.until(lambda: stage.find(f"/catalog-items/{made['identity']}"))
    assert (item["kind"], item["orderable"], item["compatibility"]) == ("task", True, "1.1")
    stage.consumer.post(f"/catalog-items/{item['id']}/activate")

    wrong = ANSWERS | {"sets": {"guests": [{"level": 9}], "host": {"mail": "eve"}}}
    with pytest.raises(ApiProblem) as refused:
        stage.consumer.post("/requests", {"catalog_item_id": item["id"], **wrong})
    assert sorted(error["pointer"] for error in refused.value.errors) == [
        "/sets/guests/0/level", "/sets/guests/0/name", "/sets/host/mail",
    ]  # fmt: skip

    request = stage.consumer.post("/requests", {"catalog_item_id": item["id"], **ANSWERS})
    told = stage.until(lambda: accepted(stage, request["id"]))
    assert told["number"] == request["number"]
    stage.until(stage.is_quiet)
    assert stage.differences() == []


def accepted(stage: Stage, request_id: str) -> dict[str, Any] | None:
    request: dict[str, Any] = stage.consumer.get(f"/requests/{request_id}")
    assert request["delivery"]["state"] != "refused", request
    return request if request["delivery"]["state"] == "accepted" and request["state"] else None
