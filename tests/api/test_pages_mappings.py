"""Words of single consumers on pages: seen, tried, put in force, given up; what is wrong stands beside its field."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from lxml import html

from bridge.database import Database
from provider.models.remote_tasks import RemoteTask
from provider.services.mapping_overrides import show_mapping
from provider.services.transforms import change_transforms, show_transforms
from tests.api.page_client import Visitor, signed_in, text_of
from tests.api.provider_client import context_of, make_app
from tests.factories import AGENT, NOW, Ordered, make_consumer, make_order
from tests.remote_worlds import make_definition, tie, told_task

NEW = "tables-order_state-rows-new-"
PRIORITY = {
    "provider_table": "incident", "provider_field": "priority", "consumer_table": "ticket", "consumer_field": "priority"
}  # fmt: skip


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    app = make_app(sqlite_url, tmp_path)
    yield app
    context_of(app).database.close()


@pytest.fixture
def database(app: flask.Flask) -> Database:
    return context_of(app).database


@pytest.fixture
def made(database: Database) -> Ordered:
    return make_order(database)


@pytest.fixture
def admin(app: flask.Flask) -> Visitor:
    return signed_in(app, "petra", "process_admin")


def typed(visitor: Visitor, url: str, **changes: str) -> dict[str, str]:
    """The fields of the page's form as they are shown, with changes; blanks among rows stay blank."""
    [form] = visitor.read(url).xpath("//main//form[@novalidate]")
    return {name: value or "" for name, value in form.form_values() if name != "csrf_token"} | changes


def send(visitor: Visitor, url: str, body: dict[str, str], status: int) -> Any:
    answer = visitor.post(url, body)
    assert answer.status_code == status, answer.get_data(as_text=True)
    return html.fromstring(answer.get_data()) if status != 303 else None


def beside(page: Any, name: str) -> str:
    """What is said of the field of this name."""
    return text_of(page.xpath(f"//*[@name='{name}']/..")[0])


def rows_of(page: Any, label: str) -> list[list[str]]:
    """What stands in the cells of a table that is labelled like this."""
    found = page.xpath(f"//table[@aria-label='{label}' or @aria-labelledby='{label}']/tbody/tr")
    return [[text_of(cell) for cell in row.xpath("./td")] for row in found]


def states_of(database: Database, made: Ordered) -> dict[str, Any]:
    with database.reading() as session:
        return show_mapping(session, made.connection_id)


def values_of(database: Database, connection_id: str) -> dict[str, Any]:
    with database.reading() as session:
        return show_transforms(session, connection_id)


def test_words_for_states_are_tried_put_in_force_and_given_up(
    admin: Visitor, database: Database, made: Ordered
) -> None:
    base = f"/mappings/{made.connection_id}"
    body = typed(admin, f"{base}/states", **{f"{NEW}state_label": "In our queue"})
    tried = send(admin, f"{base}/states", body | {"try": "1"}, 200)
    assert "1 of the 3 messages that were looked at would have said something else." in text_of(tried)
    [row] = rows_of(tried, "tried")
    assert row[2:] == ["Received (Received; ours: New)", "In our queue (Received; ours: New)"]
    assert states_of(database, made)["is_default"], "a dry run changes nothing"
    send(admin, f"{base}/states", body, 303)
    assert states_of(database, made)["tables"]["order_state"]["rows"]["new"]["state_label"] == "In our queue"
    version = states_of(database, made)["version"]
    assert f"Its own, version {version}" in text_of(admin.read(base))
    assert "Its own, version" in text_of(admin.read("/mappings?words=own"))
    send(admin, f"{base}/states/reset", {}, 303)
    assert states_of(database, made)["is_default"]
    assert [row[1:] for row in rows_of(admin.read(base), "History of its mappings")] == [
        ["petra", "Our states: back to those of everybody"],
        ["petra", f"Our states: version {version} in force"],
    ]
    assert "No consumer matches." in text_of(admin.read("/mappings?words=own"))


def test_a_state_that_is_wrong_is_said_beside_its_field_and_nothing_typed_is_lost(
    admin: Visitor, database: Database, made: Ordered
) -> None:
    url = f"/mappings/{made.connection_id}/states"
    changes = {f"{NEW}state_label": "x" * 256, f"{NEW}order_state_label": "", f"{NEW}state": "gone"}
    page = send(admin, url, typed(admin, url, **changes), 422)
    assert "Some words." in beside(page, f"{NEW}order_state_label")
    assert "Not a valid choice." in beside(page, f"{NEW}state")
    assert page.xpath(f"//input[@name='{NEW}state_label']/@value") == ["x" * 256]
    page = send(admin, url, typed(admin, url, **{f"{NEW}state_label": "x" * 256}), 422)
    assert "must be a text of 1 to 255 printable characters" in beside(page, f"{NEW}state_label")
    assert states_of(database, made)["is_default"]


def test_of_two_people_who_change_the_same_the_second_is_told(
    admin: Visitor, database: Database, made: Ordered
) -> None:
    url = f"/mappings/{made.connection_id}/states"
    first = typed(admin, url, **{f"{NEW}state_label": "First"})
    second = first | {f"{NEW}state_label": "Second"}
    send(admin, url, first, 303)
    page = send(admin, url, second, 422)
    assert "Somebody has changed it since you opened this page" in text_of(page.xpath("//div[@role='alert']")[0])
    assert states_of(database, made)["tables"]["order_state"]["rows"]["new"]["state_label"] == "First"


