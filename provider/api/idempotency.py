"""Unsafe calls of consumers: one answer per `Idempotency-Key`, kept with the effect of the call."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import flask
from marshmallow import Schema
from sqlalchemy.orm import Session

from bridge import failpoints, idempotency
from bridge.idempotency import Answer
from bridge.vocabulary import HEADER_IDEMPOTENCY_KEY, PROBLEM_CONTENT_TYPE
from bridge.web import problem_response
from provider.api.context import here
from provider.api.problems import ERROR_TABLE
from provider.domain.errors import DomainError, FieldError, InvalidFields

Call = Callable[[Session, datetime], Any]
OnRefusal = Callable[[Session, DomainError], None]

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def answer_once(status: int, schema: Schema, call: Call, *, on_refusal: OnRefusal | None = None) -> flask.Response:
    """Answer this request with what `call` returns, through `schema`, or with what the same call was answered before.

    A refusal by the rules undoes what `call` did and is kept like any other answer; `on_refusal` may write something
    down with it. Whatever else goes wrong leaves nothing behind. Raises InvalidFields without a usable key.
    """
    context, now = here(), here().clock()
    request, key = flask.request, _key()
    print_of_request = idempotency.fingerprint(request.method, request.path, request.get_data())

    def produce(session: Session) -> Answer:
        try:
            with session.begin_nested():
                return Answer(status, flask.json.dumps(schema.dump(call(session, now))))
        except DomainError as error:
            if on_refusal is not None:
                on_refusal(session, error)
            return _refusal(error)

    with context.transaction() as session:
        answer = idempotency.answer_once(session, flask.g.connection, key, print_of_request, produce, now=now)
        failpoints.hit("intake.in_tx")
    failpoints.hit("intake.after_commit")
    content_type = "application/json" if answer.status < 400 else PROBLEM_CONTENT_TYPE
    return flask.Response(answer.body, answer.status, content_type=content_type)


def _key() -> str:
    key = flask.request.headers.get(HEADER_IDEMPOTENCY_KEY, "")
    if not _KEY.fullmatch(key):
        message = f"the header {HEADER_IDEMPOTENCY_KEY} must hold 1 to 255 visible ASCII characters, best a UUID"
        raise InvalidFields([FieldError(f"/{HEADER_IDEMPOTENCY_KEY}", "required", message)])
    return key


def _refusal(error: DomainError) -> Answer:
    nearest = next(base for base in type(error).__mro__ if base in ERROR_TABLE)
    response = problem_response(ERROR_TABLE[nearest](error))
    return Answer(response.status_code, response.get_data(as_text=True))
