"""The documented scenarios of an order between real processes: F4 submit, F6 reject and correct, F9 comments, and holds
and early cancellation. F5, the sixteen states, is in `test_sixteen_states.py`.
"""

import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sxg.client import Client
from tests.e2e.stage import CATALOG, Stage
from tests.e2e.story import Story
from tests.e2e.test_kills import make_story, required_answers

BERLIN = {"name": "Berlin office", "street": "Torstr. 1", "city": "Berlin", "postal_code": "10119", "country": "DE"}
CANARY = "canary-3f9c: margin is 40 per cent"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("orders")) as stage:
        stage.connect()
        yield stage


@pytest.fixture(scope="module")
def package(stage: Stage) -> dict[str, Any]:
    """The composite item, active."""
    item = stage.publish("SD-WAN Package")
    stage.consumer.post(f"/catalog-items/{item['id']}/activate")
    return item


@pytest.fixture(scope="module")
def backup(stage: Stage) -> dict[str, Any]:
    """A simple item, active."""
    item = stage.publish("po-mobile-backup")
    stage.consumer.post(f"/catalog-items/{item['id']}/activate")
    return item


def rows(stage: Stage, side: str, statement: str) -> list[Any]:
    """What a side's SQLite file holds."""
    url = stage.deployment.instances[side].database_url
    with sqlite3.connect(f"file:{url.removeprefix('sqlite:///')}?mode=ro", uri=True) as connection:
        return list(connection.execute(statement))


def delivered_texts(stage: Stage) -> list[str]:
    """The final text of everything that was sent to the consumer, or is to be."""
    return [text for (text,) in rows(stage, "provider", "select text from deliveries where text is not null")]


def consumer_answers(stage: Stage) -> Iterator[tuple[str, str]]:
    """Every answer of the consumer's API to a GET: lists, and each of their records by its id."""
    with Client(stage.deployment.consumer.url, prefix="") as client:
        document = client.get("/openapi.json")
    gets = {path.removeprefix("/api/v1"): told["get"] for path, told in document["paths"].items() if "get" in told}
    asked = {path: [one for one in told.get("parameters", ()) if one["in"] == "query"] for path, told in gets.items()}
    reads = [path for path, query in asked.items() if not any(one.get("required") for one in query)]
    kinds = ("provider_task", "product", "catalog_item")
    found: dict[str, int | None] = {f"/records?kind={kind}": 200 for kind in kinds}
    for path in (path for path in reads if "{" not in path):
        found[path] = 200 if any(one["name"] == "limit" for one in asked[path]) else None
    answers = {path: stage.consumer.get(path, limit=limit) for path, limit in found.items()}
    for path, answer in answers.items():
        yield path, json.dumps(answer)
    for path in (path for path in reads if path.count("{") == 1):
        of = path.split("/{")[0]
        if of not in answers:  # files: no list of them all, and their bytes are no document
            continue
        for record in answers[of]["items"]:
            filled = path.split("{")[0] + record["id"] + path.partition("}")[2]
            yield filled, json.dumps(stage.consumer.get(filled))


def price_values() -> set[str]:
    prices = json.loads(CATALOG.read_text())["productOfferingPrice"]
    return {price["price"]["value"] for price in prices}


def lines_of(order: dict[str, Any]) -> Iterator[dict[str, Any]]:
    below = list(order["lines"])
    while below:
        line = below.pop(0)
        yield line
        below = line["lines"] + below


def submit_package(stage: Stage, package: dict[str, Any]) -> Story:
    answers = {
        "characteristics": required_answers(package["form"]),
        "parts": {part["key"]: {"characteristics": required_answers(part)} for part in package["form"]["parts"]},
        "location": BERLIN,
        "contacts": [{"name": "Ada", "email": "ada@acme.example"}],
        "requested_on": "2027-01-15",
        "note": "Deliver before noon",
        "requested_by": {"name": "Ada Lovelace", "email": "ada@acme.example"},
    }
    story = Story(stage, package["id"], answers, quantity=3)
    story.submit()
    return story


