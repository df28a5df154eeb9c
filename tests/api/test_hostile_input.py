"""Whatever is sent to any route of either app, by whoever may call it: refused as a problem, and nothing is written.

The routes come from the apps themselves: one that is added without a row in `worlds.py` fails the first test.
"""

import base64
import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from io import BytesIO, RawIOBase
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from werkzeug.test import TestResponse

from bridge.vocabulary import BATCH_CONTENT_TYPE, BATCH_LIMIT_BYTES, EventType
from bridge.web import BODY_LIMIT_BYTES
from consumer_sim import models as consumer_models
from tests.api.worlds import Document, World, endpoint_of, make_consumer_world, make_provider, make_worlds
from tests.consumer_factories import (
    Consumer,
    comment_added,
    connected_consumer,
    event,
    item_changed,
    item_removed,
    product_changed,
    rows,
    state_changed,
)  # fmt: skip

Place = tuple[str | int, ...]

TOKEN, RECEIVER = "token.token", "receiver.receive_batch"
FILES = {"attachments.attach", "attachments.choose", "exchange_attachments.put_content"}
"""These take no JSON document of ours; they have tests of their own below, files in test_exchange_attachments.py."""


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, World]]:
    """For calls that change nothing; those that do take `fresh`."""
    directory = tmp_path_factory.mktemp("hostile")
    yield from make_worlds(directory, lambda name: f"sqlite:///{directory / name}.db")


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[dict[str, World]]:
    yield from make_worlds(tmp_path, lambda name: f"sqlite:///{tmp_path / name}.db")


