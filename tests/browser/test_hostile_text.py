"""A hundred payloads in every text that people and programs can write, on every page that shows it: none executes.

The browser is told to ignore the pages' Content-Security-Policy, so that escaping alone has to hold.
"""

import json
from collections.abc import Iterator
from itertools import cycle
from typing import Any
from urllib.parse import quote

import pytest

from tests.browser import day
from tests.browser.browsing import Browsing, Person, find_chromium
from tests.browser.crawl import Routes, crawl
from tests.browser.payloads import ALL, PAYLOADS, packed
from tests.conftest import missing
from tests.e2e.stage import Stage

NAMES, COMPANIES, PLACES = packed(200), packed(120), packed(255)
EACH = 6
"""Pages of one route: lists and long texts show every payload, the names on other pages some thirty."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    if find_chromium() is None:
        missing("Chromium")
    with Stage(tmp_path_factory.mktemp("hostile"), settings={"SXG_DISPLAY_NAME": packed(60)[0]}) as stage:
        fill(stage)
        yield stage


@pytest.fixture(scope="module")
def browsing(stage: Stage) -> Iterator[Browsing]:
    with Browsing(stage, bypass_csp=True) as browsing:
        yield browsing


def fill(stage: Stage) -> None:
    stage.provider().post("/catalog/import", catalog())
    stage.connect(company=COMPANIES[0])
    link = stage.consumer.get("/connections")["items"][0]
    stage.consumer.post(f"/connections/{link['id']}/settings", {"auto_activate": True})
    for company in COMPANIES:
        contact = {"contact_name": company, "contact_email": "x@example.org"}
        stage.provider().post("/registrations", {"company": company, **contact})
    for one in list(stage.provider().pages("/remote-record-producers")):
        path = f"/remote-record-producers/{one['identity']}/publish"
        stage.provider().post(path, {"criteria": {"all_consumers": True}})
    stage.until(lambda: len(active(stage)) >= len(NAMES))
    for item, text in zip(cycle(active(stage)), PLACES, strict=False):
        ask(stage, item, text)
    stage.until(stage.is_quiet, 60)
    decide(stage)
    stage.until(stage.is_quiet, 60)


def catalog() -> dict[str, Any]:
    """An offering with a specification for each of `NAMES`, which is every text of both."""
    active: dict[str, Any] = {"version": "1.0", "lifecycleStatus": "Active"}
    values = [{"value": "a", "x-label": ALL[:200], "isDefault": True}]
    return {
        "productSpecification": [
            {
                "id": f"ps-{number}", "name": text, "description": text, **active,
                "productSpecCharacteristic": [
                    {"id": "choice", "name": text, "description": text, "valueType": "string", "configurable": True,
                     "productSpecCharacteristicValue": [{**values[0], "x-label": text}]},
                    {"id": "answer", "name": text, "valueType": "string", "configurable": True},
                ],
                "x-taskTemplate": [{"key": "work", "name": text}],
            }
            for number, text in enumerate(NAMES)
        ],
        "productOffering": [
            {
                "id": f"po-{number}", "name": text, "description": text, "isSellable": True, **active,
                "channel": [{"id": "service_exchange"}], "category": [{"name": text}],
                "productSpecification": {"id": f"ps-{number}"},
            }
            for number, text in enumerate(NAMES)
        ],
    }  # fmt: skip


def active(stage: Stage) -> list[day.Document]:
    found = stage.consumer.pages("/catalog-items")
    return [one for one in found if one["state"] == "active" and one["kind"] != "inventory"]


def ask(stage: Stage, item: day.Document, text: str) -> None:
    """An order and a draft of it, every text of them hostile."""
    answers = {
        "catalog_item_id": item["id"],
        "requested_by": {"name": text},
        "characteristics": {"answer": text},
        "location": {"name": text, "street": text, "city": text, "postal_code": text[:20], "country": text[:60]},
        "contacts": [{"name": text, "phone": text[:60]}],
        "note": ALL,
    }
    stage.consumer.post("/requests", answers)
    stage.consumer.post("/drafts", answers)


def decide(stage: Stage) -> None:
    """Reasons, comments and notes on every order, and every kind of decision about it."""
    manager = stage.provider()
    for number, request in enumerate(stage.consumer.pages("/requests")):
        path = f"/orders/{request['order_number']}"
        stage.consumer.post(f"/requests/{request['id']}/comments", {"text": ALL, "author_name": COMPANIES[number]})
        manager.post(f"{path}/comments", {"text": ALL})
        manager.post(f"{path}/work-notes", {"text": ALL})
        if number % 4 == 0:
            stage.consumer.post(f"/requests/{request['id']}/cancel", {"reason": ALL[:2000]})
        elif number % 4 == 1:
            manager.post(f"{path}/reject", {"reason": ALL[:4000]})
        else:
            manager.post(f"{path}/approve")
            task = next(iter(manager.pages("/order-tasks", order=request["order_number"])))
            manager.post(f"/order-tasks/{task['number']}/move", {"to": "on_hold", "reason": ALL[:4000]})
            manager.post(f"{path}/move", {"to": "on_hold", "reason": ALL[:4000]})


class Trap:
    """Notes where `xss` was called, in any page or frame of somebody's browser."""

    def __init__(self, person: Person) -> None:
        self.calls: list[str] = []
        person.page.context.expose_binding("xss", lambda source, *_: self.calls.append(source["page"].url))


