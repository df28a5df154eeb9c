"""What the worlds of `tests/api/worlds.py` hold of remote tasks: definitions, incidents, tickets, transforms."""

from typing import Any
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.field_maps import default_map
from bridge.models import Connection
from consumer_sim.models_remote_tasks import RemoteTaskDefinition
from consumer_sim.services import remote_task_definitions, remote_tasks, tickets
from provider.models.remote_tasks import RemoteTask
from provider.services import incidents, remote_task_care, transforms
from provider.services import remote_task_definitions as definitions
from provider.services.remote_tasks import accept_task
from tests.consumer_factories import Consumer
from tests.factories import AGENT, NOW

Document = dict[str, Any]
EVERYONE = {"all_consumers": True}
PRIORITY = {"source": "priority", "target": "priority"}
WHO: dict[str, Any] = {"actor": AGENT, "now": NOW}
VALUES = {"priority": {"value": "critical", "version": 1, "by": "consumer"}}
TABLES = {
    "priority": {
        "provider_table": "incident", "provider_field": "priority", "consumer_table": "ticket",
        "consumer_field": "priority", "inbound": {"low": "4"},
    }
}  # fmt: skip


def make_definition(session: Session, name: str, *, published: bool = True) -> str:
    """The identity of a definition for everybody."""
    body = {"name": name, "inbound": [PRIORITY], "outbound": [PRIORITY]}
    identity = definitions.draft_definition(session, body, **WHO).identity
    if published:
        definitions.publish_definition(session, identity, EVERYONE, **WHO)
    return identity


def told_task(identity: str, number: int, prefix: str = "ACME", **changes: Any) -> Document:
    """A remote task as `docs/wire.md` 7 describes it."""
    return {
        "id": str(uuid4()), "number": f"{prefix}-RT{number:07d}", "revision": 1, "definition_id": identity,
        "definition_revision": 1, "parent": {"id": str(uuid4()), "number": f"TKT{number:07d}"}, "fields": VALUES,
        "requested_by": {"name": "Ada"}, "opened_at": "2026-11-21T09:00:00.000Z", **changes,
    }  # fmt: skip


def tie(session: Session, connection_id: str, told: Document) -> RemoteTask:
    accept_task(session, connection_id, told | {"opened_at": NOW}, now=NOW)
    return session.scalars(select(RemoteTask).where(RemoteTask.external_id == told["id"])).one()


def add_to_provider(session: Session, connection: Connection) -> tuple[Document, Document, Document]:
    """Ids by their names in paths, bodies by endpoint, and ids of an endpoint's own."""
    used, free, retired, draft, revised, old, ended = (
        make_definition(session, name, published=name != "Draft")
        for name in ("Used", "Free", "Retired", "Draft", "Revised", "Old", "Ended")
    )
    definitions.retire_definition(session, retired, **WHO)
    for identity in (revised, old):
        definitions.checkout_definition(session, identity, **WHO)
    definitions.publish_definition(session, old, EVERYONE, **WHO)
    tied, stopped, running = (tie(session, connection.id, told_task(used, number)) for number in (1, 2, 3))
    remote_task_care.disconnect_task(session, stopped.number, reason="Later.", **WHO)
    transforms.change_transforms(session, connection.id, TABLES, **WHO)
    waiting = tie(session, connection.id, told_task(used, 4))
    transforms.reset_transforms(session, connection.id, **WHO)
    ours, unwanted = (incidents.open_incident(session, {"short_description": "Slow"}, **WHO) for _ in range(2))
    comment = {"id": str(uuid4()), "text": "Hi", "author": {"name": "Ada"}, "created_at": "2026-11-21T09:00:00.000Z"}
    content = {"name": "Better", "description": "Work for us.", "inbound": [PRIORITY], "outbound": []}
    whole = {"short_description": "Slow", "state": "closed", "priority": "2", "category": None, "resolution": "Done."}
    bodies = {
        "definitions.draft": content | {"name": "Another"},
        "definitions.edit": content,
        "definitions.publish": {"criteria": EVERYONE},
        "incidents.open_one": whole,
        "incidents.change": whole,
        "incidents.comment": {"text": "On it."},
        "incidents.note": {"text": "Ask the depot."},
        "incidents.disconnect": {"reason": "Done elsewhere."},
        "transforms.change": {"transforms": TABLES},
        "transforms.dry_run": {"transforms": TABLES},
        "exchange_remote_tasks.report_activation": {"state": "active", "revision": 1},
        "exchange_remote_tasks.connect": told_task(used, 9),
        "exchange_remote_tasks.change_fields": {"fields": VALUES},
        "exchange_remote_tasks.add_comment": comment,
        "exchange_remote_tasks.settle_standing": {"stopped": "Not now.", "missed": [str(uuid4())]},
        "exchange_remote_tasks.tell_problems": {"problems": [{"key": "priority", "reason": "It is closed."}]},
    }
    ids = {
        "definition_id": used, "remote_task_id": tied.external_id, "task_number": tied.number,
        "incidents.number": ours.number,
    }  # fmt: skip
    own = {
        "definitions.edit": {"definition_id": draft},
        "definitions.checkout": {"definition_id": free},
        "definitions.retire": {"definition_id": ended},
        "definitions.delete": {"definition_id": retired},
        "definitions.cancel_draft": {"definition_id": revised},
        "definitions.archive": {"definition_id": old},
        "incidents.delete": {"number": unwanted.number},
        "incidents.connect": {"task_number": stopped.number},
        "incidents.disconnect": {"task_number": running.number},
        "incidents.replay": {"task_number": waiting.number},
    }
    return ids, bodies, own


