"""How far a registration came, what it is stuck at, and what to do about that."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Stage(StrEnum):
    """Why a registration stands where it does: what helps depends on that."""

    UNUSED = "registration_unused"
    REFUSED = "registration_refused"
    EXPIRED = "registration_expired"
    UNPROVEN = "registration_unproven"
    REVOKED = "registration_revoked"
    CONNECTED = "registration_connected"


@dataclass(frozen=True, slots=True)
class Progress:
    """`step` is what has to happen next: `complete` (the consumer comes with its token), `verify` (its callback proves
    itself), or nothing more: `done`, `closed`. `problem` is what it is stuck at, `advice` what helps at the command
    line.
    """

    step: str
    stage: Stage
    problem: str | None
    advice: str | None


def find_progress(
    state: str, number: str, problem: str | None, token_expires_at: datetime, *, now: datetime
) -> Progress:
    """`problem` is what the consumer was refused with when it last tried."""
    anew = f"sxg registration reissue {number}, and hand the new token over"
    if state == "closed_complete":
        return Progress("done", Stage.CONNECTED, None, None)
    if state == "closed_incomplete":
        lost = "it was revoked before it was verified"
        return Progress("closed", Stage.REVOKED, lost, "register the consumer anew")
    if state == "work_in_progress":
        missing = "the consumer has its credentials, but its callback has not proven itself yet"
        again = f"let the consumer repeat it; if it lost its credentials: {anew}"
        return Progress("verify", Stage.UNPROVEN, problem or missing, again)
    if token_expires_at <= now:
        expired = "; ".join(filter(None, ["the token expired before it was used", problem]))
        return Progress("complete", Stage.EXPIRED, expired, anew)
    if problem:
        again = "correct that, and let the consumer try again with the same token"
        return Progress("complete", Stage.REFUSED, problem, again)
    return Progress("complete", Stage.UNUSED, None, f"hand the token over; if it is lost: {anew}")
