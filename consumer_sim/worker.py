"""The process that sends our calls to providers: a worker of one lane, or the sweeper."""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bridge import failpoints, jobs
from bridge.carriers import RestCarrier, Senders
from bridge.draining import Limits
from bridge.heart import Heart
from bridge.heartbeats import Beat
from bridge.issues import look_for_issues
from bridge.jobs import Bell, Station
from bridge.models import Connection
from bridge.versions import WIRE_VERSION
from consumer_sim.config import ConsumerConfig
from consumer_sim.context import Context, make_context
from consumer_sim.services import settling
from consumer_sim.services.attachment_lane import run_lane
from consumer_sim.services.heartbeats import beat_provider
from consumer_sim.services.history import run_history


def run_worker(config: ConsumerConfig, lane: str) -> None:
    """Work one lane until told to stop. Needs Redis; without it the sweeper does all."""
    context = _open(config)
    jobs.run_worker(make_station(context), config.redis_url, context.identity.id, lane)


def run_sweeper(config: ConsumerConfig, stop: threading.Event) -> None:
    """Ring for what is due, and move attachments, until `stop` is set."""
    context = _open(config)
    heart = threading.Thread(target=make_heart(context).run, args=(stop,), name="heart")
    lane = threading.Thread(target=run_lane, args=(context.attachment_lane, stop), name="attachments")
    history = threading.Thread(target=run_history, args=(context.historian, stop), name="history")
    for thread in (heart, lane, history):
        thread.start()
    jobs.run_sweeper(make_station(context), config.sweep_s, stop)
    for thread in (heart, lane, history):
        thread.join()


def make_station(context: Context) -> Station:
    bell = context.database.bell

    def make_carrier() -> RestCarrier:
        return RestCarrier(
            senders=Senders(context.guard, "sxg-consumer/1"),
            tokens=context.tokens,
            identity=context.identity,
            clock=context.clock,
            is_final=settling.is_final,
            on_answer=settling.apply_answer,
        )

    return Station(
        database=context.database,
        make_carrier=make_carrier,
        bell=bell if isinstance(bell, Bell) else None,
        clock=context.clock,
        limits=Limits(lease_s=context.config.lease_s),
    )


def make_heart(context: Context) -> Heart:
    def beat(connection: Connection, said: Mapping[str, Any]) -> Beat:
        return beat_provider(context.caller, connection, said)

    def look() -> None:
        with context.database.transaction() as session:
            look_for_issues(session, now=context.clock())

    return Heart(
        context.database, context.clock, context.config.heartbeat_s, beat, digests=False, chores=[look],
        says=lambda *_: {"spoken": context.spoken, "version": WIRE_VERSION},
        lease_s=context.config.lease_s,
        errands=[context.rotator.run_due, context.farewell_teller.run_due],
    )  # fmt: skip


def _open(config: ConsumerConfig) -> Context:
    failpoints.install(config.failpoint)
    return make_context(config, lambda: datetime.now(UTC))
