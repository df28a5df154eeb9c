"""docker-compose.yml against the code, without Docker: are its commands, settings and files really ours?"""

import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from bridge.config import ConfigurationInvalid
from sxg.cli import main
from sxg.settings import check_lease, read_config

ROOT = Path(__file__).parents[2]
FILLED_IN = {
    "PROVIDER_DB_PASSWORD": "d4c3b2a1",
    "CONSUMER_DB_PASSWORD": "a1b2c3d4",
    "REDIS_PASSWORD": "c0ffee",
    "PROVIDER_PUBLIC_URL": "https://exchange.example",
    "PROVIDER_EGRESS_ALLOW": "172.28.0.0/24",
    "CONSUMER_API_TOKEN": "0123456789abcdef",
    "PROVIDER_DISPLAY_NAME": "Northwind Telecom",
    "CONSUMER_DISPLAY_NAME": "ACME IT",
}
_VARIABLE = re.compile(r"\$\$|\$\{(?P<name>\w+)(?P<rule>:\?|-)?(?P<word>[^}]*)\}|\$")


class Unset(Exception):
    pass


def interpolate(text: str, values: Mapping[str, str]) -> str:
    """As Compose does, for the forms used here; anything else after a $ is refused."""

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        name, rule = match["name"], match["rule"]
        assert name and rule, f"${name} without a rule for when it is not set"
        if rule == ":?" and not values.get(name):
            raise Unset(name)
        return values.get(name, match["word"])

    return _VARIABLE.sub(value, text)


def load(values: Mapping[str, str] = FILLED_IN) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(interpolate((ROOT / "docker-compose.yml").read_text(), values))
    return document


COMPOSE = load()
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
LASTING = {name: service for name, service in SERVICES.items() if not name.endswith("-migrate")}


def side_of(name: str) -> str:
    return name.partition("-")[0]


def parse(arguments: list[str]) -> click.Context:
    """The command that these arguments name, with its options parsed. Raises click's UsageError."""
    command: click.Command = main
    context = click.Context(main)
    rest = arguments
    while isinstance(command, click.Group):
        _, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command = found
    return command.make_context(command.name, rest)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [name for name in os.environ if name.startswith("SXG_")]:
        monkeypatch.delenv(name)
    return monkeypatch


def set_environment(patch: pytest.MonkeyPatch, service: Mapping[str, Any], data_dir: Path) -> None:
    for name, value in {**service["environment"], "SXG_DATA_DIR": str(data_dir)}.items():
        patch.setenv(name, value)


def test_both_sides_have_every_process() -> None:
    for side in ("provider", "consumer"):
        assert {f"{side}-{role}" for role in ("postgres", "migrate", "web", "worker", "slow", "sweeper")} <= set(
            SERVICES
        )
    assert SERVICES["provider-worker"]["deploy"]["replicas"] == 2


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_of_ours(name: str, environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    set_environment(environment, OURS[name], tmp_path)
    context = parse(OURS[name]["command"])
    told = context.params.get("side") or context.command.name
    assert told == side_of(name), "a side's process works for that side"


def test_a_command_that_is_not_ours_would_be_found(environment: pytest.MonkeyPatch) -> None:
    for wrong in (["serve"], ["worker", "both"], ["worker", "provider", "--lane", "fast"], ["provider", "--port", "1"]):
        with pytest.raises(click.UsageError):
            parse(wrong)


@pytest.mark.parametrize("name", OURS)
def test_the_settings_are_complete_and_read(name: str, environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    set_environment(environment, OURS[name], tmp_path)
    check_lease(read_config(side_of(name)))
    sources = [ROOT / place for place in ("bridge/config.py", f"{_room(name)}/config.py", "sxg/settings.py")]
    known = {setting for source in sources for setting in re.findall(r"SXG_\w+", source.read_text())}
    assert set(OURS[name]["environment"]) <= known


def _room(name: str) -> str:
    return {"provider": "provider", "consumer": "consumer_sim"}[side_of(name)]


def test_an_unset_token_is_refused_by_the_process(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    service = load({name: value for name, value in FILLED_IN.items() if name != "CONSUMER_API_TOKEN"})["services"]
    set_environment(environment, service["consumer-web"], tmp_path)
    with pytest.raises(ConfigurationInvalid, match="SXG_API_TOKEN"):
        read_config("consumer")


@pytest.mark.parametrize("name", ["PROVIDER_DB_PASSWORD", "REDIS_PASSWORD", "PROVIDER_PUBLIC_URL"])
def test_a_missing_secret_stops_compose_itself(name: str) -> None:
    with pytest.raises(Unset, match=name):
        load({**FILLED_IN, name: ""})


def test_the_example_of_the_env_file_names_every_variable() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    named = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}
    assert named == set(FILLED_IN) == set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))


