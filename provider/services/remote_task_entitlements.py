"""Which consumers may use which definition: computed from criteria, never edited by hand, told at once."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from bridge.models import Connection
from bridge.outbox import NewEvent, record_events
from bridge.vocabulary import ConnectionState, EventType
from provider.domain.catalog import RemoteRecordProducerState
from provider.domain.criteria import judge
from provider.domain.errors import Conflict, NotFound
from provider.models.remote_tasks import RemoteTaskDefinition, RemoteTaskEntitlement
from provider.services.criteria import read_consumers
from provider.services.pages import Page, read_page
from provider.services.remote_task_stops import stop_tasks

_S = RemoteRecordProducerState
_E = RemoteTaskEntitlement


def refresh_definitions(
    session: Session, now: datetime, *, identity: str | None = None, connection_ids: Collection[str] | None = None,
    additive: bool = False,
) -> int:  # fmt: skip
    """Bring the right to definitions in line with their criteria, and tell each connection concerned. How many changed.

    The caller holds the guard. What cannot be judged neither grants nor removes. Whoever loses a definition keeps its
    records; the tasks are disconnected.
    """
    definitions = _definitions(session, identity)
    rows = _entitlements(session, identity, connection_ids)
    if not definitions and not rows:
        return 0
    active = Connection.state == ConnectionState.ACTIVE
    where = [active] if connection_ids is None else [active, Connection.id.in_(list(connection_ids))]
    consumers = read_consumers(session, [one.criteria or {} for one in definitions.values()], *where)
    changed = 0
    for key, definition in definitions.items():
        judged = {c: judge(definition.criteria or {}, one).holds for c, one in consumers.items()}
        fitting = [c for c, holds in judged.items() if holds]
        lost = [row for c, holds in judged.items() if holds is False and (row := rows.get((key, c))) is not None]
        changed += _grant(session, definition, fitting, rows, now)
        changed += _withdraw(session, key, [] if additive else lost, "not_entitled", now)
    for key in sorted({key for key, _ in rows} - definitions.keys()):
        changed += _withdraw(session, key, [row for (of, _), row in rows.items() if of == key], "retired", now)
    return changed


def tell_definition(session: Session, identity: str, *, now: datetime) -> None:
    """Tell those that may use a definition which revisions of it are left; who has another active activates anew."""
    revisions = session.scalars(
        select(RemoteTaskDefinition).where(
            RemoteTaskDefinition.identity == identity,
            RemoteTaskDefinition.state.in_([_S.PUBLISHED, _S.INACTIVE]),
        )
    ).all()
    published = next((one for one in revisions if one.state == _S.PUBLISHED), None)
    if published is None:
        return
    left = sorted(one.revision for one in revisions)
    rows = session.scalars(select(_E).where(_E.identity == identity, _E.entitled).order_by(_E.connection_id)).all()
    for row in rows:
        if row.active_revision is not None and row.active_revision not in left:
            row.consumer_state, row.active_revision, row.updated_at = "pending_activation", None, now
    _tell(session, definition_data(published) | {"revisions": left}, [row.connection_id for row in rows], now)


def tell_again(session: Session, connection_id: str, identity: str, *, now: datetime) -> None:
    """Tell a connection whether it may use a definition, and which."""
    definition = session.scalars(_usable(connection_id).where(RemoteTaskDefinition.identity == identity)).first()
    if definition is not None:
        _tell(session, definition_data(definition), [connection_id], now)
        return
    data = {"definition_id": identity, "reason": "not_entitled"}
    event = NewEvent(_stream(identity), EventType.REMOTE_TASK_DEFINITION_REMOVED, data)
    record_events(session, [event], to=[connection_id], now=now)


def end_definitions(session: Session, connection_id: str, *, now: datetime) -> None:
    """The connection has ended: it has a right to nothing, and its tasks are disconnected. Records stay."""
    for row in _entitlements(session, None, [connection_id]).values():
        row.entitled, row.updated_at = False, now
        stop_tasks(session, row.identity, "The connection has ended.", connection_ids=[connection_id], now=now)


def definition_data(definition: RemoteTaskDefinition) -> dict[str, Any]:
    """A definition in the words of the wire."""
    return {
        "definition_id": definition.identity,
        "revision": definition.revision,
        "name": definition.name,
        "description": definition.description,
        "provider_table": definition.provider_table,
        "consumer_table": definition.consumer_table,
        "inbound": definition.lines["inbound"],
        "outbound": definition.lines["outbound"],
    }


def list_for_connection(
    session: Session, connection_id: str, *, limit: int, after: Sequence[Any] | None
) -> Page[RemoteTaskDefinition]:
    """The published definitions that a connection may use."""
    return read_page(session, _usable(connection_id), [RemoteTaskDefinition.identity], limit=limit, after=after)


def accept_activation(
    session: Session, connection_id: str, identity: str, *, state: str, revision: int, now: datetime
) -> RemoteTaskEntitlement:
    """What a consumer did with a definition. Raises NotFound, and Conflict `revision_archived`."""
    entitlement = lock_entitlement(session, connection_id, identity)
    if state == "active":
        get_usable_revision(session, identity, revision)
        entitlement.active_revision = revision
    entitlement.consumer_state, entitlement.updated_at = state, now
    return entitlement


def lock_entitlement(session: Session, connection_id: str, identity: str) -> RemoteTaskEntitlement:
    """The right of a connection to a definition; so two calls of one consumer come one after the other. Raises
    NotFound.
    """
    query = select(_E).where(_E.connection_id == connection_id, _E.identity == identity, _E.entitled)
    found = session.scalars(query.with_for_update()).first()
    if found is None:
        raise NotFound("remote task definition", identity)
    return found


def get_usable_revision(session: Session, identity: str, revision: int) -> RemoteTaskDefinition:
    """A revision that may be used: published, or an older one that is not archived. Raises Conflict."""
    query = select(RemoteTaskDefinition).where(
        RemoteTaskDefinition.identity == identity, RemoteTaskDefinition.revision == revision
    )
    found = session.scalars(query).first()
    if found is None or found.state not in (_S.PUBLISHED, _S.INACTIVE):
        state = found.state if found is not None and found.state != _S.DRAFT else "not there"
        raise Conflict("revision_archived", f"revision {revision} is {state}; activate the newest")
    return found


def _definitions(session: Session, identity: str | None) -> dict[str, RemoteTaskDefinition]:
    query = select(RemoteTaskDefinition).where(RemoteTaskDefinition.state == _S.PUBLISHED)
    if identity is not None:
        query = query.where(RemoteTaskDefinition.identity == identity)
    return {one.identity: one for one in session.scalars(query.order_by(RemoteTaskDefinition.identity))}


def _entitlements(
    session: Session, identity: str | None, connection_ids: Collection[str] | None
) -> dict[tuple[str, str], RemoteTaskEntitlement]:
    query = select(_E)
    if identity is not None:
        query = query.where(_E.identity == identity)
    if connection_ids is not None:
        query = query.where(_E.connection_id.in_(list(connection_ids)))
    rows = session.scalars(query.order_by(_E.identity, _E.connection_id).with_for_update())
    return {(one.identity, one.connection_id): one for one in rows}


def _grant(
    session: Session, definition: RemoteTaskDefinition, connection_ids: Sequence[str],
    rows: Mapping[tuple[str, str], RemoteTaskEntitlement], now: datetime,
) -> int:  # fmt: skip
    news = []
    for connection_id in connection_ids:
        row = rows.get((definition.identity, connection_id))
        if row is not None and row.entitled and row.revision == definition.revision:
            continue
        if row is None:
            row = _E(connection_id=connection_id, identity=definition.identity)
            session.add(row)
        if not row.entitled:
            row.active_revision = None
        row.entitled, row.revision, row.updated_at = True, definition.revision, now
        row.consumer_state = "pending_activation"
        news.append(connection_id)
    session.flush()
    if news:
        _tell(session, definition_data(definition), news, now)
    return len(news)


def _withdraw(
    session: Session, identity: str, rows: Sequence[RemoteTaskEntitlement], reason: str, now: datetime
) -> int:
    entitled = [row for row in rows if row.entitled]
    if not entitled:
        return 0
    for row in entitled:
        row.entitled, row.active_revision, row.updated_at = False, None, now
    lost = [row.connection_id for row in entitled]
    why = "The definition is retired." if reason == "retired" else "This consumer may not use the definition any more."
    stop_tasks(session, identity, why, connection_ids=lost, now=now)
    data = {"definition_id": identity, "reason": reason}
    event = NewEvent(_stream(identity), EventType.REMOTE_TASK_DEFINITION_REMOVED, data)
    record_events(session, [event], to=lost, now=now)
    return len(lost)


def _tell(session: Session, data: dict[str, Any], connection_ids: Sequence[str], now: datetime) -> None:
    event = NewEvent(_stream(data["definition_id"]), EventType.REMOTE_TASK_DEFINITION_CHANGED, data)
    record_events(session, [event], to=connection_ids, now=now)


def _stream(identity: str) -> str:
    return f"remote_task_definition/{identity}"


def _usable(connection_id: str) -> Select[RemoteTaskDefinition]:
    return (
        select(RemoteTaskDefinition)
        .join(_E, (_E.identity == RemoteTaskDefinition.identity) & (_E.connection_id == connection_id) & _E.entitled)
        .where(RemoteTaskDefinition.state == _S.PUBLISHED)
    )
