"""A question answered with a file, on the pages of both sides: chosen, kept, sent, corrected, shown."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask
import pytest
from lxml import html
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bridge.attachments import AttachmentState
from bridge.carriers import CallAnswer
from bridge.files import FileStore
from consumer_sim.models import Draft, HeldCall, ProviderTask
from consumer_sim.models_attachments import Attachment
from consumer_sim.services.settling import apply_answer
from provider.models.attachments import Attachment as ProviderAttachment
from provider.models.catalog import RemoteRecordProducer
from provider.services.attachments import Announced, announce_attachment, note_refused
from provider.services.authoring import author_producer
from provider.services.errors import FileRefused
from provider.services.intake import submit_provider_task
from tests.api.page_client import Visitor, signed_in, text_of
from tests.api.provider_client import context_of, make_app
from tests.case_factories import fault_report, make_authored_item
from tests.consumer_factories import NOW, Consumer, connected_consumer, make_item, rows
from tests.factories import make_consumer
from tests.file_factories import PDF, file_answer, file_form, file_question

PLAN = "/characteristics/plan"
SHOWN = "plan.pdf (29 Bytes)"


def chosen(content: bytes = PDF, name: str = "plan.pdf", pointer: str = PLAN) -> dict[str, Any]:
    return {pointer: (BytesIO(content), name)}


@pytest.fixture
def acme(sqlite_url: str, tmp_path: Path) -> Iterator[Consumer]:
    with connected_consumer(sqlite_url, tmp_path) as one:
        yield one


@pytest.fixture
def ada(acme: Consumer) -> Visitor:
    return signed_in(acme.app, "ada", "requester")


def open_order(one: Consumer, visitor: Visitor, *questions: dict[str, Any], **form: Any) -> str:
    """The address of a new request of an item that asks these."""
    asked = file_form(*(questions or (file_question(mandatory=True),))) | form
    with one.context.database.transaction() as session:
        item = make_item(session, one.connection_id, kind="task", form=asked, active_form=asked)
    order = visitor.get(f"/catalog/{item.connection_id}/{item.id}/order").location
    visitor.read(order)
    return str(order)


def said_at(visitor: Visitor, name: str = PLAN) -> str:
    """What is wrong with a field of the last page."""
    (field,) = html.fromstring(visitor.page).xpath(f"//*[@data-field='{name}']")
    return text_of(field.xpath(".//*[@data-errors]")[0])


def settle(one: Consumer, *, accepted: bool) -> None:
    """The provider's answer to the only request."""
    (task,) = rows(one, ProviderTask)
    body = {"id": task.id, "revision": task.revision}
    document = {} if accepted else {"code": "invalid_fields", "detail": "No.", "errors": []}
    answer = CallAnswer(
        delivery_id=str(uuid4()), connection_id=one.connection_id, stream=f"provider_task/{task.id}",
        operation="submit", body=body, accepted=accepted, status=201 if accepted else 422, document=document,
    )  # fmt: skip
    with one.context.database.transaction() as session:
        apply_answer(session, answer, NOW)


def test_a_chosen_file_is_kept_in_the_draft_and_goes_with_the_request(acme: Consumer, ada: Visitor) -> None:
    order = open_order(acme, ada)
    assert ada.post(order, chosen() | {"do": "save"}).status_code == 303
    (draft,) = rows(acme, Draft)
    assert draft.answers["characteristics"]["plan"]["size_bytes"] == len(PDF)
    shown = ada.read(order)
    assert SHOWN in text_of(shown) and not shown.xpath("//input[@type='file']/@value")
    answer = ada.post(order, {"do": "send"})
    (task,), (file,) = rows(acme, ProviderTask), rows(acme, Attachment)
    assert answer.location == f"/requests/{acme.connection_id}/{task.id}"
    assert task.request["characteristics"]["plan"] == {
        "attachment_id": file.id, "name": "plan.pdf", "media_type": "application/pdf", "size_bytes": len(PDF),
        "sha256": file.sha256,
    }  # fmt: skip
    assert (file.own, file.state, file.task_id, file.author_name) == (True, "on_its_way", task.id, "ada")
    (held,) = rows(acme, HeldCall)
    assert (held.operation, held.body["id"]) == ("attachment", file.id)
    answers = ada.read(answer.location).get_element_by_id("answers")
    assert f"{SHOWN} On its way" in text_of(answers)
    (link,) = answers.xpath(".//a/@href")
    assert ada.get(link, buffered=True).data == PDF


