"""Remote tasks between both sides over real HTTP: what is promised of fields, comments, stopping and going on."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from sqlalchemy import select

from bridge.models import Delivery
from provider.models.remote_tasks import Incident, RemoteTask
from provider.services.remote_tasks import accept_task
from tests.api.page_client import signed_in
from tests.postgres import fresh_database
from tests.remote_pair import EVERYONE, Pair, count_rows, line, remote_pair

BOTH_WAYS = [
    line("short_description", label="Short description"),
    line("state", label="State"),
    line("priority", label="Priority"),
    line("category", label="Category"),
]
INBOUND = [*BOTH_WAYS, line("description", max_length=20)]
OUTBOUND = [*BOTH_WAYS, {"source": "resolution", "virtual": True, "label": "Their resolution"}]


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Connected once: each test has definitions and records of its own."""
    directory = tmp_path_factory.mktemp("sides")
    provider, consumer = (f"sqlite:///{directory / side}.db" for side in ("provider", "consumer"))
    with remote_pair(provider, consumer, directory) as pair:
        yield pair


@pytest.fixture
def pair(sides: Pair) -> Iterator[Pair]:
    yield sides
    sides.ask("DELETE", f"/connections/{sides.connection_id}/transforms")
    for one in sides.tell("GET", "/remote-task-definitions?limit=200")["items"]:
        if one["state"] == "active":
            sides.tell("POST", f"/remote-task-definitions/{one['id']}/deactivate")
    sides.settle()


@pytest.fixture
def identity(pair: Pair) -> str:
    return pair.publish(INBOUND, OUTBOUND)


def change(pair: Pair, ticket: dict[str, Any], **values: Any) -> None:
    pair.tell("POST", f"/tickets/{ticket['id']}/edit", values)


def work(pair: Pair, task: dict[str, Any], **values: Any) -> None:
    pair.ask("POST", f"/incidents/{task['parent_number']}/edit", values)


def texts(document: dict[str, Any], kind: str = "comments") -> list[str]:
    return [entry["text"] for entry in document["entries"] if entry["kind"] == kind]


def count(pair: Pair, model: Any) -> int:
    with pair.provider.database.reading() as session:
        return count_rows(session, model)


def deliveries(pair: Pair) -> int:
    with pair.consumer.context.database.reading() as session:
        return count(pair, Delivery) + count_rows(session, Delivery)


# --- tying


def test_a_ticket_becomes_one_incident_with_the_values_of_the_map(pair: Pair, identity: str) -> None:
    ticket = pair.open_ticket(priority="critical", category="network", description="Since noon.")
    task = pair.tie(ticket, identity)
    assert task["status"] == "connected" and task["number"].startswith("ACME-RT")
    incident = pair.incident(task["parent_number"])
    told = {name: incident[name] for name in ("short_description", "state", "priority", "category", "description")}
    assert told == {
        "short_description": "The line is down", "state": "new", "priority": "1", "category": "network",
        "description": "Since noon.",
    }  # fmt: skip
    assert incident["company"] == "ACME"
    assert pair.ask("GET", f"/remote-tasks/{task['number']}")["parent_number"] == ticket["number"]
    assert {name: pair.ticket(ticket)[name] for name in ("state", "priority")} == {
        "state": "new",
        "priority": "critical",
    }


def test_the_same_ticket_is_tied_once_by_one_definition(pair: Pair, identity: str) -> None:
    ticket = pair.open_ticket()
    pair.tie(ticket, identity)
    before = count(pair, Incident)
    body = {"definition_id": identity, "opened_by": "Ada"}
    again = pair.consumer.client.post(f"/api/v1/tickets/{ticket['id']}/remote-tasks", json=body)
    assert again.status_code == 409 and "already" in again.get_json()["detail"]
    pair.settle()
    assert count(pair, Incident) == before


