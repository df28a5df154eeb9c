"""The provider's own people and programs: who they are, and what they may."""

from collections.abc import Iterable
from datetime import datetime
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.database import insert_into
from provider.domain.errors import Conflict, FieldError, InvalidFields, NotFound
from provider.domain.roles import Permission, Role, allowed, holders
from provider.models.access import User
from provider.services.audit import record_audit
from provider.services.errors import NotAuthenticated, NotPermitted
from provider.services.tokens import USER, new_token, token_hash


def add_user(session: Session, name: str, roles: Iterable[str], *, actor: str, now: datetime) -> tuple[User, str]:
    """A new user and the token, which is shown this once. Raises InvalidFields (roles) or Conflict (name)."""
    wanted = _known_roles(roles)
    token = new_token(USER)
    row = {"id": str(uuid4()), "name": name, "token_hash": token_hash(token), "roles": wanted, "active": True}
    statement = insert_into(session, User).values(row).on_conflict_do_nothing(index_elements=["name"])
    if session.execute(statement.returning(User.id)).first() is None:
        raise Conflict("user_exists", f"there is a user {name} already")
    record_audit(session, actor, "user.add", f"user/{name}", now=now, detail={"roles": wanted})
    return session.get_one(User, row["id"]), token


def change_roles(session: Session, name: str, roles: Iterable[str], *, actor: str, now: datetime) -> User:
    """Raises NotFound, InvalidFields (roles), or Conflict when nobody could look after users any more."""
    wanted = _known_roles(roles)
    if not allowed(wanted, Permission.USER_WRITE):
        must_leave_another(session, name)
    user = _lock_user(session, name)
    detail = {"from": user.roles, "to": wanted}
    user.roles = wanted
    record_audit(session, actor, "user.roles", f"user/{name}", now=now, detail=detail)
    return user


def disable_user(session: Session, name: str, *, actor: str, now: datetime) -> User:
    """The user's token ends at once. Raises NotFound."""
    user = _lock_user(session, name)
    user.active = False
    record_audit(session, actor, "user.disable", f"user/{name}", now=now)
    return user


def enable_user(session: Session, name: str, *, actor: str, now: datetime) -> User:
    """Token and password are good again. Raises NotFound."""
    user = _lock_user(session, name)
    user.active = True
    record_audit(session, actor, "user.enable", f"user/{name}", now=now)
    return user


def set_password(session: Session, name: str, password_hash: str, *, actor: str, now: datetime) -> User:
    """With this one they sign in to the pages from now on. Raises NotFound."""
    user = _lock_user(session, name)
    user.password_hash = password_hash
    record_audit(session, actor, "user.password", f"user/{name}", now=now)
    return user


def authenticate_user(session: Session, token: str) -> User:
    """The active user whose token this is. Raises NotAuthenticated."""
    found = select(User).where(User.token_hash == token_hash(token), User.active.is_(True))
    user = session.execute(found).scalar_one_or_none()
    if user is None:
        raise NotAuthenticated
    return user


def check_permission(user: User, permission: Permission) -> None:
    """Raises NotPermitted, which tells whose roles would do."""
    if not allowed(user.roles, permission):
        raise NotPermitted(permission, tuple(str(role) for role in holders(permission)))


def get_user(session: Session, user_id: str) -> User:
    """Raises NotFound."""
    user = session.get(User, user_id)
    if user is None:
        raise NotFound("user", user_id)
    return user


def _lock_user(session: Session, name: str) -> User:
    user = session.execute(select(User).where(User.name == name).with_for_update()).scalar_one_or_none()
    if user is None:
        raise NotFound("user", name)
    return user


def must_leave_another(session: Session, name: str) -> None:
    """Raises Conflict for the last one who looks after users. All of them are locked: two who leave at once do not
    count on each other.
    """
    active = select(User).where(User.active.is_(True)).order_by(User.id).with_for_update()
    found = session.scalars(active.execution_options(populate_existing=True))
    if [one.name for one in found if allowed(one.roles, Permission.USER_WRITE)] == [name]:
        raise Conflict("last_admin", f"only {name} may look after users; somebody has to")


def _known_roles(roles: Iterable[str]) -> list[str]:
    wanted, known = list(dict.fromkeys(roles)), set(Role)
    errors = [
        FieldError(f"/roles/{index}", "unknown", f"there is no role {role}; there are {', '.join(sorted(known))}")
        for index, role in enumerate(wanted)
        if role not in known
    ]
    if errors or not wanted:
        raise InvalidFields(errors or [FieldError("/roles", "required", "a user needs at least one role")])
    return wanted
