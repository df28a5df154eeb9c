"""Where we are in the streams of a provider: told to it after one side was restored, so that it goes on from there."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bridge.digest import EMPTY
from bridge.issues import DIFFERS, Finding, note_finding, resolve_issues
from bridge.models import InboxMessage, InboxStream
from consumer_sim.models import CatalogItem
from consumer_sim.models_remote_tasks import RemoteTaskDefinition

STREAMS_AT_ONCE = 200
_IDS_TOLD = 20

_OFFERED: Mapping[str, Any] = {"catalog_item": CatalogItem, "remote_task_definition": RemoteTaskDefinition}
_WORDS = {
    "unknown": "the restored provider knows nothing of it any more",
    "differs": "the provider told other events than those that are known here",
}

Document = dict[str, Any]


def read_positions(session: Session, connection_id: str, names: Sequence[str]) -> list[Document]:
    """Where we are in these streams, also those of which we know nothing."""
    query = select(InboxStream).where(InboxStream.connection_id == connection_id, InboxStream.stream.in_(names))
    known = {one.stream: one for one in session.scalars(query)}
    return [_position(session, known[name]) if name in known else _nowhere(name) for name in names]


def next_names(session: Session, connection_id: str, after: str) -> list[str]:
    """Streams that we know, by name, behind that one."""
    query = select(InboxStream.stream).where(InboxStream.connection_id == connection_id, InboxStream.stream > after)
    return list(session.scalars(query.order_by(InboxStream.stream).limit(STREAMS_AT_ONCE)))


def standings(answer: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the provider says of each stream; whatever is none is left out."""
    rows = answer.get("streams")
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and isinstance(row.get("stream"), str) and isinstance(row.get("standing"), str):
            yield row["stream"], row["standing"]


def note_standings(session: Session, connection_id: str, answer: Mapping[str, Any], *, now: datetime) -> None:
    """What the provider knows nothing of, or something else than we, is kept for people. An item or a definition that
    it knows nothing of cannot be used any more.
    """
    told = list(standings(answer))
    agreeing = [stream for stream, standing in told if standing not in _WORDS]
    resolve_issues(session, connection_id, DIFFERS, agreeing, now=now)
    for stream, standing in told:
        kind, _, record_id = stream.partition("/")
        if standing == "unknown" and kind in _OFFERED:
            mine = (_OFFERED[kind].connection_id == connection_id, _OFFERED[kind].id == record_id)
            gone = {"state": "removed", "removed_reason": "forgotten", "updated_at": now}
            session.execute(update(_OFFERED[kind]).where(*mine).values(gone))
        elif standing in _WORDS:
            note_finding(session, Finding(connection_id, DIFFERS, f"{stream}: {_WORDS[standing]}", stream), now=now)


def _position(session: Session, stream: InboxStream) -> Document:
    """With the ids of the last events: the provider may have forgotten that they were answered."""
    last = select(InboxMessage.id).where(
        InboxMessage.stream_id == stream.id, InboxMessage.sequence > stream.applied_sequence - _IDS_TOLD
    )
    place = {"stream": stream.stream, "sequence": stream.applied_sequence, "digest": stream.digest.hex()}
    return place | {"ids": list(session.scalars(last))}


def _nowhere(name: str) -> Document:
    return {"stream": name, "sequence": 0, "digest": EMPTY.hex(), "ids": []}
