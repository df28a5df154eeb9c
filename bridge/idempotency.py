"""One answer per call: the record of an `Idempotency-Key` lives in the transaction of the call's effect."""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from bridge.database import inserts_into
from bridge.errors import IdempotencyKeyReused
from bridge.models import IdempotencyRecord, table_of

_RECORDS = table_of(IdempotencyRecord)

# Built once: putting such a statement together costs more than running it.
_KEEP = inserts_into(_RECORDS, lambda insert: insert.on_conflict_do_nothing().returning(_RECORDS.c.key))
_READ = select(_RECORDS.c.fingerprint, _RECORDS.c.status, _RECORDS.c.body).where(
    _RECORDS.c.connection_id == bindparam("connection_id"), _RECORDS.c.key == bindparam("key")
)


class _AnsweredBeforeError(Exception):
    """Undoes what was done for a call that has its answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller is told: an HTTP status and the JSON text of the body."""

    status: int
    body: str


def fingerprint(method: str, path: str, body: bytes) -> str:
    """What makes two calls the same call."""
    return hashlib.sha256(b"\n".join((method.encode(), path.encode(), body))).hexdigest()


def answer_once(
    transaction: Callable[[], AbstractContextManager[Session]],
    connection_id: str,
    key: str,
    request_fingerprint: str,
    produce: Callable[[Session], Answer],
    *,
    now: datetime,
) -> Answer:
    """The answer recorded for `key`, or the one that `produce` gives now, recorded in its transaction.

    The record comes last: most calls are new, and pay one statement for it. What turns out to be a repetition is undone
    as a whole. Of several identical calls at once, one inserts the record; the others wait for it (PostgreSQL on the
    key at the latest, SQLite at the write gate) and then read its answer. A refusal is an answer too: `produce` undoes
    what it began and returns it. An exception leaves nothing behind, so that the call can be made again. Raises
    IdempotencyKeyReused when the key belongs to another request.
    """
    asked = {"connection_id": connection_id, "key": key, "fingerprint": request_fingerprint, "created_at": now}
    try:
        with transaction() as session:
            answer = produce(session)
            link = session.connection()
            row = asked | {"status": answer.status, "body": answer.body}
            if link.execute(_KEEP[link.dialect.name], row).first() is None:
                raise _AnsweredBeforeError
            return answer
    except _AnsweredBeforeError:
        with transaction() as session:
            return _recorded(session, connection_id, key, request_fingerprint)


def _recorded(session: Session, connection_id: str, key: str, request_fingerprint: str) -> Answer:
    record = session.connection().execute(_READ, {"connection_id": connection_id, "key": key}).one()
    if record.fingerprint != request_fingerprint:
        raise IdempotencyKeyReused(key)
    return Answer(record.status, record.body)
