"""The processes that send our events to consumers: a worker of one lane, or the sweeper."""

import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from bridge import failpoints, farewells, jobs
from bridge.carriers import Carrier
from bridge.draining import Limits
from bridge.errors import DatabaseBusy
from bridge.heart import Heart
from bridge.heartbeats import Beat
from bridge.issues import look_for_issues
from bridge.jobs import Bell, Station
from bridge.models import Connection
from provider.config import ProviderConfig
from provider.context import Context, make_context
from provider.services import rotations
from provider.services.contracts import keep_dates
from provider.services.entitlement_checks import compute_due
from provider.services.farewells import tell_consumer
from provider.services.heartbeats import beat_consumer
from provider.services.inventory_schedule import perform_due
from provider.services.scratchpads import forget_old

log = logging.getLogger(__name__)


def run_worker(config: ProviderConfig, lane: str) -> None:
    """Work one lane until told to stop. Needs Redis; without it the sweeper does all."""
    context = _open(config)
    jobs.run_worker(make_station(context, config), config.redis_url, context.identity.id, lane)


def run_sweeper(config: ProviderConfig, stop: threading.Event) -> None:
    """Ring for what is due, or deliver it where nobody can be rung, until `stop` is set; do to products and contracts
    what is to be done at a date, and forget old scratchpads; and compute entitlements again when what criteria ask for
    has changed, and all of them every night.
    """
    context = _open(config)
    refresher = threading.Thread(target=_refresh, args=(context, config.sweep_s, stop), name="entitlements")
    heart = threading.Thread(target=make_heart(context, config).run, args=(stop,), name="heart")
    kept = timedelta(days=config.scratchpad_days)
    scheduler = threading.Thread(target=_keep_dates, args=(context, kept, config.sweep_s, stop), name="schedule")
    for thread in (refresher, heart, scheduler):
        thread.start()
    jobs.run_sweeper(make_station(context, config), config.sweep_s, stop)
    for thread in (refresher, heart, scheduler):
        thread.join()


def make_station(context: Context, config: ProviderConfig) -> Station:
    def make_carrier() -> Carrier:
        return context.carrier()

    bell = context.database.bell
    limits = Limits(lease_s=config.lease_s)
    return Station(context.database, make_carrier, bell if isinstance(bell, Bell) else None, context.clock, limits)


def make_heart(context: Context, config: ProviderConfig) -> Heart:
    def beat(connection: Connection, said: Mapping[str, Any]) -> Beat:
        carrier = context.carrier()
        try:
            return beat_consumer(carrier, context.identity, connection, said, now=context.clock())
        finally:
            carrier.senders.close()

    def look() -> None:
        with context.database.transaction() as session:
            look_for_issues(session, now=context.clock())

    def end_former() -> None:
        with context.transaction() as session:
            rotations.end_former_secrets(session, context.keyring, now=context.clock())

    def says(session: Session, connection: Connection) -> Mapping[str, Any]:
        wanted = rotations.find_wanted(session, connection.id)
        return {"rotate": wanted} if wanted else {}

    return Heart(
        context.database, context.clock, config.heartbeat_s, beat, digests=True, says=says, chores=[look, end_former],
        lease_s=config.lease_s,
        errands=[lambda: say_farewells(context)],
    )  # fmt: skip


def say_farewells(context: Context) -> None:
    """Tell those consumers whose connection we have ended, if it is time."""
    now = context.clock()
    with context.database.reading() as session:
        if not farewells.find_due(session, now=now):
            return
    with context.transaction() as session:
        partings = farewells.claim_farewells(session, now=now)
    for parting in partings:
        carrier = context.carrier()
        problem = tell_consumer(carrier, context.identity, parting, now=now)
        carrier.senders.close()
        with context.transaction() as session:
            farewells.settle_farewell(session, parting.connection.id, problem, now=context.clock())


def _open(config: ProviderConfig) -> Context:
    failpoints.install(config.failpoint)
    return make_context(config, lambda: datetime.now(UTC))


def _refresh(context: Context, every_s: float, stop: threading.Event) -> None:
    while not stop.wait(every_s):
        try:
            changed = compute_due(context.database.reading, context.transaction, now=context.clock())
        except DatabaseBusy as busy:
            log.warning("entitlements are looked at later, the database is busy: %s", busy)
        except Exception:
            log.exception("entitlements could not be computed, and are tried again")
        else:
            if changed:
                log.info("entitlements changed with what consumers are and have", extra={"changed": changed})


def _keep_dates(context: Context, kept: timedelta, every_s: float, stop: threading.Event) -> None:
    while not stop.wait(every_s):
        try:
            perform_due(context.database.reading, context.transaction, now=context.clock())
            keep_dates(context.database.reading, context.transaction, now=context.clock())
            forget_old(context.database.reading, context.transaction, kept, now=context.clock())
        except DatabaseBusy as busy:
            log.warning("what is due at a date is done later, the database is busy: %s", busy)
        except Exception:
            log.exception("what is due at a date could not be done, and is tried again")
