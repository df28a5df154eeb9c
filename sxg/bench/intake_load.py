"""Consumers that submit as fast as they are answered, on kept-alive connections, each request once."""

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any
from uuid import uuid4

from bridge.ids import new_id
from sxg.failures import CommandFailed

_ANSWER_S = 30.0


@dataclass(frozen=True, slots=True)
class Target:
    """One of the two endpoints, and the consumer that asks it: its connection, its number prefix, its token."""

    name: str
    port: int
    path: str
    prefix: str
    connection_id: str
    token: str
    item_id: str

    def request(self, number: int) -> dict[str, Any]:
        """One piece of the item, asked for as a consumer does."""
        return {
            "id": new_id(),
            "number": f"{self.prefix}-PT{number:07}",
            "revision": 1,
            "catalog_item_id": self.item_id,
            "catalog_item_revision": 1,
            "quantity": 1,
            "characteristics": {
                "bandwidth": "500", "ipv4_block": "/29", "ipv6": True, "service_level": "premium", "term": "24",
            },
            "parts": {},
            "location": {"name": "Berlin office", "street": "Torstr. 1", "city": "Berlin", "country": "DE"},
            "contacts": [{"name": "Ada Lovelace", "email": "ada@acme.example", "phone": "+49 30 1234"}],
            "requested_on": "2026-12-01",
            "note": "Deliver before noon, use gate 2",
            "requested_by": {"name": "Ada Lovelace", "email": "ada@acme.example"},
            "opened_at": "2026-11-21T09:00:00.000Z",
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Taken:
    """The requests that were acknowledged, as task id to order number, and how long it took."""

    design: str
    orders: dict[str, str]
    seconds: float

    @property
    def orders_per_s(self) -> float:
        return len(self.orders) / self.seconds


def submit(target: Target, numbers: Sequence[int], clients: int) -> Taken:
    """Submit one request for each number by that many clients at once. Raises CommandFailed unless all are accepted.

    What is sent is written down before the clock starts.
    """
    calls = [(json.dumps(target.request(number)).encode(), str(uuid4())) for number in numbers]
    shares = [calls[start::clients] for start in range(clients)]
    with ThreadPoolExecutor(clients) as pool:
        started = time.monotonic()
        answers = [answer for share in pool.map(lambda share: list(_send(target, share)), shares) for answer in share]
        seconds = time.monotonic() - started
    read = [json.loads(body) for body in answers]
    return Taken(target.name, {answer["task_id"]: answer["order_number"] for answer in read}, seconds)


def _send(target: Target, calls: Sequence[tuple[bytes, str]]) -> Iterator[bytes]:
    connection = HTTPConnection("127.0.0.1", target.port, timeout=_ANSWER_S)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {target.token}"}
    try:
        for body, key in calls:
            connection.request("POST", target.path, body, headers | {"Idempotency-Key": key})
            answer = connection.getresponse()
            read = answer.read()
            if answer.status != 201:
                raise CommandFailed(f"{target.name}: a request was answered {answer.status}: {read[:300]!r}")
            yield read
    except (OSError, HTTPException) as error:
        raise CommandFailed(f"{target.name}: a request was not answered: {error!r}") from error
    finally:
        connection.close()
