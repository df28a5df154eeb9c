"""The consumer's own people: who they are, and what they may."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.database import insert_into
from consumer_sim.models import User
from consumer_sim.services.errors import NotFound, UserRefused


class Permission(StrEnum):
    """One thing that a role may do, as `noun.verb`."""

    CATALOG_READ = "catalog.read"
    CATALOG_WRITE = "catalog.write"
    REQUEST_READ = "request.read"
    REQUEST_WRITE = "request.write"
    REQUEST_APPROVE = "request.approve"
    """Let requests of others be sent, where an item asks for that."""
    DRAFT_WRITE = "draft.write"
    """Drafts of others; one's own come with `request.write`."""
    PRODUCT_READ = "product.read"
    CONNECTION_READ = "connection.read"
    CONNECTION_WRITE = "connection.write"
    FAULT_WRITE = "fault.write"
    USER_WRITE = "user.write"


class Role(StrEnum):
    """What a person of the consumer is."""

    ADMIN = "admin"
    REQUESTER = "requester"
    APPROVER = "approver"
    VIEWER = "viewer"


_P = Permission
_SEE = frozenset({_P.CATALOG_READ, _P.REQUEST_READ, _P.PRODUCT_READ})

ROLES: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        # Connects, activates, and may also order: the admin of ServiceNow's Service Exchange contains the requestor.
        Role.ADMIN: frozenset(Permission),
        Role.REQUESTER: _SEE | {_P.REQUEST_WRITE},
        Role.APPROVER: _SEE | {_P.REQUEST_APPROVE},
        Role.VIEWER: _SEE | {_P.CONNECTION_READ},
    }
)


def permissions_of(roles: Iterable[str]) -> frozenset[str]:
    """All that any of the roles holds; a name that is no role holds nothing."""
    held = set(roles)
    return frozenset(
        str(permission) for role, permissions in ROLES.items() if role in held for permission in permissions
    )


def holders(permission: str) -> tuple[str, ...]:
    """The roles that hold the permission."""
    return tuple(str(role) for role in Role if permission in ROLES[role])


def add_user(session: Session, name: str, roles: Iterable[str], password_hash: str | None = None) -> User:
    """A new person. Raises UserRefused for a name that is taken, or a role that there is not."""
    wanted = _known_roles(roles)
    row = {"id": str(uuid4()), "name": name, "roles": wanted, "password_hash": password_hash, "active": True}
    statement = insert_into(session, User).values(row).on_conflict_do_nothing(index_elements=["name"])
    if session.execute(statement.returning(User.id)).first() is None:
        raise UserRefused(f"there is a user {name} already")
    return session.get_one(User, row["id"])


def set_password(session: Session, name: str, password_hash: str) -> User:
    """With this one they sign in from now on. Raises NotFound."""
    user = _lock(session, name)
    user.password_hash = password_hash
    return user


def change_roles(session: Session, name: str, roles: Iterable[str]) -> User:
    """Raises NotFound, or UserRefused for a role that there is not, and when nobody could look after users any more."""
    wanted = _known_roles(roles)
    if Permission.USER_WRITE not in permissions_of(wanted):
        must_leave_another(session, name)
    user = _lock(session, name)
    user.roles = wanted
    return user


def disable_user(session: Session, name: str) -> User:
    """Raises NotFound."""
    user = _lock(session, name)
    user.active = False
    return user


def enable_user(session: Session, name: str) -> User:
    """The password is good again. Raises NotFound."""
    user = _lock(session, name)
    user.active = True
    return user


def get_user(session: Session, user_id: str) -> User:
    """Raises NotFound."""
    user = session.get(User, user_id)
    if user is None:
        raise NotFound("user", user_id)
    return user


def get_user_by_name(session: Session, name: str) -> User:
    """Raises NotFound."""
    user = find_user(session, name)
    if user is None:
        raise NotFound("user", name)
    return user


def find_user(session: Session, name: str) -> User | None:
    return session.scalars(select(User).where(User.name == name)).first()


def list_approvers(session: Session) -> list[str]:
    """The names of those who may approve requests."""
    active = session.scalars(select(User).where(User.active.is_(True)).order_by(User.name))
    return [one.name for one in active if Permission.REQUEST_APPROVE in permissions_of(one.roles)]


def list_people(session: Session) -> list[tuple[str, str]]:
    """(id, name) of all who are not blocked, by name."""
    query = select(User.id, User.name).where(User.active.is_(True)).order_by(User.name)
    return [(row.id, row.name) for row in session.execute(query)]


def _lock(session: Session, name: str) -> User:
    user = session.scalars(select(User).where(User.name == name).with_for_update()).first()
    if user is None:
        raise NotFound("user", name)
    return user


def must_leave_another(session: Session, name: str) -> None:
    """Raises UserRefused for the last one who looks after users. All of them are locked: two who leave at once do not
    count on each other.
    """
    active = select(User).where(User.active.is_(True)).order_by(User.id).with_for_update()
    found = session.scalars(active.execution_options(populate_existing=True))
    if [one.name for one in found if Permission.USER_WRITE in permissions_of(one.roles)] == [name]:
        raise UserRefused(f"only {name} may look after users; somebody has to")


def _known_roles(roles: Iterable[str]) -> list[str]:
    wanted = list(dict.fromkeys(roles))
    if not wanted or set(wanted) - set(Role):
        raise UserRefused(f"a user has one or more of these roles: {', '.join(Role)}")
    return wanted
