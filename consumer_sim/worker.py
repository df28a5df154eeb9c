"""The process that sends our calls to providers: a worker of one lane, or the sweeper."""

import threading
from datetime import UTC, datetime

from bridge import failpoints, jobs
from bridge.carriers import RestCarrier, Senders
from bridge.draining import Limits
from bridge.jobs import Bell, Station
from consumer_sim.config import ConsumerConfig
from consumer_sim.context import Context, make_context
from consumer_sim.services import settling


def run_worker(config: ConsumerConfig, lane: str) -> None:
    """Work one lane until told to stop. Needs Redis; without it the sweeper does all."""
    context = _open(config)
    jobs.run_worker(make_station(context), config.redis_url, context.identity.id, lane)


def run_sweeper(config: ConsumerConfig, stop: threading.Event) -> None:
    """Ring for what is due, until `stop` is set."""
    jobs.run_sweeper(make_station(_open(config)), config.sweep_s, stop)


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


def _open(config: ConsumerConfig) -> Context:
    failpoints.install(config.failpoint)
    return make_context(config, lambda: datetime.now(UTC))
