"""How do the command line and the tests speak to an instance's API? JSON in, JSON out, errors on one line."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote, urlencode

from bridge.egress import AddressGuard, Reply, Sender, SendFailed

LOOPBACK = ("127.0.0.0/8", "::1/128")
DEADLINE_S = 15.0
_ANSWER_LIMIT_BYTES = 32 * 1024 * 1024
_PAGE = 200


class ClientError(Exception):
    """A call came to nothing; the text is for people, one line."""


class Unreachable(ClientError):
    """No answer, or one that is not of such an API: trying again may help, or the address is wrong."""


class ApiProblem(ClientError):
    """The instance refused (RFC 9457); `errors` point at fields, each with `pointer` and `message`."""

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(document["code"])
        self.title = str(document.get("title", ""))
        self.detail = str(document.get("detail") or "")
        self.errors: Sequence[Mapping[str, Any]] = document.get("errors") or ()
        self.document = document
        super().__init__(f"{self.detail or self.title} ({status} {self.code})")


@dataclass
class Client:
    """One user of one instance, over a kept-alive connection. For one thread at a time.

    `allow` are the CIDRs that may be reached although they are private, and over plain http.
    """

    url: str
    token: str = ""
    allow: Sequence[str] = LOOPBACK
    deadline_s: float = DEADLINE_S
    prefix: str = "/api/v1"
    _sender: Sender = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.url = self.url.rstrip("/")
        try:
            guard = AddressGuard(tuple(self.allow))
        except ValueError as error:
            raise ClientError(f"not a network to allow: {error}") from None
        self._sender = Sender(guard, user_agent="sxg")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._sender.close()

    def get(self, path: str, **query: Any) -> Any:
        """Parameters that are None are left out."""
        given = {name: value for name, value in query.items() if value is not None}
        return self.call("GET", f"{path}{'&' if '?' in path else '?'}{urlencode(given)}" if given else path)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return self.call("POST", path, {} if body is None else body)

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        return self.call("PUT", path, body)

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Every item of a list, page by page."""
        cursor = None
        while True:
            page = self.get(path, **query, limit=_PAGE, cursor=cursor)
            yield from page["items"]
            cursor = page.get("next")
            if not cursor:
                return

    def upload(self, path: str, content: bytes, media_type: str) -> Any:
        """Send a file."""
        return self.call("POST", path, content, media_type)

    def call(
        self, method: str, path: str, body: Mapping[str, Any] | bytes | None = None,
        content_type: str = "application/json",
    ) -> Any:  # fmt: skip
        """The document of a 2xx answer. Raises ApiProblem or Unreachable.

        `path` begins below `/api/v1`; bytes are sent as they are.
        """
        headers = {"Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            headers["Content-Type"] = content_type
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        reply = self._send(method, path, headers, content)
        document = _document(reply)
        if 200 <= reply.status < 300:
            if document is None and reply.body:
                raise Unreachable(f"{self.url} does not answer like an instance of the gateway: no JSON")
            return document
        raise self._problem(reply, document)

    def _send(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        try:
            return self._sender.send(
                method, self.url + self.prefix + path, body=body, headers=headers, deadline_s=self.deadline_s,
                response_limit_bytes=_ANSWER_LIMIT_BYTES,
            )  # fmt: skip
        except SendFailed as failed:
            raise Unreachable(f"{self.url}: {failed.detail}") from None
        except ValueError:
            raise ClientError("the token has characters that no token has") from None

    def _problem(self, reply: Reply, document: Any) -> ClientError:
        if isinstance(document, dict) and isinstance(document.get("code"), str):
            return ApiProblem(reply.status, document)
        return Unreachable(f"{self.url} answers {reply.status}, and not like an instance of the gateway")


def segment(value: str) -> str:
    """A value as one segment of a path."""
    return quote(value, safe="")


def _document(reply: Reply) -> Any:
    try:
        return json.loads(reply.body) if reply.body else None
    except (ValueError, RecursionError):
        return None
