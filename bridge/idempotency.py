"""One answer per call: the record of an `Idempotency-Key` lives in the transaction of the call's effect."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bridge.database import insert_into
from bridge.errors import IdempotencyKeyReused
from bridge.models import IdempotencyRecord


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller is told: an HTTP status and the JSON text of the body."""

    status: int
    body: str


def fingerprint(method: str, path: str, body: bytes) -> str:
    """What makes two calls the same call."""
    return hashlib.sha256(b"\n".join((method.encode(), path.encode(), body))).hexdigest()


def answer_once(
    session: Session,
    connection_id: str,
    key: str,
    request_fingerprint: str,
    produce: Callable[[Session], Answer],
    *,
    now: datetime,
) -> Answer:
    """The answer recorded for `key`, or the one that `produce` gives now, recorded in this transaction.

    Of several identical calls at once, one inserts the row; the others wait for it (PostgreSQL on the key, SQLite at
    the write gate) and then read its answer. A refusal is an answer too: `produce` undoes what it began and returns it.
    An exception leaves nothing behind, so that the call can be made again. Raises IdempotencyKeyReused when the key
    belongs to another request.
    """
    if not _reserve(session, connection_id, key, request_fingerprint, now):
        return _recorded(session, connection_id, key, request_fingerprint)
    answer = produce(session)
    session.execute(
        update(IdempotencyRecord)
        .where(IdempotencyRecord.connection_id == connection_id, IdempotencyRecord.key == key)
        .values(status=answer.status, body=answer.body)
    )
    return answer


def _reserve(session: Session, connection_id: str, key: str, request_fingerprint: str, now: datetime) -> bool:
    row = {"connection_id": connection_id, "key": key, "fingerprint": request_fingerprint, "created_at": now}
    statement = (
        insert_into(session, IdempotencyRecord).values(row).on_conflict_do_nothing().returning(IdempotencyRecord.key)
    )
    return session.execute(statement).first() is not None


def _recorded(session: Session, connection_id: str, key: str, request_fingerprint: str) -> Answer:
    record = session.execute(
        select(IdempotencyRecord.fingerprint, IdempotencyRecord.status, IdempotencyRecord.body).where(
            IdempotencyRecord.connection_id == connection_id, IdempotencyRecord.key == key
        )
    ).one()
    if record.fingerprint != request_fingerprint:
        raise IdempotencyKeyReused(key)
    return Answer(record.status, record.body)