def test_f4_a_request_has_one_number_on_both_sides_and_becomes_an_order_with_lines(
    stage: Stage, package: dict[str, Any]
) -> None:
    story = submit_package(stage, package)
    request, order = story.request(), story.order()
    assert request["number"] == order["provider_task"]["number"]
    assert request["number"].startswith("ACME-PT")
    assert request["order_number"] == order["number"]
    assert order["category"] == "product"
    top, *parts = lines_of(order)
    assert (top["name"], top["quantity"], top["action"]) == ("SD-WAN Package", 3, "add")
    asked = request["request"]["parts"]
    selected = [part for part in package["form"]["parts"] if asked.get(part["key"], {}).get("selected")]
    assert [line["name"] for line in parts] == [part["name"] for part in selected]
    assert [line["characteristics"] for line in parts] == [asked[part["key"]]["characteristics"] for part in selected]
    assert any(line["characteristics"] for line in parts)
    for line in (top, *parts):
        assert (line["location"], line["requested_on"]) == (BERLIN, "2027-01-15")
        assert [contact["name"] for contact in line["contacts"]] == ["Ada"]


def test_f4_the_price_is_computed_at_the_provider(stage: Stage, package: dict[str, Any]) -> None:
    order = submit_package(stage, package).order()
    (top,) = order["lines"]
    amounts = {price["price_type"]: (price["unit_amount"], price["amount"]) for price in top["prices"]}
    assert amounts == {"one_time": ("490.00", "1470.00"), "recurring": ("249.00", "747.00")}
    assert order["totals"] == [
        {"price_type": "one_time", "currency": "EUR", "period": None, "period_length": None, "amount": "1470.00"},
        {"price_type": "recurring", "currency": "EUR", "period": "month", "period_length": 1, "amount": "747.00"},
    ]


def test_f4_no_price_is_in_any_consumer_payload_answer_or_row(stage: Stage, package: dict[str, Any]) -> None:
    story = submit_package(stage, package)
    story.approve()
    story.fulfil()
    stage.until(lambda: story.request()["state"] == "closed")
    stage.until(stage.is_quiet)
    values = price_values() | {"1470.00", "747.00"}
    assert len(values) > 20
    assert values & set(json.dumps(story.order()).replace('"', " ").split())  # it would be found
    sent = [(f"delivery {index}", text) for index, text in enumerate(delivered_texts(stage))]
    answers = list(consumer_answers(stage))
    assert len(sent) > 10
    assert {path.split("?")[0].split("/")[1] for path, _ in answers} >= {
        "requests", "products", "catalog-items", "records", "connections",
    }  # fmt: skip
    with sqlite3.connect(stage.deployment.consumer.directory / "data.db") as connection:
        kept = [("database", line) for line in connection.iterdump()]
    # Not the seconds of a time: 35.00 is a price, 10:21:35.001 is none.
    price = re.compile(rf"(?<![\d:.])({'|'.join(map(re.escape, values))})(?!\d)")
    assert price.search('"35.00"') and not price.search('"2026-11-21T10:21:35.001Z"')
    told = [(where, found) for where, text in [*sent, *answers, *kept] for found in price.findall(text)]
    assert told == []
    assert not [where for where, text in [*sent, *answers] if '"prices"' in text.replace('"prices": null', "")]


def test_f6_a_rejected_request_is_corrected_and_completed_under_its_number(
    stage: Stage, package: dict[str, Any]
) -> None:
    story = submit_package(stage, package)
    number = story.request()["number"]
    stage.provider("order_manager").post(f"/orders/{story.number}/reject", {"reason": "Torstr. 1 has no fibre"})
    rejected = stage.until(lambda: is_told(story, "awaiting_info"))
    assert (rejected["state_label"], rejected["reason"]) == ("Awaiting info", "Torstr. 1 has no fibre")
    hamburg = BERLIN | {"name": "Hamburg office", "city": "Hamburg"}
    answers = {name: value for name, value in story.answers.items() if name != "requested_by"}
    stage.consumer.post(f"/requests/{story.request_id}/correct", answers | {"location": hamburg, "quantity": 2})
    stage.until(lambda: story.order()["state"] == "new")
    corrected = story.order()
    assert corrected["provider_task"]["number"] == number == story.request()["number"]
    assert {line["location"]["name"] for line in lines_of(corrected)} == {"Hamburg office"}
    assert corrected["lines"][0]["quantity"] == 2
    assert corrected["totals"][0]["amount"] == "980.00"
    story.approve()
    story.fulfil()
    closed = stage.until(lambda: is_told(story, "closed"))
    assert (closed["state_label"], closed["number"], closed["revision"]) == ("Closed", number, 2)
    products = stage.until(lambda: active_products(story))
    assert {product["location"]["name"] for product in products} == {"Hamburg office"}
    at_hamburg = stage.consumer.pages("/products", location="Hamburg office")
    assert {product["id"] for product in products} <= {product["id"] for product in at_hamburg}
    told = [step["order_state"] for step in story.request()["timeline"]]
    # In progress is told once more when the point of no return is passed.
    assert told == [*SUBMITTED, "rejected", *SUBMITTED, "acknowledged", "in_progress", "in_progress", "completed"]
    assert stage.differences() == []