@pytest.mark.parametrize("name", OURS)
def test_migrations_come_first_and_servers_are_healthy_before(name: str) -> None:
    needs, side = OURS[name]["depends_on"], side_of(name)
    assert needs[f"{side}-postgres"]["condition"] == "service_healthy"
    if not name.endswith("-migrate"):
        assert needs[f"{side}-migrate"]["condition"] == "service_completed_successfully"
        assert needs["redis"]["condition"] == "service_healthy"
    assert set(needs) <= set(SERVICES)


@pytest.mark.parametrize("name", LASTING)
def test_what_should_last_is_started_again(name: str) -> None:
    assert LASTING[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", [name for name in SERVICES if name.endswith(("-web", "postgres")) or name == "redis"])
def test_what_serves_is_asked_for_its_health(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert {"test", "interval", "timeout", "retries", "start_period"} <= set(check)
    if name.endswith("-web"):
        compile(check["test"][-1], "healthcheck", "exec")
        assert "/ready" in check["test"][-1]
        assert SERVICES[name]["command"][1:3] == ["--bind", "0.0.0.0:8000"]


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_by_version(name: str) -> None:
    assert re.fullmatch(r"[a-z-]+:\d+(\.\d+)*", SERVICES[name]["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_volumes_are_declared_and_each_side_shares_one_data_directory(name: str) -> None:
    volumes = dict(volume.split(":") for volume in SERVICES[name].get("volumes", []))
    assert set(volumes) <= set(COMPOSE["volumes"])
    if name in OURS:
        assert volumes == {f"{side_of(name)}-data": SERVICES[name]["environment"]["SXG_DATA_DIR"]}


@pytest.mark.parametrize("name", SERVICES)
def test_no_port_is_open_to_the_network(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


def test_the_redis_of_compose_keeps_everything_and_asks_for_a_password(tmp_path: Path) -> None:
    script = SERVICES["redis"]["command"][-1]
    shown = script.replace("redis-server - --dir /data", "cat")
    told = subprocess.run(
        ["sh", "-c", shown], env={**os.environ, "REDISCLI_AUTH": "c0ffee"}, capture_output=True, text=True, check=True
    ).stdout
    settings = dict(line.split(" ", 1) for line in told.splitlines())
    assert settings["requirepass"] == "c0ffee"
    assert (settings["appendonly"], settings["maxmemory-policy"]) == ("yes", "noeviction")


def test_the_image_copies_every_package_and_enters_sxg() -> None:
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    copied = {word for line in lines if line.startswith("COPY") for word in shlex.split(line)[1:-1]}
    packages = set(re.search(r"^packages = \[(.*)\]$", (ROOT / "pyproject.toml").read_text(), re.M)[1].split('"')[1::2])  # type: ignore[index]
    assert packages <= copied
    assert 'ENTRYPOINT ["sxg"]' in lines
    assert "USER sxg" in lines
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {name for name in copied if not name.startswith(("/", "--"))} == allowed
