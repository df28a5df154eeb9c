"""What arrives at the consumer has its effects once, in order, whatever else is in the batch."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread
from typing import Any
from uuid import uuid4

import pytest

from bridge.models import Delivery, InboxMessage, Lease
from bridge.versions import WIRE_VERSION
from bridge.vocabulary import EventType
from consumer_sim.models import CatalogItem, Comment, Product, ProviderTask, TaskState
from consumer_sim.services import fields, requests
from consumer_sim.services.receiving import HANDLERS
from tests.consumer_factories import (
    ANSWERS,
    ASKED_BY,
    FORM,
    NOW,
    Consumer,
    comment_added,
    connected_consumer,
    counted_statements,
    event,
    item_changed,
    item_removed,
    make_connection,
    make_item,
    product_changed,
    rows,
    state_changed,
    unsequenced,
)

TASK = "4a1c0d9e-2a6f-4f0e-8c7d-1d2c3b4a5f60"


@pytest.fixture
def acme(database_url: str, tmp_path: Path) -> Iterator[Consumer]:
    with connected_consumer(database_url, tmp_path) as one:
        yield one


def test_states_of_a_task_are_applied_in_order_and_kept_as_its_timeline(acme: Consumer) -> None:
    batch = [
        state_changed(TASK, 1, "draft"),
        state_changed(TASK, 2, "submitted"),
        state_changed(TASK, 3, "acknowledged", state="work_in_progress", state_label="Work in Progress"),
    ]
    assert acme.verdicts(batch) == ["applied"] * 3
    (task,) = rows(acme, ProviderTask)
    assert (task.state, task.order_state, task.number) == ("work_in_progress", "acknowledged", "ACME-PT0000001")
    timeline = [(step.sequence, step.order_state) for step in rows(acme, TaskState, TaskState.sequence)]
    assert timeline == [(1, "draft"), (2, "submitted"), (3, "acknowledged")]


def test_a_test_event_is_noted_with_its_id_and_has_no_other_effect(acme: Consumer) -> None:
    shown = acme.client.get(f"/api/v1/connections/{acme.connection_id}").json
    assert shown["last_test"] is None
    first, second = unsequenced(EventType.TEST), unsequenced(EventType.TEST)
    assert acme.verdicts([first]) == ["applied"]
    assert acme.verdicts([second]) == ["applied"]
    shown = acme.client.get(f"/api/v1/connections/{acme.connection_id}").json
    assert shown["last_test"]["event_id"] == json.loads(second)["id"]
    assert datetime.fromisoformat(shown["last_test"]["at"]) == NOW
    assert rows(acme, InboxMessage) == []


def test_a_batch_sent_again_is_all_duplicates_and_changes_nothing(acme: Consumer) -> None:
    batch = [state_changed(TASK, 1), comment_added(TASK, 2), product_changed(str(uuid4()), 1)]
    assert acme.verdicts(batch) == ["applied"] * 3
    assert acme.verdicts(batch) == ["duplicate"] * 3
    assert (len(rows(acme, TaskState)), len(rows(acme, Comment)), len(rows(acme, Product))) == (1, 1, 1)


def test_what_comes_too_early_waits_for_what_is_missing(acme: Consumer) -> None:
    third, second = state_changed(TASK, 3, "acknowledged"), state_changed(TASK, 2, "submitted")
    acme.verdicts([state_changed(TASK, 1, "draft")])
    answer = acme.post([third]).json["verdicts"][0]
    assert (answer["verdict"], answer["expected"]) == ("gap", 2)
    assert acme.verdicts([second, third]) == ["applied", "applied"]


def test_another_event_at_a_used_sequence_is_a_conflict_that_names_the_first(acme: Consumer) -> None:
    first = state_changed(TASK, 1, "draft")
    acme.verdicts([first])
    answer = acme.post([state_changed(TASK, 1, "completed")]).json["verdicts"][0]
    assert (answer["verdict"], answer["applied_id"]) == ("conflict", json.loads(first)["id"])
    assert rows(acme, ProviderTask)[0].order_state == "draft"


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"state": "finished"}, "/data/state"),
        ({"number": ""}, "/data/number"),
        ({"number": "A\u0000"}, "/data/number"),
        ({"order_version": True}, "/data/order_version"),
        ({"ponr": None}, "/data/ponr"),
        ({"reason": 1}, "/data/reason"),
    ],
)
def test_content_that_cannot_be_accepted_is_rejected_by_field_and_stops_its_stream_only(
    acme: Consumer, wrong: dict[str, object], pointer: str
) -> None:
    other = str(uuid4())
    batch = [state_changed(TASK, 1, **wrong), state_changed(TASK, 2), state_changed(other, 1, number="ACME-PT0000002")]
    answers = acme.post(batch).json["verdicts"]
    assert [answer["verdict"] for answer in answers] == ["rejected", "gap", "applied"]
    assert [field["pointer"] for field in answers[0]["fields"]] == [pointer]
    assert [task.id for task in rows(acme, ProviderTask)] == [other]


def test_an_event_in_the_stream_of_another_record_is_rejected(acme: Consumer) -> None:
    data = json.loads(state_changed(TASK, 1))["data"]
    stray = event(EventType.PROVIDER_TASK_STATE_CHANGED, f"provider_task/{uuid4()}", 1, data)
    answer = acme.post([stray]).json["verdicts"][0]
    assert (answer["verdict"], answer["fields"][0]["pointer"]) == ("rejected", "/stream")


def test_an_unknown_type_is_ignored_and_its_stream_goes_on(acme: Consumer) -> None:
    strange = event("exchange.provider_task.renamed", f"provider_task/{TASK}", 1, {})  # type: ignore[arg-type]
    assert acme.verdicts([strange, state_changed(TASK, 2)]) == ["ignored", "applied"]


def test_a_tombstone_takes_its_place_without_effect(acme: Consumer) -> None:
    grave = event(EventType.TOMBSTONE, f"provider_task/{TASK}", 1, {"skipped_type": "x", "reason": "y"})
    assert acme.verdicts([grave, state_changed(TASK, 2)]) == ["applied", "applied"]
    assert [step.sequence for step in rows(acme, TaskState)] == [2]


def test_an_event_that_breaks_the_database_is_rejected_alone(acme: Consumer) -> None:
    """Two events of a batch that claim the same place in a timeline: no check sees it, the key does."""
    stream = f"provider_task/{TASK}"
    data = json.loads(state_changed(TASK, 1))["data"]
    twin = event(EventType.PROVIDER_TASK_STATE_CHANGED, f"other/{TASK}", 1, data)
    answers = acme.verdicts(
        [event(EventType.PROVIDER_TASK_STATE_CHANGED, stream, 1, data), twin, comment_added(TASK, 2)]
    )
    assert answers == ["applied", "rejected", "applied"]
    assert len(rows(acme, TaskState)) == 1


def test_twenty_copies_of_a_batch_at_once_have_one_effect(acme: Consumer) -> None:
    tasks = [str(uuid4()) for _ in range(5)]
    batch = [state_changed(task, n, number=f"ACME-PT{i:07d}") for i, task in enumerate(tasks, 1) for n in (1, 2)]
    product = product_changed(str(uuid4()), 1)
    start, statuses = Barrier(20), []

    def post() -> None:
        start.wait()
        statuses.append(acme.post([*batch, product]).status_code)

    threads = [Thread(target=post) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {200, 503} and 200 in statuses
    assert acme.verdicts([*batch, product]) == ["duplicate"] * 11
    assert (len(rows(acme, TaskState)), len(rows(acme, Product)), len(rows(acme, InboxMessage))) == (10, 1, 11)


def test_two_hundred_state_changes_cost_as_many_statements_as_two(acme: Consumer) -> None:
    def cost(count: int) -> int:
        batch = [state_changed(str(uuid4()), 1, number=f"N-PT{count}{n:05d}") for n in range(count)]
        with counted_statements(acme) as seen:
            assert acme.verdicts(batch) == ["applied"] * count
        return len(seen)

    cost(1)
    assert cost(200) == cost(2)


def test_a_state_for_a_request_whose_answer_is_still_out_is_applied(acme: Consumer) -> None:
    with acme.context.database.transaction() as session:
        item = make_item(session, acme.connection_id)
        task_id = requests.submit_request(session, item, ANSWERS, ASKED_BY, now=NOW).id
    acme.verdicts([state_changed(task_id, 1, number="ACME-PT0000099")])
    (task,) = rows(acme, ProviderTask)
    assert (task.submission, task.state, task.number, task.placeholder) == (
        "waiting",
        "received",
        "ACME-PT0000001",
        False,
    )


def test_nothing_is_lost_about_a_task_this_database_has_forgotten(acme: Consumer) -> None:
    assert acme.verdicts([comment_added(TASK, 1), state_changed(TASK, 2)]) == ["applied", "applied"]
    (task,) = rows(acme, ProviderTask)
    assert (task.placeholder, task.submission, task.number) == (True, "accepted", "ACME-PT0000001")
    assert [comment.text for comment in rows(acme, Comment)] == ["Hello"]


def test_two_providers_with_the_same_ids_do_not_touch_each_others_records(acme: Consumer) -> None:
    item = str(uuid4())
    acme.verdicts([item_changed(item, 1, name="Ours")])
    with acme.context.database.transaction() as session:
        _, acme.callback_id = make_connection(session, acme.context, prefix="BETA")
    assert acme.verdicts([item_changed(item, 1, name="Theirs")]) == ["applied"]
    assert sorted(row.name for row in rows(acme, CatalogItem)) == ["Ours", "Theirs"]


def test_an_offer_waits_for_activation_and_a_new_revision_too(acme: Consumer) -> None:
    item = str(uuid4())
    acme.verdicts([item_changed(item, 1)])
    assert [(row.state, row.active_revision) for row in rows(acme, CatalogItem)] == [("pending_activation", None)]
    assert acme.client.post(f"/api/v1/catalog-items/{item}/activate").json["state"] == "active"
    newer = {"variables": [], "parts": []}
    acme.verdicts([item_changed(item, 2, revision=2, form=newer)])
    (row,) = rows(acme, CatalogItem)
    assert (row.state, row.revision, row.active_revision, row.active_form) == ("active", 2, 1, FORM)


def test_auto_activation_activates_each_revision_once_and_tells_the_provider(acme: Consumer) -> None:
    item = str(uuid4())
    acme.client.post(f"/api/v1/connections/{acme.callback_id}/settings", json={"auto_activate": True})
    acme.verdicts([item_changed(item, 1), item_changed(item, 2, name="Renamed")])
    acme.verdicts([item_changed(item, 3, revision=2)])
    (row,) = rows(acme, CatalogItem)
    assert (row.state, row.active_revision, row.activation) == ("active", 2, "waiting")
    sent = [json.loads(delivery.text) for delivery in rows(acme, Delivery, Delivery.sequence)]
    assert sent == [{"state": "active", "revision": 1}, {"state": "active", "revision": 2}]


def test_a_removed_item_cannot_be_ordered_until_it_is_offered_again(acme: Consumer) -> None:
    item = str(uuid4())
    acme.verdicts([item_changed(item, 1), item_removed(item, 2)])
    assert acme.client.post(f"/api/v1/catalog-items/{item}/activate").status_code == 409
    acme.verdicts([item_changed(item, 3)])
    assert acme.client.post(f"/api/v1/catalog-items/{item}/activate").status_code == 200


@pytest.mark.parametrize(
    "form",
    [
        {"variables": []},
        {"variables": [{"key": "a"}], "parts": []},
        {"variables": [], "parts": [{"key": "p", "variables": [], "parts": []}]},
        {"variables": [{k: v for k, v in FORM["variables"][0].items() if k != "default"}], "parts": []},
        {"variables": [FORM["variables"][0] | {"type": "spell"}], "parts": []},
        {"variables": [FORM["variables"][0] | {"type": "integer", "max": "many"}], "parts": []},
        {"variables": [FORM["variables"][0] | {"pattern": "(a+)+"}], "parts": []},
        {"variables": [], "parts": [], "sets": [{"key": "a"}]},
        {"variables": [], "parts": [], "besides": ["everything"]},
    ],
)
def test_a_form_that_nobody_could_fill_in_is_rejected(acme: Consumer, form: dict[str, object]) -> None:
    answer = acme.post([item_changed(str(uuid4()), 1, form=form)]).json["verdicts"][0]
    assert (answer["verdict"], answer["fields"][0]["pointer"]) == ("rejected", "/data/form")


def test_a_product_is_kept_as_last_told(acme: Consumer) -> None:
    product = str(uuid4())
    acme.verdicts([product_changed(product, 1), product_changed(product, 2, state="suspended", location=None)])
    (row,) = rows(acme, Product)
    assert (row.state, row.location, row.location_name) == ("suspended", None, None)


def test_an_answer_never_grows_beyond_what_the_provider_reads(acme: Consumer) -> None:
    batch = [event(EventType.PRODUCT_CHANGED, f"product/{uuid4()}", 1, {}) for _ in range(200)]
    response = acme.post(batch)
    assert len(response.data) <= 64 * 1024
    assert {row["verdict"] for row in response.json["verdicts"]} == {"rejected"}


def test_word_from_the_provider_ends_the_wait_for_its_next_probe(acme: Consumer) -> None:
    with acme.context.database.transaction() as session:
        session.add(Lease(connection_id=acme.connection_id, not_before=NOW + timedelta(minutes=15)))
    acme.verdicts([unsequenced(EventType.HEARTBEAT)])
    assert rows(acme, Lease)[0].not_before <= NOW


def test_unsequenced_events_are_answered_and_not_stored(acme: Consumer) -> None:
    answer = acme.post([unsequenced(EventType.CHALLENGE, challenge="abc"), unsequenced(EventType.TEST)]).json
    assert [row["verdict"] for row in answer["verdicts"]] == ["applied", "applied"]
    assert answer["verdicts"][0]["challenge"] == "abc"
    assert rows(acme, InboxMessage) == []


def test_every_type_that_leaves_something_behind_has_a_handler() -> None:
    unhandled = {EventType.CHALLENGE}
    assert set(HANDLERS) == set(EventType) - unhandled


@pytest.mark.parametrize(
    "value", ["2026-11-21T09:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T00:00:00-14:00", "soon", ""]
)
def test_times_that_no_database_keeps_are_no_times(value: str) -> None:
    assert fields.time(value)


def test_an_item_whose_active_revision_was_archived_waits_for_activation_again(acme: Consumer) -> None:
    item = str(uuid4())
    acme.verdicts([item_changed(item, 1)])
    acme.client.post(f"/api/v1/catalog-items/{item}/activate")
    acme.verdicts([item_changed(item, 2, revision=2), item_changed(item, 3, revision=2, revisions=[1, 2])])
    assert [(row.state, row.active_revision) for row in rows(acme, CatalogItem)] == [("active", 1)]
    acme.verdicts([item_changed(item, 4, revision=2, revisions=[2])])
    assert [(row.state, row.active_revision) for row in rows(acme, CatalogItem)] == [("pending_activation", None)]
    acme.client.post(f"/api/v1/catalog-items/{item}/activate")
    acme.verdicts([item_changed(item, 5, revision=2, revisions=[2])])
    assert [(row.state, row.active_revision) for row in rows(acme, CatalogItem)] == [("active", 2)]


def test_what_asks_for_a_newer_version_than_ours_is_not_activated_by_hand_or_by_itself(acme: Consumer) -> None:
    item, settings = str(uuid4()), f"/api/v1/connections/{acme.callback_id}/settings"
    acme.verdicts([item_changed(item, 1, compatibility="1.0"), item_changed(item, 2, revision=2, compatibility="7.5")])
    refused = acme.client.post(f"/api/v1/catalog-items/{item}/activate")
    assert refused.status_code == 409
    assert f"asks for version 7.5, and this instance speaks {WIRE_VERSION}" in refused.json["detail"]
    assert acme.client.post(settings, json={"auto_activate": True}).status_code == 200
    acme.verdicts([item_changed(item, 3, revision=3, compatibility="7.5")])
    assert [row.state for row in rows(acme, CatalogItem)] == ["pending_activation"]
    acme.verdicts([item_changed(item, 4, revision=4, compatibility="1.0")])
    assert [(row.state, row.active_revision) for row in rows(acme, CatalogItem)] == [("active", 4)]


@pytest.mark.parametrize(
    "spoilt",
    [
        {"groups": [{"key": "g"}]},
        {"groups": {}},
        {"rules": [{"kind": "requires", "if": {"parts": [], "characteristic": None, "values": []}, "then": [],
                    "message": "x"}]},
        {"rules": [{"kind": "requires", "then": []}]},
    ],
)  # fmt: skip
def test_groups_and_rules_that_nobody_could_check_are_rejected(acme: Consumer, spoilt: dict[str, Any]) -> None:
    assert acme.verdicts([item_changed(str(uuid4()), 1, form={**FORM, **spoilt})]) == ["rejected"]
