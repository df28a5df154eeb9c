"""Files by hash: whole or not there, however many write them, and wherever it breaks."""

import hashlib
import os
import tracemalloc
from io import BytesIO, RawIOBase
from pathlib import Path
from typing import Any

import pytest

from bridge.attachments import AttachmentLimits
from bridge.errors import AttachmentRefused, OffsetDiffers
from bridge.files import FileStore
from tests.factories import at_once

CONTENT = b"One line of text.\n" * 1000
HASH = hashlib.sha256(CONTENT).hexdigest()
LIMITS = AttachmentLimits(size_bytes=len(CONTENT), types=("txt",))


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path)


def left(tmp_path: Path) -> list[str]:
    return sorted(one.name for one in (tmp_path / "attachments" / "incoming").glob("*") if "lock" not in one.name)


def test_a_file_is_kept_once_under_its_hash(store: FileStore, tmp_path: Path) -> None:
    for _ in range(2):
        kept = store.keep(BytesIO(CONTENT), "a.txt", LIMITS)
    assert (kept.sha256, kept.size_bytes) == (HASH, len(CONTENT))
    assert [path.name for path in store.all_files()] == [HASH]
    path = store.find(HASH)
    assert path is not None and path.read_bytes() == CONTENT
    assert path.stat().st_mode & 0o077 == 0
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [("a.txt", CONTENT + b"x", "too_large"), ("a.svg", b"x", "type_not_allowed"), ("a.txt", b"", "empty"),
     ("a.txt", b"\0", "wrong_content")],
)  # fmt: skip
def test_what_is_refused_leaves_nothing(store: FileStore, tmp_path: Path, name: str, content: bytes, code: str) -> None:
    with pytest.raises(AttachmentRefused) as refused:
        store.keep(BytesIO(content), name, LIMITS)
    assert refused.value.code == code
    assert list(store.all_files()) == [] and left(tmp_path) == []


class Zeros(RawIOBase):
    """A long file that is nowhere."""

    def __init__(self, size: int) -> None:
        self.left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), self.left)
        buffer[:count] = b"0" * count
        self.left -= count
        return count


def test_a_long_file_is_not_held_in_memory(store: FileStore) -> None:
    size = 64 * 1024 * 1024
    tracemalloc.start()
    try:
        kept = store.keep(Zeros(size), "a.txt", AttachmentLimits(size_bytes=size, types=("txt",)))  # type: ignore[arg-type]
        assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
    finally:
        tracemalloc.stop()
    assert kept.size_bytes == size


def test_pieces_make_the_file(store: FileStore, tmp_path: Path) -> None:
    assert store.append("k", 0, CONTENT[:100]) == 100
    assert store.received("k") == 100
    assert store.append("k", 100, CONTENT[100:]) == len(CONTENT)
    assert store.finish("k", HASH) == CONTENT[:4096]
    assert store.finish("k", HASH) == CONTENT[:4096], "the same after a crash before the record says so"
    store.discard("k")
    assert left(tmp_path) == []
    path = store.find(HASH)
    assert path is not None and path.read_bytes() == CONTENT


def test_a_piece_that_does_not_follow_is_refused_with_the_place_of_the_next(store: FileStore) -> None:
    store.append("k", 0, b"abc")
    for offset in (0, 2, 4):
        with pytest.raises(OffsetDiffers) as differs:
            store.append("k", offset, b"x")
        assert differs.value.received_bytes == 3


def test_of_the_same_piece_sent_at_once_one_counts(store: FileStore) -> None:
    results = at_once([lambda: store.append("k", 0, CONTENT)] * 8)
    assert sorted(map(repr, results)).count(repr(len(CONTENT))) == 1
    assert sum(isinstance(one, OffsetDiffers) for one in results) == 7
    assert store.finish("k", HASH) is not None


def test_a_file_that_is_not_what_its_hash_says_is_not_kept(store: FileStore, tmp_path: Path) -> None:
    store.append("k", 0, b"another")
    assert store.finish("k", HASH) is None
    assert (store.find(HASH), left(tmp_path), store.received("k")) == (None, [], 0)


def test_what_broke_off_is_no_file(store: FileStore) -> None:
    """A process that dies after a piece, or in the middle of one, leaves a beginning, from which it goes on."""
    child = os.fork()
    if child == 0:
        store.append("k", 0, CONTENT[:500])
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    assert (store.find(HASH), store.received("k")) == (None, 500)
    store.append("k", 500, CONTENT[500:])
    assert store.finish("k", HASH) is not None


def test_whoever_finishes_what_another_call_discarded_gets_no_file_by_its_hash(store: FileStore) -> None:
    store.keep(BytesIO(CONTENT), "a.txt", LIMITS)  # somebody else's
    store.append("key", 0, b"x" * len(CONTENT))
    assert store.finish("key", HASH) is None
    with pytest.raises(OffsetDiffers):  # the same last piece, which came twice at once
        store.finish("key", HASH)
