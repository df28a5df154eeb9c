"""A hundred payloads in every text that people and programs can write, on every page that shows it: none executes.

Forms are found by following links, so that a new one is sent too; a text that is too short for all payloads at once has
to be named in `STORED`, with `fill` writing it.
The browser is told to ignore the pages' Content-Security-Policy, so that escaping alone has to hold.
"""

import json
from collections.abc import Iterator
from itertools import cycle
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import FilePayload

from sxg import databases
from tests.browser import day
from tests.browser.beside import write_texts
from tests.browser.browsing import Browsing, Person, add_person, find_chromium
from tests.browser.crawl import Routes, crawl
from tests.browser.payloads import ALL, PAYLOADS, packed
from tests.browser.text_forms import TextForms
from tests.choice_factories import DATA_CENTRES
from tests.conftest import missing
from tests.e2e.stage import Stage

NAMES, COMPANIES, PLACES, REASONS = packed(200), packed(120), packed(255), packed(500)
SIDES = ("provider", "consumer")
EACH = 2
MORE = {
    "provider": {"producers.try_form": len(NAMES), "registrations.show": 2, "deliveries.show": 2},
    "consumer": {
        "catalog.order": len(NAMES),
        "requests.show": len(PLACES),
        "requests.cancel": 1,
        "requests.correct": 2,
    },
}
"""Pages of one route: lists and long texts show every payload; a form asks by a name in every one of its labels."""
STORED = {
    "registrations": ("company", "contact_name"), "connections": ("account",), "users": ("name",),
    "personas": ("name", "description"), "contracts": ("name", "reason"), "groups": ("name",), "scratchpads": ("name",),
    "cases": ("short_description", "name"), "incidents": ("short_description", "category", "assigned_to"),
    "tickets": ("short_description", "category", "assigned_to"), "requests": ("reason",),
    "authoring": ("name", "short_description", "category", "label", "pattern_hint"),
    "producers": ("name", "short_description", "category"), "item_settings": ("label", "description"),
    "definitions": (
        "name", "description", *(f"{way}-{place}-label" for way in ("inbound", "outbound") for place in range(4)),
    ),
    "choices": ("description",), "mappings": ("name",), "task_approvals": ("subject",),
}  # fmt: skip
"""Texts of forms that are too short for all payloads at once, and that are kept, by what they are about: `fill` writes
them one by one."""
NEVER_KEPT = {
    "registrations": ("contact_email", "base_url", "callback_url"),
    "connections": ("reason", "token", "provider_url", "callback_url"), "users": ("password",),
    "choices": ("name", "columns", "display_field", "info_fields"), "authoring": ("key", "pattern", "file_types"),
    "producers": ("compatibility",),
}  # fmt: skip
"""No payload is an address, a token, a version, a key, or the name of a column; of a revocation there is one for ever,
and of pauses there are many."""

NEVER_SHOWN = {"password", "again", "file"}
"""A file is told by its name, of which some letters are replaced."""


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


_ACCOUNT = next(one for one in PAYLOADS if one == one.strip() and one.isascii() and "<" in one and len(one) <= 100)


def fill(stage: Stage) -> None:
    stage.provider().post("/catalog/import", catalog())
    stage.connect(company=COMPANIES[0])
    known = {"account": _ACCOUNT, "show_prices": False}
    stage.provider("exchange_admin").post(f"/connections/{stage.connection_id}/settings", known)
    link = stage.consumer.get("/connections")["items"][0]
    stage.consumer.post(f"/connections/{link['id']}/settings", {"auto_activate": True})
    for reason in REASONS:
        stage.provider().post(f"/connections/{stage.connection_id}/pause", {"reason": reason})
        stage.provider().post(f"/connections/{stage.connection_id}/resume")
    for company in COMPANIES:
        contact = {"contact_name": company, "contact_email": "x@example.org"}
        stage.provider().post("/registrations", {"company": company, **contact})
    for one in list(stage.provider().pages("/remote-record-producers")):
        path = f"/remote-record-producers/{one['identity']}/publish"
        stage.provider().post(path, {"criteria": {"all_consumers": True}})
    stage.until(lambda: len(active(stage)) >= len(NAMES))
    for item, text in zip(cycle(active(stage)), PLACES, strict=False):
        ask(stage, item, text)
    for name in COMPANIES:
        add_person("consumer", stage.deployment.consumer.database_url, name, "viewer")
    for text in COMPANIES:
        write_texts(stage, text)
    write_definitions(stage, active(stage)[0]["id"])
    stage.until(stage.is_quiet, 60)
    decide(stage)
    stage.until(stage.is_quiet, 60)


