"""The demo from the first process to the last: start everything, tell the story, compare both sides, and clean up."""

import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

from sxg.compare import compare, report_lines
from sxg.demo.cast import Cast, gather
from sxg.demo.show import Show
from sxg.demo.story import Story
from sxg.deployment import Deployment
from sxg.failures import REFUSED

STATES = "Every state of the order, as the consumer was told"


class Stopped(BaseException):
    """Somebody asked the demo to stop; like KeyboardInterrupt, nothing in between should swallow it."""


def run(*, once: bool, data_dir: Path | None) -> int:
    """The exit code: 0 when both sides were equal at the end of the story."""
    show = Show()
    with _ended_by_signals(), _directory(data_dir, show) as directory:
        try:
            return _perform(show, directory, once)
        except Stopped:
            show.line("stopped")
            return 0 if not once else REFUSED


def _perform(show: Show, directory: Path, once: bool) -> int:
    started = time.monotonic()
    deployment = Deployment(directory)
    try:
        with show.step("supervisor", "starts Redis, two web servers, four workers and two sweepers") as step:
            deployment.start()
            step.says(f"provider {deployment.provider.url}, consumer {deployment.consumer.url}")
        cast = gather(deployment)
        equal = _tell(show, cast)
        show.line(f"done in {time.monotonic() - started:.1f} s", "dim")
        if not once:
            _stay(show, deployment, cast)
        cast.close()
    finally:
        deployment.stop()
    return 0 if equal else REFUSED


def _tell(show: Show, cast: Cast) -> bool:
    story = Story(cast, show)
    story.tell()
    show.table(STATES, ("#", "order state", "the consumer shows", "ms to arrive"), list(map(_row, story.timeline())), 3)
    report = compare(cast.exchange_admin, cast.consumer, timeout_s=30)
    show.heading("sxg compare")
    for line in report_lines(report):
        show.line(line, "red" if report.differences else "green")
    return not report.differences


def _stay(show: Show, deployment: Deployment, cast: Cast) -> None:
    """Tell how to go on by hand, and wait."""
    show.heading("Both instances stay up until Ctrl-C. In another terminal:")
    for line in (
        f"export SXG_PROVIDER_URL={deployment.provider.url} SXG_PROVIDER_TOKEN={cast.exchange_admin.token}",
        f"export SXG_CONSUMER_URL={deployment.consumer.url} SXG_CONSUMER_TOKEN={cast.consumer.token}",
        "sxg compare",
        f"export SXG_URL={deployment.provider.url} SXG_TOKEN={cast.exchange_admin.token}",
        "sxg deliveries list",
    ):
        show.line(f"  {line}")
    show.heading("Tokens of the provider's users (Authorization: Bearer ...):")
    for role, token in cast.tokens.items():
        show.line(f"  {role:<17} {token}")
    show.line(
        f"  documents of the APIs: {deployment.provider.url}/openapi.json, {deployment.consumer.url}/openapi.json"
    )
    show.line(f"  data and logs: {deployment.directory}")
    threading.Event().wait()


def _row(step: Mapping[str, Any]) -> tuple[str, str, str, str]:
    passed = datetime.fromisoformat(step["received_at"]) - datetime.fromisoformat(step["at"])
    return str(step["sequence"]), step["order_state_label"], step["state_label"], f"{passed.total_seconds() * 1000:.0f}"


@contextmanager
def _directory(data_dir: Path | None, show: Show) -> Iterator[Path]:
    """The directory of everything: a given one stays, one of our own goes, except after a failure."""
    if data_dir is not None:
        yield data_dir
        return
    own = Path(tempfile.mkdtemp(prefix="sxg-demo-"))
    try:
        yield own
    except Exception:
        show.line(f"data and logs stay in {own}")
        raise
    shutil.rmtree(own, ignore_errors=True)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        # Once: a second Ctrl-C must not interrupt the stopping of the children.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise Stopped

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
