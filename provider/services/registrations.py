"""How a consumer gets in: a one-time token, credentials against it, and a challenge that proves the callback.

Order of locks: guard, registration, connection.
"""

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID, uuid4

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bridge import envelope, signing
from bridge.address_guard import parse_target
from bridge.carriers import WebhookCarrier
from bridge.draining import Fault
from bridge.egress import AddressGuard
from bridge.errors import RefusedAddress
from bridge.identity import Identity, Keyring
from bridge.ids import new_id
from bridge.models import Connection, Lease, Rotation
from bridge.vocabulary import ConnectionState, EventType, Verdict
from provider.domain.errors import Conflict, FieldError, InvalidFields, NotFound
from provider.models.access import AccessToken, Credential, Registration
from provider.services.audit import record_audit
from provider.services.connections import get_connection, progress_of
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


@dataclass(frozen=True, slots=True)
class Echo:
    """What came of a test event; the consumer shows the same `event_id`. `detail` is `applied` if all is well."""

    event_id: str
    delivered: bool
    detail: str
    took_s: float


def create_registration(
    session: Session,
    guard: AddressGuard,
    *,
    company: str,
    contact_name: str,
    contact_email: str,
    base_url: str | None = None,
    callback_url: str | None = None,
    actor: str,
    now: datetime,
) -> tuple[Registration, str]:
    """A new registration and its token, which is shown this once.

    With a `base_url` or a `callback_url` the token is good there only. Raises InvalidFields for one that must not be
    called, or for a callback that is elsewhere.
    """
    for pointer, url in (("/base_url", base_url), ("/callback_url", callback_url)):
        if url is not None:
            check_address(guard, pointer, url)
    if callback_url is not None:
        _check_below("/callback_url", callback_url, base_url)
    token = new_token(REGISTRATION)
    registration = Registration(
        id=new_id(),
        number=next_number(session, "registration"),
        company=company,
        contact_name=contact_name,
        contact_email=contact_email,
        base_url=base_url,
        callback_url=callback_url,
        state="open",
        token_hash=token_hash(token),
        token_expires_at=now + TOKEN_LIFE,
        created_at=now,
    )
    session.add(registration)
    session.flush()
    record_audit(session, actor, "registration.create", f"registration/{registration.id}", now, {"company": company})
    return registration, token


def reissue_token(session: Session, key: str, *, actor: str, now: datetime) -> tuple[Registration, str]:
    """A new token; the former one ends. Raises NotFound, Conflict once the registration is closed."""
    registration = get_registration(session, key, lock=True)
    if registration.state.startswith("closed"):
        message = f"registration {registration.number} is closed; create a new one"
        raise Conflict("registration_closed", message, state=registration.state)
    token = new_token(REGISTRATION)
    registration.token_hash, registration.token_expires_at = token_hash(token), now + TOKEN_LIFE
    record_audit(session, actor, "registration.reissue", f"registration/{registration.id}", now)
    return registration, token


def get_registration(session: Session, key: str, *, lock: bool = False) -> Registration:
    """By its id or its number. Raises NotFound."""
    query = select(Registration).where(Registration.id == key if _is_uuid(key) else Registration.number == key)
    registration = session.execute(query.with_for_update() if lock else query).scalar_one_or_none()
    if registration is None:
        raise NotFound("registration", key[:80])
    return registration


def show_registration(registration: Registration, *, now: datetime) -> dict[str, Any]:
    """The row with its progress."""
    columns = {column.name: getattr(registration, column.name) for column in Registration.__table__.columns}
    return columns | asdict(progress_of(registration, now))


def note_problem(session: Session, problem: str, *, token: str = "", connection_id: str = "", now: datetime) -> None:
    """Keep why a consumer was refused, for those who read its registration, known by its token or its connection."""
    of_token, of_connection = Registration.token_hash == token_hash(token), Registration.connection_id == connection_id
    found = select(Registration).where(of_token if token else of_connection).with_for_update()
    registration = session.execute(found).scalar_one_or_none()
    if registration is not None:
        registration.problem, registration.problem_at = problem[:2000], now


def list_registrations(session: Session, *, limit: int, after: Sequence[Any] | None) -> Page[Registration]:
    """All registrations, by number."""
    return read_page(session, select(Registration), [Registration.number], limit=limit, after=after)


def complete_registration(
    session: Session, keyring: Keyring, guard: AddressGuard, token: str, introduction: Introduction, *, now: datetime
) -> Admission:
    """Credentials for whoever holds the token. Until the callback is verified each call voids what the former gave.

    Raises RegistrationTokenInvalid, InvalidFields (/callback_url), or Conflict if another connection has the callback.
    """
    lock_guard(session)
    registration = _registration_of(session, token, now)
    check_callback(guard, registration, introduction.callback_url)
    connection = _connection_of(session, registration, introduction, now)
    check_free(session, connection, introduction.callback_url)
    admission = _issue_credentials(session, keyring, connection)
    registration.state, registration.problem, registration.problem_at = "work_in_progress", None, None
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


