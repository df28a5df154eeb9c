"""What our people may have done with what we have: refused here where the provider would refuse it, else sent once."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from bridge.forms import FormErrors
from bridge.models import Delivery
from consumer_sim.models import Product, ProductStep, ProviderTask
from consumer_sim.services import product_actions, requests, settling
from consumer_sim.services.errors import ActionRefused, ItemNotOrderable, MoveRefused
from consumer_sim.services.products import get_history
from tests.consumer_factories import (
    ASKED_BY,
    FORM,
    NOW,
    Consumer,
    connected_consumer,
    make_item,
    product_changed,
    rows,
    state_changed,
)
from tests.factories import at_once


@pytest.fixture
def one(database_url: str, tmp_path: Path) -> Iterator[Consumer]:
    with connected_consumer(database_url, tmp_path) as one:
        with one.context.database.transaction() as session:
            make_item(session, one.connection_id, kind="inventory", name="Manage Inventory", orderable=False)
        yield one


def have(one: Consumer, state: str = "active", **told: Any) -> str:
    """A product in this state; its id."""
    product_id = str(uuid4())
    with one.context.database.transaction() as session:
        item = make_item(session, one.connection_id)
    known = {"catalog_item_id": item.id, "part": [], "parent_id": None, "resumes_at": None}
    label = state.replace("_", " ").capitalize()
    event = product_changed(product_id, 1, **{**known, "state": state, "state_label": label, **told})
    assert one.verdicts([event]) == ["applied"]
    return product_id


def ask(one: Consumer, product_id: str, action: str, request_id: str | None = None, **answers: Any) -> ProviderTask:
    with one.context.database.transaction() as session:
        return product_actions.request_action(
            session, one.connection_id, product_id, action, answers, ASKED_BY, now=NOW, request_id=request_id
        )


def sent(one: Consumer) -> list[str]:
    return [delivery.text for delivery in rows(one, Delivery, Delivery.id)]


def test_an_action_is_a_numbered_request_sent_to_the_product(one: Consumer) -> None:
    product_id = have(one)
    task = ask(one, product_id, "suspend", starts_at=NOW + timedelta(days=1), ends_at=NOW + timedelta(days=2))
    assert (task.number, task.action, task.product_id, task.submission) == (
        "ACME-PT0000001", "suspend", product_id, "waiting",
    )  # fmt: skip
    (call,) = sent(one)
    assert f"POST /exchange/v1/products/{product_id}/actions" in rows(one, Delivery)[0].target
    for part in ('"action"', '"2026-11-22T09:00:00.000Z"', '"2026-11-23T09:00:00.000Z"', task.id, task.number):
        assert part in call
    assert "catalog_item_id" not in call


@pytest.mark.parametrize(
    ("state", "allowed"),
    [
        ("installation_pending", []),
        ("activation_pending", []),
        ("active", ["suspend", "disconnect", "change", "move"]),
        ("change_pending", []),
        ("suspended", ["resume", "disconnect"]),
        ("inactivation_pending", []),
        ("inactive", []),
        ("unheard_of", []),
    ],
)
def test_every_state_allows_what_the_wire_says_and_refuses_the_rest_by_name(
    one: Consumer, state: str, allowed: list[str]
) -> None:
    product_id = have(one, state)
    with one.context.database.reading() as session:
        product = product_actions.get_own(session, one.connection_id, product_id)
        assert product_actions.list_allowed(session, product) == allowed
        for action in product_actions.ACTIONS:
            if action not in allowed:
                with pytest.raises(ActionRefused, match=f"is {product.state_label}, so"):
                    product_actions.check_allowed(session, product, action)
    assert sent(one) == []


def test_parts_follow_the_whole_and_go_alone_only_where_it_permits(one: Consumer) -> None:
    task_id = str(uuid4())
    whole = have(one, task_id=task_id, number="PRD1")
    part = have(one, "suspended", task_id=task_id, number="PRD2", parent_id=whole, part=["edge"])
    ask(one, part, "resume")
    with pytest.raises(ActionRefused, match="acts on PRD1 already"):
        ask(one, whole, "suspend")
    other = have(one, "suspended", task_id=(second := str(uuid4())), number="PRD3")
    below = have(one, "suspended", task_id=second, number="PRD4", parent_id=other, part=["edge"])
    with pytest.raises(ActionRefused, match=r"PRD3 \(what PRD4 is part of\) is Suspended, so Resume"):
        ask(one, below, "resume")
    third = have(one, task_id=(another := str(uuid4())), number="PRD5")
    pending = have(one, "installation_pending", task_id=another, number="PRD6", parent_id=third, part=["edge"])
    with pytest.raises(ActionRefused, match=r"PRD6 \(part of PRD5\) is Installation pending"):
        ask(one, third, "disconnect")
    assert pending
    fourth = have(one, task_id=(last := str(uuid4())), number="PRD7")
    inner = have(one, task_id=last, number="PRD8", parent_id=fourth, part=["edge"])
    with pytest.raises(ActionRefused, match="parts move with the whole only"):
        ask(one, inner, "move", location={"name": "Bonn"})


def test_a_change_sends_what_differs_and_is_checked_by_the_form(one: Consumer) -> None:
    product_id = have(one)
    with pytest.raises(FormErrors) as wrong:
        ask(one, product_id, "change", characteristics={"bandwidth": "7"})
    assert [error.pointer for error in wrong.value.errors] == ["/characteristics/bandwidth"]
    with pytest.raises(FormErrors, match="Nothing would change"):
        ask(one, product_id, "change", characteristics={"bandwidth": "100"})
    task = ask(one, product_id, "change", characteristics={"bandwidth": "200"})
    assert (task.request or {})["characteristics"] == {"bandwidth": "200"}


def test_a_part_is_changed_by_its_own_part_of_the_form(one: Consumer) -> None:
    part = {
        "key": "edge", "name": "Edge", "mandatory": True, "default_selected": True, "min_quantity": 1,
        "max_quantity": 1, "variables": FORM["variables"], "parts": [],
    }  # fmt: skip
    with one.context.database.transaction() as session:
        form = {"variables": [], "parts": [part]}
        item = make_item(session, one.connection_id, form=form, active_form=form)
    product_id = have(one, catalog_item_id=item.id, part=["edge"])
    assert (ask(one, product_id, "change", characteristics={"bandwidth": "200"}).request or {})["action"] == "change"
    for unknown in (["router"], None):
        with pytest.raises(ActionRefused, match="not known here what can be changed"):
            ask(one, have(one, catalog_item_id=item.id, part=unknown), "change", characteristics={"bandwidth": "200"})


@pytest.mark.parametrize(
    ("action", "answers", "pointer"),
    [
        ("suspend", {"ends_at": NOW}, "/ends_at"),
        ("suspend", {"starts_at": NOW + timedelta(days=2), "ends_at": NOW + timedelta(days=1)}, "/ends_at"),
        ("suspend", {"starts_at": "soon"}, "/starts_at"),
        ("move", {}, "/location/name"),
        ("move", {"location": {"name": "Berlin office"}}, "/location/name"),
        ("move", {"location": {"name": "", "city": "Bonn"}}, "/location/name"),
    ],
)
def test_what_is_wrong_is_pointed_at(one: Consumer, action: str, answers: dict[str, Any], pointer: str) -> None:
    with pytest.raises(FormErrors) as wrong:
        ask(one, have(one), action, **answers)
    assert [error.pointer for error in wrong.value.errors] == [pointer]


def test_without_an_active_manage_inventory_nothing_is_sent(sqlite_url: str, tmp_path: Path) -> None:
    with connected_consumer(sqlite_url, tmp_path) as one:
        product_id = have(one)
        with pytest.raises(ItemNotOrderable, match="not offered"):
            ask(one, product_id, "suspend")
        with one.context.database.transaction() as session:
            make_item(session, one.connection_id, kind="inventory", state="inactive")
        with pytest.raises(ItemNotOrderable, match="not active here"):
            ask(one, product_id, "suspend")
        assert sent(one) == []


def test_of_two_people_at_once_one_is_told_of_the_other(one: Consumer) -> None:
    product_id = have(one)
    results = at_once([lambda: ask(one, product_id, "suspend"), lambda: ask(one, product_id, "disconnect")])
    refused = [result for result in results if isinstance(result, ActionRefused)]
    assert len(refused) == 1 and "ACME-PT0000001" in str(refused[0])
    assert len(sent(one)) == 1


def test_the_same_click_twice_is_one_request(one: Consumer) -> None:
    product_id, request_id = have(one), str(uuid4())
    assert {ask(one, product_id, "suspend", request_id).id for _ in range(2)} == {request_id}
    assert len(sent(one)) == 1


@pytest.mark.parametrize("over", ["completed", "cancelled"])
def test_a_request_that_is_over_leaves_the_product_free(one: Consumer, over: str) -> None:
    product_id = have(one)
    task = ask(one, product_id, "suspend")
    one.verdicts([state_changed(task.id, 1, over, number=task.number)])
    assert ask(one, product_id, "disconnect").number == "ACME-PT0000002"


def test_what_the_provider_refuses_is_final_and_frees_the_product(one: Consumer) -> None:
    assert all(settling.is_final("submit", code) for code in ("product_busy", "action_not_allowed"))
    product_id = have(one)
    task = ask(one, product_id, "suspend")
    with one.context.database.transaction() as session:
        found = session.get_one(ProviderTask, (one.connection_id, task.id))
        found.submission = "refused"
        with pytest.raises(MoveRefused, match="is not corrected"):
            requests.correct_request(session, found, {}, now=NOW)
    assert ask(one, product_id, "disconnect").number == "ACME-PT0000002"


def test_the_history_tells_each_step_and_the_request_it_came_of(one: Consumer) -> None:
    product_id = have(one)
    task = ask(one, product_id, "suspend")
    cause = {"action": "suspend", "task_id": task.id, "order_number": "ORD2", "changed": None}
    ends_at = "2026-12-24T00:00:00.000Z"
    told = {"state": "suspended", "state_label": "Suspended", "changed_by": cause, "resumes_at": ends_at, "part": []}
    assert one.verdicts([product_changed(product_id, 2, **told)]) == ["applied"]
    with one.context.database.reading() as session:
        product = session.scalars(select(Product)).one()
        history = get_history(session, product)
    assert [(step.state_label, number) for step, number in history] == [("Active", None), ("Suspended", task.number)]
    assert product.resumes_at is not None and product.resumes_at.isoformat() == "2026-12-24T00:00:00+00:00"
    assert len(rows(one, ProductStep)) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"parent_id": "x"},
        {"part": "edge"},
        {"part": [1]},
        {"part": ["x"] * 17},
        {"resumes_at": "soon"},
        {"changed_by": 1},
        {"changed_by": {"action": "suspend", "task_id": "x", "order_number": "ORD1", "changed": None}},
        *(
            {"changed_by": {"action": "add", "task_id": str(uuid4()), "order_number": "ORD1", "changed": changed}}
            for changed in (
                {"location": 3},
                {"location": [1, 2]},
                {"characteristics": [1]},
                {"characteristics": {"a": 1}},
            )
        ),
    ],
)
def test_an_event_with_what_cannot_be_is_rejected(one: Consumer, wrong: dict[str, Any]) -> None:
    assert one.verdicts([product_changed(str(uuid4()), 1, **wrong)]) == ["rejected"]
