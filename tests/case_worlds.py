"""What the generated tests of routes need of tasks without an order, and of scratchpads."""

from typing import Any
from uuid import uuid4

from sqlalchemy.orm import Session

from bridge.models import Connection
from bridge.vocabulary import EventType
from consumer_sim.services import scratchpads as consumer_scratchpads
from consumer_sim.services import tasks
from provider.services import cases, scratchpads, task_approvals
from provider.services.intake import submit_provider_task
from tests.case_factories import fault_report, make_authored_item
from tests.consumer_factories import Consumer, event
from tests.factories import AGENT, NOW

Document = dict[str, Any]
Parts = tuple[dict[str, str], dict[str, Document], dict[str, dict[str, str]]]
ANSWER: Document = {"answer": "accept", "reason": "Fine.", "answered_by": {"name": "Ada"}}
ENTRY: Document = {
    "id": str(uuid4()), "name": "asset", "value": "A-1", "client_visible": True, "author": {"name": "assets"},
}  # fmt: skip


def add_to_provider(session: Session, connection: Connection) -> Parts:
    """Ids by the names in paths, bodies by endpoint, and ids for endpoints that need a record of their own."""
    item = make_authored_item(session, connection.id)
    received, taken, worked, asked, solved, answered = (
        _case(session, connection.id, fault_report(item, number)) for number in range(70, 76)
    )
    for number, _ in (taken, worked, asked, solved, answered):
        cases.take_case(session, number, actor=AGENT, now=NOW)
    cases.ask_consumer(session, asked[0], question="Which floor?", actor=AGENT, now=NOW)
    for number, _ in (solved, answered):
        cases.propose_solution(session, number, code="solved", text="Replaced.", actor=AGENT, now=NOW)
    said: Document = {"short_description": "A line is down", "description": "", "priority": "high"}
    opened = [cases.open_case(session, connection.id, **said, actor=AGENT, now=NOW).task for _ in range(2)]
    scratchpads.write_entry(session, received[0], "carrier", "UPS", client_visible=True, author="ann", now=NOW)
    asked_of = [
        task_approvals.ask_approval(session, received[0], subject="A second visit", due_on=None, actor=AGENT, now=NOW)
        for _ in range(2)
    ]
    to_answer, to_withdraw = (one["approval_id"] for one in asked_of)
    ids = {"task_approvals.number": received[0], "task_approvals.approval_id": to_withdraw}
    ids |= {"cases.number": received[0], "scratchpads.number": received[0], "scratchpads.name": "carrier"}
    bodies = {
        "cases.open_one": {"connection_id": connection.id, **said},
        "cases.ask": {"question": "Which floor?"},
        "cases.propose": {"code": "solved", "text": "Replaced."},
        "cases.close": {"reason": "No answer."},
        "cases.cancel": {"reason": "A false alarm."},
        "cases.comment": {"text": "We are on it."},
        "cases.note": {"text": "Ask the depot."},
        "scratchpads.put": {"value": "DHL", "client_visible": True},
        "task_approvals.ask": {"subject": "Extra cost of 200 EUR", "due_on": "2026-12-01"},
        "task_approvals.withdraw": {"reason": "Not needed."},
        "exchange_task_approvals.answer": {
            "approval_id": to_answer,
            "answer": "approve",
            "reason": "Fine.",
            "answered_by": {"name": "Ada"},
        },
        "exchange_cases.answer": ANSWER,
        "exchange_cases.acknowledge": {"acknowledged_by": {"name": "Ada"}},
        "exchange_cases.write_entry": ENTRY,
    }
    own_ids = {
        "cases.ask": {"number": taken[0]},
        "cases.propose": {"number": worked[0]},
        "cases.resume": {"number": asked[0]},
        "cases.close": {"number": solved[0]},
        "cases.cancel": {"number": opened[0].number},
        **{f"exchange_task_approvals.{name}": {"task_id": received[1]} for name in ("list_own", "answer")},
        "exchange_cases.answer": {"task_id": answered[1]},
        "exchange_cases.acknowledge": {"task_id": opened[1].external_id},
    }
    return ids, bodies, own_ids


def add_to_consumer(one: Consumer) -> Parts:
    """The same of a consumer."""
    solved, opened, noted = (str(uuid4()) for _ in range(3))
    one.verdicts([case_changed(solved, 1, state="resolved", resolution=RESOLUTION), case_changed(noted, 1)])
    one.verdicts([case_changed(opened, 1, opened_by="provider", number="PT0000001")])
    approval = str(uuid4())
    one.verdicts([approval_changed(noted, approval, 2)])
    with one.context.database.transaction() as session:
        task = tasks.lock_task(session, one.connection_id, noted)
        consumer_scratchpads.write_entry(session, task, "asset", "A-1", client_visible=True, author="assets", now=NOW)
    bodies: dict[str, Document] = {
        "cases.answer": {"answer": "accept", "answered_by": "Ada"},
        "cases.acknowledge": {"acknowledged_by": "Ada"},
        "task_approvals.answer": {"decided_by": "grace of the world", "answer": "approve", "reason": "Fine."},
        "cases.put_entry": {"value": "A-2", "client_visible": True, "author_name": "assets"},
    }
    noting = {"task_id": noted, "name": "asset"}
    own_ids = {
        "cases.answer": {"task_id": solved},
        "cases.acknowledge": {"task_id": opened},
        **{f"task_approvals.{name}": {"task_id": noted, "approval_id": approval} for name in ("list_all", "answer")},
        **{f"cases.{name}": noting for name in ("list_entries", "get_entry", "put_entry", "remove_entry")},
    }
    return {"cases.name": "asset"}, bodies, own_ids


RESOLUTION = {"code": "solved", "label": "Solved", "text": "Line replaced."}


def case_changed(task_id: str, sequence: int, **data: Any) -> str:
    whole = {
        "task_id": task_id,
        "number": f"ACME-PT{int(task_id[:6], 16):09d}",
        "state": "received",
        "state_label": "Received",
        "reason": None,
        "opened_by": "consumer",
        "short_description": "Report a fault",
        "description": "",
        "priority": "moderate",
        "resolution": None,
        "acknowledged_by": None,
        "acknowledged_at": None,
        "opened_at": "2026-11-21T09:00:00.000Z",
    }
    return event(EventType.CASE_CHANGED, f"provider_task/{task_id}", sequence, whole | data)


def approval_changed(task_id: str, approval_id: str, sequence: int, **data: Any) -> str:
    whole = {
        "task_id": task_id,
        "approval_id": approval_id,
        "subject": "Extra cost of 200 EUR",
        "due_on": "2026-12-01",
        "state": "open",
        "state_label": "Waiting for an answer",
        "asked_by": {"name": "ann", "company": "Northwind"},
        "asked_at": "2026-11-21T09:00:00.000Z",
        "settled_by": None,
        "settled_at": None,
        "reason": None,
    }
    return event(EventType.APPROVAL_CHANGED, f"provider_task/{task_id}", sequence, whole | data)


def entry_changed(task_id: str, sequence: int, **data: Any) -> str:
    whole = {
        "task_id": task_id,
        "name": "carrier",
        "value": "UPS",
        "client_visible": True,
        "author": {"name": "shipping", "company": "Northwind"},
        "written_at": "2026-11-21T09:00:00.000Z",
        "write_id": None,
    }
    return event(EventType.SCRATCHPAD_CHANGED, f"provider_task/{task_id}", sequence, whole | data)


def _case(session: Session, connection_id: str, request: Document) -> tuple[str, str]:
    submit_provider_task(session, connection_id, request, now=NOW)
    return request["number"], request["id"]
