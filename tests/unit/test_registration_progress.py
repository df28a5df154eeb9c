"""Does a registration say at which step it stands, what it is stuck at, and what helps?"""

from datetime import UTC, datetime, timedelta

import pytest

from provider.domain.registrations import Progress, Stage, find_progress

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
REFUSED = "the callback did not prove itself: connection refused"
ANEW = "sxg registration reissue REG0000001, and hand the new token over"


@pytest.mark.parametrize(
    ("state", "problem", "left_s", "progress"),
    [
        ("open", None, 1, Progress("complete", Stage.UNUSED, None, f"hand the token over; if it is lost: {ANEW}")),
        ("open", None, 0, Progress("complete", Stage.EXPIRED, "the token expired before it was used", ANEW)),
        (
            "open", "/callback_url: no", 1,
            Progress("complete", Stage.REFUSED, "/callback_url: no",
                     "correct that, and let the consumer try again with the same token"),
        ),
        (
            "open", "/callback_url: no", 0,
            Progress("complete", Stage.EXPIRED, "the token expired before it was used; /callback_url: no", ANEW),
        ),
        (
            "work_in_progress", None, 1,
            Progress("verify", Stage.UNPROVEN,
                     "the consumer has its credentials, but its callback has not proven itself yet",
                     f"let the consumer repeat it; if it lost its credentials: {ANEW}"),
        ),
        (
            "work_in_progress", REFUSED, 0,
            Progress("verify", Stage.UNPROVEN, REFUSED,
                     f"let the consumer repeat it; if it lost its credentials: {ANEW}"),
        ),
        ("closed_complete", None, 0, Progress("done", Stage.CONNECTED, None, None)),
        (
            "closed_incomplete", REFUSED, 1,
            Progress("closed", Stage.REVOKED, "it was revoked before it was verified", "register the consumer anew"),
        ),
    ],
)  # fmt: skip
def test_each_state_has_a_step_a_problem_and_an_advice(
    state: str, problem: str | None, left_s: int, progress: Progress
) -> None:
    assert find_progress(state, "REG0000001", problem, NOW + timedelta(seconds=left_s), now=NOW) == progress
