"""When to try again: growing pauses that never end, and Retry-After within reason."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.backoff import Outcome, outcome_of_status, probe_pause_s, retry_after_s, stream_pause_s

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (401, Outcome.REFUSED),
        (403, Outcome.REFUSED),
        (410, Outcome.REFUSED),
        (429, Outcome.THROTTLED),
        (503, Outcome.THROTTLED),
        (500, Outcome.FAILED),
        (502, Outcome.FAILED),
        (404, Outcome.FAILED),
        (302, Outcome.FAILED),
        (204, Outcome.FAILED),
    ],
)
def test_a_status_says_something_about_the_connection_only(status: int, outcome: Outcome) -> None:
    assert outcome_of_status(status) is outcome


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("0", 0.0),
        ("120", 120.0),
        ("999999999", 3600.0),
        ("1e9", None),
        ("\u0661\u0662", None),
        ("9" * 500, 3600.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0.0),
        ("Sat, 99 Nov 2026 09:00:00 GMT", None),
    ],
)
def test_retry_after_is_honoured_between_zero_and_an_hour(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, now=NOW) == seconds


def test_probes_begin_within_a_second_double_to_sixteen_and_then_follow_the_outage() -> None:
    pauses = [probe_pause_s(failures, 0.0, 0.5) for failures in range(1, 9)]
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 16.0, 16.0]
    assert probe_pause_s(50, 600.0, 0.5) == 60.0
    assert probe_pause_s(500, 1e9, 0.5) == 900.0


@given(st.integers(0, 10**9), st.floats(0, 1e12), st.floats(0, 1))
def test_a_probe_always_comes_within_fifteen_minutes(failures: int, failing_for_s: float, dice: float) -> None:
    assert 0 < probe_pause_s(failures, failing_for_s, dice) <= 900


@given(st.floats(0.001, 100), st.integers(0, 10**9), st.floats(0, 1))
def test_a_stream_is_tried_again_within_an_hour(base_s: float, failures: int, dice: float) -> None:
    assert 0 < stream_pause_s(base_s, failures, dice) <= 3600
