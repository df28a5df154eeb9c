"""How a consumer gets in: a one-time token, credentials against it, and a challenge that proves the callback.

Order of locks: guard, registration, connection.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bridge import envelope, signing
from bridge.carriers import WebhookCarrier
from bridge.draining import Fault
from bridge.egress import AddressGuard
from bridge.errors import RefusedAddress
from bridge.identity import Identity, Keyring
from bridge.models import Connection, Lease
from bridge.vocabulary import ConnectionState, EventType, Verdict
from provider.domain.errors import Conflict, FieldError, InvalidFields, NotFound
from provider.models.access import AccessToken, Credential, Registration
from provider.services.audit import record_audit
from provider.services.connections import as_id, get_connection
from provider.services.entitlements import lock_guard, refresh_entitlements
from provider.services.errors import ChallengeFailed, RegistrationTokenInvalid
from provider.services.numbers import next_number
from provider.services.pages import Page, read_page
from provider.services.tokens import CLIENT_SECRET, REGISTRATION, new_token, token_hash

TOKEN_LIFE = timedelta(hours=24)
CHALLENGE_DEADLINE_S = 5.0
PREFIX_LIMIT = 12


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a consumer says of itself with its token."""

    instance_id: str
    name: str
    callback_url: str
    number_prefix: str
    version: str


@dataclass(frozen=True, slots=True)
class Admission:
    """A connection with its credentials in clear: shown once, never stored so."""

    connection: Connection
    client_secret: str
    webhook_secret: str


@dataclass(frozen=True, slots=True)
class Challenge:
    """A question for one callback, under the credentials of the moment it was asked."""

    connection: Connection
    client_id: str | None
    event_text: str
    nonce: str


def create_registration(
    session: Session, *, company: str, contact_name: str, contact_email: str, actor: str, now: datetime
) -> tuple[Registration, str]:
    """A new registration and its token, which is shown this once."""
    token = new_token(REGISTRATION)
    registration = Registration(
        id=str(uuid4()),
        number=next_number(session, "registration"),
        company=company,
        contact_name=contact_name,
        contact_email=contact_email,
        state="open",
        token_hash=token_hash(token),
        token_expires_at=now + TOKEN_LIFE,
        created_at=now,
    )
    session.add(registration)
    session.flush()
    record_audit(session, actor, "registration.create", f"registration/{registration.id}", now, {"company": company})
    return registration, token


def reissue_token(session: Session, registration_id: str, *, actor: str, now: datetime) -> tuple[Registration, str]:
    """A new token; the former one ends. Raises NotFound, Conflict once the registration is closed."""
    found = select(Registration).where(Registration.id == as_id("registration", registration_id)).with_for_update()
    registration = session.execute(found).scalar_one_or_none()
    if registration is None:
        raise NotFound("registration", registration_id)
    if registration.state.startswith("closed"):
        message = f"registration {registration.number} is closed; create a new one"
        raise Conflict("registration_closed", message, state=registration.state)
    token = new_token(REGISTRATION)
    registration.token_hash, registration.token_expires_at = token_hash(token), now + TOKEN_LIFE
    record_audit(session, actor, "registration.reissue", f"registration/{registration.id}", now)
    return registration, token


def list_registrations(session: Session, *, limit: int, after: Sequence[Any] | None) -> Page[Registration]:
    """All registrations, by number."""
    return read_page(session, select(Registration), [Registration.number], limit=limit, after=after)


def complete_registration(
    session: Session, keyring: Keyring, guard: AddressGuard, token: str, introduction: Introduction, *, now: datetime
) -> Admission:
    """Credentials for whoever holds the token. Until the callback is verified each call voids what the former gave.

    Raises RegistrationTokenInvalid, InvalidFields (/callback_url), or Conflict if the instance is connected already.
    """
    lock_guard(session)
    registration = _registration_of(session, token, now)
    _check_callback(guard, introduction.callback_url)  # whoever has no token learns nothing of what we may reach
    connection = _connection_of(session, registration, introduction, now)
    _check_unique(session, connection, introduction)
    admission = _issue_credentials(session, keyring, connection)
    registration.state = "work_in_progress"
    actor = f"registration/{registration.id}"
    record_audit(session, actor, "registration.complete", f"connection/{connection.id}", now)
    return admission


def prepare_challenge(session: Session, identity: Identity, connection_id: str, *, now: datetime) -> Challenge:
    """What to send to the callback; sending happens between two transactions."""
    connection = get_connection(session, connection_id)
    nonce = secrets.token_urlsafe(32)
    event_text = render_unsequenced(identity, EventType.CHALLENGE, connection.id, {"challenge": nonce}, now)
    return Challenge(connection, connection.client_id, event_text, nonce)


def send_challenge(carrier: WebhookCarrier, challenge: Challenge) -> None:
    """Raises ChallengeFailed unless the callback echoes the nonce in time."""
    connection = challenge.connection
    answer = carrier.deliver_now(connection, challenge.event_text, deadline_s=CHALLENGE_DEADLINE_S)
    if isinstance(answer, Fault):
        raise ChallengeFailed(answer.detail)
    if answer.verdict is not Verdict.APPLIED or answer.challenge != challenge.nonce:
        raise ChallengeFailed("the answer does not echo the challenge with the verdict applied")


