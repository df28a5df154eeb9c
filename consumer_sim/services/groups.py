"""Groups of our users. What a group holds, each of its members holds; whoever leaves it, holds it no more."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from bridge.database import insert_into
from bridge.forms import FormError, FormErrors
from bridge.ids import new_id
from bridge.models import Connection
from bridge.vocabulary import ConnectionState
from consumer_sim.models import User
from consumer_sim.models_personas import Group, GroupMember, GroupPersonas
from consumer_sim.services.authorised_users import tell_users
from consumer_sim.services.errors import NotFound
from consumer_sim.services.personas import check_known

SORTS = ("name", "members")


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group with its members (id, name) and the ids of its personas by connection."""

    group: Group
    members: Sequence[tuple[str, str]]
    persona_ids: dict[str, list[str]]


def create_group(session: Session, name: str, *, now: datetime) -> Group:
    """Raises FormErrors (/name) for a name that is taken."""
    row = {"id": new_id(), "name": name.strip(), "created_at": now}
    statement = insert_into(session, Group).values(row).on_conflict_do_nothing(index_elements=["name"])
    if session.execute(statement.returning(Group.id)).first() is None:
        raise FormErrors([FormError("/name", "taken", f"There is a group {name.strip()} already.")])
    return session.get_one(Group, row["id"])


def delete_group(session: Session, group_id: str, *, now: datetime) -> None:
    """Its members keep what they hold otherwise. Raises NotFound, ConnectionNotUsable."""
    group = get_group(session, group_id, lock=True)
    members, connections = _member_ids(session, group_id), _connection_ids(session, group_id)
    session.execute(delete(GroupPersonas).where(GroupPersonas.group_id == group_id))
    session.execute(delete(GroupMember).where(GroupMember.group_id == group_id))
    session.delete(group)
    session.flush()
    _tell(session, connections, members, now)


def set_members(session: Session, group_id: str, user_ids: Iterable[str], *, now: datetime) -> None:
    """Exactly these. Raises NotFound, FormErrors (/user_ids), LimitReached, ConnectionNotUsable."""
    get_group(session, group_id, lock=True)
    before, wanted = _member_ids(session, group_id), list(dict.fromkeys(user_ids))
    known = set(session.scalars(select(User.id).where(User.id.in_(wanted))))
    if wrong := [place for place, one in enumerate(wanted) if one not in known]:
        raise FormErrors([FormError(f"/user_ids/{place}", "not_found", "There is no such user.") for place in wrong])
    session.execute(delete(GroupMember).where(GroupMember.group_id == group_id))
    session.add_all(GroupMember(group_id=group_id, user_id=one) for one in wanted)
    session.flush()
    _tell(session, _connection_ids(session, group_id), before ^ set(wanted), now)


def set_group_personas(
    session: Session, group_id: str, connection_id: str, persona_ids: Sequence[str], *, now: datetime
) -> None:
    """What its members hold with this provider. Raises NotFound, FormErrors (/persona_ids), LimitReached,
    ConnectionNotUsable.
    """
    get_group(session, group_id, lock=True)
    wanted = check_known(session, connection_id, persona_ids)
    row = session.get(GroupPersonas, (connection_id, group_id))
    if row is None:
        row = GroupPersonas(connection_id=connection_id, group_id=group_id)
        session.add(row)
    row.persona_ids = wanted
    session.flush()
    _tell(session, [connection_id], _member_ids(session, group_id), now)


def get_group(session: Session, group_id: str, *, lock: bool = False) -> Group:
    """Raises NotFound."""
    group = session.get(Group, group_id, with_for_update=lock or None)
    if group is None:
        raise NotFound("group", group_id)
    return group


def view_group(session: Session, group_id: str) -> GroupView:
    """Raises NotFound."""
    group = get_group(session, group_id)
    query = select(User.id, User.name).join(GroupMember, GroupMember.user_id == User.id)
    members = session.execute(query.where(GroupMember.group_id == group_id).order_by(User.name))
    held = session.scalars(select(GroupPersonas).where(GroupPersonas.group_id == group_id))
    return GroupView(group, [(row[0], row[1]) for row in members], {one.connection_id: one.persona_ids for one in held})


def group_document(session: Session, group_id: str) -> dict[str, Any]:
    """For programs. Raises NotFound."""
    view = view_group(session, group_id)
    members = [{"id": key, "name": name} for key, name in view.members]
    held = [{"connection_id": key, "persona_ids": ids} for key, ids in sorted(view.persona_ids.items())]
    return {"id": view.group.id, "name": view.group.name, "members": members, "personas": held}


def search_groups(
    session: Session, *, text: str, sort: str, descending: bool, offset: int, limit: int
) -> tuple[list[tuple[Group, int]], int]:
    """One page of the groups with how many members each has, and how many groups there are."""
    members = select(GroupMember.group_id, func.count().label("n")).group_by(GroupMember.group_id).subquery()
    count = func.coalesce(members.c.n, 0)
    query = select(Group, count).outerjoin(members, members.c.group_id == Group.id)
    if text:
        query = query.where(Group.name.icontains(text, autoescape=True))
    total = session.scalar(select(func.count()).select_from(query.with_only_columns(Group.id).subquery())) or 0
    key = count if sort == "members" else func.lower(Group.name)
    rows = session.execute(query.order_by(key.desc() if descending else key, Group.name).offset(offset).limit(limit))
    return [(row[0], row[1]) for row in rows], total


def _tell(session: Session, connection_ids: Iterable[str], user_ids: Iterable[str], now: datetime) -> None:
    wanted = sorted(user_ids)
    for connection_id in sorted(connection_ids):
        tell_users(session, connection_id, wanted, now=now)


def _member_ids(session: Session, group_id: str) -> set[str]:
    return set(session.scalars(select(GroupMember.user_id).where(GroupMember.group_id == group_id)))


def _connection_ids(session: Session, group_id: str) -> list[str]:
    """Those that still can be told something."""
    query = select(GroupPersonas.connection_id).join(Connection, Connection.id == GroupPersonas.connection_id)
    living = Connection.state.not_in((ConnectionState.PENDING, ConnectionState.REVOKED))
    return list(session.scalars(query.where(GroupPersonas.group_id == group_id, living)))
