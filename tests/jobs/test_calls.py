"""Calls of a consumer over real HTTP: in order per record, final only by a listed code, everything else again."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bridge import outbox
from bridge.ailments import find_ailments
from bridge.carriers import CallAnswer, RestCarrier, Senders
from bridge.draining import ALONE_TRIES, Limits
from bridge.egress import AddressGuard, Sender
from bridge.flow import read_flow
from bridge.jobs import Station
from bridge.models import Connection, Lease, Stream
from tests.toy import NOW, PROVIDER, add_connection, answer, deliveries, make_keyring, toy_database

PROBLEM = {"Content_Type": "application/problem+json"}
TOYS = "POST /exchange/v1/toys"


class ToyFactory:
    """A provider that answers what it is told to, and remembers each call."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str, dict[str, Any]]] = []
        self.script: list[tuple[int, str, dict[str, str]]] = []
        """Answers to come; then it is 201 for ever."""
        self.refused: dict[str, tuple[int, str, dict[str, str]]] = {}
        """The answer to every call about a toy."""
        self.connection = (200, '{"state": "active"}')
        """The answer to being asked how the connection is."""
        self.delay_s = 0.0
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._make_handler())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def _make_handler(self) -> type[BaseHTTPRequestHandler]:
        factory = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                key, bearer = self.headers["Idempotency-Key"], self.headers["Authorization"]
                factory.calls.append((self.path, key, bearer, body))
                time.sleep(factory.delay_s)
                told = factory.script.pop(0) if factory.script else (201, '{"made": true}', {})
                status, text, headers = factory.refused.get(body["toy"], told)
                answer(self, status, text.encode(), **headers)

            def do_GET(self) -> None:
                assert self.path == "/exchange/v1/connection"
                status, text = factory.connection
                answer(self, status, text.encode())

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


class Tokens:
    """A token source that counts how often a fresh one was asked for."""

    def __init__(self) -> None:
        self.fresh = 0
        self.delay_s = 0.0

    def token(self, connection: Connection, sender: Sender, *, fresh: bool, deadline_s: float) -> str:
        self.fresh += fresh
        time.sleep(self.delay_s)
        return f"token-{self.fresh}"


class Shop:
    """A consumer's side: an outbox of calls, and what became of them."""

    def __init__(self, tmp_path: Path, url: str, factory_url: str) -> None:
        self.tokens = Tokens()
        self.answers: list[CallAnswer] = []
        self.database = toy_database(url)
        with self.database.transaction() as session:
            self.connection_id = add_connection(session, make_keyring(tmp_path), factory_url)

        def carrier() -> RestCarrier:
            return RestCarrier(
                senders=Senders(AddressGuard(("127.0.0.0/8",)), "shop/1"),
                tokens=self.tokens,
                identity=PROVIDER,
                clock=lambda: datetime.now(UTC),
                is_final=lambda operation, code: code in ("no_such_colour",),
                on_answer=self._on_answer,
            )

        limits = Limits(rejected_pause_s=0.01, busy_pause_s=0.01)
        self.station = Station(self.database, carrier, None, lambda: datetime.now(UTC), limits)

    def _on_answer(self, session: Session, answered: CallAnswer, now: datetime) -> None:
        self.answers.append(answered)

    def call(self, toy: str, **body: Any) -> str:
        with self.database.transaction() as session:
            return outbox.record_call(
                session, f"toy/{toy}", "make", TOYS, {"toy": toy, **body}, to=self.connection_id, now=NOW
            )

    def drain(self) -> None:
        with self.database.transaction() as session:
            session.execute(update(Lease).values(not_before=None))
            session.execute(update(Stream).where(Stream.due_at.is_not(None)).values(due_at=NOW))
        self.station.drain(self.connection_id)

    def drain_in_turn(self) -> None:
        """As if all pauses were over, without letting anybody jump the queue."""
        with self.database.transaction() as session:
            session.execute(update(Lease).values(not_before=None))
            for stream in session.scalars(select(Stream).where(Stream.due_at.is_not(None))):
                assert stream.due_at is not None
                stream.due_at -= timedelta(hours=1)
        self.station.drain(self.connection_id)

    def states(self) -> list[str]:
        with self.database.reading() as session:
            return [state for _, _, state in deliveries(session, self.connection_id)]

    def lease(self) -> Lease:
        with self.database.reading() as session:
            return session.execute(select(Lease)).scalar_one()


