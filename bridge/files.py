"""The files of an instance, each under the hash of what is in it: `attachments/ab/abcd…` in its data directory.

What arrives in pieces grows in `attachments/incoming`; a finished file gets its place by one link, after it is on
disk, so that a file under a hash is always whole. Nothing is ever changed in place, or unpacked.
"""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bridge.attachments import AttachmentLimits, check_beginning
from bridge.errors import OffsetDiffers

DIRECTORY = "attachments"
_BLOCK_BYTES = 256 * 1024
_BEGINNING_BYTES = 4096
_LOCKS = 64


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that is on disk."""

    sha256: str
    size_bytes: int


class FileStore:
    """For any number of processes and threads that share the directory."""

    def __init__(self, data_dir: Path) -> None:
        self._home = data_dir / DIRECTORY
        self._incoming = self._home / "incoming"

    def keep(self, stream: IO[bytes], name: str, limits: AttachmentLimits) -> Kept:
        """Take in a file of our own people, without holding it in memory. Raises AttachmentRefused."""
        limits.check(name, 1)
        self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, unfinished = tempfile.mkstemp(dir=self._incoming, prefix="new-")
        try:
            with os.fdopen(descriptor, "w+b") as file:
                kept = _copy(stream, file, limits.size_bytes)
                limits.check(name, kept.size_bytes)
                file.seek(0)
                check_beginning(name, file.read(_BEGINNING_BYTES))
                os.fsync(file.fileno())
            self._place(Path(unfinished), kept.sha256)
        finally:
            Path(unfinished).unlink(missing_ok=True)
        return kept

    def find(self, sha256: str) -> Path | None:
        """Where the file with this content is."""
        path = self._path(sha256)
        return path if path.is_file() else None

    def read(self, sha256: str, offset: int, count: int) -> bytes:
        """A piece of a file. Raises FileNotFoundError."""
        with self._path(sha256).open("rb") as file:
            file.seek(offset)
            return file.read(count)

    def received(self, key: str) -> int:
        """How many bytes of an unfinished file are here."""
        try:
            return (self._incoming / key).stat().st_size
        except FileNotFoundError:
            return 0

    def append(self, key: str, offset: int, piece: bytes) -> int:
        """Add a piece, durable before this returns; how many bytes are here now. Raises OffsetDiffers."""
        with self._locked(key):
            here = self.received(key)
            if offset != here:
                raise OffsetDiffers(here)
            with (self._incoming / key).open("ab") as file:
                file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            return here + len(piece)

    def finish(self, key: str, sha256: str) -> bytes | None:
        """Give a complete file its place; its beginning, or None when it is not what the hash says, and is gone then.

        What arrived stays until `discard`, so that after a crash in between the same call finds it again. Raises
        OffsetDiffers where nothing arrived, or another call was faster: a file that is here under this hash may be
        somebody else's.
        """
        with self._locked(key):
            unfinished = self._incoming / key
            if not unfinished.exists():
                raise OffsetDiffers(0)
            with unfinished.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != sha256:
                unfinished.unlink()
                return None
            self._place(unfinished, sha256)
        return self.read(sha256, 0, _BEGINNING_BYTES)

    def discard(self, key: str) -> None:
        """Forget what came of an unfinished file."""
        with self._locked(key):
            (self._incoming / key).unlink(missing_ok=True)

    def all_files(self) -> Iterator[Path]:
        """Every finished file, for a backup."""
        yield from (path for path in sorted(self._home.glob("[0-9a-f][0-9a-f]/*")) if path.is_file())

    def _path(self, sha256: str) -> Path:
        return self._home / sha256[:2] / sha256

    def _place(self, unfinished: Path, sha256: str) -> None:
        target = self._path(sha256)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileExistsError):  # the same content came before
            os.link(unfinished, target)
        for directory in (target.parent, self._home):
            _sync(directory)

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        """One of a fixed number of locks: their files are never removed, so nobody waits for one that is gone."""
        self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
        number = int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) % _LOCKS
        descriptor = os.open(self._incoming / f"lock-{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _copy(source: IO[bytes], target: IO[bytes], limit_bytes: int) -> Kept:
    """At most one byte more than the limit, which is enough to refuse it."""
    digest, size = hashlib.sha256(), 0
    while size <= limit_bytes and (block := source.read(min(_BLOCK_BYTES, limit_bytes + 1 - size))):
        size += len(block)
        digest.update(block)
        target.write(block)
    target.flush()
    return Kept(digest.hexdigest(), size)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
