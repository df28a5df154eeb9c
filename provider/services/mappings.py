"""Which translation tables apply: the files of today, or the last good ones when the files are broken."""

import logging
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.mapping import Expectation, MappingErrors, Tables, load_tables
from bridge.models import MappingVersion
from bridge.vocabulary import EventType
from provider.domain.orders import OrderState
from provider.domain.provider_tasks import ProviderTaskState

log = logging.getLogger(__name__)

EXPECTED_TABLES = {
    str(EventType.PROVIDER_TASK_STATE_CHANGED): Expectation("order_state", set(OrderState), set(ProviderTaskState))
}


def adopt_tables(session: Session, directory: Path, *, now: datetime) -> tuple[int, Tables]:
    """The default tables and their version: those of `directory`, kept as a new version if they differ from the newest.

    Broken files are reported in the log, each fault with file, line and reason, and the newest version stays in force.
    Raises MappingErrors when there is none yet. Callers hold the lock of `ensure_instance`.
    """
    newest = session.execute(
        select(MappingVersion)
        .where(MappingVersion.connection_id.is_(None))
        .order_by(MappingVersion.version.desc())
        .limit(1)
    ).scalar_one_or_none()
    try:
        tables = load_tables(directory, expected=EXPECTED_TABLES)
    except MappingErrors as errors:
        if newest is None:
            raise
        for error in errors.errors:
            log.error("mapping refused, version %s stays in force: %s", newest.version, error)
        return newest.version, Tables.from_json(newest.document)
    document = tables.to_json()
    if newest is None or newest.document != document:
        newest = MappingVersion(document=document, created_at=now)
        session.add(newest)
        session.flush()
    return newest.version, tables