def test_a_later_refusal_stands_at_the_answer_and_can_be_tried_again(acme: Consumer, ada: Visitor) -> None:
    order = open_order(acme, ada)
    request = ada.post(order, chosen() | {"do": "send"}).location
    settle(acme, accepted=True)
    with acme.context.database.transaction() as session:
        session.execute(update(Attachment).values(state="refused", problem="A virus.", step=None, due_at=None))
    page = ada.read(request)
    assert f"{SHOWN} Refused A virus." in text_of(page.get_element_by_id("answers"))
    assert page.xpath("//form[contains(@action, '/retry')]")


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({}, "Plan must be answered"),
        (chosen(b""), "The file is empty."),
        (chosen(b"%PDF-" + b"x" * 1024), "The file is larger than 1 KiB."),
        (chosen(b"text", "plan.txt"), "These are: pdf."),
        (chosen(b"no pdf at all"), "What is in the file is not what .pdf says."),
    ],
)
def test_what_is_wrong_with_a_file_stands_beside_its_question(
    acme: Consumer, ada: Visitor, sent: dict[str, Any], said: str
) -> None:
    order = open_order(acme, ada)
    answer = ada.post(order, sent | {"/note": "Second floor", "do": "send"})
    assert answer.status_code == 422 and said in said_at(ada)
    assert "Second floor" in ada.page
    assert rows(acme, ProviderTask) == []


def test_a_refused_file_leaves_the_one_that_was_chosen_before(acme: Consumer, ada: Visitor) -> None:
    order = open_order(acme, ada)
    ada.post(order, chosen() | {"do": "save"})
    ada.read(order)
    assert ada.post(order, chosen(b"text", "other.txt") | {"do": "save"}).status_code == 422
    assert SHOWN in ada.page and "These are: pdf." in said_at(ada)


def test_a_file_can_be_taken_off_and_another_can_take_its_place(acme: Consumer, ada: Visitor) -> None:
    order = open_order(acme, ada, file_question())
    ada.post(order, chosen() | {"do": "save"})
    ada.read(order)
    ada.post(order, chosen(b"%PDF-2 other", "other.pdf") | {"do": "save"})
    assert "other.pdf" in text_of(ada.read(order))
    ada.post(order, {f"drop {PLAN}": "true", "do": "save"})
    (draft,) = rows(acme, Draft)
    assert not draft.answers["characteristics"].get("plan")
    assert ada.post(order, {"do": "send"}).status_code == 303, "nobody has to answer it"


def test_the_script_of_the_form_sends_a_file_once_and_is_told_what_is_kept(acme: Consumer, ada: Visitor) -> None:
    order = open_order(acme, ada)
    check = order.replace("/order?", "/order/check?")
    told = ada.post(check, chosen()).get_json()
    assert (told["files"], told["errors"]) == ({PLAN: SHOWN}, {})
    told = ada.post(check, {"/note": "Second floor"}).get_json()
    assert (told["files"], told["errors"]) == ({PLAN: SHOWN}, {}), "what was sent before is kept"
    told = ada.post(check, chosen(b"text", "plan.txt")).get_json()
    assert told["files"] == {PLAN: SHOWN} and "These are: pdf." in told["errors"][PLAN][0]


