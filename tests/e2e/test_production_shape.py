"""The production shape without Docker: PostgreSQL and Redis, and two of every process of the provider at once.

The commands are those of docker-compose.yml, run by hand, behind a load balancer of some thirty lines.
"""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from sxg import databases
from sxg.client import ApiProblem, Client, Unreachable
from sxg.deployment import Deployment
from tests.e2e.stage import RedisControl, Stage
from tests.postgres import fresh_database

ITEM = "po-mobile-backup"
ORDERS = 30
QUANTITY = 2
COPIES = {"provider-web": 2, "provider-worker": 2, "provider-sweeper": 2}
ROLLED = [name for program in COPIES for name in (program, f"{program}-2")]
ROLES = ("order_manager", "fulfilment_agent", "order_agent")


class LoadBalancer:
    """Gives each TCP connection to the next backend in turn, or to another when that one does not listen."""

    def __init__(self) -> None:
        self.backends: Sequence[int] = ()
        self.served: Counter[int] = Counter()
        self._turn = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            self._turn += 1
            for step in range(len(self.backends)):
                port = self.backends[(self._turn + step) % len(self.backends)]
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as backend:
                    backend.settimeout(None)
                    self.served[port] += 1
                    self._carry(client, backend)
                    return

    @staticmethod
    def _carry(client: socket.socket, backend: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, backend)
            selector.register(backend, selectors.EVENT_READ, client)
            while True:
                for key, _ in selector.select():
                    here: Any = key.fileobj
                    chunk = here.recv(65536)
                    if not chunk:
                        return
                    key.data.sendall(chunk)


