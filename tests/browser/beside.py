"""What stands beside orders, told through the APIs with the texts that are given: cases and scratchpads, incidents and
tickets, contracts, live choices, personas and groups, questions and approvals of the consumer's own, and what it is
asked to approve.
"""

from __future__ import annotations

from typing import Any

from sxg.databases import add_consumer_user
from tests.case_factories import FORM
from tests.choice_factories import CENTRES, DATA_CENTRES
from tests.e2e.stage import Stage
from tests.file_factories import PDF, file_question

Document = dict[str, Any]

BADGE = "Visitor badge"
FIELDS = [{"source": name, "target": name} for name in ("short_description", "state", "priority", "category")]


def stand_beside(stage: Stage) -> None:
    """Two of each kind; what waits for somebody, too. Needs a connected consumer."""
    report_faults(stage)
    tie_tickets(stage, "Incidents")
    tie_tickets(stage, "Network incidents")
    stage.provider().post("/remote-task-definitions", {"name": "Alarms"})  # a draft
    for number in (1, 2):
        write_texts(stage, f"Gold {number}")
        stage.provider().post("/choice-definitions", {**_choices(f"data-centres-{number}"), "description": ""})
        stage.provider().put(f"/choice-definitions/data-centres-{number}/rows", {"rows": CENTRES})
    ask_for_persona(stage)
    change_words(stage)


def change_words(stage: Stage) -> None:
    """Words of the consumer's own, for a state that no order has and for a field that nothing ties."""
    path = f"/connections/{stage.connection_id}"
    ends = {"provider_table": "incident", "provider_field": "resolution", "consumer_table": "ticket"}
    table = {**ends, "consumer_field": "description", "inbound": {"net": "network"}}
    stage.provider().put(f"{path}/transforms", {"transforms": {"resolution": table}})
    states = stage.provider().get(f"{path}/mapping")["tables"]["order_state"]
    states["rows"]["enrichment_on_hold"]["state_label"] = "In our queue"
    stage.provider().put(f"{path}/mapping", {"tables": {"order_state": states}})


def write_texts(stage: Stage, text: str) -> None:
    """One of each record that can be told by a name of at most 120 characters."""
    admin, here = stage.provider(), stage.consumer
    admin.post("/contracts", {"name": text, "connection_id": stage.connection_id, "starts_on": "2026-01-01"})
    admin.post("/personas", {"name": text, "description": text})
    told = {"short_description": text, "description": text}
    case = admin.post("/cases", {"connection_id": stage.connection_id, **told, "priority": "high"})
    admin.post(f"/provider-tasks/{case['number']}/approvals", {"subject": text})
    admin.post("/incidents", {"short_description": text, "category": text[:80], "assigned_to": text[:80]})
    here.post(
        "/tickets", {"short_description": text, "category": text[:80], "assigned_to": text[:80], "opened_by": text}
    )
    here.post("/groups", {"name": text})


def report_faults(stage: Stage) -> None:
    """Cases asked for by an item that needs no order: one taken up, with a file as an answer, scratchpad and
    approvals; one with a solution proposed.
    """
    form = {"variables": [*FORM["variables"], file_question("photo", label="Photo")], "sets": []}
    made = stage.provider().post("/remote-record-producers", {"name": "Report a fault", "form": form})
    identity = made["identity"]
    stage.provider().post(f"/remote-record-producers/{identity}/publish", {"criteria": {"all_consumers": True}})
    stage.until(lambda: stage.find(f"/catalog-items/{identity}"))
    stage.consumer.post(f"/catalog-items/{identity}/activate")
    asked = {"catalog_item_id": identity, "characteristics": {"symptom": "No light"}, "requested_by": {"name": "Ada"}}
    photo = stage.consumer.upload("/files?name=photo.pdf&author_name=Ada", PDF, "application/pdf")
    seen = asked | {"characteristics": {"symptom": "No light", "photo": photo}}
    taken, solved = (stage.consumer.post("/requests", one) for one in (seen, asked))
    agent = stage.provider("fulfilment_agent")
    for request in (taken, solved):
        stage.until(lambda request=request: stage.consumer.get(f"/requests/{request['id']}")["state"] == "received")
        agent.post(f"/cases/{request['number']}/take")
    agent.put(f"/provider-tasks/{taken['number']}/scratchpad/carrier", {"value": "UPS", "client_visible": True})
    ask_for_approvals(stage, taken)
    agent.post(f"/cases/{solved['number']}/solution", {"code": "solved", "text": "Line replaced."})


