"""What is wrong with the flow to a connection, and what to do about it? Words for people; nothing is asked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.flow import Flow
from bridge.health import Condition
from bridge.vocabulary import CODE_COPIED, CODE_NOT_ACTIVE

WAITS_LIMIT = timedelta(minutes=5)
"""Longer nothing waits to be sent to a side that answers, unless something is wrong."""


@dataclass(frozen=True, slots=True)
class Ailment:
    """One fault, and what helps. `kind` names the fault for those who know better what helps where they are."""

    kind: str
    fault: str
    advice: str


def find_ailments(flow: Flow, now: datetime) -> list[Ailment]:
    """Everything that is wrong with a flow, the worst first; empty for one that is well or need not flow."""
    found = [(kind, fault, advice) for kind, rule, advice in _RULES if (fault := rule(flow, now))]
    return [Ailment(kind, fault, advice.format(id=flow.connection_id)) for kind, fault, advice in found]


def ago(moment: datetime | None, now: datetime) -> str:
    return "never" if moment is None else f"{_span((now - moment).total_seconds())} ago"


def _diverged(flow: Flow, _: datetime) -> str:
    return f"stopped: {flow.state_reason}" if flow.state == "diverged" else ""


def _copy_of_them(flow: Flow, _: datetime) -> str:
    if flow.refused_epoch is None or flow.state == "revoked":
        return ""
    return "refused: an instance with their identity, whose database is a copy of theirs or was restored"


def _we_are_a_copy(flow: Flow, now: datetime) -> str:
    said = flow.last_error if flow.failures else flow.outbound.error
    if CODE_COPIED not in (said or "") or flow.state == "revoked":
        return ""
    return "they refuse this instance: its database is a copy of the one they know, or was restored"


def is_paused_there(error: str | None) -> bool:
    """Whether the last error says that the other side has paused the connection."""
    return f"{CODE_NOT_ACTIVE}, paused" in (error or "")


def _paused_there(flow: Flow, _: datetime) -> str:
    is_so = flow.failures and flow.state == "active" and is_paused_there(flow.last_error)
    return "the other side has paused this connection" if is_so else ""


def _has_parked(flow: Flow, _: datetime) -> str:
    return "parked deliveries hold up their records" if flow.parked and flow.state != "revoked" else ""


def _fails(flow: Flow, now: datetime) -> str:
    if not flow.failures or flow.state != "active" or is_paused_there(flow.last_error):
        return ""
    probe = f", next probe {_in(flow.not_before, now)}" if flow.not_before else ""
    return f"failed {flow.failures} times since {ago(flow.failing_since, now)}{probe}: {flow.last_error}"


def _paused(flow: Flow, _: datetime) -> str:
    return f"paused by people: {flow.state_reason or 'no reason given'}" if flow.state == "paused" else ""


def _noted(flow: Flow, _: datetime) -> str:
    return f"note: {flow.state_reason}" if flow.state == "active" and flow.state_reason else ""


def _held(flow: Flow, _: datetime) -> str:
    if not flow.held or flow.state == "revoked":
        return ""
    return f"{flow.held} events are held: their version does not know them yet"


def _outbound_down(flow: Flow, now: datetime) -> str:
    if flow.failures or flow.state == "revoked" or flow.outbound.condition(now) is not Condition.DOWN:
        return ""  # while deliveries fail, that says more
    return f"down towards them: {flow.outbound.missed} heartbeats were not answered: {flow.outbound.error}"


def _inbound_down(flow: Flow, now: datetime) -> str:
    if flow.state == "revoked" or flow.inbound.condition(now) is not Condition.DOWN:
        return ""
    return f"down from them: their last heartbeat came {ago(flow.inbound.beat_at, now)}"


def _waits_long(flow: Flow, now: datetime) -> str:
    """Nobody sends, too much is to be sent, or one record is put off again and again while the others go through."""
    if flow.state != "active" or flow.failures or flow.oldest_at is None or now - flow.oldest_at <= WAITS_LIMIT:
        return ""
    return f"late: of {flow.waiting} waiting the oldest is from {ago(flow.oldest_at, now)}"


def _slow(flow: Flow, now: datetime) -> str:
    slow = [one for one in (flow.outbound, flow.inbound) if one.condition(now) is Condition.SLOW]
    if flow.state == "revoked" or not slow:
        return ""
    return f"slow: a heartbeat took {max(one.round_trip_s or 0.0 for one in slow):.1f} s"


_RULES: Sequence[tuple[str, Callable[[Flow, datetime], str], str]] = (
    ("diverged", _diverged, "compare both sides (sxg compare), mend, then: sxg connection resume {id}"),
    (
        "copy_of_them",
        _copy_of_them,
        "ask them. Restored: sxg connection accept {id}, then compare. A copy: have it stopped, then "
        "sxg connection accept {id} --refuse",
    ),
    (
        "we_are_a_copy",
        _we_are_a_copy,
        "is this a copy, for tests? Stop it, or revoke its connections here. Is it the original, restored? Ask the "
        "other side to accept it",
    ),
    ("parked", _has_parked, "sxg deliveries list --state parked --connection {id}; then replay or skip each"),
    (
        "failing",
        _fails,
        "nothing is lost and probes go on; if it lasts, tell the other side. A call of theirs ends the pause",
    ),
    (
        "paused_there",
        _paused_there,
        "nothing is lost, and everything goes on when they resume it; ask them why it is paused",
    ),
    ("paused", _paused, "when the reason is gone: sxg connection resume {id}; everything is kept"),
    ("noted", _noted, "compare both sides: sxg compare"),
    (
        "outbound_down",
        _outbound_down,
        "nothing is lost. Is the other side up, and its address right? sxg connection show {id}",
    ),
    (
        "inbound_down",
        _inbound_down,
        "ask the other side whether its sweeper runs, and whether it reaches this instance: sxg doctor there tells",
    ),
    (
        "late",
        _waits_long,
        "what is it, and what was said? sxg deliveries list --state pending --connection {id}. Is a worker or the "
        "sweeper running? sxg doctor",
    ),
    (
        "held",
        _held,
        "nothing is lost: they are sent once the other side is upgraded and says that it knows them",
    ),
    ("slow", _slow, "everything arrives, later. If it lasts, one of the sides needs more processes"),
)


KINDS = tuple(kind for kind, _, _ in _RULES)
"""Every kind of ailment that a flow has."""
ADVICE: Mapping[str, str] = {
    **{kind: advice for kind, _, advice in _RULES},
    "differs": "compare both sides (sxg compare), and mend what differs",
}
"""What helps, by the kind of an issue; `{id}` is the connection's."""


def _in(moment: datetime, now: datetime) -> str:
    left_s = (moment - now).total_seconds()
    return f"in {_span(left_s)}" if left_s > 0 else "due"


def _span(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
