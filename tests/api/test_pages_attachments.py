"""What people do with files on the pages of both sides."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask
import pytest
from lxml import html
from sqlalchemy import update

from bridge.attachments import AttachmentLimits
from bridge.database import Database
from bridge.vocabulary import EventType
from consumer_sim.models_attachments import Attachment
from provider.models.attachments import Attachment as ProviderAttachment
from tests.api.page_client import Visitor, signed_in, text_of
from tests.api.provider_client import context_of, make_app
from tests.consumer_factories import Consumer, connected_consumer, event, rows, state_changed
from tests.factories import events_of, make_order

PDF = b"%PDF-1.7 A plan."


def the_file(content: bytes = PDF, name: str = "plan.pdf") -> dict[str, Any]:
    return {"file": (BytesIO(content), name)}


# --- the provider


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    app = make_app(sqlite_url, tmp_path)
    yield app
    context_of(app).database.close()


@pytest.fixture
def database(app: flask.Flask) -> Database:
    return context_of(app).database


def test_an_agent_gives_the_consumer_a_file_and_sees_how_far_it_is(app: flask.Flask, database: Database) -> None:
    ordered = make_order(database)
    page, agent = f"/orders/{ordered.order_number}", signed_in(app, "ann", "order_agent")
    agent.get(page)
    assert agent.post(f"{page}/attach", the_file()).headers["Location"] == f"{page}#conversation"
    shown = agent.read(page)
    assert "plan.pdf 16 Bytes · ann, Northwind" in text_of(shown)
    assert "On its way" in text_of(shown)
    (link,) = shown.xpath("//a[text()='plan.pdf']/@href")
    answer = agent.get(link, buffered=True)
    assert answer.data == PDF
    assert answer.headers["Content-Disposition"] == "attachment; filename=plan.pdf"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")
    with database.reading() as session:
        told = [type_ for type_, _, _ in events_of(session, ordered.connection_id)]
    assert told.count(EventType.ATTACHMENT_ADDED) == 1


def test_a_refusal_of_the_consumer_is_on_the_order_and_can_be_tried_again(app: flask.Flask, database: Database) -> None:
    page, agent = f"/orders/{make_order(database).order_number}", signed_in(app, "ann", "order_agent")
    agent.get(page)
    agent.post(f"{page}/attach", the_file())
    with database.transaction() as session:
        session.execute(update(ProviderAttachment).values(state="refused", problem="They take no plans."))
    shown = agent.read(page)
    assert "Refused They take no plans." in text_of(shown)
    (again,) = shown.xpath("//form[contains(@action, '/retry')]/@action")
    viewer = signed_in(app, "vic", "viewer")
    assert not viewer.read(page).xpath("//form[contains(@action, '/retry')]")
    assert viewer.post(again).status_code == 403
    agent.get(page)
    assert agent.post(again).status_code == 303
    assert "On its way" in text_of(agent.read(page))


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({}, "Choose a file first."),
        (the_file(name="evil.svg"), "Files of this type are not taken."),
        (the_file(b""), "The file is empty."),
        (the_file(b"MZ"), "What is in the file is not what .pdf says."),
        (the_file(b"x" * 3000), "The file is larger than 2 KiB."),
    ],
)
def test_what_is_wrong_with_a_file_stands_beside_the_field(
    app: flask.Flask, database: Database, sent: dict[str, Any], said: str
) -> None:
    object.__setattr__(context_of(app), "attachment_limits", AttachmentLimits(size_bytes=2048))
    page, agent = f"/orders/{make_order(database).order_number}", signed_in(app, "ann", "order_agent")
    agent.get(page)
    if sent:
        sent = {"file": (BytesIO(sent["file"][0].getvalue()), sent["file"][1])}
    answer = agent.post(f"{page}/attach", sent)
    assert answer.status_code == 422
    assert said in text_of(agent_page(agent).xpath("//*[contains(@class, 'invalid-feedback')]")[0])
    assert list(context_of(app).files.all_files()) == []


def agent_page(visitor: Visitor) -> Any:
    return html.fromstring(visitor.page)


def test_who_may_only_look_attaches_nothing(app: flask.Flask, database: Database) -> None:
    page, viewer = f"/orders/{make_order(database).order_number}", signed_in(app, "vic", "viewer")
    assert not viewer.read(page).xpath("//input[@type='file']")
    assert viewer.post(f"{page}/attach", the_file()).status_code == 403


def test_a_stranger_has_no_file_read_from_him(app: flask.Flask, database: Database) -> None:
    number = make_order(database).order_number
    huge: dict[str, Any] = {"data": b"x" * 1024 * 1024, "content_type": "multipart/form-data; boundary=x"}
    answer = app.test_client().post(f"/orders/{number}/attach", **huge)
    assert answer.status_code == 413


def test_an_order_without_files_shows_no_list(app: flask.Flask, database: Database) -> None:
    viewer = signed_in(app, "vic", "viewer")
    assert not viewer.read(f"/orders/{make_order(database).order_number}").xpath("//*[@id='files']//li")
    assert viewer.get(f"/attachments/{uuid4()}").status_code == 404
    assert viewer.get("/attachments/..%2f..%2fkeys").status_code == 404


# --- the consumer


@pytest.fixture
def acme(sqlite_url: str, tmp_path: Path) -> Iterator[Consumer]:
    with connected_consumer(sqlite_url, tmp_path) as one:
        yield one


@pytest.fixture
def task_id(acme: Consumer) -> str:
    identity = str(uuid4())
    acme.verdicts([state_changed(identity, 1)])
    return identity


def test_a_requester_attaches_a_file_and_sees_how_far_it_is(acme: Consumer, task_id: str) -> None:
    page, ada = f"/requests/{acme.connection_id}/{task_id}", signed_in(acme.app, "ada", "requester")
    ada.get(page)
    assert ada.post(f"{page}/attach", the_file()).status_code == 303
    shown = ada.read(page)
    assert "plan.pdf 16 Bytes · ada, ACME IT" in text_of(shown)
    (link,) = shown.xpath("//a[text()='plan.pdf']/@href")
    assert ada.get(link, buffered=True).data == PDF
    with acme.context.database.transaction() as session:
        session.execute(update(Attachment).values(state="refused", problem="It is too large.", step=None, due_at=None))
    shown = ada.read(page)
    assert "Refused It is too large." in text_of(shown)
    (again,) = shown.xpath("//form[contains(@action, '/retry')]/@action")
    assert ada.post(again).status_code == 303
    assert "On its way" in text_of(ada.read(page))
    with acme.context.database.transaction() as session:
        session.execute(update(Attachment).values(state="there", step=None, due_at=None))
    assert "Received by Northwind" in text_of(ada.read(page).get_element_by_id("files"))


def test_a_file_of_the_provider_can_be_fetched_once_it_is_here(acme: Consumer, task_id: str) -> None:
    page, ada = f"/requests/{acme.connection_id}/{task_id}", signed_in(acme.app, "ada", "requester")
    kept = acme.context.files.keep(BytesIO(PDF), "q.pdf", AttachmentLimits())
    data = {
        "task_id": task_id, "attachment_id": str(uuid4()), "name": "<b>quote</b>.pdf", "media_type": "text/html",
        "size_bytes": kept.size_bytes, "sha256": kept.sha256, "author": {"name": "Grace", "company": "Northwind"},
        "created_at": "2026-11-21T08:00:00.000Z",
    }  # fmt: skip
    assert acme.verdicts([event(EventType.ATTACHMENT_ADDED, f"provider_task/{task_id}", 2, data)]) == ["applied"]
    (row,) = rows(acme, Attachment)
    fetch = f"/attachments/{acme.connection_id}/{row.id}"
    assert not ada.read(page).xpath(f"//a[@href='{fetch}']"), "not before it is here, though we have the same content"
    assert ada.get(fetch).status_code == 404
    with acme.context.database.transaction() as session:
        session.execute(update(Attachment).values(state="there", step=None, due_at=None))
    (said,) = ada.read(page).xpath("//*[@id='files']//li")
    assert "Grace, Northwind" in text_of(said) and text_of(said).endswith("Received")
    answer = ada.get(fetch, buffered=True)
    assert (answer.data, answer.mimetype) == (PDF, "application/octet-stream")
    assert ada.get(f"/attachments/{uuid4()}/{row.id}").status_code == 404


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({}, "Choose a file first."),
        (("evil.html", b"<script>"), "Files of this type are not taken."),
        (("a.txt", b""), "The file is empty."),
    ],
)
def test_what_is_wrong_with_a_file_stands_beside_the_requesters_field(
    acme: Consumer, task_id: str, sent: Any, said: str
) -> None:
    page, ada = f"/requests/{acme.connection_id}/{task_id}", signed_in(acme.app, "ada", "requester")
    ada.get(page)
    answer = ada.post(f"{page}/attach", the_file(sent[1], sent[0]) if sent else {})
    assert answer.status_code == 422
    assert said in text_of(agent_page(ada).xpath("//*[contains(@class, 'invalid-feedback')]")[0])
    assert rows(acme, Attachment) == []
