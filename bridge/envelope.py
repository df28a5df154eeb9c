"""CloudEvents 1.0 in batches: rendered once to text at the sender, taken apart with checks at the receiver."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from bridge.errors import EnvelopeInvalid
from bridge.vocabulary import BATCH_LIMIT_EVENTS, UNSEQUENCED, Verdict

_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_SEQUENCE_LIMIT = 2**31  # CloudEvents' Integer is a signed 32-bit number


@dataclass(frozen=True, slots=True)
class Event:
    """One event as a receiver sees it. `sequence` is 0 for the types that belong to no stream."""

    id: str
    source: str
    type: str
    subject: str
    stream: str
    sequence: int
    contenthash: str
    time: str
    data: dict[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on one event, with what the sender needs to act on it."""

    id: str
    verdict: Verdict
    expected: int | None = None
    reason: str | None = None
    fields: Sequence[Mapping[str, str]] | None = None
    applied_id: str | None = None
    applied_contenthash: str | None = None
    challenge: str | None = None
    digests: Mapping[str, Any] | None = None
    """In the answer to a heartbeat; whoever sent that reads them."""

    def to_json(self) -> dict[str, Any]:
        shown = {name: getattr(self, name) for name in _OPTIONAL if getattr(self, name) is not None}
        return {"id": self.id, "verdict": str(self.verdict), **shown}


_OPTIONAL = ("expected", "reason", "fields", "applied_id", "applied_contenthash", "challenge", "digests")


def render_data(data: Mapping[str, Any]) -> str:
    """The JSON text of an event's data; this text, not the mapping, is what is hashed, stored and sent."""
    return _dumps(data)


def contenthash(data_text: str) -> str:
    return hashlib.sha256(data_text.encode()).hexdigest()


def render(
    *,
    event_id: str,
    source: str,
    event_type: str,
    subject: str,
    time: datetime,
    data_text: str,
    stream: str | None = None,
    sequence: int = 0,
    traceparent: str | None = None,
) -> str:
    """The final JSON text of one event; without `stream` it is one of the unsequenced types."""
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": str(event_type),
        "subject": subject,
        "time": time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "datacontenttype": "application/json",
    }
    if stream is not None:
        attributes |= {"stream": stream, "sequence": sequence, "contenthash": contenthash(data_text)}
    if traceparent is not None:
        attributes["traceparent"] = traceparent
    return f'{_dumps(attributes)[:-1]},"data":{data_text}}}'


def join(texts: Sequence[str]) -> bytes:
    """A batch out of rendered events; joining stored text costs 1/100 of rendering it again."""
    return f"[{','.join(texts)}]".encode()


def take_apart(document: Any) -> list[Event]:
    """The events of a parsed batch. Raises EnvelopeInvalid when the whole is not a batch that can be judged event by
    event.
    """
    if not isinstance(document, list):
        raise EnvelopeInvalid("a batch is a JSON array of events")
    if len(document) > BATCH_LIMIT_EVENTS:
        raise EnvelopeInvalid(f"a batch holds at most {BATCH_LIMIT_EVENTS} events")
    events = [_event(position, item) for position, item in enumerate(document)]
    if len({event.id for event in events}) != len(events):
        raise EnvelopeInvalid("two events of the batch have the same id")
    return events


def _event(position: int, item: Any) -> Event:
    if not isinstance(item, dict) or item.get("specversion") != "1.0":
        raise EnvelopeInvalid(f"/{position} is not a CloudEvents 1.0 event")
    texts: dict[str, str] = {}
    for name in ("id", "source", "type", "subject", "time"):
        value = item.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= 255:
            raise EnvelopeInvalid(f"/{position}/{name} is missing or not a text of at most 255 characters")
        texts[name] = value
    _check_uuid(position, texts["id"])
    data = item.get("data")
    if not isinstance(data, dict):
        raise EnvelopeInvalid(f"/{position}/data is not an object")
    stream, sequence, content = _place(position, item)
    return Event(**texts, stream=stream, sequence=sequence, contenthash=content, data=data)


def _place(position: int, item: dict[str, Any]) -> tuple[str, int, str]:
    if item["type"] in UNSEQUENCED:
        return "", 0, ""
    stream, sequence, content = item.get("stream"), item.get("sequence"), item.get("contenthash")
    if not isinstance(stream, str) or not 0 < len(stream) <= 255:
        raise EnvelopeInvalid(f"/{position}/stream is missing or not a text of at most 255 characters")
    if type(sequence) is not int or not 0 < sequence < _SEQUENCE_LIMIT:
        raise EnvelopeInvalid(f"/{position}/sequence is not an integer from 1")
    if not isinstance(content, str) or len(content) != 64:
        raise EnvelopeInvalid(f"/{position}/contenthash is not 64 hexadecimal characters")
    return stream, sequence, content


def _check_uuid(position: int, text: str) -> None:
    try:
        canonical = str(UUID(text))
    except ValueError:
        canonical = ""
    if canonical != text:
        raise EnvelopeInvalid(f"/{position}/id is not a UUID in lower case")


def read_answer(document: Any, expected_ids: Sequence[str]) -> dict[str, Judgement]:
    """The verdicts of an answer by event id. Raises EnvelopeInvalid unless there is exactly one valid verdict per event
    sent.
    """
    rows = document.get("verdicts") if isinstance(document, dict) else None
    if not isinstance(rows, list) or len(rows) != len(expected_ids):
        raise EnvelopeInvalid("the answer does not hold one verdict per event")
    judgements = {judgement.id: judgement for judgement in map(_judgement, rows)}
    if judgements.keys() != set(expected_ids):
        raise EnvelopeInvalid("the answer judges other events than those sent")
    return judgements


def _judgement(row: Any) -> Judgement:
    if not isinstance(row, dict) or not isinstance(row.get("id"), str):
        raise EnvelopeInvalid("a verdict has no id")
    try:
        verdict = Verdict(str(row.get("verdict")))
    except ValueError:
        raise EnvelopeInvalid(f"{row.get('verdict')!r:.80} is not a verdict") from None
    expected = row.get("expected")
    return Judgement(
        id=row["id"],
        verdict=verdict,
        expected=expected if type(expected) is int else None,
        reason=_text(row.get("reason"), 2000),
        fields=row["fields"][:50] if isinstance(row.get("fields"), list) else None,
        applied_id=_text(row.get("applied_id"), 64),
        applied_contenthash=_text(row.get("applied_contenthash"), 64),
        challenge=_text(row.get("challenge"), 255),
        digests=row["digests"] if isinstance(row.get("digests"), dict) else None,
    )


def _text(value: Any, limit: int) -> str | None:
    return value[:limit] if isinstance(value, str) else None


def parse_data(data_text: str) -> dict[str, Any]:
    """The data of an event that this instance rendered itself."""
    data: dict[str, Any] = json.loads(data_text)
    return data
