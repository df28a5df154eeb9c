"""Connecting as people do it, with the command line on both sides: stuck, resumed, twice over, tested and revoked."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sxg import databases
from sxg.cli import main
from sxg.compare import compare
from tests.e2e.stage import Stage
from tests.e2e.test_kills import required_answers

CONTACT = ("--contact-name", "Ada Lovelace", "--contact-email", "ada@acme.example")


class People:
    """The exchange admin of the provider, and whoever looks after the consumer."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.token = databases.add_user(stage.deployment.provider.database_url, "exchange-admin", ["exchange_admin"])

    def admin(self, *arguments: str) -> Result:
        environment = {"SXG_URL": self.stage.deployment.provider.url, "SXG_TOKEN": self.token}
        return CliRunner().invoke(main, arguments, env=environment)

    def consumer(self, *arguments: str) -> Result:
        environment = {"SXG_URL": self.stage.consumer.url, "SXG_TOKEN": self.stage.consumer.token}
        return CliRunner().invoke(main, ("provider-connection", *arguments), env=environment)

    def register(self, company: str = "ACME") -> str:
        """A token, for callbacks of the consumer's own address only."""
        base = ("--base-url", self.stage.deployment.consumer.url)
        made = self.admin("registration", "create", "--company", company, *CONTACT, *base)
        assert made.exit_code == 0, made.stderr
        return made.stdout.strip()

    def begin(self, token: str, prefix: str = "ACME") -> Result:
        address = ("--provider-url", self.stage.deployment.provider.url)
        return self.consumer("begin", *address, "--registration-token", token, "--prefix", prefix)

    def connect(self, prefix: str, company: str = "ACME") -> str:
        """The connection's id on the wire."""
        known = {one["connection_id"] for one in self.listed_at_consumer()}
        made = self.begin(self.register(company), prefix)
        assert made.exit_code == 0, made.output
        (connection_id,) = {one["connection_id"] for one in self.listed_at_consumer()} - known
        return str(connection_id)

    def registrations(self) -> list[dict[str, Any]]:
        return list(json.loads(self.admin("registration", "list", "--json").stdout)["items"])

    def connections(self) -> dict[str, dict[str, Any]]:
        items = json.loads(self.admin("connection", "list", "--json").stdout)["items"]
        return {one["id"]: one for one in items}

    def listed_at_consumer(self) -> list[dict[str, Any]]:
        return list(json.loads(self.consumer("list", "--json").stdout)["items"])


@pytest.fixture
def people(tmp_path: Path) -> Iterator[People]:
    with Stage(tmp_path) as stage:
        yield People(stage)


def test_what_is_stuck_says_so_on_both_sides_and_goes_on_where_it_stopped(people: People) -> None:
    stage, token = people.stage, people.register()
    stage.consumer.put("/faults", {"mode": "error", "status": 500})
    stuck = people.begin(token)
    assert stuck.exit_code == 1
    assert "stopped at the step verify: " in stuck.stdout and "challenge_failed" in stuck.stdout
    (registered,) = people.registrations()
    assert (registered["step"], "500" in registered["problem"]) == ("verify", True)
    told = people.admin("registration", "list").stdout
    assert registered["problem"] in told and f"-> {registered['advice']}" in told
    ((connection_id, connection),) = people.connections().items()
    assert (connection["state"], connection["problem"]) == ("pending", registered["problem"])

    (mine,) = people.listed_at_consumer()
    again = people.consumer("resume", mine["id"])
    assert (again.exit_code, "stopped at the step verify: " in again.stdout) == (1, True)
    reissued = people.admin("registration", "reissue", registered["number"]).stdout.strip()
    stage.consumer.put("/faults", {"mode": "ok"})
    done = people.begin(reissued)
    assert (done.exit_code, "connected to " in done.stdout) == (0, True), done.output
    assert {one["id"]: one["state"] for one in people.connections().values()} == {connection_id: "active"}
    shown = json.loads(people.admin("registration", "show", registered["number"]).stdout)
    assert (shown["step"], shown["problem"]) == ("done", None)
    spent = people.admin("registration", "reissue", registered["number"])
    assert (spent.exit_code, "is closed" in spent.stderr) == (1, True)


def test_a_token_for_another_address_connects_nobody_and_both_sides_say_why(people: People) -> None:
    elsewhere = ("--base-url", "http://127.0.0.1:9")
    token = people.admin("registration", "create", "--company", "ACME", *CONTACT, *elsewhere).stdout.strip()
    refused = people.begin(token)
    assert (refused.exit_code, "stopped at the step complete: " in refused.stdout) == (1, True)
    (registered,) = people.registrations()
    assert registered["step"] == "complete"
    assert "is not below http://127.0.0.1:9" in registered["problem"]
    assert people.connections() == {}
    assert people.begin(people.register()).exit_code == 0, "a right token takes the place of the wrong one"


