"""How an instance becomes connected: complete the registration, fetch a token, prove that events arrive.

Each step is written down when it succeeded, and says why when it did not, so that connecting can be taken up again at
any point. No transaction is open while the provider is asked: it calls back in the middle of the last step.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from bridge.database import Database
from bridge.draining import Fault
from bridge.egress import Sender, SendFailed
from bridge.identity import Identity, Keyring
from bridge.models import Connection
from bridge.versions import WIRE_VERSION
from bridge.vocabulary import EXCHANGE_PATH, HEADER_EPOCH, HEADER_INSTANCE, SLOW_DEADLINE_S, ConnectionState
from consumer_sim.models import ProviderConnection
from consumer_sim.services import fields
from consumer_sim.services.calling import refusal_of
from consumer_sim.services.connections import Link, get_link
from consumer_sim.services.errors import ConsumerError, ProviderAnswerInvalid, ProviderRefused
from consumer_sim.services.tokens import ClientCredentials, read_json

_STEPS_LIMIT = 4
_FIRST_BEAT_S = 60.0
"""Until the sweeper beats."""
_DEADLINE_S = SLOW_DEADLINE_S + 5.0
"""Longer than the provider waits for our answer to its challenge."""


def _prefix(value: Any) -> str | None:
    known = isinstance(value, str) and re.fullmatch(r"[A-Z][A-Z0-9]{1,11}", value)
    return None if known else "is not 2 to 12 of A-Z0-9, beginning with a letter"


def webhook_secret(value: Any) -> str | None:
    """What is wrong with a value that should be a webhook secret, None if nothing is."""
    known = isinstance(value, str) and re.fullmatch(r"whsec_[A-Za-z0-9+/]{32,88}={0,2}", value)
    return None if known else "is not a webhook secret"


_COMPLETED = {
    "connection_id": fields.uuid,
    "client_id": fields.text(64),
    "client_secret": fields.text(255),
    "webhook_secret": webhook_secret,
    "number_prefix": _prefix,
    "provider": fields.document,
}
_PROVIDER = {"instance_id": fields.uuid, "name": fields.text(120)}


@dataclass
class Connector:
    """Carries out the steps. For one thread at a time, as its Sender is."""

    database: Database
    keyring: Keyring
    identity: Identity
    tokens: ClientCredentials
    sender: Sender
    public_url: str
    clock: Callable[[], datetime]
    spoken: Sequence[str]
    """The types of events that we know: told before the first event can come."""

    def connect(self, link_id: str) -> None:
        """Go as far as the provider lets us; where it ends is in the row, with the reason."""
        for _ in range(_STEPS_LIMIT):
            with self.database.reading() as session:
                link = get_link(session, link_id)
            if link.connecting.step == "done":
                return
            try:
                if link.connecting.step == "complete" or link.connection is None:
                    self._complete(link)
                elif not self._verify(link.connecting, link.connection):
                    self._note(
                        link_id, None, step="complete"
                    )  # fresh credentials were issued to somebody since: ask anew
            except (ConsumerError, SendFailed) as failed:
                self._note(link_id, str(failed))
                return

    def _complete(self, link: Link) -> None:
        connecting = link.connecting
        token = self.keyring.open(Connection(id=connecting.id, secrets=connecting.token))["token"]
        body = {
            "token": token,
            "instance_id": self.identity.id,
            "name": self.identity.name,
            "callback_url": callback_url(self.public_url, connecting),
            "number_prefix": connecting.requested_prefix,
            "version": WIRE_VERSION,
        }
        document = self._call(connecting, "/registrations/complete", {}, body, (201, 200))
        wrong = fields.faults(document, _COMPLETED) or fields.faults(document["provider"], _PROVIDER)
        if wrong:
            names = ", ".join(f"{fault['pointer'].removeprefix('/data/')} {fault['message']}" for fault in wrong)
            raise ProviderAnswerInvalid(f"the provider's answer to the registration cannot be used: {names}")
        with self.database.transaction() as session:
            self._keep(session, connecting.id, document)

    def _verify(self, connecting: ProviderConnection, connection: Connection) -> bool:
        """False when our credentials are no longer good."""
        fresh = False
        while True:
            token = self.tokens.token(connection, self.sender, fresh=fresh, deadline_s=SLOW_DEADLINE_S)
            if isinstance(token, Fault):
                if token.status in (400, 401):
                    return False
                raise ProviderRefused(token.status or 0, None, token.detail)
            bearer = {"Authorization": f"Bearer {token}"}
            try:
                beat = {"every_s": _FIRST_BEAT_S, "spoken": list(self.spoken), "version": WIRE_VERSION}
                self._call(connecting, "/connection/heartbeat", bearer, beat, (200, 404))  # an older provider has none
                self._call(connecting, "/connection/verify", bearer, {}, (200,))
                break
            except ProviderRefused as refused:
                if refused.status != 401 or fresh:
                    raise
                fresh = True
        self._note(connecting.id, None, step="done")
        return True

    def _call(
        self,
        connecting: ProviderConnection,
        path: str,
        headers: Mapping[str, str],
        body: Mapping[str, Any],
        good: tuple[int, ...],
    ) -> dict[str, Any]:
        reply = self.sender.send(
            "POST",
            f"{connecting.provider_url}{EXCHANGE_PATH}{path}",
            body=json.dumps(body).encode(),
            deadline_s=_DEADLINE_S,
            headers={
                "Content-Type": "application/json",
                HEADER_INSTANCE: self.identity.id,
                HEADER_EPOCH: self.identity.epoch,
                **headers,
            },
        )
        if reply.status not in good:
            raise refusal_of(reply)
        return read_json(reply)

    def _keep(self, session: Session, connecting_id: str, document: Mapping[str, Any]) -> None:
        connecting = get_link(session, connecting_id, lock=True).connecting
        now = self.clock()
        connection = session.get(Connection, document["connection_id"]) or Connection(
            id=document["connection_id"], settings={}, created_at=now
        )
        connection.name = document["provider"]["name"]
        connection.state, connection.state_reason = ConnectionState.PENDING, None
        connection.peer_url, connection.peer_instance_id = connecting.provider_url, document["provider"]["instance_id"]
        connection.client_id = document["client_id"]
        connection.secrets = self.keyring.seal(
            {"webhook": [document["webhook_secret"]], "client_secret": document["client_secret"]}
        )
        session.add(connection)
        session.flush()
        connecting.connection_id, connecting.number_prefix = connection.id, document["number_prefix"]
        connecting.provider_name = connection.name
        connecting.step, connecting.problem, connecting.updated_at = "verify", None, now

    def _note(self, link_id: str, problem: str | None, *, step: str | None = None) -> None:
        with self.database.transaction() as session:
            link = get_link(session, link_id, lock=True)
            link.connecting.problem = problem[:2000] if problem else None
            link.connecting.step = step or link.connecting.step
            link.connecting.updated_at = self.clock()
            if step == "done" and link.connection is not None:
                link.connecting.token = None
                link.connection.state = ConnectionState.ACTIVE
                session.info.setdefault("due", set()).add(link.connection.id)


def callback_url(public_url: str, connecting: ProviderConnection) -> str:
    """Where this provider is to send its events."""
    return f"{public_url.rstrip('/')}{EXCHANGE_PATH}/connections/{connecting.id}/events"
