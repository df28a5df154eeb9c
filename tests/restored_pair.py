"""Both sides of a connection with a record of every kind, saved and restored one without the other."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import update

import consumer_sim.context
import consumer_sim.worker
import provider.context
import provider.worker
from bridge.heart import Heart
from bridge.models import Heartbeat
from sxg.client import Client
from sxg.compare import Difference, compare
from tests.api.provider_client import make_config
from tests.case_factories import FORM
from tests.consumer_factories import API_TOKEN
from tests.remote_pair import EVERYONE, Pair, line

ADA = {"name": "Ada Lovelace"}
FIELDS = [line("short_description"), line("state"), line("category")]


@dataclass
class World:
    """What was made, by the names that the tests use."""

    item: str = ""
    definition: str = ""
    tasks: list[dict[str, Any]] = field(default_factory=list)


def fill(pair: Pair) -> World:
    """Whatever is there before the first backup: what can be ordered, tied and held."""
    made = World()
    form = {"variables": FORM["variables"], "sets": []}
    path = "/remote-record-producers"
    made.item = pair.ask("POST", path, {"name": "Report a fault", "form": form})["identity"]
    pair.ask("POST", f"{path}/{made.item}/publish", {"criteria": EVERYONE})
    pair.settle()
    pair.tell("POST", f"/catalog-items/{made.item}/activate")
    made.definition = pair.publish(FIELDS, FIELDS)
    return made


def report(pair: Pair, world: World, symptom: str = "No light") -> dict[str, Any]:
    """A request without an order: taken, talked about by both sides, with a solution, and a scratchpad of both."""
    body = {"catalog_item_id": world.item, "characteristics": {"symptom": symptom}, "requested_by": ADA}
    task_id = pair.tell("POST", "/requests", body)["id"]
    pair.settle()
    number = pair.tell("GET", f"/requests/{task_id}")["number"]
    pair.tell("POST", f"/requests/{task_id}/comments", {"text": f"{symptom}, please hurry.", "author_name": "Ada"})
    pair.tell(
        "PUT",
        f"/requests/{task_id}/scratchpad/asset",
        {"value": "A-1", "client_visible": True, "author_name": "assets"},
    )
    pair.settle()
    pair.ask("POST", f"/cases/{number}/take")
    pair.ask("POST", f"/cases/{number}/comments", {"text": f"{symptom}? We come today."})
    pair.ask("PUT", f"/provider-tasks/{number}/scratchpad/carrier", {"value": "UPS", "client_visible": True})
    pair.ask("POST", f"/cases/{number}/solution", {"code": "solved", "text": "Line replaced."})
    pair.settle()
    return {"id": task_id, "number": number}


def hand_over(pair: Pair, world: World, about: str = "The line is down") -> dict[str, Any]:
    """A ticket that is tied to an incident, worked on and talked about by both sides."""
    ticket = pair.open_ticket(short_description=about)
    task = pair.tie(ticket, world.definition)
    incident = f"/incidents/{task['parent_number']}"
    pair.ask("POST", f"{incident}/edit", {"state": "work_in_progress"})
    pair.ask("POST", f"{incident}/comments", {"text": "We are on it."})
    pair.settle()
    pair.tell("POST", f"/tickets/{ticket['id']}/edit", {"category": "network"})
    pair.tell("POST", f"/tickets/{ticket['id']}/entries", {"text": "It is slow now.", "author_name": "Ada"})
    pair.settle()
    return {"ticket": ticket, "task": pair.task(task["id"])}


def differences(pair: Pair) -> list[Difference]:
    """What `sxg compare` says."""
    token = pair.admin["Authorization"].removeprefix("Bearer ")
    config = pair.consumer.context.config
    with Client(provider_url(pair), token) as here, Client(config.public_url, API_TOKEN) as there:
        return list(compare(here, there, timeout_s=0).differences)


def provider_url(pair: Pair) -> str:
    (link,) = pair.tell("GET", "/connections")["items"]
    url: str = link["provider"]["url"]
    return url


# --- saved and restored


def save(pair: Pair, side: str) -> Path:
    """A backup of one side (`provider`, `consumer`) as it is now."""
    file = Path(file_of(pair, side))
    saved = file.with_name(f"{file.stem}-{uuid4()}.saved")
    with closing(sqlite3.connect(file)) as live, closing(sqlite3.connect(saved)) as copy:
        live.backup(copy)
    return saved


def restore_consumer(pair: Pair, saved: Path) -> None:
    """Put back, started anew, and accepted by the provider's people."""
    config, clock = pair.consumer.context.config, pair.consumer.context.clock
    pair.consumer.context.database.close()
    (config.data_dir / "epoch").unlink()
    put_back(file_of(pair, "consumer"), saved)
    context = consumer_sim.context.make_context(config, clock)
    pair.consumer.context = pair.consumer.app.extensions["sxg-consumer"] = context
    beat(pair)
    pair.ask("POST", f"/connections/{pair.connection_id}/epoch", {"accept": True})


def restore_provider(pair: Pair, saved: Path) -> None:
    """Put back, started anew, and accepted by the consumer's people."""
    url, clock = provider_url(pair), pair.provider.clock
    database_url = f"sqlite:///{file_of(pair, 'provider')}"
    pair.provider.database.close()
    directory = Path(file_of(pair, "provider")).parent / "provider"
    (directory / "epoch").unlink()
    put_back(file_of(pair, "provider"), saved)
    config = make_config(database_url, directory.parent, public_url=url)
    pair.app.extensions["sxg-provider"] = provider.context.make_context(config, clock)
    pair.station = provider.worker.make_station(pair.provider, config)
    beat(pair)
    pair.tell("POST", f"/connections/{pair.connection_id}/epoch", {"accept": True})


def file_of(pair: Pair, side: str) -> str:
    database = pair.provider.database if side == "provider" else pair.consumer.context.database
    return str(database.engine.url.database)


def put_back(file: str, saved: Path) -> None:
    with closing(sqlite3.connect(saved)) as copy, closing(sqlite3.connect(file)) as live:
        copy.backup(live)


def beat(pair: Pair) -> None:
    """One heartbeat of each side."""
    config = make_config("sqlite://", Path("/nonexistent"))
    for database, heart in (
        (pair.provider.database, provider.worker.make_heart(pair.provider, config)),
        (pair.consumer.context.database, consumer_sim.worker.make_heart(pair.consumer.context)),
    ):
        with database.transaction() as session:
            session.execute(update(Heartbeat).values(next_at=pair.clock.now))
        _beat(heart)


def _beat(heart: Heart) -> None:
    for thread in heart.start_beats():
        thread.join()


def look_back(pair: Pair, rounds: int = 6) -> None:
    """What both sides do by themselves after a restore, until nothing is due."""
    for _ in range(rounds):
        pair.clock.now += timedelta(seconds=10)
        beat(pair)
        pair.send()
        pair.consumer.context.historian.fetch_due()
        pair.deliver()
    pair.settle()
