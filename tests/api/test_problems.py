"""Is whatever happens to a request answered as a problem, never as a page and never as a surprise?"""

import io
import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import flask
import pytest
from flask.testing import FlaskClient
from marshmallow import fields
from openapi_spec_validator import validate
from werkzeug.test import TestResponse

from bridge.errors import BridgeError
from bridge.logs import JsonFormatter, configure_logging
from bridge.schemas import BoundedInt, DecimalStr, SafeStr, StrictSchema, UtcDateTime
from bridge.web import (
    BODY_LIMIT_BYTES,
    Api,
    Blueprint,
    Problem,
    health,
    install,
    metrics_registry,
    openapi_config,
)


class ShopError(BridgeError):
    """A family of errors."""


class SoldOut(ShopError):
    """One of them, with a row of its own."""


class Closed(ShopError):
    """One without."""


class LineSchema(StrictSchema):
    name = SafeStr(max_length=50, required=True, metadata={"description": "What is bought.", "example": "Fibre"})
    quantity = BoundedInt(minimum=1, maximum=99, required=True, metadata={"description": "How many.", "example": 1})
    price = DecimalStr(metadata={"description": "For one.", "example": "12.50"})


class OrderSchema(StrictSchema):
    wanted_at = UtcDateTime(metadata={"description": "When.", "example": "2026-11-21T09:30:00.000Z"})
    lines = fields.List(fields.Nested(LineSchema), metadata={"description": "What."})


class PageSchema(StrictSchema):
    limit = BoundedInt(minimum=1, maximum=200, from_text=True, load_default=50, metadata={"description": "Page size."})


blp = Blueprint("orders", __name__, url_prefix="/orders")


@blp.route("/", methods=["POST"])
@blp.arguments(OrderSchema)
@blp.response(201, OrderSchema)
def create_order(order: dict[str, Any]) -> dict[str, Any]:
    return order


@blp.route("/", methods=["GET"])
@blp.arguments(PageSchema, location="query")
@blp.response(200, OrderSchema(many=True))
def list_orders(page: dict[str, Any]) -> list[dict[str, Any]]:
    return []


@blp.route("/<number>", methods=["GET"])
@blp.response(200, OrderSchema)
def show_order(number: str) -> dict[str, Any]:
    flask.abort(404, f"There is no order {number}.")


def make_app(checks: Any = None) -> flask.Flask:
    app = flask.Flask(__name__)
    app.config.update(openapi_config("Shop", "1"))
    install(
        app,
        service="shop",
        error_table={
            ShopError: lambda _error: Problem(409, "shop_error", "Not Now"),
            SoldOut: lambda error: Problem(
                409, "sold_out", "Sold Out", str(error), facts={"left": 0, "status": 1}, headers={"Retry-After": "60"}
            ),
        },
    )
    Api(app).register_blueprint(blp)
    app.register_blueprint(health(checks or {}))

    @app.get("/raise/<name>")
    def raise_it(name: str) -> str:
        raise {"sold-out": SoldOut("None left."), "closed": Closed(), "bug": KeyError("s3cret")}[name]

    @app.post("/plain")
    def plain() -> Any:
        return {"got": flask.request.get_json()}

    @app.post("/form")
    def form() -> Any:
        return flask.request.form.to_dict()

    @app.post("/validate")
    def validate_it() -> Any:
        return OrderSchema().load(flask.request.get_json())

    @app.get("/page")
    def page() -> Any:
        return flask.Response(
            "<p>", headers={"Content-Security-Policy": "default-src 'self'", "Cache-Control": "private"}
        )

    @app.get("/abort/<int:status>")
    def abort_it(status: int) -> Any:
        flask.abort(status)

    return app


@pytest.fixture
def client() -> Iterator[FlaskClient]:
    with make_app().test_client() as client:
        yield client