def send_test_event(carrier: WebhookCarrier, identity: Identity, connection: Connection, *, now: datetime) -> str:
    """What the consumer answered to a test event, `applied` if all is well; else what went wrong."""
    event_text = render_unsequenced(identity, EventType.TEST, connection.id, {}, now)
    answer = carrier.deliver_now(connection, event_text, deadline_s=CHALLENGE_DEADLINE_S)
    return answer.detail if isinstance(answer, Fault) else str(answer.verdict)


def activate_connection(session: Session, challenge: Challenge, *, now: datetime) -> Connection:
    """The callback is proven: spend the token, open the connection, send the catalog. Repeating it changes nothing.

    Raises ChallengeFailed if the credentials were issued anew meanwhile: what was proven is then not what is live.
    """
    lock_guard(session)
    owner = select(Registration).where(Registration.connection_id == challenge.connection.id).with_for_update()
    registration = session.execute(owner).scalar_one_or_none()
    connection = get_connection(session, challenge.connection.id, lock=True)
    if connection.client_id != challenge.client_id or connection.peer_url != challenge.connection.peer_url:
        raise ChallengeFailed("the registration was completed again while the challenge was under way")
    if connection.state != ConnectionState.PENDING:
        return connection
    connection.state = ConnectionState.ACTIVE
    if registration is not None:
        registration.state, registration.token_hash = "closed_complete", None
    session.flush()
    actor = f"connection/{connection.id}"
    record_audit(session, actor, "connection.activate", actor, now)
    refresh_entitlements(session, now, connection_id=connection.id)
    return connection


def render_unsequenced(
    identity: Identity, event_type: EventType, connection_id: str, data: dict[str, str], now: datetime
) -> str:
    """An event outside of any stream, as text."""
    return envelope.render(
        event_id=str(uuid4()),
        source=identity.source,
        event_type=event_type,
        subject=f"connection/{connection_id}",
        time=now,
        data_text=envelope.render_data(data),
    )


def _check_callback(guard: AddressGuard, url: str) -> None:
    try:
        guard.check_url(url)
    except RefusedAddress as refusal:
        raise InvalidFields([FieldError("/callback_url", "refused_address", refusal.reason)]) from None


def _registration_of(session: Session, token: str, now: datetime) -> Registration:
    """Locked, so that of calls at the same moment each sees what the one before it issued, and voids it."""
    query = select(Registration).where(Registration.token_hash == token_hash(token)).with_for_update()
    registration = session.execute(query).scalar_one_or_none()
    if registration is None or registration.token_expires_at <= now:
        raise RegistrationTokenInvalid
    return registration


def _connection_of(
    session: Session, registration: Registration, introduction: Introduction, now: datetime
) -> Connection:
    """The registration's connection with what the consumer says now, made at the first call."""
    if registration.connection_id is None:
        connection = Connection(id=str(uuid4()), state=ConnectionState.PENDING, settings={}, created_at=now)
    else:
        connection = get_connection(session, registration.connection_id, lock=True)
    connection.name = introduction.name
    connection.peer_url = introduction.callback_url
    connection.peer_instance_id = introduction.instance_id
    connection.number_prefix = _free_prefix(session, introduction.number_prefix, connection.id)
    connection.settings = connection.settings | {"peer_version": introduction.version}
    if registration.connection_id is None:
        session.add(connection)
        session.flush()  # the rows below point at it, and nothing else tells the session so
        session.add(Lease(connection_id=connection.id))
        registration.connection_id = connection.id
    return connection


def _free_prefix(session: Session, wanted: str, connection_id: str) -> str:
    """`wanted`, or with the lowest number behind it that is free; the guard keeps others from taking it."""
    query = select(Connection.number_prefix).where(Connection.id != connection_id)
    taken = set(session.execute(query).scalars())
    prefix, number = wanted, 1
    while prefix in taken:
        number += 1
        prefix = f"{wanted[: PREFIX_LIMIT - len(str(number))]}{number}"
    return prefix


def _check_unique(session: Session, connection: Connection, introduction: Introduction) -> None:
    """One connection for each instance and each callback: a second one would receive and order everything twice."""
    others = select(Connection.peer_instance_id).where(
        Connection.id != connection.id,
        Connection.state != ConnectionState.REVOKED,
        (Connection.peer_instance_id == introduction.instance_id) | (Connection.peer_url == introduction.callback_url),
    )
    if session.execute(others).first() is not None:
        raise Conflict(
            "already_connected", "this instance or this callback is connected already; revoke that one first"
        )


def _issue_credentials(session: Session, keyring: Keyring, connection: Connection) -> Admission:
    client_secret, webhook_secret = new_token(CLIENT_SECRET), signing.new_secret(secrets.token_bytes(32))
    connection.client_id = str(uuid4())
    connection.secrets = keyring.seal({"webhook": [webhook_secret]})
    session.execute(delete(AccessToken).where(AccessToken.connection_id == connection.id))
    session.execute(delete(Credential).where(Credential.connection_id == connection.id))
    session.flush()
    session.add(Credential(connection_id=connection.id, client_secret_hash=token_hash(client_secret)))
    return Admission(connection, client_secret, webhook_secret)
