"""How does a request leave this instance, without reaching where it must not or waiting longer than it may?

The only sender of HTTP, and the only importer of requests.

`bridge.address_guard` decides where we may connect; the address that was checked is the one connected to, which leaves
nothing to rebind.

`Sender` sends one request under one total deadline. The timeouts of requests bound each wait, not their sum: a server
that drips a header byte a second holds the caller for hours. So the sockets carry a budget of seconds and bytes, and
each blocking call gets only what is left of it. That needs no watchdog thread and no signal, and holds after a fork.
"""

import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Self

import urllib3
from requests import PreparedRequest, RequestException, Response
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH, check_header_validity
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from bridge.address_guard import AddressGuard, Target, parse_target
from bridge.errors import FaultKind, RefusedAddress, SendFailed
from bridge.vocabulary import ANSWER_LIMIT_BYTES

__all__ = ["AddressGuard", "FaultKind", "RefusedAddress", "Reply", "SendFailed", "Sender", "Target", "parse_target"]

Resolver = Callable[[str, int], Sequence[str]]

CONNECT_TRIES = 4
HEAD_LIMIT_BYTES = 64 * 1024

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer, 200 to 599. `body` is as it came over the wire: capped, never decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    duration_s: float


class _Fault(Exception):
    """A SendFailed in the making. Neither OSError nor ValueError, so no layer above the sockets rewraps it."""

    def __init__(self, kind: FaultKind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


class _Budget:
    """What is left of one send: one object per Sender, shared by its sockets and filled anew for each request."""

    def __init__(self) -> None:
        self.begin(0.0, 0)

    def begin(self, deadline_s: float, response_limit_bytes: int) -> None:
        self.deadline_s = deadline_s
        self._ends_at = time.monotonic() + deadline_s
        # The head, and the body with room for chunk sizes. It stops what http.client reads without a limit of its own:
        # endless 1xx answers and trailers, a chunk of size -1 ("until the end").
        self._bytes_left = HEAD_LIMIT_BYTES + 2 * response_limit_bytes
        self.dialled = False
        self.answered = False
        self.stage = "sending"

    def seconds(self) -> float:
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise self.late()
        return left

    def late(self) -> _Fault:
        return _Fault(FaultKind.TIMEOUT, f"the deadline of {self.deadline_s:g} s passed while {self.stage}")

    def received(self, count: int) -> int:
        self.answered = self.answered or count > 0
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise _Fault(FaultKind.TOO_LARGE, "the answer is longer than anything we asked for")
        return count


class _PlainSocket(socket.socket):
    """A socket whose blocking calls end with the budget. http.client reads by `recv_into` and writes by `sendall`."""

    budget: _Budget

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.budget.stage = "waiting for the answer"
        self.settimeout(self.budget.seconds())
        return self.budget.received(super().recv_into(*args, **kwargs))

    def sendall(self, *args: Any) -> None:
        self.settimeout(self.budget.seconds())  # bounds the whole call, however slowly the far side reads
        super().sendall(*args)


class _TlsSocket(ssl.SSLSocket):
    """The same over TLS, where `sendall` is a loop around `send`."""

    budget: _Budget

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.budget.stage = "waiting for the answer"
        self.settimeout(self.budget.seconds())
        return self.budget.received(super().recv_into(*args, **kwargs))

    def send(self, *args: Any) -> int:
        self.settimeout(self.budget.seconds())
        return super().send(*args)


class _PlainConnection(HTTPConnection):
    def __init__(self, *args: Any, dial: Callable[[str, int], _PlainSocket], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._dial = dial

    def _new_conn(self) -> socket.socket:
        return self._dial(self.host, self.port)


class _TlsConnection(HTTPSConnection):
    def __init__(self, *args: Any, dial: Callable[[str, int], _PlainSocket], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._dial = dial

    def _new_conn(self) -> socket.socket:
        raw = self._dial(self.host, self.port)
        self._budget = raw.budget
        return raw

    def connect(self) -> None:
        super().connect()  # the handshake is one blocking call, bounded by the timeout that `_dial` left on the socket
        self.sock.budget = self._budget  # type: ignore[union-attr]


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


@lru_cache(maxsize=64)
def _tls_context(ca_bundle: str) -> ssl.SSLContext:
    """Verification is always on and reads no environment; loading the bundle takes some 20 ms, hence the cache."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(ca_bundle)
    context.sslsocket_class = _TlsSocket
    return context


class _Adapter(HTTPAdapter):
    """The adapter of requests over our own pools; it knows no proxy and parses no cookies."""

    def __init__(self, dial: Callable[[str, str, int], _PlainSocket], ca_bundle: str) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1)
        self._dial = dial
        self._ca_bundle = ca_bundle
        self._pools: dict[Target, HTTPConnectionPool] = {}

    def get_connection_with_tls_context(self, request: PreparedRequest, *_: Any, **__: Any) -> HTTPConnectionPool:
        target = parse_target(str(request.url))
        pool = self._pools.get(target)
        if pool is None:
            host = f"[{target.host}]" if ":" in target.host else target.host
            dial = partial(self._dial, target.scheme)
            if target.scheme == "https":
                pool = _TlsPool(host, target.port, ssl_context=_tls_context(self._ca_bundle), dial=dial)
            else:
                pool = _PlainPool(host, target.port, dial=dial)
            self._pools[target] = pool
        return pool

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing to add: the pool's TLS context verifies, and would otherwise be given the public bundle as well."""

    def build_response(self, req: PreparedRequest, resp: Any) -> Response:
        response = Response()
        response.status_code, response.raw, response.request = resp.status, resp, req
        response.headers = CaseInsensitiveDict(resp.headers)
        return response

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()
        super().close()


def _resolve_with_system(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


# What http.client, urllib3 and requests raise at a hostile answer; ValueError: numbers and text they fail to read.
_REMOTE_ERRORS = (RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError)


class Sender:
    """Sends requests over kept-alive connections: one Sender for one thread at a time, and for one consumer only.

    No redirect is followed, no proxy used, no cookie kept, no environment variable or netrc read. It stands on the
    adapter of requests and not on its Session, which reads a redirect's whole body, unpacked, though told not to.

    A kept-alive connection that the server closes just as we write is dialled anew, once, if no byte of an answer had
    come. The first copy may have arrived all the same, so a request must be safe to repeat; deliveries are by design.
    """

    def __init__(
        self,
        guard: AddressGuard,
        *,
        user_agent: str,
        ca_bundle: str | None = None,
        resolver: Resolver = _resolve_with_system,
    ) -> None:
        self._guard = guard
        self._user_agent = user_agent
        self._resolver = resolver
        self._budget = _Budget()
        self._adapter = _Adapter(self._dial, ca_bundle or DEFAULT_CA_BUNDLE_PATH)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the kept-alive connections; the Sender can still be used and dials anew."""
        self._adapter.close()

    def send(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None,
        headers: Mapping[str, str],
        deadline_s: float,
        response_limit_bytes: int = ANSWER_LIMIT_BYTES,
    ) -> Reply:
        """Send one request; the answer in at most `deadline_s`, DNS and TLS included, or SendFailed.

        ValueError only for a header that cannot be sent, which is our own mistake and not the far side's.
        """
        started = time.monotonic()
        request = self._prepare(method, url, body, headers)
        self._budget.begin(deadline_s, response_limit_bytes)
        try:
            self._guard.check_url(url)
            response, content = self._exchange_on_live_connection(request, response_limit_bytes)
        except RefusedAddress as refusal:
            raise SendFailed(FaultKind.REFUSED_ADDRESS, refusal.reason, time.monotonic() - started) from refusal
        except _Fault as fault:
            raise SendFailed(fault.kind, fault.detail, time.monotonic() - started) from fault
        # RFC 9110, 5.5: control characters in a field value are replaced, so that values can be stored and shown.
        fields = {name: _CONTROL.sub(" ", value) for name, value in response.headers.items()}
        return Reply(response.status_code, CaseInsensitiveDict(fields), content, time.monotonic() - started)

    def _prepare(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> PreparedRequest:
        prepared: CaseInsensitiveDict[str] = CaseInsensitiveDict(
            {"User-Agent": self._user_agent, "Accept-Encoding": "identity", "Accept": "*/*"}
        )
        for name, value in headers.items():
            check_header_validity((name, value))
            value.encode("latin-1")
            prepared[name] = value
        if body is not None:
            prepared["Content-Length"] = str(len(body))
        request = PreparedRequest()
        request.method, request.url, request.headers, request.body = method, url, prepared, body
        return request

    def _exchange_on_live_connection(self, request: PreparedRequest, limit_bytes: int) -> tuple[Response, bytes]:
        budget = self._budget
        try:
            return self._exchange(request, limit_bytes)
        except _Fault as fault:
            # A reused TLS connection has its handshake behind it, so a TLS error means the same there as a reset.
            broken = fault.kind in (FaultKind.RESET, FaultKind.TLS)
            if budget.dialled or budget.answered or not broken:
                raise
        return self._exchange(request, limit_bytes)

    def _exchange(self, request: PreparedRequest, limit_bytes: int) -> tuple[Response, bytes]:
        response = None
        try:
            response = self._adapter.send(request, stream=True, timeout=self._budget.deadline_s)
            # 1xx is no final answer: the real one would follow on this connection and be taken for the next request's.
            if not 200 <= response.status_code <= 599:
                raise _Fault(FaultKind.BAD_RESPONSE, f"the answer has status {response.status_code}")
            return response, _read(response.raw, limit_bytes)
        except (_Fault, *_REMOTE_ERRORS) as error:
            if response is not None:
                response.raw.close()
            raise self._fault_from(error) from error

    def _fault_from(self, error: BaseException) -> _Fault:
        """Tell a late answer, a broken TLS session and a closed connection from an answer that is not HTTP."""
        causes = [error]
        for cause in causes:  # grows while it is walked: requests and urllib3 wrap as an argument, a reason or a cause
            inner = (*cause.args, getattr(cause, "reason", None), cause.__cause__)
            causes += [found for found in inner if isinstance(found, BaseException) and found not in causes]
        detail = str(causes[-1]) or type(causes[-1]).__name__
        for cause in causes:
            if isinstance(cause, _Fault):
                return cause
            if isinstance(cause, TimeoutError):
                return self._budget.late()
            if isinstance(cause, ssl.SSLError):
                return _Fault(FaultKind.TLS, detail)
            if isinstance(cause, ConnectionError):
                return _Fault(FaultKind.RESET, detail)
        return _Fault(FaultKind.BAD_RESPONSE, detail)

    def _dial(self, scheme: str, host: str, port: int) -> _PlainSocket:
        budget = self._budget
        budget.dialled = True
        addresses = self._resolve(host, port)
        try:
            self._guard.check_addresses(scheme, addresses)
        except RefusedAddress as refusal:
            raise _Fault(FaultKind.REFUSED_ADDRESS, f"{host} is at {refusal.reason}") from refusal
        tried = addresses[:CONNECT_TRIES]
        for position, address in enumerate(tried, start=1):
            budget.stage = f"connecting to {address} port {port}"
            try:
                # A share of the time for each, so that an address that swallows packets leaves some for the next.
                sock = self._connect(address, port, budget.seconds() / (len(tried) - position + 1))
            except OSError as error:
                failure = error.strerror or "no answer in time"
            else:
                budget.stage = "agreeing on TLS" if scheme == "https" else "sending"
                return sock
        budget.seconds()  # raises if it was the deadline that ended the last try
        raise _Fault(FaultKind.CONNECT, f"{budget.stage}: {failure}")

    def _connect(self, address: str, port: int, timeout_s: float) -> _PlainSocket:
        sock = _PlainSocket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.budget = self._budget
            sock.settimeout(timeout_s)
            sock.connect((address, port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(self._budget.seconds())
        except BaseException:
            sock.close()
            raise
        return sock

    def _resolve(self, host: str, port: int) -> Sequence[str]:
        """Ask once per connect. getaddrinfo cannot be interrupted, so a late one is left behind in its own thread."""
        budget = self._budget
        budget.stage = f"resolving {host}"
        found: Future[Sequence[str]] = Future()

        def ask() -> None:
            try:
                found.set_result(self._resolver(host, port))
            except (OSError, ValueError) as error:
                found.set_exception(error)

        threading.Thread(target=ask, name="resolve", daemon=True).start()
        try:
            return found.result(budget.seconds())
        except TimeoutError:
            raise budget.late() from None
        except (OSError, ValueError) as error:
            raise _Fault(FaultKind.DNS, f"{host} cannot be resolved: {error}") from error


def _read(raw: Any, limit_bytes: int) -> bytes:
    chunks: list[bytes] = []
    room = limit_bytes + 1
    while room and (chunk := raw.read(room, decode_content=False)):
        chunks.append(chunk)
        room -= len(chunk)
    if not room:
        raise _Fault(FaultKind.TOO_LARGE, f"the answer is longer than {limit_bytes} bytes")
    return b"".join(chunks)
