"""How the receiver misbehaves on purpose. The switch is a row, so that all processes of the instance agree, and
counts itself down.

Modes: `slow` (answers after `seconds`), `error` (answers `status`), `offline` (503 without a look at the batch),
`lose_answer` (applies, then breaks the connection), `reject` (judges events of `type` or of `stream` rejected),
`duplicate` (receives the batch a second time, as if it had been sent twice, and answers that), `reorder` (looks at the
batch from its end, as if its events had overtaken each other). Without a row all is well.

The last two stand for what networks and senders do: a receiver can bring about a second sending only by losing an
answer, and a wrong order not at all. They happen here between the signature and the inbox, so the inbox and everything
behind it are those of every day.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, or_, update
from sqlalchemy.orm import Session

from bridge.envelope import Event
from bridge.inbox import Handler, Rejection
from consumer_sim.models import FaultSwitch


@dataclass(frozen=True, slots=True)
class Fault:
    """A switch as it stood when a batch came in. `times` is how often it still applies; None: until it is changed."""

    mode: str = "ok"
    times: int | None = None
    seconds: float | None = None
    status: int | None = None
    type: str | None = None
    stream: str | None = None

    def rejects(self, event: Event) -> bool:
        named = self.type is not None or self.stream is not None
        return (
            self.mode == "reject" and named and self.type in (None, event.type) and self.stream in (None, event.stream)
        )

    def distorts(self, events: Sequence[Event]) -> bool:
        """Whether the batch is judged twice, or from its end; one without two events of a record has no order."""
        streams = Counter(event.stream for event in events if event.sequence)
        return bool(streams) and (self.mode == "duplicate" or (self.mode == "reorder" and max(streams.values()) > 1))


NO_FAULT = Fault()


def get_fault(session: Session) -> Fault:
    switch = session.get(FaultSwitch, 1)
    if switch is None or switch.times == 0:
        return NO_FAULT
    return Fault(switch.mode, switch.times, switch.seconds, switch.status, switch.type, switch.stream)


def set_fault(session: Session, fault: Fault) -> None:
    session.execute(delete(FaultSwitch))
    if fault.mode != "ok":
        session.add(
            FaultSwitch(
                mode=fault.mode,
                times=fault.times,
                seconds=fault.seconds,
                status=fault.status,
                type=fault.type,
                stream=fault.stream,
            )
        )


def use_fault(session: Session, fault: Fault) -> bool:
    """Count one use. False when another process used the last one, or the switch was changed since."""
    left = or_(FaultSwitch.times.is_(None), FaultSwitch.times > 0)
    used = update(FaultSwitch).where(FaultSwitch.mode == fault.mode, left).values(times=FaultSwitch.times - 1)
    return session.execute(used.returning(FaultSwitch.mode)).first() is not None


class RejectingHandler:
    """A handler behind a `reject` switch: the events it names are refused, everything else goes through."""

    def __init__(self, handler: Handler, fault: Fault) -> None:
        self._handler = handler
        self._fault = fault

    def check(self, session: Session, connection_id: str, events: Sequence[Event]) -> Mapping[str, Rejection]:
        refused = {
            event.id: Rejection("refused by a fault switch of this consumer")
            for event in events
            if self._fault.rejects(event)
        }
        return {**self._handler.check(session, connection_id, events), **refused}

    def apply(self, session: Session, connection_id: str, events: Sequence[Event], now: datetime) -> None:
        self._handler.apply(session, connection_id, events, now)