def send_test_event(carrier: WebhookCarrier, identity: Identity, connection: Connection, *, now: datetime) -> Echo:
    """What the consumer answered to a test event, or what went wrong."""
    event_text = render_unsequenced(identity, EventType.TEST, connection.id, {}, now)
    began_s = time.perf_counter()
    answer = carrier.deliver_now(connection, event_text, deadline_s=CHALLENGE_DEADLINE_S)
    detail = answer.detail if isinstance(answer, Fault) else str(answer.verdict)
    took_s = round(time.perf_counter() - began_s, 3)
    return Echo(json.loads(event_text)["id"], detail == Verdict.APPLIED, detail, took_s)


def record_test(session: Session, connection_id: str, answer: Echo, *, actor: str, now: datetime) -> None:
    """So that it is known later who tested the connection, and what came of it."""
    detail = {"event_id": answer.event_id, "detail": answer.detail}
    record_audit(session, actor, "connection.test", f"connection/{connection_id}", now, detail)


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
        registration.problem, registration.problem_at = None, None
    session.flush()
    actor = f"connection/{connection.id}"
    record_audit(session, actor, "connection.activate", actor, now)
    refresh_entitlements(session, now, connection_ids=[connection.id], additive=True)
    return connection


def render_unsequenced(
    identity: Identity, event_type: EventType, connection_id: str, data: Mapping[str, Any], now: datetime
) -> str:
    """An event outside of any stream, as text."""
    return envelope.render(
        event_id=new_id(),
        source=identity.source,
        event_type=event_type,
        subject=f"connection/{connection_id}",
        time=now,
        data_text=envelope.render_data(data),
    )


def check_callback(guard: AddressGuard, registration: Registration, url: str) -> None:
    """After the token: whoever has none learns nothing of what we may reach."""
    if registration.callback_url not in (None, url):
        message = f"this registration is for {registration.callback_url}; come with that, or ask for another one"
        raise InvalidFields([FieldError("/callback_url", "other_callback", message)])
    check_address(guard, "/callback_url", url)
    _check_below("/callback_url", url, registration.base_url)


def check_address(guard: AddressGuard, pointer: str, url: str) -> None:
    """Raises InvalidFields for an address that must not be called."""
    try:
        guard.check_url(url)
    except RefusedAddress as refusal:
        raise InvalidFields([FieldError(pointer, "refused_address", refusal.reason)]) from None


def _check_below(pointer: str, url: str, base_url: str | None) -> None:
    """Raises InvalidFields unless the URL is of the base's server, and its path of the base's or below it."""
    if base_url is None:
        return
    path, above = unquote(urlsplit(url).path), unquote(urlsplit(base_url).path).rstrip("/")
    below = path == above or (path.startswith(f"{above}/") and ".." not in path.split("/"))
    if not below or parse_target(url) != parse_target(base_url):
        message = f"is not below {base_url}, the base URL of this registration"
        raise InvalidFields([FieldError(pointer, "other_base_url", message)])


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


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
        connection = Connection(id=new_id(), state=ConnectionState.PENDING, settings={}, created_at=now)
    else:
        connection = get_connection(session, registration.connection_id, lock=True)
    connection.name = introduction.name
    connection.peer_url = introduction.callback_url
    connection.peer_instance_id = introduction.instance_id
    connection.peer_epoch = connection.refused_epoch = None
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


def check_free(session: Session, connection: Connection, callback_url: str) -> None:
    """A company and an instance may have several connections, but on one callback their events would be mixed up."""
    others = select(Connection.name).where(
        Connection.id != connection.id,
        Connection.state != ConnectionState.REVOKED,
        Connection.peer_url == callback_url,
    )
    if session.execute(others).first() is not None:
        message = "another connection has this callback; give each its own, or revoke the other one first"
        raise Conflict("callback_taken", message)


def _issue_credentials(session: Session, keyring: Keyring, connection: Connection) -> Admission:
    client_secret, webhook_secret = new_token(CLIENT_SECRET), signing.new_secret(secrets.token_bytes(32))
    connection.client_id = str(uuid4())
    connection.secrets = keyring.seal({"webhook": [webhook_secret]})
    session.execute(delete(AccessToken).where(AccessToken.connection_id == connection.id))
    session.execute(delete(Credential).where(Credential.connection_id == connection.id))
    session.execute(delete(Rotation).where(Rotation.connection_id == connection.id))
    session.flush()
    session.add(Credential(connection_id=connection.id, client_secret_hash=token_hash(client_secret)))
    return Admission(connection, client_secret, webhook_secret)
