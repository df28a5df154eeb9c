"""The process that sends our events to consumers: a worker of one lane, or the sweeper."""

import threading
from datetime import UTC, datetime

from bridge import failpoints, jobs
from bridge.carriers import Senders, WebhookCarrier
from bridge.config import InstanceConfig
from bridge.database import Database
from bridge.draining import Limits
from bridge.egress import AddressGuard
from bridge.identity import Keyring, ensure_instance
from bridge.jobs import Bell, Station

USER_AGENT = "sxg-provider/1"


def run_worker(config: InstanceConfig, lane: str) -> None:
    """Work one lane until told to stop. Needs Redis; without it the sweeper does all."""
    station, instance_id = open_station(config)
    jobs.run_worker(station, config.redis_url, instance_id, lane)


def run_sweeper(config: InstanceConfig, stop: threading.Event) -> None:
    """Ring for what is due, or deliver it where nobody can be rung, until `stop` is set."""
    station, _ = open_station(config)
    jobs.run_sweeper(station, config.sweep_s, stop)


def open_station(config: InstanceConfig) -> tuple[Station, str]:
    """The station over a migrated database, and the id of this instance."""
    failpoints.install(config.failpoint)
    keyring = Keyring.load(config.data_dir)
    guard = AddressGuard(config.egress_allow)
    database = Database(config.database_url)
    with database.transaction() as session:
        identity = ensure_instance(session, config.instance_name, config.data_dir)
    bell = Bell(config.redis_url, identity.id) if config.redis_url else None

    def make_carrier() -> WebhookCarrier:
        return WebhookCarrier(Senders(guard, USER_AGENT), keyring, identity, _utc_now)

    return Station(database, make_carrier, bell, _utc_now, Limits(lease_s=config.lease_s)), identity.id


def _utc_now() -> datetime:
    return datetime.now(UTC)
