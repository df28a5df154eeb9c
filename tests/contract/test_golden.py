"""The wire against foreign tools: what we sign they verify, what they sign we verify, and both read each other's
events.
"""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from bridge import digest, envelope, signing
from bridge.errors import EnvelopeInvalid, SignatureInvalid
from bridge.vocabulary import EventType, Verdict

GOLDEN = Path(__file__).parent.parent / "golden"
BATCH = (GOLDEN / "batch.json").read_bytes()
HEADERS: dict[str, str] = json.loads((GOLDEN / "signature.json").read_text())
SECRET = HEADERS.pop("secret")
SIGNED_AT = int(HEADERS["webhook-timestamp"])


def test_our_signature_is_the_one_openssl_made() -> None:
    ours = signing.sign(BATCH, message_id=HEADERS["webhook-id"], now_s=SIGNED_AT, secrets=[SECRET])
    assert ours == HEADERS


def test_we_verify_the_signature_openssl_made() -> None:
    assert signing.verify(BATCH, HEADERS, now_s=SIGNED_AT + 299, secrets=[SECRET]) == HEADERS["webhook-id"]


def test_the_reference_package_signs_the_golden_batch_alike() -> None:
    foreign = standardwebhooks.Webhook(SECRET).sign(
        HEADERS["webhook-id"], datetime.fromtimestamp(SIGNED_AT, UTC), BATCH.decode()
    )
    assert foreign == HEADERS["webhook-signature"]


def test_the_reference_package_verifies_what_we_sign_during_a_rotation() -> None:
    other = signing.new_secret(bytes(range(32)))
    headers = signing.sign(BATCH, message_id="msg_1", now_s=int(datetime.now(UTC).timestamp()), secrets=[other, SECRET])
    assert standardwebhooks.Webhook(SECRET).verify(BATCH, headers) == json.loads(BATCH)
    assert standardwebhooks.Webhook(other).verify(BATCH, headers) == json.loads(BATCH)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"webhook-signature": "v1," + base64.b64encode(bytes(32)).decode()}, "no signature"),
        ({"webhook-signature": "garbage"}, "no signature"),
        ({"webhook-signature": "v1,ünïcode"}, "no signature"),
        ({"webhook-signature": HEADERS["webhook-signature"].replace("v1,", "v2,")}, "no signature"),
        ({"webhook-id": "msg_other"}, "no signature"),
        ({"webhook-id": "msg_\udcff"}, "no signature"),
        ({"webhook-timestamp": str(SIGNED_AT + 1)}, "no signature"),
        ({"webhook-timestamp": "yesterday"}, "not a number"),
        ({"webhook-timestamp": "-5"}, "not a number"),
        ({"webhook-timestamp": "9" * 400}, "not a number"),
    ],
)
def test_a_changed_header_is_refused_with_a_reason(change: dict[str, str], reason: str) -> None:
    with pytest.raises(SignatureInvalid, match=reason):
        signing.verify(BATCH, HEADERS | change, now_s=SIGNED_AT, secrets=[SECRET])


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_named(missing: str) -> None:
    headers = {name: value for name, value in HEADERS.items() if name != missing}
    with pytest.raises(SignatureInvalid, match=missing):
        signing.verify(BATCH, headers, now_s=SIGNED_AT, secrets=[SECRET])


@pytest.mark.parametrize("skew_s", [-301, 301])
def test_the_timestamp_is_checked_in_both_directions(skew_s: int) -> None:
    with pytest.raises(SignatureInvalid, match="away from this clock"):
        signing.verify(BATCH, HEADERS, now_s=SIGNED_AT + skew_s, secrets=[SECRET])


def test_a_changed_byte_of_the_body_is_refused() -> None:
    with pytest.raises(SignatureInvalid):
        signing.verify(BATCH.replace(b"ORD0001042", b"ORD0001043"), HEADERS, now_s=SIGNED_AT, secrets=[SECRET])


def test_the_golden_batch_is_taken_apart_into_its_events() -> None:
    state, comment, unsequenced = envelope.take_apart(json.loads(BATCH))
    assert (state.type, state.sequence, state.data["order_number"]) == (
        EventType.PROVIDER_TASK_STATE_CHANGED,
        1,
        "ORD0001042",
    )
    assert (comment.sequence, comment.data["author"]["company"]) == (2, "Northwind Networks")
    assert (unsequenced.stream, unsequenced.sequence) == ("", 0)