def test_one_company_and_one_address_have_two_connections_that_live_and_end_apart(people: People) -> None:
    stage = people.stage
    first, second = people.connect("ACME"), people.connect("ACMEIT")
    found = people.connections()
    assert {found[one]["company"] for one in (first, second)} == {"ACME"}
    assert len({found[one]["peer_instance_id"] for one in (first, second)}) == 1
    assert [found[one]["number_prefix"] for one in (first, second)] == ["ACME", "ACMEIT"]

    item = stage.publish("po-mobile-backup")
    for connection_id in (first, second):
        stage.until(lambda one=connection_id: activated(people, one, item["id"]))  # type: ignore[misc]
    orders = [ordered(people, one, item) for one in (first, second)]
    assert [number.split("-")[0] for number, _ in orders] == ["ACME", "ACMEIT"]

    tested = people.admin("connection", "test", second, "--json")
    assert (tested.exit_code, json.loads(tested.stdout)["detail"]) == (0, "applied")
    noted = {one["connection_id"]: one["last_test"] for one in people.listed_at_consumer()}
    assert noted[first] is None
    assert noted[second]["event_id"] == json.loads(tested.stdout)["event_id"]

    revoked = people.admin("connection", "revoke", second, "--reason", "the contract ended")
    assert (revoked.exit_code, revoked.stdout) == (0, f"connection {found[second]['name']} is revoked\n")
    assert people.admin("connection", "test", second).exit_code == 1
    stage.consumer.post(f"/requests/{orders[1][1]}/comments", {"text": "Hello?", "author_name": "Ada"})
    stage.consumer.post(f"/requests/{orders[0][1]}/comments", {"text": "Hello.", "author_name": "Ada"})
    numbers = [stage.consumer.get(f"/requests/{request_id}")["order_number"] for _, request_id in orders]
    stage.until(lambda: said(stage, numbers[0]) == ["Hello."])
    assert said(stage, numbers[1]) == []
    assert {one["connection_id"]: one["waiting"] for one in people.listed_at_consumer()} == {first: 0, second: 1}
    compared = compare(stage.provider(), stage.consumer, connection_ids=[first])
    assert (compared.differences, compared.compared["provider_task"]) == ([], 1)


def test_a_pause_holds_everything_back_and_resuming_sends_it(people: People) -> None:
    connection_id = people.connect("ACME")
    item = people.stage.publish("po-mobile-backup")
    people.stage.until(lambda: activated(people, connection_id, item["id"]))
    _, request_id = ordered(people, connection_id, item)
    number = people.stage.consumer.get(f"/requests/{request_id}")["order_number"]
    paused = people.admin("connection", "pause", connection_id, "--reason", "their maintenance")
    assert (paused.exit_code, "is paused" in paused.stdout) == (0, True)
    people.stage.provider("order_manager").post(f"/orders/{number}/approve")
    (row,) = [line for line in people.admin("connection", "list").stdout.splitlines() if connection_id in line][:1]
    assert row.endswith("paused by people: their maintenance")
    listed = people.admin("deliveries", "list", "--state", "pending").stdout.splitlines()[1:]
    assert listed and all(line.endswith("the connection is paused: their maintenance") for line in listed)
    assert people.stage.consumer.get(f"/requests/{request_id}")["order_state"] == "new"
    assert people.admin("connection", "resume", connection_id).exit_code == 0
    people.stage.until(lambda: people.stage.consumer.get(f"/requests/{request_id}")["order_state"] == "in_progress")


def activated(people: People, connection_id: str, item_id: str) -> bool:
    """Whether the item of this connection could be activated."""
    items = people.stage.consumer.pages("/catalog-items", connection=connection_id)
    if not any(one["id"] == item_id for one in items):
        return False
    people.stage.consumer.post(f"/catalog-items/{item_id}/activate?connection={connection_id}")
    return True


def said(stage: Stage, number: str) -> list[str]:
    return [comment["text"] for comment in stage.provider().get(f"/orders/{number}")["comments"]]


def ordered(people: People, connection_id: str, item: dict[str, Any]) -> tuple[str, str]:
    """The number and the id of an accepted request over this connection."""
    asked = {
        "catalog_item_id": item["id"],
        "connection_id": connection_id,
        "characteristics": required_answers(item["form"]),
        "requested_by": {"name": "Ada Lovelace"},
    }
    made = people.stage.consumer.post("/requests", asked)
    people.stage.until(lambda: people.stage.consumer.get(f"/requests/{made['id']}").get("order_state") == "new")
    return made["number"], made["id"]
