"""What our own people decide before a request is sent; and questions of our own, no byte of which ever leaves."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from bridge.forms import FormErrors
from bridge.models import Delivery, OutboxEvent
from consumer_sim.models import CatalogItem, HeldCall, ProviderTask
from consumer_sim.models_personas import Approval
from consumer_sim.services import approvals, catalog, comments, item_settings, requests, tasks, users
from consumer_sim.services.approvals import Decider, find_decider
from consumer_sim.services.errors import ConnectionNotUsable, MoveRefused, NotAuthorised
from consumer_sim.services.request_search import count_stages
from tests.consumer_factories import (
    ANSWERS,
    NOW,
    Consumer,
    PlayedProvider,
    connected_consumer,
    item_changed,
    make_item,
    played_provider,
    problem,
    rows,
    state_changed,
)
from tests.factories import at_once

CANARY = "CANARY-of-our-own"
COST_CENTRE = {"key": "cost_centre", "label": "Cost centre", "type": "text", "mandatory": True}
URGENT = {"key": "urgent", "label": "Urgent", "type": "boolean"}


@pytest.fixture
def provider() -> Iterator[PlayedProvider]:
    with played_provider() as one:
        yield one


@pytest.fixture
def acme(database_url: str, tmp_path: Path, provider: PlayedProvider) -> Iterator[Consumer]:
    with connected_consumer(database_url, tmp_path, peer_url=provider.url) as one:
        with one.context.database.transaction() as session:
            make_item(session, one.connection_id)
            for name, role in (("ada", "requester"), ("grace", "approver"), ("linus", "approver"), ("root", "admin")):
                users.add_user(session, name, [role])
        yield one


def decide_that(acme: Consumer, **settings: Any) -> None:
    with acme.context.database.transaction() as session:
        item = session.scalars(select(CatalogItem)).one()
        whole: Any = {"needs_approval": True, "approver": None, "above_quantity": None, **settings}
        item_settings.set_approval(session, item, **whole, now=NOW)


def ask(acme: Consumer, name: str = "ada", **answers: Any) -> ProviderTask:
    with acme.context.database.transaction() as session:
        item = session.scalars(select(CatalogItem)).one()
        return requests.submit_request(session, item, ANSWERS | answers, {"name": name}, now=NOW)


def approve(acme: Consumer, task: ProviderTask, name: str = "grace") -> None:
    with acme.context.database.transaction() as session:
        locked = tasks.lock_task(session, task.connection_id, task.id)
        approvals.approve_request(session, locked, find_decider(session, name), now=NOW)


def reject(acme: Consumer, task: ProviderTask, name: str = "grace", reason: str = "Too dear.") -> None:
    with acme.context.database.transaction() as session:
        locked = tasks.lock_task(session, task.connection_id, task.id)
        approvals.reject_request(session, locked, reason, find_decider(session, name), now=NOW)


def correct(acme: Consumer, task: ProviderTask, **answers: Any) -> None:
    with acme.context.database.transaction() as session:
        requests.correct_request(session, tasks.get_task(session, task.id), ANSWERS | answers, now=NOW)


def waiting_for(acme: Consumer, name: str) -> list[str]:
    with acme.context.database.reading() as session:
        decider = find_decider(session, name)
        found, total = approvals.search_approvals(session, decider)
        assert total == len(found) == approvals.count_approvals(session, decider)
        return [one.task.id for one in found]


def sent(acme: Consumer, provider: PlayedProvider) -> list[str]:
    acme.station().drain(acme.connection_id)
    return [call.path.rsplit("/", 1)[-1] for call in provider.calls if not call.path.endswith("/token")]


def stage(acme: Consumer) -> str:
    with acme.context.database.reading() as session:
        (found,) = [name for name, count in count_stages(session).items() if count]
        return found


# --- approval


def test_nothing_crosses_before_approval_and_everything_once_afterwards(
    acme: Consumer, provider: PlayedProvider
) -> None:
    decide_that(acme)
    task = ask(acme)
    with acme.context.database.transaction() as session:
        comments.add_comment(session, tasks.get_task(session, task.id), "Please hurry", "ada", "ACME", now=NOW)
    assert (stage(acme), sent(acme, provider), rows(acme, OutboxEvent)) == ("awaiting_approval", [], [])
    approve(acme, task)
    approve(acme, task)
    approve(acme, task, "linus")
    assert sent(acme, provider) == ["provider-tasks", "comments"]
    (row,) = rows(acme, Approval)
    assert (row.decided_by, row.decided_at, rows(acme, HeldCall)) == ("grace", NOW, [])
    assert [one.submission for one in rows(acme, ProviderTask)] == ["accepted"]


def test_approved_by_several_at_once_it_is_sent_once(acme: Consumer, provider: PlayedProvider) -> None:
    decide_that(acme)
    task = ask(acme)
    came = at_once([lambda name=name: approve(acme, task, name) for name in ("grace", "linus", "root", "grace")])  # type: ignore[misc]
    assert [error for error in came if error is not None] == []
    assert sent(acme, provider) == ["provider-tasks"]


def test_a_rejection_ends_it_with_the_reason_and_nothing_was_sent(acme: Consumer, provider: PlayedProvider) -> None:
    decide_that(acme)
    task = ask(acme)
    reject(acme, task)
    reject(acme, task)
    shown = acme.client.get(f"/api/v1/requests/{task.id}").json
    assert (shown["approval"]["state"], shown["approval"]["reason"]) == ("rejected", "Too dear.")
    assert (stage(acme), sent(acme, provider)) == ("not_approved", [])
    with pytest.raises(MoveRefused, match="decided on"):
        approve(acme, task)
    with pytest.raises(MoveRefused):
        correct(acme, task)


def test_the_requester_may_withdraw_what_waits(acme: Consumer, provider: PlayedProvider) -> None:
    decide_that(acme)
    task = ask(acme)
    with acme.context.database.transaction() as session:
        requests.cancel_request(session, tasks.get_task(session, task.id, lock=True), "no need", now=NOW)
    assert (stage(acme), sent(acme, provider), rows(acme, Approval)) == ("cancelled", [], [])
    with pytest.raises(MoveRefused, match="withdrawn"):
        approve(acme, task)


def test_only_whoever_may_decides_and_nobody_on_their_own_request(acme: Consumer) -> None:
    decide_that(acme, approver="grace")
    task, own = ask(acme), ask(acme, "grace")
    with pytest.raises(MoveRefused, match="may not"):
        approve(acme, task, "ada")
    with pytest.raises(MoveRefused, match="somebody else"):
        approve(acme, task, "linus")
    with pytest.raises(MoveRefused, match="your own"):
        approve(acme, own, "grace")
    assert (waiting_for(acme, "grace"), waiting_for(acme, "linus")) == ([task.id], [])
    assert sorted(waiting_for(acme, "root")) == sorted([task.id, own.id])
    approve(acme, own, "root")
    approve(acme, task, "grace")
    assert waiting_for(acme, "root") == []


def test_only_people_who_may_approve_are_named_as_approvers(acme: Consumer) -> None:
    for wrong in ("ada", "nobody"):
        with pytest.raises(FormErrors, match="/approver"):
            decide_that(acme, approver=wrong)


@pytest.mark.parametrize(("above", "quantity", "waits"), [(None, 1, True), (2, 2, False), (2, 3, True), (0, 1, True)])
def test_only_requests_of_more_than_so_many_wait(acme: Consumer, above: int, quantity: int, waits: bool) -> None:
    decide_that(acme, above_quantity=above)
    assert (ask(acme, quantity=quantity).approval == "waiting") is waits


def test_a_request_under_way_is_sent_although_the_item_asks_no_more(acme: Consumer, provider: PlayedProvider) -> None:
    decide_that(acme)
    task = ask(acme)
    decide_that(acme, needs_approval=False)
    ask(acme)
    approve(acme, task)
    assert sent(acme, provider) == ["provider-tasks", "provider-tasks"]


def test_what_became_impossible_meanwhile_is_not_sent(acme: Consumer, provider: PlayedProvider) -> None:
    decide_that(acme)
    task = ask(acme)
    with acme.context.database.transaction() as session:
        item = session.scalars(select(CatalogItem)).one()
        item.active_personas = [{"persona_id": task.id, "name": "Buyer", "description": ""}]
    with pytest.raises(NotAuthorised):
        approve(acme, task)
    with acme.context.database.transaction() as session:
        session.scalars(select(CatalogItem)).one().active_personas = None
        session.execute(text("update connections set state = 'revoked'"))
    with pytest.raises(ConnectionNotUsable):
        approve(acme, task)
    reject(acme, task)
    assert sent(acme, provider) == []


# --- corrections


def rejected(acme: Consumer, provider: PlayedProvider) -> ProviderTask:
    """An approved request whose order the provider has rejected."""
    decide_that(acme, above_quantity=2)
    task = ask(acme)
    sent(acme, provider)
    acme.verdicts([state_changed(task.id, 1, "rejected", reason="No such street.")])
    provider.calls.clear()
    return task


def test_a_correction_of_where_and_when_is_sent_at_once_and_other_choices_wait(
    acme: Consumer, provider: PlayedProvider
) -> None:
    task = rejected(acme, provider)
    decide_that(acme)
    correct(acme, task, note="Gate 2")
    assert sent(acme, provider) == ["resubmit"]
    acme.verdicts([state_changed(task.id, 2, "rejected", reason="Too slow.")])
    correct(acme, task, characteristics={"bandwidth": "200"})
    assert (stage(acme), sent(acme, provider)) == ("awaiting_approval", ["resubmit"])
    with pytest.raises(MoveRefused, match="waits for the approval"):
        correct(acme, task)
    approve(acme, task)
    approve(acme, task)
    assert sent(acme, provider) == ["resubmit", "resubmit"]
    body = provider.calls_to("/resubmit")[-1].body
    assert (body["revision"], body["characteristics"]) == (3, {"bandwidth": "200"})


def test_a_correction_that_is_not_approved_leaves_the_request_to_be_corrected(
    acme: Consumer, provider: PlayedProvider
) -> None:
    task = rejected(acme, provider)
    correct(acme, task, quantity=9)
    reject(acme, task)
    assert (stage(acme), sent(acme, provider)) == ("rejected", [])
    correct(acme, task, quantity=2)
    assert sent(acme, provider) == ["resubmit"]


def test_a_correction_that_waits_ends_with_a_cancellation(acme: Consumer, provider: PlayedProvider) -> None:
    task = rejected(acme, provider)
    correct(acme, task, quantity=9)
    with acme.context.database.transaction() as session:
        requests.cancel_request(session, tasks.get_task(session, task.id, lock=True), "no need", now=NOW)
    assert (sent(acme, provider), rows(acme, ProviderTask)[0].approval) == (["cancel"], None)


def test_what_the_provider_refused_is_corrected_within_what_was_approved(
    acme: Consumer, provider: PlayedProvider
) -> None:
    decide_that(acme)
    task = ask(acme)
    provider.script["/provider-tasks"] = [problem(422, "invalid_fields", errors=[])]
    approve(acme, task)
    sent(acme, provider)
    correct(acme, task, note="Gate 2")
    assert [call.body["revision"] for call in provider.calls_to("/provider-tasks")] == [1]
    assert sent(acme, provider)[-1] == "provider-tasks"
    assert [call.body["revision"] for call in provider.calls_to("/provider-tasks")] == [1, 2]


# --- questions of our own


def put_questions(acme: Consumer, *variables: dict[str, Any]) -> None:
    with acme.context.database.transaction() as session:
        item_settings.set_variables(session, session.scalars(select(CatalogItem)).one(), variables, now=NOW)


def test_no_byte_of_our_own_answers_crosses(acme: Consumer, provider: PlayedProvider) -> None:
    put_questions(acme, COST_CENTRE, {"key": "why", "label": CANARY, "type": "text"})
    decide_that(acme)
    task = ask(acme, own={"cost_centre": CANARY, "why": CANARY})
    approve(acme, task)
    sent(acme, provider)
    acme.verdicts([state_changed(task.id, 1, "rejected", reason="No such street.")])
    correct(acme, task, note="Gate 2", own={"cost_centre": f"{CANARY} 2"})
    with acme.context.database.transaction() as session:
        comments.add_comment(session, tasks.get_task(session, task.id), "Hello", "ada", "ACME", now=NOW)
        requests.cancel_request(session, tasks.get_task(session, task.id, lock=True), "no need", now=NOW)
    assert sent(acme, provider) == ["provider-tasks", "resubmit", "comments", "cancel"]
    crossed = [str(call.body) + str(call.headers) + call.path for call in provider.calls]
    kept = [str(row.text) for row in rows(acme, Delivery)] + [str(row.data) for row in rows(acme, OutboxEvent)]
    assert [text for text in crossed + kept if "CANARY" in text or "cost_centre" in text] == []
    assert rows(acme, ProviderTask)[0].own_answers == {"cost_centre": f"{CANARY} 2"}


def test_our_own_questions_and_answers_survive_a_new_revision_of_the_item(acme: Consumer) -> None:
    put_questions(acme, COST_CENTRE)
    task = ask(acme, own={"cost_centre": "4711"})
    item_id = rows(acme, CatalogItem)[0].id
    acme.verdicts([item_changed(item_id, 1, revision=2, name="Broadband 2")])
    with acme.context.database.transaction() as session:
        item = catalog.get_item(session, item_id)
        catalog.activate_item(session, item, now=NOW)
        settings = item_settings.find_settings(session, item.connection_id, item.id)
        assert settings is not None
        assert [one["key"] for one in settings.variables] == ["cost_centre"]
        assert session.get_one(ProviderTask, (task.connection_id, task.id)).own_answers == {"cost_centre": "4711"}
    with pytest.raises(FormErrors, match="/own/cost_centre: Cost centre must be answered"):
        ask(acme)


def test_answers_to_our_own_questions_are_checked_as_those_of_a_form(acme: Consumer) -> None:
    put_questions(acme, URGENT)
    for wrong, pointer in (({"urgent": "perhaps"}, "/own/urgent"), ({"other": "x"}, "/own/other"), ("x", "/own")):
        with pytest.raises(FormErrors) as refused:
            ask(acme, own=wrong)
        assert [one.pointer for one in refused.value.errors] == [pointer]
    assert ask(acme, own={"urgent": "true"}).own_answers == {"urgent": True}


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"key": "Key"}, "/variables/0/key"),
        ({"label": " "}, "/variables/0/label"),
        ({"type": "script"}, "/variables/0/type"),
        ({"type": "choice"}, "/variables/0/options"),
        ({"type": "choice", "options": [{"value": "a"}, {"value": "a"}]}, "/variables/0/options"),
        ({"type": "integer", "default": "many"}, "/variables/0/default"),
    ],
)
def test_a_question_that_nobody_could_answer_is_refused(acme: Consumer, wrong: dict[str, Any], pointer: str) -> None:
    with pytest.raises(FormErrors) as refused:
        put_questions(acme, COST_CENTRE | wrong)
    assert [one.pointer for one in refused.value.errors] == [pointer]
    with pytest.raises(FormErrors, match="/variables/1/key"):
        put_questions(acme, COST_CENTRE, COST_CENTRE)


def test_a_decider_by_name_has_what_their_roles_give(acme: Consumer) -> None:
    with acme.context.database.reading() as session:
        assert find_decider(session, "root").decides_all
        assert not find_decider(session, "grace").decides_all
        assert isinstance(find_decider(session, "grace"), Decider)


def test_nobody_approves_a_correction_of_their_own(acme: Consumer, provider: PlayedProvider) -> None:
    task = rejected(acme, provider)
    with acme.context.database.transaction() as session:
        wanted = ANSWERS | {"quantity": 9}
        requests.correct_request(session, tasks.get_task(session, task.id), wanted, by="grace", now=NOW)
    assert waiting_for(acme, "grace") == []
    with pytest.raises(MoveRefused, match="your own"):
        approve(acme, task, "grace")
    approve(acme, task, "linus")
    assert sent(acme, provider) == ["resubmit"]
