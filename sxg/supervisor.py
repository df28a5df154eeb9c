"""Who keeps the processes of a deployment alive? One thread that starts them, starts them again, and stops them.

Each program is a process in its own session, addressed by its pid and never by a name. A program that ends is started
again for ever, at once at first and then ever less often, so that a program which cannot start costs little.
"""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

from sxg.forkserver import IS_SUPPORTED, ForkedProcess, ForkServer
from sxg.tether import tethered

_TICK_S = 0.05
_FIRST_DELAY_S = 0.2
_LAST_DELAY_S = 5.0
_HEALTHY_AFTER_S = 10.0


class SupervisorError(Exception):
    """A program did not become ready in time; the text ends with the end of its log."""


@dataclass(frozen=True)
class Program:
    """A command to keep alive: `env` is added to the supervisor's own, `ready` is asked until it says yes.

    `forked`: it is `python -m MODULE ...` of ours, and shares the memory of what it loads with the others that are,
    where the system can do that.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], bool] | None = None
    ready_timeout_s: float = 30.0
    forked: bool = False


def http_ready(port: int, path: str = "/health") -> Callable[[], bool]:
    """A `ready` that says yes once GET `path` on 127.0.0.1:`port` answers 200."""

    def ready() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return ready


class _Child:
    """One program and the process that runs it now, if any. Every call is made with the supervisor's lock held."""

    def __init__(self, program: Program, log_path: Path, forks: ForkServer) -> None:
        self.program = program
        self.log_path = log_path
        self.process: subprocess.Popen[bytes] | ForkedProcess | None = None
        self._forks = forks
        self.wanted = False
        self.starts = 0
        self._started_at = 0.0
        self._due_at = 0.0
        self._delay_s = _FIRST_DELAY_S

    def tick(self, now: float) -> None:
        """Bury the process if it has ended, and start the next one when it is wanted and due (`now`: monotonic)."""
        if self.process is not None and self.process.poll() is not None:
            self._bury(self.process.pid, now)
        if self.process is None and self.wanted and now >= self._due_at:
            self._spawn(now)

    def start_anew(self) -> None:
        """Want the program to run, from now on and without the delay that earlier deaths have earned."""
        self.wanted, self._due_at, self._delay_s = True, 0.0, _FIRST_DELAY_S

    def signal(self, number: int) -> None:
        # Only this lock's holder reaps, so the pid still belongs to this process even if it has just ended.
        if self.process is not None:
            self.process.send_signal(number)

    def _spawn(self, now: float) -> None:
        with self.log_path.open("ab") as log:
            try:
                self.process = self._start(log)
            except OSError as error:  # no memory or no process slot just now: as if it had died at once
                log.write(f"cannot start {self.program.name}: {error}\n".encode())
                self._postpone(now)
        self._started_at = now
        self.starts += 1

    def _start(self, log: IO[bytes]) -> subprocess.Popen[bytes] | ForkedProcess:
        program, env = self.program, {**os.environ, **self.program.env}
        if program.forked and IS_SUPPORTED:
            _python, _m, *argv = program.argv
            return self._forks.start(program.name, argv, env, self.log_path)
        return subprocess.Popen(  # noqa: S603 - the caller's own programs
            tethered(program.argv),
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def _bury(self, pid: int, now: float) -> None:
        # Workers that outlive a killed master still hold its port; the next life needs it.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        if now - self._started_at >= _HEALTHY_AFTER_S:
            self._delay_s = _FIRST_DELAY_S
        self._postpone(now)
        self.process = None

    def _postpone(self, now: float) -> None:
        self._due_at = now + self._delay_s
        self._delay_s = min(self._delay_s * 2, _LAST_DELAY_S)


class Supervisor:
    """Keeps `programs` running; each one's output is appended to `log_dir`/<name>.log.

    Programs start in the order given, each when the one before it is ready, and stop in the opposite order.
    """

    def __init__(self, programs: Sequence[Program], log_dir: Path, stop_grace_s: float = 10.0) -> None:
        log_dir.mkdir(parents=True, exist_ok=True)
        self._forks = ForkServer(log_dir / "forkserver.log")
        self._children = {
            program.name: _Child(program, log_dir / f"{program.name}.log", self._forks) for program in programs
        }
        self._stop_grace_s = stop_grace_s
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._monitor: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start every program in order; on SupervisorError (one was not ready in time) all are stopped again."""
        # The monitor thread does every start: a tethered child dies with the thread that started it.
        self._ended.clear()
        self._monitor = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._monitor.start()
        try:
            for name in self._children:
                self.resume(name)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop every program in the opposite order (SIGTERM, then SIGKILL after the grace) and end the monitor."""
        if self._monitor is None:
            return
        for name in reversed(self._children):
            self.pause(name)
        self._ended.set()
        self._monitor.join()
        self._monitor = None
        self._forks.stop()

    @property
    def fork_server_pid(self) -> int | None:
        """The pid of the process that programs are forked from, if there is one."""
        return self._forks.pid

    def pid(self, name: str) -> int | None:
        """The pid of the program's process; None while there is none (it died and is not due yet, or is paused)."""
        with self._lock:  # whoever sees a process finds its start counted, and the other way round
            process = self._children[name].process
            return process.pid if process is not None else None

    def starts(self, name: str) -> int:
        """How often the program was started so far."""
        with self._lock:
            return self._children[name].starts

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send the program a signal; when it dies of it, it is started again like after any other death."""
        with self._lock:
            self._children[name].signal(number)

    def pause(self, *names: str) -> None:
        """Stop the programs, all at once, and leave them stopped: SIGTERM, then SIGKILL after the grace."""
        children = [self._children[name] for name in names]
        with self._lock:
            for child in children:
                child.wanted = False
                child.signal(signal.SIGTERM)
        if not self._wait_for(lambda: not any(child.process for child in children), self._stop_grace_s):
            for name in names:
                self.kill(name, signal.SIGKILL)
            self._wait_for(lambda: not any(child.process for child in children), self._stop_grace_s)

    def resume(self, name: str) -> None:
        """Start the program and return when it is ready; raises SupervisorError when it is not in time."""
        with self._lock:
            self._children[name].start_anew()
        self.wait_ready(name)

    def wait_ready(self, name: str) -> None:
        """Return once the program runs and its `ready` says yes; raises SupervisorError when it does not in time."""
        child = self._children[name]
        ready, timeout_s = child.program.ready, child.program.ready_timeout_s
        if not self._wait_for(lambda: self.pid(name) is not None and (ready is None or ready()), timeout_s):
            log_end = child.log_path.read_text(errors="replace")[-1500:] if child.log_path.exists() else ""
            raise SupervisorError(f"{name} was not ready after {timeout_s:g} s:\n{log_end}")

    def _watch(self) -> None:
        while not self._ended.wait(_TICK_S):
            with self._lock:
                now = time.monotonic()
                for child in self._children.values():
                    child.tick(now)

    @staticmethod
    def _wait_for(condition: Callable[[], bool], timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(_TICK_S / 2)
        return True
