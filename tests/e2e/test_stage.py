"""Does the stage do to processes and Redis what tests ask of it?"""

import time
from collections.abc import Iterator

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisAway

from tests.e2e.stage import Stage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("stage")) as stage:
        stage.connect()
        yield stage


def test_an_offer_reaches_the_consumer_and_then_all_is_quiet(stage: Stage) -> None:
    item = stage.publish("SD-WAN Package")
    assert item["name"] == "SD-WAN Package"
    stage.until(stage.is_quiet)


def test_a_killed_process_comes_back_and_a_paused_one_waits(stage: Stage) -> None:
    before = stage.starts("consumer-sweeper")
    stage.kill("consumer-sweeper")
    stage.until(lambda: stage.starts("consumer-sweeper") == before + 1)
    with stage.paused("consumer-sweeper"):
        assert stage.deployment.supervisor.pid("consumer-sweeper") is None
    assert stage.starts("consumer-sweeper") == before + 2


def test_an_armed_process_dies_once(stage: Stage) -> None:
    before = stage.starts("consumer-web")
    stage.arm("consumer-web", "consumer.in_tx:kill")
    assert stage.starts("consumer-web") == before + 1
    stage.publish("Managed Wi-Fi")
    stage.until(lambda: stage.starts("consumer-web") == before + 2)
    stage.until(stage.is_quiet)
    time.sleep(1)
    assert stage.starts("consumer-web") == before + 2


def test_redis_is_flushed_taken_away_and_brought_back_under_its_address(stage: Stage) -> None:
    with Redis.from_url(stage.redis.url) as connection:
        connection.set("left", "over")
        stage.redis.flush()
        assert connection.get("left") is None
        stage.redis.stop()
        with pytest.raises(RedisAway):
            connection.ping()
        stage.redis.start()
        assert connection.ping()


def test_waiting_in_vain_shows_the_logs(stage: Stage) -> None:
    with pytest.raises(AssertionError, match=r"(?s)not within 0.1 s.*--- provider-web"):
        stage.until(lambda: False, timeout_s=0.1)
