"""Nothing that is not proven is looked at, and what is proven is told what is wrong with it."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from bridge import envelope, signing
from bridge.models import Connection, InboxMessage
from bridge.vocabulary import BATCH_LIMIT_BYTES, EventType
from tests.consumer_factories import (
    SECRET,
    Consumer,
    connected_consumer,
    event,
    make_connection,
    product_changed,
    rows,
    state_changed,
    unsequenced,
)  # fmt: skip

NEW_SECRET = signing.new_secret(bytes(32))


@pytest.fixture
def acme(sqlite_url: str, tmp_path: Path) -> Iterator[Consumer]:
    with connected_consumer(sqlite_url, tmp_path) as one:
        yield one


def test_a_proven_batch_is_answered_with_a_verdict_each(acme: Consumer) -> None:
    batch = [state_changed(str(uuid4()), 1), unsequenced(EventType.TEST)]
    response = acme.post(batch)
    assert (response.status_code, response.mimetype) == (200, "application/json")
    assert list(envelope.read_answer(response.json, [json.loads(text)["id"] for text in batch]))


def test_an_empty_batch_is_a_probe(acme: Consumer) -> None:
    assert acme.post([]).json == {"verdicts": []}


def test_the_golden_batch_is_accepted_from_its_own_provider(acme: Consumer) -> None:
    body = Path("tests/golden/batch.json").read_bytes()
    response = acme.post_bytes(body)
    assert response.status_code == 200, response.text
    assert [row["verdict"] for row in response.json["verdicts"]] == ["applied"] * len(json.loads(body))


@pytest.mark.parametrize("skew_s", [-301, 301])
def test_a_timestamp_too_far_from_our_clock_is_refused(acme: Consumer, skew_s: int) -> None:
    response = acme.post([], skew_s=skew_s)
    assert (response.status_code, response.json["code"]) == (401, "signature_invalid")


def test_another_secret_proves_nothing(acme: Consumer) -> None:
    assert acme.post([product_changed(str(uuid4()), 1)], secrets=[NEW_SECRET]).status_code == 401
    assert rows(acme, InboxMessage) == []


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_each_header_is_needed_and_covered(acme: Consumer, name: str) -> None:
    assert acme.post([], **{name: ""}).status_code == 401
    assert acme.post([], **{name: "v1,%%% v2,x \u00e9"}).status_code == 401


def test_the_signature_is_checked_before_the_body_is_parsed(acme: Consumer) -> None:
    assert acme.post_bytes(b"[" * 100_000, secrets=[NEW_SECRET]).status_code == 401


def test_during_a_rotation_either_secret_proves(acme: Consumer) -> None:
    with acme.context.database.transaction() as session:
        connection = session.get_one(Connection, acme.connection_id)
        connection.secrets = acme.context.keyring.seal({"webhook": [NEW_SECRET, SECRET]})
    assert acme.post([], secrets=[SECRET]).status_code == 200
    assert acme.post([], secrets=[NEW_SECRET]).status_code == 200


def test_a_connections_secret_opens_no_other_connection(acme: Consumer) -> None:
    with acme.context.database.transaction() as session:
        _, other = make_connection(session, acme.context, prefix="BETA", secrets=[NEW_SECRET])
    acme.callback_id = other
    assert acme.post([], secrets=[SECRET]).status_code == 401


def test_events_of_another_instance_are_refused_as_a_whole(acme: Consumer) -> None:
    stray = event(EventType.TOMBSTONE, "product/x", 1, {}, source=f"urn:uuid:{uuid4()}")
    response = acme.post([product_changed(str(uuid4()), 1), stray])
    assert (response.status_code, response.json["code"]) == (403, "wrong_source")
    assert rows(acme, InboxMessage) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[1]",
        b"[NaN]",
        b'[{"a":1,"a":2}]',
        b"\xef\xbb\xbf[]",
        "[]".encode("utf-16"),
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_a_proven_body_that_is_no_batch_is_a_problem_not_a_crash(acme: Consumer, body: bytes) -> None:
    response = acme.post_bytes(body)
    assert (response.status_code, response.json["code"]) == (400, "envelope_invalid")


def test_a_name_twice_in_an_object_is_refused_for_readers_differ_on_it(acme: Consumer) -> None:
    twice = product_changed(str(uuid4()), 1).replace('"state":', '"state":"inactive","state":', 1)
    assert acme.post([twice]).status_code == 400


def test_text_that_cannot_be_stored_costs_its_own_event_only(acme: Consumer) -> None:
    bad = product_changed(str(uuid4()), 1).replace('"Broadband"', '"\\ud800"')
    nested = product_changed(str(uuid4()), 1, characteristics={"a": ["\u0000"]})
    assert acme.verdicts([bad, nested, product_changed(str(uuid4()), 1)]) == ["rejected", "rejected", "applied"]


def test_a_body_beyond_the_limit_is_not_read(acme: Consumer) -> None:
    assert acme.post_bytes(b" " * BATCH_LIMIT_BYTES + b"[]").status_code == 413


def test_another_content_type_is_refused(acme: Consumer) -> None:
    assert acme.post([], **{"Content-Type": "text/plain"}).status_code == 400


def test_a_callback_that_nobody_was_given_is_not_found(acme: Consumer) -> None:
    acme.callback_id = str(uuid4())
    assert acme.post([]).status_code == 404


@pytest.mark.parametrize(("state", "status"), [("pending", 200), ("diverged", 200), ("paused", 503), ("revoked", 410)])
def test_the_state_of_the_connection_decides_what_is_taken(acme: Consumer, state: str, status: int) -> None:
    with acme.context.database.transaction() as session:
        session.get_one(Connection, acme.connection_id).state = state
    assert acme.post([]).status_code == status


def test_both_ids_of_a_connection_are_its_callback(acme: Consumer) -> None:
    acme.callback_id = acme.connection_id
    assert acme.post([]).status_code == 200


def test_nothing_of_a_refused_batch_is_logged_as_an_error(acme: Consumer, caplog: pytest.LogCaptureFixture) -> None:
    acme.post([], secrets=[NEW_SECRET])
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
