"""Our users that a provider is asked to let order what asks for personas.

We say who, with which personas, and whether active; the provider approves. Whatever changes what one holds, by itself
or by a group, is told by `tell_users`: in the stream of the user, each time with a higher revision.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from bridge.carriers import CallAnswer
from bridge.envelope import Event
from bridge.forms import FormError, FormErrors
from bridge.ids import new_id
from bridge.inbox import Rejection
from bridge.outbox import record_call
from bridge.vocabulary import EXCHANGE_PATH, EventType
from consumer_sim.models import ProviderConnection, User
from consumer_sim.models_personas import APPROVALS, AuthorisedUser, Group, GroupMember, GroupPersonas
from consumer_sim.services import fields, requests
from consumer_sim.services.errors import LimitReached, NotFound
from consumer_sim.services.forms import list_of
from consumer_sim.services.personas import check_known

Document = dict[str, Any]

OPERATION = "authorised_user"
FINAL = frozenset({"authorised_user_limit", "revision_superseded", "not_found", "method_not_allowed"})
"""Codes that answer it; the last two are those of a provider that knows no personas."""
_TARGET = f"POST {EXCHANGE_PATH}/authorised-users"
_DECIDED: fields.Rules = {
    "authorised_user_id": fields.uuid,
    "revision": fields.number_from(1),
    "approval": fields.choice(*APPROVALS),
    "approved_persona_ids": list_of(fields.uuid),
    "reason": fields.or_null(fields.text(10_000, least=0)),
}
_TOLD: fields.Rules = {"name": fields.text(255), "persona_ids": list_of(fields.uuid), "active": fields.boolean}
_RULES: Mapping[str, fields.Rules] = {EventType.AUTHORISED_USER_CHANGED: _DECIDED}
_RECORD: Mapping[str, str] = {EventType.AUTHORISED_USER_CHANGED: "authorised_user_id"}
_SETTINGS_RULES: Mapping[str, fields.Rules] = {
    EventType.CONNECTION_SETTINGS_CHANGED: {
        "connection_id": fields.uuid,
        "authorised_user_limit": fields.or_null(fields.number_from(0)),
    }
}
_SETTINGS_RECORD: Mapping[str, str] = {EventType.CONNECTION_SETTINGS_CHANGED: "connection_id"}


class AuthorisedUserHandler:
    """Keeps what the provider decided. A user that is not known here any more is fetched with the history."""

    def check(self, session: Session, connection_id: str, events: Sequence[Event]) -> Mapping[str, Rejection]:
        return fields.rejections(events, _RULES, _RECORD)

    def apply(self, session: Session, connection_id: str, events: Sequence[Event], now: datetime) -> None:
        last = {event.data["authorised_user_id"]: event.data for event in events}
        ours = (AuthorisedUser.connection_id == connection_id, AuthorisedUser.id.in_(sorted(last)))
        for user in session.scalars(select(AuthorisedUser).where(*ours).with_for_update()).all():
            _note_decision(user, last[user.id], now)
        session.flush()


class ConnectionSettingsHandler:
    """Keeps what the provider has decided for this connection."""

    def check(self, session: Session, connection_id: str, events: Sequence[Event]) -> Mapping[str, Rejection]:
        return fields.rejections(events, _SETTINGS_RULES, _SETTINGS_RECORD)

    def apply(self, session: Session, connection_id: str, events: Sequence[Event], now: datetime) -> None:
        link = session.scalars(_link_of(connection_id)).one()
        link.authorised_user_limit = events[-1].data["authorised_user_limit"]
        session.flush()


def name_user(
    session: Session, connection_id: str, user_id: str, persona_ids: Sequence[str], *, now: datetime
) -> AuthorisedUser:
    """Ask a provider to let one of our users hold these personas; again for the same user, to let it hold others.

    Raises NotFound, FormErrors (/persona_ids), LimitReached, ConnectionNotUsable.
    """
    user = session.get(User, user_id)
    if user is None:
        raise NotFound("user", user_id)
    wanted = check_known(session, connection_id, persona_ids)
    _lock_link(session, connection_id)
    found = _find(session, connection_id, [user_id]).get(user_id)
    if found is None and not wanted:
        raise FormErrors([FormError("/persona_ids", "required", "Choose at least one persona.")])
    if found is None:
        found = _new(session, connection_id, user_id, now)
    found.persona_ids = wanted
    tell_users(session, connection_id, [user_id], now=now)
    return found


def set_active(session: Session, user: AuthorisedUser, active: bool, *, now: datetime) -> None:
    """Let the user order, or not, whatever the provider approved. Raises LimitReached, ConnectionNotUsable."""
    user.active = active
    tell_users(session, user.connection_id, [user.user_id], now=now)


def tell_again(session: Session, user: AuthorisedUser, *, now: datetime) -> None:
    """After the provider refused to take it. Raises LimitReached, ConnectionNotUsable."""
    user.told = None
    tell_users(session, user.connection_id, [user.user_id], now=now)


def tell_all_again(session: Session, connection_id: str, *, now: datetime) -> None:
    """After a restore of the provider, which may have lost some of what we said."""
    for user in session.scalars(_of_connection(connection_id).with_for_update()).all():
        if user.told is not None:
            _send(session, user, user.told, now)


def tell_users(session: Session, connection_id: str, user_ids: Iterable[str], *, now: datetime) -> None:
    """Send what is new of these users: their own personas and those of their groups. What was told already is not told
    again. Raises LimitReached, ConnectionNotUsable.
    """
    requests.must_be_usable(session, connection_id)
    wanted = sorted(set(user_ids))
    link = _lock_link(session, connection_id)  # of two at once, the second counts
    by_group = _read_group_personas(session, connection_id, wanted)
    found, names = _find(session, connection_id, wanted), _read_names(session, wanted)
    grew = False
    for user_id in wanted:
        user = found.get(user_id)
        if user is None and not by_group[user_id]:
            continue
        user = user or _new(session, connection_id, user_id, now)
        said = _say(user, names[user_id], by_group[user_id])
        grew = grew or (said["active"] and not (user.told or {}).get("active"))
        if said != user.told:
            _send(session, user, said, now)
    session.flush()
    if grew:
        _check_limit(session, connection_id, link.authorised_user_limit)


def get_user(session: Session, connection_id: str, user_id: str, *, lock: bool = False) -> AuthorisedUser:
    """By the id that it has on the wire. Raises NotFound."""
    if lock:
        _lock_link(session, connection_id)
    user = session.get(AuthorisedUser, (connection_id, user_id), with_for_update=lock or None)
    if user is None:
        raise NotFound("authorised user", user_id)
    return user


def settle_telling(session: Session, answer: CallAnswer, now: datetime) -> None:
    """The provider's final answer to what we said of a user. What it decides comes as an event."""
    key = (answer.connection_id, answer.stream.partition("/")[2])
    user = session.get(AuthorisedUser, key, with_for_update=True)
    if user is None or answer.body.get("revision") != user.revision:
        return
    known = answer.document.get("revision")
    if answer.code == "revision_superseded" and type(known) is int and user.revision <= known < 2**31 - 1:
        user.revision = known  # it knows more of this user than we do, as after a restore here
        _send(session, user, user.told or {}, now)
        return
    user.sent, user.problem = ("accepted", None) if answer.accepted else ("refused", _problem(answer))
    user.updated_at = now


