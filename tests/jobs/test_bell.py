"""The doorbell: it wakes a real worker at once, and losing it costs time, never a delivery."""

import multiprocessing
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis import Redis

from bridge.database import Database
from bridge.jobs import MAIN, SLOW, Bell, Ringer, run_sweeper, run_worker
from sxg.embedded import EmbeddedRedis
from tests.toy import PROVIDER, ToyShop, add_connection, deliveries, make_keyring, make_station, record, toy_database

FORK = multiprocessing.get_context("fork")


class Toymaker:
    """A provider of toys with a shop, a bell, and worker processes on demand."""

    def __init__(self, tmp_path: Path, redis_url: str) -> None:
        self.redis_url = redis_url
        self.keyring = make_keyring(tmp_path)
        self.url = f"sqlite:///{tmp_path / 'toymaker.db'}"
        connection_ids: list[str] = []
        self.shop = ToyShop(toy_database(f"sqlite:///{tmp_path / 'shop.db'}"), lambda: connection_ids)
        self.bell = Bell(redis_url, PROVIDER.id)
        self.database = toy_database(self.url, bell=self.bell)
        with self.database.transaction() as session:
            connection_ids.append(add_connection(session, self.keyring, self.shop.url))
        (self.connection_id,) = connection_ids

    def record(self, toy: str, count: int = 1) -> None:
        with self.database.transaction() as session:
            record(session, self.connection_id, toy, count, now=datetime.now(UTC))

    def all_sent(self) -> bool:
        with self.database.reading() as session:
            return {state for _, _, state in deliveries(session, self.connection_id)} == {"delivered"}

    @contextmanager
    def worker(self, lane: str = MAIN, lease_s: float = 30.0) -> Iterator[multiprocessing.process.BaseProcess]:
        process = FORK.Process(target=self._work, args=(lane, lease_s), daemon=True)
        process.start()
        try:
            yield process
        finally:
            process.kill()
            process.join()

    def _work(self, lane: str, lease_s: float) -> None:
        database = Database(self.url, info=self.database.info)
        bell = Bell(self.redis_url, PROVIDER.id)
        run_worker(make_station(database, self.keyring, bell=bell, lease_s=lease_s), self.redis_url, PROVIDER.id, lane)

    @contextmanager
    def sweeper(self, *, with_bell: bool = True, lease_s: float = 30.0) -> Iterator[None]:
        bell = Bell(self.redis_url, PROVIDER.id) if with_bell else None
        station = make_station(Database(self.url, info=self.database.info), self.keyring, bell=bell, lease_s=lease_s)
        stop = threading.Event()
        thread = threading.Thread(target=run_sweeper, args=(station, 0.1, stop))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def until(condition: Callable[[], bool], timeout_s: float = 10.0) -> float:
    """Seconds until the condition held."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > timeout_s:
            pytest.fail(f"not within {timeout_s} s")
        time.sleep(0.005)
    return time.monotonic() - started


@pytest.fixture
def toymaker(tmp_path: Path, redis_url: str) -> Iterator[Toymaker]:
    toymaker = Toymaker(tmp_path, redis_url)
    yield toymaker
    toymaker.shop.close()
    toymaker.database.close()


def test_a_commit_wakes_a_worker_that_delivers(toymaker: Toymaker) -> None:
    with toymaker.worker():
        toymaker.record("bear", 3)
        until(toymaker.all_sent)
        toymaker.record("bear")
        toymaker.record("robot")
        until(toymaker.all_sent)
    assert sorted(toymaker.shop.effects()) == [("toy/bear", n) for n in (1, 2, 3, 4)] + [("toy/robot", 1)]


def test_a_hundred_commits_before_any_drain_make_one_job(toymaker: Toymaker) -> None:
    for n in range(100):
        toymaker.record(f"toy{n}")
    assert toymaker.bell.backlog() == 1


def test_a_flushed_redis_loses_no_delivery(toymaker: Toymaker) -> None:
    for n in range(10):
        toymaker.record(f"toy{n}")
    with Redis.from_url(toymaker.redis_url) as redis:
        redis.flushall()
    with toymaker.worker(), toymaker.sweeper():
        until(toymaker.all_sent)
    assert len(toymaker.shop.effects()) == 10


def test_a_worker_killed_while_it_sends_loses_nothing_and_doubles_nothing(toymaker: Toymaker) -> None:
    arrived = threading.Event()

    def hold(*_: object) -> bool:
        arrived.set()
        time.sleep(0.3)
        return False

    toymaker.shop.fault = hold
    toymaker.record("bear", 5)
    with toymaker.worker(lease_s=1.0):
        toymaker.record("robot", 5)
        assert arrived.wait(5)
    toymaker.shop.fault = None
    with toymaker.worker(lease_s=1.0), toymaker.sweeper(lease_s=1.0):
        until(toymaker.all_sent)
    effects = toymaker.shop.effects()
    assert sorted(effects) == [(f"toy/{toy}", n) for toy in ("bear", "robot") for n in range(1, 6)]


def test_a_slow_connection_is_served_by_the_slow_lane_and_delays_no_fast_one(
    toymaker: Toymaker, tmp_path: Path
) -> None:
    toymaker.shop.fault = lambda *_: time.sleep(2.3) or False
    quick_ids: list[str] = []
    quick = ToyShop(toy_database(f"sqlite:///{tmp_path / 'quick.db'}"), lambda: quick_ids)
    with toymaker.database.transaction() as session:
        quick_ids.append(add_connection(session, toymaker.keyring, quick.url))
    with toymaker.worker(MAIN), toymaker.worker(SLOW), toymaker.sweeper():
        toymaker.record("bear")
        until(toymaker.all_sent, 15)
        toymaker.record("robot")  # goes to the slow lane at once
        for n in range(5):
            with toymaker.database.transaction() as session:
                record(session, quick_ids[0], "car", now=datetime.now(UTC))
            assert until(lambda n=n: len(quick.effects()) == n + 1) < 1.0  # type: ignore[misc]
        until(toymaker.all_sent, 15)
    quick.close()


def test_without_redis_a_commit_costs_no_wait_and_the_sweeper_delivers_by_itself(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / "redis") as redis:
        url = redis.url
    toymaker = Toymaker(tmp_path, url)
    started = time.monotonic()
    for _ in range(20):
        toymaker.record("bear")
    assert time.monotonic() - started < 2.0
    with toymaker.sweeper():
        until(toymaker.all_sent)
    assert len(toymaker.shop.effects()) == 20
    toymaker.shop.close()


def test_a_redis_that_never_answers_costs_a_fifth_of_a_second_once_a_second(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bell = Bell(f"redis://127.0.0.1:{silent.getsockname()[1]}/0", PROVIDER.id)
        started = time.monotonic()
        for n in range(50):
            assert not bell.ring(f"connection-{n}")
        assert time.monotonic() - started < 0.6


def test_no_commit_of_a_web_process_waits_for_a_redis_that_never_answers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ringer = Ringer(Bell(f"redis://127.0.0.1:{silent.getsockname()[1]}/0", PROVIDER.id))
        started = time.monotonic()
        for n in range(50):
            ringer([f"connection-{n}"])
        assert time.monotonic() - started < 0.1


def test_a_ringer_rings_for_everything_it_was_told_from_many_threads(toymaker: Toymaker) -> None:
    ringer = Ringer(toymaker.bell)
    wanted = [f"connection-{n}" for n in range(40)]
    threads = [threading.Thread(target=ringer, args=([one],)) for one in wanted]
    for thread in threads:
        thread.start()
    until(lambda: toymaker.bell.backlog() == len(wanted))


def test_a_worker_survives_a_restart_of_redis(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / "redis") as redis:
        toymaker = Toymaker(tmp_path, redis.url)
        with toymaker.worker(), toymaker.sweeper():
            toymaker.record("bear")
            until(toymaker.all_sent)
            redis.kill()
            toymaker.record("bear")
            time.sleep(0.3)
            redis.start()
            toymaker.record("bear")
            until(toymaker.all_sent, 20)
        toymaker.shop.close()


def test_a_job_that_somebody_else_put_into_redis_runs_nothing(toymaker: Toymaker, tmp_path: Path) -> None:
    """The JSON serializer reads no pickle, so whoever can write to Redis cannot run code here."""
    import pickle  # noqa: PLC0415

    from rq import Queue  # noqa: PLC0415

    class Bomb:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
            return (Path.touch, (tmp_path / "pwned",))

    with Redis.from_url(toymaker.redis_url) as redis:
        job = Queue(f"sxg:{PROVIDER.id}:{MAIN}", connection=redis).enqueue("bridge.jobs.drain", "x")
        redis.hset(f"rq:job:{job.id}", "data", pickle.dumps(Bomb()))
        with toymaker.worker(), toymaker.sweeper():
            toymaker.record("bear")
            until(toymaker.all_sent, 15)
    assert not (tmp_path / "pwned").exists()
