"""What is there already: orders that were told to the consumer long ago, on both sides as the engine leaves them.

Written in bulk, for the engine would take minutes; the bench's test compares the rows with those of the engine.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import TableClause, column, func, insert, select, table

from bridge import digest, envelope
from bridge.database import Database, UtcDateTime
from bridge.ids import new_id
from bridge.models import Attempt, Delivery, Id, InboxMessage, InboxStream, OutboxEvent, Stream, table_of
from bridge.vocabulary import EventType
from sxg.bench.origin import STEPS, Change, Origin

_TYPE = EventType.PROVIDER_TASK_STATE_CHANGED
_TASKS_AT_ONCE = 1000
_EVENTS, _STREAMS, _DELIVERIES, _ATTEMPTS = (table_of(each) for each in (OutboxEvent, Stream, Delivery, Attempt))
_INBOX_STREAMS, _INBOX_MESSAGES = table_of(InboxStream), table_of(InboxMessage)
_SHOWN = ("state", "state_label", "order_number", "order_state", "order_state_label", "order_version", "ponr", "reason")
_STEP = ("state", "state_label", "order_state", "order_state_label", "reason")
_WHOSE = ("task_id", "number", "order_number")
# The consumer's own tables, by name: no process but its own imports its models.
_TASKS = table(
    "provider_tasks",
    *(column("connection_id", Id), column("id", Id), column("number"), column("placeholder"), column("revision")),
    *(column("submission"), column("opened_at", UtcDateTime()), column("updated_at", UtcDateTime())),
    *(column(name) for name in _SHOWN),
)
_STATES = table(
    "task_states",
    *(column("connection_id", Id), column("task_id", Id), column("sequence"), column("state"), column("state_label")),
    *(column("order_state"), column("order_state_label"), column("reason")),
    *(column("at", UtcDateTime()), column("received_at", UtcDateTime())),
)
_SENT, _RECEIVED = (_EVENTS, _STREAMS, _DELIVERIES, _ATTEMPTS), (_INBOX_STREAMS, _INBOX_MESSAGES, _TASKS, _STATES)
Row = dict[str, Any]


def write_history(origin: Origin, inbox: Database, connection_id: str, events: int) -> int:
    """That many events of the connection, ten to an order, each sent by itself, applied and settled, one a second
    until now. The number of orders, which is also that of the next `Change.task`. The databases must hold no events.
    """
    tasks = max(1, events // STEPS)
    past = _Past(origin, connection_id, datetime.now(UTC) - timedelta(seconds=tasks * STEPS))
    for start in range(0, tasks, _TASKS_AT_ONCE):
        rows = past.rows(range(start, min(tasks, start + _TASKS_AT_ONCE)))
        _insert(origin.database, {each: rows[each] for each in _SENT})
        _insert(inbox, {each: rows[each] for each in _RECEIVED})
    _count_on(origin.database)
    return tasks


class _Past:
    """Makes the rows of one connection. Streams and events are numbered from 1, on both sides."""

    def __init__(self, origin: Origin, connection_id: str, begins_at: datetime) -> None:
        self._source, self._connection_id, self._begins_at = origin.identity.source, connection_id, begins_at
        self._told = [origin.told(Change(connection_id, 0, step)) for step in range(STEPS)]

    def rows(self, tasks: Sequence[int]) -> Mapping[TableClause, list[Row]]:
        """What both sides hold of these orders. All of them make one step before any makes the next."""
        found: dict[TableClause, list[Row]] = {each: [] for each in (*_SENT, *_RECEIVED)}
        digests = dict.fromkeys(tasks, digest.EMPTY)
        number = tasks[0] * STEPS
        for step in range(STEPS):
            for task in tasks:
                number += 1
                rows = self._of_event(number, Change(self._connection_id, task, step))
                delivery = rows[_DELIVERIES]
                digests[task] = digest.extend(digests[task], delivery["id"], delivery["contenthash"])
                for each, row in rows.items():
                    found[each].append(row)
        for task in tasks:
            for each, row in self._of_stream(Change(self._connection_id, task, STEPS - 1), digests[task]).items():
                found[each].append(row)
        return found

    def _of_event(self, number: int, change: Change) -> Mapping[TableClause, Row]:
        at, event_id, task_id = self._begins_at + timedelta(seconds=number), new_id(), change.task_id
        stream, sequence, facts = f"provider_task/{task_id}", change.sequence, change.data()
        told = self._data(change.step, facts)
        data_text = envelope.render_data(told)
        text_sent = envelope.render(
            event_id=event_id, source=self._source, event_type=_TYPE, subject=stream, time=at, data_text=data_text,
            stream=stream, sequence=sequence,
        )  # fmt: skip
        contenthash, ours = envelope.contenthash(data_text), {"connection_id": self._connection_id}
        place = {"stream_id": change.task + 1, "sequence": sequence, "id": event_id, "contenthash": contenthash}
        return {
            _EVENTS: {
                "id": number, "type": str(_TYPE), "stream": stream, "data": envelope.render_data(facts),
                "origin": None, "traceparent": None, "occurred_at": at,
            },
            _DELIVERIES: place | ours | {
                "event_id": number, "target": None, "text": text_sent, "state": "delivered", "error": None,
                "settled_at": at,
            },
            _ATTEMPTS: ours | {
                "started_at": at, "duration_s": 0.01, "events": 1, "outcome": "judged", "status": 200, "detail": None,
            },
            _INBOX_MESSAGES: place | {"received_at": at},
            _STATES: ours | {name: told[name] for name in _STEP} | {
                "task_id": task_id, "sequence": sequence, "at": at, "received_at": at,
            },
        }  # fmt: skip

    def _of_stream(self, last: Change, rolled: bytes) -> Mapping[TableClause, Row]:
        at, task_id = self._begins_at + timedelta(seconds=(last.task + 1) * STEPS), last.task_id
        place = {"id": last.task + 1, "connection_id": self._connection_id, "stream": f"provider_task/{task_id}"}
        told = self._data(last.step, last.data())
        return {
            _STREAMS: place | {
                "next_sequence": STEPS + 1, "head": STEPS + 1, "due_at": None, "blocked_by": None, "failures": 0,
                "digest": rolled,
            },
            _INBOX_STREAMS: place | {"applied_sequence": STEPS, "digest": rolled},
            _TASKS: {name: told[name] for name in _SHOWN} | {
                "connection_id": self._connection_id, "id": task_id, "number": told["number"], "placeholder": True,
                "revision": 0, "submission": "accepted", "opened_at": at, "updated_at": at,
            },
        }  # fmt: skip

    def _data(self, step: int, facts: Mapping[str, object]) -> Row:
        """The facts in the words of the mapping, which does not look at whose they are."""
        return self._told[step] | {name: facts[name] for name in _WHOSE}


def _insert(database: Database, rows: Mapping[TableClause, list[Row]]) -> None:
    with database.transaction() as session:
        for into, some in rows.items():
            session.connection().execute(insert(into), some)


def _count_on(database: Database) -> None:
    """PostgreSQL counts only the ids that it has given itself."""
    if database.engine.dialect.name != "postgresql":
        return
    with database.transaction() as session:
        for each in (_EVENTS, _STREAMS):
            last = select(func.max(each.c.id)).scalar_subquery()
            session.execute(select(func.setval(func.pg_get_serial_sequence(each.name, "id"), last)))
