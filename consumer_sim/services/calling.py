"""Calls to a provider that are made now, and not recorded to be sent: each with a token, and one fresh token after 401.

No transaction may be open while one is made.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.draining import Fault
from bridge.egress import Reply, Sender
from bridge.identity import Identity
from bridge.models import Connection
from bridge.vocabulary import EXCHANGE_PATH, HEADER_EPOCH, HEADER_INSTANCE
from consumer_sim.services.errors import ProviderRefused
from consumer_sim.services.tokens import ClientCredentials, read_json


@dataclass
class Caller:
    """For any thread: each call has a Sender of its own."""

    tokens: ClientCredentials
    identity: Identity
    make_sender: Callable[[], Sender]

    def call(
        self,
        connection: Connection,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        deadline_s: float,
    ) -> dict[str, Any]:
        """The document of a 2xx answer to a call of `path` below the exchange. Raises ProviderRefused, SendFailed."""
        with self.make_sender() as sender:
            reply = self._send(connection, sender, method, path, body, deadline_s, fresh=False)
            if reply.status == 401:
                reply = self._send(connection, sender, method, path, body, deadline_s, fresh=True)
        if 200 <= reply.status < 300:
            return read_json(reply)
        raise refusal_of(reply)

    def _send(
        self,
        connection: Connection,
        sender: Sender,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        deadline_s: float,
        *,
        fresh: bool,
    ) -> Reply:
        token = self.tokens.token(connection, sender, fresh=fresh, deadline_s=deadline_s)
        if isinstance(token, Fault):
            raise ProviderRefused(token.status or 0, None, token.detail)
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            HEADER_INSTANCE: self.identity.id,
            HEADER_EPOCH: self.identity.epoch,
        }
        url = f"{(connection.peer_url or '').rstrip('/')}{EXCHANGE_PATH}{path}"
        content = None if body is None else json.dumps(body).encode()
        return sender.send(method, url, body=content, headers=headers, deadline_s=deadline_s)


def refusal_of(reply: Reply) -> ProviderRefused:
    """What a provider said with a status that is not good."""
    document = read_json(reply)
    code, detail = document.get("code"), document.get("detail") or document.get("title")
    return ProviderRefused(
        reply.status, code if isinstance(code, str) else None, str(detail or "without a problem document")[:1000]
    )
