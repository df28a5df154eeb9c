"""The rolling digest of a stream: two sides that applied the same events in the same order hold the same 32 bytes."""

import hashlib

EMPTY = bytes(32)
"""The digest of a stream of which nothing was applied."""


def extend(digest: bytes, event_id: str, contenthash: str) -> bytes:
    """The digest after one more event. It covers the id and the content hash, never re-serialised JSON."""
    return hashlib.sha256(digest + event_id.encode() + contenthash.encode()).digest()
