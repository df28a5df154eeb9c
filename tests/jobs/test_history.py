"""A consumer that lost something fetches what both sides said: complete, once, in one order, with who and when."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask
import pytest
from sqlalchemy import update

from bridge.models import Instance
from consumer_sim.context import make_context
from consumer_sim.models import Comment, ProviderConnection, ProviderTask
from consumer_sim.models_attachments import Attachment
from consumer_sim.services.history import want_history
from tests.consumer_factories import NOW, Consumer, comment_added, connected_consumer, make_connection, rows, served

PDF = b"%PDF-1.7 A plan."
TASKS = [str(uuid4()) for _ in range(45)]


class Provider:
    """Knows 45 requests; of the first, 230 comments of both sides and two files."""

    def __init__(self) -> None:
        self.app, self.calls, self.broken = flask.Flask(__name__), 0, 0
        self.gone: str | None = None
        self.comments = [self.comment(number) for number in range(230)]
        self.files = [self.file("ours.pdf", True), self.file("theirs.pdf", False)]
        self.app.post("/exchange/v1/token", endpoint="token")(lambda: {"access_token": "t", "expires_in": 900})
        self.app.get("/exchange/v1/provider-tasks")(self.tasks)
        self.app.get("/exchange/v1/provider-tasks/<task_id>/<kind>")(self.said)
        self.app.get("/exchange/v1/attachments/<_>/content", endpoint="content")(lambda _: PDF)
        self.app.put("/exchange/v1/attachments/<_>/outcome", endpoint="outcome")(lambda _: {})

    def comment(self, number: int) -> dict[str, Any]:
        own = number % 2 == 0
        author = {"name": "Ada", "company": "ACME Ltd"} if own else {"name": "Grace", "company": "Northwind"}
        at = f"2026-11-20T{number // 60:02}:{number % 60:02}:00.123Z"
        return {
            "task_id": TASKS[0], "comment_id": str(uuid4()), "text": f"No. {number}", "author": author,
            "created_at": at, "from_consumer": own,
        }  # fmt: skip

    def file(self, name: str, own: bool) -> dict[str, Any]:
        return {
            "task_id": TASKS[0], "attachment_id": str(uuid4()), "name": name, "media_type": "application/pdf",
            "size_bytes": len(PDF), "sha256": hashlib.sha256(PDF).hexdigest(), "state": "there", "reason": None,
            "author": {"name": "Ada", "company": "ACME Ltd"}, "created_at": "2026-11-20T00:00:00.000Z",
            "from_consumer": own,
        }  # fmt: skip

    def tasks(self) -> Any:
        self.calls += 1
        if self.broken:
            self.broken -= 1
            return "Bad Gateway", 502
        return self.page([{"task_id": one} for one in TASKS])

    def said(self, task_id: str, kind: str) -> Any:
        if task_id == self.gone:
            return {"type": "about:blank", "code": "not_found", "title": "Not Found", "status": 404}, 404
        found = {"comments": self.comments, "attachments": self.files}[kind]
        return self.page([one for one in found if one["task_id"] == task_id])

    def page(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        begin, limit = int(flask.request.args.get("cursor", 0)), int(flask.request.args["limit"])
        following = str(begin + limit) if begin + limit < len(items) else None
        return {"items": items[begin : begin + limit], "next": following}


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def acme(database_url: str, tmp_path: Path, provider: Provider) -> Iterator[Consumer]:
    with served(provider.app) as url, connected_consumer(database_url, tmp_path, peer_url=url) as one:
        yield one


def fetch_all(acme: Consumer, rounds: int = 5) -> None:
    for _ in range(rounds):
        acme.context.historian.fetch_due()


def lose(acme: Consumer) -> None:
    with acme.context.database.transaction() as session:
        want_history(session, now=NOW)


def test_what_was_lost_comes_back_complete_in_one_order(acme: Consumer, provider: Provider) -> None:
    known = provider.comments[1]
    acme.verdicts([comment_added(TASKS[0], 1, known["text"], comment_id=known["comment_id"], author=known["author"],
                                 created_at=known["created_at"])])  # fmt: skip
    for _ in range(2):
        lose(acme)
        fetch_all(acme)
    found = rows(acme, Comment, Comment.created_at, Comment.id)
    assert [one.text for one in found] == [one["text"] for one in provider.comments]
    assert [one.own for one in found] == [one["from_consumer"] for one in provider.comments]
    assert {(one.author_name, one.author_company) for one in found} == {("Ada", "ACME Ltd"), ("Grace", "Northwind")}
    assert {one.created_at.microsecond for one in found} == {123_000}
    assert {one.id for one in rows(acme, ProviderTask)} == set(TASKS)


def test_it_goes_a_few_requests_at_a_time_and_ends(acme: Consumer, provider: Provider) -> None:
    fetch_all(acme)
    assert provider.calls == 0, "nothing is asked while nothing was lost"
    lose(acme)
    acme.context.historian.fetch_due()
    assert len(rows(acme, ProviderTask)) == 20
    fetch_all(acme)
    assert provider.calls == 3
    (link,) = rows(acme, ProviderConnection)
    assert (link.history_due_at, link.history_cursor) == (None, None)


def test_a_provider_that_fails_is_asked_again_later_from_there(acme: Consumer, provider: Provider) -> None:
    lose(acme)
    acme.context.historian.fetch_due()
    provider.broken = 1
    fetch_all(acme)
    (link,) = rows(acme, ProviderConnection)
    assert (provider.calls, link.history_cursor) == (2, "tasks|20"), "it rests for a while"
    assert link.history_due_at > NOW
    with acme.context.database.transaction() as session:
        session.execute(update(ProviderConnection).values(history_due_at=NOW))
    fetch_all(acme)
    assert len(rows(acme, ProviderTask)) == 45


def test_a_request_that_is_gone_by_now_holds_up_no_other(acme: Consumer, provider: Provider) -> None:
    provider.gone = TASKS[3]
    lose(acme)
    fetch_all(acme)
    assert {one.id for one in rows(acme, ProviderTask)} == set(TASKS) - {TASKS[3]}


def test_what_nobody_thought_of_at_one_provider_holds_up_no_other(acme: Consumer, provider: Provider) -> None:
    odd = flask.Flask("odd")
    odd.post("/exchange/v1/token", endpoint="token")(lambda: {"access_token": "t", "expires_in": 900})
    odd.get("/exchange/v1/provider-tasks", endpoint="tasks")(lambda: {"items": [], "next": "\ud800"})
    with served(odd) as url:
        with acme.context.database.transaction() as session:
            odd_id, _ = make_connection(session, acme.context, peer_url=url)
        lose(acme)
        fetch_all(acme)
        due = {one.connection_id: one.history_due_at for one in rows(acme, ProviderConnection)}
    assert len(rows(acme, ProviderTask)) == 45
    assert due.pop(odd_id) > NOW, "it is tried again later"
    assert set(due.values()) == {None}


def test_files_of_both_sides_come_back_too(acme: Consumer, provider: Provider) -> None:
    lose(acme)
    fetch_all(acme)
    for thread in acme.context.attachment_lane.start_due():
        thread.join(20)
    found = rows(acme, Attachment, Attachment.name)
    assert [(one.name, one.own, one.state, one.step) for one in found] == [
        ("ours.pdf", True, "there", None), ("theirs.pdf", False, "there", None),
    ]  # fmt: skip
    assert acme.context.files.find(found[0].sha256) is not None


def test_a_restored_database_asks_for_it_by_itself(acme: Consumer) -> None:
    config = acme.context.config
    make_context(config, lambda: NOW).database.close()
    assert rows(acme, ProviderConnection)[0].history_due_at is None
    with acme.context.database.transaction() as session:
        session.execute(update(Instance).values(epoch=str(uuid4())))
    make_context(config, lambda: NOW).database.close()
    assert rows(acme, ProviderConnection)[0].history_due_at == NOW


@pytest.mark.parametrize("spoilt", [{"text": None}, {"comment_id": "x"}, {"created_at": "now"}, {"author": "Ada"}])
def test_what_is_no_comment_is_passed_over(acme: Consumer, provider: Provider, spoilt: dict[str, Any]) -> None:
    provider.comments[3] |= spoilt
    lose(acme)
    fetch_all(acme)
    assert len(rows(acme, Comment)) == 229
