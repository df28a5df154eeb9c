"""A stage on which a day has been traded, told through the APIs: at least one record of every kind in every light.

with Stage(tmp_path) as stage:
    trade(stage)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import update

from bridge.database import Database
from bridge.models import Stream
from sxg.demo import answers
from tests.browser.beside import stand_beside, wait_for_approval
from tests.e2e.stage import CATALOG, Stage

Document = dict[str, Any]

ADA = {"name": "Ada Lovelace", "email": "ada@acme.example"}
OFFERED = (answers.SD_WAN, answers.INTERNET, answers.MOBILE, answers.SWITCH, answers.WIFI, answers.INVENTORY)
WRITTEN = "Access to the data centre"
_SMALL = {"options": [{"value": "s", "label": "Small"}, {"value": "l", "label": "Large"}]}
KINDS = (
    ("name", "text", "line"), ("mail", "email", ""), ("size", "choice", ""), ("lunch", "boolean", "checkbox"),
    ("way", "choice", "radio"), ("tools", "multiple_choice", ""), ("urgency", "integer", "scale"),
    ("pin", "masked", ""), ("beside", "container_start", ""), ("day", "date", ""), ("split", "container_split", ""),
    ("stay", "duration", ""), ("plan", "attachment", ""),
    ("end", "container_end", ""), ("line", "break", ""), ("title", "label", ""), ("rules", "rich_text", ""),
)  # fmt: skip
"""Of the item that is written by hand: key, type and display of its questions."""
QUESTIONS: dict[str, Document] = {name: {"label": name.capitalize(), "description": ""} for name, _, _ in KINDS}
for _name in ("size", "way", "tools"):
    QUESTIONS[_name] |= _SMALL
QUESTIONS["urgency"] |= {"min": 1, "max": 5, "mandatory": True}
QUESTIONS["rules"] |= {"description": "Read **this** first:\n\n- [the rules](https://example.com/)"}
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
LEFT_ALONE = answers.WIFI
"""Offered to the consumer, and not activated by it."""


def trade(stage: Stage) -> None:
    """Orders completed, at work, new, rejected and cancelled; a draft, a parked delivery, an open registration."""
    offer(stage)
    for name in (answers.SD_WAN, answers.INTERNET, answers.MOBILE, answers.SWITCH):
        activate(stage, name)
    stand_beside(stage)
    order(stage, answers.SWITCH, answers.SWITCHES)
    fulfil(stage, order(stage, answers.MOBILE, answers.BACKUP))
    stage.consumer.post(f"/requests/{order(stage, answers.SWITCH, answers.SWITCHES)['id']}/cancel", {"reason": "Twice"})
    talk(stage, order(stage, answers.SD_WAN, answers.PACKAGES))
    park(stage, order(stage, answers.INTERNET, answers.FAST))
    reject(stage, order(stage, answers.INTERNET, answers.TOO_FAST))
    draft = {"catalog_item_id": item(stage, answers.INTERNET)["id"], "requested_by": ADA, **answers.TOO_FAST}
    stage.consumer.post("/drafts", draft)
    contact = {"contact_name": "Hank Scorpio", "contact_email": "hank@globex.example"}
    stage.provider().post("/registrations", {"company": "Globex", **contact})
    write_by_hand(stage)
    wait_for_approval(stage)


def offer(stage: Stage) -> None:
    """The catalog taken in, the consumer connected, and items offered to everybody."""
    stage.provider().post("/catalog/import", json.loads(CATALOG.read_text()))
    stage.connect()
    for name in OFFERED:
        offer_to_all(stage, name)
    stage.until(lambda: len(list(stage.consumer.pages("/catalog-items"))) == len(OFFERED))


def write_by_hand(stage: Stage) -> None:
    """An item with a question of each kind and a table, first in every list by its name, active at the consumer; its
    next revision is a draft.
    """
    questions = [{"key": name, **QUESTIONS[name], "type": type_, "display": display} for name, type_, display in KINDS]
    people = {"key": "people", "label": "People", "many": True, "min_rows": 2, "variables": questions[:4]}
    form = {"variables": questions, "sets": [people], "besides": ["contacts", "note"]}
    made = stage.provider().post("/remote-record-producers", {"name": WRITTEN, "help_text": "Ask early.", "form": form})
    path = f"/remote-record-producers/{made['identity']}/publish"
    stage.provider().post(path, {"criteria": {"all_consumers": True}})
    stage.until(lambda: stage.find(f"/catalog-items/{made['identity']}"))
    stage.consumer.post(f"/catalog-items/{made['identity']}/activate")
    stage.provider().post(f"/remote-record-producers/{made['identity']}/checkout")


def offer_to_all(stage: Stage, name: str) -> None:
    """Publish the first revision."""
    producer = next(one for one in stage.provider().pages("/remote-record-producers") if one["name"] == name)
    stage.provider().post(
        f"/remote-record-producers/{producer['identity']}/publish", {"criteria": {"all_consumers": True}}
    )


def item(stage: Stage, name: str) -> Document:
    """The consumer's copy."""
    return next(one for one in stage.consumer.pages("/catalog-items") if one["name"] == name)


