"""The consumer in the README works as it stands there, with nothing of this project imported."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from bridge import signing
from bridge.egress import AddressGuard, Sender
from bridge.identity import Keyring
from bridge.models import Connection
from sxg.embedded import free_port
from tests.e2e.stage import ROOT, Stage

LINES = 42
"""Without its docstring and blank lines."""


def consumer_of_the_readme() -> str:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return str(code)


class Portal:
    """The README's consumer as a process, connected to a stage's provider by a registration of its own."""

    def __init__(self, stage: Stage, log: Path) -> None:
        self.stage, self.log, self.port = stage, log, free_port()
        contact = {"contact_name": "Ada Lovelace", "contact_email": "ada@mine.example"}
        registered = stage.provider().post("/registrations", {"company": "Mine", **contact})
        self.registration: str = registered["number"]
        self.argv = [sys.executable, "consumer.py", stage.deployment.provider.url, registered["token"], str(self.port)]

    @property
    def order_number(self) -> str:
        return self.stage.until(lambda: re.search(r"^ordered (ORD\d+)$", self.log.read_text(), re.MULTILINE)).group(1)

    def webhook_secret(self) -> str:
        """As the provider holds it."""
        provider = self.stage.deployment.provider
        connection_id = self.stage.provider().get(f"/registrations/{self.registration}")["connection_id"]
        engine = create_engine(provider.database_url)
        with engine.connect() as link:
            query = text("select secrets from connections where id = :id")
            sealed = link.execute(query, {"id": connection_id.replace("-", "")}).scalar_one()
        engine.dispose()
        secret: str = Keyring.load(provider.directory).open(Connection(id=connection_id, secrets=sealed))["webhook"][0]
        return secret

    def post(self, events: list[dict[str, Any]], secret: str) -> tuple[int, list[dict[str, Any]]]:
        """The status and the verdicts, without the ids of the events."""
        body = json.dumps(events).encode()
        headers = signing.sign(body, message_id="msg_1", now_s=int(time.time()), secrets=[secret])
        with Sender(AddressGuard(("127.0.0.0/8",)), user_agent="test") as sender:
            reply = sender.send(
                "POST", f"http://127.0.0.1:{self.port}/events", body=body, headers=headers, deadline_s=5.0
            )
        told = json.loads(reply.body)["verdicts"] if reply.status == 200 else []
        assert [verdict.pop("id") for verdict in told] == [event["id"] for event in events][: len(told)]
        return reply.status, told


@contextmanager
def portal(stage: Stage, directory: Path) -> Iterator[Portal]:
    (directory / "consumer.py").write_text(consumer_of_the_readme())
    one = Portal(stage, directory / "consumer.log")
    with one.log.open("wb") as output:
        process = subprocess.Popen(one.argv, cwd=directory, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield one
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path / "stage") as stage:
        stage.connect()
        stage.publish("po-mobile-backup")
        yield stage


def test_it_imports_nothing_of_this_project() -> None:
    imported = set(re.findall(r"^(?:import|from) (.+?)(?: import.*)?$", consumer_of_the_readme(), re.MULTILINE))
    names = {name.strip() for line in imported for name in line.split(",")}
    assert names == {"json", "sqlite3", "sys", "threading", "time", "uuid", "flask", "requests", "standardwebhooks"}


def test_it_is_short_and_its_lines_are() -> None:
    docstring, *lines = [line for line in consumer_of_the_readme().splitlines() if line.strip()]
    assert docstring.startswith('"""')
    assert len(lines) <= LINES
    assert [line for line in lines if len(line) > 120 or ";" in line] == []


def test_it_connects_orders_and_sees_its_order_completed(stage: Stage, tmp_path: Path) -> None:
    with portal(stage, tmp_path) as mine:
        number = mine.order_number
        stage.provider("order_manager").post(f"/orders/{number}/approve")
        agent = stage.provider("fulfilment_agent")

        def completed() -> bool:
            for task in agent.pages(f"/order-tasks?order={number}"):
                if task["state"] == "open":
                    agent.post(f"/order-tasks/{task['number']}/complete")
            return "exchange.provider_task.state_changed Closed" in mine.log.read_text()

        stage.until(completed)
        assert "exchange.product.changed" in mine.log.read_text()


def test_it_answers_forgeries_duplicates_gaps_and_conflicts_as_the_wire_asks(stage: Stage, tmp_path: Path) -> None:
    def event(sequence: int | None, event_id: str = "") -> dict[str, Any]:
        place = {} if sequence is None else {"sequence": sequence}
        return {"id": event_id or f"e{sequence}", "type": "t", "stream": "product/p", "data": {"name": "n"}, **place}

    with portal(stage, tmp_path) as mine:
        assert mine.order_number
        secret = mine.webhook_secret()
        assert mine.post([event(1)], "whsec_" + "A" * 32) == (401, [])
        assert mine.post([event(1), event(None, "broken")], secret) == (500, []), "the whole batch or nothing of it"
        assert mine.post([event(1), event(2)], secret) == (200, [{"verdict": "applied"}] * 2)
        assert mine.post([event(2), event(4), event(3)], secret) == (
            200, [{"verdict": "duplicate"}, {"verdict": "gap", "expected": 3}, {"verdict": "applied"}],
        )  # fmt: skip
        assert mine.post([event(1, "other")], secret) == (200, [{"verdict": "conflict", "applied_id": "e1"}])