def test_a_create_that_comes_twice_makes_one_incident(pair: Pair, identity: str) -> None:
    task = pair.tie(pair.open_ticket(), identity)
    before = count(pair, Incident)
    with pair.provider.database.transaction() as session:
        made = session.scalars(select(RemoteTask).where(RemoteTask.number == task["number"])).one()
        again = {
            "id": made.external_id, "number": made.number, "revision": 1, "definition_id": identity,
            "definition_revision": 1, "parent": {"id": made.parent_id, "number": made.parent_number}, "fields": {},
            "requested_by": {"name": "Ada"}, "opened_at": made.opened_at,
        }  # fmt: skip
        answer = accept_task(session, pair.connection_id, again, now=pair.clock.now)
    assert answer["parent_number"] == task["parent_number"]
    assert count(pair, Incident) == before


def test_a_trigger_ties_tickets_that_fit_and_no_others(pair: Pair, identity: str) -> None:
    pair.tell("POST", f"/remote-task-definitions/{identity}/activate", {"trigger": {"priority": "critical"}})
    low, critical = pair.open_ticket(priority="low"), pair.open_ticket(priority="critical")
    pair.settle()
    assert pair.ticket(low)["remote_tasks"] == []
    assert [one["status"] for one in pair.ticket(critical)["remote_tasks"]] == ["connected"]
    change(pair, low, priority="critical")
    change(pair, low, category="x")
    pair.settle()
    assert len(pair.ticket(low)["remote_tasks"]) == 1


def test_what_changes_before_the_provider_has_answered_follows(pair: Pair, identity: str) -> None:
    ticket = pair.open_ticket()
    body = {"definition_id": identity, "opened_by": "Ada"}
    made = pair.tell("POST", f"/tickets/{ticket['id']}/remote-tasks", body)
    assert made["status"] == "new"
    change(pair, ticket, priority="high")
    pair.tell("POST", f"/tickets/{ticket['id']}/entries", {"text": "Any news?", "author_name": "Ada"})
    pair.settle()
    incident = pair.incident(pair.task(made["id"])["parent_number"])
    assert (incident["priority"], texts(incident)) == ("2", ["Any news?"])


