"""The demo from the first process to the last: start everything, tell the story, compare both sides, and clean up."""

import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from sxg.compare import compare, report_lines
from sxg.demo.cast import COMPANIES, CONSUMERS, Cast, gather, name_instances
from sxg.demo.show import Show
from sxg.demo.story import Story
from sxg.demo.tables import show_inventory, show_states
from sxg.deployment import Deployment
from sxg.failures import REFUSED

_SETTINGS = {"SXG_SWEEP_S": "1"}
"""What was put off is tried again soon after its time has come, so that nobody waits for the sweeper."""


class Stopped(BaseException):
    """Somebody asked the demo to stop; like KeyboardInterrupt, nothing in between should swallow it."""


def run(*, once: bool, data_dir: Path | None) -> int:
    """The exit code: 0 when the provider and both consumers were equal at the end of the story."""
    show = Show()
    with _ended_by_signals(), _directory(data_dir, show) as directory:
        try:
            return _perform(show, directory, once)
        except Stopped:
            show.line("stopped")
            return 0 if not once else REFUSED


def _perform(show: Show, directory: Path, once: bool) -> int:
    started = time.monotonic()
    deployment = Deployment(directory, consumers=CONSUMERS, settings=_SETTINGS)
    name_instances(deployment)
    try:
        with show.step("supervisor", "starts a provider and two consumers") as step:
            deployment.start()
            step.says(f"{len(deployment.environments)} processes and Redis, a database for each of the three")
        cast = gather(deployment)
        equal = _tell(show, deployment, cast)
        _show_addresses(show, cast)
        show.line(f"done in {time.monotonic() - started:.1f} s", "dim")
        if not once:
            _stay(show, deployment, cast)
        cast.close()
    finally:
        deployment.stop()
    return 0 if equal else REFUSED


def _tell(show: Show, deployment: Deployment, cast: Cast) -> bool:
    story = Story(deployment, cast, show)
    story.tell()
    show.heading("18:00  The day is over")
    for consumer in cast.consumers:
        show_inventory(show, consumer)
    for consumer in cast.consumers:
        show_states(show, consumer, story.orders_of(consumer), story.outage)
    return _compare(show, cast)


def _compare(show: Show, cast: Cast) -> bool:
    """Whether each consumer and the provider hold the same."""
    show.heading("sxg compare")
    reports = [compare(cast.exchange_admin, consumer.client, timeout_s=30) for consumer in cast.consumers]
    for consumer, report in zip(cast.consumers, reports, strict=True):
        for line in report_lines(report):
            show.line(f"{consumer.company}: {line}", "red" if report.differences else "green")
    return not any(report.differences for report in reports)


def _show_addresses(show: Show, cast: Cast) -> None:
    show.heading("Pages (each also with /api-docs, /metrics and /health)")
    for company, (url, people) in zip(COMPANIES.values(), cast.sign_ins.items(), strict=True):
        show.line(f"  {company:<17} {url}  sign in as {' or '.join(people)}")
    show.line(f"  everybody's password: {cast.password}")


def _stay(show: Show, deployment: Deployment, cast: Cast) -> None:
    """Tell how to go on by hand, and wait."""
    show.heading("Everything stays up until Ctrl-C. In another terminal:")
    url, token = deployment.provider.url, cast.exchange_admin.token
    show.line(f"  export SXG_PROVIDER_URL={url} SXG_PROVIDER_TOKEN={token}")
    for consumer in cast.consumers:
        ours = consumer.client
        show.line(f"  SXG_CONSUMER_URL={ours.url} SXG_CONSUMER_TOKEN={ours.token} sxg compare  # {consumer.company}")
    show.line(f"  SXG_URL={url} SXG_TOKEN={token} sxg deliveries list")
    show.heading("Tokens of the provider's users (Authorization: Bearer ...):")
    for role, token in cast.tokens.items():
        show.line(f"  {role:<17} {token}")
    show.line(f"  data and logs: {deployment.directory}")
    threading.Event().wait()


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
