"""A consumer by a foreign hand, written from docs/wire.md alone, buys from a real provider."""

import json
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from standardwebhooks.webhooks import Webhook

from tests.e2e.stage import CATALOG, Stage

PROGRAM = Path(__file__).with_name("foreign_consumer.py")
GOLDEN = Path(__file__).parents[1] / "golden"
OFFERING = "SD-WAN Package"
ITEM, STATE, COMMENT = "catalog_item.changed", "provider_task.state_changed", "provider_task.comment_added"
LABELS = [
    *[("received", "Received", order_state) for order_state in ("draft", "submitted", "new")],
    ("work_in_progress", "Work in Progress", "acknowledged"),
    ("work_in_progress", "Work in progress", "in_progress"),
    ("closed", "Closed", "completed"),
]


class Foreign:
    """The foreign consumer as a process, and what can be asked of it."""

    def __init__(self, directory: Path, stage: Stage) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]
        self._directory, self._stage = directory, stage
        self._url = f"http://127.0.0.1:{self._port}"
        self.start()

    def start(self) -> None:
        with (self._directory / "foreign.log").open("a") as log:
            command = [sys.executable, str(PROGRAM), str(self._port), str(self._directory / "foreign.db")]
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 20
        while not self._answers():
            assert time.monotonic() < deadline and self.process.poll() is None
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self._url}/state", timeout=5).ok
        except requests.ConnectionError:
            return False

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def say(self, path: str, **body: Any) -> Any:
        answer = requests.post(self._url + path, json=body, timeout=60)
        assert answer.ok, answer.text
        return answer.json()

    def get(self, path: str) -> tuple[int, Any]:
        answer = requests.get(f"{self._url}/get", {"path": path}, timeout=60).json()
        return answer["status"], answer["answer"]

    def connect(self) -> str:
        contact = {"contact_name": "Ada Lovelace", "contact_email": "ada@foreign.example"}
        registration = self._stage.provider().post("/registrations", {"company": "Foreign Ltd", **contact})
        url = self._stage.deployment.provider.url
        assert self.say("/connect", provider_url=url, token=registration["token"])["state"] == "active"
        return str(self.state()["link"]["connection_id"])

    # --- what it knows

    def state(self) -> dict[str, Any]:
        known: dict[str, Any] = requests.get(f"{self._url}/state", timeout=60).json()
        return known

    def seen(self, kind: str, **values: str) -> list[dict[str, Any]]:
        """The data of all effects of this type, in the order of arrival, whose members have these values."""
        data = [event["data"] for event in self.state()["effects"] if event["type"] == f"exchange.{kind}"]
        return [one for one in data if values.items() <= one.items()]

    def effects(self, stream: str) -> list[Any]:
        return [event for event in self.state()["effects"] if event["stream"] == stream]

    def inbox(self, stream: str) -> list[Any]:
        return [row for row in self.state()["inbox"] if row[0] == stream]

    def status(self, call: int) -> int | None:
        """What a kept call was answered with; None while it waits."""
        status: int | None = self.state()["calls"][str(call)][0]
        return status

    # --- orders

    def order(self, item_id: str, times: int = 1) -> dict[str, Any]:
        """Order the example package; what was sent."""
        wish = {"catalog_item_id": item_id, "catalog_item_revision": 1, "location": {"name": "Berlin office"}}
        wish |= {"parts": {"controller": {"characteristics": {"admin_email": "ada@foreign.example"}}}, "quantity": 1}
        wish |= {"requested_by": {"name": "Ada Lovelace", "email": "ada@foreign.example"}}
        ordered: dict[str, Any] = self.say("/order", body=wish, times=times)
        assert [status for status, _ in ordered["answers"]] == [201] * times, ordered["answers"]
        return ordered

    # --- batches of somebody who knows, or does not know, the secret

    def deliver(self, events: Any, secret: str = "", age_s: int = 0, tail: str = "") -> requests.Response:
        message, at, body = str(uuid.uuid4()), datetime.now(UTC) - timedelta(seconds=age_s), json.dumps(events)
        signature = Webhook(secret or self.state()["link"]["webhook_secret"]).sign(message, at, body)
        headers = {"webhook-id": message, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}
        return requests.post(f"{self._url}/exchange/events", (body + tail).encode(), headers=headers, timeout=60)

    def event(self, sequence: int, stream: str, kind: str = COMMENT, **data: Any) -> dict[str, Any]:
        source = f"urn:uuid:{self.state()['link']['provider']['instance_id']}"
        event = {"specversion": "1.0", "id": str(uuid.uuid4()), "source": source, "type": f"exchange.{kind}"}
        return event | {"stream": stream, "sequence": sequence, "contenthash": "0" * 64, "data": data}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("stage")) as stage:
        stage.provider().post("/catalog/import", json.loads(CATALOG.read_text()))
        yield stage


