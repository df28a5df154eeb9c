"""Addresses, changed without registering anew: ours is told to the provider, which challenges it; the provider's must
prove itself before any credential is sent there.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from secrets import token_urlsafe

from sqlalchemy.orm import Session

from bridge import signing
from bridge.database import Database
from bridge.egress import AddressGuard, SendFailed
from bridge.errors import SignatureInvalid
from bridge.identity import Keyring
from bridge.models import Connection
from bridge.vocabulary import EXCHANGE_PATH, HEADER_ID, HEADER_SIGNATURE, HEADER_TIMESTAMP, SLOW_DEADLINE_S
from consumer_sim.services.calling import Caller, refusal_of
from consumer_sim.services.connecting import callback_url
from consumer_sim.services.connections import get_link
from consumer_sim.services.errors import ConnectionNotUsable, ConsumerError, ProviderAnswerInvalid, ProviderRefused
from consumer_sim.services.tokens import read_json

_DEADLINE_S = SLOW_DEADLINE_S + 5.0
"""Longer than the provider waits for our answer to its challenge."""


@dataclass
class Mover:
    """Carries out changes of address. What is wanted is written down first, so that it can be taken up again."""

    database: Database
    keyring: Keyring
    guard: AddressGuard
    caller: Caller
    public_url: str
    clock: Callable[[], datetime]

    def tell_callback(self, link_id: str) -> None:
        """Tell the provider our present address. Raises ProviderRefused, ConnectionNotUsable."""
        with self.database.reading() as session:
            connection = _usable(session, link_id)
            body = {"callback_url": callback_url(self.public_url, get_link(session, link_id).connecting)}
        try:
            self.caller.call(connection, "POST", "/connection/callback", body, deadline_s=_DEADLINE_S)
        except SendFailed as failed:
            raise ProviderRefused(0, None, str(failed)) from None

    def move_provider(self, link_id: str, provider_url: str) -> None:
        """Send to this address from now, if it proves to be the same provider. Raises RefusedAddress; any other reason
        is in the row, where the former address stays in force.
        """
        self.guard.check_url(provider_url)
        with self.database.transaction() as session:
            connection = _usable(session, link_id)
            connection.new_url, connection.new_url_problem = provider_url, None
        try:
            self._check_proof(connection, provider_url)
        except (ConsumerError, SendFailed, SignatureInvalid) as failed:
            with self.database.transaction() as session:
                _usable(session, link_id).new_url_problem = str(failed)[:2000]
            return
        with self.database.transaction() as session:
            moved, own = _usable(session, link_id), get_link(session, link_id, lock=True).connecting
            if moved.new_url == provider_url:
                moved.peer_url = own.provider_url = provider_url
                moved.new_url = moved.new_url_problem = None
                own.updated_at = self.clock()
                session.info.setdefault("due", set()).add(moved.id)

    def _check_proof(self, connection: Connection, provider_url: str) -> None:
        nonce = token_urlsafe(32)
        with self.caller.make_sender() as sender:
            reply = sender.send(
                "POST",
                f"{provider_url.rstrip('/')}{EXCHANGE_PATH}/connection/proof",
                body=json.dumps({"connection_id": connection.id, "nonce": nonce}).encode(),
                headers={"Content-Type": "application/json"},
                deadline_s=SLOW_DEADLINE_S,
            )
        if reply.status != 200:
            raise refusal_of(reply)
        told = read_json(reply)
        headers = {name: told.get(name) for name in (HEADER_ID, HEADER_TIMESTAMP, HEADER_SIGNATURE)}
        if not all(isinstance(value, str) for value in headers.values()):
            raise ProviderAnswerInvalid("there is no proof in the answer")
        proven = {name: str(value) for name, value in headers.items()}
        secrets = self.keyring.open(connection)["webhook"]
        signing.verify(f"proof:{nonce}".encode(), proven, now_s=self.clock().timestamp(), secrets=secrets)


def _usable(session: Session, link_id: str) -> Connection:
    link = get_link(session, link_id)
    if link.connection is None or link.connection.secrets is None:
        raise ConnectionNotUsable(link.state)
    return link.connection