@pytest.fixture
def factory() -> Iterator[ToyFactory]:
    factory = ToyFactory()
    yield factory
    factory.server.shutdown()
    factory.server.server_close()


@pytest.fixture
def shop(tmp_path: Path, database_url: str, factory: ToyFactory) -> Iterator[Shop]:
    shop = Shop(tmp_path, database_url, factory.url)
    yield shop
    shop.database.close()


def problem(code: str, status: int) -> tuple[int, str, dict[str, str]]:
    return status, json.dumps({"code": code, "title": "No", "status": status}), PROBLEM


def test_calls_about_one_record_go_out_in_order_with_their_own_key(shop: Shop, factory: ToyFactory) -> None:
    keys = [shop.call("bear", n=1), shop.call("bear", n=2), shop.call("robot", n=1)]
    shop.drain()
    shop.drain()
    assert shop.states() == ["delivered"] * 3
    bears = [(key, body["n"]) for _, key, _, body in factory.calls if body["toy"] == "bear"]
    assert bears == [(keys[0], 1), (keys[1], 2)]
    assert {path for path, *_ in factory.calls} == {"/exchange/v1/toys"}
    assert [a.document for a in shop.answers if a.accepted] == [{"made": True}] * 3


def test_a_listed_problem_is_final_and_is_told(shop: Shop, factory: ToyFactory) -> None:
    factory.script = [problem("no_such_colour", 422)]
    shop.call("bear")
    shop.drain()
    assert shop.states() == ["delivered"]
    assert [(a.accepted, a.code, a.operation) for a in shop.answers] == [(False, "no_such_colour", "make")]


@pytest.mark.parametrize(
    "said",
    [
        (404, "<html>no such page</html>", {"Content_Type": "text/html"}),
        (422, '{"code": "no_such_colour"}', {"Content_Type": "application/json"}),
        (403, "forbidden by a proxy", {}),
        (422, json.dumps({"code": "something_else"}), PROBLEM),
        (500, json.dumps({"code": "no_such_colour"}), PROBLEM),
        (302, "", {"Location": "http://127.0.0.1:1/"}),
        (200, "<html>captive portal</html>", {"Content_Type": "text/html"}),
        (200, "[" * 5000, {}),
    ],
)
def test_anything_else_says_nothing_and_the_call_is_made_again_with_the_same_key(
    shop: Shop, factory: ToyFactory, said: tuple[int, str, dict[str, str]]
) -> None:
    factory.script = [said]
    shop.call("bear")
    shop.drain()
    assert shop.states() == ["pending"]
    assert shop.answers == []
    assert shop.lease().failures == 1
    shop.drain()
    assert shop.states() == ["delivered"]
    first, second = factory.calls
    assert first[:2] == second[:2]


def test_a_pause_of_the_provider_is_known_as_such_and_told_in_words(shop: Shop, factory: ToyFactory) -> None:
    said = '{"code": "connection_not_active", "state": "paused", "detail": "the connection is paused", "status": 403}'
    factory.script = [(403, said, PROBLEM)]
    shop.call("bear")
    shop.drain()
    with shop.database.reading() as session:
        flow = read_flow(session, shop.connection_id)
        found = find_ailments(flow, datetime.now(UTC))
    assert flow.last_error == "HTTP 403 connection_not_active, paused: the connection is paused"
    assert [(one.kind, one.fault) for one in found] == [("paused_there", "the other side has paused this connection")]
    shop.drain()
    assert shop.states() == ["delivered"]


def test_token_call_and_second_try_share_one_deadline(shop: Shop, factory: ToyFactory) -> None:
    """Else a call could outlast the lease under which it is made."""
    shop.tokens.delay_s, factory.delay_s = 0.8, 0.8
    factory.script = [problem("unauthorized", 401)]
    shop.call("bear")
    started = time.monotonic()
    shop.drain()
    assert time.monotonic() - started < 3.15  # each with a deadline of its own: 3.2 at least
    assert shop.states() == ["pending"]
    assert shop.lease().failures == 0


