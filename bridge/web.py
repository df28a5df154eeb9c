"""What does every HTTP answer of both instances have in common? Problems, request ids, health, metrics, logs.

`install` makes sure that whatever happens to a request is answered as application/problem+json (RFC 9457), never as an
HTML page. `Blueprint` and `Api` are those of flask-smorest with that promise kept inside them: use no others.
"""

import functools
import logging
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import IO, TYPE_CHECKING, Any, TypeVar, cast

import flask
import flask_smorest  # type: ignore[import-untyped]
import marshmallow
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule
from werkzeug.utils import cached_property
from werkzeug.wsgi import LimitedStream

from bridge.errors import RefusedDocument
from bridge.logs import request_id, traceparent
from bridge.schemas import UNSAFE_TEXT, ProblemSchema, strict_json
from bridge.vocabulary import PROBLEM_CONTENT_TYPE

__all__ = [
    "Api", "Blueprint", "ErrorTable", "Problem", "StrictRequest", "field_errors", "health", "install",
    "metrics_registry", "openapi_config", "problem_response", "strict_json",
]  # fmt: skip

BODY_LIMIT_BYTES = 256 * 1024
PROBLEM_LIMIT_ERRORS = 50

log = logging.getLogger(__name__)
View = TypeVar("View")


@dataclass(frozen=True)
class Problem:
    """An answer that says what went wrong. `code` is for programs and stable; `facts` become members of the answer."""

    status: int
    code: str
    title: str
    detail: str | None = None
    errors: list[dict[str, str]] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def problem_response(problem: Problem) -> flask.Response:
    """Render a problem per RFC 9457; `instance` is the id of the request."""
    document = {
        **problem.facts,
        "type": f"urn:sxg:problem:{problem.code}",
        "code": problem.code,
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": request_id.get() or None,
        "errors": problem.errors,
    }
    text = flask.json.dumps({name: value for name, value in document.items() if value is not None})
    return flask.Response(text, problem.status, problem.headers, content_type=PROBLEM_CONTENT_TYPE)


def field_errors(messages: Any, location: str = "json") -> list[dict[str, str]]:
    """Flatten the nested messages of marshmallow to one entry per message, each with a JSON Pointer to its value.

    Outside the body an entry also has `in` (query, headers, path), and its pointer is the parameter's name.
    """
    extra = {} if location == "json" else {"in": location}
    found = []
    for pointer, message in _walk_messages(messages, ""):
        found.append({"pointer": pointer, "code": _MESSAGE_CODES.get(message, "invalid"), "message": message, **extra})
        if len(found) == PROBLEM_LIMIT_ERRORS:
            break
    return found


_MESSAGE_CODES = {
    "Missing data for required field.": "required",
    "Field may not be null.": "null",
    "Unknown field.": "unknown_field",
}


def _walk_messages(messages: Any, pointer: str) -> Iterator[tuple[str, str]]:
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            step = "" if key == "_schema" else "/" + str(key).replace("~", "~0").replace("/", "~1")
            yield from _walk_messages(inner, pointer + step)
    elif isinstance(messages, list | tuple):
        for inner in messages:
            yield from _walk_messages(inner, pointer)
    else:
        yield pointer, str(messages)


def _invalid(errors: list[dict[str, str]], status: int = 422) -> Problem:
    return Problem(status, "invalid_fields", "Invalid Fields", "Some values are not acceptable; see errors.", errors)


_INTERNAL = Problem(
    500, "internal_error", "Internal Server Error", "Something failed on our side; the request id finds it in our logs."
)


def _problem_of_validation(error: marshmallow.ValidationError) -> Problem:
    return _invalid(field_errors(error.messages))


def _problem_of_document(error: RefusedDocument) -> Problem:
    if error.code == "unsafe_text":
        return _invalid([{"pointer": error.pointer or "", "code": error.code, "message": error.detail}])
    status = 415 if error.code in ("not_utf8", "unsupported_media_type") else 400
    title = "Unsupported Media Type" if status == 415 else "Unreadable JSON"
    return Problem(status, error.code, title, error.detail, facts={"pointer": error.pointer} if error.pointer else {})


def _problem_of_http(error: HTTPException) -> Problem:
    status = error.code or 500
    messages = getattr(error, "data", {}).get("messages")
    if messages:  # of webargs: the messages of marshmallow under the place they were found in
        return _invalid([entry for place, inner in messages.items() for entry in field_errors(inner, place)], status)
    if status == 500:
        return _INTERNAL
    code = "body_too_large" if status == 413 else re.sub("[^a-z]+", "_", error.name.lower())
    headers = {name: value for name, value in error.get_headers() if name.lower() != "content-type"}
    return Problem(status, code, error.name, error.description, headers=headers)