def restore_users(session: Session, connection_id: str, told: Iterable[Mapping[str, Any]], *, now: datetime) -> None:
    """What the provider knows of our users, after something was lost here; those who are no users of ours stay lost."""
    documents = [one for one in told if not fields.faults(one, {**_DECIDED, **_TOLD})]
    known = {one.id: one for one in session.scalars(_of_connection(connection_id))}
    named = {one.user_id for one in known.values()}
    ids = {row.name: row.id for row in session.execute(select(User.name, User.id))}
    for one in documents:
        user, user_id = known.get(one["authorised_user_id"]), ids.get(one["name"])
        if user is None and (user_id is None or user_id in named):
            continue
        if user is None:
            user = _new(session, connection_id, str(user_id), now, key=one["authorised_user_id"])
            user.persona_ids, user.active, user.sent = list(one["persona_ids"]), one["active"], "accepted"
            user.told = {name: one.get(name) for name in ("name", "groups", "persona_ids", "active")}
        user.revision = max(user.revision, one["revision"])
        _note_decision(user, one, now)


def user_document(user: AuthorisedUser, name: str) -> Document:
    """For our own people."""
    told = user.told or {}
    shown = ("connection_id", "user_id", "active", "revision", "sent", "problem", "approval", "approved_persona_ids")
    return {
        "id": user.id,
        "name": name,
        **{one: getattr(user, one) for one in shown},
        "reason": user.reason,
        "own_persona_ids": user.persona_ids,
        "persona_ids": told.get("persona_ids") or [],
        "groups": told.get("groups") or [],
        "updated_at": requests.moment(user.updated_at),
    }


