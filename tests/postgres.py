"""A PostgreSQL of our own for tests: local binaries, started as a direct child, reached over a unix socket only."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import psycopg

_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 30.0


class PostgresError(Exception):
    """The server could not be started; the text ends with the end of its log."""


def find_postgres_bin() -> Path | None:
    """The directory of the newest local server binaries, or None."""
    candidates = sorted(
        [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/opt/homebrew/opt").glob("postgresql*/bin")],
        key=lambda path: int("0" + "".join(filter(str.isdigit, path.parent.name))),
        reverse=True,
    )
    if pg_config := shutil.which("pg_config"):
        found = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False).stdout.strip()
        candidates.insert(0, Path(found))
    # A pg_config of the client package names a directory without a server.
    return next((path for path in candidates if (path / "initdb").exists() and (path / "postgres").exists()), None)


class EmbeddedPostgres:
    """One server whose files and socket are in `data_dir`, an empty directory with a short path (sockets: 107 bytes).

    A server started as root runs as `postgres` or `nobody`, who must be able to reach `data_dir`. `durable` turns
    fsync on, for tests about power cuts; a killed process loses nothing either way.
    """

    def __init__(self, data_dir: Path, *, durable: bool = False) -> None:
        bin_dir = find_postgres_bin()
        if bin_dir is None:
            raise PostgresError("no PostgreSQL server binaries on this machine")
        self._bin, self._data_dir = bin_dir, data_dir.absolute()
        self._durable = "on" if durable else "off"
        self._log_path = self._data_dir.with_name(self._data_dir.name + ".log")
        self._identity = _server_identity()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the database `postgres`."""
        return f"postgresql+psycopg://postgres@/postgres?host={self._data_dir}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Create the cluster when there is none, start the server, and return when it takes connections."""
        if not (self._data_dir / "PG_VERSION").exists():
            self._create_cluster()
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": self._data_dir,
            "fsync": self._durable,
            "full_page_writes": self._durable,
            "max_connections": 100,
            "autovacuum": "off",  # databases live for one test
            "wal_level": "minimal",
            "max_wal_senders": 0,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*_die_with_us(), str(self._bin / "postgres"), "-D", str(self._data_dir), *options],
                cwd=self._data_dir,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._identity,
            )
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill9()
                raise PostgresError(f"postgres did not start:\n{self._log_path.read_text(errors='replace')[-1500:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End the server in order, without waiting for its clients."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(_STOP_TIMEOUT_S)
            self._process = None

    def kill9(self) -> None:
        """End the server as a crash would: the postmaster first, so that it cannot replace its children, then those."""
        if self._process is None:
            return
        children = _children_of(self._process.pid)
        self._process.kill()
        self._process.wait()
        self._process = None
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def _create_cluster(self) -> None:
        self._data_dir.mkdir(exist_ok=True)
        if self._identity:
            shutil.chown(self._data_dir, self._identity["user"], self._identity["group"])
        how = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        subprocess.run(
            [self._bin / "initdb", "-D", self._data_dir, *how],
            cwd=self._data_dir,
            capture_output=True,
            check=True,
            **self._identity,
        )

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError), _connect(self.url):
            return True
        return False


@contextmanager
def fresh_database(server_url: str, template: str = "template1") -> Iterator[str]:
    """The URL of a new database on that server, a copy of `template`, dropped after the block with all its sessions."""
    with unmade_database(server_url) as url:
        create_database(server_url, urlsplit(url).path[1:], template)
        yield url


@contextmanager
def unmade_database(server_url: str) -> Iterator[str]:
    """The URL of a database that is not there yet; dropped after the block with all its sessions."""
    name = f"test_{uuid.uuid4().hex}"
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        drop_database(server_url, name)


def create_database(server_url: str, name: str, template: str = "template1") -> None:
    with _connect(server_url) as connection:
        # Copying files is twice as quick as going through the WAL; older servers know nothing else.
        strategy = "strategy file_copy" if connection.info.server_version >= 150_000 else ""
        connection.execute(f'create database "{name}" template "{template}" {strategy}')


def drop_database(server_url: str, name: str) -> None:
    """If it is there; its sessions are ended with it."""
    with _connect(server_url) as connection:
        connection.execute(f'drop database if exists "{name}" with (force)')


def is_empty(url: str) -> bool:
    """Whether the database has no table."""
    with _connect(url) as connection:
        return connection.execute("select from pg_tables where schemaname = 'public' limit 1").fetchone() is None


def is_there(url: str) -> bool:
    server, name = urlsplit(url)._replace(path="/postgres").geturl(), urlsplit(url).path[1:]
    with _connect(server) as connection:
        return connection.execute("select from pg_database where datname = %s", [name]).fetchone() is not None


def _connect(url: str) -> psycopg.Connection[Any]:
    return psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True, connect_timeout=5)


def _server_identity() -> dict[str, Any]:
    """Whom the server runs as, in the words of Popen: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    users = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = users.get("postgres") or users["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _die_with_us() -> list[str]:
    """The prefix that has the kernel stop the server when the test run is killed (SIGINT: without waiting for clients).

    Not `sxg.tether`: it needs our interpreter, which the server's user may not be allowed to read.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "INT"] if setpriv else []


def _children_of(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []  # no /proc: the children notice by themselves, a little later
