"""How a batch reaches the other side: as one signed webhook (provider to consumer), or as REST calls in order (consumer
to provider).

A carrier holds no transaction and writes nothing; what it returns is settled by `bridge.draining`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import uuid4

from sqlalchemy.orm import Session

from bridge import backoff, envelope, signing
from bridge.backoff import Outcome
from bridge.draining import ALONE_TRIES, PROBES, Batch, Fault, Item, Result
from bridge.egress import AddressGuard, FaultKind, Reply, Sender, SendFailed
from bridge.envelope import Judgement
from bridge.errors import EnvelopeInvalid
from bridge.identity import Identity, Keyring
from bridge.models import Connection
from bridge.vocabulary import (
    BATCH_CONTENT_TYPE,
    EXCHANGE_PATH,
    FAST_DEADLINE_S,
    HEADER_EPOCH,
    HEADER_IDEMPOTENCY_KEY,
    HEADER_INSTANCE,
    PROBLEM_CONTENT_TYPE,
    ConnectionState,
    Verdict,
)

Clock = Callable[[], datetime]
_CALLS_LIMIT_S = 1.0
_PROBE_DEADLINE_S = 5.0
"""Comes on top of the batch's own deadline, and both must end within the lease."""
_SENDERS_LIMIT = 256
"""Kept open per thread, 10 kB each, 30 kB with TLS: dialling anew costs 2 ms of CPU and several round trips, and peers
that take turns are never kept by a limit below their number.
"""
_REFUSALS = frozenset({400, 404, 405, 409, 413, 415, 422})


class Carrier(Protocol):
    """Sends batches to the connections of one thread."""

    def send(self, batch: Batch, *, deadline_s: float) -> Result:
        """Send; never raises for anything the other side or the network does."""
        ...

    def settled(self, session: Session, batch: Batch, result: Result, now: datetime) -> None:
        """Called in the settling transaction, so that answers can have effects here."""
        ...


class Senders:
    """Kept-alive connections, one Sender for each peer, the longest unused closed first. For one thread at a time."""

    def __init__(self, guard: AddressGuard, user_agent: str) -> None:
        self._guard = guard
        self._user_agent = user_agent
        self._senders: dict[str, Sender] = {}

    def __getitem__(self, connection_id: str) -> Sender:
        sender = self._senders.pop(connection_id, None) or Sender(self._guard, user_agent=self._user_agent)
        self._senders[connection_id] = sender
        if len(self._senders) > _SENDERS_LIMIT:
            self._senders.pop(next(iter(self._senders))).close()
        return sender

    def close(self) -> None:
        """All of them; they dial anew when they are used again."""
        for sender in self._senders.values():
            sender.close()


@dataclass
class WebhookCarrier:
    """Provider to consumer: one POST a batch, signed with every live secret of the connection."""

    senders: Senders
    keyring: Keyring
    identity: Identity
    clock: Clock
    alone_tries: int = ALONE_TRIES

    def send(self, batch: Batch, *, deadline_s: float) -> Result:
        started_at = self.clock()
        body = envelope.join([item.text for item in batch.items])
        reply = self._post(batch.connection, body, deadline_s)
        duration_s = (self.clock() - started_at).total_seconds()
        if isinstance(reply, Fault):
            return Result(started_at, duration_s, {}, reply, self._well_without(batch, reply, deadline_s))
        try:
            judgements = envelope.read_answer(_json(reply), [item.id for item in batch.items])
        except EnvelopeInvalid as invalid:
            fault = Fault(Outcome.FAILED, invalid.reason, reply.status)
            return Result(started_at, duration_s, {}, fault, self._well_without(batch, fault, deadline_s))
        return Result(started_at, duration_s, judgements)

    def settled(self, session: Session, batch: Batch, result: Result, now: datetime) -> None:
        """Verdicts have no effects beyond the streams."""

    def deliver_now(self, connection: Connection, event_text: str, *, deadline_s: float) -> Judgement | Fault:
        """Send one unsequenced event outside of any stream: a challenge, a test, a heartbeat."""
        reply = self._post(connection, envelope.join([event_text]), deadline_s)
        if isinstance(reply, Fault):
            return reply
        event_id = json.loads(event_text)["id"]
        try:
            return envelope.read_answer(_json(reply), [event_id])[event_id]
        except EnvelopeInvalid as invalid:
            return Fault(Outcome.FAILED, invalid.reason, reply.status)

    def _well_without(self, batch: Batch, fault: Fault, deadline_s: float) -> bool | None:
        """Asked by an empty batch, once the only event of the batch has failed often enough."""
        if not _failed_alone(batch, fault, self.alone_tries):
            return None
        probe = self._post(batch.connection, b"[]", min(deadline_s, _PROBE_DEADLINE_S))
        return isinstance(probe, Reply)

    def _post(self, connection: Connection, body: bytes, deadline_s: float) -> Reply | Fault:
        """The answer if its status is 200, else what went wrong."""
        secrets = self.keyring.open(connection)["webhook"]
        headers = signing.sign(
            body, message_id=f"msg_{uuid4().hex}", now_s=int(self.clock().timestamp()), secrets=secrets
        )
        headers |= {
            "Content-Type": BATCH_CONTENT_TYPE,
            HEADER_INSTANCE: self.identity.id,
            HEADER_EPOCH: self.identity.epoch,
        }
        try:
            reply = self.senders[connection.id].send(
                "POST", connection.peer_url or "", body=body, headers=headers, deadline_s=deadline_s
            )
        except SendFailed as failed:
            return _fault_of(failed, deadline_s)
        if reply.status == 200:
            return reply
        return _fault_of_status(reply, self.clock())


