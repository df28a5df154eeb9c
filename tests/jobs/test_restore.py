"""After one side lost data, what the other one still has comes back: of every kind, complete, once, in one order."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from consumer_sim import models_cases as consumer_cases
from consumer_sim import models_remote_tasks as consumer_remote
from provider.models import cases, remote_tasks
from tests.remote_pair import Pair, remote_pair
from tests.restored_pair import World, differences, file_of, fill, hand_over, put_back, report, save


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