def tied(database: Database) -> RemoteTask:
    """A remote task of a consumer, with a priority that waits."""
    with database.transaction() as session:
        connection = make_consumer(session, "ACME")
        task = tie(session, connection.id, told_task(make_definition(session, "Incidents"), 1, "ACME"))
        task.problems = [
            {"direction": "inbound", "key": "priority", "label": "Priority", "kind": "hole", "value": "urgent",
             "reason": "the transform priority has no row", "stamp": [1, "consumer"]}
        ]  # fmt: skip
        task.problem_count = 1
        session.flush()
        session.expunge(task)
    return task


def test_what_waits_for_a_row_is_shown_with_where_to_look(admin: Visitor, database: Database) -> None:
    task = tied(database)
    assert "1 value waits" in text_of(admin.read("/mappings"))
    page = admin.read(f"/mappings/{task.connection_id}")
    assert rows_of(page, "What waits for a row") == [["Priority", "urgent", "From the consumer", "1", task.number]]
    assert page.xpath(f"//a[@href='/remote-tasks/{task.number}']")


def test_values_are_tried_put_in_force_for_one_consumer_and_given_up(admin: Visitor, database: Database) -> None:
    task = tied(database)
    base = f"/mappings/{task.connection_id}"
    url = f"{base}/values?name=priority"
    body = typed(admin, url)
    assert (body["inbound-0-value"], body["inbound-0-becomes"], body["inbound-4-value"]) == ("critical", "1", "")
    body |= {"outbound-0-becomes": "high"}
    tried = send(admin, url, body | {"try": "1"}, 200)
    assert rows_of(tried, "tried") == [[task.number, "Priority", "critical", "high"]]
    assert values_of(database, task.connection_id)["is_default"], "a dry run changes nothing"
    send(admin, url, body, 303)
    assert values_of(database, task.connection_id)["own"]["priority"]["outbound"]["1"] == "high"
    assert "state" not in values_of(database, task.connection_id)["own"], "the other table stays that of everybody"
    shown = text_of(admin.read(base))
    assert "in force, with own tables for priority" in shown
    send(admin, f"{base}/values/reset?name=priority", {}, 303)
    assert values_of(database, task.connection_id)["is_default"]
    admin.read(base)
    assert admin.post(f"{base}/values/reset?name=priority").status_code == 404


def test_rows_that_are_wrong_are_said_beside_them(admin: Visitor, database: Database) -> None:
    task = tied(database)
    url = f"/mappings/{task.connection_id}/values?name=priority"
    body = typed(admin, url) | {"inbound-0-value": "crucial", "inbound-1-becomes": "9"}
    page = send(admin, url, body, 422)
    assert "crucial is no priority" in beside(page, "inbound-0-value").lower()
    assert "9 is no priority" in beside(page, "inbound-1-becomes")
    body = typed(admin, url) | {"inbound-4-value": "critical", "inbound-4-becomes": "2", "outbound-4-becomes": "low"}
    page = send(admin, url, body, 422)
    assert "This value is here twice." in beside(page, "inbound-0-value")
    assert "Both, or neither." in beside(page, "outbound-4-value")
    assert values_of(database, task.connection_id)["is_default"]


def test_more_rows_can_be_had_and_a_table_for_other_fields_added(admin: Visitor, database: Database) -> None:
    task = tied(database)
    url = f"/mappings/{task.connection_id}/values/new"
    rows = {"inbound-0-value": "net", "inbound-0-becomes": "network"}
    said = {"name": "category", "ours": "incident.category", "theirs": "ticket.category"}
    page = send(admin, url, typed(admin, url, **said, **rows, more="1"), 200)
    assert len(page.xpath("//input[starts-with(@name, 'inbound-') and contains(@name, '-value')]")) == 6
    assert page.xpath("//input[@name='inbound-0-value']/@value") == ["net"]
    send(admin, url, typed(admin, url, **said, **rows), 303)
    assert values_of(database, task.connection_id)["own"]["category"]["inbound"] == {"net": "network"}
    page = send(admin, url, typed(admin, url, **said, **rows), 422)
    assert "There is a table of this name" in beside(page, "name")
    page = send(admin, url, typed(admin, url, **said | {"name": "again"}, **rows), 422)
    assert "is a table for these two fields already" in text_of(page.xpath("//div[@role='alert']")[0])
    page = send(admin, url, typed(admin, url, **said | {"name": "none", "ours": "incident.resolution"}), 422)
    assert "inbound or outbound rows" in text_of(page.xpath("//div[@role='alert']")[0]).lower()


def test_a_choice_without_a_row_is_named_before_a_value_waits(admin: Visitor, database: Database) -> None:
    task = tied(database)
    with database.transaction() as session:
        document = {"priority": {**PRIORITY, "inbound": {"low": "4"}}}
        change_transforms(session, task.connection_id, document, actor=AGENT, now=NOW)
    assert "Without a row critical, high, moderate: such a value waits." in text_of(
        admin.read(f"/mappings/{task.connection_id}")
    )


def test_whoever_only_sees_the_exchange_changes_nothing(app: flask.Flask, made: Ordered) -> None:
    viewer = signed_in(app, "vera", "viewer")
    page = viewer.read(f"/mappings/{made.connection_id}")
    assert "Change" not in text_of(page.xpath("//main")[0])
    for path in ("states", "values?name=priority", "values/new"):
        assert viewer.get(f"/mappings/{made.connection_id}/{path}").status_code == 403
    assert signed_in(app, "cat", "catalog_manager").get("/mappings").status_code == 403


def test_a_table_that_is_not_there_is_404(admin: Visitor, made: Ordered) -> None:
    for path in ("values?name=moon", "values"):
        assert admin.get(f"/mappings/{made.connection_id}/{path}").status_code == 404
