"""The links to consumers: who holds a token, and whether the link is open."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, exists, select, update
from sqlalchemy.orm import Session

from bridge import identity
from bridge.ailments import Ailment, find_ailments
from bridge.database import Database
from bridge.farewells import keep_farewell
from bridge.flow import Flow, read_flow, read_flows
from bridge.flow_recent import read_directions
from bridge.issues import resolve_issues
from bridge.models import Connection, Lease, Rotation, table_of
from bridge.vocabulary import ConnectionState
from provider.domain.errors import Conflict, NotFound
from provider.domain.registrations import Progress, find_progress
from provider.domain.states import StateTable
from provider.models.access import AccessToken, Credential, Registration
from provider.models.catalog import Entitlement
from provider.services.audit import record_audit
from provider.services.entitlements import lock_guard, refresh_entitlements, tell_items
from provider.services.errors import ConnectionNotActive, CredentialsInvalid, NotAuthenticated
from provider.services.pages import Page, read_page
from provider.services.pricing import SHOW_PRICES
from provider.services.remote_task_entitlements import end_definitions
from provider.services.tokens import ACCESS, new_token, token_hash

Document = dict[str, Any]

ACCESS_TOKEN_LIFE_S = 900

_S = ConnectionState
_SHOWN = (
    *("id", "name", "state", "state_reason", "peer_url", "peer_instance_id", "number_prefix", "settings"),
    "created_at",
)

CONNECTION_MOVES = StateTable(
    "connection",
    _S.PENDING,
    {
        _S.PENDING: frozenset({_S.ACTIVE, _S.REVOKED}),
        _S.ACTIVE: frozenset({_S.PAUSED, _S.DIVERGED, _S.REVOKED}),
        _S.PAUSED: frozenset({_S.ACTIVE, _S.DIVERGED, _S.REVOKED}),
        _S.DIVERGED: frozenset({_S.ACTIVE, _S.REVOKED}),
        _S.REVOKED: frozenset(),
    },
)


@dataclass(frozen=True, slots=True)
class Peer:
    """The consumer behind a bearer token.

    `is_held`: sending to it pauses, and this call should end that. `epoch` is the last one it named.
    """

    connection_id: str
    state: str
    is_held: bool
    epoch: str | None


@dataclass(frozen=True, slots=True)
class Health:
    """How the flow to a connection does, in numbers."""

    waiting: int
    parked: int
    oldest_at: datetime | None
    failures: int
    failing_since: datetime | None
    not_before: datetime | None
    last_success_at: datetime | None
    last_duration_s: float | None
    last_error: str | None
    directions: Document
    """By `out` and `in`, as heartbeats tell."""


_CONNECTIONS, _TOKENS, _LEASES = (table_of(model) for model in (Connection, AccessToken, Lease))
_IS_HELD = exists().where(_LEASES.c.connection_id == _CONNECTIONS.c.id, _LEASES.c.not_before.is_not(None))
# Built once, for it is asked before each call of a consumer.
_WHO = (
    select(_CONNECTIONS.c.id, _CONNECTIONS.c.state, _IS_HELD.label("is_held"), _CONNECTIONS.c.peer_epoch)
    .join(_TOKENS, _TOKENS.c.connection_id == _CONNECTIONS.c.id)
    .where(_TOKENS.c.token_hash == bindparam("token_hash"), _TOKENS.c.expires_at > bindparam("now"))
)


def get_connection(session: Session, connection_id: str, *, lock: bool = False) -> Connection:
    """Raises NotFound."""
    query = select(Connection).where(Connection.id == as_id("connection", connection_id))
    connection = session.execute(query.with_for_update() if lock else query).scalar_one_or_none()
    if connection is None:
        raise NotFound("connection", connection_id)
    return connection


def list_connections(session: Session, *, limit: int, after: Sequence[Any] | None) -> Page[Connection]:
    """All connections, oldest first."""
    return read_page(session, select(Connection), [Connection.created_at, Connection.id], limit=limit, after=after)


def show_connection(session: Session, connection: Connection, *, now: datetime) -> Document:
    """With the company that was registered, its `flow`, what is wrong with it, and what to do about that."""
    session.flush()
    registration = _registrations(session, [connection.id]).get(connection.id)
    return _document(connection, registration, read_flow(session, connection.id), now)


def show_connections(session: Session, connections: Sequence[Connection], *, now: datetime) -> list[Document]:
    """Several, with a number of queries that does not grow with theirs."""
    registrations = _registrations(session, [connection.id for connection in connections])
    flows = {flow.connection_id: flow for flow in read_flows(session)}
    return [_document(one, registrations.get(one.id), flows[one.id], now) for one in connections]


def progress_of(registration: Registration, now: datetime) -> Progress:
    """At which step a registration stands."""
    facts = (registration.state, registration.number, registration.problem, registration.token_expires_at)
    return find_progress(*facts, now=now)


def get_reachable(session: Session, connection_id: str) -> Connection:
    """A connection that holds secrets to sign with. Raises NotFound, ConnectionNotActive once it is revoked."""
    connection = get_connection(session, connection_id)
    if connection.secrets is None:
        raise ConnectionNotActive(connection.state)
    return connection


def as_id(noun: str, text: str) -> str:
    """A UUID in its usual form. Raises NotFound, where PostgreSQL would fail on the text."""
    try:
        return str(UUID(text))
    except ValueError:
        raise NotFound(noun, text[:80]) from None


def issue_token(session: Session, client_id: str, client_secret: str, *, now: datetime) -> tuple[str, int]:
    """A bearer token and its life in seconds. Raises CredentialsInvalid."""
    credential = session.execute(
        select(Credential)
        .join(Connection, Credential.connection_id == Connection.id)
        .where(Connection.client_id == client_id, Connection.state != ConnectionState.REVOKED)
    ).scalar_one_or_none()
    if credential is None or not _fits(session, credential, token_hash(client_secret), now):
        raise CredentialsInvalid
    owner = credential.connection_id
    session.execute(delete(AccessToken).where(AccessToken.connection_id == owner, AccessToken.expires_at <= now))
    token = new_token(ACCESS)
    expires_at = now + timedelta(seconds=ACCESS_TOKEN_LIFE_S)
    session.add(AccessToken(token_hash=token_hash(token), connection_id=owner, expires_at=expires_at))
    return token, ACCESS_TOKEN_LIFE_S


def _fits(session: Session, credential: Credential, offered: str, now: datetime) -> bool:
    """Whether this is the client secret, a former one in its grace, or the next one, which takes over by being used.
    All three are compared, so that the time taken does not tell which it was.
    """
    former = credential.former_secret_hash if (credential.former_until or now) > now else None
    current = hmac.compare_digest(credential.client_secret_hash, offered)
    was = hmac.compare_digest(former or "", offered)
    following = hmac.compare_digest(credential.next_secret_hash or "", offered)
    if following:
        session.refresh(credential, with_for_update=True)
        if credential.next_secret_hash == offered:
            _promote(session, credential, now)
    return current or was or following


def _promote(session: Session, credential: Credential, now: datetime) -> None:
    rotation = session.get_one(Rotation, (credential.connection_id, "client_secret"))
    credential.former_secret_hash, credential.client_secret_hash = (
        credential.client_secret_hash,
        str(credential.next_secret_hash),
    )
    credential.next_secret_hash = None
    rotation.state, rotation.proven_at = "proven", now
    credential.former_until = rotation.former_until = rotation.next_at = now + timedelta(seconds=rotation.grace_s)
    actor = f"connection/{credential.connection_id}"
    record_audit(session, actor, "connection.secret_proven", actor, now, {"secret": "client_secret"})


def authenticate_token(database: Database, token: str, *, now: datetime) -> Peer:
    """The consumer that holds this token. Raises NotAuthenticated."""
    row = database.look_up(_WHO, {"token_hash": token_hash(token), "now": now})
    if row is None or row.state == ConnectionState.REVOKED:
        raise NotAuthenticated
    return Peer(row.id, row.state, row.is_held, row.peer_epoch)


def check_active(peer: Peer) -> None:
    """Raises ConnectionNotActive: before the challenge, while paused and after divergence nothing is taken in."""
    if peer.state != ConnectionState.ACTIVE:
        raise ConnectionNotActive(peer.state)


def pause_connection(session: Session, connection_id: str, *, reason: str, actor: str, now: datetime) -> Connection:
    """Stop the flow both ways. What happens meanwhile is recorded and sent after the pause."""
    connection = get_connection(session, connection_id, lock=True)
    return _move(session, connection, ConnectionState.PAUSED, reason, actor, now)


def resume_connection(session: Session, connection_id: str, *, actor: str, now: datetime) -> Connection:
    """End a pause; also the word of a person that a divergence is mended. Raises IllegalMove before the challenge."""
    lock_guard(session)
    connection = get_connection(session, connection_id, lock=True)
    if connection.state == ConnectionState.PENDING:
        raise ConnectionNotActive(connection.state)
    _move(session, connection, ConnectionState.ACTIVE, None, actor, now)
    resolve_issues(session, connection.id, "paused", now=now)
    session.flush()
    refresh_entitlements(session, now, connection_ids=[connection.id], additive=True)  # to reconnect removes nothing
    session.info.setdefault("due", set()).add(connection.id)
    return connection


def settle_epoch(session: Session, connection_id: str, *, accept: bool, actor: str, now: datetime) -> Connection:
    """Say whether a consumer that was refused as a copy is the consumer itself, restored, or not. Raises Conflict when
    none was refused.
    """
    connection = get_connection(session, connection_id, lock=True)
    former = connection.peer_epoch
    epoch = identity.settle_epoch(session, connection.id, accept=accept, now=now)
    if epoch is None:
        raise Conflict("no_epoch_refused", "no copied or restored instance was refused on this connection")
    action = "connection.accept_epoch" if accept else "connection.refuse_epoch"
    record_audit(session, actor, action, f"connection/{connection.id}", now, {"from": former, "epoch": epoch})
    session.info.setdefault("due", set()).add(connection.id)
    return connection


def change_settings(
    session: Session, connection_id: str, settings: Mapping[str, Any], *, actor: str, now: datetime
) -> Connection:
    """What is decided for this consumer alone, and what it is called by: account and labels, by which criteria ask.

    Its items are told again when it may see more of them, or less; whom they are for is computed at once.
    """
    lock_guard(session)
    connection = get_connection(session, connection_id, lock=True)
    if connection.settings == (changed := {**connection.settings, **settings}):
        return connection
    detail = {"from": connection.settings, "to": changed}
    sees_more_or_less = bool(connection.settings.get(SHOW_PRICES)) != bool(changed.get(SHOW_PRICES))
    connection.settings = changed
    record_audit(session, actor, "connection.settings", f"connection/{connection.id}", now, detail)
    session.flush()
    if sees_more_or_less:
        tell_items(session, connection.id, now=now)
    refresh_entitlements(session, now, connection_ids=[connection.id])
    return connection


def revoke_connection(
    session: Session, connection_id: str, *, reason: str, told: bool = False, actor: str, now: datetime
) -> Connection:
    """End the connection for ever: its tokens, credentials and secrets are destroyed, its number prefix stays taken.

    The consumer is told when it can be reached, unless it was the consumer that `told` us. Orders and products stay.
    """
    lock_guard(session)
    connection = get_connection(session, connection_id, lock=True)
    if connection.state != ConnectionState.PENDING and connection.secrets is not None:
        keep_farewell(session, connection, reason, told=told, now=now)
    _move(session, connection, ConnectionState.REVOKED, reason, actor, now)
    connection.secrets = connection.new_url = connection.new_url_problem = None
    session.execute(delete(AccessToken).where(AccessToken.connection_id == connection.id))
    session.execute(delete(Credential).where(Credential.connection_id == connection.id))
    session.execute(
        update(Registration)
        .where(Registration.connection_id == connection.id, Registration.state != "closed_complete")
        .values(state="closed_incomplete", token_hash=None)
    )
    session.execute(
        update(Entitlement).where(Entitlement.connection_id == connection.id).values(entitled=False, updated_at=now)
    )
    end_definitions(session, connection.id, now=now)
    return connection


def _registrations(session: Session, connection_ids: Sequence[str]) -> dict[str | None, Registration]:
    found = session.execute(select(Registration).where(Registration.connection_id.in_(connection_ids))).scalars()
    return {registration.connection_id: registration for registration in found}


def _document(connection: Connection, registration: Registration | None, flow: Flow, now: datetime) -> Document:
    document = {name: getattr(connection, name) for name in _SHOWN}
    ailments = find_ailments(flow, now)
    advice = ailments[0].advice if ailments else None
    if connection.state == ConnectionState.PENDING and registration is not None:
        progress = progress_of(registration, now)
        advice = progress.advice
        ailments = [Ailment(progress.stage, progress.problem, advice or "")] if progress.problem else []
    return document | {
        "company": registration.company if registration else None,
        "registration_number": registration.number if registration else None,
        "ailments": ailments,
        "problem": "; ".join(one.fault for one in ailments) or None,
        "advice": advice,
        "flow": flow,
    }


def read_health(session: Session, connection_id: str, *, now: datetime) -> Health:
    """What waits for this connection, and what its last answers taught."""
    flow = read_flow(session, connection_id)
    lease = session.get(Lease, connection_id)
    return Health(
        waiting=flow.waiting,
        parked=flow.parked,
        oldest_at=flow.oldest_at,
        failures=flow.failures,
        failing_since=flow.failing_since,
        not_before=flow.not_before,
        last_success_at=flow.last_success_at,
        last_duration_s=lease.last_duration_s if lease else None,
        last_error=flow.last_error,
        directions=read_directions(session, flow, now),
    )


def _move(
    session: Session, connection: Connection, wanted: ConnectionState, reason: str | None, actor: str, now: datetime
) -> Connection:
    before = connection.state
    connection.state = CONNECTION_MOVES.move(ConnectionState(before), wanted)
    connection.state_reason = reason
    detail = {"from": before, "to": str(wanted), "reason": reason}
    record_audit(session, actor, "connection.move", f"connection/{connection.id}", now, detail)
    return connection