def test_the_same_story_on_postgresql(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("postgresql")
    with ExitStack() as stack:
        urls = [stack.enter_context(fresh_database(postgres_server)) for _ in range(2)]
        pair = stack.enter_context(remote_pair(urls[0], urls[1], directory))
        ticket = pair.open_ticket(priority="high")
        task = pair.tie(ticket, pair.publish(INBOUND, OUTBOUND))
        pair.tell("POST", f"/remote-tasks/{task['id']}/disconnect", {})
        change(pair, ticket, category="network")
        work(pair, task, state="resolved", resolution="Done.")
        pair.tell("POST", f"/tickets/{ticket['id']}/entries", {"text": "Any news?", "author_name": "Ada"})
        pair.settle()
        pair.tell("POST", f"/remote-tasks/{task['id']}/connect")
        pair.settle()
        incident = pair.incident(task["parent_number"])
        assert (incident["category"], texts(incident)) == ("network", ["Any news?"])
        assert pair.ticket(ticket)["state"] == "resolved"
        admin, ada = (signed_in(app, "boss", "admin") for app in (pair.app, pair.consumer.app))
        for page in ("/incidents?q=line&sort=priority", f"/incidents/{incident['number']}", "/remote-tasks?trouble=yes",
                     f"/remote-tasks/{task['number']}", "/remote-task-definitions?q=x"):  # fmt: skip
            admin.read(page)
        for page in ("/tickets?q=line", f"/tickets/{ticket['id']}", "/remote-task-definitions"):
            ada.read(page)
        pair.ask("DELETE", f"/incidents/{incident['number']}")
        pair.tell("DELETE", f"/tickets/{ticket['id']}")
        pair.settle()
        assert (
            pair.task(task["id"])["status"] == pair.ask("GET", f"/remote-tasks/{task['number']}")["status"] == "error"
        )


# --- fields


def test_changes_follow_both_ways_and_nothing_comes_back(pair: Pair, identity: str) -> None:
    ticket = pair.open_ticket()
    task = pair.tie(ticket, identity)
    before = deliveries(pair)
    change(pair, ticket, priority="high", short_description="It is slow")
    pair.settle()
    work(pair, task, state="work_in_progress", resolution="Replaced the cable.")
    pair.settle()
    assert pair.incident(task["parent_number"])["short_description"] == "It is slow"
    assert pair.ticket(ticket)["state"] == "in_progress"
    virtual = pair.task(task["id"])["virtual"]
    assert virtual == {"resolution": {"label": "Their resolution", "value": "Replaced the cable."}}
    assert deliveries(pair) == before + 2  # one call, one event, and no echo of either


def test_every_change_by_the_consumer_is_in_a_work_note_also_what_is_never_written(pair: Pair) -> None:
    lines = [
        line("category", sync_when="never", label="Category"),
        line("priority", sync_when="insert", label="Priority"),
    ]
    identity = pair.publish(lines)
    ticket = pair.open_ticket(priority="high", category="network")
    task = pair.tie(ticket, identity)
    assert pair.incident(task["parent_number"])["priority"] == "2"
    assert pair.incident(task["parent_number"])["category"] is None
    change(pair, ticket, priority="low", category="server")
    pair.settle()
    incident = pair.incident(task["parent_number"])
    assert (incident["priority"], incident["category"]) == ("2", None)
    (note,) = texts(incident, "work_notes")
    assert "Category: “server”." in note and "Priority: “4 Low”." in note


def test_null_empty_and_missing_are_three_values(pair: Pair, identity: str) -> None:
    ticket = pair.open_ticket(category="network")
    task = pair.tie(ticket, identity)
    seen = []
    for values in ({"category": ""}, {"state": "in_progress"}, {"category": None}):
        change(pair, ticket, **values)
        pair.settle()
        seen.append(pair.incident(task["parent_number"])["category"])
    assert seen == ["", "", None]
    for wanted in ("", None):
        work(pair, task, category=wanted)
        pair.settle()
        assert pair.ticket(ticket)["category"] == wanted


def test_both_sides_keep_the_same_value_when_they_change_a_field_at_once(pair: Pair, identity: str) -> None:
    ticket = pair.open_ticket(category="first")
    task = pair.tie(ticket, identity)
    for theirs, ours in (("a", "b"), ("c", "d")):
        change(pair, ticket, category=theirs)
        work(pair, task, category=ours)
        pair.settle()
        assert pair.ticket(ticket)["category"] == pair.incident(task["parent_number"])["category"] == ours
    change(pair, ticket, category="e")
    change(pair, ticket, category="f")
    work(pair, task, category="g")
    pair.settle()
    assert pair.ticket(ticket)["category"] == pair.incident(task["parent_number"])["category"] == "f"


def test_a_value_that_is_too_long_to_cross_is_shown_on_the_ticket(pair: Pair, identity: str) -> None:
    ticket = pair.open_ticket()
    task = pair.tie(ticket, identity)
    change(pair, ticket, description="x" * 21, priority="high")
    pair.settle()
    (problem,) = pair.task(task["id"])["problems_here"]
    assert problem["key"] == "description" and "20 characters" in problem["reason"]
    assert pair.incident(task["parent_number"])["priority"] == "2"
    change(pair, ticket, description="short")
    pair.settle()
    assert pair.task(task["id"])["problems_here"] == []
    assert pair.incident(task["parent_number"])["description"] == "short"


def test_what_the_provider_refuses_is_shown_on_the_ticket_and_only_that(pair: Pair) -> None:
    identity = pair.publish([line("category", "priority", label="Priority"), line("short_description")])
    ticket = pair.open_ticket(category="2")
    task = pair.tie(ticket, identity)
    change(pair, ticket, category="urgent!", short_description="It is slow")
    pair.settle()
    (problem,) = pair.task(task["id"])["problems_there"]
    assert (problem["kind"], problem["label"]) == ("refused", "Priority") and "urgent!" in problem["reason"]
    incident = pair.incident(task["parent_number"])
    assert (incident["priority"], incident["short_description"]) == ("2", "It is slow")
    change(pair, ticket, category="1")
    pair.settle()
    assert pair.task(task["id"])["problems_there"] == []


def test_what_the_consumer_refuses_is_shown_on_the_incident(pair: Pair) -> None:
    identity = pair.publish([], [line("category", "priority", label="Priority"), line("state")])
    ticket = pair.open_ticket()
    task = pair.tie(ticket, identity)
    work(pair, task, category="urgent!", state="resolved")
    pair.settle()
    (problem,) = pair.ask("GET", f"/remote-tasks/{task['number']}")["problems"]
    assert (problem["direction"], problem["kind"]) == ("outbound", "refused") and "urgent!" in problem["reason"]
    assert {name: pair.ticket(ticket)[name] for name in ("priority", "state")} == {
        "priority": "low",
        "state": "resolved",
    }
    work(pair, task, category="high")
    pair.settle()
    assert pair.ask("GET", f"/remote-tasks/{task['number']}")["problems"] == []
    assert pair.ticket(ticket)["priority"] == "high"


# --- transforms


def overrides(rows: dict[str, str], **more: Any) -> dict[str, Any]:
    ends = {"provider_table": "incident", "provider_field": "priority", "consumer_table": "ticket"}
    return {"transforms": {"priority": {**ends, "consumer_field": "priority", "inbound": rows, **more}}}


def test_a_hole_holds_back_its_field_alone_until_it_is_mended(pair: Pair, identity: str) -> None:
    path = f"/connections/{pair.connection_id}/transforms"
    pair.ask("PUT", path, overrides({"low": "4"}))
    ticket = pair.open_ticket(priority="low")
    task = pair.tie(ticket, identity)
    change(pair, ticket, priority="critical", category="network")
    pair.settle()
    incident = pair.incident(task["parent_number"])
    assert (incident["priority"], incident["category"]) == ("4", "network")
    (problem,) = pair.task(task["id"])["problems_there"]
    assert problem["kind"] == "hole" and "has no row for “critical”" in problem["reason"]
    replay = f"/remote-tasks/{task['number']}/replay"
    refused = pair.app.test_client().post(f"/api/v1{replay}", headers=pair.admin)
    assert refused.status_code == 409 and refused.get_json()["code"] == "still_waits"
    tried = pair.ask("POST", f"{path}/dry-run", overrides({"low": "4", "critical": "2"}))
    assert {"number": task["number"], "field": "Priority", "before": None, "after": "2"} in tried["changed"]
    pair.ask("PUT", path, overrides({"low": "4", "critical": "2"}))
    pair.ask("POST", replay)
    pair.settle()
    assert pair.incident(task["parent_number"])["priority"] == "2"
    assert pair.task(task["id"])["problems_there"] == []


def test_one_connections_own_words_win_and_are_told_again(pair: Pair, identity: str) -> None:
    ticket = pair.open_ticket(priority="critical")
    task = pair.tie(ticket, identity)
    path = f"/connections/{pair.connection_id}/transforms"
    outbound = {"1": "high", "2": "high", "3": "low", "4": "low"}
    pair.ask("PUT", path, overrides({"critical": "1"}, outbound=outbound))
    pair.settle()
    assert pair.ticket(ticket)["priority"] == "high"
    assert pair.incident(task["parent_number"])["priority"] == "1"
    shown = pair.ask("DELETE", path)
    pair.settle()
    assert shown["is_default"] and [one["document"] is None for one in shown["versions"][:2]] == [True, False]
    assert pair.ticket(ticket)["priority"] == "critical"


def test_a_wrong_table_is_refused_with_the_place_of_each_mistake(pair: Pair) -> None:
    path = f"/api/v1/connections/{pair.connection_id}/transforms"
    wrong = overrides({"crucial": "1", "low": "5"})
    answer = pair.app.test_client().put(path, json=wrong, headers=pair.admin)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.get_json()["errors"]] == [
        "/transforms/priority/inbound/crucial", "/transforms/priority/inbound/low",
    ]  # fmt: skip


