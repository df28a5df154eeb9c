"""What our people ask for reaches the provider once and in order, and its answers are shown on the request."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from bridge.ailments import find_ailments
from bridge.carriers import CallAnswer
from bridge.errors import NothingToReplay
from bridge.flow import read_flow
from bridge.models import Connection, Delivery
from consumer_sim.models import CatalogItem, Comment, Counter, HeldCall, ProviderTask
from consumer_sim.services import comments, link_trouble, requests, settling, tasks
from consumer_sim.services.errors import ConnectionNotUsable, ItemNotOrderable, MoveRefused
from tests.consumer_factories import (
    ANSWERS,
    ASKED_BY,
    NOW,
    Consumer,
    PlayedProvider,
    connected_consumer,
    make_item,
    played_provider,
    problem,
    rows,
    state_changed,
)


@pytest.fixture
def provider() -> Iterator[PlayedProvider]:
    with played_provider() as one:
        yield one


class Clock:
    """Stands still until told to go on."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def acme(database_url: str, tmp_path: Path, provider: PlayedProvider, clock: Clock) -> Iterator[Consumer]:
    with connected_consumer(database_url, tmp_path, peer_url=provider.url, clock=clock) as one:
        yield one


def ask(acme: Consumer, **answers: Any) -> ProviderTask:
    with acme.context.database.transaction() as session:
        item = make_item(session, acme.connection_id)
        return requests.submit_request(session, item, ANSWERS | answers, ASKED_BY, now=NOW)


def comment(acme: Consumer, task: ProviderTask, text: str) -> None:
    with acme.context.database.transaction() as session:
        comments.add_comment(session, tasks.get_task(session, task.id), text, "Ada", "acme", now=NOW)


def cancel(acme: Consumer, task: ProviderTask) -> None:
    with acme.context.database.transaction() as session:
        requests.cancel_request(session, tasks.get_task(session, task.id), "no need", now=NOW)


def correct(acme: Consumer, task: ProviderTask, **answers: Any) -> None:
    with acme.context.database.transaction() as session:
        requests.correct_request(session, tasks.get_task(session, task.id), ANSWERS | answers, now=NOW)


def drain(acme: Consumer) -> None:
    acme.station().drain(acme.connection_id)


def only_task(acme: Consumer) -> ProviderTask:
    (task,) = rows(acme, ProviderTask)
    return task


def sent(provider: PlayedProvider) -> list[str]:
    """The ends of the paths called, tokens aside."""
    return [call.path.rsplit("/", 1)[-1] for call in provider.calls if not call.path.endswith("/token")]


def test_a_request_is_sent_as_the_wire_describes_it(acme: Consumer, provider: PlayedProvider) -> None:
    golden = json.loads(Path("tests/golden/request.json").read_text())
    task = ask(
        acme, location=golden["location"], contacts=golden["contacts"], requested_on="2026-12-01", note="Before noon"
    )
    drain(acme)
    (call,) = provider.calls_to("/provider-tasks")
    assert set(call.body) == set(golden)
    assert (call.body["id"], call.body["number"], call.body["revision"]) == (task.id, "ACME-PT0000001", 1)
    assert (call.body["opened_at"], call.body["catalog_item_revision"]) == ("2026-11-21T09:00:00.000Z", 1)
    assert call.headers["authorization"] == "Bearer token-1"
    assert call.headers["idempotency-key"] == rows(acme, Delivery)[0].id
    assert call.headers["exchange-instance"] == acme.context.identity.id
    assert only_task(acme).submission == "accepted"


def test_asking_works_while_the_provider_is_away(acme: Consumer, provider: PlayedProvider, clock: Clock) -> None:
    provider.script["/token"] = [None]
    task = ask(acme)
    drain(acme)
    assert only_task(acme).submission == "waiting"
    assert acme.client.get("/api/v1/connections").json["items"][0]["waiting"] == 1
    clock.now += timedelta(minutes=30)
    drain(acme)
    assert acme.client.get("/api/v1/connections").json["items"][0]["waiting"] == 0
    assert [call.body["id"] for call in provider.calls_to("/provider-tasks")] == [task.id]
    assert only_task(acme).submission == "accepted"