def problem_of(error: Exception) -> Problem:
    """What an error is to the caller, by the app's table; whatever the table does not know is a fault of ours."""
    table: ErrorTable = flask.current_app.extensions[_ERROR_TABLE]
    for error_class in type(error).__mro__:
        if error_class in table:
            return table[error_class](error)
    log.error("request failed", exc_info=error, extra={"method": flask.request.method, "path": flask.request.path})
    return _INTERNAL


def _answer(error: Exception) -> Any:
    ready = error.response if isinstance(error, HTTPException) else None
    return ready or problem_response(problem_of(error))


class _CappedStream(LimitedStream):
    """Of a chunked body beyond the limit, werkzeug returns the beginning as if it were all; this one raises 413."""

    def readall(self) -> bytes:
        data = super().readall()
        if self.is_exhausted:
            self.on_exhausted()
        return data


class StrictRequest(flask.Request):
    """A request whose `get_json` reads by `strict_json`, and whose body is never longer than the limit: 413.

    A view that takes more (a batch of events) sets `request.max_content_length` before it reads.
    """

    @cached_property
    def stream(self) -> IO[bytes]:
        limit = self.max_content_length
        if limit is not None and self.content_length is None and self.environ.get("wsgi.input_terminated"):
            return cast("IO[bytes]", _CappedStream(self.environ["wsgi.input"], limit, is_max=True))
        return super().stream

    @property
    def json_module(self) -> Any:
        return SimpleNamespace(loads=strict_json)

    @json_module.setter
    def json_module(self, provider: Any) -> None:
        """Ignored: Flask gives each request the app's provider, which reads leniently."""

    @property
    def is_json(self) -> bool:
        return super().is_json and self.mimetype_params.get("charset", "utf-8").lower() == "utf-8"

    def on_json_loading_failed(self, e: ValueError | None) -> Any:
        if e is not None:
            raise e
        if not self.content_type and not self.get_data():
            raise RefusedDocument("empty_body", "The body is empty where a JSON document is expected.")
        raise RefusedDocument("unsupported_media_type", "The body must be sent as application/json, in UTF-8.")


class _StrictParser(FlaskParser):
    """webargs reads the body itself, and takes another content type for an absent body; here it asks the request."""

    def _raw_load_json(self, req: flask.Request) -> Any:
        return req.get_json()


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]
    """The Blueprint of flask-smorest, reading bodies strictly."""

    ARGUMENTS_PARSER = _StrictParser()

    def add_url_rule(self, *args: Any, **options: Any) -> None:
        super().add_url_rule(*args, **{**options, "tags": options.get("tags") or [self.name]})

    if TYPE_CHECKING:  # flask-smorest has no types, and an untyped decorator would hide those of every view

        def route(self, rule: str, **options: Any) -> Callable[[View], View]: ...
        def arguments(self, schema: Any, **options: Any) -> Callable[[View], View]: ...
        def response(self, status_code: int, schema: Any = None, **options: Any) -> Callable[[View], View]: ...
        def alt_response(self, status_code: int, **options: Any) -> Callable[[View], View]: ...
        def doc(self, **options: Any) -> Callable[[View], View]: ...
        def errorhandler(self, code_or_exception: Any) -> Callable[[View], View]: ...


class _Rule(Rule):
    """A rule that is compiled into a builder of addresses when it first has to be: all of them take long at a start."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compiled = functools.cache(super()._compile_builder)

        def build(*args: Any, **values: Any) -> tuple[str, str]:
            return compiled(append_unknown)(*args, **values)

        return build


class Api(flask_smorest.Api):  # type: ignore[misc]
    """The Api of flask-smorest, documenting errors as `install` answers them, and handling none itself.

    The document is written when it is first asked for: that takes as long as all else at an app's start.
    """

    ERROR_SCHEMA = ProblemSchema

    def __init__(self, app: flask.Flask) -> None:
        self._unwritten: list[tuple[str, Blueprint]] = []
        self._writing = threading.Lock()
        super().__init__(app)

    def _register_error_handlers(self) -> None:
        """None: `install` answers every error."""

    def _register_responses(self) -> None:
        """Not yet: they belong to the document."""

    def register_blueprint(self, blueprint: Blueprint) -> None:
        """Its endpoints are `api_orders.get` and so on: `orders.show` is a page. The document says `orders`."""
        name = f"api_{blueprint.name}"
        self._app.extensions["flask-smorest"]["blp_name_to_api"][name] = self
        self._app.register_blueprint(blueprint, name=name)
        self._unwritten.append((name, blueprint))

    def _openapi_json(self) -> flask.Response:
        with self._writing:
            if self._unwritten:
                self._write_document()
        answer: flask.Response = super()._openapi_json()
        return answer

    def _write_document(self) -> None:
        self.DEFAULT_RESPONSE_CONTENT_TYPE = PROBLEM_CONTENT_TYPE
        super()._register_responses()
        del self.DEFAULT_RESPONSE_CONTENT_TYPE  # the class has the one of successful answers
        for name, blueprint in self._unwritten:
            blueprint.register_views_in_doc(self, self._app, self.spec, name=name, parameters=None)
            self.spec.tag({"name": blueprint.name, "description": blueprint.description})
        self._unwritten.clear()


def openapi_config(title: str, version: str) -> dict[str, str]:
    """Settings for `app.config`: an OpenAPI 3.1.0 document at /openapi.json."""
    return {
        "API_TITLE": title,
        "API_VERSION": version,
        "OPENAPI_VERSION": "3.1.0",
        "OPENAPI_URL_PREFIX": "/",
        "OPENAPI_JSON_PATH": "openapi.json",
    }


ErrorTable = Mapping[type[Exception], Callable[[Any], Problem]]
_ERROR_TABLE = "sxg-error-table"

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class _Metrics:
    """Requests by route template, never by path: a path is the caller's choice and would make series without end."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        self._service = service
        labels = ("service", "method", "route")
        self._count = Counter("http_requests", "Requests answered.", (*labels, "status"), registry=self.registry)
        self._seconds = Histogram("http_request_seconds", "Time to answer.", labels, registry=self.registry)

    def observe(self, request: flask.Request, status: int, seconds: float) -> None:
        method = request.method if request.method in _METHODS else "other"
        route = request.url_rule.rule if request.url_rule else "unmatched"
        self._count.labels(self._service, method, route, str(status)).inc()
        self._seconds.labels(self._service, method, route).observe(seconds)