# --- comments


def test_comments_cross_once_each_way_with_their_author_and_never_come_back(pair: Pair, identity: str) -> None:
    ticket = pair.open_ticket()
    pair.tell("POST", f"/tickets/{ticket['id']}/entries", {"text": "Before", "author_name": "Ada"})
    task = pair.tie(ticket, identity)
    pair.tell(
        "POST", f"/tickets/{ticket['id']}/entries", {"text": "Ours only", "author_name": "Ada", "work_note": True}
    )
    pair.ask("POST", f"/incidents/{task['parent_number']}/comments", {"text": "On it"})
    pair.ask("POST", f"/incidents/{task['parent_number']}/work-notes", {"text": "Private"})
    pair.settle()
    assert texts(pair.ticket(ticket)) == texts(pair.incident(task["parent_number"])) == ["Before", "On it"]
    answer = next(entry for entry in pair.ticket(ticket)["entries"] if entry["text"] == "On it")
    assert answer["author_company"] == "Northwind"
    assert texts(pair.ticket(ticket), "work_notes") == ["Ours only"]


# --- stopping and going on


@pytest.mark.parametrize("side", ["consumer", "provider"])
def test_a_disconnected_task_copies_nothing_and_catches_up_without_duplicates(
    pair: Pair, identity: str, side: str
) -> None:
    ticket = pair.open_ticket(category="before")
    task = pair.tie(ticket, identity)
    number = task["parent_number"]

    def stand(verb: str) -> None:
        body = {"reason": "Not now."} if verb == "disconnect" else None
        if side == "consumer":
            pair.tell("POST", f"/remote-tasks/{task['id']}/{verb}", body)
        else:
            pair.ask("POST", f"/remote-tasks/{task['number']}/{verb}", body)

    stand("disconnect")
    pair.ask("POST", f"/incidents/{number}/comments", {"text": "From the provider"})
    pair.tell("POST", f"/tickets/{ticket['id']}/entries", {"text": "From the consumer", "author_name": "Ada"})
    work(pair, task, state="work_in_progress")
    change(pair, ticket, category="after")
    pair.settle()
    assert [pair.task(task["id"])["status"], pair.ask("GET", f"/remote-tasks/{task['number']}")["status"]] == [
        "disconnected", "disconnected",
    ]  # fmt: skip
    assert (pair.ticket(ticket)["state"], pair.incident(number)["category"]) == ("new", "before")
    assert texts(pair.ticket(ticket)) == ["From the consumer"] and texts(pair.incident(number)) == ["From the provider"]
    stand("connect")
    pair.settle()
    assert pair.task(task["id"])["status"] == "connected"
    assert (pair.ticket(ticket)["state"], pair.incident(number)["category"]) == ("in_progress", "after")
    assert sorted(texts(pair.ticket(ticket))) == sorted(texts(pair.incident(number)))
    assert len(texts(pair.ticket(ticket))) == 2