def test_what_is_said_before_acceptance_follows_the_create_in_order(acme: Consumer, provider: PlayedProvider) -> None:
    task = ask(acme)
    comment(acme, task, "first")
    comment(acme, task, "second")
    cancel(acme, task)
    assert len(rows(acme, Delivery)) == 1
    drain(acme)
    assert sent(provider) == ["provider-tasks", "comments", "comments", "cancel"]
    assert [call.body["text"] for call in provider.calls_to("/comments")] == ["first", "second"]
    assert {row.sent for row in rows(acme, Comment)} == {"accepted"}
    assert (rows(acme, HeldCall), only_task(acme).cancellation) == ([], "accepted")


def test_our_comment_bears_the_company_that_the_provider_shows(acme: Consumer, provider: PlayedProvider) -> None:
    provider.script["/comments"] = [(201, {"author": {"name": "Ada", "company": "ACME Corporation"}})]
    task = ask(acme)
    comment(acme, task, "hello")
    drain(acme)
    assert rows(acme, Comment)[0].author_company == "ACME Corporation"


def test_a_refusal_is_shown_and_its_correction_is_a_new_call(acme: Consumer, provider: PlayedProvider) -> None:
    wrong = {"pointer": "/characteristics/bandwidth", "code": "not_allowed", "message": "is not for sale"}
    provider.script["/provider-tasks"] = [problem(422, "invalid_fields", errors=[wrong])]
    task = ask(acme)
    comment(acme, task, "please")
    drain(acme)
    refused = only_task(acme)
    assert (refused.submission, refused.refusal["errors"]) == ("refused", [wrong])
    assert sent(provider) == ["provider-tasks"]
    correct(acme, task, characteristics={"bandwidth": "200"})
    drain(acme)
    first, second = provider.calls_to("/provider-tasks")
    assert (second.body["revision"], second.body["characteristics"]) == (2, {"bandwidth": "200"})
    assert second.body["number"] == first.body["number"]
    assert second.headers["idempotency-key"] != first.headers["idempotency-key"]
    assert (only_task(acme).submission, only_task(acme).refusal) == ("accepted", None)
    assert sent(provider) == ["provider-tasks", "provider-tasks", "comments"]


@pytest.mark.parametrize("code", ["not_found", "already_accepted"])
def test_other_final_answers_refuse_as_well(acme: Consumer, provider: PlayedProvider, code: str) -> None:
    provider.script["/provider-tasks"] = [problem(404 if code == "not_found" else 409, code)]
    ask(acme)
    drain(acme)
    assert (only_task(acme).submission, only_task(acme).refusal["code"]) == ("refused", code)


@pytest.mark.parametrize(
    "answer", [(404, {}), (403, {"html": 1}), (500, {"code": "invalid_fields"}), problem(409, "strange")]
)
def test_what_is_not_final_leaves_the_request_waiting(acme: Consumer, provider: PlayedProvider, answer: Any) -> None:
    provider.script["/provider-tasks"] = [answer]
    ask(acme)
    drain(acme)
    assert only_task(acme).submission == "waiting"
    assert rows(acme, Delivery)[0].state == "pending"


def test_a_taken_number_is_replaced_by_a_free_one_and_sent_again(acme: Consumer, provider: PlayedProvider) -> None:
    provider.script["/provider-tasks"] = [problem(409, "number_taken", next_number="ACME-PT0000042")]
    task = ask(acme)
    drain(acme)
    _, second = provider.calls_to("/provider-tasks")
    assert (second.body["id"], second.body["number"], second.body["revision"]) == (task.id, "ACME-PT0000042", 2)
    assert (only_task(acme).number, only_task(acme).submission) == ("ACME-PT0000042", "accepted")
    assert ask(acme).number == "ACME-PT0000043"


@pytest.mark.parametrize("said", ["EVIL-PT0000009", "ACME-PT9", None, 7])
def test_a_number_that_is_not_ours_does_not_move_our_counter(
    acme: Consumer, provider: PlayedProvider, said: Any
) -> None:
    provider.script["/provider-tasks"] = [problem(409, "number_taken", next_number=said)]
    ask(acme)
    drain(acme)
    assert (only_task(acme).number, rows(acme, Counter)[0].value) == ("ACME-PT0000002", 2)


