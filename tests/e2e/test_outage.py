"""One of two consumers is away while orders go on at both: what people see of it meanwhile, and that nobody else does.

`/metrics`, `sxg doctor`, `sxg compare` and `sxg deliveries` are used as they are by people, on real processes.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sxg import databases
from sxg.client import Client
from tests.e2e.neighbour import Neighbour
from tests.e2e.stage import Stage
from tests.e2e.test_kills import required_answers

EVENTS = 15
CONSUMER_PROGRAMS = ("consumer-sweeper", "consumer-slow", "consumer-worker", "consumer-web")
SLOWER, SPARE_MS = 3.0, 50.0
"""How much slower the median may be while the other consumer is away: enough for a busy machine, not for a worker that
waits for somebody dead.
"""


class Watch:
    """What people see of both connections, and the hands to make something happen."""

    def __init__(self, stage: Stage, globex: Neighbour) -> None:
        self.stage, self.globex = stage, globex
        self.acme_id, self.globex_id = stage.connection_id, globex.connection_id
        self.token = databases.add_user(stage.deployment.provider.database_url, "watcher", ["viewer"])
        item = stage.publish("po-mobile-backup")
        stage.until(lambda: globex.find_item(item["id"]))
        self.acme_order = self._order(stage.consumer, item)
        self.globex_order = self._order(globex.client, item)
        stage.until(lambda: not self.waiting(self.acme_id) + self.waiting(self.globex_id))

    def _order(self, consumer: Client, item: Mapping[str, Any]) -> str:
        consumer.post(f"/catalog-items/{item['id']}/activate")
        asked = {
            "catalog_item_id": item["id"],
            "characteristics": required_answers(item["form"]),
            "requested_by": {"name": "Ada Lovelace"},
        }
        made = consumer.post("/requests", asked)
        found = self.stage.until(lambda: consumer.get(f"/requests/{made['id']}").get("order_number"))
        return str(found)

    def say(self, number: str, text: str) -> None:
        """One event to the consumer of this order."""
        self.stage.provider("order_agent").post(f"/orders/{number}/comments", {"text": text})

    def waiting(self, connection_id: str) -> int:
        return int(self.stage.provider().get(f"/connections/{connection_id}")["health"]["waiting"])

    def told_one_by_one(self, number: str, connection_id: str, word: str) -> list[float]:
        """Milliseconds from each commit to its having been applied there, one event after the other."""
        since = datetime.now(UTC)
        for count in range(EVENTS):
            self.say(number, f"{word} {count}")
            self.stage.until(lambda: not self.waiting(connection_id), every_s=0.02)
        delivered = self.deliveries("--connection", connection_id, "--limit", "200")
        times = [(moment(one["occurred_at"]), moment(one["settled_at"])) for one in delivered]
        return [(settled - at).total_seconds() * 1000 for at, settled in times if at >= since]

    def metric(self, name: str, connection_id: str) -> float:
        with urllib.request.urlopen(f"{self.stage.deployment.provider.url}/metrics", timeout=10) as answer:
            found = re.search(rf'^{name}{{.*connection_id="{connection_id}".*}} (\S+)$', answer.read().decode(), re.M)
        assert found, name
        return float(found.group(1))

    def deliveries(self, *arguments: str) -> list[dict[str, Any]]:
        listed = self.sxg("deliveries", "list", "--json", *arguments)
        assert listed.returncode == 0, listed.stderr
        return list(json.loads(listed.stdout)["items"])

    def doctor(self) -> tuple[int, dict[str, dict[str, Any]]]:
        """The exit code, and the check of each connection by its id."""
        examined = self.sxg("doctor", "provider", "--json")
        checks = json.loads(examined.stdout)["checks"]
        return examined.returncode, {
            check["facts"]["connection_id"]: check for check in checks if "connection_id" in check["facts"]
        }

    def compare(self, consumer: Client, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.sxg(
            "compare", *arguments, SXG_CONSUMER_URL=consumer.url, SXG_CONSUMER_TOKEN=consumer.token,
            SXG_PROVIDER_URL=self.stage.deployment.provider.url, SXG_PROVIDER_TOKEN=self.token,
        )  # fmt: skip

    def sxg(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command with the settings of the provider's processes, and of a user who may only look."""
        provider = self.stage.deployment.provider
        told = {**os.environ, **provider.environment, "SXG_URL": provider.url, "SXG_TOKEN": self.token, **environment}
        command = [sys.executable, "-m", "sxg", *arguments]
        return subprocess.run(command, env=told, capture_output=True, text=True, check=False, timeout=120)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def stay_in_order(deliveries: Sequence[Mapping[str, Any]]) -> bool:
    places = [(one["stream"], one["sequence"]) for one in sorted(deliveries, key=lambda one: moment(one["settled_at"]))]
    by_stream = {stream: [place for name, place in places if name == stream] for stream, _ in places}
    return all(sequences == sorted(sequences) for sequences in by_stream.values())


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    with ExitStack() as stack:
        stage = stack.enter_context(Stage(tmp_path))
        globex = stack.enter_context(Neighbour(stage, "GLOBEX"))
        stage.connect()
        globex.connect()
        yield Watch(stage, globex)


