"""Ids of records are in the order in which they were made, and no two processes give the same."""

import subprocess
import sys
from itertools import pairwise
from uuid import RFC_4122, UUID

from bridge.ids import new_id

_FORKED = """
import os
from bridge.ids import new_id

new_id()
reader, writer = os.pipe()
if os.fork() == 0:
    os.write(writer, "\\n".join(new_id() for _ in range(500)).encode() + b"\\n")
    os._exit(0)
print("\\n".join(new_id() for _ in range(500)))
os.wait()
print(os.read(reader, 60_000).decode())
"""


def test_ids_are_uuids_in_the_order_in_which_they_were_made() -> None:
    ids = [new_id() for _ in range(10_000)]
    assert all(earlier < later for earlier, later in pairwise(ids))
    assert {(UUID(one).version, UUID(one).variant, str(UUID(one)) == one) for one in ids} == {(7, RFC_4122, True)}


def test_a_forked_process_gives_other_ids_than_its_parent() -> None:
    said = subprocess.run([sys.executable, "-c", _FORKED], capture_output=True, text=True, check=True).stdout.split()
    assert len(said) == len(set(said)) == 1000
    assert len({one[-8:] for one in said}) > 990, "parent and child draw the same bits"
