"""What both sides said about requests, fetched anew from the provider after something was lost here, as by a restore.

A few requests at a time, from where the last time ended. What is known here already stays as it is.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from bridge.database import Database
from bridge.egress import SendFailed
from bridge.errors import DatabaseBusy
from bridge.models import Connection
from bridge.vocabulary import SLOW_DEADLINE_S, ConnectionState
from consumer_sim.models import Comment, ProviderConnection
from consumer_sim.models_attachments import Attachment
from consumer_sim.services import attachments, comments, fields, repositioning, resending, tasks, writing
from consumer_sim.services.authorised_users import restore_users
from consumer_sim.services.calling import Call, Caller
from consumer_sim.services.errors import ProviderRefused
from consumer_sim.services.remote_task_restoring import REMOTE_TASKS, find_unknown, restore_task

log = logging.getLogger(__name__)

CALLS, POSITIONS, STREAMS, TASKS = "calls", "positions", "streams", "tasks"
HELD_DURING = (CALLS, POSITIONS)
"""Until a restored provider knows where we are, its events would take the place of others that we have."""
_TASKS_AT_ONCE = 20
_PAUSE_S = 30.0

Document = dict[str, Any]


def want_history(session: Session, connection_id: str | None = None, *, now: datetime) -> None:
    """Have it fetched, from the beginning; of all providers unless one is named."""
    which: ColumnElement[bool] = ProviderConnection.connection_id.is_not(None)
    if connection_id is not None:
        which = ProviderConnection.connection_id == connection_id
    begin = {"history_due_at": now, "history_cursor": f"{STREAMS}|"}
    session.execute(update(ProviderConnection).where(which).values(begin))


def want_reunion(session: Session, connection_id: str, *, now: datetime) -> None:
    """The provider was restored: have it told what it forgot. Its events wait meanwhile."""
    begin = {"history_due_at": now, "history_cursor": f"{CALLS}|"}
    which = ProviderConnection.connection_id == connection_id
    session.execute(update(ProviderConnection).where(which).values(begin))


def is_held(session: Session, connection_id: str) -> bool:
    """Whether events of the provider must wait."""
    which = ProviderConnection.connection_id == connection_id
    cursor = session.scalar(select(ProviderConnection.history_cursor).where(which))
    return (cursor or "").partition("|")[0] in HELD_DURING


@dataclass
class Historian:
    """For one thread. The cursor says what is done next, and from where on: `step|place`."""

    database: Database
    caller: Caller
    clock: Callable[[], datetime]

    def fetch_due(self) -> None:
        """The next few requests of each provider whose history is due; one small read when none is."""
        due = (
            select(ProviderConnection.connection_id, ProviderConnection.history_cursor)
            .join(Connection, Connection.id == ProviderConnection.connection_id)
            .where(ProviderConnection.history_due_at <= self.clock(), Connection.state == ConnectionState.ACTIVE)
        )
        with self.database.reading() as session:
            found = session.execute(due).all()
        for connection_id, cursor in found:
            try:
                self._fetch(str(connection_id), cursor)
                continue
            except (SendFailed, ProviderRefused) as failed:
                log.warning("history is fetched later: %s", failed, extra={"connection_id": connection_id})
            except DatabaseBusy:
                raise
            except Exception:  # what one provider says holds up no other
                log.exception(
                    "history could not be fetched, and is tried again", extra={"connection_id": connection_id}
                )
            self._set(str(connection_id), history_due_at=self.clock() + timedelta(seconds=_PAUSE_S))

    def _fetch(self, connection_id: str, cursor: str | None) -> None:
        with self.database.reading() as session:
            connection = session.get_one(Connection, connection_id)
        step, _, place = (cursor or "").rpartition("|")
        with self.caller.opened(connection) as call:
            following = self._take(step, connection_id, place or None, call)
        ended: Document = {"history_due_at": None, "history_cursor": None}
        self._set(connection_id, **ended if following is None else {"history_cursor": following})

    def _take(self, step: str, connection_id: str, place: str | None, call: Call) -> str | None:
        """One step; what follows it, None at the end."""
        if step == CALLS:
            return self._make_calls_again(connection_id, place, call)
        if step == POSITIONS:
            return self._tell_positions(connection_id, place or "", call)
        if step == STREAMS:
            return self._ask_for_streams(connection_id, place, call)
        if step == REMOTE_TASKS:
            return self._fetch_remote_tasks(connection_id, place, call)
        return self._fetch_tasks(connection_id, place, call)

    def _fetch_remote_tasks(self, connection_id: str, place: str | None, call: Call) -> str | None:
        """Those that we do not know, each with its record; a provider that knows none is done."""
        try:
            page = _page(call, "/remote-tasks", _TASKS_AT_ONCE, place)
        except ProviderRefused as refused:
            if refused.status != 404:
                raise
            return None
        ids = [str(one.get("task_id")) for one in _documents(page) if not fields.uuid(one.get("task_id"))]
        with self.database.reading() as session:
            unknown = find_unknown(session, connection_id, ids)
        for task_id in unknown:
            record = call.send("GET", f"/remote-tasks/{task_id}/record", deadline_s=SLOW_DEADLINE_S)
            with self.database.transaction() as session:
                restore_task(session, connection_id, record, now=self.clock())
        following = page.get("next")
        return f"{REMOTE_TASKS}|{following}" if isinstance(following, str) else None

    def _fetch_tasks(self, connection_id: str, place: str | None, call: Call) -> str | None:
        if place is None:
            self._fetch_users(connection_id, call)
        page = _page(call, "/provider-tasks", _TASKS_AT_ONCE, place)
        for task in _documents(page):
            try:
                self._fetch_task(connection_id, task, call)
            except ProviderRefused as refused:
                if refused.status != 404:
                    raise
                log.info("a request is gone by now", extra={"connection_id": connection_id, "task_id": task["task_id"]})
        following = page.get("next")
        return f"{TASKS}|{following}" if isinstance(following, str) else f"{REMOTE_TASKS}|"

    def _make_calls_again(self, connection_id: str, before: str | None, call: Call) -> str:
        """Newest first, until all that are asked for are known there; a backup has forgotten the newest."""
        with self.database.reading() as session:
            keys = resending.newest_calls(session, connection_id, before)
        told = _of_known(call, "/connection/calls", {"keys": keys}) if keys else {}
        unknown = [key for key in told.get("keys") or [] if key in set(keys)]
        if unknown:
            with self.database.transaction() as session:
                resending.call_again(session, connection_id, unknown, now=self.clock())
        return f"{CALLS}|{keys[-1]}" if unknown else f"{POSITIONS}|"

    def _tell_positions(self, connection_id: str, after: str, call: Call) -> str | None:
        """Once no call waits to be answered: what they did is counted, too."""
        with self.database.reading() as session:
            if resending.is_waiting(session, connection_id):
                return f"{POSITIONS}|{after}"
            names = repositioning.next_names(session, connection_id, after)
        self._settle(connection_id, names, call)
        return f"{POSITIONS}|{names[-1]}" if names else None

    def _ask_for_streams(self, connection_id: str, cursor: str | None, call: Call) -> str | None:
        try:
            page = _page(call, "/connection/streams", repositioning.STREAMS_AT_ONCE, cursor)
        except ProviderRefused as refused:
            if refused.status != 404:
                raise
            return self._fetch_tasks(connection_id, None, call)  # it is older
        names = [one["stream"] for one in _documents(page) if isinstance(one.get("stream"), str)]
        self._settle(connection_id, names, call)
        following = page.get("next")
        return f"{STREAMS}|{following}" if isinstance(following, str) else f"{TASKS}|"

    def _settle(self, connection_id: str, names: Sequence[str], call: Call) -> None:
        """Say where we are; what is unknown there, or holds something else, is an issue of ours as well."""
        if not names:
            return
        with self.database.reading() as session:
            positions = repositioning.read_positions(session, connection_id, names)
        answer = _of_known(call, "/connection/streams", {"streams": positions})
        with self.database.transaction() as session:
            repositioning.note_standings(session, connection_id, answer, now=self.clock())

    def _fetch_users(self, connection_id: str, call: Call) -> None:
        """Which of our users the provider knows; an older one knows none."""
        try:
            told = list(_all(call, "/authorised-users"))
        except ProviderRefused as refused:
            if refused.status != 404:
                raise
            return
        with self.database.transaction() as session:
            restore_users(session, connection_id, told, now=self.clock())

    def _fetch_task(self, connection_id: str, task: Document, call: Call) -> None:
        task_id = str(task.get("task_id"))
        if fields.uuid(task_id):
            return
        said = list(_all(call, f"/provider-tasks/{task_id}/comments"))
        files = list(_all(call, f"/provider-tasks/{task_id}/attachments"))
        with self.database.transaction() as session:
            tasks.ensure_tasks(session, connection_id, {task_id: self.clock()}, self.clock())
            rows = [comments.row_of(connection_id, one) | _sent(one) for one in said]
            writing.insert_missing(session, Comment, rows)
            missing = [_file_row(connection_id, one, self.clock()) for one in files]
            writing.insert_missing(session, Attachment, missing)

    def _set(self, connection_id: str, **values: Any) -> None:
        with self.database.transaction() as session:
            which = ProviderConnection.connection_id == connection_id
            session.execute(update(ProviderConnection).where(which).values(values))


def run_history(historian: Historian, stop: threading.Event, every_s: float = 1.0) -> None:
    """Until `stop` is set."""
    while not stop.wait(every_s):
        try:
            historian.fetch_due()
        except DatabaseBusy as busy:
            log.warning("history is fetched later, the database is busy: %s", busy)
        except Exception:
            log.exception("history could not be fetched, and is tried again")


def _page(call: Call, path: str, limit: int, cursor: str | None) -> Document:
    after = f"&cursor={quote(cursor, safe='')}" if cursor else ""
    return call.send("GET", f"{path}?limit={limit}{after}", deadline_s=SLOW_DEADLINE_S)


def _all(call: Call, path: str) -> Iterator[Document]:
    cursor: str | None = None
    while True:
        page = _page(call, path, 100, cursor)
        yield from (one for one in _documents(page) if not fields.faults(one, _RULES[path.rpartition("/")[2]]))
        following = page.get("next")
        if not isinstance(following, str) or following == cursor:
            return
        cursor = following


def _of_known(call: Call, path: str, body: Mapping[str, Any]) -> Document:
    """The answer; nothing of a provider that does not know the call yet."""
    try:
        return call.send("POST", path, body, deadline_s=SLOW_DEADLINE_S)
    except ProviderRefused as refused:
        if refused.status not in (404, 405):
            raise
        return {}


def _documents(page: Mapping[str, Any]) -> Sequence[Document]:
    items = page.get("items")
    return [one for one in items if isinstance(one, dict)] if isinstance(items, list) else []


def _sent(document: Mapping[str, Any]) -> Document:
    own = document.get("from_consumer") is True
    return {"own": own, "sent": "accepted" if own else None}


def _file_row(connection_id: str, document: Mapping[str, Any], now: datetime) -> Document:
    """A file that is at the provider is fetched, also one of ours: it may be lost here. What was refused is told."""
    row = attachments.row_of(connection_id, document, now) | {"own": document.get("from_consumer") is True}
    if document["state"] == "there" or not row["own"]:
        return row
    why = document.get("reason") or "It was on its way when it was lost here; attach it again."
    return row | {"state": "refused", "problem": why, "step": None, "due_at": None}


_RULES: Mapping[str, fields.Rules] = {
    "authorised-users": {"authorised_user_id": fields.uuid, "name": fields.text(255)},
    "comments": {**comments.RULES, "author": fields.members(comments.AUTHOR)},
    "attachments": {**attachments.RULES, "state": fields.choice("on_its_way", "there", "refused")},
}