def test_rows_of_a_table_have_files_of_their_own(acme: Consumer, ada: Visitor) -> None:
    people = {
        "key": "people", "label": "People", "many": True, "min_rows": 2, "max_rows": 3, "description": "",
        "variables": [file_question("photo", file_types=[])],
    }  # fmt: skip
    order = open_order(acme, ada, file_question(), sets=[people])
    rows_shown = {"/sets/people/rows": "2"}
    second = chosen(b"\x89PNG\r\n\x1a\n two", "two.png", "/sets/people/1/photo")
    ada.post(order, rows_shown | second | {"do": "save"})
    ada.read(order)
    first = chosen(b"\x89PNG\r\n\x1a\n one", "one.png", "/sets/people/0/photo")
    request = ada.post(order, rows_shown | first | {"do": "send"}).location
    assert sorted(file.name for file in rows(acme, Attachment)) == ["one.png", "two.png"]
    assert "one.png (12 Bytes) On its way" in text_of(ada.read(request).get_element_by_id("answers"))


def test_one_file_for_two_questions_travels_once(acme: Consumer, ada: Visitor) -> None:
    order = open_order(acme, ada, file_question(), file_question("copy"))
    ada.post(order, chosen() | chosen(pointer="/characteristics/copy") | {"do": "send"})
    (task,) = rows(acme, ProviderTask)
    assert len(task.request["characteristics"]) == 2
    assert len(rows(acme, Attachment)) == len(rows(acme, HeldCall)) == 1


def test_a_correction_changes_the_file_and_nothing_of_the_former_is_sent(acme: Consumer, ada: Visitor) -> None:
    order = open_order(acme, ada)
    request = ada.post(order, chosen() | {"do": "send"}).location
    settle(acme, accepted=False)
    correct = f"{request}/correct"
    assert SHOWN in text_of(ada.read(correct))
    assert ada.post(correct, chosen(b"%PDF-2 other", "other.pdf") | {"do": "send"}).status_code == 303
    (task,), (file,), (held,) = rows(acme, ProviderTask), rows(acme, Attachment), rows(acme, HeldCall)
    assert task.request["characteristics"]["plan"]["attachment_id"] == file.id == held.body["id"]
    assert file.name == "other.pdf"


def test_a_file_of_a_request_that_is_taken_back_was_never_sent_and_is_not_tried_again(
    acme: Consumer, ada: Visitor
) -> None:
    order = open_order(acme, ada)
    request = ada.post(order, chosen() | {"do": "send"}).location
    settle(acme, accepted=False)
    ada.read(f"{request}/cancel")
    ada.post(f"{request}/cancel", {"reason": "Over"})
    page = ada.read(request)
    assert "It was never sent: the request was withdrawn." in text_of(page.get_element_by_id("answers"))
    assert not page.xpath("//form[contains(@action, '/retry')]")
    (file,) = rows(acme, Attachment)
    retry = f"/attachments/{acme.connection_id}/{file.id}/retry"
    ada.post(retry, headers={"Referer": f"http://localhost{request}"})
    assert rows(acme, HeldCall) == []


def test_programs_name_only_files_that_were_taken_in_here(acme: Consumer, ada: Visitor) -> None:
    asked = file_form(file_question())
    with acme.context.database.transaction() as session:
        item = make_item(session, acme.connection_id, kind="task", form=asked, active_form=asked)
    client, by = acme.client, {"requested_by": {"name": "Ada"}, "catalog_item_id": item.id}
    named = client.post(
        "/api/v1/files?name=plan.pdf&author_name=Ada", data=PDF, content_type="application/pdf"
    ).get_json()

    def ask(answer: dict[str, Any]) -> Any:
        return client.post("/api/v1/requests", json=by | {"characteristics": {"plan": answer}})

    for other in (file_answer(), named | {"name": "q.pdf"}):
        refused = ask(other)
        assert (refused.status_code, refused.get_json()["errors"][0]["pointer"]) == (422, PLAN)
    assert ask(named).status_code == 201
    again = ask(named)
    assert again.status_code == 422 and "another request" in again.get_json()["errors"][0]["message"]


