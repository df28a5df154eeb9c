"""Calls to a provider that are made now, and not recorded to be sent: each with a token, and one fresh token after 401.

No transaction may be open while one is made.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bridge.attachments import MEDIA_TYPE
from bridge.draining import Fault
from bridge.egress import Reply, Sender
from bridge.identity import Identity
from bridge.models import Connection
from bridge.vocabulary import ANSWER_LIMIT_BYTES, EXCHANGE_PATH, HEADER_EPOCH, HEADER_INSTANCE
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
        with self.opened(connection) as call:
            return call.send(method, path, body, deadline_s=deadline_s)

    @contextmanager
    def opened(self, connection: Connection) -> Iterator["Call"]:
        """For several calls over one connection of HTTP, by one thread."""
        with self.make_sender() as sender:
            yield Call(self.tokens, self.identity, connection, sender)


@dataclass
class Call:
    """Calls to one provider, one after the other. All raise ProviderRefused, SendFailed."""

    tokens: ClientCredentials
    identity: Identity
    connection: Connection
    sender: Sender

    def send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, deadline_s: float
    ) -> dict[str, Any]:
        """A document, or nothing; the document of a 2xx answer."""
        content = None if body is None else json.dumps(body).encode()
        return read_json(self._send(method, path, content, {"Content-Type": "application/json"}, deadline_s))

    def send_bytes(self, method: str, path: str, body: bytes, *, deadline_s: float) -> dict[str, Any]:
        """A piece of a file; the document of a 2xx answer."""
        return read_json(self._send(method, path, body, {"Content-Type": MEDIA_TYPE}, deadline_s))

    def fetch_bytes(self, path: str, first: int, last: int, *, deadline_s: float) -> bytes:
        """A piece of a file, from the first to the last byte; ProviderRefused if something else comes."""
        wanted = last - first + 1
        limit_bytes = max(wanted + 1, ANSWER_LIMIT_BYTES)
        reply = self._send("GET", path, None, {"Range": f"bytes={first}-{last}"}, deadline_s, limit_bytes)
        if len(reply.body) != wanted or (reply.status != 206 and first > 0):
            raise ProviderRefused(reply.status, None, f"{len(reply.body)} bytes came where {wanted} were asked for")
        return reply.body

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], deadline_s: float,
        limit_bytes: int = ANSWER_LIMIT_BYTES,
    ) -> Reply:  # fmt: skip
        reply = self._try(method, path, body, headers, deadline_s, limit_bytes, fresh=False)
        if reply.status == 401:
            reply = self._try(method, path, body, headers, deadline_s, limit_bytes, fresh=True)
        if 200 <= reply.status < 300:
            return reply
        raise refusal_of(reply)

    def _try(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], deadline_s: float,
        limit_bytes: int, *, fresh: bool,
    ) -> Reply:  # fmt: skip
        token = self.tokens.token(self.connection, self.sender, fresh=fresh, deadline_s=deadline_s)
        if isinstance(token, Fault):
            raise ProviderRefused(token.status or 0, None, token.detail)
        whole = {
            "Authorization": f"Bearer {token}", HEADER_INSTANCE: self.identity.id, HEADER_EPOCH: self.identity.epoch,
            **headers,
        }  # fmt: skip
        url = f"{(self.connection.peer_url or '').rstrip('/')}{EXCHANGE_PATH}{path}"
        limits: dict[str, Any] = {"deadline_s": deadline_s, "response_limit_bytes": limit_bytes}
        return self.sender.send(method, url, body=body, headers=whole, **limits)


def refusal_of(reply: Reply) -> ProviderRefused:
    """What a provider said with a status that is not good."""
    document = read_json(reply)
    code, detail = document.get("code"), document.get("detail") or document.get("title")
    return ProviderRefused(
        reply.status, code if isinstance(code, str) else None, str(detail or "without a problem document")[:1000],
        document,
    )  # fmt: skip
