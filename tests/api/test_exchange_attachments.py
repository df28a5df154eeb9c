"""Files as a consumer and the provider's people exchange them, at the provider, over HTTP alone."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask
import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from bridge import failpoints
from bridge.attachments import CHUNK_LIMIT_BYTES, AttachmentLimits
from bridge.failpoints import FailpointReached
from bridge.vocabulary import EventType
from provider.models.attachments import Attachment
from tests.api.provider_client import context_of, make_app, user_headers
from tests.api.test_exchange_tasks import TASKS, Consumer
from tests.factories import events_of, make_request

EXCHANGE = "/exchange/v1"
CONTENT = b"%PDF-1.7 A plan of the building.\n" * 100


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    app = make_app(database_url, tmp_path)
    yield app
    context_of(app).database.close()


@pytest.fixture
def acme(app: flask.Flask) -> Consumer:
    return Consumer(app)


def announcement(content: bytes = CONTENT, **changes: Any) -> dict[str, Any]:
    whole = {
        "id": str(uuid4()), "name": "plan.pdf", "media_type": "application/pdf", "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(), "author": {"name": "Ada Lovelace"},
        "created_at": "2026-11-21T08:59:00.123Z",
    }  # fmt: skip
    return whole | changes


def put(peer: Consumer, attachment_id: str, offset: int, piece: bytes) -> TestResponse:
    path = f"{EXCHANGE}/attachments/{attachment_id}/content?offset={offset}"
    return peer.client.put(path, data=piece, headers=peer.headers)


def settle(peer: Consumer, attachment_id: str, **body: Any) -> TestResponse:
    return peer.client.put(f"{EXCHANGE}/attachments/{attachment_id}/outcome", json=body, headers=peer.headers)


def fetch(peer: Consumer, attachment_id: str, **headers: str) -> TestResponse:
    path = f"{EXCHANGE}/attachments/{attachment_id}/content"
    return peer.client.get(path, headers=peer.headers | headers, buffered=True)


def attach(app: flask.Flask, number: str, content: bytes = CONTENT, name: str = "quote.pdf") -> TestResponse:
    headers = user_headers(app, "order_agent")
    path = f"/api/v1/orders/{number}/attachments"
    return app.test_client().post(path, query_string={"name": name}, data=content, headers=headers)


def told_of(peer: Consumer) -> list[dict[str, Any]]:
    with peer.database.reading() as session:
        events = events_of(session, peer.id)
    return [data for type_, _, data in events if type_ == EventType.ATTACHMENT_ADDED]


@pytest.fixture
def task(acme: Consumer) -> dict[str, Any]:
    return acme.order()


@pytest.fixture
def path(task: dict[str, Any]) -> str:
    return f"{TASKS}/{task['task_id']}/attachments"


# --- from a consumer


def test_a_file_arrives_in_pieces_and_is_told_as_it_was_sent(app: flask.Flask, acme: Consumer, path: str) -> None:
    said = announcement()
    made = acme.post(path, said)
    assert (made.status_code, made.get_json()["state"], made.get_json()["reason"]) == (201, "on_its_way", None)
    first = put(acme, said["id"], 0, CONTENT[:1000])
    assert first.get_json() == {"state": "on_its_way", "received_bytes": 1000}
    assert put(acme, said["id"], 1000, CONTENT[1000:]).get_json()["state"] == "there"
    (shown,) = acme.get(path).get_json()["items"]
    assert shown["author"] == {"name": "Ada Lovelace", "company": "ACME Ltd"}
    assert (shown["state"], shown["created_at"], shown["name"]) == ("there", said["created_at"], "plan.pdf")
    assert fetch(acme, said["id"]).data == CONTENT
    assert told_of(acme) == [], "what came from there is not sent back"


def test_a_transfer_goes_on_where_it_broke_off(acme: Consumer, path: str) -> None:
    said = announcement()
    acme.post(path, said)
    put(acme, said["id"], 0, CONTENT[:1000])
    answer = put(acme, said["id"], 0, CONTENT)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "offset_differs")
    assert answer.get_json()["received_bytes"] == 1000
    assert put(acme, said["id"], 1000, CONTENT[1000:]).get_json()["state"] == "there"


@pytest.mark.parametrize("place", ["attachment.after_piece", "attachment.before_commit"])
def test_a_provider_that_dies_within_a_transfer_loses_and_doubles_nothing(
    app: flask.Flask, acme: Consumer, path: str, place: str
) -> None:
    said = announcement()
    acme.post(path, said)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    failpoints.install(f"{place}:raise")
    try:
        assert put(acme, said["id"], 0, CONTENT).status_code == 500
    finally:
        failpoints.install("")
    again = put(acme, said["id"], 0, CONTENT)
    assert again.get_json()["received_bytes"] == len(CONTENT)
    assert put(acme, said["id"], len(CONTENT), b"").get_json()["state"] == "there"
    assert fetch(acme, said["id"]).data == CONTENT
    assert len(acme.get(path).get_json()["items"]) == 1


def test_the_same_announcement_is_one_file(acme: Consumer, path: str) -> None:
    said = announcement()
    for _ in range(3):
        assert acme.post(path, said).status_code == 201
    assert put(acme, said["id"], 0, CONTENT).get_json()["state"] == "there"
    assert acme.post(path, said).get_json()["state"] == "there"
    twin = acme.post(path, announcement())
    assert (twin.status_code, twin.get_json()["attachment_id"]) == (201, said["id"]), "the same content and name"
    assert acme.post(path, announcement(name="other.pdf")).get_json()["attachment_id"] != said["id"]
    other = acme.post(path, announcement(b"%PDF-2", id=said["id"]))
    assert (other.status_code, other.get_json()["code"]) == (409, "attachment_exists")
    assert len(acme.get(path).get_json()["items"]) == 2


def test_a_repeated_last_piece_is_answered_like_the_first(acme: Consumer, path: str) -> None:
    said = announcement()
    acme.post(path, said)
    answers = [put(acme, said["id"], 0, CONTENT).get_json() for _ in range(2)]
    assert answers == [{"state": "there", "received_bytes": len(CONTENT)}] * 2


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "evil.svg"}, "type_not_allowed"),
        ({"name": "plan.pdf.exe"}, "type_not_allowed"),
        ({"size_bytes": 10**9}, "too_large"),
        ({"size_bytes": 0}, "empty"),
    ],
)
def test_a_refusal_is_returned_with_its_reason_and_seen_on_the_record(
    app: flask.Flask, acme: Consumer, task: dict[str, Any], path: str, changes: dict[str, Any], reason: str
) -> None:
    said = announcement(**changes)
    answer = acme.post(path, said)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "attachment_refused")
    assert answer.get_json()["reason"] == reason
    listed = f"/api/v1/orders/{task['order_number']}/attachments"
    (shown,) = app.test_client().get(listed, headers=user_headers(app, "viewer")).get_json()["items"]
    assert (shown["state"], shown["reason"]) == ("refused", answer.get_json()["detail"])
    assert put(acme, said["id"], 0, CONTENT).get_json()["code"] in ("not_announced", "invalid_fields")


def test_a_refused_file_is_taken_once_it_may_be(app: flask.Flask, acme: Consumer, path: str) -> None:
    said = announcement(b"<svg/>", name="logo.svg")
    assert acme.post(path, said).status_code == 422
    context = context_of(app)
    object.__setattr__(context, "attachment_limits", AttachmentLimits(types=("svg",)))
    assert acme.post(path, said).get_json()["state"] == "on_its_way"
    assert put(acme, said["id"], 0, b"<svg/>").get_json()["state"] == "there"


def test_a_request_takes_no_more_files_than_allowed(app: flask.Flask, acme: Consumer, path: str) -> None:
    object.__setattr__(context_of(app), "attachment_limits", AttachmentLimits(per_task=2))
    answers = [acme.post(path, announcement(b"%PDF-" + bytes([65 + n]))) for n in range(3)]
    assert [one.status_code for one in answers] == [201, 201, 422]
    assert answers[2].get_json()["reason"] == "too_many"


@pytest.mark.parametrize(
    ("content", "sent", "reason"),
    [(CONTENT, b"X" * len(CONTENT), "content_differs"), (b"MZ" + b"x" * 50, None, "wrong_content")],
)
def test_a_file_that_is_not_what_was_announced_is_refused(
    app: flask.Flask, acme: Consumer, path: str, content: bytes, sent: bytes | None, reason: str
) -> None:
    said = announcement(content)
    acme.post(path, said)
    answer = put(acme, said["id"], 0, sent or content)
    assert (answer.status_code, answer.get_json()["reason"]) == (422, reason)
    (shown,) = acme.get(path).get_json()["items"]
    assert (shown["state"], shown["reason"]) == ("refused", answer.get_json()["detail"])
    assert fetch(acme, said["id"]).status_code == 404
    assert acme.post(path, said).status_code == 201, "it may be tried again"
    if sent:
        assert put(acme, said["id"], 0, content).get_json()["state"] == "there"


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "../plan.pdf"}, {"name": "a/b.pdf"}, {"name": "a\\b.pdf"}, {"name": "a\u202e.pdf"}, {"name": ""},
        {"name": " .pdf"}, {"name": "x" * 300}, {"sha256": "x" * 64}, {"sha256": "A" * 64}, {"size_bytes": -1},
        {"size_bytes": 2**41}, {"size_bytes": "5"}, {"media_type": "text/html\r\nX: y"}, {"media_type": "x"},
        {"id": "1"},
    ],
)  # fmt: skip
def test_a_hostile_announcement_is_refused_beside_its_field(acme: Consumer, path: str, changes: dict[str, Any]) -> None:
    answer = acme.post(path, announcement(**changes))
    assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid_fields")
    assert answer.get_json()["errors"][0]["pointer"] == f"/{next(iter(changes))}"
    assert acme.get(path).get_json()["items"] == []


def test_more_than_was_announced_is_not_taken(acme: Consumer, path: str) -> None:
    said = announcement()
    acme.post(path, said)
    for offset, piece in ((0, CONTENT + b"x"), (len(CONTENT), b"x"), (2**40, b"x"), (-1, b"x")):
        assert put(acme, said["id"], offset, piece).status_code in (409, 422), offset
    assert put(acme, said["id"], 0, b"x" * (CHUNK_LIMIT_BYTES + 1)).status_code == 413
    assert put(acme, said["id"], 0, CONTENT).get_json()["state"] == "there"


def test_files_of_somebody_else_are_not_there(app: flask.Flask, acme: Consumer, path: str) -> None:
    """Nor does the hash of a file open it: what one has not sent, one does not get."""
    beta = Consumer(app, "BETA")
    said = announcement()
    acme.post(path, said)
    assert put(beta, said["id"], 0, CONTENT).status_code == 404
    put(acme, said["id"], 0, CONTENT)
    assert fetch(beta, said["id"]).status_code == 404
    assert settle(beta, said["id"], state="there").status_code == 404
    asked = beta.post(TASKS, make_request(beta.item, 1, "BETA"))
    assert asked.status_code == 201, asked.text
    own = asked.get_json()["task_id"]
    claimed = beta.post(f"{TASKS}/{own}/attachments", announcement(id=said["id"]))
    assert (claimed.status_code, claimed.get_json()["state"]) == (201, "on_its_way")
    assert fetch(beta, said["id"]).status_code == 404
    assert put(beta, said["id"], len(CONTENT), b"").get_json()["code"] == "offset_differs"


# --- to a consumer


def test_a_file_of_ours_is_told_fetched_in_pieces_and_settled(
    app: flask.Flask, acme: Consumer, task: dict[str, Any]
) -> None:
    made = attach(app, task["order_number"])
    assert (made.status_code, made.get_json()["state"]) == (201, "on_its_way"), made.text
    (told,) = told_of(acme)
    assert set(told) == {
        "task_id", "attachment_id", "name", "media_type", "size_bytes", "sha256", "author", "created_at",
    }  # fmt: skip
    assert (told["name"], told["author"]["company"]) == ("quote.pdf", "Northwind")
    piece = fetch(acme, told["attachment_id"], Range="bytes=10-19")
    assert (piece.status_code, piece.data) == (206, CONTENT[10:20])
    assert fetch(acme, told["attachment_id"]).data == CONTENT
    assert settle(acme, told["attachment_id"], state="there").get_json()["state"] == "there"
    listed = f"/api/v1/orders/{task['order_number']}/attachments"
    (shown,) = app.test_client().get(listed, headers=user_headers(app, "viewer")).get_json()["items"]
    assert (shown["state"], shown["from_consumer"]) == ("there", False)


def test_the_same_file_of_ours_is_told_once(app: flask.Flask, acme: Consumer, task: dict[str, Any]) -> None:
    ids = {attach(app, task["order_number"]).get_json()["id"] for _ in range(3)}
    assert (len(ids), len(told_of(acme))) == (1, 1)


def test_a_consumers_refusal_is_on_our_record_and_can_be_tried_again(
    app: flask.Flask, acme: Consumer, task: dict[str, Any]
) -> None:
    made = attach(app, task["order_number"]).get_json()
    answer = settle(acme, made["attachment_id"], state="refused", reason="Too large for us.")
    assert (answer.get_json()["state"], answer.get_json()["reason"]) == ("refused", "Too large for us.")
    retry = f"/api/v1/attachments/{made['id']}/retry"
    again = app.test_client().post(retry, headers=user_headers(app, "order_agent"))
    assert (again.get_json()["state"], again.get_json()["reason"]) == ("on_its_way", None)
    assert [told["attachment_id"] for told in told_of(acme)] == [made["attachment_id"]] * 2
    assert app.test_client().post(retry, headers=user_headers(app, "order_agent")).status_code == 409


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [("a.exe", b"MZ", "type_not_allowed"), ("a.pdf", b"MZ", "wrong_content"), ("a.txt", b"", "empty")],
)
def test_our_own_limits_hold_for_our_people(
    app: flask.Flask, acme: Consumer, task: dict[str, Any], name: str, content: bytes, reason: str
) -> None:
    answer = attach(app, task["order_number"], content, name)
    assert (answer.status_code, answer.get_json()["reason"]) == (422, reason)
    assert (told_of(acme), list(context_of(app).files.all_files())) == ([], [])


def test_a_file_of_ours_that_is_too_large_is_refused(app: flask.Flask, task: dict[str, Any]) -> None:
    object.__setattr__(context_of(app), "attachment_limits", AttachmentLimits(size_bytes=100))
    assert attach(app, task["order_number"]).get_json()["reason"] == "too_large"
    assert attach(app, task["order_number"], b"x" * (3 * 1024 * 1024)).status_code == 413


def test_a_file_is_served_as_a_download_that_nothing_opens(
    app: flask.Flask, acme: Consumer, task: dict[str, Any]
) -> None:
    made = attach(app, task["order_number"], b"<script>alert(1)</script>", 'ev"il\r\n\u00fc.txt').get_json()
    assert made["name"] == "evil\u00fc.txt"
    ours = f"/api/v1/attachments/{made['id']}/content"
    theirs = f"{EXCHANGE}/attachments/{made['attachment_id']}/content"
    for where, headers in ((ours, user_headers(app, "viewer")), (theirs, acme.headers)):
        answer = app.test_client().get(where, headers=headers, buffered=True)
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"].startswith("sandbox;")


def test_who_may_not_talk_may_not_attach(app: flask.Flask, task: dict[str, Any]) -> None:
    path = f"/api/v1/orders/{task['order_number']}/attachments?name=a.txt"
    assert app.test_client().post(path, data=b"x", headers=user_headers(app, "viewer")).status_code == 403


def test_an_unknown_order_takes_no_file(app: flask.Flask) -> None:
    assert attach(app, "ORD9999999").status_code == 404
    assert list(context_of(app).files.all_files()) == []


def test_rows_hold_no_content(acme: Consumer, path: str) -> None:
    said = announcement()
    acme.post(path, said)
    put(acme, said["id"], 0, CONTENT)
    with acme.database.reading() as session:
        (row,) = session.scalars(select(Attachment)).all()
    assert (row.sha256, row.size_bytes, row.from_consumer) == (said["sha256"], len(CONTENT), True)


def test_failpoints_raise_what_nothing_of_ours_catches() -> None:
    failpoints.install("x:raise")
    try:
        with pytest.raises(FailpointReached):
            failpoints.hit("x")
    finally:
        failpoints.install("")
