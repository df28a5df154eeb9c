"""What has come to the consumer? Read from its database by name: no process but its own imports its models."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Select, column, func, select, table

from bridge.database import Database, UtcDateTime
from bridge.models import Id, InboxMessage, InboxStream

_STREAMS_AT_ONCE = 500
_TIMELINE = table(
    "task_states",
    column("connection_id", Id),
    column("task_id", Id),
    column("sequence"),
    column("received_at", UtcDateTime()),
)


class Arrivals:
    """The consumer's inbox and timelines. `streams` narrows an answer to these streams of the connection."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def close(self) -> None:
        self._database.close()

    def applied(self, connection_id: str) -> int:
        """How many events of the connection were applied."""
        query = select(func.sum(InboxStream.applied_sequence)).where(InboxStream.connection_id == connection_id)
        with self._database.reading() as session:
            return session.execute(query).scalar_one() or 0

    def total(self) -> int:
        """How many events of all connections are in the inbox."""
        with self._database.reading() as session:
            return session.execute(select(func.count()).select_from(InboxMessage)).scalar_one()

    def messages(self, connection_id: str, streams: Collection[str] | None = None) -> list[tuple[str, str, int]]:
        """(id, stream, sequence) of all events in the inbox, as often as they are there."""
        query = (
            select(InboxMessage.id, InboxStream.stream, InboxMessage.sequence)
            .join(InboxStream, InboxStream.id == InboxMessage.stream_id)
            .where(InboxStream.connection_id == connection_id)
        )
        rows = read_some(self._database, query, InboxStream.stream, streams)
        return [(event_id, stream, sequence) for event_id, stream, sequence in rows]

    def received_at(
        self, connection_id: str, streams: Collection[str] | None = None
    ) -> dict[tuple[str, int], datetime]:
        """When the consumer began the transaction that applied each state change, by stream and sequence."""
        query = select(_TIMELINE.c.task_id, _TIMELINE.c.sequence, _TIMELINE.c.received_at)
        query = query.where(_TIMELINE.c.connection_id == connection_id)
        tasks = None if streams is None else [stream.removeprefix("provider_task/") for stream in streams]
        rows = read_some(self._database, query, _TIMELINE.c.task_id, tasks)
        return {(f"provider_task/{task_id}", sequence): at for task_id, sequence, at in rows}

    def digests(self, connection_id: str, streams: Collection[str] | None = None) -> dict[str, bytes]:
        """The rolling digest of what was applied, by stream."""
        query = select(InboxStream.stream, InboxStream.digest).where(InboxStream.connection_id == connection_id)
        return {stream: digest for stream, digest in read_some(self._database, query, InboxStream.stream, streams)}


def read_some(
    database: Database, query: Select[*tuple[Any, ...]], key: Any, wanted: Collection[str] | None
) -> Iterator[Any]:
    """The rows of the query, or those whose `key` is wanted: some hundred keys at once, each batch a short read."""
    some = None if wanted is None else sorted(wanted)
    for start in range(0, 1 if some is None else len(some), _STREAMS_AT_ONCE):
        narrowed = query if some is None else query.where(key.in_(some[start : start + _STREAMS_AT_ONCE]))
        with database.reading() as session:
            yield from session.execute(narrowed).all()
