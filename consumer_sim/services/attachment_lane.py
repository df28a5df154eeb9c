"""The lane of attachments: files cross in pieces, beside the records and never in their way.

It has threads and connections of its own, takes a few files at a time, of each provider fewer than there is room for,
and knows from the database alone what is to be done: whoever dies in between, the next one goes on where it was.
"""

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select, update

from bridge import backoff, failpoints
from bridge.attachments import CHUNK_LIMIT_BYTES, AttachmentLimits, AttachmentState, check_beginning
from bridge.database import Database
from bridge.egress import SendFailed
from bridge.errors import AttachmentRefused, DatabaseBusy, OffsetDiffers
from bridge.files import FileStore
from bridge.models import Connection
from bridge.vocabulary import ConnectionState
from consumer_sim.models_attachments import Attachment
from consumer_sim.services.attachments import refuse
from consumer_sim.services.calling import Call, Caller
from consumer_sim.services.errors import ProviderRefused

log = logging.getLogger(__name__)

_AT_ONCE = 8
_AT_ONCE_EACH = 2
"""Of one provider: a dead one keeps no more places than these."""
_PIECE_DEADLINE_S = 60.0
_HELD_S = 2 * _PIECE_DEADLINE_S
"""How long a file is left to whoever took it last; each piece extends it."""
_FINAL = frozenset({"attachment_refused", "invalid_fields", "not_announced", "not_found"})