@dataclass(frozen=True, slots=True)
class CallAnswer:
    """The final answer to a recorded call. `accepted` is false for a business refusal, whose problem document is in
    `document`.
    """

    delivery_id: str
    connection_id: str
    stream: str
    operation: str
    body: Mapping[str, Any]
    accepted: bool
    status: int
    document: Mapping[str, Any]

    @property
    def code(self) -> str | None:
        code = self.document.get("code")
        return code if isinstance(code, str) else None


class TokenSource(Protocol):
    """Where bearer tokens come from. Raises SendFailed, or returns a Fault, when none can be had."""

    def token(self, connection: Connection, sender: Sender, *, fresh: bool, deadline_s: float) -> str | Fault: ...


@dataclass
class RestCarrier:
    """Consumer to provider: the calls of a batch one after the other, until one of them says nothing final."""

    senders: Senders
    tokens: TokenSource
    identity: Identity
    clock: Clock
    is_final: Callable[[str, str], bool]
    """Whether a problem code settles a call of this operation."""
    on_answer: Callable[[Session, CallAnswer, datetime], None]
    alone_tries: int = ALONE_TRIES

    def __post_init__(self) -> None:
        self._answers: dict[str, CallAnswer] = {}

    def send(self, batch: Batch, *, deadline_s: float) -> Result:
        started_at = self.clock()
        self._answers = {}
        judgements: dict[str, Judgement] = {}
        fault: Fault | None = None
        stopped: set[int] = set()
        for item in batch.items:
            if (self.clock() - started_at).total_seconds() > _CALLS_LIMIT_S:
                break
            if item.stream_id in stopped:
                continue
            outcome = self._call(batch.connection, item, deadline_s)
            if isinstance(outcome, Fault):
                fault = outcome
                break
            judgements[item.id] = outcome
            if outcome.verdict is not Verdict.APPLIED:
                stopped.add(item.stream_id)
        duration_s = (self.clock() - started_at).total_seconds()
        alone = fault is not None and _failed_alone(batch, fault, self.alone_tries)
        well_without = self._is_well(batch.connection) if alone else None
        return Result(started_at, duration_s, judgements, fault, well_without)

    def settled(self, session: Session, batch: Batch, result: Result, now: datetime) -> None:
        for item in batch.items:
            if item.id in result.judgements and (answer := self._answers.get(item.id)):
                self.on_answer(session, answer, now)

    def _call(self, connection: Connection, item: Item, deadline_s: float) -> Judgement | Fault:
        ends_at = self.clock() + timedelta(seconds=deadline_s)
        reply = self._send(connection, item, deadline_s, ends_at, fresh_token=False)
        if isinstance(reply, Reply) and reply.status == 401:
            reply = self._send(connection, item, deadline_s, ends_at, fresh_token=True)
        if isinstance(reply, Fault):
            return reply
        document = _json(reply)
        if 200 <= reply.status < 300 and isinstance(document, dict):
            return self._settle(connection, item, reply, document, accepted=True)
        code = document.get("code") if isinstance(document, dict) and _is_problem(reply) else None
        if isinstance(code, str) and reply.status < 500 and self.is_final(item.operation, code):
            return self._settle(connection, item, reply, document, accepted=False)
        if isinstance(code, str) and reply.status in _REFUSALS:
            # The provider understood and refused, though not as it should: it will not change its mind by itself.
            said = (
                "denies a record it accepted"
                if reply.status == 404
                else "refuses this call for a reason we do not know"
            )
            return Judgement(item.id, Verdict.REJECTED, reason=f"the provider {said}: {document.get('detail') or code}")
        return _fault_of_status(reply, self.clock())

    def _settle(self, connection: Connection, item: Item, reply: Reply, document: Any, *, accepted: bool) -> Judgement:
        self._answers[item.id] = CallAnswer(
            item.id, connection.id, item.stream, item.operation, json.loads(item.text), accepted, reply.status, document
        )
        return Judgement(item.id, Verdict.APPLIED)

    def _is_well(self, connection: Connection) -> bool:
        """Whether the provider answers us, and takes calls on this connection: then the fault is the call's own."""
        ends_at = self.clock() + timedelta(seconds=_PROBE_DEADLINE_S)
        probe = f"GET {EXCHANGE_PATH}/connection"
        reply = self._ask(connection, probe, None, {}, _PROBE_DEADLINE_S, ends_at, fresh_token=False)
        document = _json(reply) if isinstance(reply, Reply) and reply.status == 200 else None
        return isinstance(document, dict) and document.get("state") == ConnectionState.ACTIVE

    def _send(
        self, connection: Connection, item: Item, deadline_s: float, ends_at: datetime, *, fresh_token: bool
    ) -> Reply | Fault:
        own = {"Content-Type": "application/json", HEADER_IDEMPOTENCY_KEY: item.id}
        body = item.text.encode()
        return self._ask(connection, item.target or "", body, own, deadline_s, ends_at, fresh_token=fresh_token)

    def _ask(
        self,
        connection: Connection,
        target: str,
        body: bytes | None,
        own_headers: Mapping[str, str],
        deadline_s: float,
        ends_at: datetime,
        *,
        fresh_token: bool,
    ) -> Reply | Fault:
        """One try. Token, call and a second try share one deadline, for together they must end within the lease."""
        sender = self.senders[connection.id]
        try:
            left_s = self._left_s(ends_at)
            token = self.tokens.token(connection, sender, fresh=fresh_token, deadline_s=left_s)
            if isinstance(token, Fault):
                return token
            method, _, path = target.partition(" ")
            headers = {
                **own_headers,
                "Authorization": f"Bearer {token}",
                HEADER_INSTANCE: self.identity.id,
                HEADER_EPOCH: self.identity.epoch,
            }
            url = (connection.peer_url or "").rstrip("/") + path
            return sender.send(method, url, body=body, headers=headers, deadline_s=self._left_s(ends_at))
        except SendFailed as failed:
            return _fault_of(failed, deadline_s)

    def _left_s(self, ends_at: datetime) -> float:
        return max((ends_at - self.clock()).total_seconds(), 0.05)


