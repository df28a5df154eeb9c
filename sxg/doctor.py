"""What is configured, reachable and healthy on this instance, and what to do about what is not? Nothing is changed."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from bridge.ailments import ago, find_ailments
from bridge.config import InstanceConfig
from bridge.database import Database
from bridge.errors import DatabaseBusy, SecretUnreadable
from bridge.flow import Flow, read_flows
from bridge.health import Beats
from bridge.identity import Keyring
from bridge.jobs import RedisState, RedisUnreachable, look_at_redis
from bridge.models import Connection, Instance
from sxg.failures import REFUSED, UNREACHABLE, CommandFailed
from sxg.schema import check_migrated

_LEAST_FREE_BYTES = 500 * 1024 * 1024
_OVERDUE_SPARE_S = 30.0
_SWEEPS_MISSED = 6


class Status(StrEnum):
    OK = "ok"
    ATTENTION = "attention"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `advice` says what to do when it is not well."""

    name: str
    status: Status
    detail: str
    advice: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Diagnosis:
    """Everything that was found."""

    side: str
    checks: Sequence[Check]

    @property
    def exit_code(self) -> int:
        """0 healthy, 1 something needs attention, 3 something cannot be reached."""
        found = {check.status for check in self.checks}
        return UNREACHABLE if Status.UNREACHABLE in found else REFUSED if Status.ATTENTION in found else 0

    def to_json(self) -> dict[str, Any]:
        return {"side": self.side, "healthy": self.exit_code == 0, "checks": [asdict(check) for check in self.checks]}


def examine(side: str, config: InstanceConfig, now: datetime) -> Diagnosis:
    """Look at everything this side needs. What cannot be asked because something else failed is left out."""
    checks = [_settings(config), _egress(config), _disk(config)]
    database = Database(config.database_url)
    try:
        checks += _stored(side, config, database, now)
    finally:
        database.close()
    return Diagnosis(side, checks)


def report_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """The diagnosis for people: a line a check, what to do below it, and a last one that sums up."""
    width = max(len(check.name) for check in diagnosis.checks)
    for check in diagnosis.checks:
        yield f"{_SIGNS[check.status]}  {check.name.ljust(width)}  {check.detail}"
        if check.advice and check.status is not Status.OK:
            yield f"      {' ' * width}-> {check.advice}"
    ill = sum(check.status is not Status.OK for check in diagnosis.checks)
    yield f"{diagnosis.side}: {'healthy' if not ill else f'{ill} of {len(diagnosis.checks)} checks need attention'}"


_SIGNS = {Status.OK: "ok ", Status.ATTENTION: "!! ", Status.UNREACHABLE: "XX "}


def _verdict(name: str, faults: Sequence[str], detail: str, advice: str = "", **facts: Any) -> Check:
    """Well as `detail` says, or not well because of the faults."""
    status = Status.ATTENTION if faults else Status.OK
    return Check(name, status, "; ".join(faults) or detail, advice if faults else "", facts)


# --- what the environment says


def _settings(config: InstanceConfig) -> Check:
    facts = {
        "instance_name": config.instance_name,
        "public_url": config.public_url,
        "database_url": make_url(config.database_url).render_as_string(hide_password=True),
        "redis_url": _without_password(config.redis_url),
        "data_dir": str(config.data_dir),
        "lease_s": config.lease_s,
        "sweep_s": config.sweep_s,
    }
    detail = f"{config.instance_name} at {config.public_url}, lease {config.lease_s:g} s, sweep {config.sweep_s:g} s"
    return Check("settings", Status.OK, detail, facts=facts)


def _egress(config: InstanceConfig) -> Check:
    allowed = list(config.egress_allow)
    detail = f"public addresses over https, and {', '.join(allowed)}" if allowed else "public addresses over https only"
    everything = [network for network in allowed if network.endswith("/0")]
    faults = [f"{network} allows every address, this network's own among them" for network in everything]
    advice = "name the networks that consumers live in, in SXG_EGRESS_ALLOW"
    return _verdict("egress", faults, detail, advice, allowed=allowed)


def _disk(config: InstanceConfig) -> Check:
    places = {config.data_dir}
    if (file := _sqlite_file(config)) is not None and file.parent.is_dir():
        places.add(file.parent)
    free = {str(place): shutil.disk_usage(place).free for place in sorted(places)}
    faults = [f"{place} has {size // 2**20} MiB left" for place, size in free.items() if size < _LEAST_FREE_BYTES]
    detail = ", ".join(f"{size / 2**30:.1f} GiB free in {place}" for place, size in free.items())
    return _verdict("disk", faults, detail, "make room: a full disk stops intake, nothing accepted is lost", free=free)