def install(app: flask.Flask, *, service: str, error_table: ErrorTable) -> None:
    """Give an app problems, strict JSON, request ids, security headers and metrics; call it before anything else.

    `error_table` says which Problem an error of the services is; of several classes the nearest in its MRO wins.
    A page or a view that sets one of the security headers itself keeps what it set.
    """
    app.request_class = StrictRequest
    app.url_rule_class = _Rule
    app.url_map.merge_slashes = False  # the redirect from // to / would be an HTML page
    app.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT_BYTES
    metrics = app.extensions["sxg-metrics"] = _Metrics(service)

    def begin() -> None:
        given, path = flask.request.environ, flask.request.path  # headers that are missing cost an exception each
        asked_id, trace = given.get("HTTP_X_REQUEST_ID", ""), given.get("HTTP_TRACEPARENT", "")
        request_id.set(asked_id if _REQUEST_ID.fullmatch(asked_id) else uuid.uuid4().hex)
        traceparent.set(trace if _TRACEPARENT.fullmatch(trace) else "")
        flask.g.started_s = time.perf_counter()
        if UNSAFE_TEXT.search(path):  # as text in a query, PostgreSQL would fail on it
            flask.abort(404)

    def finish(response: flask.Response) -> flask.Response:
        response.headers["X-Request-Id"] = request_id.get()
        set_already = {name.lower() for name, _ in response.headers}
        response.headers.extend((name, value) for name, value in _HEADERS.items() if name.lower() not in set_already)
        if flask.request.is_secure:
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        metrics.observe(flask.request, response.status_code, time.perf_counter() - flask.g.started_s)
        return response

    def end(_error: BaseException | None) -> None:
        request_id.set("")
        traceparent.set("")

    app.before_request(begin)
    app.after_request(finish)
    app.teardown_request(end)
    app.extensions[_ERROR_TABLE] = {
        HTTPException: _problem_of_http,
        marshmallow.ValidationError: _problem_of_validation,
        RefusedDocument: _problem_of_document,
        **error_table,
    }
    app.register_error_handler(Exception, _answer)


def metrics_registry(app: flask.Flask) -> CollectorRegistry:
    """The app's own registry, for collectors that read the database."""
    metrics: _Metrics = app.extensions["sxg-metrics"]
    return metrics.registry


def health(checks: Mapping[str, Callable[[], object]]) -> flask.Blueprint:
    """/health (the process answers), /ready (every check returns without raising, else 503), /metrics (Prometheus)."""
    blueprint = flask.Blueprint("health", __name__)

    @blueprint.get("/health")
    def alive() -> dict[str, str]:
        return {"status": "up"}

    @blueprint.get("/ready")
    def ready() -> tuple[dict[str, Any], int]:
        results = {name: _outcome(name, check) for name, check in checks.items()}
        up = all(result == "up" for result in results.values())
        return {"status": "up" if up else "down", "checks": results}, 200 if up else 503

    @blueprint.get("/metrics")
    def metrics() -> flask.Response:
        return flask.Response(generate_latest(metrics_registry(flask.current_app)), content_type=CONTENT_TYPE_LATEST)

    return blueprint


def _outcome(name: str, check: Callable[[], object]) -> str:
    try:
        check()
    except Exception:  # whatever a check raises is its answer; the text may hold addresses, so only the log has it
        log.warning("readiness check failed", exc_info=True, extra={"check": name})
        return "down"
    return "up"
