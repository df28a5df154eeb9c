"""Bearer tokens for our calls: client credentials (RFC 6749, 4.4), kept in memory, renewed before they expire."""

import base64
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from bridge import backoff
from bridge.draining import Fault
from bridge.egress import Reply, Sender
from bridge.identity import Keyring
from bridge.models import Connection
from bridge.vocabulary import EXCHANGE_PATH

_SPARE_S = 60.0
"""A token is renewed this long before its end, so that it does not expire on the way."""
_LIFE_LIMIT_S = 86_400.0


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    client_id: str | None
    usable_until_s: float


class ClientCredentials:
    """Tokens of all connections of a process. `clock_s` only measures how long a token is still good for."""

    def __init__(self, keyring: Keyring, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._keyring = keyring
        self._clock_s = clock_s
        self._tokens: dict[str, _Token] = {}
        self._writing = threading.Lock()

    def token(self, connection: Connection, sender: Sender, *, fresh: bool, deadline_s: float) -> str | Fault:
        """The token to call this provider with; `fresh` after a 401. Raises SendFailed."""
        kept = self._tokens.get(connection.id)
        if kept and not fresh and kept.client_id == connection.client_id and kept.usable_until_s > self._clock_s():
            return kept.text
        secret = str(self._keyring.open(connection).get("client_secret", ""))
        return self.try_secret(connection, secret, sender, deadline_s=deadline_s)

    def try_secret(self, connection: Connection, secret: str, sender: Sender, *, deadline_s: float) -> str | Fault:
        """A token for this client secret, whichever is in use. Raises SendFailed."""
        reply = self._ask(connection, secret, sender, deadline_s)
        document = read_json(reply)
        text = document.get("access_token")
        if reply.status != 200 or not isinstance(text, str) or not _is_token(text):
            return _fault(reply, document)
        life = document.get("expires_in")
        life_s = min(float(life), _LIFE_LIMIT_S) if isinstance(life, int | float) else _SPARE_S
        usable_until_s = self._clock_s() + life_s - min(_SPARE_S, life_s / 2)
        with self._writing:
            self._tokens[connection.id] = _Token(text, connection.client_id, usable_until_s)
        return text

    def _ask(self, connection: Connection, secret: str, sender: Sender, deadline_s: float) -> Reply:
        pair = f"{quote(connection.client_id or '', safe='')}:{quote(secret, safe='')}"
        headers = {
            "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        url = f"{(connection.peer_url or '').rstrip('/')}{EXCHANGE_PATH}/token"
        return sender.send("POST", url, body=b"grant_type=client_credentials", headers=headers, deadline_s=deadline_s)


def read_json(reply: Reply) -> dict[str, Any]:
    """The object in an answer; empty for anything else."""
    try:
        document = json.loads(reply.body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _is_token(text: str) -> bool:
    """Whether it can stand in a header."""
    return 0 < len(text) <= 4096 and text.isascii() and text.isprintable() and " " not in text


def _fault(reply: Reply, document: dict[str, Any]) -> Fault:
    error = document.get("error")
    said = error[:100] if isinstance(error, str) else "no token"
    return Fault(
        backoff.outcome_of_status(reply.status), f"the token endpoint answered {reply.status}: {said}", reply.status
    )
