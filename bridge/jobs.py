"""Who drains, and when: the doorbell in Redis, the RQ jobs it rings, and the sweeper that rings again.

SQL is the truth. A lost, flushed or absent Redis costs time, never a delivery: the sweeper finds what is due, and
drains it itself where nobody can be rung. Fast connections drain on the main lane; one whose last answer was slow
drains on the slow lane, several at once.
"""

import logging
import threading
import time
from collections import Counter as Counts
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from prometheus_client import Counter
from redis import Redis, RedisError
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry
from rq import Queue, SimpleWorker, Worker
from rq.serializers import JSONSerializer
from sqlalchemy.orm import Session

from bridge import draining, failpoints, leases, settling
from bridge.backoff import Outcome
from bridge.carriers import Carrier
from bridge.database import Database
from bridge.draining import Batch, Limits, Result
from bridge.errors import BridgeError, DatabaseBusy, LeaseLost
from bridge.vocabulary import FAST_DEADLINE_S, SLOW_DEADLINE_S

log = logging.getLogger(__name__)

MAIN, SLOW = "main", "slow"
_WAKE_S = 2
_BREATH_S = 0.02
_SILENCE_S = 1.0
_JOB_TIMEOUT_S = 120
_RUN_S = 1.0
_SLOW_AT_ONCE = 8
_QUEUE_LIMIT = 500
_BEAT_KEPT_S = 7 * 24 * 3600
_IDS_LOGGED = 20


class RedisUnreachable(BridgeError):
    """Redis does not answer, or refuses us."""


RINGS_LOST = Counter("sxg_rings_lost", "Wake-ups that Redis did not take; the sweeper makes up for them")


class Bell:
    """Rings for connections with something due. Best effort: it costs at most 0.2 s, never raises, and promises
    nothing.
    """

    def __init__(self, redis_url: str, instance_id: str) -> None:
        self._redis = Redis.from_url(
            redis_url, socket_timeout=0.2, socket_connect_timeout=0.2, retry=Retry(NoBackoff(), 0)
        )
        self._prefix = f"sxg:{instance_id}"
        self._lanes = {lane: _queue(self._prefix, lane, self._redis) for lane in (MAIN, SLOW)}
        self._quiet_until = 0.0

    def __call__(self, connection_ids: Iterable[str]) -> None:
        for connection_id in connection_ids:
            self.ring(connection_id)

    def ring(self, connection_id: str, lane: str = MAIN) -> bool:
        """True if Redis took it, or had it already. After an error it is left alone for a second, so that few callers
        pay for it.
        """
        if time.monotonic() < self._quiet_until:
            RINGS_LOST.inc()
            return False
        try:
            if self._redis.set(self._wake_key(connection_id), lane, nx=True, ex=_WAKE_S):
                self._lanes[lane].enqueue(
                    drain, connection_id, lane, job_timeout=_JOB_TIMEOUT_S, result_ttl=0, failure_ttl=_JOB_TIMEOUT_S
                )
        except RedisError:
            self._quiet_until = time.monotonic() + _SILENCE_S
            RINGS_LOST.inc()
            return False
        return True

    def silence(self, connection_id: str) -> None:
        """Whoever holds the lease hears for itself: what is recorded from now on must ring again."""
        try:
            self._redis.delete(self._wake_key(connection_id))
        except RedisError:
            RINGS_LOST.inc()

    def beat(self) -> None:
        """The sweeper lives; `look_at_redis` tells when it last said so."""
        try:
            self._redis.set(f"{self._prefix}:swept", "1", ex=_BEAT_KEPT_S)
        except RedisError:
            RINGS_LOST.inc()

    def backlog(self) -> int:
        """Jobs waiting on both lanes. Raises RedisError."""
        return sum(queue.count for queue in self._lanes.values())

    def _wake_key(self, connection_id: str) -> str:
        return f"{self._prefix}:wake:{connection_id}"


class Ringer:
    """Rings from a thread of its own, so that no request waits for Redis. Whatever comes while it rings, or within
    20 ms of that, is rung once for all. A process that ends takes what it had not rung with it; the sweeper makes up
    for that.
    """

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._due: set[str] = set()
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None

    def __call__(self, connection_ids: Iterable[str]) -> None:
        with self._change:
            self._due.update(connection_ids)
            if self._thread is None:  # here and not before: a fork takes no threads along
                self._thread = threading.Thread(target=self._ring, name="ringer", daemon=True)
                self._thread.start()
            self._change.notify()

    def _ring(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._due)
                due, self._due = self._due, set()
            self._bell(sorted(due))
            time.sleep(_BREATH_S)


