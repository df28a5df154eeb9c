"""Who is calling, and may they? Each view says so with one of these decorators; a test finds routes that do not.

Set the decorator directly below `route`, so that strangers learn nothing from the checks of the arguments.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import flask

from bridge.errors import InstanceCopied
from bridge.identity import know_epoch, read_epoch
from bridge.outbox import wake
from bridge.vocabulary import HEADER_EPOCH
from provider.api.context import here
from provider.domain.roles import Permission
from provider.services.connections import Peer, authenticate_token, check_active
from provider.services.errors import NotAuthenticated
from provider.services.users import authenticate_user, check_permission

View = TypeVar("View", bound=Callable[..., Any])

MARK = "sxg_access"
"""The attribute of a view that tells who may call it: a permission, `connected`, `known` or `public`."""


def requires(permission: str) -> Callable[[View], View]:
    """Lets in users who hold the permission; `flask.g.actor` is then `user/{name}`."""
    wanted = Permission(permission)

    def check() -> None:
        with here().database.reading() as session:
            user = authenticate_user(session, _bearer_token())
        check_permission(user, wanted)
        flask.g.actor = f"user/{user.name}"

    return _guard(check, str(wanted))


def connected(view: View) -> View:
    """Lets in consumers whose connection is active; `flask.g.connection` is then its id."""
    return _guard(lambda: check_active(_authenticate_peer()), "connected")(view)


def known(view: View) -> View:
    """Lets in consumers in any state, for what must work before the challenge and during a pause."""
    return _guard(_authenticate_peer, "known")(view)


def public(view: View) -> View:
    """Lets in everybody; the view checks what it is given itself."""
    return _guard(lambda: None, "public")(view)


def _guard(check: Callable[[], object], mark: str) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            check()
            return view(*args, **kwargs)

        setattr(guarded, MARK, mark)
        return guarded  # type: ignore[return-value]

    return decorate


def _authenticate_peer() -> Peer:
    context, now = here(), here().clock()
    peer = authenticate_token(context.database, _bearer_token(), now=now)
    epoch = read_epoch(flask.request.headers.get(HEADER_EPOCH))
    if epoch not in (None, peer.epoch):
        with context.transaction() as session:
            known_epoch = know_epoch(session, peer.connection_id, str(epoch))
        if not known_epoch:
            raise InstanceCopied
    if peer.is_held:
        # It has just spoken, so it is back: recovery must not wait for the next probe.
        with context.transaction() as session:
            wake(session, peer.connection_id, now=now)
    flask.g.connection, flask.g.actor = peer.connection_id, f"connection/{peer.connection_id}"
    return peer


def _bearer_token() -> str:
    kind, _, token = flask.request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise NotAuthenticated
    return token.strip()
