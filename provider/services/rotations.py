"""New secrets for a connection without a gap: the former one is good until the new one is proven, and a while longer.

wanted (by our people; the consumer is asked with each heartbeat) -> offered (it fetched the new secret) -> proven (a
challenge signed with it alone was answered, or a token was fetched with it) -> done (the former one ended). A secret
crosses only in the answer to an authenticated call, as it did in onboarding.
"""

import secrets as randomness
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge import signing
from bridge.heartbeats import beat_soon
from bridge.identity import Identity, Keyring
from bridge.models import Connection, Rotation
from provider.models.access import Credential
from provider.services.audit import record_audit
from provider.services.connections import get_connection
from provider.services.errors import ChallengeFailed, ConnectionNotActive
from provider.services.registrations import Challenge, prepare_challenge
from provider.services.tokens import CLIENT_SECRET, new_token, token_hash

WEBHOOK, CLIENT = "webhook_secret", "client_secret"
SECRETS = (WEBHOOK, CLIENT)
GRACE_S = 86_400.0
"""How long a former secret stays good, if nobody says otherwise."""


def want_rotation(
    session: Session, connection_id: str, wanted: Sequence[str], *, grace_s: float = GRACE_S, actor: str, now: datetime
) -> list[Rotation]:
    """Ask the consumer to fetch new secrets; one that is asked for already stays as it is. Raises NotFound,
    ConnectionNotActive.
    """
    connection = _open(session, connection_id)
    for secret in wanted:
        _begin(session, connection.id, secret, "wanted", grace_s, now)
    detail = {"secrets": list(wanted), "grace_s": grace_s}
    record_audit(session, actor, "connection.rotate", f"connection/{connection.id}", now, detail)
    beat_soon(session, connection.id, now=now)
    return list_rotations(session, connection.id)


def list_rotations(session: Session, connection_id: str) -> list[Rotation]:
    """The last rotation of each secret of a connection."""
    query = select(Rotation).where(Rotation.connection_id == connection_id)
    return list(session.scalars(query.order_by(Rotation.secret.desc())))


def find_wanted(session: Session, connection_id: str) -> list[str]:
    """The secrets that the consumer is to fetch, for its next heartbeat."""
    query = select(Rotation.secret).where(Rotation.connection_id == connection_id, Rotation.state == "wanted")
    return list(session.scalars(query.order_by(Rotation.secret)))


def offer_secret(session: Session, keyring: Keyring, connection_id: str, secret: str, *, now: datetime) -> str:
    """The new secret, in clear. Asked again before it is proven, it is the same webhook secret, or another client
    secret, of which only the last is good.
    """
    connection = _open(session, connection_id)
    asked_before = _state(session, connection.id, secret) == "offered"
    if not asked_before:
        _begin(session, connection.id, secret, "offered", GRACE_S, now)
        actor = f"connection/{connection.id}"
        record_audit(session, actor, "connection.secret_offered", actor, now, {"secret": secret})
    if secret == CLIENT:
        return _next_client_secret(session, connection.id)
    return _next_webhook_secret(keyring, connection, asked_before)


def prepare_proof(
    session: Session, keyring: Keyring, identity: Identity, connection_id: str, *, now: datetime
) -> Challenge:
    """A challenge that is signed with the new webhook secret alone. Raises ChallengeFailed when none is offered."""
    connection = _open(session, connection_id)
    if _state(session, connection.id, WEBHOOK) != "offered":
        raise ChallengeFailed("no new webhook secret was asked for")
    newest = {"webhook": keyring.open(connection)["webhook"][:1]}
    challenge = prepare_challenge(session, identity, connection.id, now=now)
    alone = Connection(id=connection.id, peer_url=connection.peer_url, secrets=keyring.seal(newest))
    return replace(challenge, connection=alone)