class ProductionStage(Stage):
    """A stage on two PostgreSQL databases, with the provider's web processes behind a load balancer."""

    def __init__(self, directory: Path, database_urls: Mapping[str, str]) -> None:
        self.balancer = LoadBalancer()
        self.deployment = Deployment(
            directory, database_urls=database_urls, copies=COPIES, addresses={"provider": self.balancer.url},
            settings={"SXG_SWEEP_S": "1"},
        )  # fmt: skip
        self.balancer.backends = list(self.deployment.provider.web_ports.values())
        self.redis = RedisControl(self.deployment)
        self.connection_id = ""
        self._clients: dict[str, Client] = {}
        self.tokens: dict[str, str] = {}

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        self.balancer.close()

    def token(self, role: str) -> str:
        if role not in self.tokens:
            self.tokens[role] = databases.add_user(self.deployment.provider.database_url, f"{role}-told", [role])
        return self.tokens[role]

    def sxg(self, *arguments: str, side: str = "provider", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command with the settings of a side's processes."""
        told = {**os.environ, **self.deployment.instances[side].environment, **environment}
        command = [sys.executable, "-m", "sxg", *arguments]
        return subprocess.run(command, env=told, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[ProductionStage]:
    with ExitStack() as stack:
        urls = {side: stack.enter_context(fresh_database(postgres_server)) for side in ("provider", "consumer")}
        stage = stack.enter_context(ProductionStage(tmp_path_factory.mktemp("production"), urls))
        stage.connect()
        yield stage


class Teller:
    """One person at each side, with connections of their own; every request of theirs that got no answer is counted."""

    def __init__(self, stage: ProductionStage, item: Mapping[str, Any]) -> None:
        self.item = item
        self.consumer = stage.deployment.consumer_client()
        self.people = {role: Client(stage.balancer.url, stage.token(role)) for role in ROLES}
        self.unanswered = 0
        self.request_id = self.number = ""

    def tell(self) -> None:
        """The life of one order, from the request to the inventory."""
        wanted = [v for v in self.item["form"]["variables"] if v["mandatory"] and v["default"] is None]
        answers = {v["key"]: v["options"][0]["value"] if v["options"] else "ada@acme.example" for v in wanted}
        ada = {"name": "Ada Lovelace", "email": "ada@acme.example"}
        body = {
            "catalog_item_id": self.item["id"],
            "quantity": QUANTITY,
            "characteristics": answers,
            "requested_by": ada,
        }
        self.request_id = self.consumer.post("/requests", {**body, "parts": {}})["id"]
        self.until(lambda: self.request()["order_number"])
        self.number = self.request()["order_number"]
        path = f"/orders/{self.number}"
        self.until(lambda: self.order()["state"] != "new", lambda: self.say("order_manager", f"{path}/approve"))
        self.until(self.has_comment, lambda: self.say("order_agent", f"{path}/comments", {"text": "On its way."}))
        self.until(lambda: self.order()["state"] == "completed", self.complete_what_is_open)
        self.until(lambda: self.request()["state"] == "closed")

    def request(self) -> dict[str, Any]:
        found: dict[str, Any] = self.consumer.get(f"/requests/{self.request_id}")
        return found

    def order(self) -> dict[str, Any]:
        found: dict[str, Any] = self.people["order_agent"].get(f"/orders/{self.number}")
        return found

    def has_comment(self) -> bool:
        return any(comment["text"] == "On its way." for comment in self.order()["comments"])

    def say(self, role: str, path: str, body: Mapping[str, Any] | None = None) -> None:
        self.people[role].post(path, body)

    def complete_what_is_open(self) -> None:
        for task in self.people["fulfilment_agent"].pages(f"/order-tasks?order={self.number}"):
            if task["state"] == "open":
                self.say("fulfilment_agent", f"/order-tasks/{task['number']}/complete")

    def until(self, done: Callable[[], Any], act: Callable[[], None] = lambda: None, timeout_s: float = 120) -> None:
        """Repeat until it is done. Only a connection that broke may be repeated: every answer must be a good one, but
        for the 409 of what was done although its answer got lost.
        """
        deadline = time.monotonic() + timeout_s
        lost = False
        while time.monotonic() < deadline:
            try:
                if done():
                    return
                act()
            except Unreachable:
                lost, self.unanswered = True, self.unanswered + 1
            except ApiProblem as problem:
                if problem.status != 409 or not lost:
                    raise
            time.sleep(0.3)
        raise AssertionError(f"not done in {timeout_s:g} s: request {self.request_id}, order {self.number}")


def roll(stage: ProductionStage) -> None:
    """A rolling restart: each process is told to stop, and the next only when that one is back."""
    for name in ROLLED:
        before = stage.starts(name)
        stage.kill(name, signal.SIGTERM)
        stage.until(lambda name=name, before=before: stage.starts(name) > before, 40)  # type: ignore[misc]
        stage.deployment.supervisor.wait_ready(name)


def test_thirty_orders_at_once_during_a_rolling_restart(stage: ProductionStage) -> None:
    item = stage.publish(ITEM)
    stage.consumer.post(f"/catalog-items/{item['id']}/activate")
    tellers = [Teller(stage, item) for _ in range(ORDERS)]
    with ThreadPoolExecutor(ORDERS) as pool:
        told = [pool.submit(teller.tell) for teller in tellers]
        time.sleep(2)
        roll(stage)
        for future in told:
            future.result()
    stage.until(stage.is_quiet, 60)
    assert all(stage.balancer.served[port] > ORDERS for port in stage.balancer.backends), "both served"
    print("requests without an answer:", sum(teller.unanswered for teller in tellers))

    environment = {
        "SXG_PROVIDER_URL": stage.balancer.url, "SXG_PROVIDER_TOKEN": stage.token("viewer"),
        "SXG_CONSUMER_URL": stage.deployment.consumer.url, "SXG_CONSUMER_TOKEN": stage.deployment.api_token,
    }  # fmt: skip
    compared = stage.sxg("compare", **environment)
    assert compared.returncode == 0, compared.stdout + compared.stderr
    assert compared.stdout.startswith(f"both sides are equal: {ORDERS} provider tasks, {ORDERS * QUANTITY} products")
    check_effects(stage, tellers)


def check_effects(stage: ProductionStage, tellers: Sequence[Teller]) -> None:
    """Each effect once, at both sides, counted in their databases."""
    assert len({teller.number for teller in tellers}) == ORDERS
    for teller in tellers:
        request, order = teller.request(), teller.order()
        steps = [step["sequence"] for step in request["timeline"]]
        assert steps == sorted(set(steps))
        assert [step["order_state"] for step in request["timeline"]] == [s["to_state"] for s in order["timeline"]]
        assert [comment["text"] for comment in request["comments"]].count("On its way.") >= 1
        assert len(request["comments"]) == len(order["comments"])
    assert counted(stage, "provider", "select count(*) from customer_orders") == ORDERS
    assert counted(stage, "provider", "select count(*) from deliveries where state <> 'delivered'") == 0
    delivered = counted(stage, "provider", "select count(*) from deliveries")
    assert counted(stage, "consumer", "select count(*) from inbox_messages") == delivered, "each event applied once"


def counted(stage: ProductionStage, side: str, query: str) -> int:
    engine = create_engine(stage.deployment.instances[side].database_url)
    try:
        with engine.connect() as connection:
            return int(connection.execute(text(query)).scalar_one())
    finally:
        engine.dispose()


def test_an_exported_catalog_comes_back_unchanged(stage: ProductionStage, tmp_path: Path) -> None:
    file, address = (
        tmp_path / "catalog.json",
        {"SXG_URL": stage.balancer.url, "SXG_TOKEN": stage.token("catalog_manager")},
    )
    exported = stage.sxg("catalog", "export", "--output", str(file), **address)
    assert exported.returncode == 0, exported.stderr
    assert stage.sxg("catalog", "export", **address).stdout == file.read_text()
    imported = stage.sxg("catalog", "import", str(file), "--json", **address)
    counts = json.loads(imported.stdout)
    assert (counts["created"], counts["updated"], counts["unchanged"] > 12) == (0, 0, True)


@pytest.mark.parametrize("side", ["provider", "consumer"])
def test_the_doctor_finds_both_sides_healthy(stage: ProductionStage, side: str) -> None:
    found = stage.sxg("doctor", side, "--json", side=side)
    checks = {check["name"]: check for check in json.loads(found.stdout)["checks"]}
    assert found.returncode == 0, found.stdout
    assert checks["redis"]["facts"]["workers"]["main"] >= (2 if side == "provider" else 1)
    assert checks["database"]["detail"].startswith("postgresql+psycopg://")


def test_the_doctor_sees_an_outage_and_its_end(stage: ProductionStage) -> None:
    with stage.paused("consumer-web"):
        stage.provider("exchange_admin").post(f"/connections/{stage.connection_id}/test-event")
        request = stage.provider("order_agent")
        number = next(request.pages("/orders"))["number"]
        request.post(f"/orders/{number}/comments", {"text": "Are you there?"})
        found = stage.until(lambda: connection_check(stage))
        assert found["facts"]["waiting"] == 1
        assert found["facts"]["failures"] >= 1
        assert stage.sxg("doctor", "provider").returncode == 1
    stage.until(lambda: stage.sxg("doctor", "provider").returncode == 0, 60, 1)


def connection_check(stage: ProductionStage) -> dict[str, Any] | None:
    checks = json.loads(stage.sxg("doctor", "provider", "--json").stdout)["checks"]
    found: dict[str, Any] = next(check for check in checks if check["name"].startswith("connection "))
    return found if found["status"] == "attention" else None