def _sqlite_file(config: InstanceConfig) -> Path | None:
    url = make_url(config.database_url)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def _without_password(url: str) -> str:
    return make_url(url).render_as_string(hide_password=True) if "://" in url else url


# --- what the database says


def _stored(side: str, config: InstanceConfig, database: Database, now: datetime) -> list[Check]:
    where = make_url(config.database_url).render_as_string(hide_password=True)
    if (file := _sqlite_file(config)) is not None and not file.exists():
        return [Check("database", Status.ATTENTION, f"there is no file {file} yet", f"run: sxg migrate {side}")]
    try:
        check_migrated(side, config.database_url)
        with database.reading() as session:
            checks = [Check("database", Status.OK, f"{where}, newest schema")]
            return checks + _known(side, config, session, now)
    except DatabaseBusy as busy:
        advice = "start the database, or correct SXG_DATABASE_URL; what was accepted is safe meanwhile"
        return [Check("database", Status.UNREACHABLE, f"{where}: {busy}", advice)]
    except CommandFailed as failed:
        detail = " ".join(failed.failure.lines).removeprefix("error: ")
        return [Check("schema", Status.ATTENTION, detail, f"run: sxg migrate {side}")]


def _known(side: str, config: InstanceConfig, session: Session, now: datetime) -> list[Check]:
    instance = session.execute(select(Instance)).scalar_one_or_none()
    connections = list(session.scalars(select(Connection).order_by(Connection.created_at, Connection.id)))
    if instance is None:
        detail = "never started on this database"
        return [Check("instance", Status.ATTENTION, detail, f"start it: sxg {side}"), *_of_side(side, config)]
    redis, checks = _redis(config, instance.id)
    flows = read_flows(session)
    return [
        _instance(instance, config),
        _keys(connections, config),
        *_of_side(side, config),
        *checks,
        *_processes(side, redis, config),
        _leases(flows, config, now),
        *(_connection(flow, now) for flow in flows),
    ]


def _instance(instance: Instance, config: InstanceConfig) -> Check:
    file = config.data_dir / "epoch"
    outside = file.read_text().strip() if file.exists() else None
    faults = []
    if outside is None:
        faults = [f"{file} is missing"]
    elif outside != instance.epoch:
        faults = ["the epoch in the file is not that of the database: it was restored or copied"]
    advice = "the next start takes a new epoch, which tells every peer to compare; see docs/operations.md, Restores"
    detail = f"{instance.name} {instance.id}, epoch {instance.epoch}"
    return _verdict("instance", faults, detail, advice, id=instance.id, epoch=instance.epoch)


def _keys(connections: Sequence[Connection], config: InstanceConfig) -> Check:
    file = config.data_dir / "keys"
    if not file.exists():
        advice = "put the key file back from its backup; without it every connection must be registered anew"
        return Check("keys", Status.ATTENTION, f"{file} is missing", advice)
    mode = file.stat().st_mode & 0o777
    faults = [f"{file} has mode {mode:04o}"] if mode & 0o077 else []
    sealed = [connection for connection in connections if connection.secrets]
    try:
        keyring = Keyring.load(config.data_dir)
    except (OSError, ValueError) as error:
        return Check("keys", Status.ATTENTION, f"{file} cannot be used: {error}", "put the key file back")
    faults += [f"no key opens the secrets of {one.name}" for one in sealed if not _opens(keyring, one)]
    advice = f"chmod 600 {file}" if mode & 0o077 else "put the key file that made these secrets back, or add its line"
    well = f"{file}, mode {mode:04o}, opens the secrets of all {len(sealed)} connections"
    return _verdict("keys", faults, well, advice)


def _opens(keyring: Keyring, connection: Connection) -> bool:
    try:
        keyring.open(connection)
    except SecretUnreadable:
        return False
    return True


def _of_side(side: str, config: InstanceConfig) -> list[Check]:
    """What only a provider has: translation tables."""
    if side != "provider":
        return []
    from bridge.mapping import MappingErrors, load_tables  # noqa: PLC0415 - only one side is loaded
    from provider.config import ProviderConfig  # noqa: PLC0415
    from provider.services.mappings import EXPECTED_TABLES  # noqa: PLC0415

    assert isinstance(config, ProviderConfig)  # noqa: S101
    faults: list[str] = []
    try:
        load_tables(config.mappings_dir, expected=EXPECTED_TABLES)
    except MappingErrors as errors:
        faults = [str(error) for error in errors.errors]
    advice = "correct the files and restart; until then the tables of the last start stay in force"
    return [_verdict("mappings", faults, f"the tables of {config.mappings_dir} are valid", advice)]


