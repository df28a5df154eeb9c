"""New secrets from a provider, without a gap: fetch one, keep it beside the former, prove it, and drop the former when
its grace is over. Begun by the provider's heartbeat or by our people; each step is taken up again where it stopped.

No transaction is open while the provider is asked: it calls back in the middle of a proof.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.database import Database
from bridge.draining import Fault
from bridge.egress import SendFailed
from bridge.identity import Keyring
from bridge.models import Connection, Rotation
from bridge.vocabulary import SLOW_DEADLINE_S, TIMESTAMP_TOLERANCE_S, ConnectionState
from consumer_sim.services import fields
from consumer_sim.services.calling import Caller
from consumer_sim.services.connecting import webhook_secret
from consumer_sim.services.errors import ConnectionNotUsable, ConsumerError, NotFound, ProviderAnswerInvalid

WEBHOOK, CLIENT = "webhook_secret", "client_secret"
SECRETS = (WEBHOOK, CLIENT)
_AGAIN = timedelta(seconds=30)
_LATE = timedelta(seconds=TIMESTAMP_TOLERANCE_S)
"""A batch that was signed with the former secret alone may come this much later."""
_AT_ONCE = datetime.min.replace(tzinfo=UTC)
_DEADLINE_S = SLOW_DEADLINE_S + 5.0
"""Longer than the provider waits for our answer to its challenge."""
_CHECKS: Mapping[str, fields.Rules] = {WEBHOOK: {"secret": webhook_secret}, CLIENT: {"secret": fields.text(255)}}


def want_rotation(session: Session, connection_id: str, wanted: Sequence[str], *, now: datetime) -> None:
    """What is under way already goes on. Raises NotFound, ConnectionNotUsable."""
    connection = session.get(Connection, connection_id, with_for_update=True)
    if connection is None:
        raise NotFound("connection", connection_id)
    if connection.secrets is None or connection.state == ConnectionState.REVOKED:
        raise ConnectionNotUsable(connection.state)
    for secret in wanted:
        rotation = session.get(Rotation, (connection_id, secret))
        if rotation is None:
            rotation = Rotation(connection_id=connection_id, secret=secret, grace_s=0.0)
            session.add(rotation)
        elif rotation.state in ("wanted", "offered"):
            rotation.next_at = now
            continue
        rotation.state, rotation.started_at, rotation.next_at = "wanted", now, now
        rotation.proven_at = rotation.former_until = rotation.problem = None


def list_rotations(session: Session, connection_id: str) -> list[Rotation]:
    """The last rotation of each secret of a connection."""
    query = select(Rotation).where(Rotation.connection_id == connection_id)
    return list(session.scalars(query.order_by(Rotation.secret.desc())))


@dataclass
class Rotator:
    """Carries out the steps."""

    database: Database
    keyring: Keyring
    caller: Caller
    clock: Callable[[], datetime]

    def run_due(self) -> None:
        """Every step that is due, of every connection."""
        now = self.clock()
        with self.database.reading() as session:
            query = select(Rotation.connection_id, Rotation.secret).where(Rotation.next_at <= now)
            due = session.execute(query.order_by(Rotation.connection_id, Rotation.secret)).all()
        for connection_id, secret in due:
            self.advance(connection_id, secret)

    def advance(self, connection_id: str, secret: str) -> None:
        """As far as the provider lets us. Why it stopped is in the row, and when it goes on."""
        while (claimed := self._claim(connection_id, secret)) is not None:
            connection, state = claimed
            try:
                self._step(connection, secret, state)
            except (ConsumerError, SendFailed) as failed:
                self._note(connection_id, secret, str(failed))
                return

    def _claim(self, connection_id: str, secret: str) -> tuple[Connection, str] | None:
        """The step to take, moved on so that no other process takes it too; None when nothing is due."""
        now = self.clock()
        with self.database.transaction() as session:
            rotation = session.get(Rotation, (connection_id, secret), with_for_update=True)
            connection = session.get(Connection, connection_id)
            if rotation is None or connection is None or rotation.next_at is None or rotation.next_at > now:
                return None
            usable = connection.secrets is not None and connection.state != ConnectionState.REVOKED
            rotation.next_at = now + _AGAIN if usable else None
            return (connection, rotation.state) if usable else None

    def _step(self, connection: Connection, secret: str, state: str) -> None:
        if state == "wanted":
            self._fetch(connection, secret)
        elif state == "proven":
            self._drop_former(connection)
        elif secret == WEBHOOK:
            self._prove_webhook_secret(connection)
        else:
            self._prove_client_secret(connection)

    def _fetch(self, connection: Connection, secret: str) -> None:
        document = self.caller.call(connection, "POST", f"/connection/secrets/{secret}", {}, deadline_s=_DEADLINE_S)
        if wrong := fields.faults(document, _CHECKS[secret]):
            raise ProviderAnswerInvalid(f"the provider's new {secret} cannot be used: {wrong[0]['message']}")

        def keep(held: dict[str, Any]) -> dict[str, Any]:
            if secret == CLIENT:
                return held | {"next_client_secret": document["secret"]}
            return held | {"webhook": list(dict.fromkeys([document["secret"], *held["webhook"]]))[:3]}

        self._change(connection.id, secret, keep, state="offered")

    def _prove_webhook_secret(self, connection: Connection) -> None:
        """The provider challenges us with the new one alone, while this call is open."""
        try:
            path = "/connection/secrets/webhook_secret/verify"
            told = self.caller.call(connection, "POST", path, {}, deadline_s=_DEADLINE_S)
        except ConsumerError:
            self._note(connection.id, WEBHOOK, "the new secret did not prove itself", state="wanted")
            raise
        until = _moment(told.get("former_until")) or self.clock()
        self._change(connection.id, WEBHOOK, dict, state="proven", former_until=until, next_at=until + _LATE)

    def _prove_client_secret(self, connection: Connection) -> None:
        """Its first use makes it the client secret there; the same token answers whoever asks with the former one."""
        following = self.keyring.open(connection).get("next_client_secret")
        with self.caller.make_sender() as sender:
            answer = self.caller.tokens.try_secret(connection, str(following), sender, deadline_s=_DEADLINE_S)
        if isinstance(answer, Fault):
            state = "wanted" if answer.status in (400, 401) else None  # it was voided by a later one: ask anew
            self._note(connection.id, CLIENT, answer.detail, state=state)
            return

        def take_over(held: dict[str, Any]) -> dict[str, Any]:
            held = dict(held)
            if held.get("next_client_secret") == following:
                held["client_secret"] = held.pop("next_client_secret")
            return held

        self._change(connection.id, CLIENT, take_over, state="done", next_at=None)

    def _drop_former(self, connection: Connection) -> None:
        def newest(held: dict[str, Any]) -> dict[str, Any]:
            return held | {"webhook": held["webhook"][:1]}

        self._change(connection.id, WEBHOOK, newest, state="done", next_at=None)

    def _change(
        self,
        connection_id: str,
        secret: str,
        change: Callable[[dict[str, Any]], Mapping[str, Any]],
        *,
        state: str,
        former_until: datetime | None = None,
        next_at: datetime | None = _AT_ONCE,
    ) -> None:
        """Secrets and step in one transaction; the next step is due at once unless it is told otherwise."""
        now = self.clock()
        with self.database.transaction() as session:
            connection = session.get_one(Connection, connection_id, with_for_update=True)
            rotation = session.get_one(Rotation, (connection_id, secret))
            connection.secrets = self.keyring.seal(dict(change(self.keyring.open(connection))))
            rotation.state, rotation.problem = state, None
            rotation.next_at = next_at and max(next_at, now)
            if state in ("proven", "done"):
                rotation.proven_at = rotation.proven_at or now
                rotation.former_until = former_until or rotation.former_until

    def _note(self, connection_id: str, secret: str, problem: str, *, state: str | None = None) -> None:
        with self.database.transaction() as session:
            rotation = session.get_one(Rotation, (connection_id, secret), with_for_update=True)
            rotation.problem, rotation.state = problem[:2000], state or rotation.state


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None