def test_a_401_is_answered_by_one_fresh_token(shop: Shop, factory: ToyFactory) -> None:
    factory.script = [problem("unauthorized", 401)]
    shop.call("bear")
    shop.drain()
    assert shop.states() == ["delivered"]
    assert [bearer for _, _, bearer, _ in factory.calls] == ["Bearer token-0", "Bearer token-1"]
    factory.script = [problem("unauthorized", 401)] * 2
    shop.call("bear")
    shop.drain()
    assert len(factory.calls) == 4
    assert shop.states() == ["delivered", "pending"]


def test_a_record_the_provider_denies_after_accepting_it_is_parked_not_answered(
    shop: Shop, factory: ToyFactory
) -> None:
    factory.script = [problem("not_found", 404)] * 3
    shop.call("bear", n=1)
    shop.call("bear", n=2)
    for _ in range(4):
        shop.drain()
    assert shop.states() == ["parked", "pending"]
    assert shop.answers == []


@pytest.mark.parametrize("status", [400, 405, 409, 413, 415, 422])
def test_a_refusal_nobody_expected_is_parked_and_other_records_go_on(
    shop: Shop, factory: ToyFactory, status: int
) -> None:
    factory.refused["bear"] = problem("surprise", status)
    for toy in ("bear", "robot", "car"):
        shop.call(toy)
    for _ in range(6):
        shop.drain()
    assert shop.states() == ["parked", "delivered", "delivered"]
    assert [body["toy"] for *_, body in factory.calls].count("bear") == 3


BROKEN = [(500, "<html>broken</html>", {}), (403, "<html>not this text</html>", {}), (418, "", {})]


@pytest.mark.parametrize("said", BROKEN, ids=lambda said: str(said[0]))
def test_a_call_that_can_never_be_answered_is_parked_and_others_go_on(
    shop: Shop, factory: ToyFactory, said: tuple[int, str, dict[str, str]]
) -> None:
    factory.refused["bear"] = said
    for toy in ("bear", "robot", "car"):
        shop.call(toy)
    for _ in range(5):
        shop.drain_in_turn()
    assert shop.states() == ["pending", "delivered", "delivered"]
    for _ in range(12):
        shop.drain_in_turn()
    assert shop.states() == ["parked", "delivered", "delivered"]
    assert [body["toy"] for *_, body in factory.calls].count("bear") >= ALONE_TRIES
    assert shop.lease().failures == 0


@pytest.mark.parametrize(
    "connection", [(500, ""), (200, '{"state": "paused"}'), (403, '{"state": "active"}'), (200, "1")]
)
def test_while_the_provider_is_not_well_either_no_call_is_parked(
    shop: Shop, factory: ToyFactory, connection: tuple[int, str]
) -> None:
    factory.connection = connection
    factory.refused["bear"] = BROKEN[0]
    shop.call("bear")
    for _ in range(20):
        shop.drain()
    assert shop.states() == ["pending"]


def test_a_call_that_says_nothing_stops_the_series_and_keeps_what_was_answered(shop: Shop, factory: ToyFactory) -> None:
    for toy in ("a", "b", "c"):
        shop.call(toy)
    factory.script = [(201, '{"made": true}', {}), (503, "", {"Retry_After": "1"})]
    shop.drain()
    assert shop.states().count("delivered") == 1
    assert len(factory.calls) == 2
    for _ in range(3):
        shop.drain()
    assert shop.states() == ["delivered"] * 3


def test_the_effect_of_an_answer_is_in_the_settling_transaction(shop: Shop, factory: ToyFactory) -> None:
    def fail_once(session: Session, answered: CallAnswer, now: datetime) -> None:
        shop.station.carrier.on_answer = shop._on_answer  # type: ignore[attr-defined]
        raise ZeroDivisionError

    shop.call("bear")
    shop.station.carrier.on_answer = fail_once  # type: ignore[attr-defined]
    with pytest.raises(ZeroDivisionError):
        shop.drain()
    assert shop.states() == ["pending"]
    shop.drain()
    assert shop.states() == ["delivered"]
    assert len({key for _, key, _, _ in factory.calls}) == 1