@pytest.fixture(scope="module")
def foreign(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreign]:
    yield from _process(stage, tmp_path_factory.mktemp("foreign"))


@pytest.fixture(scope="module")
def other(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreign]:
    yield from _process(stage, tmp_path_factory.mktemp("other"))


def _process(stage: Stage, directory: Path) -> Iterator[Foreign]:
    foreign = Foreign(directory, stage)
    yield foreign
    foreign.kill()


@pytest.fixture(scope="module")
def connections(stage: Stage, foreign: Foreign, other: Foreign) -> tuple[str, str]:
    return foreign.connect(), other.connect()


@pytest.fixture(scope="module")
def item(stage: Stage, foreign: Foreign, connections: tuple[str, str]) -> str:
    """The id of the item that is published to the first of the two."""
    admin = stage.provider()
    producer = next(one for one in admin.pages("/remote-record-producers") if one["name"] == OFFERING)
    path = f"/remote-record-producers/{producer['identity']}/publish"
    admin.post(path, {"criteria": {"connection_ids": [connections[0]]}})
    stage.until(lambda: foreign.seen(ITEM, item_id=producer["identity"]))
    return str(producer["identity"])


def _fulfil(stage: Stage, order_number: str) -> None:
    agent = stage.provider("fulfilment_agent")

    def do_what_is_open() -> bool:
        open_tasks = [task for task in agent.pages(f"/order-tasks?order={order_number}") if task["state"] == "open"]
        for task in open_tasks:
            agent.post(f"/order-tasks/{task['number']}/start")
            agent.post(f"/order-tasks/{task['number']}/complete")
        return not open_tasks

    stage.until(do_what_is_open)


def test_an_item_arrives_where_it_is_meant_for(stage: Stage, foreign: Foreign, other: Foreign, item: str) -> None:
    [arrived] = foreign.seen(ITEM, item_id=item)
    assert (arrived["name"], arrived["kind"], arrived["orderable"]) == (OFFERING, "product", True)
    assert [part["key"] for part in arrived["form"]["parts"]] == ["controller", "edge", "security"]
    assert foreign.get(f"/catalog-items/{item}") == (200, arrived)
    assert item not in [one["item_id"] for one in other.get("/catalog-items")[1]["items"]]
    assert other.seen(ITEM, item_id=item) == []


def test_one_submit_sent_twenty_times_at_once_is_one_order(stage: Stage, foreign: Foreign, item: str) -> None:
    ordered = foreign.order(item, times=20)
    answers = [answer for _, answer in ordered["answers"]]
    assert len(answers) == 20
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["task_id"] == ordered["sent"]["id"]
    tasks = foreign.get("/provider-tasks?limit=200")[1]["items"]
    assert [task["number"] for task in tasks].count(ordered["sent"]["number"]) == 1
    orders = [order["number"] for order in stage.provider("order_manager").pages("/orders")]
    assert sorted(orders) == sorted(task["order_number"] for task in tasks)