SUBMITTED = ["draft", "submitted", "new"]


def is_told(story: Story, state: str) -> dict[str, Any] | None:
    request = story.request()
    return request if request["state"] == state else None


def active_products(story: Story) -> list[dict[str, Any]] | None:
    """The order's products at the consumer, once it has all of them active."""
    found = story.products()
    active = [product for product in found if product["state"] == "active"]
    return found if found and len(active) == len(story.order_products()) else None


def test_f9_comments_go_both_ways_with_author_and_company(stage: Stage, backup: dict[str, Any]) -> None:
    story = make_story(stage, backup)
    story.submit()
    story.comment()
    story._ensure(lambda: len(story.request()["comments"]) == 2, lambda: None)
    for said in (story.request()["comments"], story.order()["comments"]):
        assert {(one["author"]["name"], one["author"]["company"]) for one in said} == {
            ("Ada", "ACME"),
            ("order_agent", "demo-provider"),
        }
    assert [c["comment_id"] for c in story.request()["comments"]] == [
        c["comment_id"] for c in story.order()["comments"]
    ]
    assert stage.differences() == []


def test_f9_work_notes_never_leave_the_provider(stage: Stage, backup: dict[str, Any]) -> None:
    story = make_story(stage, backup)
    story.submit()
    agent = stage.provider("order_agent")
    agent.post(f"/orders/{story.number}/work-notes", {"text": CANARY})
    story.approve()
    agent.post(f"/orders/{story.number}/work-notes", {"text": CANARY})
    story.fulfil()
    story.check()
    assert [note["text"] for note in story.order()["work_notes"]] == [CANARY, CANARY]
    stage.until(stage.is_quiet)
    assert not [text for text in delivered_texts(stage) if "canary" in text]
    assert not [text for (text,) in rows(stage, "provider", "select data from outbox_events") if "canary" in text]
    assert not [path for path, text in consumer_answers(stage) if "canary" in text]
    assert not [file for file in stage.deployment.consumer.directory.glob("data.db*") if holds(file, b"canary")]
    assert holds(Path(stage.deployment.provider.directory / "data.db-wal"), b"canary") or holds(
        Path(stage.deployment.provider.directory / "data.db"), b"canary"
    )


def holds(file: Path, word: bytes) -> bool:
    return file.exists() and word in file.read_bytes()


def test_hold_and_awaiting_information_show_awaiting_info_with_the_reason_and_go_back(
    stage: Stage, backup: dict[str, Any]
) -> None:
    story = make_story(stage, backup)
    story.submit()
    story.approve()
    manager = stage.provider("order_manager")
    for state, why, rests in (("on_hold", "Waits for parts", True), ("awaiting_information", "Which floor?", False)):
        manager.post(f"/orders/{story.number}/move", {"to": state, "reason": why})
        held = stage.until(lambda state=state: state_seen(story, state))  # type: ignore[misc]
        assert (held["state_label"], held["reason"]) == ("Awaiting info", why)
        work = {task["state"] for task in story.order()["order_tasks"]}
        assert ("open" in work) is not rests  # while the consumer is asked, the work that can go on goes on
        manager.post(f"/orders/{story.number}/move", {"to": "in_progress"})
        back = stage.until(lambda: state_seen(story, "in_progress"))
        assert back["state_label"] == "Work in progress"
        assert "open" in {task["state"] for task in story.order()["order_tasks"]}
    story.fulfil()
    story.check()


def state_seen(story: Story, order_state: str) -> dict[str, Any] | None:
    request = story.request()
    return request if request["order_state"] == order_state else None


def test_a_cancellation_before_approval_is_done_at_once(stage: Stage, backup: dict[str, Any]) -> None:
    story = make_story(stage, backup)
    story.submit()
    stage.consumer.post(f"/requests/{story.request_id}/cancel", {"reason": "Ordered twice"})
    cancelled = stage.until(lambda: is_told(story, "cancelled"))
    assert (cancelled["order_state"], cancelled["reason"]) == ("cancelled", "Ordered twice")
    stage.until(lambda: story.request()["cancellation"]["state"] == "accepted")
    order = story.order()
    assert (order["state"], order["order_tasks"], story.order_products()) == ("cancelled", [], [])
    assert {line["state"] for line in lines_of(order)} == {"cancelled"}
    told = [step["order_state"] for step in story.request()["timeline"]]
    assert told == [*SUBMITTED, "cancelled"]  # nobody had to assess it
    assert stage.differences() == []