# --- the provider


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    app = make_app(sqlite_url, tmp_path)
    yield app
    context_of(app).database.close()


def ask(session: Session, answer: dict[str, Any]) -> tuple[str, str, str]:
    """A request whose question is answered with this file: its connection, id and number."""
    connection = make_consumer(session)
    item = make_authored_item(session, connection.id)
    item.form = file_form(file_question(mandatory=True))
    session.flush()
    request = fault_report(item, characteristics={"plan": answer})
    submit_provider_task(session, connection.id, request, now=NOW)
    return connection.id, request["id"], request["number"]


def announced(answer: dict[str, Any]) -> Announced:
    facts = {name: answer[name] for name in ("name", "media_type", "size_bytes", "sha256")}
    return Announced(id=answer["attachment_id"], author_name="Ada", created_at=NOW, **facts)


def test_the_case_shows_the_file_at_its_answer_once_it_is_there(app: flask.Flask, tmp_path: Path) -> None:
    context, named = context_of(app), file_answer()
    with context.database.transaction() as session:
        connection_id, task_id, number = ask(session, named)
    agent = signed_in(app, "ann", "fulfilment_agent")

    def shown() -> Any:
        return agent.read(f"/cases/{number}").get_element_by_id("subject")

    assert f"{SHOWN} On its way" in text_of(shown())
    with context.database.transaction() as session:
        announce_attachment(session, connection_id, task_id, announced(named), context.attachment_limits)
    assert f"{SHOWN} On its way" in text_of(shown()) and not shown().xpath(".//a")
    store: FileStore = context.files
    store.keep(BytesIO(PDF), "plan.pdf", context.attachment_limits)
    with context.database.transaction() as session:
        session.execute(update(ProviderAttachment).values(state=AttachmentState.THERE))
    (link,) = shown().xpath(".//a/@href")
    assert agent.get(link, buffered=True).data == PDF
    assert "On its way" not in text_of(shown())


def test_the_case_says_why_a_file_was_refused(app: flask.Flask) -> None:
    context, named = context_of(app), file_answer()
    with context.database.transaction() as session:
        connection_id, task_id, number = ask(session, named)
        refusal = FileRefused("too_many", "There are 100 files already.")
        note_refused(session, connection_id, task_id, announced(named), refusal)
    page = signed_in(app, "ann", "fulfilment_agent").read(f"/cases/{number}")
    assert f"{SHOWN} Refused There are 100 files already." in text_of(page.get_element_by_id("subject"))


def test_a_question_for_a_file_is_written_with_its_limits(app: flask.Flask) -> None:
    with context_of(app).database.transaction() as session:
        identity = author_producer(session, {"name": "Access"}, "user/eve", NOW).identity
    eve, url = signed_in(app, "eve", "exchange_admin"), f"/producers/{identity}/questions"
    eve.read(f"{url}/new?kind=attachment")
    typed = {"label": "Plan", "mandatory": "y", "max_size_bytes": "1.5", "file_types": ".PDF, png"}
    assert eve.post(f"{url}/new?kind=attachment", typed | {"file_types": "exe"}).status_code == 422
    assert "must be out of" in eve.page.lower()
    assert eve.post(f"{url}/new?kind=attachment", typed).status_code == 303
    page = eve.read(f"{url}/plan")
    assert [page.xpath(f"//input[@name='{name}']/@value") for name in ("max_size_bytes", "file_types")] == [
        ["1.5"], ["pdf, png"],
    ]  # fmt: skip
    with context_of(app).database.reading() as session:
        query = select(RemoteRecordProducer.form).where(RemoteRecordProducer.identity == identity)
        (asked,) = session.execute(query).scalar_one()["variables"]
    assert (asked["type"], asked["max_size_bytes"], asked["file_types"]) == ("attachment", 1572864, ["pdf", "png"])