def list_users(session: Session, connection_id: str) -> list[tuple[AuthorisedUser, str]]:
    """All of one provider with their names, by name."""
    query = select(AuthorisedUser, User.name).join(User, User.id == AuthorisedUser.user_id)
    of_it = query.where(AuthorisedUser.connection_id == connection_id)
    return [(row[0], row[1]) for row in session.execute(of_it.order_by(User.name))]


def read_limit(session: Session, connection_id: str) -> int | None:
    """How many may be active; None: as many as there are."""
    link = session.scalars(_link_of(connection_id)).one()
    return link.authorised_user_limit


def _new(
    session: Session, connection_id: str, user_id: str, now: datetime, *, key: str | None = None
) -> AuthorisedUser:
    user = AuthorisedUser(
        connection_id=connection_id, id=key or new_id(), user_id=user_id, persona_ids=[], active=True, revision=0,
        told=None, sent="waiting", approval="requested", approved_persona_ids=[], created_at=now, updated_at=now,
    )  # fmt: skip
    session.add(user)
    session.flush()
    return user


def _say(user: AuthorisedUser, name: str, by_group: Mapping[str, Collection[str]]) -> Document:
    persona_ids = sorted({*user.persona_ids, *(one for ids in by_group.values() for one in ids)})
    active = user.active and bool(persona_ids)
    return {"name": name, "groups": sorted(by_group), "persona_ids": persona_ids, "active": active}


def _send(session: Session, user: AuthorisedUser, said: Document, now: datetime) -> None:
    user.told, user.revision, user.sent, user.problem, user.updated_at = said, user.revision + 1, "waiting", None, now
    body = {"id": user.id, "revision": user.revision, **said}
    record_call(session, f"authorised_user/{user.id}", OPERATION, _TARGET, body, to=user.connection_id, now=now)


def _check_limit(session: Session, connection_id: str, limit: int | None) -> None:
    if limit is None:
        return
    users = session.scalars(_of_connection(connection_id))
    counted = sum(
        1 for one in users if (one.told or {}).get("active") and one.approval != "refused" and one.sent != "refused"
    )
    if counted > limit:
        raise LimitReached(limit)


def _note_decision(user: AuthorisedUser, decided: Mapping[str, Any], now: datetime) -> None:
    user.approval, user.reason = decided["approval"], decided["reason"]
    user.approved_persona_ids, user.updated_at = list(decided["approved_persona_ids"]), now


def _find(session: Session, connection_id: str, user_ids: Collection[str]) -> dict[str, AuthorisedUser]:
    query = _of_connection(connection_id).where(AuthorisedUser.user_id.in_(user_ids))
    return {one.user_id: one for one in session.scalars(query.with_for_update())}


def _of_connection(connection_id: str) -> Select[AuthorisedUser]:
    return select(AuthorisedUser).where(AuthorisedUser.connection_id == connection_id)


def _link_of(connection_id: str) -> Select[ProviderConnection]:
    return select(ProviderConnection).where(ProviderConnection.connection_id == connection_id)


def _lock_link(session: Session, connection_id: str) -> ProviderConnection:
    """Whoever changes users of a connection comes through here first, so that nobody waits for somebody who waits."""
    link = session.scalars(_link_of(connection_id).with_for_update()).first()
    if link is None:
        raise NotFound("connection", connection_id)
    return link


def _read_names(session: Session, user_ids: Collection[str]) -> dict[str, str]:
    return {row.id: row.name for row in session.execute(select(User.id, User.name).where(User.id.in_(user_ids)))}


def _read_group_personas(
    session: Session, connection_id: str, user_ids: Collection[str]
) -> Mapping[str, dict[str, list[str]]]:
    """By user: the personas of each group of theirs, by its name."""
    query = (
        select(GroupMember.user_id, Group.name, GroupPersonas.persona_ids)
        .join(Group, Group.id == GroupMember.group_id)
        .join(GroupPersonas, GroupPersonas.group_id == Group.id)
        .where(GroupPersonas.connection_id == connection_id, GroupMember.user_id.in_(user_ids))
    )
    found: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for user_id, name, persona_ids in session.execute(query):
        if persona_ids:
            found[user_id][name] = persona_ids
    return found


def _problem(answer: CallAnswer) -> str:
    if answer.code in ("not_found", "method_not_allowed"):
        return "The provider does not know authorised users yet."
    return str(answer.document.get("detail") or answer.document.get("title") or answer.code)[:2000]
