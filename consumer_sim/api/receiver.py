"""Where the provider's events arrive: proven, applied in one transaction, answered with a verdict each."""

import json
import socket
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import flask

from bridge import envelope, failpoints, signing
from bridge.envelope import Event, Judgement
from bridge.errors import EnvelopeInvalid, InstanceCopied
from bridge.identity import know_epoch, read_epoch
from bridge.models import Connection
from bridge.vocabulary import (
    ANSWER_LIMIT_BYTES,
    BATCH_CONTENT_TYPE,
    BATCH_LIMIT_BYTES,
    EXCHANGE_PATH,
    HEADER_EPOCH,
    ConnectionState,
)
from bridge.web import Blueprint, Problem, problem_response
from consumer_sim.api.context import here
from consumer_sim.context import Context
from consumer_sim.services import faults, receiving
from consumer_sim.services.errors import NotFound
from consumer_sim.services.faults import Fault

blueprint = Blueprint(
    "receiver", __name__, url_prefix=EXCHANGE_PATH, description="What a provider sends to this instance."
)


@blueprint.route("/connections/<uuid:callback_id>/events", methods=["POST"])
@blueprint.doc(
    summary="Take a signed batch of events",
    description="See docs/wire.md, 2 and 3.",
    requestBody={"required": True, "content": {BATCH_CONTENT_TYPE: {"schema": {"type": "array"}}}},
    responses={
        "200": {"description": "A verdict each", "content": {"application/json": {"schema": {"type": "object"}}}}
    },
)
def receive_batch(callback_id: UUID) -> flask.Response:
    context = here()
    fault, connection = _look_up(context, str(callback_id))
    if (early := _misbehave(context, fault)) is not None:
        return early
    flask.request.max_content_length = BATCH_LIMIT_BYTES
    body = flask.request.get_data(cache=False)
    connection = _known(connection, str(callback_id))
    if connection.secrets is None and (ended := _refuse_state(connection)) is not None:
        return ended  # there is nothing left to verify with
    _verify(context, connection, body)
    failpoints.hit("consumer.after_verify")
    if (refusal := _refuse_state(connection)) is not None:
        return refusal
    _refuse_copy(context, connection)
    events = _read_events(body)
    judgements, lost = _receive(context, connection, events, fault)
    failpoints.hit("consumer.after_commit")
    return _break_connection() if lost else _answer(judgements)


def _look_up(context: Context, callback_id: str) -> tuple[Fault, Connection | None]:
    with context.database.reading() as session:
        return faults.get_fault(session), receiving.find_connection(session, callback_id)


def _known(connection: Connection | None, callback_id: str) -> Connection:
    if connection is None:
        raise NotFound("connection", callback_id)
    return connection


def _verify(context: Context, connection: Connection, body: bytes) -> None:
    headers = {name.lower(): value for name, value in flask.request.headers}
    secrets: list[str] = context.keyring.open(connection)["webhook"]
    signing.verify(body, headers, now_s=context.clock().timestamp(), secrets=secrets)
    if flask.request.mimetype != BATCH_CONTENT_TYPE:
        raise EnvelopeInvalid(f"a batch is sent as {BATCH_CONTENT_TYPE}")


def _refuse_state(connection: Connection) -> flask.Response | None:
    """A pending connection is served: the challenge that proves it comes before we know that it worked."""
    if connection.state == ConnectionState.REVOKED:
        return problem_response(Problem(410, "connection_revoked", "Gone", "This connection is revoked."))
    if connection.state == ConnectionState.PAUSED:
        wait = {"Retry-After": "60"}
        return problem_response(Problem(503, "connection_paused", "Paused", "Paused by this consumer.", headers=wait))
    return None


def _refuse_copy(context: Context, connection: Connection) -> None:
    """Raises InstanceCopied: the provider's secrets are no proof that it is the provider and not a copy of it."""
    epoch = read_epoch(flask.request.headers.get(HEADER_EPOCH))
    if epoch in (None, connection.peer_epoch):
        return
    with context.database.transaction() as session:
        known = know_epoch(session, connection.id, str(epoch))
    if not known:
        raise InstanceCopied


def _read_events(body: bytes) -> list[Event]:
    """Strict about the whole, lenient about values: those are judged event by event, so that a bad one costs itself
    only.
    """
    try:
        document = json.loads(body.decode(), object_pairs_hook=_without_duplicates, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise EnvelopeInvalid(f"the body is not JSON in UTF-8: {str(error)[:200]}") from None
    return envelope.take_apart(document)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has the same name twice")
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _receive(
    context: Context, connection: Connection, events: Sequence[Event], fault: Fault
) -> tuple[list[Judgement], bool]:
    """The judgements, and whether a fault switch says that their answer gets lost."""
    if not events:
        return [], False
    with context.database.transaction() as session:
        judgements = receiving.receive_events(session, connection, events, now=context.clock(), fault=fault)
        lost = fault.mode == "lose_answer" and faults.use_fault(session, fault)
        failpoints.hit("consumer.in_tx")
    return judgements, lost


def _answer(judgements: Sequence[Judgement]) -> flask.Response:
    """Within the size that the provider reads: fields, then reasons, are left out before that."""
    rows = [judgement.to_json() for judgement in judgements]
    text = json.dumps({"verdicts": rows})
    for spare in ("fields", "reason"):
        if len(text) > ANSWER_LIMIT_BYTES:
            rows = [{name: value for name, value in row.items() if name != spare} for row in rows]
            text = json.dumps({"verdicts": rows})
    return flask.Response(text, content_type="application/json")


def _misbehave(context: Context, fault: Fault) -> flask.Response | None:
    """What a switch makes of a batch before it is looked at; None to go on."""
    if fault.mode not in ("slow", "error", "offline"):
        return None
    with context.database.transaction() as session:
        if not faults.use_fault(session, fault):
            return None
    if fault.mode == "slow":
        time.sleep(fault.seconds or 0.0)
        return None
    if fault.mode == "offline":
        return flask.Response("offline\n", 503, content_type="text/plain")
    return flask.Response("a fault switch of this consumer says so\n", fault.status or 500, content_type="text/plain")


def _break_connection() -> flask.Response:
    """Cut the line where the server lets us; else answer as a proxy does that lost us."""
    line = flask.request.environ.get("gunicorn.socket")
    if line is not None:
        line.shutdown(socket.SHUT_RDWR)
    return flask.Response("Bad Gateway\n", 502, content_type="text/plain")
