"""Which processes take part in a measurement, do they live, and what do they use?"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sxg.failures import CommandFailed
from sxg.supervisor import Program, Supervisor

LOOK_EVERY_S = 0.02
_STALL_S = 30.0


@dataclass(frozen=True, slots=True)
class Usage:
    """What a program has used since it was started, its children included. Seconds of CPU, MiB of memory at most."""

    cpu_s: float
    peak_mb: float


class Processes:
    """The programs of a measurement, from `with` to its end; none may die."""

    def __init__(self, programs: Sequence[Program], log_directory: Path) -> None:
        self._names = [program.name for program in programs]
        self._logs = [log_directory / f"{name}.log" for name in self._names]
        self._supervisor = Supervisor(programs, log_directory)

    def __enter__(self) -> Self:
        self._supervisor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._supervisor.pause(*self._names)  # at once: a web server waits for senders that keep a connection
        self._supervisor.stop()

    def check_lives(self) -> None:
        """Raises CommandFailed if a process died: a figure with a restart in it is no figure."""
        died = [name for name in self._names if self._supervisor.starts(name) > 1]
        if died:
            raise CommandFailed(f"{', '.join(died)} had to be started again", *self._log_ends())

    def wait(self, count: Callable[[], int], wanted: int, what: str, look_every_s: float = LOOK_EVERY_S) -> None:
        """Return when `count` has come to `wanted`.

        Raises CommandFailed when nothing has moved for half a minute, or a process had to be started again.
        """
        seen, seen_at = -1, time.monotonic()
        while (now_there := count()) < wanted:
            if now_there != seen:
                seen, seen_at = now_there, time.monotonic()
            if time.monotonic() - seen_at > _STALL_S:
                raise CommandFailed(f"{what}: {seen} of {wanted}, and no more for {_STALL_S:g} s", *self._log_ends())
            self.check_lives()
            time.sleep(look_every_s)

    def usage(self, name: str) -> Usage | None:
        """None where the system has no /proc, or the process is not there."""
        pid = self._supervisor.pid(name)
        return _usage(pid) if pid and Path("/proc/stat").exists() else None

    def _log_ends(self) -> list[str]:
        return [f"{path.stem}: {path.read_text(errors='replace')[-600:].strip()}" for path in self._logs]


def _usage(pid: int) -> Usage:
    of_all = [_usage(child) for child in _children(pid)]
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(stat[11]) + int(stat[12])  # proc(5): utime and stime of all threads
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    of_all.append(Usage(ticks / os.sysconf("SC_CLK_TCK"), int(status["VmHWM"].split()[0]) / 1024))
    return Usage(sum(each.cpu_s for each in of_all), sum(each.peak_mb for each in of_all))


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
