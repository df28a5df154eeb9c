"""Entitlements are computed again within seconds of a change in what criteria ask for, and every night all of them."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, or_, select
from sqlalchemy.orm import Session

from bridge import failpoints
from provider.models.catalog import EntitlementGuard
from provider.models.criteria import EntitlementCheck
from provider.services.audit import record_audit
from provider.services.entitlements import lock_guard, refresh_entitlements

NIGHT_HOUR = 2
"""In UTC: when all entitlements are computed again."""
AT_ONCE = 500
"""How many changes one round looks after; the next one goes on."""

Transaction = Callable[[], AbstractContextManager[Session]]


def compute_due(reading: Transaction, transaction: Transaction, *, now: datetime) -> int:
    """Look again at whom something changed for, and once a night at all. Whichever sweeper comes first does it; what a
    crash interrupts is found again. Returns how many entitlements changed.
    """
    with reading() as session:
        if not is_due(session, now):
            return 0
    with transaction() as session:
        changed = refresh_due(session, now)
        failpoints.hit("entitlements.in_tx")
    return changed


def is_due(session: Session, now: datetime) -> bool:
    """Whether anything is to be computed: one statement, for it is asked every few seconds."""
    guard = EntitlementGuard
    nightly = exists().where(or_(guard.refreshed_at.is_(None), guard.refreshed_at < last_night(now)))
    return bool(session.scalar(select(or_(exists(select(EntitlementCheck.id)), nightly))))


def refresh_due(session: Session, now: datetime) -> int:
    """Do it, if nobody else did it meanwhile."""
    lock_guard(session)
    guard = session.scalars(select(EntitlementGuard).execution_options(populate_existing=True)).one()
    checks = session.execute(
        select(EntitlementCheck.id, EntitlementCheck.connection_id).order_by(EntitlementCheck.id).limit(AT_ONCE)
    ).all()
    if guard.refreshed_at is None or guard.refreshed_at < last_night(now):
        guard.refreshed_at = now
        changed = refresh_entitlements(session, now)
    elif checks:
        changed = refresh_entitlements(session, now, connection_ids={row.connection_id for row in checks})
    else:
        return 0
    session.execute(delete(EntitlementCheck).where(EntitlementCheck.id.in_([row.id for row in checks])))
    return changed


def refresh_by_hand(session: Session, *, actor: str, now: datetime) -> int:
    """Compute all of them because a person wants it. Returns how many changed."""
    changed = refresh_entitlements(session, now)
    record_audit(session, actor, "entitlements.refresh", "entitlements/all", now, {"changed": changed})
    return changed


def last_night(now: datetime) -> datetime:
    """The last time it was `NIGHT_HOUR`."""
    tonight = now.replace(hour=NIGHT_HOUR, minute=0, second=0, microsecond=0)
    return tonight if tonight <= now else tonight - timedelta(days=1)