@dataclass
class AttachmentLane:
    """`start_due` is called about every second; each file then has a thread until it is there, or a call fails."""

    database: Database
    caller: Caller
    files: FileStore
    limits: AttachmentLimits
    clock: Callable[[], datetime]
    _busy: Counter[str] = field(default_factory=Counter)
    _counting: threading.Lock = field(default_factory=threading.Lock)

    def start_due(self) -> list[threading.Thread]:
        """One small read when there is nothing to do."""
        threads = []
        for attachment in self._find_due():
            if self._claim(attachment):
                thread = threading.Thread(target=self._carry, args=(attachment,), name="attachment", daemon=True)
                thread.start()
                threads.append(thread)
        return threads

    def _find_due(self) -> list[Attachment]:
        """Those that waited longest, as far as there is room for their connections."""
        with self._counting:
            busy, room = dict(self._busy), _AT_ONCE - self._busy.total()
        full = [connection_id for connection_id, count in busy.items() if count >= _AT_ONCE_EACH]
        query = (
            select(Attachment)
            .join(Connection, Connection.id == Attachment.connection_id)
            .where(Attachment.due_at <= self.clock(), Connection.state == ConnectionState.ACTIVE)
            .where(Attachment.connection_id.not_in(full))
            .order_by(Attachment.due_at)
            .limit(max(room, 0))
        )
        with self.database.reading() as session:
            return list(session.scalars(query))

    def _claim(self, found: Attachment) -> bool:
        """Whether it is ours now, and no other process's."""
        with self._counting:
            if self._busy[found.connection_id] >= _AT_ONCE_EACH:
                return False
        if not self._change(found, due_at=self.clock() + timedelta(seconds=_HELD_S)):
            return False
        with self._counting:
            self._busy[found.connection_id] += 1
        return True

    def _carry(self, attachment: Attachment) -> None:
        try:
            self._carry_one(attachment)
        except DatabaseBusy as busy:
            log.warning("a file waits, the database is busy: %s", busy, extra={"attachment_id": attachment.id})
        except Exception:
            log.exception("a file could not be moved, and is tried again", extra={"attachment_id": attachment.id})
        finally:
            with self._counting:
                self._busy[attachment.connection_id] -= 1

    def _carry_one(self, attachment: Attachment) -> None:
        work = {"upload": self._upload, "download": self._download, "tell": self._tell}[attachment.step or "tell"]
        with self.database.reading() as session:
            connection = session.get_one(Connection, attachment.connection_id)
        try:
            with self.caller.opened(connection) as call:
                work(attachment, call)
        except AttachmentRefused as refusal:
            self._refuse(attachment, refusal.message)
        except ProviderRefused as refused:
            if refused.code in _FINAL:
                self._refuse(attachment, refused.detail)
            else:
                self._try_later(attachment, str(refused))
        except SendFailed as failed:
            self._try_later(attachment, str(failed))

    def _upload(self, attachment: Attachment, call: Call) -> None:
        offset = attachment.moved_bytes
        while True:
            try:
                piece = self.files.read(attachment.sha256, offset, CHUNK_LIMIT_BYTES)
            except FileNotFoundError:
                raise AttachmentRefused("gone", "The file is not on the disk of this instance any more.") from None
            path = f"/attachments/{attachment.id}/content?offset={offset}"
            try:
                answer = call.send_bytes("PUT", path, piece, deadline_s=_PIECE_DEADLINE_S)
            except ProviderRefused as refused:
                received = refused.document.get("received_bytes")
                if refused.code != "offset_differs" or type(received) is not int or received == offset:
                    raise
                offset = min(max(received, 0), attachment.size_bytes)
                continue
            failpoints.hit("attachment.after_upload")
            if answer.get("state") == AttachmentState.THERE:
                self._change(attachment, **_DONE, moved_bytes=attachment.size_bytes)
                return
            offset += len(piece)
            if not self._progress(attachment, offset):
                return

    def _download(self, attachment: Attachment, call: Call) -> None:
        self.limits.check(attachment.name, attachment.size_bytes)
        key = f"{attachment.connection_id}.{attachment.id}"
        offset = self.files.received(key)
        while offset < attachment.size_bytes:
            last = min(offset + CHUNK_LIMIT_BYTES, attachment.size_bytes) - 1
            piece = call.fetch_bytes(
                f"/attachments/{attachment.id}/content", offset, last, deadline_s=_PIECE_DEADLINE_S
            )
            try:
                offset = self.files.append(key, offset, piece)
            except OffsetDiffers as differs:  # another process fetches it, too, and was faster
                offset = differs.received_bytes
            failpoints.hit("attachment.after_download")
            if not self._progress(attachment, offset):
                return
        if not self._finish(attachment, key):
            return
        if attachment.own:  # it was lost here, and the provider knows that it has it
            self._change(attachment, step=None, due_at=None)
        else:
            self._tell(attachment, call)

    def _finish(self, attachment: Attachment, key: str) -> bool:
        """False if another process was faster."""
        try:
            beginning = self.files.finish(key, attachment.sha256)
        except OffsetDiffers:
            return False
        if beginning is None:
            raise AttachmentRefused("content_differs", "What arrived is not what was announced: its hash differs.")
        try:
            check_beginning(attachment.name, beginning)
        except AttachmentRefused:
            self.files.discard(key)
            raise
        failpoints.hit("attachment.before_commit")
        told = {"state": AttachmentState.THERE, "problem": None, "step": "tell", "moved_bytes": attachment.size_bytes}
        self._change(attachment, **told)
        self.files.discard(key)
        attachment.state, attachment.problem = AttachmentState.THERE, None
        return True

    def _tell(self, attachment: Attachment, call: Call) -> None:
        """The provider learns what became of its file."""
        body = {"state": str(attachment.state)}
        if attachment.problem:
            body["reason"] = attachment.problem[:1000]
        call.send("PUT", f"/attachments/{attachment.id}/outcome", body, deadline_s=_PIECE_DEADLINE_S)
        self._change(attachment, step=None, due_at=None, failures=0)

    def _refuse(self, attachment: Attachment, reason: str) -> None:
        """Of ours, that is the end; of the provider's, it has to be told."""
        with self.database.transaction() as session:
            row = session.get_one(Attachment, (attachment.connection_id, attachment.id), with_for_update=True)
            if row.step == "tell":  # the provider does not know the file any more: there is nobody to tell
                row.step = row.due_at = None
                return
            refuse(row, reason)
            if not row.own:
                row.step, row.due_at = "tell", self.clock()

    def _progress(self, attachment: Attachment, moved_bytes: int) -> bool:
        """False if somebody else has it now, or nobody wants it any more."""
        attachment.moved_bytes = moved_bytes
        later = self.clock() + timedelta(seconds=_HELD_S)
        return self._change(attachment, moved_bytes=moved_bytes, due_at=later, failures=0)

    def _try_later(self, attachment: Attachment, why: str) -> None:
        failures = attachment.failures + 1
        pause_s = backoff.probe_pause_s(failures, 0.0, random.random())  # noqa: S311 - spreads, and guards nothing
        log.warning("a file is tried again: %s", why, extra={"attachment_id": attachment.id, "failures": failures})
        self._change(attachment, failures=failures, due_at=self.clock() + timedelta(seconds=pause_s))

    def _change(self, attachment: Attachment, **values: object) -> bool:
        """Whether it was still as this thread left it."""
        same = (Attachment.connection_id == attachment.connection_id) & (Attachment.id == attachment.id)
        mine = same & (Attachment.due_at == attachment.due_at) & (Attachment.step == attachment.step)
        with self.database.transaction() as session:
            changed = session.execute(update(Attachment).where(mine).values(values).returning(Attachment.id)).first()
        for name in ("due_at", "step", "state", "failures"):
            if changed and name in values:
                setattr(attachment, name, values[name])
        return changed is not None


_DONE = {"state": AttachmentState.THERE, "problem": None, "step": None, "due_at": None, "failures": 0}


def run_lane(lane: AttachmentLane, stop: threading.Event, every_s: float = 1.0) -> None:
    """Until `stop` is set. What is under way then ends with the process, and goes on from where it was."""
    while not stop.wait(every_s):
        try:
            lane.start_due()
        except DatabaseBusy as busy:
            log.warning("files wait, the database is busy: %s", busy)
        except Exception:
            log.exception("the lane of attachments failed, and is tried again")
