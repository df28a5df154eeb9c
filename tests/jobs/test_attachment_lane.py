"""Files between a consumer and a provider that is played here: resumed, refused, told, and never in anybody's way."""

import hashlib
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask
import pytest
from sqlalchemy import update

from bridge import failpoints
from bridge.attachments import CHUNK_LIMIT_BYTES, AttachmentLimits
from bridge.vocabulary import EventType
from consumer_sim.models import Comment, ProviderTask
from consumer_sim.models_attachments import Attachment
from consumer_sim.services import comments, tasks
from consumer_sim.services.attachment_lane import AttachmentLane
from consumer_sim.services.attachments import attach_file
from consumer_sim.worker import make_station
from tests.consumer_factories import NOW, Consumer, connected_consumer, event, rows, served, state_changed

TASK = str(uuid4())
CONTENT = (b"%PDF-1.7 " + bytes(range(256)) * 9000)[: 2 * CHUNK_LIMIT_BYTES + 7]
HASH = hashlib.sha256(CONTENT).hexdigest()
PROBLEM = "application/problem+json"


class Provider:
    """Keeps what it is sent; `broken` calls fail, `hangs` calls wait, `refuses` is the code it answers pieces with."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.outcomes: list[tuple[str, dict[str, Any]]] = []
        self.calls: list[str] = []
        self.broken = 0
        self.refuses = ""
        self.content = CONTENT
        self.hangs = threading.Event()
        self.hangs.set()
        self.app = flask.Flask(__name__)
        self.app.before_request(self._note)
        self.app.post("/exchange/v1/token", endpoint="token")(lambda: {"access_token": "t", "expires_in": 900})
        self.app.post("/exchange/v1/provider-tasks/<_>/attachments")(self._announce)
        self.app.post("/exchange/v1/provider-tasks/<_>/comments", endpoint="comment")(
            lambda _: (flask.request.get_json(), 201)
        )
        self.app.route("/exchange/v1/attachments/<key>/content", methods=["PUT"])(self._put)
        self.app.get("/exchange/v1/attachments/<key>/content")(self._get)
        self.app.put("/exchange/v1/attachments/<key>/outcome")(self._outcome)

    def _note(self) -> Any:
        self.calls.append(f"{flask.request.method} {flask.request.full_path}")
        if "/attachments/" in flask.request.path:
            self.hangs.wait()
            if self.broken:
                self.broken -= 1
                return "Bad Gateway", 502
        return None

    def _announce(self, _: str) -> Any:
        return {"attachment_id": flask.request.get_json()["id"], "state": "on_its_way"}, 201

    def _put(self, key: str) -> Any:
        if self.refuses:
            text = flask.json.dumps({"code": self.refuses, "detail": "Too much."})
            return flask.Response(text, 422, content_type=PROBLEM)
        here, offset = self.files.get(key, b""), int(flask.request.args["offset"])
        if offset != len(here):
            text = flask.json.dumps({"code": "offset_differs", "received_bytes": len(here)})
            return flask.Response(text, 409, content_type=PROBLEM)
        self.files[key] = here + flask.request.get_data()
        return {"state": "there" if self.files[key] == self.content else "on_its_way"}

    def _get(self, key: str) -> Any:
        return flask.send_file(BytesIO(self.content), "application/octet-stream", conditional=True)

    def _outcome(self, key: str) -> Any:
        self.outcomes.append((key, flask.request.get_json()))
        return {}


@pytest.fixture
def provider() -> Iterator[Provider]:
    played = Provider()
    yield played
    played.hangs.set()


@pytest.fixture
def acme(sqlite_url: str, tmp_path: Path, provider: Provider) -> Iterator[Consumer]:
    with served(provider.app) as url, connected_consumer(sqlite_url, tmp_path, peer_url=url) as one:
        one.verdicts([state_changed(TASK, 1)])
        yield one


@pytest.fixture
def lane(acme: Consumer) -> AttachmentLane:
    return acme.context.attachment_lane


def attach(acme: Consumer, content: bytes = CONTENT, name: str = "plan.pdf") -> str:
    limits = AttachmentLimits()
    kept = acme.context.files.keep(BytesIO(content), name, limits)
    with acme.context.database.transaction() as session:
        task = tasks.lock_task(session, acme.connection_id, TASK)
        said: dict[str, Any] = {"name": name, "media_type": "application/pdf", "kept": kept, "limits": limits}
        return attach_file(session, task, **said, author_name="Ada", company="ACME", now=NOW).id


def announced(acme: Consumer) -> None:
    make_station(acme.context).drain(acme.connection_id)


def offered(sequence: int = 2, attachment_id: str | None = None, **changes: Any) -> tuple[str, str]:
    """Its id, and the text of the event that tells of it."""
    identity = attachment_id or str(uuid4())
    data = {
        "task_id": TASK, "attachment_id": identity, "name": "quote.pdf", "media_type": "application/pdf",
        "size_bytes": len(CONTENT), "sha256": HASH, "author": {"name": "Grace", "company": "Northwind"},
        "created_at": "2026-11-21T09:00:00.000Z",
    }  # fmt: skip
    return identity, event(EventType.ATTACHMENT_ADDED, f"provider_task/{TASK}", sequence, data | changes)


def carry(lane: AttachmentLane, rounds: int = 1) -> None:
    for _ in range(rounds):
        for thread in lane.start_due():
            thread.join(20)
            assert not thread.is_alive()


def now_due(acme: Consumer) -> None:
    """As if the pause were over."""
    with acme.context.database.transaction() as session:
        session.execute(update(Attachment).where(Attachment.due_at.is_not(None)).values(due_at=NOW))


def the_only(acme: Consumer) -> Attachment:
    (found,) = rows(acme, Attachment)
    assert isinstance(found, Attachment)
    return found


# --- ours


def test_a_file_is_announced_in_its_stream_and_follows_on_its_own(
    acme: Consumer, lane: AttachmentLane, provider: Provider
) -> None:
    identity = attach(acme)
    carry(lane)
    assert provider.calls == [], "not before it was announced"
    announced(acme)
    carry(lane)
    assert provider.files == {identity: CONTENT}
    found = the_only(acme)
    assert (found.state, found.step, found.due_at, found.moved_bytes) == ("there", None, None, len(CONTENT))
    assert attach(acme) == identity and the_only(acme).state == "there", "the same file is given once"


def test_a_transfer_that_breaks_goes_on_from_there(acme: Consumer, lane: AttachmentLane, provider: Provider) -> None:
    identity = attach(acme)
    announced(acme)
    failpoints.install("attachment.after_upload:raise:2")
    try:
        carry(lane)
    finally:
        failpoints.install("")
    assert len(provider.files[identity]) == 2 * CHUNK_LIMIT_BYTES
    assert the_only(acme).moved_bytes == CHUNK_LIMIT_BYTES, "the answer to the second piece was lost"
    now_due(acme)
    carry(acme.context.attachment_lane)
    assert provider.files == {identity: CONTENT}
    pieces = [call for call in provider.calls if call.startswith("PUT")]
    assert len(pieces) == 4, "three pieces, and one that was there already"


def test_what_fails_is_tried_again_for_ever(acme: Consumer, lane: AttachmentLane, provider: Provider) -> None:
    attach(acme)
    announced(acme)
    provider.broken = 12
    for failures in range(1, 13):
        carry(lane)
        assert the_only(acme).failures == failures
        assert the_only(acme).due_at > NOW
        now_due(acme)
    carry(lane)
    assert (the_only(acme).state, the_only(acme).failures) == ("there", 0)


def test_a_refused_file_says_why_and_can_be_tried_again(
    acme: Consumer, lane: AttachmentLane, provider: Provider
) -> None:
    identity = attach(acme)
    announced(acme)
    provider.refuses = "attachment_refused"
    carry(lane)
    found = the_only(acme)
    assert (found.state, found.problem, found.due_at) == ("refused", "Too much.", None)
    provider.refuses = ""
    assert acme.client.post(f"/api/v1/attachments/{identity}/retry").get_json()["state"] == "on_its_way"
    announced(acme)
    carry(lane)
    assert the_only(acme).state == "there"


def test_a_refused_announcement_never_holds_up_the_record(acme: Consumer, provider: Provider) -> None:
    """Also that of a provider of an older version, which knows no such path."""
    attach(acme)
    with acme.context.database.transaction() as session:
        task = tasks.lock_task(session, acme.connection_id, TASK)
        comments.add_comment(session, task, "Did you get it?", "Ada", "ACME", now=NOW)
    provider.app.view_functions["_announce"] = lambda _: flask.Response(
        flask.json.dumps({"code": "not_found", "detail": "There is no such path."}), 404, content_type=PROBLEM
    )
    announced(acme)
    assert (the_only(acme).state, the_only(acme).problem) == ("refused", "There is no such path.")
    assert [one.sent for one in rows(acme, Comment)] == ["accepted"]


# --- the provider's


def test_a_file_of_the_provider_is_fetched_and_confirmed(
    acme: Consumer, lane: AttachmentLane, provider: Provider
) -> None:
    identity, text = offered()
    assert acme.verdicts([text]) == ["applied"]
    carry(lane)
    found = the_only(acme)
    assert (found.state, found.step, found.author_name, found.author_company) == ("there", None, "Grace", "Northwind")
    assert provider.outcomes == [(identity, {"state": "there"})]
    answer = acme.client.get(f"/api/v1/attachments/{identity}/content", buffered=True)
    assert answer.data == CONTENT
    assert answer.headers["Content-Disposition"] == "attachment; filename=quote.pdf"
    assert list((Path(acme.context.config.data_dir) / "attachments" / "incoming").glob("*.*")) == []


@pytest.mark.parametrize("place", ["attachment.after_download", "attachment.before_commit"])
def test_a_consumer_that_dies_within_a_download_loses_and_doubles_nothing(
    acme: Consumer, lane: AttachmentLane, provider: Provider, place: str
) -> None:
    identity, text = offered()
    acme.verdicts([text])
    failpoints.install(f"{place}:raise")
    try:
        carry(lane)
    finally:
        failpoints.install("")
    assert the_only(acme).state == "on_its_way"
    now_due(acme)
    carry(acme.context.attachment_lane)
    assert the_only(acme).state == "there"
    assert len([call for call in provider.calls if call.startswith("GET")]) == 3, "no piece came twice"
    assert provider.outcomes == [(identity, {"state": "there"})]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "evil.svg"}, "not taken"),
        ({"size_bytes": 2**40}, "larger than"),
        ({"size_bytes": 0}, "empty"),
        ({"sha256": "0" * 64}, "hash differs"),
        ({"name": "logo.png"}, "is not what .png says"),
    ],
)
def test_what_we_do_not_take_is_told_to_the_provider(
    acme: Consumer, lane: AttachmentLane, provider: Provider, changes: dict[str, Any], reason: str
) -> None:
    identity, text = offered(**changes)
    assert acme.verdicts([text]) == ["applied"], "a file never stops its record"
    carry(lane, 2)
    found = the_only(acme)
    assert (found.state, found.step) == ("refused", None)
    assert reason in (found.problem or "")
    assert provider.outcomes == [(identity, {"state": "refused", "reason": found.problem})]
    assert list(acme.context.files.all_files()) == [] or "png" in str(changes)


def test_a_file_that_is_offered_again_is_looked_at_again(
    acme: Consumer, lane: AttachmentLane, provider: Provider
) -> None:
    provider.content = b"X" * len(CONTENT)
    identity, text = offered()
    acme.verdicts([text])
    carry(lane, 2)
    provider.content = CONTENT
    assert acme.verdicts([offered(3, identity)[1]]) == ["applied"]
    carry(lane)
    assert (the_only(acme).state, provider.outcomes[-1][1]) == ("there", {"state": "there"})


def test_a_name_with_a_path_stays_a_name(acme: Consumer) -> None:
    acme.verdicts([offered(name="../../etc/cron.d/x.pdf")[1]])
    assert the_only(acme).name == "x.pdf"


@pytest.mark.parametrize("changes", [{"sha256": "../x"}, {"size_bytes": -1}, {"size_bytes": 1.5}, {"author": {}}])
def test_what_is_no_file_is_rejected(acme: Consumer, changes: dict[str, Any]) -> None:
    assert acme.verdicts([offered(**changes)[1]]) == ["rejected"]


# --- in nobody's way


def test_a_provider_that_hangs_on_files_delays_no_event_and_no_call(
    acme: Consumer, lane: AttachmentLane, provider: Provider
) -> None:
    for number in range(6):
        acme.verdicts([offered(2 + number)[1]])

    def latency(sequence: int) -> float:
        with acme.context.database.transaction() as session:
            task = session.get_one(ProviderTask, (acme.connection_id, TASK))
            comments.add_comment(session, task, "Still there?", "Ada", "ACME", now=NOW)
        began_s = time.perf_counter()
        assert acme.verdicts([state_changed(TASK, sequence, "acknowledged")]) == ["applied"]
        announced(acme)
        return time.perf_counter() - began_s

    before = sorted(latency(8 + number) for number in range(5))
    provider.hangs.clear()
    threads = lane.start_due()
    assert 0 < len(threads) <= 2, "a provider has no more than its share of the lane"
    during = sorted(latency(13 + number) for number in range(5))
    assert all(thread.is_alive() for thread in threads)
    assert lane.start_due() == []
    assert during[2] < before[2] * 2 + 0.05
    assert {one.sent for one in rows(acme, Comment)} == {"accepted"}
    provider.hangs.set()
    for thread in threads:
        thread.join(20)


def test_files_of_a_paused_connection_wait(acme: Consumer, lane: AttachmentLane) -> None:
    from bridge.models import Connection  # noqa: PLC0415

    acme.verdicts([offered()[1]])
    with acme.context.database.transaction() as session:
        session.get_one(Connection, acme.connection_id).state = "paused"
    assert lane.start_due() == []


def test_one_file_is_taken_by_one_process(acme: Consumer, provider: Provider) -> None:
    acme.verdicts([offered()[1]])
    provider.hangs.clear()
    threads = [thread for _ in range(3) for thread in acme.context.attachment_lane.start_due()]
    assert len(threads) == 1
    provider.hangs.set()
    threads[0].join(20)
