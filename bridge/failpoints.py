"""Where a process dies or fails on demand: named places that crash tests arm from outside. Unarmed, a place costs a
look at one variable.

The setting is `name:action[:nth]`, several separated by commas. `action` is `kill` (SIGKILL to this process) or
`raise`; `nth`, from 1, counts how often this process passes the place, so that a test can kill the third batch.
"""

import os
import signal
import threading
from dataclasses import dataclass

from bridge.errors import BridgeError

ACTIONS = ("kill", "raise")


class FailpointReached(BridgeError):
    """An armed place was passed; nothing of ours catches this."""


@dataclass
class _Armed:
    action: str
    passes_left: int


_armed: dict[str, _Armed] = {}
_counting = threading.Lock()


def install(text: str) -> None:
    """Arm the places named in `text`, and no others. Called once at the start of a process; ValueError if it cannot
    be read.
    """
    armed = {}
    for entry in filter(None, text.split(",")):
        name, _, rest = entry.partition(":")
        action, _, nth = rest.partition(":")
        if not name or action not in ACTIONS or not (nth or "1").isdecimal() or int(nth or 1) < 1:
            raise ValueError(f"{entry!r} is not name:action[:nth] with an action of {', '.join(ACTIONS)}")
        armed[name] = _Armed(action, int(nth or 1))
    _armed.clear()
    _armed.update(armed)


def hit(name: str) -> None:
    """Pass the place `name`: nothing happens unless it is armed and its time has come."""
    if not _armed or name not in _armed:
        return
    with _counting:
        place = _armed[name]
        place.passes_left -= 1
        reached = place.passes_left == 0
    if not reached:
        return
    if place.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise FailpointReached(name)
