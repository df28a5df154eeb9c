"""What waits for people, counted; and how far a new instance has come."""

from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from bridge.models import Connection
from bridge.vocabulary import ConnectionState
from consumer_sim.models import CatalogItem, ProviderTask
from consumer_sim.services.approvals import Decider, count_approvals
from consumer_sim.services.case_search import count_unseen
from consumer_sim.services.draft_search import count_own_drafts
from consumer_sim.services.drafts import Writer
from consumer_sim.services.item_search import count_items
from consumer_sim.services.link_trouble import read_health
from consumer_sim.services.request_search import count_stages
from consumer_sim.services.task_approvals import count_task_approvals
from consumer_sim.services.users import Permission

_P = Permission


def count_waiting(session: Session, *, writer: Writer, permissions: AbstractSet[str], now: datetime) -> dict[str, int]:
    """How many records wait, by what they wait for; only what these permissions let one read is counted.

    Stages count the requests in them, `unseen` what providers opened, `task_approvals` what they ask us to approve,
    `drafts` those of the writer; kinds of items count the items; `trouble` counts connections.
    """
    found: dict[str, int] = {}
    if _P.REQUEST_READ in permissions:
        found |= count_stages(session)
        found["unseen"] = count_unseen(session)
    if _P.REQUEST_WRITE in permissions:
        found["drafts"] = count_own_drafts(session, writer)
    if _P.REQUEST_APPROVE in permissions:
        found["task_approvals"] = count_task_approvals(session)
        found["approvals"] = count_approvals(session, Decider(writer.id or "", writer.name, permissions))
    if _P.CONNECTION_READ in permissions:
        found |= count_items(session)
        found["trouble"] = sum(1 for health in read_health(session, now) if health.troubles)
    return found


def read_first_steps(session: Session) -> dict[str, bool]:
    """Which of the first steps of a new instance are done, in their order."""
    orderable = select(CatalogItem.id).where(CatalogItem.state == "active", CatalogItem.kind != "inventory")
    steps: dict[str, Any] = {
        "connect": exists(select(Connection.id).where(Connection.state == ConnectionState.ACTIVE)),
        "activate": exists(orderable),
        "order": exists(select(ProviderTask.id)),
    }
    row = session.execute(select(*(step.label(name) for name, step in steps.items()))).one()
    return {name: bool(done) for name, done in zip(steps, row, strict=True)}
