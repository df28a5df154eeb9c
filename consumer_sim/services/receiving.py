"""A batch of the provider's events, from proven bytes to verdicts: what is accepted has its effects once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bridge import inbox, outbox
from bridge.envelope import Event, Judgement
from bridge.errors import BridgeError
from bridge.heartbeats import answer_digests, rows_of
from bridge.inbox import Handler, Rejection
from bridge.models import Connection
from bridge.vocabulary import EventType, Verdict
from consumer_sim.models import ProviderConnection
from consumer_sim.services.attachments import AttachmentHandler
from consumer_sim.services.authorised_users import AuthorisedUserHandler, ConnectionSettingsHandler
from consumer_sim.services.cases import CaseHandler
from consumer_sim.services.catalog import CatalogItemHandler
from consumer_sim.services.comments import CommentHandler
from consumer_sim.services.faults import NO_FAULT, Fault, RejectingHandler, use_fault
from consumer_sim.services.heartbeats import HeartbeatHandler
from consumer_sim.services.history import is_held
from consumer_sim.services.offboarding import ClosedHandler
from consumer_sim.services.products import ProductHandler
from consumer_sim.services.remote_task_definitions import DefinitionHandler
from consumer_sim.services.remote_tasks import RemoteTaskHandler
from consumer_sim.services.scratchpads import ScratchpadHandler
from consumer_sim.services.task_approvals import TaskApprovalHandler
from consumer_sim.services.tasks import TaskStateHandler


class WrongSource(BridgeError):
    """An event names another source than the instance this connection was made with."""


class TombstoneHandler:
    """An event that was given up: the stream goes on without its effect."""

    def check(self, session: Session, connection_id: str, events: Sequence[Event]) -> Mapping[str, Rejection]:
        return {}

    def apply(self, session: Session, connection_id: str, events: Sequence[Event], now: datetime) -> None:
        """Nothing to do."""


class TestEventHandler:
    """The last test event is noted: its id tells people of both sides that they look at the same one."""

    def check(self, session: Session, connection_id: str, events: Sequence[Event]) -> Mapping[str, Rejection]:
        return {}

    def apply(self, session: Session, connection_id: str, events: Sequence[Event], now: datetime) -> None:
        noted = {"test_event_id": events[-1].id, "tested_at": now}
        session.execute(
            update(ProviderConnection).where(ProviderConnection.connection_id == connection_id).values(**noted)
        )


_items = CatalogItemHandler()
_definitions, _remote_tasks = DefinitionHandler(), RemoteTaskHandler()
HANDLERS: Mapping[str, Handler] = {
    EventType.CATALOG_ITEM_CHANGED: _items,
    EventType.CATALOG_ITEM_REMOVED: _items,
    EventType.PROVIDER_TASK_STATE_CHANGED: TaskStateHandler(),
    EventType.COMMENT_ADDED: CommentHandler(),
    EventType.ATTACHMENT_ADDED: AttachmentHandler(),
    EventType.CASE_CHANGED: CaseHandler(),
    EventType.SCRATCHPAD_CHANGED: ScratchpadHandler(),
    EventType.APPROVAL_CHANGED: TaskApprovalHandler(),
    EventType.PRODUCT_CHANGED: ProductHandler(),
    EventType.REMOTE_TASK_DEFINITION_CHANGED: _definitions,
    EventType.REMOTE_TASK_DEFINITION_REMOVED: _definitions,
    EventType.REMOTE_TASK_CHANGED: _remote_tasks,
    EventType.REMOTE_TASK_COMMENT_ADDED: _remote_tasks,
    EventType.AUTHORISED_USER_CHANGED: AuthorisedUserHandler(),
    EventType.CONNECTION_SETTINGS_CHANGED: ConnectionSettingsHandler(),
    EventType.TOMBSTONE: TombstoneHandler(),
    EventType.TEST: TestEventHandler(),
    EventType.HEARTBEAT: HeartbeatHandler(),
    EventType.CLOSED: ClosedHandler(),
}


def find_connection(session: Session, callback_id: str) -> Connection | None:
    """The connection behind a callback URL: known there by the id we gave it, or by the one of the wire."""
    named = select(ProviderConnection.connection_id).where(ProviderConnection.id == callback_id).scalar_subquery()
    query = select(Connection).where(Connection.id.in_([named, callback_id]))  # each by its key: no join over all
    return session.scalars(query).first()


def receive_events(
    session: Session, connection: Connection, events: Sequence[Event], *, now: datetime, fault: Fault = NO_FAULT
) -> list[Judgement]:
    """The judgement of each event, effects included. Raises WrongSource before anything is done.

    The provider is evidently up, so calls of ours that wait for its next probe go out now.
    """
    expected = f"urn:uuid:{connection.peer_instance_id}"
    for event in events:
        if event.source != expected:
            raise WrongSource(f"event {event.id} comes from {event.source}, this connection is with {expected}")
    outbox.wake(session, connection.id, now=now)  # first: the drain, too, locks the lease before any record
    judgements = _judge_passing(session, connection, events, now, fault)
    pairs = zip(events, judgements, strict=True)
    return [_echo(session, connection.id, event, judgement) for event, judgement in pairs]


def _judge_passing(
    session: Session, connection: Connection, events: Sequence[Event], now: datetime, fault: Fault
) -> Sequence[Judgement]:
    """What a restored provider tells anew waits until it knows where we are."""
    if not is_held(session, connection.id):
        return _judge(session, connection, events, now, fault)
    passing = [event for event in events if not event.sequence]
    judged = {one.id: one for one in _judge(session, connection, passing, now, fault)}
    waits = "we are telling what was lost"
    return [judged.get(event.id) or Judgement(event.id, Verdict.RETRY, reason=waits) for event in events]


def _judge(
    session: Session, connection: Connection, events: Sequence[Event], now: datetime, fault: Fault
) -> Sequence[Judgement]:
    """In the order of the events, whatever a switch makes of that."""

    def judge(batch: Sequence[Event]) -> list[Judgement]:
        return inbox.receive(session, connection.id, batch, _handlers(fault), now=now)

    if fault.distorts(events) and use_fault(session, fault):
        if fault.mode == "reorder":
            return judge(events[::-1])[::-1]
        judge(events)  # what this applies has no effect below, and is a duplicate there
    judgements = judge(events)
    if fault.mode == "reject" and any(judgement.verdict is Verdict.REJECTED for judgement in judgements):
        use_fault(session, fault)
    return judgements


def _handlers(fault: Fault) -> Mapping[str, Handler]:
    if fault.mode != "reject":
        return HANDLERS
    wrapped = {handler: RejectingHandler(handler, fault) for handler in HANDLERS.values()}
    return {event_type: wrapped[handler] for event_type, handler in HANDLERS.items()}


def _echo(session: Session, connection_id: str, event: Event, judgement: Judgement) -> Judgement:
    if event.type == EventType.HEARTBEAT:
        digests = answer_digests(session, connection_id, event.data.get("digests"))
        return replace(judgement, digests=rows_of(digests) or None)
    challenge: Any = event.data.get("challenge") if event.type == EventType.CHALLENGE else None
    return replace(judgement, challenge=challenge) if isinstance(challenge, str) else judgement