def test_a_number_the_provider_already_told_of_is_not_minted_again(acme: Consumer) -> None:
    acme.verdicts([state_changed("4a1c0d9e-2a6f-4f0e-8c7d-1d2c3b4a5f60", 1, number="ACME-PT0000001")])
    assert ask(acme).number == "ACME-PT0000002"


def test_a_late_refusal_of_an_older_attempt_does_not_win_over_its_correction(acme: Consumer) -> None:
    task = ask(acme)
    with acme.context.database.transaction() as session:
        row = tasks.get_task(session, task.id)
        row.submission, row.revision = "waiting", 2
        settling.apply_answer(session, _refused(acme, task, revision=1), NOW)
    assert only_task(acme).submission == "waiting"


def test_cancelling_past_the_point_of_no_return_shows_why_not(acme: Consumer, provider: PlayedProvider) -> None:
    provider.script["/cancel"] = [problem(409, "past_point_of_no_return")]
    task = ask(acme)
    drain(acme)
    cancel(acme, task)
    drain(acme)
    row = only_task(acme)
    assert (row.cancellation, row.cancellation_reason) == ("refused", "because of past_point_of_no_return")


def test_a_refused_request_is_withdrawn_without_asking_anybody(acme: Consumer, provider: PlayedProvider) -> None:
    provider.script["/provider-tasks"] = [problem(422, "invalid_fields")]
    task = ask(acme)
    comment(acme, task, "never sent")
    drain(acme)
    cancel(acme, task)
    drain(acme)
    assert (only_task(acme).submission, rows(acme, HeldCall), sent(provider)) == ("withdrawn", [], ["provider-tasks"])
    with pytest.raises(MoveRefused):
        comment(acme, task, "too late")


def test_a_cancellation_that_waits_behind_a_refused_create_withdraws_it(
    acme: Consumer, provider: PlayedProvider
) -> None:
    provider.script["/provider-tasks"] = [problem(422, "invalid_fields")]
    cancel(acme, ask(acme))
    drain(acme)
    assert (only_task(acme).submission, only_task(acme).cancellation) == ("withdrawn", "accepted")
    assert sent(provider) == ["provider-tasks"]


def test_a_rejected_order_is_corrected_by_resubmitting(acme: Consumer, provider: PlayedProvider) -> None:
    task = ask(acme)
    drain(acme)
    with pytest.raises(MoveRefused):
        correct(acme, task)
    acme.verdicts([state_changed(task.id, 1, "rejected", state="awaiting_info", state_label="Awaiting info")])
    correct(acme, task, characteristics={"bandwidth": "200"})
    with pytest.raises(MoveRefused):
        correct(acme, task)
    drain(acme)
    (call,) = provider.calls_to("/resubmit")
    assert (call.body["revision"], call.body["characteristics"]) == (2, {"bandwidth": "200"})
    assert not {"number", "catalog_item_id"} & set(call.body)
    assert only_task(acme).resubmission == "accepted"


@pytest.mark.parametrize("state", ["inactive", "removed"])
def test_a_rejected_order_is_corrected_although_its_item_was_closed_meanwhile(
    acme: Consumer, provider: PlayedProvider, state: str
) -> None:
    task = ask(acme)
    drain(acme)
    acme.verdicts([state_changed(task.id, 1, "rejected", state="awaiting_info", state_label="Awaiting info")])
    with acme.context.database.transaction() as session:
        session.execute(update(CatalogItem).values(state=state))
    correct(acme, task, characteristics={"bandwidth": "200"})
    drain(acme)
    (call,) = provider.calls_to("/resubmit")
    assert (call.body["catalog_item_revision"], call.body["characteristics"]) == (1, {"bandwidth": "200"})


def test_a_404_about_an_accepted_task_is_shown_as_divergence(
    acme: Consumer, provider: PlayedProvider, clock: Clock
) -> None:
    task = ask(acme)
    drain(acme)
    provider.script["/comments"] = [problem(404, "not_found")] * 3
    comment(acme, task, "hello?")
    for _ in range(3):
        drain(acme)
        clock.now += timedelta(hours=1)
    shown = acme.client.get(f"/api/v1/requests/{task.id}").json
    assert "denies a record it accepted" in shown["problem"]
    assert [row["sent"] for row in shown["comments"]] == ["waiting"]


