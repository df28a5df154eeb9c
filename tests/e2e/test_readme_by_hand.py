"""What the README says to start a provider and a consumer by hand is run as it stands there, on other ports."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from sxg.client import Client
from sxg.embedded import free_port
from tests.e2e.stage import ROOT

_WITHIN_S = 30.0
T = TypeVar("T")


def until(what: Callable[[], T]) -> T:
    ends_at = time.monotonic() + _WITHIN_S
    while True:
        try:
            if found := what():
                return found
        except OSError:  # nobody answers yet
            pass
        assert time.monotonic() < ends_at
        time.sleep(0.1)


def block() -> str:
    (_, section) = (ROOT / "README.md").read_text().split("## One provider and one consumer by hand\n")
    (code,) = re.findall(r"```sh\n(.*?)```", section.split("\n## ")[0], re.DOTALL)
    return str(code)


@pytest.fixture
def ports() -> dict[str, int]:
    return {"8000": free_port(), "8001": free_port()}


@pytest.fixture
def output(ports: dict[str, int], tmp_path: Path) -> Iterator[Path]:
    """All that the block prints, while its processes run."""
    code, log = block(), tmp_path / "log"
    for told, free in ports.items():
        code = code.replace(f":{told}", f":{free}")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SXG_")}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    with log.open("wb") as written:
        script = subprocess.Popen(
            ["bash", "-c", f"{code}wait"], cwd=tmp_path, env=environment, stdout=written, stderr=written,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    try:
        yield log
    finally:
        os.killpg(script.pid, signal.SIGTERM)
        script.wait(15)


def answers(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/sign-in", timeout=5) as page:
        return str(page.read().decode())


def client(port: int, token: str) -> Client:
    return Client(f"http://127.0.0.1:{port}", token)


def test_both_answer_and_the_consumer_is_connected_with_a_token(output: Path, ports: dict[str, int]) -> None:
    assert "Nordic Telecom" in until(lambda: answers(ports["8000"]))
    assert "Baker Ltd" in until(lambda: answers(ports["8001"]))
    token = until(lambda: re.search(r"^sxu_\S+$", output.read_text(), re.MULTILINE))[0]
    (own_token,) = re.findall(r"SXG_API_TOKEN=(\S+)", block())
    person = {"company": "Baker Ltd", "contact_name": "Bo Baker", "contact_email": "bo@baker.example"}
    with client(ports["8000"], token) as provider, client(ports["8001"], own_token) as consumer:
        registered = provider.post("/registrations", person)
        asked = {"provider_url": provider.url, "token": registered["token"], "number_prefix": "BAKER"}
        assert consumer.post("/connections", asked)["state"] == "active", output.read_text()
        where = "/registrations/" + registered["number"]
        until(lambda: provider.get(where)["state"] == "closed_complete")
