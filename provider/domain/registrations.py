"""How far a registration came, what it is stuck at, and what to do about that."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Progress:
    """`step` is what has to happen next: `complete` (the consumer comes with its token), `verify` (its callback proves
    itself), or nothing more: `done`, `closed`. `problem` is what it is stuck at, `advice` what helps.
    """

    step: str
    problem: str | None
    advice: str | None


def find_progress(
    state: str, number: str, problem: str | None, token_expires_at: datetime, *, now: datetime
) -> Progress:
    """`problem` is what the consumer was refused with when it last tried."""
    anew = f"sxg registration reissue {number}, and hand the new token over"
    if state == "closed_complete":
        return Progress("done", None, None)
    if state == "closed_incomplete":
        return Progress("closed", "it was revoked before it was verified", "register the consumer anew")
    if state == "work_in_progress":
        missing = "the consumer has its credentials, but its callback has not proven itself yet"
        return Progress("verify", problem or missing, f"let the consumer repeat it; if it lost its credentials: {anew}")
    if token_expires_at <= now:
        return Progress("complete", "; ".join(filter(None, ["the token expired before it was used", problem])), anew)
    if problem:
        return Progress("complete", problem, "correct that, and let the consumer try again with the same token")
    return Progress("complete", None, f"hand the token over; if it is lost: {anew}")
