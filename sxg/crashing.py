"""Settings of gunicorn for a web server with an armed failpoint: when its process dies, the whole server dies with it.

Otherwise gunicorn would put a process in its place that is armed as well, and dies at the same place for ever.
"""

import os
import signal
from typing import Any


def child_exit(_server: Any, _worker: Any) -> None:
    """Called by gunicorn's master when a process has ended; the supervisor starts a new server, unarmed."""
    os.kill(os.getpid(), signal.SIGKILL)
