"""A consumer tells where its streams are, after one side was restored: what it lacks is sent again, and what we forgot
is counted on from, told anew as it is here, and noted for people.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.models import Connection, IdempotencyRecord
from bridge.outbox import NewEvent, record_event, record_events
from bridge.repairing import Position, Standing, bring_together, find_forgotten, keep_place
from bridge.vocabulary import ConnectionState, EventType
from provider.domain.errors import DomainError, NotFound
from provider.models.inventory import Product
from provider.models.personas import AuthorisedUser
from provider.models.remote_tasks import RemoteTask
from provider.services import authorised_users, cases, remote_task_entitlements, scratchpads
from provider.services.audit import record_audit
from provider.services.connections import get_connection
from provider.services.entitlements import show_catalog_item
from provider.services.order_locks import lock_order_of_task
from provider.services.order_moves import tell_state
from provider.services.product_changes import tell_products
from provider.services.provider_tasks import get_task
from provider.services.remote_task_events import tell_changes, tell_task
from provider.services.remote_task_stops import lock_task
from provider.services.task_approvals import list_own_approvals

_ACTOR = "system"
_NOTE = "after a restore here they hold more than is known of "
_NOTE_LIMIT = 1000
_THEIRS = ("provider_task", "remote_task", "authorised_user")
"""Records with ids of the consumer's, which may be asked for again."""

Tell = Callable[[Session, str, str, datetime], None]


def settle_positions(
    session: Session, connection_id: str, positions: Mapping[str, Position], *, lease_s: float, now: datetime
) -> dict[str, Standing]:
    """What came of each stream. Raises DatabaseBusy while the connection is being drained."""
    connection = get_connection(session, connection_id, lock=True)
    for stream in find_forgotten(session, connection_id, positions):
        _tell_again(session, connection_id, stream, now)
    found = bring_together(session, connection_id, positions, lease_s=lease_s, now=now)
    lost = [stream for stream, standing in found.items() if standing in (Standing.RENUMBERED, Standing.UNKNOWN)]
    for stream in lost:
        detail = {"standing": found[stream], "told": positions[stream].sequence}
        if found[stream] is Standing.UNKNOWN and stream.partition("/")[0] in _THEIRS:
            keep_place(session, connection_id, stream, positions[stream], now=now)
        record_audit(session, _ACTOR, "stream.forgotten", stream, now, {"connection_id": connection_id, **detail})
    _note(connection, lost)
    return found


def find_unknown_calls(session: Session, connection_id: str, keys: Sequence[str]) -> list[str]:
    """Those of the keys of calls to which nothing was ever answered, as far as this database knows."""
    known = select(IdempotencyRecord.key).where(
        IdempotencyRecord.connection_id == connection_id, IdempotencyRecord.key.in_(keys)
    )
    found = set(session.scalars(known))
    return [key for key in keys if key not in found]


def _note(connection: Connection, lost: Sequence[str]) -> None:
    """Where people look first: at the connection, until they resume it."""
    if not lost or connection.state != ConnectionState.ACTIVE:
        return
    before = connection.state_reason or ""
    said = f"{before}, " if before.startswith(_NOTE) else _NOTE
    if len(said) < _NOTE_LIMIT:
        connection.state_reason = said + ", ".join(lost[:20]) + (" and others" if len(lost) > 20 else "")


def _tell_again(session: Session, connection_id: str, stream: str, now: datetime) -> None:
    """As the record is here now. What is gone altogether is not told of."""
    kind, _, record_id = stream.partition("/")
    tell = _TELL.get(kind)
    if tell is None:
        return
    try:
        with session.begin_nested():
            tell(session, connection_id, record_id, now)
    except DomainError:
        return


def _tell_task(session: Session, connection_id: str, record_id: str, now: datetime) -> None:
    task, stream = get_task(session, connection_id, record_id), f"provider_task/{record_id}"
    if task.order_id is None:
        locked = cases.lock_case_of_task(session, connection_id, record_id)
        cases.tell_case(session, locked.task, locked.case, now=now)
    else:
        tell_state(session, lock_order_of_task(session, connection_id, record_id), now=now)
    scratchpads.tell_entries(session, task, now=now)
    approvals = list_own_approvals(session, connection_id, record_id)
    events = [NewEvent(stream, EventType.APPROVAL_CHANGED, data) for data in approvals]
    record_events(session, events, to=[connection_id], now=now)


def _tell_product(session: Session, connection_id: str, record_id: str, now: datetime) -> None:
    mine = (Product.connection_id == connection_id, Product.id == record_id)
    tell_products(session, session.scalars(select(Product).where(*mine)).all(), now=now)


def _tell_item(session: Session, connection_id: str, record_id: str, now: datetime) -> None:
    kind = EventType.CATALOG_ITEM_CHANGED
    try:
        data = show_catalog_item(session, connection_id, record_id)
    except NotFound:
        kind, data = EventType.CATALOG_ITEM_REMOVED, {"item_id": record_id, "reason": "not_entitled"}
    record_event(session, f"catalog_item/{record_id}", kind, data, to=[connection_id], now=now)


def _tell_user(session: Session, connection_id: str, record_id: str, now: datetime) -> None:
    user = session.get(AuthorisedUser, (connection_id, record_id))
    if user is not None:
        authorised_users.tell_decision(session, user, now=now)


def _tell_definition(session: Session, connection_id: str, record_id: str, now: datetime) -> None:
    remote_task_entitlements.tell_again(session, connection_id, record_id, now=now)


def _tell_remote_task(session: Session, connection_id: str, record_id: str, now: datetime) -> None:
    mine = (RemoteTask.connection_id == connection_id, RemoteTask.external_id == record_id)
    task, incident = lock_task(session, *mine, key=record_id)
    tell_task(session, task, incident.number if incident else None, now=now)
    if incident is not None:
        tell_changes(session, task, incident, None, now=now)


def _tell_settings(session: Session, connection_id: str, record_id: str, now: datetime) -> None:
    authorised_users.tell_limit(session, get_connection(session, connection_id), now=now)


_TELL: Mapping[str, Tell] = {
    "provider_task": _tell_task,
    "product": _tell_product,
    "catalog_item": _tell_item,
    "authorised_user": _tell_user,
    "remote_task_definition": _tell_definition,
    "remote_task": _tell_remote_task,
    "connection": _tell_settings,
}
"""By what stands before the slash in the name of a stream."""