@pytest.fixture(params=["provider", "consumer"])
def side(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def untouched(worlds: dict[str, World], side: str) -> Iterator[Callable[[], bool]]:
    """Whether nothing at all was committed since the last time it was asked."""
    with_path = sqlite3.connect(str(worlds[side].database.url.database))

    def version() -> int:
        number: int = with_path.execute("PRAGMA data_version").fetchone()[0]
        return number

    seen = version()

    def check() -> bool:
        nonlocal seen
        before, seen = seen, version()
        return before == seen

    yield check
    with_path.close()


def check_refused(answer: TestResponse, statuses: tuple[int, ...], about: object) -> None:
    assert answer.status_code in statuses, (about, answer.status_code, answer.text[:400])
    check_form(answer, about)


def check_form(answer: TestResponse, about: object) -> None:
    """Never a fault of ours, never a page; a refusal is a problem with a code."""
    assert answer.status_code < 500, (about, answer.text[:400])
    assert answer.mimetype != "text/html", about
    assert answer.headers["X-Content-Type-Options"] == "nosniff", about
    if answer.status_code >= 300:
        assert answer.content_type == "application/problem+json", about
        document = answer.get_json()
        assert document["status"] == answer.status_code, about
        assert document["code"] and document["title"], about


# --- the documents, spoilt


def places(value: Any, at: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every value below the document, with where it stands."""
    if at:
        yield at, value
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in members:
        yield from places(inner, (*at, step))


def spoilt(document: Document, at: Place, text: str) -> bytes:
    """The document as JSON, with this text in place of the value at `at`."""
    changed = deepcopy(document)
    inner: Any = changed
    for step in at[:-1]:
        inner = inner[step]
    inner[at[-1]] = "\ue000"
    return json.dumps(changed).replace('"\\ue000"', text).encode()


ANYWHERE = {
    "NUL": '"a\\u0000b"',
    "lone surrogate": '"\\ud800"',
    "NaN": "NaN",
    "-Infinity": "-Infinity",
    "1e999": "1e999",
    "4000 digits": "9" * 4000,
    "5000 digits": "9" * 5000,
    "33 levels": "[" * 33 + "]" * 33,
    "a name twice": '{"a": 1, "a": 1}',
}
FOR_INTEGERS = ("true", "1.0", "1e0", "-1", "9223372036854775807", "[1]")
FOR_MOMENTS = ("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-02-30T00:00:00Z", "2026-11-21T09:00:00")


def value_rows(document: Document) -> Iterator[tuple[str, bytes]]:
    for at, value in places(document):
        if not isinstance(value, dict | list):
            for text in (*ANYWHERE.values(), *for_values_like(value)):
                yield f"{text[:30]} at {at}", spoilt(document, at, text)
    yield "unknown field", json.dumps({**document, "is_admin": True}).encode()
    for name in {"author", "criteria", "location", "requested_by"} & document.keys():
        yield f"unknown field in {name}", json.dumps({**document, name: {**document[name], "x": 1}}).encode()


def for_values_like(value: Any) -> Iterable[str]:
    if type(value) is int:
        return FOR_INTEGERS
    is_moment = isinstance(value, str) and "T" in value and value.endswith("Z")
    return [json.dumps(text) for text in FOR_MOMENTS] if is_moment else ()


def body_rows(document: Document) -> Iterator[tuple[str, bytes, str | None]]:
    """What is wrong with the whole of a body, the body, and its content type."""
    text = json.dumps(document)
    good, kind = text.encode(), "application/json"
    yield "200 kB of brackets", b"[" * 200_000, kind
    yield "200 kB of braces", b'{"a":' * 40_000, kind
    yield "the same name twice", text.replace("{", '{"reason": 1, "reason": 1, ', 1).encode(), kind
    yield "NUL in a name", text.replace("{", '{"a\\u0000": 1, ', 1).encode(), kind
    for encoding in ("utf-16", "utf-16-le", "utf-32", "utf-8-sig"):
        yield encoding, text.encode(encoding), kind
    yield "bad UTF-8", text.replace("{", '{"\xff": 1, ', 1).encode("latin-1"), kind
    yield "surrogate in UTF-8", good.replace(b"{", b'{"\xed\xa0\x80": 1, ', 1), kind
    yield "cut", good[:-1], kind
    yield "empty", b"", kind
    yield "blank", b" \n", kind
    yield "two documents", good + good, kind
    for wrong in (b"null", b"true", b"0", b'"x"', b"[]", b"[" + good + b"]"):
        yield f"{wrong[:8]!r}", wrong, kind
    for charset in ("utf-7", "utf-16", "latin-1", "no-such-charset"):
        yield charset, good, f"application/json; charset={charset}"
    for other in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "nonsense", ""):
        yield f"as {other!r}", good, other
    yield "nothing at all", b"", None
    yield "oversize", b" " * BODY_LIMIT_BYTES + good, kind


class Endless(RawIOBase):
    """A chunked body that never ends; `given` is how much of it was read."""

    given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.given += len(buffer)
        buffer[:] = b" " * len(buffer)
        return len(buffer)


def raw_stream(stream: Any, **environ: Any) -> Document:
    return {"content_type": "application/json", "environ_overrides": {"wsgi.input": stream, **environ}}


def chunked(stream: Any) -> Document:
    return raw_stream(stream, HTTP_TRANSFER_ENCODING="chunked", **{"wsgi.input_terminated": True})


REFUSALS = (400, 413, 415, 422)
PASSED_OVER = ("connection_care.hear", "unknown field")
"""A consumer of a later version must not seem down; `tests/api/test_move.py` shows that it is heard."""


def test_every_write_route_has_a_body_here_that_it_accepts(fresh: dict[str, World], side: str) -> None:
    world = fresh[side]
    rules = {endpoint_of(rule): (method, rule) for method, rule in world.rules("POST", "PUT", "PATCH", "DELETE")}
    with_body = {end for end, (method, rule) in rules.items() if "requestBody" in world.documented(method, rule)}
    assert with_body - {TOKEN, RECEIVER} - FILES == set(world.bodies), "give each new route a body that it accepts"
    for endpoint, body in world.bodies.items():
        method, rule = rules[endpoint]
        answer = world.call(method, world.path(rule), json=body)
        # Nobody answers at an address of a body: what is accepted, and then asked there, comes to that.
        unproven = answer.status_code == 409 and answer.get_json()["code"] == "challenge_failed"
        assert answer.status_code in (200, 201) or unproven, (endpoint, answer.text)


def test_a_spoilt_body_is_refused_and_nothing_is_written(
    worlds: dict[str, World], side: str, untouched: Callable[[], bool]
) -> None:
    world = worlds[side]
    for method, rule in world.rules("POST", "PUT", "PATCH", "DELETE"):
        if endpoint_of(rule) not in world.bodies:
            continue
        body, path = world.bodies[endpoint_of(rule)], world.path(rule)
        for name, data, kind in body_rows(body):
            answer = world.call(method, path, data=data, content_type=kind)
            check_refused(answer, REFUSALS, (endpoint_of(rule), name))
            assert untouched(), (endpoint_of(rule), name)
        for stream in (BytesIO(b" " * BODY_LIMIT_BYTES + json.dumps(body).encode()), endless := Endless()):
            check_refused(world.call(method, path, **chunked(stream)), (413,), (endpoint_of(rule), "chunked"))
            assert untouched(), (endpoint_of(rule), "chunked")
        assert endless.given < 2 * BODY_LIMIT_BYTES
        short = raw_stream(BytesIO(b"{"), CONTENT_LENGTH="99")
        check_refused(world.call(method, path, **short), (400,), (endpoint_of(rule), "shorter than it says"))
        assert untouched(), endpoint_of(rule)


def test_a_spoilt_value_is_refused_and_nothing_is_written(
    worlds: dict[str, World], side: str, untouched: Callable[[], bool]
) -> None:
    world = worlds[side]
    for method, rule in world.rules("POST", "PUT", "PATCH", "DELETE"):
        for name, data in (
            value_rows(world.bodies.get(endpoint_of(rule), {})) if endpoint_of(rule) in world.bodies else ()
        ):
            if (endpoint_of(rule), name) == PASSED_OVER:
                continue
            answer = world.call(method, world.path(rule), data=data, content_type="application/json")
            check_refused(answer, REFUSALS, (endpoint_of(rule), name))
            assert untouched(), (endpoint_of(rule), name)


ANY_VALUE = ("null", "true", "1.5", "-1", "9223372036854775807", '""', json.dumps("x" * 30_000), '"\\u202e"', "[]",
             "{}", "[null]", '{"": {"": []}}', '"9999-12-31"')  # fmt: skip


def test_any_value_at_any_place_is_taken_or_refused_but_never_a_fault(fresh: dict[str, World], side: str) -> None:
    world = fresh[side]
    for method, rule in world.rules("POST", "PUT", "PATCH", "DELETE"):
        body = world.bodies.get(endpoint_of(rule), {})
        if endpoint_of(rule) == "connections.connect":  # would call whom it is told to
            body = {}
        for at, _ in places(body):
            for text in ANY_VALUE:
                data = spoilt(body, at, text)
                answer = world.call(method, world.path(rule), data=data, content_type="application/json")
                check_form(answer, (endpoint_of(rule), at, text[:20]))


# --- paths and queries


@pytest.fixture
def on_both(database_url: str, side: str, tmp_path: Path) -> Iterator[World]:
    """One app on either database: what a text column takes differs."""
    if side == "provider":
        world = make_provider(database_url, tmp_path)
        yield world
        world.database.close()
    else:
        with connected_consumer(database_url, tmp_path) as one:
            yield make_consumer_world(one)


NO_IDS = (
    "x", "0", "-1", "%00", "a%00b", "%1B", "..", "../..", "%2e%2e%2f", "..%2f..%2f", "%2F", "//", "%ED%A0%80", "%FF",
    "%E2%80%AE", "%F0%9F%98%80", "%0d%0aX-Evil:%201", "%25", "'%20or%201=1--", "%3Cscript%3E", "{}", "null", "*", "%5C",
    "a" * 255, "a" * 5000, "%C3%A9" * 300, "00000000-0000-0000-0000-000000000000",
    "4a1c0d9e-2a6f-4f0e-8c7d-1d2c3b4a5f6",
)  # fmt: skip


def lacks_body(world: World, method: str, rule: Any) -> bool:
    """The first test tells of a route that has no body here."""
    return endpoint_of(rule) not in world.bodies and "requestBody" in world.documented(method, rule)


def test_an_id_that_is_none_is_not_found(on_both: World) -> None:
    """Each route is asked with every fourth text, the next one with those after them."""
    for turn, (method, rule) in enumerate(on_both.rules("GET", "POST", "PUT", "PATCH", "DELETE")):
        if endpoint_of(rule) == RECEIVER or lacks_body(on_both, method, rule):
            continue
        body = on_both.bodies.get(endpoint_of(rule))
        query = on_both.needed(method, rule)
        written_by_name = {"name"} if "/scratchpad/" in rule.rule and method != "GET" else set()  # any name will do
        for argument in rule.arguments - written_by_name:
            for text in NO_IDS[turn % 4 :: 4]:
                path = on_both.path(rule, **{argument: text})
                answer = on_both.call(method, path, json=body, query_string=query)
                check_refused(answer, (404,), (endpoint_of(rule), text[:20]))


def test_a_path_is_never_answered_with_a_redirect(worlds: dict[str, World], side: str) -> None:
    world = worlds[side]
    for method, rule in world.rules("GET", "POST", "PUT"):
        for path in (f"{world.path(rule)}/", world.path(rule).replace("/v1/", "/v1//"), f"/%2e{world.path(rule)}"):
            check_refused(world.call(method, path), (404,), path)


def test_another_method_is_a_problem(worlds: dict[str, World], side: str) -> None:
    world = worlds[side]
    known = {rule.rule for _, rule in world.rules("DELETE")}
    for _, rule in world.rules("GET", "POST", "PUT"):
        for method in ("TRACE", "PROPFIND", "PATCH", *(() if rule.rule in known else ("DELETE",)), "GET\u00e9"):
            check_refused(world.call(method, world.path(rule)), (405,), (endpoint_of(rule), method))


def cursor(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode()


BAD_LIMITS = ("0", "-1", "201", "1e9", "1000000000", "abc", "1.5", "", " 1", "+1", "\u0661", "9" * 5000, "\x00", "true")
BAD_CURSORS = (
    "garbage", "====", "\x00", "\u00e9", "W10", cursor(b"\xff"), cursor(b"[" * 300), cursor(b"9" * 400),
    cursor(b"[NaN]"), cursor(b"[1e999]"), cursor(1), cursor({}), cursor("x"), cursor([]), cursor([None]),
    cursor([{}]), cursor([[]]),
    cursor(["\ud800"]), cursor(["a\x00"]), cursor(["\x00", "\x00"]), cursor([2**70]), cursor([True, True]),
    cursor([2**70, "x"]), cursor(["4a1c0d9e-2a6f-4f0e-8c7d-1d2c3b4a5f60", 2**70]), cursor(["a", 1, "b"]),
    cursor([2**70, "4a1c0d9e-2a6f-4f0e-8c7d-1d2c3b4a5f60"]), cursor(["\ud800", "\ud800"]), "x" * 5000,
    cursor(["' or 1=1--", "' or 1=1--", "' or 1=1--"]),
)  # fmt: skip


def lists(world: World) -> Iterator[tuple[str, Document, list[str]]]:
    """Every list: its path, the query that it needs, and the names of its other parameters."""
    for method, rule in world.rules("GET"):
        names = [one["name"] for one in world.documented(method, rule).get("parameters", ()) if one["in"] == "query"]
        if "limit" in names:
            yield world.path(rule), world.needed(method, rule), names


def test_a_limit_that_is_none_is_refused(worlds: dict[str, World], side: str) -> None:
    found = list(lists(worlds[side]))
    assert len(found) >= {"provider": 14, "consumer": 4}[side]
    for path, needed, _ in found:
        for text in BAD_LIMITS:
            answer = worlds[side].call("GET", path, query_string={**needed, "limit": text})
            check_refused(answer, (422,), (path, text[:20]))
            assert answer.get_json()["errors"][0] | {"message": ""} == {
                "pointer": "/limit", "code": "invalid", "in": "query", "message": "",
            }  # fmt: skip


def test_a_cursor_that_no_list_gave_is_refused(on_both: World) -> None:
    for path, needed, _ in lists(on_both):
        for text in BAD_CURSORS:
            answer = on_both.call("GET", path, query_string={**needed, "cursor": text})
            check_form(answer, (path, text[:60]))
            assert answer.status_code == 422 or not needed or on_both.peers == {}, (path, text[:60])


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_forged_cursor_with_a_moment_far_away_is_refused(worlds: dict[str, World], text: str) -> None:
    for path, needed, _ in lists(worlds["provider"]):
        query = {**needed, "cursor": cursor([text, str(UUID(int=7))])}
        check_form(worlds["provider"].call("GET", path, query_string=query), path)


def test_a_forged_cursor_with_a_number_beyond_its_column_is_refused(postgres_url: str, tmp_path: Path) -> None:
    world = make_provider(postgres_url, tmp_path)
    query = {"cursor": cursor([str(UUID(int=7)), 2**40])}
    try:
        check_form(world.call("GET", "/api/v1/remote-record-producers", query_string=query), query)
    finally:
        world.database.close()


def test_any_text_in_a_query_is_taken_or_refused_but_never_a_fault(on_both: World) -> None:
    for path, needed, names in lists(on_both):
        for name in {*names, "unknown"}:
            for text in ("", "\x00", "x" * 5000, "%", "' or 1=1--", "\u202e", "%ED%A0%80", "[]"):
                check_form(on_both.call("GET", path, query_string={**needed, name: text}), (path, name, text[:20]))
            answer = on_both.call("GET", f"{path}?{name}=%ED%A0%80&{name}=%FF&{name}[]=1&%00=1&=")
            check_form(answer, (path, name))


BAD_CREDENTIALS = (
    "", "\x00", "\u00e9", "x" * 9000, "Bearer", "Bearer ", "Bearer \u00e9", "Bearer \x00", "Basic %%%", "Digest x",
    "Bearer " + "x" * 9000,
)  # fmt: skip


def test_hostile_headers_are_taken_or_refused_but_never_a_fault(worlds: dict[str, World], side: str) -> None:
    world = worlds[side]
    path = world.path(next(rule for _, rule in world.rules("GET") if not rule.arguments))
    for value in BAD_CREDENTIALS:
        answer = world.app.test_client().get(path, headers={"Authorization": value})
        check_refused(answer, (401, 403), value[:20])
        for name in ("X-Request-Id", "Idempotency-Key", "Accept", "Content-Type", "Host", "X-Forwarded-For"):
            answer = world.call("GET", path, headers={name: value})
            check_form(answer, (name, value[:20]))
            assert re.fullmatch("[A-Za-z0-9._-]{1,64}", answer.headers["X-Request-Id"])


# --- the two routes that take no JSON document of ours


def basic(text: bytes) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(text).decode()}"}


FORM = "application/x-www-form-urlencoded"
GRANT = b"grant_type=client_credentials"
TOKEN_ROWS: tuple[tuple[bytes, str | None, dict[str, str], int], ...] = (
    (b"", None, {}, 400),
    (b"", FORM, {}, 400),
    (b"{}", "application/json", {}, 400),
    (b'{"grant_type": "client_credentials"}', "application/json", {}, 400),
    (b"\xff\xfe", FORM, {}, 400),
    (b"grant_type=password&username=a&password=b", FORM, {}, 400),
    (b"grant_type=", FORM, {}, 400),
    (b"grant_type=%00", FORM, {}, 400),
    (GRANT + b"&" + GRANT, FORM, {}, 400),
    (GRANT + b"&client_secret=a&client_secret=b", FORM, {}, 400),
    (GRANT + b"&client_secret=a", FORM, basic(b"a:b"), 400),
    (GRANT, FORM, {}, 401),
    (GRANT + b"&client_id=%00&client_secret=%00", FORM, {}, 401),
    (GRANT + b"&client_id=%ED%A0%80&client_secret=%ED%A0%80", FORM, {}, 401),
    (GRANT + b"&client_id=%FF&client_secret=%FF", FORM, {}, 401),
    (GRANT + b"&client_id=\xff", FORM, {}, 400),
    (GRANT + b"&client_id=" + b"a" * 100_000 + b"&client_secret=x", FORM, {}, 401),
    (GRANT + b"&client_id='+or+1=1--&client_secret=x", FORM, {}, 401),
    (GRANT, FORM, basic(b"\x00:\x00"), 401),
    (GRANT, FORM, basic(b"\xff:\xff"), 401),
    (GRANT, FORM, basic(b"no colon"), 401),
    (GRANT, FORM, basic("\ud800:x".encode("utf-8", "surrogatepass")), 401),
    (GRANT, FORM, {"Authorization": "Basic %%%"}, 401),
    (GRANT, FORM, {"Authorization": "Bearer x"}, 401),
    (GRANT, FORM + "; charset=utf-7", {}, 401),
    (b"--x\r\n" * 1000, "multipart/form-data; boundary=x", {}, 400),
    (b"--x\r\n" * 10, "multipart/form-data", {}, 400),
    (b"a=1&" * 60_000, FORM, {}, 400),
    (b"a=" + b"x" * BODY_LIMIT_BYTES, FORM, {}, 413),
)


def test_the_token_endpoint_refuses_in_the_words_of_oauth(database_url: str, tmp_path: Path) -> None:
    world = make_provider(database_url, tmp_path)
    codes = {400: {"invalid_request", "unsupported_grant_type"}, 401: {"invalid_client"}, 413: {"invalid_request"}}
    for data, kind, headers, status in TOKEN_ROWS:
        client = world.app.test_client()
        answer = client.post("/exchange/v1/token", data=data, content_type=kind, headers=headers)
        about = (data[:60], kind, headers, answer.text[:300])
        assert (answer.status_code, answer.mimetype) == (status, "application/json"), about
        document = answer.get_json()
        assert document.keys() == {"error", "error_description"}, about
        assert document["error"] in codes[status], about
        assert answer.headers["Cache-Control"] == "no-store", about
    stream = chunked(Endless()) | {"content_type": FORM}
    answer = world.app.test_client().post("/exchange/v1/token", **stream)
    assert (answer.status_code, answer.get_json()["error"]) == (413, "invalid_request")
    world.database.close()


@pytest.fixture
def acme(database_url: str, tmp_path: Path) -> Iterator[Consumer]:
    with connected_consumer(database_url, tmp_path) as one:
        yield one


def signed_rows() -> Iterator[tuple[str, bytes]]:
    document = json.loads(product_changed(str(uuid4()), 1))
    good = json.dumps(document).encode()
    for name, data, _ in body_rows(document):
        if data.strip() and data != good and name not in ("NUL in a name", "oversize"):
            yield name, data if name == "two documents" else b"[" + data + b"]"
    for text in ("NaN", "-Infinity", "9" * 5000, "[" * 100_000, '{"a": 1, "a": 1}'):
        yield text[:10], b"[" + spoilt(document, ("data", "name"), text) + b"]"


def test_a_signed_body_that_is_no_batch_is_a_problem(acme: Consumer) -> None:
    for name, data in signed_rows():
        check_refused(acme.post_bytes(data), (400,), name)
    check_refused(acme.post_bytes(b" " * BATCH_LIMIT_BYTES + b"[]"), (413,), "oversize")
    assert rows(acme, consumer_models.Product) == []


EVENTS: dict[str, Callable[[], str]] = {
    "product.changed": lambda: product_changed(str(uuid4()), 1),
    "catalog_item.changed": lambda: item_changed(str(uuid4()), 1),
    "catalog_item.removed": lambda: item_removed(str(uuid4()), 1),
    "state_changed": lambda: state_changed(str(uuid4()), 1),
    "comment_added": lambda: comment_added(str(uuid4()), 1),
    "tombstone": lambda: event(EventType.TOMBSTONE, f"product/{uuid4()}", 1, {"skipped_type": "x", "reason": "y"}),
    "unknown type": lambda: event("exchange.unheard.of", f"x/{uuid4()}", 1, {"a": "b"}),  # type: ignore[arg-type]
}
UNREADABLE = ("NaN", "-Infinity", "5000 digits", "a name twice")
STORABLE = (*(text for name, text in ANYWHERE.items() if name not in UNREADABLE), *ANY_VALUE)


@pytest.mark.parametrize("kind", EVENTS)
def test_a_hostile_value_in_the_data_of_an_event_costs_no_other_event_its_effect(acme: Consumer, kind: str) -> None:
    for at, _ in places(json.loads(EVENTS[kind]())):
        if at[0] != "data" or len(at) == 1:
            continue
        batch = [spoilt(json.loads(EVENTS[kind]()), at, text).decode() for text in STORABLE]
        answer = acme.post([*batch, product_changed(product_id := str(uuid4()), 1)])
        assert answer.status_code == 200, (at, answer.text[:300])
        assert answer.get_json()["verdicts"][-1]["verdict"] == "applied", at
        assert acme.client.get(f"/api/v1/products/{product_id}").status_code == 200, at


def test_a_hostile_attribute_of_an_event_is_judged_or_refused_but_never_a_fault(acme: Consumer) -> None:
    for at in [(name,) for name in json.loads(EVENTS["state_changed"]())]:
        for text in STORABLE:
            answer = acme.post([spoilt(json.loads(EVENTS["state_changed"]()), at, text).decode()])
            check_form(answer, (at, text[:20]))


def test_a_chunked_batch_without_end_is_cut(acme: Consumer) -> None:
    endless = Endless()
    options = chunked(endless) | {"content_type": BATCH_CONTENT_TYPE}
    answer = acme.app.test_client().post(f"/exchange/v1/connections/{acme.callback_id}/events", **options)
    check_refused(answer, (413,), "endless")
    assert endless.given < 2 * BATCH_LIMIT_BYTES
