"""The users of consumers who hold personas: named and activated there, approved here.

What is decided here is told as an event of the user's own stream. `docs/wire.md`, section 4.6.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bridge.models import Connection
from bridge.outbox import record_event
from bridge.vocabulary import EventType
from provider.domain.catalog import RemoteRecordProducerState
from provider.domain.errors import Conflict, FieldError, InvalidFields, NotFound
from provider.models.catalog import Entitlement, RemoteRecordProducer
from provider.models.personas import AuthorisedUser
from provider.services.audit import record_audit
from provider.services.connections import as_id, get_connection
from provider.services.pages import Page, read_page

Document = dict[str, Any]

APPROVAL, LIMIT = "authorised_user_approval", "authorised_user_limit"
"""Settings of a connection: whether users are approved by themselves, and how many there may be."""
AUTOMATIC, BY_PERSON = "automatic", "by_person"
_TOLD = ("name", "groups", "persona_ids", "active")
_ORDERABLE = (RemoteRecordProducerState.PUBLISHED, RemoteRecordProducerState.INACTIVE)


def take_authorised_user(session: Session, connection_id: str, told: Document, *, now: datetime) -> AuthorisedUser:
    """What a consumer says of one of its users: `id`, `revision`, `name`, `groups`, `persona_ids`, `active`.

    The same again changes nothing. Raises InvalidFields (/persona_ids), and Conflict `revision_superseded` with the
    `revision` that is known, or `authorised_user_limit` with the `limit`.
    """
    connection = _lock(session, connection_id)
    user = session.get(AuthorisedUser, (connection_id, told["id"]), with_for_update=True)
    said = {name: told[name] for name in _TOLD}
    if user is not None and told["revision"] <= user.revision:
        if (told["revision"], said) == (user.revision, {name: getattr(user, name) for name in _TOLD}):
            return user
        message = f"revision {told['revision']} of this user came already; say it with a higher one"
        raise Conflict("revision_superseded", message, revision=user.revision)
    _check_personas(session, connection_id, told["persona_ids"], user.persona_ids if user else ())
    if user is None:
        user = AuthorisedUser(
            connection_id=connection_id, id=told["id"], approved_persona_ids=[], approval="requested", created_at=now
        )
    if told["active"] and user.approval != "refused":
        check_limit(session, connection, besides=user.id)
    for name, value in said.items():
        setattr(user, name, value)
    user.revision = told["revision"]
    _approve_by_rules(user, connection.settings)
    session.add(user)
    tell_decision(session, user, now=now)
    return user


def approve_authorised_user(
    session: Session, connection_id: str, user_id: str, *, actor: str, now: datetime
) -> AuthorisedUser:
    """Let the user hold all personas that are asked for. Raises NotFound, Conflict `authorised_user_limit`."""
    user = get_authorised_user(session, connection_id, user_id, lock=True)
    if user.approval == "approved":
        return user
    if user.approval == "refused" and user.active:
        check_limit(session, get_connection(session, user.connection_id), besides=user.id)
    user.approval, user.reason, user.approved_persona_ids = "approved", None, list(user.persona_ids)
    return _decide(session, user, "approve", actor, now)


def refuse_authorised_user(
    session: Session, connection_id: str, user_id: str, *, reason: str, actor: str, now: datetime
) -> AuthorisedUser:
    """Let the user hold none, also one who was approved before; the consumer reads why. Raises NotFound."""
    user = get_authorised_user(session, connection_id, user_id, lock=True)
    if (user.approval, user.reason) == ("refused", reason):
        return user
    user.approval, user.reason, user.approved_persona_ids = "refused", reason, []
    return _decide(session, user, "refuse", actor, now)


def set_rules(
    session: Session, connection_id: str, *, approval: str, limit: int | None, actor: str, now: datetime
) -> Connection:
    """Whether the users of a connection are approved by themselves (AUTOMATIC) or by a person, and how many of them may
    be active; the consumer is told the limit. Who is there already stays, and who waits goes on waiting.
    """
    connection = _lock(session, get_connection(session, connection_id).id)
    changed = {**connection.settings, APPROVAL: approval, LIMIT: limit}
    if changed == connection.settings:
        return connection
    is_new_limit = connection.settings.get(LIMIT) != limit
    detail = {"from": rules_of(connection.settings), "to": rules_of(changed)}
    connection.settings = changed
    record_audit(session, actor, "connection.authorised_user_rules", f"connection/{connection.id}", now, detail)
    if is_new_limit:
        tell_limit(session, connection, now=now)
    return connection


def tell_limit(session: Session, connection: Connection, *, now: datetime) -> None:
    """Tell the consumer how many of its users may be active."""
    stream, data = (
        f"connection/{connection.id}",
        {"connection_id": connection.id, LIMIT: connection.settings.get(LIMIT)},
    )
    record_event(session, stream, EventType.CONNECTION_SETTINGS_CHANGED, data, to=[connection.id], now=now)


def rules_of(settings: Mapping[str, Any]) -> Document:
    return {"approval": settings.get(APPROVAL) or AUTOMATIC, "limit": settings.get(LIMIT)}


def check_requester(
    session: Session, connection_id: str, persona_ids: Collection[str], requested_by: Mapping[str, Any]
) -> None:
    """Whoever asks holds one of the personas. Raises InvalidFields (/requested_by/authorised_user_id), in the same
    words whatever is missing: nothing is told of users that are somebody else's.
    """
    user = AuthorisedUser
    query = select(user.persona_ids, user.approved_persona_ids).where(
        user.connection_id == connection_id, user.id == requested_by.get("authorised_user_id"), user.active
    )
    row = session.connection().execute(query).first()
    if row is None or not set(persona_ids) & set(row.persona_ids) & set(row.approved_persona_ids):
        message = "this item takes requests of authorised users only: active, approved, and with one of its personas"
        raise InvalidFields([FieldError("/requested_by/authorised_user_id", "not_authorised", message)])


def check_limit(session: Session, connection: Connection, *, besides: str) -> None:
    """Whether one more user may be active. Raises Conflict `authorised_user_limit`."""
    limit = connection.settings.get(LIMIT)
    if limit is None:
        return
    others = (AuthorisedUser.connection_id == connection.id, AuthorisedUser.id != besides)
    counted = select(func.count()).where(*others, AuthorisedUser.active, AuthorisedUser.approval != "refused")
    if (session.scalar(counted) or 0) >= limit:
        message = f"this connection has its {limit} authorised users already; deactivate another one first"
        raise Conflict("authorised_user_limit", message, limit=limit)


def get_authorised_user(session: Session, connection_id: str, user_id: str, *, lock: bool = False) -> AuthorisedUser:
    """Raises NotFound."""
    key = as_id("connection", connection_id), as_id("authorised user", user_id)
    if lock:
        _lock(session, get_connection(session, key[0]).id)
    user = session.get(AuthorisedUser, key, with_for_update=lock or None, populate_existing=lock)
    if user is None:
        raise NotFound("authorised user", user_id)
    return user


def list_authorised_users(
    session: Session, connection_id: str, *, limit: int, after: Sequence[Any] | None = None
) -> Page[AuthorisedUser]:
    """Those of one connection, by id. Raises NotFound."""
    found = select(AuthorisedUser).where(AuthorisedUser.connection_id == get_connection(session, connection_id).id)
    return read_page(session, found, [AuthorisedUser.id], limit=limit, after=after)


def decision_data(user: AuthorisedUser) -> Document:
    """What is decided of a user, in the words of the wire."""
    return {
        "authorised_user_id": user.id,
        "revision": user.revision,
        "approval": user.approval,
        "approved_persona_ids": user.approved_persona_ids,
        "reason": user.reason,
    }


def user_data(user: AuthorisedUser) -> Document:
    """A user as both sides know it."""
    return decision_data(user) | {name: getattr(user, name) for name in _TOLD}


def _lock(session: Session, connection_id: str) -> Connection:
    """Whoever changes how many users there are: of two at once the second counts the first."""
    return session.scalars(
        select(Connection).where(Connection.id == connection_id).with_for_update(), {"populate_existing": True}
    ).one()


def _check_personas(session: Session, connection_id: str, persona_ids: Sequence[str], former: Collection[str]) -> None:
    """A consumer knows the personas of the items that it may order; others are none to it."""
    producer = RemoteRecordProducer
    entitled = (Entitlement.connection_id == connection_id, Entitlement.entitled, producer.state.in_(_ORDERABLE))
    query = select(producer.persona_ids).join(Entitlement, Entitlement.identity == producer.identity).where(*entitled)
    known = {one for ids in session.scalars(query) for one in ids} | set(former)
    if wrong := [place for place, one in enumerate(persona_ids) if one not in known]:
        message = "none of your items asks for such a persona"
        raise InvalidFields(FieldError(f"/persona_ids/{place}", "not_found", message) for place in wrong)


def _approve_by_rules(user: AuthorisedUser, settings: Mapping[str, Any]) -> None:
    """A refusal by a person stays. What was approved before stays approved, as far as it is still asked for."""
    if user.approval == "refused":
        return
    is_automatic = rules_of(settings)["approval"] == AUTOMATIC
    before = user.approved_persona_ids
    user.approved_persona_ids = [one for one in user.persona_ids if is_automatic or one in before]
    user.approval = "approved" if user.approved_persona_ids == user.persona_ids else "requested"


def _decide(session: Session, user: AuthorisedUser, verb: str, actor: str, now: datetime) -> AuthorisedUser:
    user.decided_by, user.decided_at = actor, now
    target = f"authorised_user/{user.connection_id}/{user.id}"
    detail = {"name": user.name, "persona_ids": user.approved_persona_ids, "reason": user.reason}
    record_audit(session, actor, f"authorised_user.{verb}", target, now, detail)
    tell_decision(session, user, now=now)
    return user


def tell_decision(session: Session, user: AuthorisedUser, *, now: datetime) -> None:
    """Tell the consumer what is decided of a user."""
    user.updated_at = now
    session.flush()
    stream, kind = f"authorised_user/{user.id}", EventType.AUTHORISED_USER_CHANGED
    record_event(session, stream, kind, decision_data(user), to=[user.connection_id], now=now)