def ask_for_approvals(stage: Stage, request: Document) -> None:
    """Three on one task, one of them withdrawn; the consumer knows of all."""
    agent, path = stage.provider("fulfilment_agent"), f"/provider-tasks/{request['number']}/approvals"
    agent.post(path, {"subject": "Extra cost of 200 EUR for the second visit", "due_on": "2100-01-31"})
    agent.post(path, {"subject": "Work on Saturday"})
    withdrawn = agent.post(path, {"subject": "A new router"})["approval_id"]
    agent.post(f"{path}/{withdrawn}/withdraw", {"reason": "The old one works again."})
    here = f"/requests/{request['id']}/task-approvals"
    stage.until(lambda: "withdrawn" in [one["state"] for one in stage.consumer.get(here)["items"]])


def tie_tickets(stage: Stage, name: str) -> None:
    """A definition that the consumer has activated, and a ticket that it ties to an incident by itself."""
    lines = {"inbound": FIELDS, "outbound": FIELDS}
    made = stage.provider("exchange_admin").post("/remote-task-definitions", {"name": name, **lines})
    path = f"/remote-task-definitions/{made['identity']}"
    stage.provider("exchange_admin").post(f"{path}/publish", {"criteria": {"connection_ids": [stage.connection_id]}})
    stage.until(lambda: stage.find(path))
    stage.consumer.post(f"{path}/activate", {"trigger": {"category": name}})
    ticket = {"short_description": "The line is down", "category": name, "opened_by": "Ada"}
    path = f"/tickets/{stage.consumer.post('/tickets', ticket)['id']}"
    stage.until(lambda: any(one["status"] == "connected" for one in stage.consumer.get(path)["remote_tasks"]))


def ask_for_persona(stage: Stage) -> None:
    """An item for one persona, with a question of the consumer's own and approval; one user may, one waits."""
    admin, here = stage.provider(), stage.consumer
    for name, role in (("olga", "requester"), ("otto", "requester"), ("grace", "approver")):
        add_consumer_user(stage.deployment.consumer.database_url, name, [role])
    persona = admin.post("/personas", {"name": "Security officer", "description": "Orders badges."})
    form = {"variables": FORM["variables"], "sets": []}
    identity = admin.post("/remote-record-producers", {"name": BADGE, "form": form})["identity"]
    admin.post(f"/remote-record-producers/{identity}/personas", {"persona_ids": [persona["id"]]})
    admin.post(f"/remote-record-producers/{identity}/publish", {"criteria": {"all_consumers": True}})
    stage.until(lambda: (stage.find(f"/catalog-items/{identity}") or {}).get("personas"))
    here.post(f"/catalog-items/{identity}/activate")
    own = {"key": "cost_centre", "label": "Cost centre", "type": "text", "mandatory": False}
    here.put(f"/catalog-items/{identity}/settings/variables", {"variables": [own]})
    here.put(f"/catalog-items/{identity}/settings/approval", {"needs_approval": True, "above_quantity": 0})
    told = {"connection_id": stage.connection_id, "persona_ids": [persona["id"]]}
    here.post("/authorised-users", {**told, "name": "olga"})
    users = f"/authorised-users?connection={stage.connection_id}"
    stage.until(lambda: here.get(users)["items"][0]["approval"] == "approved")
    admin.put(f"/connections/{stage.connection_id}/authorised-user-rules", {"approval": "by_person", "limit": 5})
    here.post("/authorised-users", {**told, "name": "otto"})


def wait_for_approval(stage: Stage) -> None:
    """Of the item of `ask_for_persona`."""
    (badge,) = (one for one in stage.consumer.pages("/catalog-items") if one["name"] == BADGE)
    asked = {"catalog_item_id": badge["id"], "characteristics": {"symptom": "Blue"}, "requested_by": {"name": "olga"}}
    stage.consumer.post("/requests", asked | {"own": {"cost_centre": "4711"}})


def _choices(name: str) -> Document:
    return DATA_CENTRES | {"name": name}
