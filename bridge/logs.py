"""What do the logs of every process look like, and on whose behalf is something done just now?

It knows nothing of Flask: workers log as well.
"""

import json
import logging
import re
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO

request_id: ContextVar[str] = ContextVar("request_id", default="")
traceparent: ContextVar[str] = ContextVar("traceparent", default="")
"""The W3C trace context that the caller of this request sent, if it is one."""

RECORD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""Names that logging keeps for itself, and refuses in `extra`."""
_SHORT = 100
_SECRET_NAME = re.compile(
    r"secret|passw|token|authorization|signature|cookie|api_?key|credential|private", re.IGNORECASE
)
_SECRET_TEXT = re.compile(r"(?i:\b(?:bearer|basic)\s+|whsec_)[\w.~+/=-]+|(?<=://)[^/\s@:]*+:[^/\s@]*+(?=@)")


@lru_cache(maxsize=1024)
def _names_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


@lru_cache(maxsize=1024)
def _without_secrets(text: str) -> str:
    return _SECRET_TEXT.sub("***", text)


def _masked(value: Any) -> Any:
    if isinstance(value, str):  # what is short comes again: routes, names, actors
        return _without_secrets(value) if len(value) <= _SHORT else _SECRET_TEXT.sub("***", value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(name): "***" if _names_secret(str(name)) else _masked(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(inner) for inner in value]
    return _masked(str(value))


class JsonFormatter(logging.Formatter):
    """One JSON object per line: ts, level, logger, event, service, request_id, and whatever `extra` named.

    What looks like a secret, by its name or its form, is masked.
    """

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).replace(tzinfo=None)
        extra = {name: value for name, value in vars(record).items() if name not in RECORD_FIELDS}
        if record.exc_info:
            extra["exception"] = self.formatException(record.exc_info)
        line = {
            **_masked(extra),
            "ts": moment.isoformat(timespec="milliseconds") + "Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": _masked(record.getMessage()),
            "service": self._service,
            "request_id": request_id.get() or None,
        }
        return json.dumps({name: value for name, value in line.items() if value is not None})


def configure_logging(service: str, *, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send all logs of this process as JSON lines to `stream` (stderr); calling it again replaces the former choice."""
    root = logging.getLogger()
    for former in [handler for handler in root.handlers if isinstance(handler.formatter, JsonFormatter)]:
        root.removeHandler(former)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter(service))
    root.addHandler(handler)
    root.setLevel(level)
    # It warns, with a traceback, of each odd header a far side sends.
    logging.getLogger("urllib3.connection").setLevel(logging.ERROR)
