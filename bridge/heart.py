"""The part of a sweeper that beats: each connection on time, however long another takes to answer, and beside it the
chores that look after connections now and then.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from bridge import heartbeats
from bridge.database import Database
from bridge.errors import DatabaseBusy
from bridge.heartbeats import Beat, Digests
from bridge.issues import note_divergence
from bridge.models import Connection
from bridge.repairing import Position, bring_together, read_digest

log = logging.getLogger(__name__)

_AT_ONCE = 64
"""Beats under way. A silent peer takes a place for as long as an answer may take, and nobody else's."""
_TICK_S = 1.0


@dataclass
class Heart:
    """`beat` sends what it is given to one connection and never raises for what the other side does. `says` adds to
    what a beat says. Chores are called every `every_s`, one after the other.
    """

    database: Database
    clock: Callable[[], datetime]
    every_s: float
    beat: Callable[[Connection, Mapping[str, Any]], Beat]
    digests: bool
    """Whether the other side can compare; only who receives numbered events can."""
    says: Callable[[Session, Connection], Mapping[str, Any]] = lambda *_: {}
    chores: Sequence[Callable[[], None]] = ()
    lease_s: float = 30.0
    """How long a drain may hold a connection."""
    errands: Sequence[Callable[[], None]] = ()
    """Chores that cannot wait: called about every second, so each must be one small read when there is nothing to do.
    """
    _places: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(_AT_ONCE))

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set. Beats that are still under way then are let go: they end with the process."""
        tick_s, chores_at = min(_TICK_S, self.every_s / 4), time.monotonic()
        while not stop.wait(tick_s):
            for errand in (self.start_beats, *self.errands):
                self._guarded(errand)
            if time.monotonic() >= chores_at:
                chores_at = time.monotonic() + self.every_s
                for chore in self.chores:
                    self._guarded(chore)

    def start_beats(self) -> list[threading.Thread]:
        """One thread for each beat that is due, as far as there is room."""
        now = self.clock()
        with self.database.reading() as session:
            if not heartbeats.find_due(session, now):
                return []
        free = self._take_places()
        due: list[str] = []
        try:
            with self.database.transaction() as session:
                due = heartbeats.claim_beats(session, every_s=self.every_s, now=now, limit=free)
        finally:
            for _ in range(free - len(due)):
                self._places.release()
        threads = [threading.Thread(target=self._beat, args=(one,), name="heartbeat", daemon=True) for one in due]
        for thread in threads:
            thread.start()
        return threads

    def _take_places(self) -> int:
        """As many as are free: what is claimed is also sent."""
        return next(count for count in range(_AT_ONCE + 1) if not self._places.acquire(blocking=False))

    def _beat(self, connection_id: str) -> None:
        try:
            self._guarded(lambda: self._beat_one(connection_id))
        finally:
            self._places.release()

    def _beat_one(self, connection_id: str) -> None:
        now = self.clock()
        with self.database.reading() as session:
            connection = session.get_one(Connection, connection_id)
            said = heartbeats.compose_beat(session, connection_id, every_s=self.every_s, now=now)
            sent = heartbeats.next_digests(session, connection_id) if self.digests else {}
            said |= self.says(session, connection)
        if sent:
            said["digests"] = heartbeats.rows_of(sent)
        beat = self.beat(connection, said)
        with self.database.transaction() as session:
            differences = heartbeats.note_beat(session, connection_id, beat, sent, now=self.clock())
            if beat.digests:
                news = note_divergence(session, connection_id, list(sent), differences, now=self.clock())
                self._send_again(session, connection_id, news, sent, beat)

    def _send_again(
        self, session: Session, connection_id: str, streams: Sequence[str], sent: Digests, beat: Beat
    ) -> None:
        """What the other side lost is sent once more, the first time that it is noticed; if that does not help, people
        must look.
        """
        behind = {one: beat.digests[one] for one in streams if one in beat.digests}
        positions = {
            stream: Position(sequence, read_digest(text))
            for stream, (sequence, text) in behind.items()
            if 0 <= sequence < sent[stream][0]
        }
        if positions:
            bring_together(session, connection_id, positions, lease_s=self.lease_s, now=self.clock())

    def _guarded(self, work: Callable[[], object]) -> None:
        """What fails is logged, and comes again with the next beat."""
        try:
            work()
        except DatabaseBusy as busy:
            log.warning("looking after connections waits, the database is busy: %s", busy)
        except Exception:
            log.exception("looking after connections failed")