# --- Redis, and who listens to it


def _redis(config: InstanceConfig, instance_id: str) -> tuple[RedisState | None, list[Check]]:
    if not config.redis_url:
        return None, [Check("redis", Status.OK, "none: the sweeper delivers by itself")]
    try:
        state = look_at_redis(config.redis_url, instance_id)
    except RedisUnreachable as error:
        advice = "start Redis or correct SXG_REDIS_URL; until then the sweeper delivers, later but completely"
        return None, [Check("redis", Status.UNREACHABLE, f"{_without_password(config.redis_url)}: {error}", advice)]
    faults = []
    if state.eviction != "noeviction":
        faults = [f"its eviction policy is {state.eviction}: when it is full, wake-ups get lost"]
    detail = f"{state.version}, {state.eviction}, append-only {'on' if state.append_only else 'off'}"
    advice = "set maxmemory-policy noeviction"
    facts = {"waiting": state.waiting, "workers": state.workers, "swept_s": state.swept_s}
    return state, [_verdict("redis", faults, detail, advice, **facts)]


def _processes(side: str, redis: RedisState | None, config: InstanceConfig) -> list[Check]:
    """Workers and sweeper, as Redis knows them."""
    if redis is None:
        return []
    missing = [f"no worker on lane {lane}" for lane, count in redis.workers.items() if not count]
    detail = ", ".join(f"lane {lane}: {count}" for lane, count in redis.workers.items())
    late = redis.swept_s is None or redis.swept_s > _SWEEPS_MISSED * config.sweep_s + 5
    when = "never" if redis.swept_s is None else f"{redis.swept_s:.0f} s ago"
    return [
        _verdict("workers", missing, detail, f"start one: sxg worker {side}, and one with --lane slow"),
        _verdict("sweeper", [f"its last round: {when}"] if late else [], f"its last round: {when}",
                 f"start it: sxg sweep {side}; without it lost wake-ups stay lost"),
    ]  # fmt: skip


def _leases(flows: Sequence[Flow], config: InstanceConfig, now: datetime) -> Check:
    stale = [flow for flow in flows if flow.lease_left_s is not None and flow.lease_left_s < 0]
    overdue = [flow for flow in flows if flow.is_overdue(now, config.sweep_s * 2 + _OVERDUE_SPARE_S)]
    faults = [f"{flow.name}: due since {ago(flow.due_at, now)}, and nobody delivers" for flow in overdue]
    detail = f"{sum(flow.lease_left_s is not None for flow in flows)} held, {len(stale)} run out"
    advice = "is a worker or the sweeper running? a lease that ran out is taken over by the next of them"
    return _verdict("delivering", faults, detail, advice, stale=[flow.connection_id for flow in stale])


# --- each connection


def _connection(flow: Flow, now: datetime) -> Check:
    ailments = find_ailments(flow, now)
    facts = asdict(flow) | {
        "oldest_s": _age_s(flow.oldest_at, now),
        "last_success_s": _age_s(flow.last_success_at, now),
    }
    facts = {name: _plain(value) for name, value in facts.items()}
    facts["health"] = {one.direction: str(one.condition(now)) for one in (flow.outbound, flow.inbound)}
    parts = [flow.state, f"{flow.waiting} waiting", f"{flow.parked} parked"]
    if flow.oldest_at:
        parts.append(f"oldest from {ago(flow.oldest_at, now)}")
    parts.append(f"last success {ago(flow.last_success_at, now)}")
    parts += [f"{told} {beats.condition(now)}{_trip(beats)}" for told, beats in _directions(flow)]
    parts += [ailment.fault for ailment in ailments]
    status = Status.ATTENTION if ailments else Status.OK
    advice = ailments[0].advice if ailments else ""
    return Check(f"connection {flow.name}", status, ", ".join(parts), advice, facts)


def _directions(flow: Flow) -> list[tuple[str, Beats]]:
    """Those of which something is known."""
    both = (("to them", flow.outbound), ("from them", flow.inbound))
    return [(told, beats) for told, beats in both if beats.beat_at is not None and flow.state != "revoked"]


def _trip(beats: Beats) -> str:
    return "" if beats.round_trip_s is None else f" ({beats.round_trip_s:.2f} s)"


def _plain(value: Any) -> Any:
    """What JSON can say."""
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    return value.isoformat() if isinstance(value, datetime) else value


def _age_s(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else round((now - moment).total_seconds(), 1)
