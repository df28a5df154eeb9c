"""Whatever is lost, doubled or late on the way: both sides hold every comment once, in one order."""

import contextlib
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge import failpoints
from tests.case_factories import FORM
from tests.remote_pair import EVERYONE, Pair, remote_pair

CALLS_LOST = ("intake.in_tx:raise", "intake.after_commit:raise", "drain.in_settling:raise")
"""A call that the provider takes back, one whose answer is lost, and an answer that its sender forgets."""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    directory: Path = tmp_path_factory.mktemp("conversation")
    with remote_pair(f"sqlite:///{directory / 'p.db'}", f"sqlite:///{directory / 'c.db'}", directory) as found:
        yield found


@pytest.fixture(scope="module")
def item(pair: Pair) -> str:
    form = {"variables": FORM["variables"], "sets": []}
    identity: str = pair.ask("POST", "/remote-record-producers", {"name": "Report a fault", "form": form})["identity"]
    pair.ask("POST", f"/remote-record-producers/{identity}/publish", {"criteria": EVERYONE})
    pair.settle()
    pair.tell("POST", f"/catalog-items/{identity}/activate")
    pair.settle()
    return identity


@pytest.fixture(autouse=True)
def no_fault_is_left(pair: Pair) -> Iterator[None]:
    yield
    failpoints.install("")
    pair.tell("PUT", "/faults", {"mode": "ok"})


class Talk:
    """One request that both sides talk about, with accidents on the way."""

    def __init__(self, pair: Pair, item: str, seed: int) -> None:
        self.pair, self.chance = pair, random.Random(seed)
        body = {"catalog_item_id": item, "characteristics": {"symptom": "No light"}, "requested_by": {"name": "Ada"}}
        self.task_id = pair.tell("POST", "/requests", body)["id"]
        self.number = pair.tell("GET", f"/requests/{self.task_id}")["number"]
        self.said: list[str] = []

    def step(self) -> None:
        self.pair.clock.now += timedelta(seconds=self.chance.choice([0, 1, 40]))
        self.chance.choice([self.ask, self.ask, self.reply, self.reply, self.send, self.deliver])()

    def ask(self) -> None:
        text = self._new_text("Ada")
        self.pair.tell("POST", f"/requests/{self.task_id}/comments", {"text": text, "author_name": "Ada"})

    def reply(self) -> None:
        if self.pair.app.test_client().get(f"/api/v1/cases/{self.number}", headers=self.pair.admin).status_code == 404:
            return  # the request itself is still on its way
        self.pair.ask("POST", f"/cases/{self.number}/comments", {"text": self._new_text("Grace")})

    def send(self) -> None:
        failpoints.install(self.chance.choice(["", *CALLS_LOST]))
        self._carry_on(self.pair.send)

    def deliver(self) -> None:
        mode = self.chance.choice(["ok", "lose_answer", "duplicate", "reorder", "error"])
        self.pair.tell("PUT", "/faults", {"mode": mode, "times": 1, "status": 500} if mode == "error" else
                       {"mode": mode} if mode == "ok" else {"mode": mode, "times": 1})  # fmt: skip
        failpoints.install(self.chance.choice(["", "", "drain.in_settling:raise"]))
        self._carry_on(self.pair.deliver)

    def here(self) -> list[Any]:
        return [_told(one) for one in self.pair.tell("GET", f"/requests/{self.task_id}")["comments"]]

    def there(self) -> list[Any]:
        return [_told(one) for one in self.pair.ask("GET", f"/cases/{self.number}")["comments"]]

    def _new_text(self, who: str) -> str:
        self.said.append(f"{len(self.said)}. {who}: <b>&amp; 'é' 💬</b>\n  -- ")
        return self.said[-1]

    def _carry_on(self, drain: Any) -> None:
        with contextlib.suppress(failpoints.FailpointReached):
            drain()
        failpoints.install("")


def _told(comment: dict[str, Any]) -> Any:
    return comment["comment_id"], comment["text"], comment["author"], comment["created_at"]


@pytest.mark.parametrize("seed", range(3))
def test_both_sides_end_with_every_comment_once_in_one_order(pair: Pair, item: str, seed: int) -> None:
    talk = Talk(pair, item, seed)
    for _ in range(40):
        talk.step()
    pair.tell("PUT", "/faults", {"mode": "ok"})
    pair.clock.now += timedelta(hours=1)
    pair.settle()
    here, there = talk.here(), talk.there()
    assert here == there
    assert sorted(text for _, text, _, _ in here) == sorted(talk.said)
    assert len({author["name"] for _, _, author, _ in here}) == 2
