"""How does a child process learn that its parent was killed? The kernel tells it.

Run as a program, this file asks Linux to signal the process when its parent dies (`prctl(PR_SET_PDEATHSIG)`) and then
*becomes* the wanted command, so the command is a direct child with the pid that Popen reported. `preexec_fn` would do
the same, but it may deadlock in a parent that has threads.

The kernel watches the *thread* that forked: start a tethered child from a thread that outlives it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def tethered(argv: Sequence[str]) -> list[str]:
    """The command line that runs `argv` and has it sent SIGTERM when this process dies; plain `argv` off Linux."""
    if sys.platform != "linux":
        return list(argv)
    # -I and -S: no site-packages, no user paths; the interpreter is only here for some 15 ms.
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *argv]


def die_with_parent(parent_pid: int) -> None:
    """Be sent SIGTERM when the parent dies. Exits when it is dead already: nobody waits for this process any more."""
    import ctypes  # noqa: PLC0415 - this module is also imported by programs that need no ctypes

    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent_pid:
        raise SystemExit


def _main(parent_pid: int, argv: list[str]) -> None:
    die_with_parent(parent_pid)
    os.execvp(argv[0], argv)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    _main(int(sys.argv[1]), sys.argv[2:])
