"""What people may choose is asked of the provider while they fill in a form, kept for a while, and never lost."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bridge.models import Connection
from consumer_sim.models_choices import ChoiceAnswer
from consumer_sim.services.errors import NotFound
from consumer_sim.services.forms import well_formed
from consumer_sim.services.live_choices import Choices, forget_refused
from tests.choice_factories import as_variable, pair, reference
from tests.consumer_factories import (
    Consumer,
    PlayedProvider,
    connected_consumer,
    make_item,
    played_provider,
    problem,
    rows,
)
from tests.factories import NOW

SITE, ROUTER = "/characteristics/site", "/characteristics/router"
FORM: dict[str, Any] = {
    "variables": [
        as_variable(reference("site", "my-sites")),
        as_variable(reference("router", "my-routers", depends_on={"variable": "site", "field": "location"})),
    ],
    "parts": [],
}
BERLIN, BONN = ({"value": name, "display": name, "info": ""} for name in ("Berlin", "Bonn"))


@dataclass
class World:
    one: Consumer
    provider: PlayedProvider
    item_id: str
    now: list[datetime] = field(default_factory=lambda: [NOW])

    def find(self, pointer: str = SITE, search: str = "", **answers: Any) -> Choices:
        given = {"characteristics": answers}
        return self.one.context.chooser.find(self.one.connection_id, self.item_id, pointer, given, search)

    def tell(self, *items: Any, more: bool = False) -> None:
        """What the provider says to the next call."""
        told = {"items": list(items), "more": more, "max_age_s": 30}
        self.provider.script.setdefault("/choices", []).append((200, told))

    def asked(self) -> list[dict[str, str]]:
        calls = [call.path for call in self.provider.calls if "/choices?" in call.path]
        return [{name: text[0] for name, text in parse_qs(urlsplit(path).query).items()} for path in calls]


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    now = [NOW]
    with (
        played_provider() as provider,
        connected_consumer(database_url, tmp_path, peer_url=provider.url, clock=lambda: now[0]) as one,
    ):
        with one.context.database.transaction() as session:
            item_id = make_item(session, one.connection_id, form=FORM, active_form=FORM).id
        yield World(one, provider, item_id, now)


def test_the_provider_is_asked_with_all_that_was_filled_in(world: World) -> None:
    world.tell({"value": "PRD1", "display": "Router", "info": "Berlin"}, more=True)
    found = world.find(ROUTER, "  rou ", site=pair("b-1", "Berlin"))
    assert found.items == [{"value": "PRD1", "display": "Router", "info": "Berlin"}]
    assert found.notice == "There are more: search to find them."
    assert world.asked() == [{"revision": "1", "variable": ROUTER, "search": "rou", "depends_on": "b-1", "limit": "50"}]


def test_an_answer_stands_as_long_as_the_provider_says(world: World) -> None:
    world.tell(BERLIN)
    world.tell(BERLIN, BONN)
    assert world.find().items == world.find().items == [BERLIN]
    assert len(world.asked()) == 1
    world.now[0] = NOW + timedelta(seconds=30)
    assert world.find().items == [BERLIN, BONN]
    assert len(rows(world.one, ChoiceAnswer)) == 1
    world.now[0] = NOW - timedelta(hours=1)  # the clock went back
    world.tell(BERLIN)
    assert world.find().items == [BERLIN]


def test_each_dependency_and_search_has_an_answer_of_its_own(world: World) -> None:
    world.tell(BERLIN)
    world.tell(BONN)
    world.tell()
    assert world.find(ROUTER, site=pair("a", "A")).items == [BERLIN]
    assert world.find(ROUTER, site=pair("b", "B")).items == [BONN]
    assert world.find(ROUTER, "x", site=pair("b", "B")).notice == "Nothing fits."
    assert world.find(ROUTER, site=pair("a", "A")).items == [BERLIN]


def test_what_depends_on_an_answer_waits_for_it(world: World) -> None:
    assert world.find(ROUTER).notice == "Answer “Site” first."
    assert world.asked() == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "does not answer"),
        (problem(503, "busy"), "cannot say what there is (because of busy)"),
        (problem(404, "not_found"), "cannot say what there is"),
        ((200, {"items": [{"value": "x"}], "more": False, "max_age_s": 1}), "cannot say what there is"),
        ((200, {"items": "many"}), "cannot say what there is"),
    ],
)
def test_without_an_answer_what_was_told_before_can_be_chosen(world: World, answer: Any, why: str) -> None:
    world.tell(BERLIN, BONN)
    assert len(world.find().items) == 2
    world.now[0] = NOW + timedelta(minutes=5)
    world.provider.script["/choices"] = [answer, answer]
    found = world.find(search="bon")
    assert found.items == [BONN]
    assert found.notice.startswith(f"The provider {why}")
    assert "as of 09:00 UTC, and are checked when sent." in found.notice
    nothing = world.find(ROUTER, site=pair("b", "B"))
    assert nothing.items == []
    assert nothing.notice.endswith("nothing can be chosen now. What you filled in is kept.")


def test_a_paused_connection_is_not_called(world: World) -> None:
    with world.one.context.database.transaction() as session:
        session.get_one(Connection, world.one.connection_id).state = "paused"
    assert "the connection is paused" in world.find().notice
    assert world.asked() == []


def test_after_a_refusal_what_is_kept_is_forgotten(world: World) -> None:
    world.tell(BERLIN)
    world.find()
    for code, left in (("required", 1), ("not_offered", 0)):
        refusal = {"errors": [{"pointer": SITE, "code": code, "message": "…"}]}
        with world.one.context.database.transaction() as session:
            forget_refused(session, world.one.connection_id, refusal)
        assert len(rows(world.one, ChoiceAnswer)) == left


def test_what_nobody_asks_for_is_forgotten_in_a_day(world: World) -> None:
    world.tell(BERLIN)
    world.tell(BONN)
    world.find()
    world.now[0] = NOW + timedelta(days=2)
    world.find(search="bonn")
    assert [row.search for row in rows(world.one, ChoiceAnswer)] == ["bonn"]


@pytest.mark.parametrize("pointer", ["", "/characteristics/moon", "/characteristics/bandwidth", "/quantity", "site"])
def test_only_fields_with_live_choices_can_be_asked_for(world: World, pointer: str) -> None:
    with pytest.raises(NotFound):
        world.find(pointer)


def test_a_form_whose_reference_says_nothing_of_its_choices_is_not_taken(world: World) -> None:
    variable = as_variable(reference("site", "my-sites"))
    assert well_formed({"variables": [variable], "parts": []}) is None
    for choice in (None, "my-sites", {"depends_on": {"variable": "x"}}):
        assert well_formed({"variables": [variable | {"choice": choice}], "parts": []})