def settle_proof(session: Session, keyring: Keyring, challenge: Challenge, *, now: datetime) -> Rotation:
    """The consumer has shown that it has the new webhook secret. Raises ChallengeFailed if it was changed meanwhile."""
    connection = _open(session, challenge.connection.id)
    newest = keyring.open(connection)["webhook"][:1]
    if keyring.open(challenge.connection)["webhook"] != newest:
        raise ChallengeFailed("the webhook secret was changed while the challenge was under way")
    return mark_proven(session, connection.id, WEBHOOK, now=now)


def mark_proven(session: Session, connection_id: str, secret: str, *, now: datetime) -> Rotation:
    """From now the former secret has its grace; nothing changes for one that was proven before."""
    rotation = session.get_one(Rotation, (connection_id, secret), with_for_update=True)
    if rotation.state == "offered":
        rotation.state, rotation.proven_at, rotation.problem = "proven", now, None
        rotation.former_until = rotation.next_at = now + timedelta(seconds=rotation.grace_s)
        actor = f"connection/{connection_id}"
        record_audit(session, actor, "connection.secret_proven", actor, now, {"secret": secret})
    return rotation


def end_former_secrets(session: Session, keyring: Keyring, *, now: datetime) -> int:
    """Where the grace is over, the former secret ends. How many did."""
    due = select(Rotation).where(Rotation.state == "proven", Rotation.next_at <= now)
    ended = 0
    for rotation in session.scalars(due.order_by(Rotation.connection_id, Rotation.secret)).all():
        connection = get_connection(session, rotation.connection_id, lock=True)
        session.refresh(rotation)
        if rotation.state != "proven":
            continue  # another one has begun before the connection was locked, and its new secret is not proven yet
        ended += 1
        if rotation.secret == WEBHOOK and connection.secrets is not None:
            held = keyring.open(connection)
            connection.secrets = keyring.seal(held | {"webhook": held["webhook"][:1]})
        if rotation.secret == CLIENT and (credential := session.get(Credential, connection.id)) is not None:
            credential.former_secret_hash = credential.former_until = None
        rotation.state, rotation.next_at = "done", None
        detail = {"secret": rotation.secret}
        record_audit(session, "system", "connection.secret_ended", f"connection/{connection.id}", now, detail)
    return ended


def _open(session: Session, connection_id: str) -> Connection:
    """Locked, so that two calls do not give out two secrets for one."""
    connection = get_connection(session, connection_id, lock=True)
    if connection.secrets is None:
        raise ConnectionNotActive(connection.state)
    return connection


def _state(session: Session, connection_id: str, secret: str) -> str | None:
    return session.scalar(
        select(Rotation.state).where(Rotation.connection_id == connection_id, Rotation.secret == secret)
    )


def _begin(session: Session, connection_id: str, secret: str, state: str, grace_s: float, now: datetime) -> None:
    """A rotation that is wanted keeps its grace when the new secret is fetched."""
    rotation = session.get(Rotation, (connection_id, secret))
    if rotation is None:
        rotation = Rotation(connection_id=connection_id, secret=secret)
        session.add(rotation)
    elif state == "wanted" and rotation.state in ("wanted", "offered"):
        rotation.grace_s = grace_s
        return
    elif rotation.state == "wanted":
        rotation.state = state
        return
    rotation.state, rotation.grace_s, rotation.started_at = state, grace_s, now
    rotation.proven_at = rotation.former_until = rotation.next_at = rotation.problem = None


def _next_client_secret(session: Session, connection_id: str) -> str:
    made = new_token(CLIENT_SECRET)
    session.get_one(Credential, connection_id).next_secret_hash = token_hash(made)
    return made


def _next_webhook_secret(keyring: Keyring, connection: Connection, asked_before: bool) -> str:
    """First in the list from now: events are signed with it and with the former one."""
    held = keyring.open(connection)
    live: list[str] = held["webhook"]
    if not asked_before:
        live = [signing.new_secret(randomness.token_bytes(32)), live[0]]
        connection.secrets = keyring.seal(held | {"webhook": live})
    return live[0]