def test_the_cloudevents_package_reads_the_golden_batch_and_what_we_render() -> None:
    for item in json.loads(BATCH):
        event = JSONFormat().read(CloudEvent, json.dumps(item))
        assert event.get_type() == item["type"]
        assert event.get_extension("sequence") == item.get("sequence")
        assert rendered_again(item) == item


def rendered_again(item: dict[str, Any]) -> Any:
    """`item` as our own sender renders it; the golden content hashes are opaque, so ours replace them."""
    data_text = envelope.render_data(item["data"])
    text = envelope.render(
        event_id=item["id"],
        source=item["source"],
        event_type=item["type"],
        subject=item["subject"],
        time=datetime.fromisoformat(item["time"]),
        data_text=data_text,
        stream=item.get("stream"),
        sequence=item.get("sequence", 0),
        traceparent=item.get("traceparent"),
    )
    event = JSONFormat().read(CloudEvent, text)
    assert event.get_id() == item["id"]
    assert event.get_data() == item["data"]
    ours = json.loads(text)
    if "contenthash" in item:
        assert ours["contenthash"] == envelope.contenthash(data_text)
        ours["contenthash"] = item["contenthash"]
    return ours


def test_we_read_an_event_that_the_cloudevents_package_wrote() -> None:
    item = json.loads(BATCH)[0]
    attributes: dict[str, Any] = {name: value for name, value in item.items() if name != "data"}
    foreign = JSONFormat().write(CloudEvent({**attributes, "time": datetime.fromisoformat(item["time"])}, item["data"]))
    (event,) = envelope.take_apart([json.loads(foreign)])
    assert (event.id, event.sequence, event.data) == (item["id"], 1, item["data"])


def test_the_golden_answer_is_read() -> None:
    ids = [item["id"] for item in json.loads(BATCH)]
    judgements = envelope.read_answer(json.loads((GOLDEN / "answer.json").read_text()), ids)
    assert [judgements[i].verdict for i in ids] == [Verdict.APPLIED, Verdict.REJECTED, Verdict.APPLIED]
    assert judgements[ids[1]].fields == [{"pointer": "/data/text", "message": "at most 10 characters"}]


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"verdicts": []},
        {"verdicts": [{"id": "x", "verdict": "applied"}]},
        {"verdicts": [{"verdict": "applied"}] * 3},
        {"verdicts": [{"id": "0d3f2c9e-6a51-4d35-9a3e-5b1f6f0f2a01", "verdict": "maybe"}] * 3},
        {"verdicts": [{"id": "0d3f2c9e-6a51-4d35-9a3e-5b1f6f0f2a01", "verdict": "applied"}] * 3},
        "ok",
        7,
    ],
)
def test_an_answer_without_one_verdict_per_event_settles_nothing(answer: Any) -> None:
    with pytest.raises(EnvelopeInvalid):
        envelope.read_answer(answer, [item["id"] for item in json.loads(BATCH)])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("specversion", "0.3"),
        ("id", "7"),
        ("id", "0D3F2C9E-6A51-4D35-9A3E-5B1F6F0F2A01"),
        ("source", None),
        ("stream", ""),
        ("sequence", 0),
        ("sequence", "1"),
        ("sequence", True),
        ("sequence", 2**31),
        ("contenthash", "short"),
        ("data", []),
    ],
)
def test_an_event_that_is_not_as_described_is_refused_by_its_place(path: str, value: Any) -> None:
    item = {**json.loads(BATCH)[0], path: value}
    with pytest.raises(EnvelopeInvalid, match=r"^/0"):
        envelope.take_apart([item])


def test_two_events_with_one_id_are_refused() -> None:
    item = json.loads(BATCH)[0]
    with pytest.raises(EnvelopeInvalid, match="same id"):
        envelope.take_apart([item, item])


def test_the_digest_chain_is_the_one_openssl_computed() -> None:
    golden = json.loads((GOLDEN / "digest.json").read_text())
    first, second, _ = envelope.take_apart(json.loads(BATCH))
    after_first = digest.extend(digest.EMPTY, first.id, first.contenthash)
    assert after_first.hex() == golden["after_first"]
    assert digest.extend(after_first, second.id, second.contenthash).hex() == golden["after_second"]
