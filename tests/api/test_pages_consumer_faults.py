"""Fault switches: what each does to a batch, and the page that turns them."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from lxml import html

from bridge import envelope
from bridge.models import Connection
from bridge.vocabulary import EventType, Verdict
from consumer_sim.models import FAULT_MODES, Product, TaskState
from consumer_sim.services.faults import Fault, get_fault
from consumer_sim.services.receiving import receive_events
from consumer_sim.ui.faults import FORMS
from tests.api.page_client import Visitor, signed_in, text_of
from tests.consumer_factories import (
    NOW,
    Consumer,
    connected_consumer,
    product_changed,
    rows,
    state_changed,
    unsequenced,
)

TASK = "4a1c0d9e-2a6f-4f0e-8c7d-1d2c3b4a5f60"


@pytest.fixture
def acme(sqlite_url: str, tmp_path: Path) -> Iterator[Consumer]:
    with connected_consumer(sqlite_url, tmp_path) as one:
        yield one


@pytest.fixture
def boss(acme: Consumer) -> Visitor:
    visitor = signed_in(acme.app, "boss", "admin")
    visitor.get("/faults")
    return visitor


def fault(acme: Consumer) -> Fault:
    with acme.context.database.reading() as session:
        return get_fault(session)


def turn(visitor: Visitor, mode: str, **fields: str) -> int:
    sent = {"mode": mode} | {f"{mode}-{name}": value for name, value in fields.items()}
    return visitor.post("/faults", sent).status_code


# --- what they do


def test_a_batch_that_comes_twice_has_its_effects_once_and_is_told_to_be_a_duplicate(
    acme: Consumer, boss: Visitor
) -> None:
    assert turn(boss, "duplicate", times="1") == 303
    batch = [state_changed(TASK, 1), state_changed(TASK, 2, "acknowledged"), product_changed(str(uuid4()), 1)]
    assert acme.verdicts(batch) == ["duplicate"] * 3
    assert [step.sequence for step in rows(acme, TaskState, TaskState.sequence)] == [1, 2]
    assert len(rows(acme, Product)) == 1
    assert acme.verdicts([state_changed(TASK, 3)]) == ["applied"], "once was all"


def test_what_overtook_another_is_refused_as_a_gap_and_applied_when_it_comes_again(
    acme: Consumer, boss: Visitor
) -> None:
    assert turn(boss, "reorder", times="1") == 303
    batch = [state_changed(TASK, number, state) for number, state in enumerate(("new", "acknowledged", "closed"), 1)]
    answer = acme.post([*batch, product_changed(str(uuid4()), 1)]).json["verdicts"]
    assert [row["verdict"] for row in answer] == ["applied", "gap", "gap", "applied"]
    assert [row.get("expected") for row in answer] == [None, 1, 1, None]
    assert acme.verdicts(batch) == ["duplicate", "applied", "applied"]
    assert [step.order_state for step in rows(acme, TaskState, TaskState.sequence)] == ["new", "acknowledged", "closed"]


@pytest.mark.parametrize("mode", ["duplicate", "reorder"])
def test_a_batch_without_anything_to_distort_is_no_use_of_the_switch(acme: Consumer, boss: Visitor, mode: str) -> None:
    turn(boss, mode, times="1")
    assert acme.verdicts([unsequenced(EventType.TEST)]) == ["applied"]
    assert fault(acme).times == 1


def test_single_events_of_several_records_have_no_order(acme: Consumer, boss: Visitor) -> None:
    turn(boss, "reorder", times="1")
    assert acme.verdicts([product_changed(str(uuid4()), 1), state_changed(TASK, 1)]) == ["applied", "applied"]
    assert fault(acme).times == 1


def test_a_switch_that_another_process_used_up_meanwhile_distorts_nothing(acme: Consumer, boss: Visitor) -> None:
    turn(boss, "duplicate", times="1")
    read_before = fault(acme)
    assert acme.verdicts([state_changed(TASK, 1)]) == ["duplicate"]
    event = envelope.take_apart([json.loads(state_changed(TASK, 2))])
    with acme.context.database.transaction() as session:
        connection = session.get_one(Connection, acme.connection_id)
        (judgement,) = receive_events(session, connection, event, now=NOW, fault=read_before)
    assert judgement.verdict is Verdict.APPLIED


# --- the page


def test_every_mode_has_a_card_that_explains_it(acme: Consumer, boss: Visitor) -> None:
    assert set(FORMS) == set(FAULT_MODES)
    page = boss.read("/faults")
    cards = page.cssselect("section")
    assert len(cards) == len(FORMS)
    for card, form in zip(cards, FORMS.values(), strict=True):
        assert form.title in text_of(card) and form.tells in text_of(card)
    assert "No switch is on" in text_of(page)


SETTINGS: list[tuple[str, dict[str, str], Fault]] = [
    ("slow", {"seconds": "1.5", "times": "2"}, Fault("slow", 2, seconds=1.5)),
    ("error", {"status": "507"}, Fault("error", None, status=507)),
    ("offline", {}, Fault("offline")),
    ("lose_answer", {"times": "1"}, Fault("lose_answer", 1)),
    ("reject", {"type": "exchange.product.changed"}, Fault("reject", None, type="exchange.product.changed")),
    ("duplicate", {"times": "3"}, Fault("duplicate", 3)),
    ("reorder", {}, Fault("reorder")),
]


@pytest.mark.parametrize(("mode", "fields", "wanted"), SETTINGS)
def test_a_switch_is_turned_on_shown_and_turned_off(
    acme: Consumer, boss: Visitor, mode: str, fields: dict[str, str], wanted: Fault
) -> None:
    assert turn(boss, mode, **fields) == 303
    assert fault(acme) == wanted
    shown = text_of(boss.read("/faults").get_element_by_id("now"))
    assert f"{FORMS[mode].title} is on" in shown
    assert (f"{wanted.times} more time" if wanted.times else "until it is turned off") in shown
    assert boss.post("/faults/off").status_code == 303
    assert fault(acme) == Fault()
    assert "No switch is on" in text_of(boss.read("/faults"))


def test_how_often_it_still_applies_counts_down_on_the_page(acme: Consumer, boss: Visitor) -> None:
    turn(boss, "offline", times="2")
    acme.post([state_changed(TASK, 1)])
    assert "it applies 1 more time." in text_of(boss.read("/faults"))
    acme.post([state_changed(TASK, 1)])
    assert "No switch is on" in text_of(boss.read("/faults"))


@pytest.mark.parametrize(
    ("mode", "fields", "field"),
    [
        ("slow", {"seconds": ""}, "slow-seconds"),
        ("slow", {"seconds": "121"}, "slow-seconds"),
        ("slow", {"seconds": "nan"}, "slow-seconds"),
        ("error", {"status": "200"}, "error-status"),
        ("error", {"status": "x"}, "error-status"),
        ("offline", {"times": "0"}, "offline-times"),
        ("offline", {"times": "1000001"}, "offline-times"),
        ("reject", {"type": "exchange.nonsense"}, "reject-type"),
    ],
)
def test_what_cannot_be_is_said_beside_the_field_and_nothing_is_turned(
    acme: Consumer, boss: Visitor, mode: str, fields: dict[str, str], field: str
) -> None:
    assert turn(boss, mode, **fields) == 422
    page = html.fromstring(boss.page)
    (wrong,) = page.cssselect(".is-invalid")
    assert wrong.get("name") == field
    assert page.cssselect(".invalid-feedback")
    assert fault(acme) == Fault()


@pytest.mark.parametrize("mode", ["", "explode"])
def test_a_switch_that_there_is_not_is_refused(acme: Consumer, boss: Visitor, mode: str) -> None:
    assert turn(boss, mode) == 422
    assert "no such switch" in boss.page
    assert fault(acme) == Fault()


def test_only_admins_see_and_turn_switches(acme: Consumer, boss: Visitor) -> None:
    for role in ("requester", "viewer"):
        visitor = signed_in(acme.app, role, role)
        answer = visitor.get("/faults")
        assert answer.status_code == 403 and "boss (admin)" in answer.text
        assert turn(visitor, "offline") == 403
        assert visitor.read("/").cssselect("a[href='/faults']") == []
    assert fault(acme) == Fault()


def test_the_api_takes_the_same_modes(acme: Consumer) -> None:
    for mode in FAULT_MODES:
        assert acme.client.put("/api/v1/faults", json={"mode": mode}).status_code == 200
        assert fault(acme).mode == mode
