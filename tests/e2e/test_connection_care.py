"""Connections look after themselves, through real HTTP between a provider and a consumer."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from bridge.database import Database
from bridge.models import Attempt, Heartbeat
from consumer_sim.config import read_config
from consumer_sim.context import make_context
from consumer_sim.services.rotations import list_rotations
from consumer_sim.worker import make_heart
from sxg.client import ApiProblem
from sxg.doctor import examine
from tests.e2e.stage import Stage

BEAT_S = 0.5


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("care"), settings={"SXG_HEARTBEAT_S": str(BEAT_S)}) as stage:
        stage.connect()
        yield stage


def health_at_provider(stage: Stage) -> dict[str, Any]:
    directions: dict[str, Any] = stage.provider().get(f"/connections/{stage.connection_id}")["health"]["directions"]
    return directions


def conditions(stage: Stage) -> tuple[tuple[str, str], tuple[str, str]]:
    """(to the other side, from it), first as the provider sees it, then as the consumer does."""
    here = health_at_provider(stage)
    there = stage.consumer.get(f"/connections/{stage.connection_id}")["directions"]
    return tuple((side["out"]["condition"], side["in"]["condition"]) for side in (here, there))  # type: ignore[return-value]


def test_both_directions_are_seen_from_both_sides_down_within_two_beats_and_up_again(stage: Stage) -> None:
    stage.until(lambda: conditions(stage) == (("up", "up"), ("up", "up")))
    with stage.paused("consumer-sweeper"):
        stage.until(lambda: conditions(stage)[0] == ("up", "down"), timeout_s=BEAT_S * 10)
    stage.until(lambda: conditions(stage)[0] == ("up", "up"))
    assert health_at_provider(stage)["in"]["waiting"] == 0
    stage.consumer.put("/faults", {"mode": "offline"})
    stage.until(lambda: health_at_provider(stage)["out"]["condition"] == "down", timeout_s=BEAT_S * 10)
    issues = stage.until(lambda: stage.provider().get("/issues", connection_id=stage.connection_id)["items"])
    assert "outbound_down" in [issue["kind"] for issue in issues]
    stage.consumer.put("/faults", {"mode": "ok"})
    stage.until(lambda: conditions(stage) == (("up", "up"), ("up", "up")))
    stage.until(lambda: stage.provider().get("/issues", connection_id=stage.connection_id)["items"] == [])


def test_secrets_change_under_steady_events_and_calls_and_nothing_is_refused(stage: Stage) -> None:
    item, connection_id = stage.publish("SD-WAN Package"), stage.connection_id
    judged, refused = attempts(stage)

    def event_and_call(n: int) -> None:
        stage.provider().post(f"/connections/{connection_id}/settings", {"show_prices": bool(n % 2)})
        stage.consumer.post(f"/catalog-items/{item['id']}/{'activate' if n % 2 else 'deactivate'}")

    def rotated() -> bool:
        items = stage.provider().get(f"/connections/{connection_id}/rotations")["items"]
        return len(items) == 2 and all(item["state"] in ("proven", "done") for item in items)

    for n in range(20):
        event_and_call(n)
    stage.provider().post(f"/connections/{connection_id}/rotate", {"grace_s": 1})
    for n in range(400):
        event_and_call(n)
        if rotated() and n > 40:
            break
    assert rotated()
    stage.until(
        lambda: (
            {one["state"] for one in stage.provider().get(f"/connections/{connection_id}/rotations")["items"]}
            == {"done"}
        )
    )
    for secret in ("webhook_secret", "client_secret"):
        stage.consumer.post(f"/connections/{connection_id}/rotate", {"secrets": [secret]})
        # The sweeper may have taken a step before the call could: then the answer comes before it is done.
        stage.until(lambda secret=secret: rotation_state(stage, secret) in ("proven", "done"))  # type: ignore[misc]
        event_and_call(1)
        event_and_call(2)
    stage.until(stage.is_quiet)
    judged_after, refused_after = attempts(stage)
    assert len(judged_after) > len(judged) + 40
    assert refused_after == refused
    assert stage.differences() == []


def rotation_state(stage: Stage, secret: str) -> str:
    """Of this secret's last rotation, at the consumer."""
    database = Database(stage.deployment.consumer.database_url)
    with database.reading() as session:
        rows = list_rotations(session, stage.connection_id)
    database.close()
    return next(row.state for row in rows if row.secret == secret)


def attempts(stage: Stage) -> tuple[list[str], list[str]]:
    """What came of every attempt of both sides: those that were judged, and why the others were not."""
    judged: list[str] = []
    refused: list[str] = []
    for side in (stage.deployment.provider, stage.deployment.consumer):
        database = Database(side.database_url)
        with database.reading() as session:
            rows = session.execute(select(Attempt.outcome, Attempt.detail).order_by(Attempt.id))
            for row in rows:
                (judged if row.outcome == "judged" else refused).append(str(row.detail))
        database.close()
    return judged, refused