def test_an_outage_of_one_consumer_is_seen_by_every_tool_and_felt_by_nobody_else(watch: Watch) -> None:
    stage, acme_id, globex_id = watch.stage, watch.acme_id, watch.globex_id
    before = watch.told_one_by_one(watch.globex_order, globex_id, "before")
    assert watch.doctor()[0] == 0

    with stage.paused(*CONSUMER_PROGRAMS):
        for count in range(3):
            watch.say(watch.acme_order, f"Are you there? {count}")
        stage.until(lambda: watch.metric("sxg_breaker_failures", acme_id) >= 1)
        assert watch.metric("sxg_queue_depth", acme_id) == 3

        stage.provider("order_manager").post(f"/orders/{watch.acme_order}/approve")
        stage.provider("order_manager").post(f"/orders/{watch.globex_order}/approve")
        during = watch.told_one_by_one(watch.globex_order, globex_id, "during")
        waiting = watch.waiting(acme_id)
        check_metrics(watch, waiting)
        check_doctor(watch, waiting)
        check_compare(watch, waiting)
        check_deliveries(watch, waiting)

    assert len(before) == EVENTS
    assert len(during) >= EVENTS
    slow, fast = statistics.median(during), statistics.median(before)
    assert slow <= SLOWER * fast + SPARE_MS, f"{fast:.0f} ms before, {slow:.0f} ms during the outage"

    stage.until(lambda: watch.metric("sxg_queue_depth", acme_id) == 0, 60, 0.2)
    check_recovered(watch)


def check_metrics(watch: Watch, waiting: int) -> None:
    """The queue has grown by the approval, and each figure is that of its own connection."""
    assert waiting > 3
    assert watch.metric("sxg_queue_depth", watch.acme_id) == waiting
    assert watch.metric("sxg_oldest_pending_seconds", watch.acme_id) > 0
    assert watch.metric("sxg_breaker_failures", watch.acme_id) >= 1
    assert watch.metric("sxg_connection_up", watch.acme_id) == 1, "nobody stopped it, and nothing is given up"
    assert watch.metric("sxg_parked", watch.acme_id) == 0
    assert watch.metric("sxg_queue_depth", watch.globex_id) == 0
    assert watch.metric("sxg_breaker_failures", watch.globex_id) == 0


def check_doctor(watch: Watch, waiting: int) -> None:
    exit_code, checks = watch.doctor()
    assert exit_code == 1
    ill, well = checks[watch.acme_id], checks[watch.globex_id]
    assert (ill["status"], well["status"]) == ("attention", "ok")
    assert f"{waiting} waiting, 0 parked" in ill["detail"]
    assert "next probe" in ill["detail"] and "Connection refused" in ill["detail"]
    assert "nothing is lost and probes go on" in ill["advice"]
    assert f"-> {ill['advice']}" in watch.sxg("doctor", "provider").stdout, "people read the same"


def check_compare(watch: Watch, waiting: int) -> None:
    dead = watch.compare(watch.stage.consumer)
    assert dead.returncode == 3
    (line,) = dead.stderr.splitlines()
    assert line.startswith(f"error: {watch.stage.consumer.url}: ") and "Connection refused" in line
    (behind,) = dead.stdout.splitlines()
    assert f"({watch.acme_id}): {waiting} waiting, 0 parked, the oldest since " in behind
    told = json.loads(watch.compare(watch.stage.consumer, "--json").stdout)
    assert [(one["connection_id"], one["waiting"]) for one in told["behind"]] == [(watch.acme_id, waiting)]
    living = watch.compare(watch.globex.client)
    assert (living.returncode, living.stdout.startswith("both sides are equal: 1 provider tasks")) == (0, True)


def check_deliveries(watch: Watch, waiting: int) -> None:
    """What waits, with the reason, in the list of all; nothing of it is the living consumer's."""
    pending = watch.deliveries("--state", "pending")
    assert len(pending) == waiting
    assert {one["connection_id"] for one in pending} == {watch.acme_id}
    assert all("Connection refused" in one["reason"] and one["next_try_at"] for one in pending)
    head, *lines = watch.sxg("deliveries", "list", "--state", "pending").stdout.splitlines()
    assert head.split()[-1] == "reason"
    assert len(lines) == waiting
    assert all(line.endswith("Connection refused") for line in lines)
    shown = watch.sxg("deliveries", "show", pending[0]["id"])
    # It may have been tried once more meanwhile.
    assert json.loads(shown.stdout) | {"next_try_at": ""} == pending[0] | {"next_try_at": ""}


def check_recovered(watch: Watch) -> None:
    exit_code, checks = watch.doctor()
    assert exit_code == 0, checks
    for consumer in (watch.stage.consumer, watch.globex.client):
        compared = watch.compare(consumer)
        assert (compared.returncode, "both sides are equal" in compared.stdout) == (0, True), compared.stdout
    assert watch.deliveries("--state", "pending") == []
    everything = watch.deliveries("--connection", watch.acme_id, "--limit", "200")
    assert {(one["state"], one["reason"]) for one in everything} == {("delivered", None)}
    assert stay_in_order(everything)
    assert watch.metric("sxg_breaker_failures", watch.acme_id) == 0