def test_what_was_stopped_by_the_other_side_is_not_ours_to_connect(pair: Pair, identity: str) -> None:
    task = pair.tie(pair.open_ticket(), identity)
    pair.ask("POST", f"/remote-tasks/{task['number']}/disconnect", {"reason": "Under review."})
    pair.settle()
    assert pair.task(task["id"])["stopped_there"] == "Under review."
    refused = pair.consumer.client.post(f"/api/v1/remote-tasks/{task['id']}/connect")
    assert refused.status_code == 409 and "the provider stopped it" in refused.get_json()["detail"]


def test_deleting_a_record_puts_its_remote_task_in_error_and_deletes_nothing_there(pair: Pair, identity: str) -> None:
    ticket, other = pair.open_ticket(), pair.open_ticket()
    task, second = pair.tie(ticket, identity), pair.tie(other, identity)
    pair.tell("DELETE", f"/tickets/{ticket['id']}")
    pair.ask("DELETE", f"/incidents/{second['parent_number']}")
    pair.settle()
    theirs = pair.ask("GET", f"/remote-tasks/{task['number']}")
    assert (theirs["status"], theirs["error"]) == ("error", f"Ticket {ticket['number']} was deleted.")
    assert pair.incident(task["parent_number"])["state"] == "new"
    assert pair.task(second["id"])["error"] == f"Incident {second['parent_number']} was deleted."
    assert pair.ticket(other)["state"] == "new"


