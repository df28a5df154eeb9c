"""Unsafe calls of consumers: one answer per `Idempotency-Key`, kept with the effect of the call."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import flask
from sqlalchemy.orm import Session

from bridge import failpoints, idempotency
from bridge.idempotency import Answer
from bridge.vocabulary import HEADER_IDEMPOTENCY_KEY, PROBLEM_CONTENT_TYPE
from bridge.web import problem_response
from provider.api.context import here
from provider.api.problems import ERROR_TABLE
from provider.domain.errors import DomainError, FieldError, InvalidFields

Call = Callable[[Session, datetime], Mapping[str, Any]]
OnRefusal = Callable[[Session, DomainError], None]

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def answer_once(status: int, call: Call, *, on_refusal: OnRefusal | None = None) -> flask.Response:
    """Answer this request with the document that `call` returns, or with what the same call was answered before.

    A refusal by the rules undoes all that `call` did, and is then kept like any other answer; `on_refusal` may write
    something down with it. Whatever else goes wrong leaves nothing behind. Raises InvalidFields without a usable key.
    """
    now, key = here().clock(), _key()

    def accept(session: Session) -> Answer:
        answer = Answer(status, flask.json.dumps(call(session, now)))
        failpoints.hit("intake.in_tx")
        return answer

    def refuse(error: DomainError, session: Session) -> Answer:
        if on_refusal is not None:
            on_refusal(session, error)
        return _refusal(error)

    try:
        answer = _answer_once(key, accept, now)
    except DomainError as error:
        answer = _answer_once(key, partial(refuse, error), now)
    failpoints.hit("intake.after_commit")
    content_type = "application/json" if answer.status < 400 else PROBLEM_CONTENT_TYPE
    return flask.Response(answer.body, answer.status, content_type=content_type)


def _answer_once(key: str, produce: Callable[[Session], Answer], now: datetime) -> Answer:
    request = flask.request
    print_of_request = idempotency.fingerprint(request.method, request.path, request.get_data())
    return idempotency.answer_once(here().transaction, flask.g.connection, key, print_of_request, produce, now=now)


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