def _failed_alone(batch: Batch, fault: Fault, tries: int) -> bool:
    """Whether the only item of the batch has failed so often, or nearly, that it is worth asking if the other side is
    well without it. Being asked to come later says nothing about the item.
    """
    if len(batch.items) != 1 or fault.outcome not in (Outcome.FAILED, Outcome.REFUSED):
        return False
    return batch.failures.get(batch.items[0].stream_id, 0) + PROBES >= tries


def _fault_of(failed: SendFailed, deadline_s: float) -> Fault:
    if failed.kind is FaultKind.TIMEOUT and deadline_s <= FAST_DEADLINE_S:
        return Fault(Outcome.SLOW, "no answer within the fast lane's deadline")
    return Fault(Outcome.FAILED, f"{failed.kind}: {failed.detail}")


def _fault_of_status(reply: Reply, now: datetime) -> Fault:
    outcome = backoff.outcome_of_status(reply.status)
    return Fault(
        outcome,
        f"HTTP {reply.status}{_words_of(reply)}",
        reply.status,
        backoff.retry_after_s(reply.headers.get("Retry-After"), now=now),
    )


def _words_of(reply: Reply) -> str:
    """Of a problem its code, the state it names and what it says; of anything else, how it begins."""
    document = _json(reply) if _is_problem(reply) else None
    if not isinstance(document, dict) or not isinstance(document.get("code"), str):
        return ": " + reply.body[:500].decode(errors="replace").replace("\0", "")
    named = [document["code"], document.get("state")]
    said = document.get("detail") or document.get("title") or ""
    return f" {', '.join(filter(_is_word, named))}: {str(said)[:500]}".replace("\0", "")


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 64


def _is_problem(reply: Reply) -> bool:
    return reply.headers.get("Content-Type", "").partition(";")[0].strip().lower() == PROBLEM_CONTENT_TYPE


def _json(reply: Reply) -> Any:
    """The document of an answer, None when it is not JSON: whatever the other side sent, it must not hurt."""
    try:
        return json.loads(reply.body)
    except (ValueError, RecursionError):
        return None