@dataclass
class Station:
    """Everything a drain needs, put together at the edge of a worker process."""

    database: Database
    make_carrier: Callable[[], Carrier]
    bell: Bell | None
    clock: Callable[[], datetime]
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self._local = threading.local()

    @property
    def carrier(self) -> Carrier:
        """Carriers keep connections alive, and belong to one thread each."""
        if not hasattr(self._local, "carrier"):
            self._local.carrier = self.make_carrier()
        carrier: Carrier = self._local.carrier
        return carrier

    def drain(self, connection_id: str, lane: str = MAIN) -> None:
        """Send what is due on this connection for about a second, then leave the rest to the next ring."""
        with self.database.transaction() as session:
            token = leases.acquire(session, connection_id, lease_s=self.limits.lease_s)
        if token is None:
            return
        try:
            slow = self._send_due(connection_id, token, lane)
        except LeaseLost:
            log.warning("lost the lease, left everything as it was", extra={"connection_id": connection_id})
            return
        finally:
            self._release(connection_id, token)
        # What was recorded during the last claim rang while we held the lease, and that ring came to nothing: look once
        # more.
        self._silence(connection_id)
        with self.database.reading() as session:
            more = self._due(session, connection_id)
        if more and self.bell:
            self.bell.ring(connection_id, SLOW if slow else MAIN)

    def _send_due(self, connection_id: str, token: str, lane: str) -> bool:
        """True if the connection belongs on the slow lane. Settling a batch and claiming the next share one
        transaction.
        """
        deadline_s = FAST_DEADLINE_S if lane == MAIN else SLOW_DEADLINE_S
        started = time.monotonic()
        batch: Batch | None = None
        result: Result | None = None
        while True:
            self._silence(connection_id)
            with self.database.transaction() as session:
                now = self.clock()
                held = leases.renew(session, connection_id, token, lease_s=self.limits.lease_s)
                if batch and result:
                    # Effects lock their records, settling locks streams: the same order as in every other change.
                    self.carrier.settled(session, batch, result, now)
                    settling.settle(session, held, batch, result, limits=self.limits, now=now)
                    failpoints.hit("drain.in_settling")
                tired = time.monotonic() - started > _RUN_S
                if tired or (held.is_slow and lane == MAIN):
                    return held.is_slow
                batch = draining.claim(session, held, limits=self.limits, now=now)
            failpoints.hit("drain.after_claim")
            if batch is None:
                return held.is_slow
            result = self.carrier.send(batch, deadline_s=deadline_s)
            failpoints.hit("drain.after_answer")
            _tell(batch, result)

    def _release(self, connection_id: str, token: str) -> None:
        """Also after a failure, for the next drain should not have to wait until the lease runs out."""
        try:
            with self.database.transaction() as session:
                leases.release(session, connection_id, token)
        except DatabaseBusy as busy:
            log.warning("the lease is left to run out: %s", busy, extra={"connection_id": connection_id})

    def _due(self, session: Session, only: str | None = None) -> list[str]:
        return leases.due_connections(session, now=self.clock(), lease_s=self.limits.lease_s, only=only)

    def _silence(self, connection_id: str) -> None:
        if self.bell:
            self.bell.silence(connection_id)

    def sweep(self) -> int:
        """Ring for everything due that nobody drains; drain it here if no bell rings. The number found."""
        with self.database.reading() as session:
            due = self._due(session)
        for connection_id in due:
            failpoints.hit("sweep.before_ring")
            if self.bell is None or not self._ring_again(self.bell, connection_id):
                self._drain_here(connection_id)
        return len(due)

    def _ring_again(self, bell: Bell, connection_id: str) -> bool:
        try:
            return bell.backlog() > _QUEUE_LIMIT or bell.ring(connection_id)
        except RedisError:
            return False

    def _drain_here(self, connection_id: str) -> None:
        with self.database.reading() as session:
            slow = leases.is_slow(session, connection_id)
        self.drain(connection_id, SLOW if slow else MAIN)


