"""The provider's own people and programs: who they are, and what they may."""

from collections.abc import Iterable
from datetime import datetime
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from provider.domain.errors import Conflict, FieldError, InvalidFields, NotFound
from provider.domain.roles import Permission, Role, allowed, holders
from provider.models.access import User
from provider.services.audit import record_audit
from provider.services.errors import NotAuthenticated, NotPermitted
from provider.services.tokens import USER, new_token, token_hash


def add_user(session: Session, name: str, roles: Iterable[str], *, actor: str, now: datetime) -> tuple[User, str]:
    """A new user and the token, which is shown this once. Raises InvalidFields (roles) or Conflict (name)."""
    wanted = _known_roles(roles)
    if session.execute(select(User.id).where(User.name == name)).first() is not None:
        raise Conflict("user_exists", f"there is a user {name} already")
    token = new_token(USER)
    user = User(id=str(uuid4()), name=name, token_hash=token_hash(token), roles=wanted, active=True)
    session.add(user)
    record_audit(session, actor, "user.add", f"user/{name}", now=now, detail={"roles": wanted})
    return user, token


def disable_user(session: Session, name: str, *, actor: str, now: datetime) -> User:
    """The user's token ends at once. Raises NotFound."""
    user = session.execute(select(User).where(User.name == name).with_for_update()).scalar_one_or_none()
    if user is None:
        raise NotFound("user", name)
    user.active = False
    record_audit(session, actor, "user.disable", f"user/{name}", now=now)
    return user


def set_password(session: Session, name: str, password_hash: str, *, actor: str, now: datetime) -> User:
    """With this one they sign in to the pages from now on. Raises NotFound."""
    user = session.execute(select(User).where(User.name == name).with_for_update()).scalar_one_or_none()
    if user is None:
        raise NotFound("user", name)
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
