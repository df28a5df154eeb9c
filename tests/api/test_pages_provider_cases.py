"""What agents see and do on the pages of tasks without an order."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from lxml import html
from sqlalchemy import func, select

from bridge.database import Database
from provider.models.cases import Case, ScratchpadEntry
from provider.models.catalog import RemoteRecordProducer
from provider.services import cases, scratchpads
from provider.services.case_search import SORTABLE
from provider.services.producers import retire_producer
from provider.services.revisions import delete_producer
from tests.api.page_client import CountedStatements, Visitor, signed_in, text_of
from tests.api.provider_client import context_of, make_app
from tests.case_factories import make_case
from tests.factories import NOW, make_consumer, make_order

ONE = "/cases/ACME-PT0000001"


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    app = make_app(sqlite_url, tmp_path)
    yield app
    context_of(app).database.close()


@pytest.fixture
def database(app: flask.Flask) -> Database:
    return context_of(app).database


@pytest.fixture
def ann(app: flask.Flask) -> Visitor:
    return signed_in(app, "ann", "order_agent")


def listed(page: Any) -> list[str]:
    return [text_of(one) for one in page.xpath("//tbody//td[@data-label='Number']")]


def state_of(database: Database) -> str:
    with database.reading() as session:
        return session.scalars(select(Case.state)).one()


def actions_of(page: Any) -> list[str]:
    return [form.get("action").removeprefix(ONE) for form in page.xpath("//section[@id='moves']//form")]


def test_a_case_is_found_taken_asked_about_and_solved(database: Database, ann: Visitor) -> None:
    make_case(database)
    assert listed(ann.read("/cases?whose=free")) == ["ACME-PT0000001"]
    assert "Cases to take" in text_of(ann.read("/")) or "Case to take" in text_of(ann.read("/"))
    page = ann.read(ONE)
    assert "No light" in text_of(page), "the answers of the form are shown"
    assert actions_of(page) == ["/take"]
    assert ann.post(f"{ONE}/take").location == ONE
    assert actions_of(ann.read(ONE)) == ["/give-back", "/solution", "/move/ask"]
    assert ann.post(f"{ONE}/move/ask", {"reason": "Which floor?"}).status_code == 303
    page = ann.read(ONE)
    assert "It waits for an answer of ACME Ltd" in text_of(page)
    assert actions_of(page) == ["/give-back", "/resume"]
    ann.post(f"{ONE}/resume")
    ann.read(ONE)
    assert ann.post(f"{ONE}/solution", {"code": "solved", "text": "Line replaced."}).status_code == 303
    page = ann.read(ONE)
    assert "Solved. Line replaced." in text_of(page)
    assert actions_of(page) == ["/give-back", "/move/close"]
    assert listed(ann.read("/cases?waits=consumer")) == ["ACME-PT0000001"]
    ann.read(ONE)
    ann.post(f"{ONE}/move/close", {"reason": "No answer for a week."})
    assert "this case is over" in text_of(ann.read(ONE))
    assert state_of(database) == "closed"


def test_what_is_missing_is_said_beside_the_field_and_what_was_typed_is_kept(database: Database, ann: Visitor) -> None:
    make_case(database)
    ann.read(ONE)
    ann.post(f"{ONE}/take")
    ann.read(ONE)
    answer = ann.post(f"{ONE}/solution", {"code": "workaround", "text": " "})
    assert answer.status_code == 422
    assert "Say how it is solved." in ann.page
    chosen = html.fromstring(ann.page).xpath("//select[@name='code']/option[@selected]/@value")
    assert chosen == ["workaround"]
    answer = ann.post(f"{ONE}/move/ask", {"reason": ""})
    assert (answer.status_code, state_of(database)) == (422, "work_in_progress")
    assert ann.get(f"{ONE}/move/magic").status_code == 404


def test_a_refused_move_says_where_it_stands(database: Database, ann: Visitor) -> None:
    make_case(database)
    ann.read(ONE)
    answer = ann.post(f"{ONE}/solution", {"code": "solved", "text": "Done."})
    assert answer.status_code == 422
    assert "This provider task is received" in ann.page


def test_a_case_is_opened_towards_a_consumer(database: Database, ann: Visitor) -> None:
    assert "No consumer is connected yet" in text_of(ann.read("/cases/new"))
    with database.transaction() as session:
        connection = make_consumer(session)
    ann.read("/cases/new")
    answer = ann.post("/cases/new", {"connection_id": "", "short_description": "", "priority": "high"})
    assert answer.status_code == 422
    assert "Choose whom it is for." in ann.page
    said = {"connection_id": connection.id, "short_description": "A line is down", "priority": "high"}
    assert ann.post("/cases/new", said | {"connection_id": "garbage"}).status_code == 422
    answer = ann.post("/cases/new", said)
    assert (answer.status_code, answer.location) == (303, "/cases/PT0000001")
    page = text_of(ann.read("/cases/PT0000001"))
    assert "told to ACME Ltd" in page
    assert "High" in page
    assert listed(ann.read("/cases?opened_by=provider&q=line")) == ["PT0000001"]
    ann.read("/cases/PT0000001")
    ann.post("/cases/PT0000001/move/withdraw", {"reason": "A false alarm."})
    assert state_of(database) == "cancelled"


def test_comments_and_notes_are_told_apart(database: Database, ann: Visitor) -> None:
    make_case(database)
    ann.read(ONE)
    assert ann.post(f"{ONE}/comment", {"text": "We are on it."}).location == f"{ONE}#conversation"
    assert ann.post(f"{ONE}/note", {"text": "Ask the depot."}).location == f"{ONE}#notes"
    page = ann.read(ONE)
    assert "We are on it." in text_of(page.get_element_by_id("comments"))
    assert "Ask the depot." in text_of(page.get_element_by_id("work-notes"))
    assert ann.post(f"{ONE}/comment", {"text": ""}).status_code == 422


def test_the_scratchpad_is_written_and_removed_on_the_page_of_a_case_and_of_an_order(
    database: Database, ann: Visitor
) -> None:
    make_case(database)
    order = make_order(database, prefix="BETA")
    for number, page in (("ACME-PT0000001", ONE), ("BETA-PT0000001", f"/orders/{order.order_number}")):
        url = f"/provider-tasks/{number}/scratchpad"
        ann.read(page)
        said = {"name": "tracking_number", "value": "1Z999", "client_visible": "y"}
        assert ann.post(url, said).location == f"{page}#scratchpad"
        shown = text_of(ann.read(page).get_element_by_id("entries"))
        assert "tracking_number" in shown
        assert "Requesters see it" in shown
        answer = ann.post(url, {"name": "", "value": "x" * 4001})
        assert answer.status_code == 422
        assert "An entry has a name." in ann.page
        ann.read(page)
        assert ann.post(f"{url}/remove", {"name": "tracking_number"}).location == f"{page}#scratchpad"
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(ScratchpadEntry)) == 0


def test_who_only_looks_sees_no_buttons_and_is_refused(app: flask.Flask, database: Database) -> None:
    make_case(database)
    eve = signed_in(app, "eve", "viewer")
    page = eve.read(ONE)
    assert page.xpath("//main//form[@method='post']") == []
    assert "Nothing that your role may do" in text_of(page)
    for url in (f"{ONE}/take", f"{ONE}/solution", "/cases/new", "/provider-tasks/ACME-PT0000001/scratchpad"):
        assert eve.post(url).status_code == 403
    assert eve.get("/cases/nothing").status_code == 404


@pytest.mark.parametrize("column", SORTABLE)
def test_lists_sort_by_each_column_and_cost_the_same_however_long_they_are(
    app: flask.Flask, database: Database, ann: Visitor, column: str
) -> None:
    make_case(database)
    ann.read("/cases")
    with CountedStatements(app) as few:
        ann.read(f"/cases?whose=all&sort={column}")
    with database.transaction() as session:
        connection = make_consumer(session, "MANY")
        for place in range(12):
            cases.open_case(
                session, connection.id, short_description=f"Maintenance {place}", description="", priority="low",
                actor="user/ann", now=NOW,
            )  # fmt: skip
        scratchpads.write_entry(session, "PT0000001", "a", "b", client_visible=False, author="ann", now=NOW)
    with CountedStatements(app) as many:
        page = ann.read(f"/cases?whose=all&sort=-{column}")
    assert len(listed(page)) == 13
    assert many.count == few.count


def test_of_a_deleted_item_no_answer_is_shown_for_it_may_be_a_secret(database: Database, ann: Visitor) -> None:
    make_case(database)
    with database.transaction() as session:
        identity = session.scalars(select(RemoteRecordProducer.identity)).one()
        retire_producer(session, identity, "user/ann", NOW)
        delete_producer(session, identity, "user/ann", NOW)
    page = text_of(ann.read(ONE))
    assert "symptom" in page
    assert "No light" not in page