def test_a_connection_ends_from_either_side_and_the_other_is_told_when_it_can_be_reached(stage: Stage) -> None:
    stage.publish("SD-WAN Package")
    ours, theirs = stage.connect("BETA", "BETA"), stage.connect("GAMMA", "GAMMA")
    stage.until(lambda: len(items_of(stage, ours)) and len(items_of(stage, theirs)))
    untouched = stage.until(lambda: stage.is_quiet() and items_of(stage, stage.connection_id))
    with stage.paused("consumer-web"):
        ended = stage.provider().post(f"/connections/{ours}/revoke", {"reason": "over"})
        assert ended["state"] == "revoked"
    told = stage.until(lambda: state_at_consumer(stage, ours, "revoked"), timeout_s=90)
    assert told["state_reason"] == "ended by the provider: over"
    assert {item["state"] for item in items_of(stage, ours)} == {"removed"}
    with stage.paused("provider-web"):
        assert stage.consumer.post(f"/connections/{theirs}/revoke", {"reason": "gone"})["state"] == "revoked"
        assert {item["state"] for item in items_of(stage, theirs)} == {"removed"}
    found = stage.until(
        lambda: (
            [stage.provider().get(f"/connections/{theirs}")]
            if stage.provider().get(f"/connections/{theirs}")["state"] == "revoked"
            else []
        ),
        timeout_s=90,
    )
    assert found[0]["state_reason"] == "ended by the consumer: gone"
    assert items_of(stage, stage.connection_id) == untouched
    assert stage.provider().get(f"/connections/{stage.connection_id}")["state"] == "active"


def items_of(stage: Stage, connection_id: str) -> list[dict[str, Any]]:
    return [item for item in stage.consumer.pages("/catalog-items") if item["connection_id"] == connection_id]


def state_at_consumer(stage: Stage, connection_id: str, wanted: str) -> dict[str, Any] | None:
    found: dict[str, Any] = stage.consumer.get(f"/connections/{connection_id}")
    return found if found["state"] == wanted else None


def test_a_copy_of_the_consumer_is_refused_and_told_what_to_do_while_the_original_goes_on(
    stage: Stage, tmp_path: Path
) -> None:
    original = stage.deployment.consumer
    with closing(sqlite3.connect(original.database_url.removeprefix("sqlite:///"))) as source:
        source.execute("vacuum into ?", [str(tmp_path / "copy.db")])
    (tmp_path / "data").mkdir()
    shutil.copy(original.directory / "keys", tmp_path / "data" / "keys")
    settings = {"SXG_DATABASE_URL": f"sqlite:///{tmp_path / 'copy.db'}", "SXG_DATA_DIR": str(tmp_path / "data")}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**original.environment, **settings, "SXG_REDIS_URL": ""}.items():
            patch.setenv(name, value)
        config = read_config()
    copy = make_context(config, lambda: datetime.now(UTC))
    with copy.database.transaction() as session:
        session.execute(update(Heartbeat).values(next_at=copy.clock()))
    for thread in make_heart(copy).start_beats():
        thread.join()
    told = examine("consumer", config, copy.clock()).checks
    copy.database.close()
    refused = [check for check in told if "they refuse this instance" in check.detail]
    assert len(refused) == 1, [(check.name, check.detail) for check in told]
    assert "Is it the original, restored?" in refused[0].advice

    shown = stage.until(
        lambda: [
            one for one in stage.provider().pages("/connections") if "is a copy of theirs" in (one["problem"] or "")
        ]
    )[0]
    assert shown["state"] == "active"
    stage.until(lambda: health_at_provider(stage)["in"]["condition"] == "up")
    refused = stage.provider().post(f"/connections/{shown['id']}/epoch", {"accept": False})
    assert "copy" not in (refused["problem"] or "")
    with pytest.raises(ApiProblem, match="no copied or restored instance"):
        stage.provider().post(f"/connections/{shown['id']}/epoch", {"accept": True})


def test_a_provider_that_moved_is_found_again_and_a_stranger_at_the_address_gets_no_credential(stage: Stage) -> None:
    path, moved = (
        f"/connections/{stage.connection_id}/address",
        stage.deployment.provider.url.replace("127.0.0.1", "localhost"),
    )
    stranger = stage.deployment.consumer.url
    told = stage.consumer.post(path, {"provider_url": stranger})["provider"]
    assert (told["url"], told["new_url"]) == (stage.deployment.provider.url, stranger)
    assert told["new_url_problem"]
    told = stage.consumer.post(path, {"provider_url": moved})["provider"]
    assert (told["url"], told["new_url"], told["new_url_problem"]) == (moved, None, None)
    stage.until(lambda: conditions(stage) == (("up", "up"), ("up", "up")))
    assert stage.consumer.post(path, {})["provider"]["url"] == moved, "our callback is told again, and proven"
