"""How do several processes of ours share the memory of what they all load? One process loads it, and forks them.

Run as a program, this file imports what every process needs, then becomes a new process for each request on its
standard input. It opens nothing and starts no thread, so nothing crosses a fork but code, that of both sides: a
database, a Redis connection or a key is opened by the child alone. `ForkServer` is the other end of the socket.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from sxg.tether import die_with_parent, tethered

_LOADED = (
    "gunicorn.app.wsgiapp", "gunicorn.workers.gthread", "sqlalchemy.dialects.sqlite.pysqlite",
    "sxg.commands.instances", "sxg.schema", "sxg.settings",
    "provider.app", "provider.worker", "consumer_sim.app", "consumer_sim.worker",
)  # fmt: skip
_ANSWER_TIMEOUT_S = 30.0
_MESSAGE_LIMIT_BYTES = 1 << 17
_REAP_EVERY_S = 1.0
_COMMAND_NAME_LIMIT = 15  # prctl(2), PR_SET_NAME

IS_SUPPORTED = sys.platform == "linux" and hasattr(os, "pidfd_open")
"""macOS forks as well, but its system libraries do not survive it."""


class ForkedProcess:
    """A process that the server forked, with what the supervisor uses of Popen. No child of ours: a descriptor of the
    process says whether it lives, so a pid is never taken for that of another.
    """

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid = pid
        self._descriptor = descriptor

    def __del__(self) -> None:
        os.close(self._descriptor)

    def poll(self) -> int | None:
        """None while it runs; 0 when it has ended, however it did."""
        ended, _, _ = select.select([self._descriptor], [], [], 0)
        return 0 if ended else None

    def send_signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._descriptor, number)


class ForkServer:
    """Starts processes for `python -m MODULE ...` as forks of one that is started when the first is asked for.

    Whoever starts the first must be a thread that outlives them all (see `sxg.tether`).
    """

    def __init__(self, log_path: Path) -> None:
        self._log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str], log_path: Path) -> ForkedProcess:
        """Raises OSError when it cannot be started just now; the next call then begins with a new server."""
        if self._process is None or self._process.poll() is not None:
            self._start_server()
        request = {"name": name, "argv": list(argv), "env": dict(env), "log": str(log_path)}
        try:
            return self._ask(json.dumps(request).encode())
        except OSError:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server; what it forked is told by the kernel to end as well."""
        if self._process is not None and self._socket is not None:
            self._socket.close()
            self._process.kill()
            self._process.wait()
        self._process = self._socket = None

    def _start_server(self) -> None:
        self.stop()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(_ANSWER_TIMEOUT_S)
        command = tethered([sys.executable, "-m", "sxg.forkserver"])
        with theirs, self._log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command line
                command, stdin=theirs.fileno(), stdout=log, stderr=log, start_new_session=True
            )

    def _ask(self, request: bytes) -> ForkedProcess:
        assert self._socket is not None  # noqa: S101
        self._socket.sendall(request)
        answer, descriptors, _, _ = socket.recv_fds(self._socket, _MESSAGE_LIMIT_BYTES, 1)
        if not descriptors:
            raise ConnectionResetError(answer.decode() or "the fork server ended")
        return ForkedProcess(int(answer), descriptors[0])


def _serve(requests: socket.socket) -> list[str] | None:
    """Fork for each request. Returns twice: in a child with its argv, in the server with None at the end."""
    requests.settimeout(_REAP_EVERY_S)
    while True:
        _reap()
        try:
            request = requests.recv(_MESSAGE_LIMIT_BYTES)
        except TimeoutError:
            continue
        if not request:
            return None
        server = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            requests.send(str(error).encode())
            continue
        if pid == 0:
            return _become(json.loads(request), server, requests)
        descriptor = os.pidfd_open(pid)  # nobody else reaps, so even a child that has ended still has this pid
        socket.send_fds(requests, [str(pid).encode()], [descriptor])
        os.close(descriptor)


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def _become(request: Mapping[str, Any], server: int, requests: socket.socket) -> list[str]:
    """Make this fork what a process started by the supervisor is: its own session, log, environment and name."""
    os.setsid()
    die_with_parent(server)
    requests.close()
    with Path(request["log"]).open("ab") as log, Path(os.devnull).open("rb") as nothing:
        for target, source in enumerate((nothing, log, log)):
            os.dup2(source.fileno(), target)
    os.environ.clear()
    os.environ.update(request["env"])
    Path("/proc/self/comm").write_text(request["name"][:_COMMAND_NAME_LIMIT])
    return list(request["argv"])


def _main() -> None:
    for module in _LOADED:
        import_module(module)
    import_module("sqlalchemy.orm").configure_mappers()
    if threading.active_count() > 1:
        raise RuntimeError("a module started a thread when it was imported; a fork would lose it")
    gc.collect()
    gc.freeze()  # the collector of a child would write to every object, and so copy every page
    argv = _serve(socket.socket(fileno=os.dup(0)))
    if argv is not None:
        sys.argv = argv
        runpy.run_module(argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