def test_an_order_goes_its_way_to_active_products(stage: Stage, foreign: Foreign, item: str) -> None:
    manager, sent = stage.provider("order_manager"), foreign.order(item)["sent"]
    number = foreign.get(f"/provider-tasks/{sent['id']}")[1]["order_number"]
    asked = foreign.say("/comment", task_id=sent["id"], text="Please ring twice")
    stage.until(lambda: foreign.status(asked["call"]) == 201)
    [from_consumer] = manager.get(f"/orders/{number}")["comments"]
    assert (from_consumer["text"], from_consumer["author"]["company"]) == ("Please ring twice", "Foreign Ltd")
    manager.post(f"/orders/{number}/comments", {"text": "Grüße aus Köln"})
    manager.post(f"/orders/{number}/approve")
    _fulfil(stage, number)
    stage.until(lambda: foreign.seen(STATE, task_id=sent["id"], state="closed"))
    stage.until(lambda: len(foreign.seen("product.changed", task_id=sent["id"], state="active")) == 3)

    states = foreign.seen(STATE, task_id=sent["id"])
    steps = [(one["state"], one["state_label"], one["order_state"]) for one in states]
    assert list(dict.fromkeys(steps)) == LABELS
    [comment] = foreign.seen(COMMENT, task_id=sent["id"])
    assert (comment["text"], comment["author"]["company"]) == ("Grüße aus Köln", "demo-provider")
    assert len(foreign.get(f"/provider-tasks/{sent['id']}/comments")[1]["items"]) == 2
    for product in foreign.seen("product.changed", task_id=sent["id"], state="active"):
        assert foreign.get(f"/products/{product['product_id']}") == (200, product)
    sequences = [sequence for _, sequence, *_ in foreign.inbox(f"provider_task/{sent['id']}")]
    assert sequences == list(range(1, len(states) + 2))


def test_a_cancelled_request_is_cancelled_on_both_sides(stage: Stage, foreign: Foreign, item: str) -> None:
    sent = foreign.order(item)["sent"]
    call = foreign.say("/cancel", task_id=sent["id"], reason="no longer needed")["call"]
    stage.until(lambda: foreign.seen(STATE, task_id=sent["id"], state="cancelled"))
    stage.until(lambda: foreign.status(call) == 200)
    [last] = foreign.seen(STATE, task_id=sent["id"], state="cancelled")
    assert (last["reason"], last["order_state"]) == ("no longer needed", "cancelled")


@pytest.mark.parametrize("when", ["before_commit", "before_answer"])
def test_a_consumer_that_is_killed_while_it_receives_misses_nothing(
    stage: Stage, foreign: Foreign, item: str, when: str
) -> None:
    manager, sent = stage.provider("order_manager"), foreign.order(item)["sent"]
    number = foreign.get(f"/provider-tasks/{sent['id']}")[1]["order_number"]
    stage.until(lambda: foreign.seen(STATE, task_id=sent["id"], order_state="new"))
    foreign.say("/die", when=when)
    manager.post(f"/orders/{number}/comments", {"text": "one"})
    assert foreign.process.wait(20) == -signal.SIGKILL
    manager.post(f"/orders/{number}/comments", {"text": "two"})
    manager.post(f"/orders/{number}/approve")
    foreign.start()
    known_at_start = [one["text"] for one in foreign.seen(COMMENT, task_id=sent["id"])]
    assert when == "before_commit" or known_at_start[:1] == ["one"]
    assert foreign.get("/connection")[0] == 200  # an authenticated call makes the provider try again at once
    stage.until(lambda: foreign.seen(STATE, task_id=sent["id"], order_state="in_progress"))
    texts = [one["text"] for one in foreign.seen(COMMENT, task_id=sent["id"])]
    states = [one["order_state"] for one in foreign.seen(STATE, task_id=sent["id"])]
    assert texts == ["one", "two"]
    assert states == ["draft", "submitted", "new", "acknowledged", "in_progress"]


def test_what_a_killed_consumer_had_kept_is_sent_once(stage: Stage, foreign: Foreign, item: str) -> None:
    sent = foreign.order(item)["sent"]
    with stage.paused("provider-web"):
        call = foreign.say("/comment", task_id=sent["id"], text="Written before the crash")["call"]
        foreign.kill()
        foreign.start()
        assert foreign.status(call) is None
    stage.until(lambda: foreign.status(call) == 201)
    comments = foreign.get(f"/provider-tasks/{sent['id']}/comments")[1]["items"]
    assert [comment["text"] for comment in comments] == ["Written before the crash"]


