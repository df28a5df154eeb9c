"""Does the demo tell the whole story, with both sides equal at its end, and leave nothing behind?"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

MARK = "SXG_TEST_MARK"
STORY = (
    "imports the catalog",
    "registers the consumer",
    "connects",
    "receives the remote catalog item",
    "activates the item",
    "orders 2 SD-WAN Packages",
    "accepts the provider task",
    "asks the consumer",
    "answers",
    "approves",
    "completes the order tasks",
    "sees the task closed",
    "has the products in its inventory",
)


def marked_processes(mark: str) -> list[str]:
    """The command lines of living processes that inherited the mark; a zombie has no environment any more."""
    found = []
    for directory in Path("/proc").iterdir():
        try:
            if directory.name.isdigit() and f"{MARK}={mark}".encode() in (directory / "environ").read_bytes():
                found.append((directory / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


class Demo:
    """`sxg demo` in a session of its own, its output collected while it runs."""

    def __init__(self, *arguments: str) -> None:
        self.mark = str(uuid4())
        self.output = ""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SXG_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sxg", "demo", *arguments],
            env={**inherited, MARK: self.mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.output += line

    def wait(self, timeout_s: float) -> int:
        code = self.process.wait(timeout_s)
        self._reader.join(5)
        return code

    def is_up(self) -> bool:
        return "openapi.json" in self.output

    def until(self, condition: Callable[[], bool], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)


@pytest.fixture
def start() -> Iterator[Callable[..., Demo]]:
    demos: list[Demo] = []

    def start_demo(*arguments: str) -> Demo:
        demos.append(Demo(*arguments))
        return demos[-1]

    yield start_demo
    for demo in demos:
        if demo.process.poll() is None:
            demo.process.kill()
            demo.process.wait()
        if demo.process.stdout:
            demo.process.stdout.close()


def test_one_pass_tells_the_story_and_leaves_nothing_behind(start: Callable[..., Demo]) -> None:
    demo = start("--once")
    assert demo.wait(120) == 0, demo.output
    places = [demo.output.index(step) for step in STORY]
    assert places == sorted(places), demo.output
    rows = [line for line in demo.output.splitlines() if re.search(r"│ +\d+ │$", line)]
    shown = [tuple(cell.strip() for cell in row.split("│")[1:4]) for row in rows]
    assert shown[:3] == [("1", "Draft", "Received"), ("2", "Submitted", "Received"), ("3", "New", "Received")], (
        demo.output
    )
    assert shown[-1][1:] == ("Completed", "Closed")
    assert ("In progress", "Work in progress") in [row[1:] for row in shown]
    assert "both sides are equal:" in demo.output
    assert marked_processes(demo.mark) == []


def test_it_stays_up_until_told_to_stop_and_goes_on_from_its_data(start: Callable[..., Demo], tmp_path: Path) -> None:
    for run, number in enumerate([signal.SIGINT, signal.SIGTERM], start=1):
        demo = start("--data-dir", str(tmp_path))
        demo.until(demo.is_up, 120)
        assert len(marked_processes(demo.mark)) >= 10
        compared = compare(dict(re.findall(r"(SXG_\w+)=(\S+)", demo.output)))
        assert (compared.returncode, compared.stderr) == (0, "")
        assert compared.stdout == f"both sides are equal: {run} provider tasks, {10 * run} products, 1 catalog items\n"
        demo.process.send_signal(number)
        assert demo.wait(30) == 0, demo.output
        assert "Traceback" not in demo.output
        assert marked_processes(demo.mark) == []


def compare(exports: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """`sxg compare` with what the demo says to export."""
    command = [sys.executable, "-m", "sxg", "compare"]
    env = {**os.environ, **exports}
    return subprocess.run(command, check=False, env=env, capture_output=True, text=True, timeout=60)
