"""After one side lost data, what the other one still has comes back: of every kind, complete, once, in one order."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from consumer_sim import models_cases as consumer_cases
from consumer_sim import models_remote_tasks as consumer_remote
from provider.models import cases, remote_tasks
from tests.remote_pair import Pair, remote_pair
from tests.restored_pair import (
    World,
    differences,
    file_of,
    fill,
    hand_over,
    look_back,
    put_back,
    report,
    restore_consumer,
    restore_provider,
    save,
)


@pytest.fixture
def pair(sqlite_url: str, tmp_path: Path) -> Iterator[Pair]:
    with remote_pair(sqlite_url, f"sqlite:///{tmp_path / 'consumer.db'}", tmp_path) as found:
        yield found


@pytest.fixture
def world(pair: Pair) -> World:
    return fill(pair)


BY_HAND = [
    ("provider", update(cases.Case).values(priority=1), ("case", "priority")),
    ("provider", update(cases.Case).values(resolution_text="Sold."), ("case", "resolution")),
    ("consumer", update(consumer_cases.Case).values(description="Another"), ("case", "description")),
    ("consumer", delete(consumer_cases.Case), ("case", "")),
    ("provider", update(cases.ScratchpadEntry).values(value="Z"), ("scratchpad", "entry asset")),
    ("consumer", delete(consumer_cases.ScratchpadEntry).where(consumer_cases.ScratchpadEntry.name == "carrier"),
     ("scratchpad", "entry carrier")),
    ("provider", update(remote_tasks.Incident).values(category="voice"), ("remote_task", "fields category value")),
    ("consumer", update(consumer_remote.Ticket).values(category="voice"), ("remote_task", "fields category value")),
    ("consumer", update(consumer_remote.RemoteTask).values(stopped_there="x"), ("remote_task", "stopped")),
    ("consumer", delete(consumer_remote.TicketEntry).where(consumer_remote.TicketEntry.text == "We are on it."),
     ("remote_task", "comments")),
    ("provider", update(remote_tasks.RemoteTask).values(stopped_there="x"), ("remote_task", "stopped_by_consumer")),
    ("consumer", update(consumer_remote.RemoteTaskDefinition).values(revision=7),
     ("remote_task_definition", "revision")),
]  # fmt: skip


def test_what_was_changed_by_hand_is_told_by_comparing(pair: Pair, world: World) -> None:
    report(pair, world)
    hand_over(pair, world)
    assert differences(pair) == []
    for side, statement, said in BY_HAND:
        database = pair.provider.database if side == "provider" else pair.consumer.context.database
        saved = save(pair, side)
        with database.transaction() as session:
            session.execute(statement)
        assert said in {(one.kind, one.field) for one in differences(pair)}, statement
        put_back(file_of(pair, side), saved)


def test_a_consumer_restored_from_an_older_backup_gets_back_all_that_the_provider_has(pair: Pair, world: World) -> None:
    before = report(pair, world, "No tone")
    saved = save(pair, "consumer")
    report(pair, world)
    lost = hand_over(pair, world)["ticket"]
    ticket = pair.ticket(lost)
    pair.ask("POST", f"/cases/{before['number']}/comments", {"text": "Are you there?"})
    pair.tell("POST", f"/requests/{before['id']}/answer", {"answer": "accept", "reason": "", "answered_by": "Ada"})
    pair.settle()
    wanted = timelines(pair)
    restore_consumer(pair, saved)
    assert differences(pair) != []
    look_back(pair)
    assert differences(pair) == []
    assert timelines(pair) == wanted
    again = pair.ticket(lost)
    for name in ("number", "short_description", "state", "category"):
        assert again[name] == ticket[name]
    assert [one["text"] for one in again["entries"]] == [one["text"] for one in ticket["entries"]]
    pair.ask("POST", f"/incidents/{again['remote_tasks'][0]['parent_number']}/edit", {"category": "voice"})
    pair.settle()
    assert pair.ticket(lost)["category"] == "voice", "it goes on"
    assert issues(pair) == []


def test_a_provider_restored_from_an_older_backup_gets_back_all_that_the_consumer_has(pair: Pair, world: World) -> None:
    before = report(pair, world, "No tone")
    known = hand_over(pair, world, "The router is hot")
    saved = save(pair, "provider")
    request = report(pair, world)
    made = hand_over(pair, world)
    pair.tell("POST", f"/requests/{before['id']}/comments", {"text": "Thank you.", "author_name": "Ada"})
    pair.tell("POST", f"/tickets/{known['ticket']['id']}/edit", {"category": "power"})
    pair.ask("POST", f"/incidents/{known['task']['parent_number']}/edit", {"short_description": "A hot router"})
    pair.settle()
    pair.ask("POST", f"/cases/{before['number']}/close", {"reason": "No answer."})
    pair.settle()
    restore_provider(pair, saved)
    assert differences(pair) != []
    look_back(pair, 8)
    again = pair.ask("GET", f"/cases/{request['number']}")
    first, noted = [one["text"] for one in again["comments"]]
    assert first == "No light, please hurry."
    assert "you had told: Resolved" in noted and noted.endswith("Line replaced."), "nobody does it twice unknowing"
    thanks = pair.ask("GET", f"/cases/{before['number']}")["comments"]
    assert [one["text"] for one in thanks].count("Thank you.") == 1
    incident = pair.incident(known["task"]["parent_number"])
    assert (incident["category"], incident["short_description"]) == ("power", "A hot router")
    assert pair.task(made["task"]["id"])["status"] == "connected"
    assert pair.tell("GET", f"/requests/{request['id']}")["state"] == "received", "as it is at the provider now"
    assert pair.tell("GET", f"/requests/{before['id']}")["state"] == "resolved", "and so is what was known"
    left = {(one.kind, one.field) for one in differences(pair)}
    assert left == {("provider_task", "comments"), ("scratchpad", "entry carrier"), ("remote_task", "comments")}, left
    assert request["id"] in named(pair), "what the provider's people had said is named to them"


def test_what_the_provider_alone_knew_stands_where_people_of_both_sides_look(pair: Pair, world: World) -> None:
    saved = save(pair, "provider")
    known = [pair.ask("POST", "/incidents", {"short_description": "Before"})["number"]]
    said = {"connection_id": pair.connection_id, "short_description": "A line is down", "priority": "high"}
    pair.ask("POST", "/cases", said)
    pair.settle()
    (opened,) = pair.tell("GET", "/requests")["items"]
    fill_again = fill(pair)
    assert item_state(pair, fill_again.item) == "active"
    restore_provider(pair, saved)
    look_back(pair)
    stream = f"provider_task/{opened['id']}"
    assert [(kind, fault.partition(":")[0]) for kind, fault in issues(pair)] == [("differs", stream)]
    assert stream in named(pair)
    assert item_state(pair, fill_again.item) == "removed"
    assert item_state(pair, world.item) == "active"
    assert pair.ask("POST", "/incidents", {"short_description": "After"})["number"] > known[0], "no number twice"
    report(pair, world)


def item_state(pair: Pair, item_id: str) -> str:
    return str(pair.tell("GET", f"/catalog-items/{item_id}")["state"])


def named(pair: Pair) -> str:
    """What the provider's people read at the connection."""
    return str(pair.ask("GET", f"/connections/{pair.connection_id}")["problem"])


def timelines(pair: Pair) -> dict[str, list[str]]:
    """The states of each request, as the consumer was told them."""
    items = pair.tell("GET", "/requests")["items"]
    found = [pair.tell("GET", f"/requests/{one['id']}") for one in items]
    return {one["number"]: [step["state"] for step in one["timeline"]] for one in found}


def issues(pair: Pair) -> list[tuple[str, str]]:
    """What is open, on both sides."""
    listed = pair.ask("GET", "/issues")["items"] + pair.tell("GET", "/issues")["items"]
    return [(one["kind"], one["fault"]) for one in listed]