def problem(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json"), answer.text
    document: dict[str, Any] = json.loads(answer.data)
    assert document["type"] == f"urn:sxg:problem:{code}"
    assert (document["code"], document["status"]) == (code, status)
    assert document["title"]
    assert document["instance"] == answer.headers["X-Request-Id"]
    return document


# --- the table of hostile inputs, row by row

LINE = '{"lines": [{"name": "%s", "quantity": 1}]}'
HOSTILE: dict[str, tuple[bytes, str, int, str]] = {
    "200 kB of brackets": (b"[" * 200_000, "application/json", 400, "too_deep"),
    "NUL in a string": ((LINE % r"a\u0000").encode(), "application/json", 422, "invalid_fields"),
    "lone surrogate": ((LINE % r"\ud800").encode(), "application/json", 422, "invalid_fields"),
    "duplicate names": (b'{"lines": [], "lines": []}', "application/json", 400, "duplicate_name"),
    "UTF-16": ('{"lines": []}'.encode("utf-16"), "application/json", 415, "not_utf8"),
    "UTF-16 without a mark": ('{"lines": []}'.encode("utf-16-le"), "application/json", 415, "not_utf8"),
    "byte order mark": (b'\xef\xbb\xbf{"lines": []}', "application/json", 415, "not_utf8"),
    "charset UTF-7": (b'{"lines": []}', "application/json; charset=utf-7", 415, "unsupported_media_type"),
    "NaN": (b'{"lines": NaN}', "application/json", 400, "not_json"),
    "Infinity": (b'{"lines": Infinity}', "application/json", 400, "not_json"),
    "1e999": (b'{"lines": [{"quantity": 1e999}]}', "application/json", 400, "number_out_of_range"),
    "5000 digits": (b'{"lines": %s}' % (b"9" * 5000), "application/json", 400, "not_json"),
    "4000 digits": (b'{"lines": %s}' % (b"9" * 4000), "application/json", 400, "number_out_of_range"),
    "last moment of all": (b'{"wanted_at": "9999-12-31T23:59:59-14:00"}', "application/json", 422, "invalid_fields"),
    "first moment of all": (b'{"wanted_at": "0001-01-01T00:00:00+14:00"}', "application/json", 422, "invalid_fields"),
    "true for a number": (b'{"lines": [{"name": "a", "quantity": true}]}', "application/json", 422, "invalid_fields"),
    "1.0 for a number": (b'{"lines": [{"name": "a", "quantity": 1.0}]}', "application/json", 422, "invalid_fields"),
    "unknown field": (b'{"state": "approved"}', "application/json", 422, "invalid_fields"),
    "bad UTF-8": (b'{"lines": "\xff"}', "application/json", 400, "bad_utf8"),
    "empty": (b"", "application/json", 400, "empty_body"),
    "empty without a type": (b"", "", 400, "empty_body"),
    "no type": (b"{}", "", 415, "unsupported_media_type"),
    "wrong type": (b"{}", "text/plain", 415, "unsupported_media_type"),
    "a form": (b"lines=1", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
    "too large": (b" " * (BODY_LIMIT_BYTES + 1), "application/json", 413, "body_too_large"),
    "a list": (b"[]", "application/json", 422, "invalid_fields"),
    "a string": (b'"x"', "application/json", 422, "invalid_fields"),
    "null": (b"null", "application/json", 422, "invalid_fields"),
}


@pytest.mark.parametrize("path", ["/orders/", "/validate"])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_gets_its_answer(client: FlaskClient, name: str, path: str) -> None:
    data, content_type, status, code = HOSTILE[name]
    problem(client.post(path, data=data, content_type=content_type), status, code)


def post_chunked(client: FlaskClient, path: str, body: Any, content_type: str = "application/json") -> TestResponse:
    """What gunicorn hands over for a chunked body: no length, and a stream that ends by itself."""
    return client.post(
        path,
        content_type=content_type,
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True, "wsgi.input": body},
    )


def test_an_endless_chunked_body_is_cut(client: FlaskClient) -> None:
    class Endless(io.RawIOBase):
        given = 0

        def readinto(self, buffer: Any) -> int:
            buffer[:] = b" " * len(buffer)
            self.given += len(buffer)
            return len(buffer)

        def readable(self) -> bool:
            return True

    body = Endless()
    problem(post_chunked(client, "/plain", body), 413, "body_too_large")
    assert body.given <= BODY_LIMIT_BYTES


def test_the_beginning_of_a_chunked_body_is_never_taken_for_all_of_it(client: FlaskClient) -> None:
    document = b'{"lines": []}'
    padded = document + b" " * (BODY_LIMIT_BYTES - len(document))
    for path in ("/orders/", "/plain"):
        problem(post_chunked(client, path, io.BytesIO(padded + b"[")), 413, "body_too_large")
    form = "application/x-www-form-urlencoded"
    problem(post_chunked(client, "/form", io.BytesIO(b"a" * (BODY_LIMIT_BYTES + 1)), form), 413, "body_too_large")
    assert post_chunked(client, "/orders/", io.BytesIO(document)).json == {"lines": []}
    assert post_chunked(client, "/form", io.BytesIO(b"a=1"), form).json == {"a": "1"}


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=UTF-8", "application/x+json"])
def test_json_is_read_whatever_it_is_called(client: FlaskClient, content_type: str) -> None:
    answer = client.post("/orders/", data=b'{"lines": []}', content_type=content_type)
    assert (answer.status_code, answer.json) == (201, {"lines": []})


# --- what the problems say


def test_each_wrong_field_is_pointed_at(client: FlaskClient) -> None:
    body = {"lines": [{"name": "a", "quantity": 1}, {"name": None, "quantity": 0, "a/b": 1}, {"name": "b"}]}
    document = problem(client.post("/orders/", json=body), 422, "invalid_fields")
    assert {(error["pointer"], error["code"]) for error in document["errors"]} == {
        ("/lines/1/name", "null"),
        ("/lines/1/quantity", "invalid"),
        ("/lines/1/a~1b", "unknown_field"),
        ("/lines/2/quantity", "required"),
    }
    assert all(error["message"] and "in" not in error for error in document["errors"])
    assert document["errors"] == problem(client.post("/validate", json=body), 422, "invalid_fields")["errors"]


def test_text_that_cannot_be_stored_is_pointed_at(client: FlaskClient) -> None:
    document = problem(
        client.post("/orders/", data=(LINE % r"\u0000").encode(), content_type="application/json"),
        422,
        "invalid_fields",
    )
    assert [(error["pointer"], error["code"]) for error in document["errors"]] == [("/lines/0/name", "unsafe_text")]


def test_a_wrong_parameter_says_where_it_was(client: FlaskClient) -> None:
    for query in ("limit=0", "limit=x", "limit=1e3", "limit=" + "9" * 5000):
        document = problem(client.get("/orders/?" + query), 422, "invalid_fields")
        assert [(error["pointer"], error["in"]) for error in document["errors"]] == [("/limit", "query")]
    assert client.get("/orders/?limit=7").status_code == 200


def test_a_flood_of_errors_is_cut(client: FlaskClient) -> None:
    document = problem(client.post("/orders/", json={str(n): 1 for n in range(1000)}), 422, "invalid_fields")
    assert len(document["errors"]) == 50


def test_errors_of_routing(client: FlaskClient) -> None:
    problem(client.get("/nowhere"), 404, "not_found")
    assert problem(client.get("/orders/ORD1"), 404, "not_found")["detail"] == "There is no order ORD1."
    answer = client.delete("/orders/")
    problem(answer, 405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


@pytest.mark.parametrize(
    "status", [400, 401, 403, 406, 408, 409, 410, 412, 418, 428, 429, 431, 451, 500, 501, 502, 503]
)
def test_every_status_is_a_problem(client: FlaskClient, status: int) -> None:
    answer = client.get(f"/abort/{status}")
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")


def test_the_nearest_class_of_the_table_wins(client: FlaskClient) -> None:
    answer = client.get("/raise/sold-out")
    document = problem(answer, 409, "sold_out")
    assert (document["detail"], document["left"], answer.headers["Retry-After"]) == ("None left.", 0, "60")
    problem(client.get("/raise/closed"), 409, "shop_error")


@pytest.mark.parametrize("testing", [True, False])
def test_a_bug_is_logged_once_and_told_to_nobody(caplog: pytest.LogCaptureFixture, testing: bool) -> None:
    app = make_app()
    app.testing = testing
    answer = app.test_client().get("/raise/bug", headers={"X-Request-Id": "abc-1"})
    document = problem(answer, 500, "internal_error")
    assert "s3cret" not in answer.text
    assert document["instance"] == "abc-1"
    assert [record.exc_info is not None for record in caplog.records] == [True]


# --- request id and headers


@pytest.mark.parametrize("given", ["a", "A-b_c.9", "x" * 64])
def test_a_sane_request_id_is_kept(client: FlaskClient, given: str) -> None:
    assert client.get("/health", headers={"X-Request-Id": given}).headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "a\tb", "<b>", "caf\xe9", "a;b", "a/b"])