@pytest.fixture(scope="module")
def people(browsing: Browsing) -> dict[str, tuple[Person, Trap]]:
    return {person.name: (person, Trap(person)) for person in (browsing.provider(), browsing.consumer())}


@pytest.mark.parametrize("side", ["provider", "consumer"])
def test_no_page_executes_what_was_written_into_it(people: dict[str, tuple[Person, Trap]], side: str) -> None:
    person, trap = people[f"admin-at-{side}"]
    shown = set[str]()
    for _, path in crawl(person, Routes(side), EACH):
        text = person.page.inner_text("body")
        shown |= {payload for payload in PAYLOADS if payload in text}
        assert not person.page.locator("[href^='javascript:'], [src^='javascript:']").count(), path
    assert trap.calls == []
    assert shown == set(PAYLOADS)


def test_no_form_executes_what_it_shows_again(people: dict[str, tuple[Person, Trap]]) -> None:
    """What was typed stands in fields, beside errors and in addresses."""
    (admin, _), (buyer, _) = people.values()
    for text in PLACES:
        admin.open(f"/orders?q={quote(text)}&state={quote(text)}&sort={quote(text)}")
        assert admin.page.get_by_role("searchbox").input_value() == text[:200]
        buyer.open(f"/requests?q={quote(text)}&who={quote(text)}")
    for text in COMPANIES[:5]:
        admin.open("/registrations/new")
        for label in ("Company", "Contact person", "E-mail of the contact person", "Base URL", "Callback URL"):
            admin.fill(label, text)
        admin.press("Register and show the token")
        assert admin.page.get_by_label("Company").input_value() == text
    admin.open("/catalog/import")
    admin.fill("Or the document itself", json.dumps(dict.fromkeys(PAYLOADS)))
    admin.press("Import")
    admin.sees(PAYLOADS[0])
    assert [trap.calls for _, trap in people.values()] == [[], []]


def test_the_payloads_would_execute_if_they_could(browsing: Browsing) -> None:
    """Else all of the above would show nothing."""
    person = browsing.provider("viewer")
    trap = Trap(person)
    person.open("/")
    live = 0
    for payload in PAYLOADS:
        before = len(trap.calls)
        for context in ("<p>{}</p>", '<input value="{}">', "<input value='{}'>", "<textarea>{}</textarea>"):
            person.page.set_content(context.format(payload))
        person.page.evaluate("1")
        live += len(trap.calls) > before
    assert live >= 60