def test_one_in_error_is_tried_again_when_the_definition_is_activated(pair: Pair, identity: str) -> None:
    ticket = pair.open_ticket(category="network")
    pair.tell("POST", f"/tickets/{ticket['id']}/entries", {"text": "Help", "author_name": "Ada"})
    task = pair.tie(ticket, identity)
    pair.ask("DELETE", f"/incidents/{task['parent_number']}")
    pair.settle()
    assert pair.task(task["id"])["status"] == "error"
    pair.tell("POST", f"/remote-task-definitions/{identity}/activate", {})
    pair.settle()
    again = pair.task(task["id"])
    assert (again["status"], again["parent_number"] != task["parent_number"]) == ("connected", True)
    incident = pair.incident(again["parent_number"])
    assert (incident["category"], texts(incident)) == ("network", ["Help"])


def test_retiring_a_definition_disconnects_its_tasks_and_a_later_revision_connects_them(
    pair: Pair, identity: str
) -> None:
    ticket = pair.open_ticket()
    task = pair.tie(ticket, identity)
    pair.ask("POST", f"/remote-task-definitions/{identity}/retire")
    pair.settle()
    assert pair.task(task["id"])["status"] == "disconnected"
    assert pair.tell("GET", f"/remote-task-definitions/{identity}")["state"] == "removed"
    change(pair, ticket, category="meanwhile")
    pair.settle()
    assert pair.incident(task["parent_number"])["category"] is None
    pair.ask("POST", f"/remote-task-definitions/{identity}/checkout")
    pair.ask("POST", f"/remote-task-definitions/{identity}/publish", {"criteria": EVERYONE})
    pair.settle()
    pair.tell("POST", f"/remote-task-definitions/{identity}/activate", {})
    pair.settle()
    pair.tell("POST", f"/remote-tasks/{task['id']}/disconnect", {})
    pair.tell("POST", f"/remote-tasks/{task['id']}/connect")
    pair.settle()
    refused = pair.app.test_client().post(f"/api/v1/remote-tasks/{task['number']}/connect", headers=pair.admin)
    assert refused.status_code == 200, refused.text
    pair.settle()
    assert pair.task(task["id"])["status"] == "connected"
    assert pair.incident(task["parent_number"])["category"] == "meanwhile"


# --- what the consumer decides


def test_the_consumer_decides_on_its_own_end_of_each_line_and_no_other(pair: Pair, identity: str) -> None:
    path = f"/api/v1/remote-task-definitions/{identity}/activate"
    decided = {
        "inbound": {"category": {"source": "assigned_to"}},
        "outbound": {"state": {"sync_when": "never", "label": "Theirs"}, "category": {"target": "assigned_to"}},
    }
    assert pair.consumer.client.post(path, json=decided).status_code == 200
    ticket = pair.open_ticket(assigned_to="Bob", category="mine")
    task = pair.tie(ticket, identity)
    assert pair.incident(task["parent_number"])["category"] == "Bob"
    work(pair, task, category="Eve", state="closed")
    pair.settle()
    now = pair.ticket(ticket)
    assert (now["assigned_to"], now["category"], now["state"]) == ("Eve", "mine", "new")
    wrong = {"inbound": {"category": {"source": "color"}}, "outbound": {"state": {"target": "priority"}}}
    answer = pair.consumer.client.post(path, json=wrong)
    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.get_json()["errors"]} == {
        "/inbound/category/source", "/outbound/priority/target",
    }  # fmt: skip


def test_definitions_are_activated_by_themselves_where_people_said_so(pair: Pair) -> None:
    pair.tell("POST", f"/connections/{pair.connection_id}/settings", {"auto_activate": True})
    made = pair.ask("POST", "/remote-task-definitions", {"name": "By themselves"})
    pair.ask("POST", f"/remote-task-definitions/{made['identity']}/publish", {"criteria": EVERYONE})
    pair.settle()
    assert pair.tell("GET", f"/remote-task-definitions/{made['identity']}")["state"] == "active"
    pair.tell("POST", f"/connections/{pair.connection_id}/settings", {"auto_activate": False})
