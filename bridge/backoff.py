"""What an HTTP outcome means, and when to try again. Pure: the clock and the dice are arguments."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

PROBE_PAUSE_LIMIT_S = 900.0
RETRY_AFTER_LIMIT_S = 3600.0
_FIRST_PAUSE_S = 0.5
_DOUBLING_LIMIT_S = 16.0


class Outcome(StrEnum):
    """What came of one POST or call, as the attempts say it."""

    JUDGED = "judged"
    FAILED = "failed"
    REFUSED = "refused"
    """401, 403, 410: people must look; probing goes on."""
    THROTTLED = "throttled"
    SLOW = "slow"
    """Too slow for the fast lane; the slow lane tries at once, and nothing is held against the connection."""


def outcome_of_status(status: int) -> Outcome:
    """A status other than 200 says nothing about any event, only about the connection."""
    if status in (401, 403, 410):
        return Outcome.REFUSED
    if status in (429, 503):
        return Outcome.THROTTLED
    return Outcome.FAILED


def retry_after_s(value: str | None, *, now: datetime) -> float | None:
    """Seconds asked for by a `Retry-After` header, between 0 and one hour; None when it is absent or nonsense."""
    if not value:
        return None
    try:
        seconds = float(value) if value.strip().isascii() and value.strip().isdigit() else _seconds_until(value, now)
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_LIMIT_S)


def _seconds_until(value: str, now: datetime) -> float:
    moment = parsedate_to_datetime(value)
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()


def probe_pause_s(failures: int, failing_for_s: float, dice: float) -> float:
    """The pause before the next probe of a connection that failed `failures` times in a row, over `failing_for_s`
    seconds.

    It doubles from half a second to 16 s, then is a tenth of the outage, at most 15 minutes: so a return is noticed
    within a tenth of the time the peer was away. `dice` in 0..1 spreads it by 20 % either way.
    """
    doubling = min(_FIRST_PAUSE_S * 2.0 ** min(max(failures - 1, 0), 10), _DOUBLING_LIMIT_S)
    return min(max(doubling, failing_for_s / 10) * (0.8 + 0.4 * dice), PROBE_PAUSE_LIMIT_S)


def stream_pause_s(base_s: float, failures: int, dice: float) -> float:
    """The pause of one stream after `failures` refusals of its head: it doubles from `base_s`, to an hour at most."""
    return min(base_s * 2.0 ** min(max(failures - 1, 0), 16) * (0.8 + 0.4 * dice), RETRY_AFTER_LIMIT_S)
