"""Settings: every fault is named, all at once, and nothing starts on a guess."""

import pytest

from bridge.config import ConfigurationInvalid
from consumer_sim.config import read_config

GOOD = {
    "SXG_DATABASE_URL": "sqlite:////srv/consumer/data.db",
    "SXG_DATA_DIR": "/srv/consumer",
    "SXG_PUBLIC_URL": "https://consumer.example",
    "SXG_INSTANCE_NAME": "acme-portal",
    "SXG_API_TOKEN": "a token of enough characters",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_what_is_not_named_has_a_safe_value(environment: pytest.MonkeyPatch) -> None:
    config = read_config()
    assert (config.redis_url, config.egress_allow, config.lease_s, config.sweep_s) == ("", (), 30.0, 5.0)


def test_people_read_the_display_name_where_there_is_one(environment: pytest.MonkeyPatch) -> None:
    assert read_config().display_name == "acme-portal"
    environment.setenv("SXG_DISPLAY_NAME", "ACME IT & Söhne")
    assert (read_config().display_name, read_config().instance_name) == ("ACME IT & Söhne", "acme-portal")


@pytest.mark.parametrize("name", [" ACME", "ACME\u200b", "A" * 61])
def test_a_name_that_the_wire_would_refuse_is_refused_at_the_start(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv("SXG_DISPLAY_NAME", name)
    with pytest.raises(ConfigurationInvalid, match="SXG_DISPLAY_NAME"):
        read_config()


def test_all_faults_are_named_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("SXG_DATA_DIR")
    environment.setenv("SXG_DATABASE_URL", "mysql://somewhere")
    environment.setenv("SXG_SWEEP_S", "often")
    environment.setenv("SXG_API_TOKEN", "short")
    with pytest.raises(ConfigurationInvalid) as caught:
        read_config()
    named = [line.split(":")[0] for line in str(caught.value).splitlines()]
    assert named == ["SXG_API_TOKEN", "SXG_DATABASE_URL", "SXG_DATA_DIR", "SXG_SWEEP_S"]


def test_a_failpoint_is_armed_only_where_that_is_allowed(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SXG_FAILPOINT", "drain.after_claim:kill")
    assert read_config().failpoint == ""
    environment.setenv("SXG_ALLOW_FAILPOINTS", "1")
    assert read_config().failpoint == "drain.after_claim:kill"
