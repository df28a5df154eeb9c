"""Where a consumer is sent its events, changed without registering anew: the new address must prove itself first, and
until it has, everything goes to the former one.
"""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge import signing
from bridge.egress import AddressGuard
from bridge.identity import Identity, Keyring
from bridge.models import Connection
from provider.domain.errors import NotFound
from provider.models.access import Registration
from provider.services.audit import record_audit
from provider.services.connections import as_id, get_connection
from provider.services.errors import ChallengeFailed, ConnectionNotActive
from provider.services.registrations import Challenge, check_address, check_callback, check_free, prepare_challenge


def want_callback(
    session: Session, guard: AddressGuard, connection_id: str, url: str, *, by_consumer: bool, actor: str, now: datetime
) -> Connection:
    """Note the new address, to be proven. A consumer may go only where its registration lets it; our people anywhere
    that may be called. Raises InvalidFields, Conflict, ConnectionNotActive.
    """
    connection = get_connection(session, connection_id, lock=True)
    if connection.secrets is None:
        raise ConnectionNotActive(connection.state)
    registration = session.scalars(select(Registration).where(Registration.connection_id == connection.id)).first()
    if by_consumer and registration is not None:
        check_callback(guard, registration, url)
    else:
        check_address(guard, "/callback_url", url)
    check_free(session, connection, url)
    if connection.new_url != url:
        detail = {"from": connection.peer_url, "to": url}
        record_audit(session, actor, "connection.callback_wanted", f"connection/{connection.id}", now, detail)
    connection.new_url, connection.new_url_problem = url, None
    return connection


def prepare_move(session: Session, identity: Identity, connection_id: str, *, now: datetime) -> Challenge:
    """A challenge for the new address. Raises ChallengeFailed when none is wanted."""
    connection = get_connection(session, connection_id)
    if connection.new_url is None:
        raise ChallengeFailed("no other address is wanted")
    there = Connection(id=connection.id, peer_url=connection.new_url, secrets=connection.secrets)
    return replace(prepare_challenge(session, identity, connection.id, now=now), connection=there)


def settle_move(session: Session, challenge: Challenge, *, actor: str, now: datetime) -> Connection:
    """The address is proven: events go there from now. Raises ChallengeFailed if another one was wanted meanwhile."""
    connection = get_connection(session, challenge.connection.id, lock=True)
    proven = challenge.connection.peer_url
    if proven is None or proven not in (connection.new_url, connection.peer_url):
        raise ChallengeFailed("another address was wanted while the challenge was under way")
    check_free(session, connection, proven)
    if connection.peer_url != proven:
        detail = {"from": connection.peer_url, "to": proven}
        record_audit(session, actor, "connection.callback_changed", f"connection/{connection.id}", now, detail)
    connection.peer_url, connection.new_url, connection.new_url_problem = proven, None, None
    session.info.setdefault("due", set()).add(connection.id)
    return connection


def note_failure(session: Session, connection_id: str, problem: str) -> None:
    """Why the new address did not prove itself; it stays wanted, and may be tried again."""
    connection = get_connection(session, connection_id, lock=True)
    if connection.new_url is not None:
        connection.new_url_problem = problem[:2000]


def prove_ourselves(
    session: Session, keyring: Keyring, connection_id: str, nonce: str, *, now: datetime
) -> dict[str, str]:
    """The headers of a signature that only this provider can make for this connection: so a consumer whose people were
    told another address of ours finds out, before it sends any credential there. Raises NotFound.
    """
    connection = get_connection(session, as_id("connection", connection_id))
    if connection.secrets is None:
        raise NotFound("connection", connection_id)
    secrets = keyring.open(connection)["webhook"]
    body = f"proof:{nonce}".encode()
    return signing.sign(body, message_id=f"proof_{connection.id}", now_s=int(now.timestamp()), secrets=secrets)