def activate(stage: Stage, name: str) -> None:
    stage.consumer.post(f"/catalog-items/{item(stage, name)['id']}/activate")


def order(stage: Stage, name: str, wanted: Mapping[str, Any]) -> Document:
    """A request that has become an order, as the consumer sees it."""
    asked = {"catalog_item_id": item(stage, name)["id"], "requested_by": ADA, **wanted}
    made = stage.consumer.post("/requests", asked)

    def ordered() -> Document | None:
        request: Document = stage.consumer.get(f"/requests/{made['id']}")
        return request if request["order_state"] == "new" else None

    return stage.until(ordered)


def approve(stage: Stage, request: Document) -> str:
    """The number of the order."""
    number: str = request["order_number"]
    stage.provider("order_manager").post(f"/orders/{number}/approve")
    return number


def reject(stage: Stage, request: Document) -> None:
    reason = {"reason": "No 10 Gbit/s there"}
    stage.provider("order_manager").post(f"/orders/{request['order_number']}/reject", reason)


def fulfil(stage: Stage, request: Document) -> None:
    """Approve it and complete every task."""
    number, agent = approve(stage, request), stage.provider("fulfilment_agent")
    while tasks := list(agent.pages("/order-tasks", order=number, state="open")):
        for task in tasks:
            agent.post(f"/order-tasks/{task['number']}/complete")


def talk(stage: Stage, request: Document) -> None:
    """Comments both ways, a work note, and one task begun."""
    number, agent = approve(stage, request), stage.provider("fulfilment_agent")
    agent.post(f"/orders/{number}/comments", {"text": "Which entrance should the technician use?"})
    agent.post(f"/orders/{number}/work-notes", {"text": "The depot has two edge devices left."})
    comment = {"text": "The loading bay, please; ring at gate 2.", "author_name": ADA["name"]}
    stage.consumer.post(f"/requests/{request['id']}/comments", comment)
    task = next(iter(agent.pages("/order-tasks", order=number, state="open")))
    agent.post(f"/order-tasks/{task['number']}/start")
    stage.until(stage.is_quiet)


def park(stage: Stage, request: Document) -> None:
    """The consumer refuses the news of one request; what was refused three times is set aside at the provider."""
    stage.consumer.put("/faults", {"mode": "reject", "stream": f"provider_task/{request['id']}"})
    approve(stage, request)
    stage.until(
        lambda: let_time_pass(stage) or any(True for _ in stage.provider().pages("/deliveries", state="parked"))
    )
    stage.consumer.put("/faults", {"mode": "ok"})


def let_time_pass(stage: Stage) -> None:
    """What the provider will try again in a minute, it tries again now."""
    database = Database(stage.deployment.provider.database_url)
    with database.transaction() as session:
        session.execute(update(Stream).where(Stream.failures > 0, Stream.due_at.is_not(None)).values(due_at=LONG_AGO))
    database.close()