def make_told_definition(session: Session, one: Consumer, name: str) -> RemoteTaskDefinition:
    """As a provider told of it, active here."""
    lines = default_map()
    for direction in lines:
        lines[direction].append(lines[direction][0] | PRIORITY | {"key": "priority", "label": "Priority"})
    definition = RemoteTaskDefinition(
        connection_id=one.connection_id, id=str(uuid4()), revision=1, name=name, description="",
        provider_table="incident", consumer_table="ticket", lines=lines, state="pending_activation", overrides={},
        trigger={}, updated_at=NOW,
    )  # fmt: skip
    session.add(definition)
    session.flush()
    remote_task_definitions.activate_definition(session, definition, now=NOW)
    return definition


def add_to_consumer(session: Session, one: Consumer) -> tuple[Document, Document, Document]:
    """As `add_to_provider`."""
    used, unused = (make_told_definition(session, one, name) for name in ("Used", "Unused"))
    opened = [tickets.open_ticket(session, {"short_description": "Down"}, opened_by="Ada", now=NOW) for _ in range(4)]
    ticket, free, unwanted, other = opened
    tied, stopped = (tickets.tie_ticket(session, one_of, used, opened_by="Ada", now=NOW) for one_of in (ticket, other))
    remote_tasks.disconnect_task(session, stopped, reason="Later.", now=NOW)
    whole = {"short_description": "Down", "state": "closed", "priority": "high", "category": None}
    decided = {
        "inbound": {"priority": {"source": "category"}}, "outbound": {"priority": {"sync_when": "never"}},
        "trigger": {"priority": "critical"},
    }  # fmt: skip
    bodies = {
        "tickets.open_one": whole | {"opened_by": "Ada"},
        "tickets.change": whole,
        "tickets.write": {"text": "Any news?", "author_name": "Ada", "work_note": False},
        "tickets.tie": {"definition_id": used.id, "connection_id": one.connection_id, "opened_by": "Ada"},
        "tickets.disconnect": {"reason": "Done elsewhere."},
        "tickets.activate": decided,
    }
    ids = {"ticket_id": ticket.id, "remote_task_id": tied.id, "definition_id": used.id}
    own = {
        "tickets.delete": {"ticket_id": unwanted.id},
        "tickets.tie": {"ticket_id": free.id},
        "tickets.connect": {"remote_task_id": stopped.id},
        "tickets.deactivate": {"definition_id": unused.id},
    }
    return ids, bodies, own