def test_a_parked_call_that_is_given_up_lets_what_waits_behind_it_go(
    acme: Consumer, provider: PlayedProvider, clock: Clock
) -> None:
    task = ask(acme)
    drain(acme)
    comment(acme, task, "hello?")
    cancel(acme, task)
    provider.script["/comments"] = [problem(404, "not_found")] * 3
    for _ in range(4):
        drain(acme)
        clock.now += timedelta(hours=1)
    assert provider.calls_to("/cancel") == []
    with acme.context.database.transaction() as session:
        parked = session.scalars(select(Delivery.id).where(Delivery.state == "parked")).one()
        link_trouble.give_up(session, acme.connection_id, parked, by="grace", now=clock.now)
    drain(acme)
    assert len(provider.calls_to("/cancel")) == 1 and only_task(acme).cancellation == "accepted"
    (said,) = rows(acme, Comment)
    assert said.sent == "refused" and str(said.problem).startswith("Given up by grace. rejected: the provider denies")
    with acme.context.database.reading() as session:
        assert session.scalars(select(Delivery.state).order_by(Delivery.sequence)).all() == [
            "delivered", "skipped", "delivered",
        ]  # fmt: skip
        assert find_ailments(read_flow(session, acme.connection_id), clock.now) == []
    with acme.context.database.transaction() as session, pytest.raises(NothingToReplay):
        link_trouble.give_up(session, str(uuid4()), parked, by="grace", now=clock.now)


@pytest.mark.parametrize("code", ["not_found", "revision_archived", "version_too_old"])
def test_an_activation_is_reported_and_its_refusal_shown(acme: Consumer, provider: PlayedProvider, code: str) -> None:
    provider.script["/activation"] = [problem(404 if code == "not_found" else 409, code), (200, {})]
    with acme.context.database.transaction() as session:
        item = make_item(
            session, acme.connection_id, state="pending_activation", active_revision=None, active_form=None
        )
    path = f"/api/v1/catalog-items/{item.id}"
    acme.client.post(f"{path}/activate")
    drain(acme)
    assert acme.client.get(path).json["activation"] == {"sent": "refused", "problem": f"because of {code}"}
    acme.client.post(f"{path}/deactivate")
    drain(acme)
    assert acme.client.get(path).json["activation"] == {"sent": "accepted", "problem": None}
    assert [call.body for call in provider.calls_to("/activation")] == [
        {"state": "active", "revision": 1},
        {"state": "inactive", "revision": 1},
    ]


def test_one_401_costs_one_new_token(acme: Consumer, provider: PlayedProvider) -> None:
    provider.script["/provider-tasks"] = [problem(401, "token_invalid")]
    ask(acme)
    station = acme.station()
    station.drain(acme.connection_id)
    ask(acme)
    station.drain(acme.connection_id)
    used = [call.headers["authorization"] for call in provider.calls_to("/provider-tasks")]
    assert used == ["Bearer token-1", "Bearer token-2", "Bearer token-2"]
    assert {task.submission for task in rows(acme, ProviderTask)} == {"accepted"}


@pytest.mark.parametrize("state", ["pending_activation", "inactive", "removed"])
def test_only_an_active_item_can_be_asked_for(acme: Consumer, state: str) -> None:
    with acme.context.database.transaction() as session:
        item = make_item(session, acme.connection_id, state=state)
        with pytest.raises(ItemNotOrderable):
            requests.submit_request(session, item, ANSWERS, ASKED_BY, now=NOW)


def test_nothing_is_addressed_to_a_revoked_connection(acme: Consumer) -> None:
    with acme.context.database.transaction() as session:
        item = make_item(session, acme.connection_id)
        session.get_one(Connection, acme.connection_id).state = "revoked"
        with pytest.raises(ConnectionNotUsable):
            requests.submit_request(session, item, ANSWERS, ASKED_BY, now=NOW)


def _refused(acme: Consumer, task: ProviderTask, *, revision: int) -> Any:
    return CallAnswer(
        "d-1",
        acme.connection_id,
        f"provider_task/{task.id}",
        "submit",
        {"revision": revision},
        False,
        422,
        problem(422, "invalid_fields")[1],
    )