def test_a_batch_that_comes_again_changes_nothing(stage: Stage, foreign: Foreign, item: str) -> None:
    sent = foreign.order(item)["sent"]
    stage.until(lambda: foreign.seen(STATE, task_id=sent["id"], order_state="new"))
    stream = f"provider_task/{sent['id']}"
    batch, inbox = foreign.effects(stream), foreign.inbox(stream)
    assert len(batch) == len(inbox) == 3
    for _ in range(2):
        assert [one["verdict"] for one in foreign.deliver(batch).json()["verdicts"]] == ["duplicate"] * 3
    assert (foreign.effects(stream), foreign.inbox(stream)) == (batch, inbox)


def test_each_event_has_its_verdict(foreign: Foreign, connections: tuple[str, str]) -> None:
    stream = f"made_up/{uuid.uuid4()}"
    first, unknown = foreign.event(1, stream, text="a"), foreign.event(2, stream, "weather.changed")
    too_long, after_it = foreign.event(3, stream, text="x" * 4001), foreign.event(4, stream, text="b")
    impostor, tombstone = foreign.event(1, stream, text="c"), foreign.event(3, stream, "tombstone")
    batch = [first, unknown, first, too_long, after_it, impostor, tombstone, after_it]
    verdicts = foreign.deliver(batch).json()["verdicts"]
    expected = ["applied", "ignored", "duplicate", "rejected", "gap", "conflict", "applied", "applied"]
    assert [one["verdict"] for one in verdicts] == expected
    assert [one["id"] for one in verdicts] == [event["id"] for event in batch]
    assert verdicts[4]["expected"] == 3
    assert (verdicts[5]["applied_id"], verdicts[5]["applied_contenthash"]) == (first["id"], first["contenthash"])
    assert foreign.deliver([]).json() == {"verdicts": []}


def test_the_golden_batch_gives_the_golden_digests(foreign: Foreign, connections: tuple[str, str]) -> None:
    source = f"urn:uuid:{foreign.state()['link']['provider']['instance_id']}"
    batch = [{**event, "source": source} for event in json.loads((GOLDEN / "batch.json").read_text())]
    assert foreign.deliver(batch).ok
    digests = [digest for *_, digest in foreign.inbox(batch[0]["stream"])]
    golden = json.loads((GOLDEN / "digest.json").read_text())
    assert digests == [golden["after_first"], golden["after_second"]]


def test_a_forged_or_old_batch_is_refused(foreign: Foreign, connections: tuple[str, str]) -> None:
    stream = f"made_up/{uuid.uuid4()}"
    batch = [foreign.event(1, stream, text="forged")]
    stranger = "whsec_" + "A" * 44
    assert foreign.deliver(batch, secret=stranger).status_code == 401
    assert foreign.deliver(batch, tail=" ").status_code == 401
    assert foreign.deliver(batch, age_s=310).status_code == 401
    assert foreign.deliver([{**batch[0], "source": f"urn:uuid:{uuid.uuid4()}"}]).status_code == 403
    assert foreign.effects(stream) == foreign.inbox(stream) == []
    assert foreign.deliver(batch).ok
    assert foreign.effects(stream) == batch


def test_what_another_consumer_has_is_not_found(stage: Stage, foreign: Foreign, other: Foreign, item: str) -> None:
    sent = foreign.order(item)["sent"]
    products = foreign.get("/products")[1]["items"]
    paths = [f"/catalog-items/{item}", f"/provider-tasks/{sent['id']}", f"/provider-tasks/{sent['id']}/comments"]
    paths += [f"/products/{product['product_id']}" for product in products]
    for path in paths:
        assert foreign.get(path)[0] == 200
        status, problem = other.get(path)
        assert (status, problem["code"]) == (404, "not_found"), path
    assert other.get("/provider-tasks")[1]["items"] == other.get("/products")[1]["items"] == []
    calls = [other.say("/comment", task_id=sent["id"], text="x"), other.say("/cancel", task_id=sent["id"], reason="x")]
    stage.until(lambda: [other.status(call["call"]) for call in calls] == [404, 404])
    assert foreign.get(f"/provider-tasks/{sent['id']}/comments")[1]["items"] == []
    assert foreign.get(f"/provider-tasks/{sent['id']}")[1]["order_state"] == "new"
