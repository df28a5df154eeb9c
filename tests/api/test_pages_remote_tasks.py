"""The pages of remote tasks: a definition is written and activated, a ticket handed over, troubles are shown."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from lxml import html

from tests.api.page_client import CountedStatements, Visitor, signed_in, text_of
from tests.remote_pair import Pair, line, remote_pair


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    directory = tmp_path_factory.mktemp("pages")
    provider, consumer = (f"sqlite:///{directory / side}.db" for side in ("provider", "consumer"))
    with remote_pair(provider, consumer, directory) as pair:
        yield pair


@pytest.fixture
def agent(pair: Pair) -> Visitor:
    return signed_in(pair.app, f"agent-{uuid4()}", "admin")


@pytest.fixture
def ada(pair: Pair) -> Visitor:
    return signed_in(pair.consumer.app, f"ada-{uuid4()}", "admin")


def lines(side: str, *rows: dict[str, Any]) -> dict[str, Any]:
    """The fields of a form for these lines of a map."""
    return {f"{side}-{index}-{name}": value for index, row in enumerate(rows) for name, value in row.items()}


def fields(**values: Any) -> dict[str, Any]:
    return {"sync_when": "insert_or_update", "active": "y", **values}


def test_a_definition_is_written_published_activated_and_used_by_pages_alone(
    pair: Pair, agent: Visitor, ada: Visitor
) -> None:
    name = f"Handed over {uuid4()}"
    agent.get("/remote-task-definitions/new")
    body = {
        "name": name, "description": "Work for us.", "provider_table": "incident", "consumer_table": "ticket",
        **lines("inbound", fields(source="priority", target="priority", label="Urgency"), fields(source="", target="")),
        **lines("outbound", fields(source="state", target="state"), fields(source="resolution", target="", virtual=1)),
    }  # fmt: skip
    made = agent.post("/remote-task-definitions/new", body)
    assert made.status_code == 303
    page = made.location
    agent.get(f"{page}/publish")
    assert agent.post(f"{page}/publish", {"criteria": "all"}).status_code == 303
    pair.settle()
    listed = ada.read("/remote-task-definitions")
    (way,) = (
        link for link in listed.xpath("//a[contains(@aria-label, 'Activate')]/@href") if page.split("/")[-1] in link
    )
    form = ada.read(way)
    typed = {one.name: one.value for one in form.xpath("//form//select | //form//input[@name]") if one.name}
    typed |= {"outbound-0-sync_when": "never", "trigger_field": "priority", "trigger_value": "critical"}
    assert ada.post(way, typed).status_code == 303
    ada.get("/tickets/new")
    opened = ada.post("/tickets/new", {"short_description": "Down", "state": "new", "priority": "critical"})
    pair.settle()
    shown = text_of(ada.read(opened.location))
    assert "Connected" in shown and name in shown and "INC" in shown
    listed = text_of(agent.read("/incidents"))
    assert f"{pair.tell('GET', '/tickets?limit=200')['items'][-1]['number']} of ACME" in listed
    assert name in text_of(agent.read(page)) and "Urgency" in text_of(agent.read(page))


def test_a_trigger_that_no_ticket_can_fit_is_refused_beside_its_field(pair: Pair, ada: Visitor) -> None:
    identity = pair.publish([line("category")])
    way = f"/remote-task-definitions/{pair.connection_id}/{identity}/activate"
    form = ada.read(way)
    typed = {one.name: one.value for one in form.xpath("//form//select | //form//input[@name]") if one.name}
    answer = ada.post(way, typed | {"trigger_field": "priority", "trigger_value": "urgent"})
    assert answer.status_code == 422
    page = answer.get_data(as_text=True)
    assert "Priority cannot be “urgent”" in page and 'value="urgent"' in page


def test_what_is_wrong_with_a_line_is_said_with_its_label_and_nothing_typed_is_lost(agent: Visitor) -> None:
    agent.get("/remote-task-definitions/new")
    same = fields(source="state", target="state", label="How far")
    body = {
        "name": "Wrong", "provider_table": "incident", "consumer_table": "ticket",
        **lines("inbound", same, fields(source="priority", target="state", label="Urgency")),
    }  # fmt: skip
    answer = agent.post("/remote-task-definitions/new", body)
    assert answer.status_code == 422
    page = answer.get_data(as_text=True)
    assert "Urgency: line 1 has this target already." in page and 'value="How far"' in page


def test_a_ticket_is_handed_over_talked_about_disconnected_and_connected_again(pair: Pair, ada: Visitor) -> None:
    identity = pair.publish([line("category", label="Category")], [line("state")])
    ticket = pair.open_ticket()
    page = f"/tickets/{ticket['id']}"
    assert "It is tied to nothing." in text_of(ada.read(page))
    assert ada.post(f"{page}/tie/{pair.connection_id}/{identity}").status_code == 303
    ada.get(page)
    assert ada.post(f"{page}/write", {"text": "Any news?", "kind": "comments"}).status_code == 303
    pair.settle()
    (task,) = pair.ticket(ticket)["remote_tasks"]
    assert [one["text"] for one in pair.incident(task["parent_number"])["entries"]] == ["Any news?"]
    ada.get(page)
    stopped = ada.post(f"{page}/remote-tasks/{task['id']}/disconnect", {"reason": "On hold here."})
    assert stopped.status_code == 303
    assert "We stopped it: On hold here." in text_of(ada.read(page))
    ada.post(f"{page}/remote-tasks/{task['id']}/connect")
    pair.settle()
    assert pair.task(task["id"])["status"] == "connected"


def test_troubles_are_shown_on_both_records_that_they_touch(pair: Pair, agent: Visitor, ada: Visitor) -> None:
    lines = [line("category", "priority", label="Urgency")]
    identity = pair.publish(lines, [line("category", "priority", label="How urgent")])
    ticket = pair.open_ticket(category="1")
    task = pair.tie(ticket, identity)
    pair.tell("POST", f"/tickets/{ticket['id']}/edit", {"category": "at once"})
    pair.ask("POST", f"/incidents/{task['parent_number']}/edit", {"category": "tomorrow"})
    pair.settle()
    theirs = text_of(ada.read(f"/tickets/{ticket['id']}"))
    assert "Urgency: Northwind did not take it. Priority cannot be “at once”" in theirs
    assert "How urgent: was not taken from Northwind." in theirs
    ours = text_of(agent.read(f"/remote-tasks/{task['number']}"))
    assert (
        "Priority cannot be “at once”" in ours and "The consumer did not take it: Priority cannot be “tomorrow”" in ours
    )
    assert "Not everything got through." in text_of(agent.read(f"/incidents/{task['parent_number']}"))
    assert task["number"] in text_of(agent.read("/remote-tasks?trouble=yes"))


def test_an_empty_field_that_nobody_touched_stays_what_it_was(pair: Pair, agent: Visitor) -> None:
    made = pair.ask("POST", "/incidents", {"short_description": "Slow", "category": ""})
    page = f"/incidents/{made['number']}/edit"
    agent.get(page)
    typed = {"short_description": "Slow", "state": "new", "priority": "2", "category": "", "assigned_to": ""}
    assert agent.post(page, typed).status_code == 303
    after = pair.incident(made["number"])
    assert (after["category"], after["assigned_to"], after["priority"]) == ("", None, "2")


def test_whoever_may_only_look_sees_no_buttons(pair: Pair) -> None:
    identity = pair.publish([line("category")])
    ticket = pair.open_ticket()
    task = pair.tie(ticket, identity)
    viewer = signed_in(pair.app, f"viewer-{uuid4()}", "viewer")
    for page in ("/incidents", f"/incidents/{task['parent_number']}", f"/remote-tasks/{task['number']}",
                 "/remote-task-definitions", f"/remote-task-definitions/{identity}"):  # fmt: skip
        assert viewer.read(page).xpath("//main//form[@method='post']") == [], page
    reader = signed_in(pair.consumer.app, f"viewer-{uuid4()}", "viewer")
    assert reader.read(f"/tickets/{ticket['id']}").xpath("//main//form[@method='post']") == []
    assert reader.post(f"/tickets/{ticket['id']}/delete").status_code == 403


def test_lists_cost_the_same_however_much_is_in_them(pair: Pair, agent: Visitor, ada: Visitor) -> None:
    identity = pair.publish([line("category")])
    costs = []
    for _ in range(2):
        for _ in range(3):
            pair.tie(pair.open_ticket(), identity)
        for visitor, pages in (
            (agent, ("/incidents", "/remote-tasks", "/remote-task-definitions")),
            (ada, ("/tickets",)),
        ):
            for page in pages:
                visitor.read(page)  # what a session costs now and then is not the list's
                with CountedStatements(visitor.client.application) as counted:
                    visitor.read(page)
                costs.append(counted.count)
    assert costs[:4] == costs[4:]


def test_what_others_changed_meanwhile_is_not_undone_unseen(pair: Pair, agent: Visitor, ada: Visitor) -> None:
    incident = pair.ask("POST", "/incidents", {"short_description": "Slow", "priority": "4"})
    ticket = pair.open_ticket(priority="low")
    ours, theirs = f"/incidents/{incident['number']}/edit", f"/tickets/{ticket['id']}/edit"
    sides: list[tuple[Visitor, Any, str, str, str]] = [
        (agent, pair.ask, ours, "4", "1"), (ada, pair.tell, theirs, "low", "critical"),
    ]  # fmt: skip
    for visitor, change, page, former, later in sides:
        seen = visitor.read(page).cssselect("input[name=seen]")[0].get("value")
        typed = {"short_description": "Very slow", "state": "new", "priority": former, "seen": seen}
        change("POST", page, {"priority": later})
        refused = visitor.post(page, typed)
        shown = html.fromstring(refused.get_data())
        assert (refused.status_code, "changed while you had it open (Priority:" in text_of(shown)) == (422, True)
        assert shown.cssselect("#short_description")[0].get("value") == "Very slow"
        again = typed | {"seen": shown.cssselect("input[name=seen]")[0].get("value")}
        assert visitor.post(page, again).status_code == 303
