"""A process killed in the middle of a file loses no byte of it, and no file comes twice."""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.files import FileStore
from tests.e2e.stage import Stage
from tests.e2e.test_kills import ITEM, make_story

CONTENT = b"%PDF-1.7 " + bytes(range(256)) * 9000
"""Of three pieces."""
HASH = hashlib.sha256(CONTENT).hexdigest()
KILLS = {"consumer-sweeper": "attachment.after_upload:kill", "provider-web": "attachment.after_piece:kill:2"}


def pass_two_minutes(stage: Stage) -> None:
    """A file is left to whoever took it last for two minutes after each piece: have them pass for the test."""
    url = stage.deployment.consumer.database_url
    with sqlite3.connect(url.removeprefix("sqlite:///"), timeout=10) as database:
        database.execute("update attachments set due_at = created_at where due_at is not null")


def files(found: Iterable[dict[str, Any]]) -> list[tuple[str, str, int]]:
    return [(one["name"], one["state"], one["size_bytes"]) for one in found]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("files")) as stage:
        stage.connect()
        item = stage.publish(ITEM)
        stage.consumer.post(f"/catalog-items/{item['id']}/activate")
        yield stage


@pytest.mark.parametrize("victim", KILLS)
def test_a_file_whose_carrier_is_killed_between_two_pieces_arrives_whole_and_once(stage: Stage, victim: str) -> None:
    story = make_story(stage, stage.publish(ITEM))
    story.submit()
    before = stage.starts(victim)
    stage.arm(victim, KILLS[victim])
    path = f"/requests/{story.request_id}/attachments?name=plan.pdf&author_name=Ada"
    stage.consumer.upload(path, CONTENT, "application/octet-stream")
    stage.until(lambda: stage.starts(victim) >= before + 2)
    pass_two_minutes(stage)
    expected = [("plan.pdf", "there", len(CONTENT))]
    at_provider = f"/orders/{story.number}/attachments"
    stage.until(lambda: files(stage.provider().get(at_provider)["items"]) == expected, 30)
    stage.until(lambda: files(story.request()["attachments"]) == expected, 30)
    kept = FileStore(Path(stage.deployment.environments["provider-web"]["SXG_DATA_DIR"])).find(HASH)
    assert kept
    assert kept.read_bytes() == CONTENT