def write_definitions(stage: Stage, item_id: str) -> None:
    """What admins of both sides write once, with a hostile text of each; cut to what the fields take."""
    admin, questions = stage.provider(), []
    for number, text in enumerate(COMPANIES):
        lines = [{"source": "short_description", "target": "short_description", "label": text[:80]}]
        said = {"name": text, "description": text, "inbound": lines, "outbound": lines}
        admin.post("/remote-task-definitions", said)
        admin.post("/choice-definitions", DATA_CENTRES | {"name": f"list-{number}", "description": text})
        asked = {"key": "answer", "label": text, "description": text, "type": "text", "display": "line"}
        asked |= {"pattern": "[A-Z]", "pattern_hint": text}
        told = {"name": text, "short_description": text, "category": text, "form": {"variables": [asked], "sets": []}}
        admin.post("/remote-record-producers", told)
        questions.append({"key": f"own{number}", "label": text, "description": text, "type": "text"})
    for contract, text in zip(list(admin.pages("/contracts")), COMPANIES, strict=True):
        admin.post(f"/contracts/{contract['number']}/activate")
        admin.post(f"/contracts/{contract['number']}/cancel", {"reason": text})
    stage.consumer.put(f"/catalog-items/{item_id}/settings/variables", {"variables": questions})
    write_mappings(stage)


def write_mappings(stage: Stage) -> None:
    """Tables of values for lines that no definition has, and words for states that no order has."""
    path = f"/connections/{stage.connection_id}"
    ends = {"provider_table": "incident", "consumer_table": "ticket", "consumer_field": "description"}
    tables = {
        text[:80]: {**ends, "provider_field": f"virtual:{number}", "inbound": {text: text}}
        for number, text in enumerate(COMPANIES)
    }
    stage.provider().put(f"{path}/transforms", {"transforms": tables})
    states = stage.provider().get(f"{path}/mapping")["tables"]["order_state"]
    for state, text in zip(("enrichment_in_progress", "enrichment_on_hold", "scheduled"), COMPANIES, strict=False):
        states["rows"][state] |= {"order_state_label": text, "state_label": text}
    stage.provider().put(f"{path}/mapping", {"tables": {"order_state": states}})


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
    """Reasons, comments and notes on every order, and every kind of decision about it, by people of hostile names."""
    url = stage.deployment.provider.database_url
    tokens = [databases.add_user(url, name, ["admin"]) for name in COMPANIES]
    orders = (one for one in stage.consumer.pages("/requests") if one["order_number"])
    for number, request in enumerate(orders):
        manager = stage.deployment.provider_client(tokens[number % len(tokens)])
        path = f"/orders/{request['order_number']}"
        stage.consumer.post(f"/requests/{request['id']}/comments", {"text": ALL, "author_name": COMPANIES[number]})
        manager.post(f"{path}/comments", {"text": ALL})
        manager.post(f"{path}/work-notes", {"text": ALL})
        entry = {"value": ALL[:4000], "author_name": COMPANIES[number]}
        name = quote(COMPANIES[number][:80].replace("/", ""))  # in a path a slash would end the name
        stage.consumer.put(f"/requests/{request['id']}/scratchpad/{name}", entry)
        if number % 4 == 0:
            stage.consumer.post(f"/requests/{request['id']}/cancel", {"reason": ALL[:2000]})
        elif number % 4 == 1:
            manager.post(f"{path}/reject", {"reason": ALL[:4000]})
        else:
            manager.post(f"{path}/approve")
            task = next(iter(manager.pages("/order-tasks", order=request["order_number"])))
            manager.post(f"/order-tasks/{task['number']}/move", {"to": "on_hold", "reason": ALL[:4000]})
            manager.post(f"{path}/move", {"to": "on_hold", "reason": ALL[:4000]})
        manager.close()