def test_any_other_request_id_is_replaced(client: FlaskClient, given: str) -> None:
    made = client.get("/health", headers={"X-Request-Id": given}).headers["X-Request-Id"]
    assert made != given
    assert len(made) == 32


@pytest.mark.parametrize("path", ["/health", "/nowhere", "/raise/bug", "/openapi.json", "/orders/"])
def test_every_answer_has_the_security_headers(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert "Strict-Transport-Security" not in headers


def test_a_page_keeps_its_own_headers_and_tls_is_remembered(client: FlaskClient) -> None:
    headers = client.get("/page", base_url="https://localhost").headers
    assert headers["Content-Security-Policy"] == "default-src 'self'"
    assert headers["Cache-Control"] == "private"
    assert headers["Strict-Transport-Security"] == "max-age=31536000"


# --- health, metrics, logs, OpenAPI


def test_readiness_tells_each_check() -> None:
    def broken() -> None:
        raise OSError("postgresql://user:s3cret@db")

    app = make_app({"database": broken, "redis": lambda: None})
    client = app.test_client()
    assert (client.get("/health").status_code, client.get("/health").json) == (200, {"status": "up"})
    answer = client.get("/ready")
    assert (answer.status_code, answer.json) == (
        503,
        {"status": "down", "checks": {"database": "down", "redis": "up"}},
    )
    assert make_app({"redis": lambda: None}).test_client().get("/ready").status_code == 200


def test_metrics_count_templates_and_not_paths() -> None:
    app = make_app()
    client = app.test_client()
    for number in range(20):
        client.get(f"/orders/ORD{number}")
        client.get(f"/nowhere/{number}")
        client.open("/health", method=f"METHOD{number}")
    text = client.get("/metrics").text
    assert 'http_requests_total{method="GET",route="/orders/<number>",service="shop",status="404"} 20.0' in text
    assert 'http_requests_total{method="GET",route="unmatched",service="shop",status="404"} 20.0' in text
    assert 'http_requests_total{method="other",route="unmatched",service="shop",status="405"} 20.0' in text
    assert "ORD1" not in text
    assert metrics_registry(app) is not metrics_registry(make_app())


def test_logs_are_json_lines_without_secrets() -> None:
    stream = io.StringIO()
    root = logging.getLogger()
    former_level = root.level
    configure_logging("first", stream=io.StringIO())
    configure_logging("shop", stream=stream)
    try:
        secret = {"client_secret": "s3cret", "n": 1}
        logging.getLogger("x").warning(
            "to %s with Bearer s3cret", "whsec_s3cret", extra={"order": "O\n1", "sent": secret}
        )
        try:
            raise ValueError("postgresql://me:s3cret@db/x")
        except ValueError:
            logging.getLogger("x").exception("failed", extra={"signature": "s3cret"})
        app = make_app()
        app.test_client().get("/raise/bug", headers={"X-Request-Id": "abc-2"})
    finally:
        for handler in [one for one in root.handlers if isinstance(one.formatter, JsonFormatter)]:
            root.removeHandler(handler)
        root.setLevel(former_level)
    first, second, third = (json.loads(line) for line in stream.getvalue().splitlines())
    assert first["event"] == "to *** with ***"
    assert (first["order"], first["sent"]) == ("O\n1", {"client_secret": "***", "n": 1})
    assert (first["level"], first["logger"], first["service"]) == ("warning", "x", "shop")
    assert first["ts"].endswith("Z")
    assert "Traceback" in second["exception"]
    assert (third["request_id"], third["path"]) == ("abc-2", "/raise/bug")
    assert "me:s3cret" not in stream.getvalue()
    assert "s3cret" not in json.dumps([first, second])


def test_the_document_describes_problems(client: FlaskClient) -> None:
    document = json.loads(client.get("/openapi.json").data)
    validate(document)
    assert document["openapi"] == "3.1.0"
    responses = document["paths"]["/orders/"]["post"]["responses"]
    names = {status: answer["$ref"].rsplit("/", 1)[1] for status, answer in responses.items() if "$ref" in answer}
    assert set(names) == {"422", "default"}
    for name in names.values():
        content = document["components"]["responses"][name]["content"]
        assert content == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    assert list(responses["201"]["content"]) == ["application/json"]
    assert document["components"]["schemas"]["Problem"]["properties"]["errors"]["type"] == "array"
    assert document["components"]["schemas"]["Line"]["properties"]["price"]["type"] == "string"


def test_a_long_text_is_looked_through_for_secrets_at_once() -> None:
    formatter = JsonFormatter("shop")
    began = time.perf_counter()
    for text in ("://" + ":" * 20_000 + " ", "http://ada:s3cret@host/" + "a:" * 20_000):
        told = formatter.format(logging.makeLogRecord({"msg": text}))
        assert "s3cret" not in told
    assert time.perf_counter() - began < 0.5
