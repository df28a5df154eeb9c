"""Sessions of pages, kept in the instance's own database: they end when they are told to, on every process at once."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Protocol

import flask
from flask_session.base import ServerSideSession, ServerSideSessionInterface
from sqlalchemy import and_, delete, or_, update
from sqlalchemy.orm import Session

from webkit.models import PageSession

IDLE_S = 30 * 60
AT_MOST_S = 10 * 3600
_SEEN_EVERY_S = 60
PROGRAMS = ("/api/", "/exchange/")
"""What the addresses begin with that no person opens."""
_ACCOUNT = "_user_id"  # where Flask-Login keeps it


class Database(Protocol):
    """What sessions need of an instance's database."""

    def transaction(self) -> AbstractContextManager[Session]: ...
    def reading(self) -> AbstractContextManager[Session]: ...


class DatabaseSessions(ServerSideSessionInterface):  # type: ignore[misc]
    """Ids, cookies and renewal are Flask-Session's; here is where its data lives, and for how long."""

    def __init__(self, app: flask.Flask, database: Database, clock: Callable[[], datetime]) -> None:
        super().__init__(app, key_prefix="", permanent=False, sid_length=32)
        self._database = database
        self._clock = clock

    def open_session(self, app: flask.Flask, request: flask.Request) -> ServerSideSession | None:
        """None for programs: the API takes no cookies, and shall not pay for reading them."""
        return None if request.path.startswith(PROGRAMS) else super().open_session(app, request)

    def _retrieve_session_data(self, store_id: str) -> dict[str, Any] | None:
        key, now_s = _hash(store_id), self._now_s()
        with self._database.reading() as session:
            row = session.get(PageSession, key)
        if row is None or row.seen_at_s < now_s - IDLE_S or row.created_at_s < now_s - AT_MOST_S:
            return None
        if row.seen_at_s < now_s - _SEEN_EVERY_S:
            with self._database.transaction() as session:
                session.execute(update(PageSession).where(PageSession.id_hash == key).values(seen_at_s=now_s))
        data: dict[str, Any] = json.loads(row.data)
        return data

    def _delete_session(self, store_id: str) -> None:
        with self._database.transaction() as session:
            session.execute(delete(PageSession).where(PageSession.id_hash == _hash(store_id)))

    def _upsert_session(self, session_lifetime: timedelta, session: ServerSideSession, store_id: str) -> None:
        key, now_s = _hash(store_id), self._now_s()
        with self._database.transaction() as database:
            row = database.get(PageSession, key)
            if row is None:
                row = PageSession(id_hash=key, created_at_s=now_s)
                database.add(row)
            row.account_id = session.get(_ACCOUNT)
            row.data = json.dumps(dict(session))
            row.seen_at_s = now_s

    def _now_s(self) -> int:
        return int(self._clock().timestamp())


def end_sessions(session: Session, account_id: str) -> None:
    """Sign somebody out everywhere: after a new password, other roles, or the end of the account."""
    session.execute(delete(PageSession).where(PageSession.account_id == account_id))


def sweep_sessions(session: Session, now: datetime) -> None:
    """Forget sessions that nobody can use any more. Those of strangers end sooner: they hold a CSRF token only."""
    now_s = int(now.timestamp())
    over = or_(
        PageSession.seen_at_s < now_s - IDLE_S - _SEEN_EVERY_S,
        and_(PageSession.account_id.is_not(None), PageSession.created_at_s < now_s - AT_MOST_S),
    )
    session.execute(delete(PageSession).where(over))


def _hash(session_id: str) -> str:
    return sha256(session_id.encode()).hexdigest()