def _tell(batch: Batch, result: Result) -> None:
    """One line of log a batch: to whom, what came of it, and which deliveries, if they are few."""
    fault = result.fault
    facts: dict[str, Any] = {
        "connection_id": batch.connection.id,
        "outcome": str(fault.outcome if fault else Outcome.JUDGED),
        "events": len(batch.items),
        "duration_s": round(result.duration_s, 4),
        "verdicts": Counts(str(judgement.verdict) for judgement in result.judgements.values()),
        "delivery_ids": [item.id for item in batch.items[:_IDS_LOGGED]],
        "streams": sorted({item.stream for item in batch.items[:_IDS_LOGGED]}),
    }
    if fault:
        log.warning("nothing concluded: %s", fault.detail, extra=facts)
    else:
        log.info("batch judged", extra=facts)


_station: Station | None = None
_slow_lane: ThreadPoolExecutor | None = None
_slow_places = threading.BoundedSemaphore(_SLOW_AT_ONCE)


def drain(connection_id: str, lane: str = MAIN) -> None:
    """The RQ job. Safe to run twice: the lease lets one through. On the slow lane it only hands over to one of several
    threads.
    """
    assert _station is not None, "run_worker installs the station"  # noqa: S101
    if lane == MAIN:
        _drain_quietly(_station, connection_id, lane)
        return
    global _slow_lane  # noqa: PLW0603 - one pool for the life of the worker
    _slow_lane = _slow_lane or ThreadPoolExecutor(_SLOW_AT_ONCE, thread_name_prefix="slow-lane")
    _slow_places.acquire()
    _slow_lane.submit(_drain_quietly, _station, connection_id, lane).add_done_callback(lambda _: _slow_places.release())


def _drain_quietly(station: Station, connection_id: str, lane: str) -> None:
    """A drain that fails has given its lease back, and the sweeper rings again: a failed job in Redis gains nothing."""
    try:
        station.drain(connection_id, lane)
    except DatabaseBusy as busy:
        log.warning("the database is busy: %s", busy, extra={"connection_id": connection_id})
    except Exception:
        log.exception("a drain failed", extra={"connection_id": connection_id})


def run_worker(station: Station, redis_url: str, instance_id: str, lane: str) -> None:
    """Work one lane until told to stop. The connection retries by itself, for a worker that loses Redis within a job
    would exit.
    """
    global _station  # noqa: PLW0603 - RQ calls module-level functions only
    _station = station
    patient = Redis.from_url(redis_url, retry=Retry(ExponentialBackoff(cap=1, base=0.05), 60))
    logging.getLogger("rq.worker").setLevel(logging.WARNING)
    worker = SimpleWorker([_queue(f"sxg:{instance_id}", lane, patient)], connection=patient, serializer=JSONSerializer)
    worker.work(logging_level="WARNING")


def run_sweeper(station: Station, every_s: float, stop: threading.Event) -> None:
    """Sweep until `stop` is set. A sweep that fails is logged, and the next one comes all the same."""
    while not stop.wait(every_s):
        try:
            station.sweep()
            if station.bell:
                station.bell.beat()
        except DatabaseBusy as busy:
            log.warning("the database is busy: %s", busy)
        except Exception:
            log.exception("a sweep failed")


def _queue(prefix: str, lane: str, redis: Redis) -> Queue:
    return Queue(f"{prefix}:{lane}", connection=redis, serializer=JSONSerializer)


@dataclass(frozen=True, slots=True)
class RedisState:
    """What the doctor asks Redis. `swept_s`: seconds since the sweeper's last round, None when it never told."""

    version: str
    eviction: str
    append_only: bool
    waiting: dict[str, int]
    workers: dict[str, int]
    swept_s: float | None


def look_at_redis(redis_url: str, instance_id: str) -> RedisState:
    """How Redis is set up, and who of this instance is there. Raises RedisUnreachable."""
    prefix = f"sxg:{instance_id}"
    redis = Redis.from_url(redis_url, socket_timeout=2, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0))
    try:
        with redis:
            info: Any = redis.info()
            queues = {lane: _queue(prefix, lane, redis) for lane in (MAIN, SLOW)}
            left_s = float(redis.pttl(f"{prefix}:swept")) / 1000
            return RedisState(
                version=str(info.get("valkey_version") or info["redis_version"]),
                eviction=str(info["maxmemory_policy"]),
                append_only=bool(info["aof_enabled"]),
                waiting={lane: queue.count for lane, queue in queues.items()},
                workers={lane: len(Worker.all(queue=queue)) for lane, queue in queues.items()},
                swept_s=max(0.0, _BEAT_KEPT_S - left_s) if left_s >= 0 else None,
            )
    except (RedisError, ValueError) as error:  # ValueError: the address is none
        raise RedisUnreachable(" ".join(str(error).split())) from None