class Trap:
    """Notes where `xss` was called, in any page or frame of somebody's browser."""

    def __init__(self, person: Person) -> None:
        self.calls: list[str] = []
        person.page.context.expose_binding("xss", lambda source, *_: self.calls.append(source["page"].url))


@pytest.fixture(scope="module")
def people(browsing: Browsing) -> dict[str, tuple[Person, Trap]]:
    """An admin of each side, called as no parent would."""
    found = {}
    for side in SIDES:
        at = getattr(browsing.stage.deployment, side)
        person = browsing.join(side, at.url, at.database_url, "admin", name=PAYLOADS[0])
        found[side] = (person, Trap(person))
    return found


@pytest.fixture(scope="module")
def forms() -> dict[str, TextForms]:
    """Those that were seen so far."""
    return {side: TextForms(Routes(side)) for side in SIDES}


@pytest.mark.parametrize("side", SIDES)
def test_no_page_executes_what_was_written_into_it(
    people: dict[str, tuple[Person, Trap]], forms: dict[str, TextForms], side: str
) -> None:
    person, trap = people[side]
    shown = set[str]()
    for _, path in crawl(person, forms[side].routes, EACH, MORE[side]):
        forms[side].note(person, path)
        text = person.page.inner_text("body")
        shown |= {payload for payload in PAYLOADS if payload in text}
        assert not person.page.locator("[href^='javascript:'], [src^='javascript:']").count(), path
    assert trap.calls == []
    assert shown == set(PAYLOADS)


@pytest.mark.parametrize("side", SIDES)
def test_no_form_executes_what_was_typed_into_it(
    people: dict[str, tuple[Person, Trap]], forms: dict[str, TextForms], side: str
) -> None:
    """What is accepted is shown, what is not is shown again: in fields, beside errors, in addresses."""
    person, trap = people[side]
    searched = cycle(PLACES)
    assert forms[side].pages
    for kind in forms[side].pages:
        text = next(searched) if kind.method == "get" else ALL
        assert forms[side].send(person, kind, text, called=f"{text[:100]}.txt"), kind
        # A search is cut at a length of its own.
        shows = "text => document.body.innerText.includes(text) || [...document.querySelectorAll('[name]')].some("
        is_shown = person.page.evaluate(shows + "one => one.value?.startsWith(text.slice(0, 100)))", text)
        assert is_shown or set(kind.names) <= NEVER_SHOWN, kind
    assert trap.calls == []
    too_short = {
        (noun.split(".")[0], name) for (noun, name), most in forms[side].limits.items() if 0 <= most < len(ALL)
    }
    known = {(noun, name) for texts in (STORED, NEVER_KEPT) for noun, names in texts.items() for name in names}
    assert too_short - known == set()


def test_no_file_executes_what_it_holds_or_is_called(people: dict[str, tuple[Person, Trap]]) -> None:
    person, trap = people["provider"]
    for name in (PAYLOADS[1], PAYLOADS[10]):
        person.open("/catalog/import")
        content = json.dumps(dict.fromkeys(PAYLOADS)).encode()
        file: FilePayload = {"name": name, "mimeType": "application/json", "buffer": content}
        person.page.get_by_label("File").set_input_files(file)
        person.press("Import")
        person.sees(PAYLOADS[0])
    assert trap.calls == []


def test_nobody_executes_whom_to_ask(browsing: Browsing) -> None:
    """A refusal names some of those who may, all of them hostile."""
    viewer = browsing.provider("viewer")
    trap = Trap(viewer)
    viewer.open("/registrations/new")
    assert any(payload in viewer.text() for payload in PAYLOADS)
    assert trap.calls == []


def test_the_payloads_would_execute_if_they_could(browsing: Browsing) -> None:
    """Else all of the above would show nothing."""
    person = browsing.provider("catalog_manager")
    trap = Trap(person)
    person.page.goto("about:blank")
    assert sum(executes(person, trap, payload) for payload in PAYLOADS) >= 60


def executes(person: Person, trap: Trap, payload: str) -> bool:
    """Somewhere on a page that escapes nothing."""
    before = len(trap.calls)
    for context in ("<p>{}</p>", '<input value="{}">', "<input value='{}'>", "<textarea>{}</textarea>"):
        person.page.set_content(context.format(payload), wait_until="commit")
        person.page.evaluate("1")
        if len(trap.calls) > before:
            return True
    return False
