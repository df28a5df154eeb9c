"""The end of a connection to a provider, whoever ends it: nothing can be ordered any more, what was stays readable."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from bridge import farewells
from bridge.database import Database
from bridge.egress import SendFailed
from bridge.envelope import Event
from bridge.farewells import Parting
from bridge.inbox import Rejection
from bridge.models import Connection
from bridge.vocabulary import FAST_DEADLINE_S, ConnectionState
from consumer_sim.models import CatalogItem
from consumer_sim.services.calling import Caller
from consumer_sim.services.errors import ConnectionNotUsable, NotFound, ProviderRefused

_UNKNOWN = (401, 404)
"""The provider has ended the connection itself, or knows nothing of it."""


def revoke_connection(
    session: Session, connection_id: str, *, reason: str, told: bool = False, now: datetime
) -> Connection:
    """End the connection for ever: its items go, its secrets are destroyed, and the provider is told when it can be
    reached, unless it was the provider that `told` us. Requests and products stay as history.

    Raises NotFound, ConnectionNotUsable when it is over already.
    """
    connection = session.get(Connection, connection_id, with_for_update=True)
    if connection is None:
        raise NotFound("connection", connection_id)
    if connection.state == ConnectionState.REVOKED:
        raise ConnectionNotUsable(connection.state)
    farewells.keep_farewell(session, connection, reason, told=told, now=now)
    connection.state, connection.state_reason, connection.secrets = ConnectionState.REVOKED, reason[:2000], None
    connection.new_url = connection.new_url_problem = None
    gone = {"state": "removed", "removed_reason": "disconnected", "updated_at": now}
    session.execute(update(CatalogItem).where(CatalogItem.connection_id == connection_id).values(**gone))
    return connection


class ClosedHandler:
    """The provider has ended the connection."""

    def check(self, session: Session, connection_id: str, events: Sequence[Event]) -> Mapping[str, Rejection]:
        return {}

    def apply(self, session: Session, connection_id: str, events: Sequence[Event], now: datetime) -> None:
        said: Any = events[-1].data.get("reason")
        reason = f"ended by the provider: {said if isinstance(said, str) and said else 'no reason given'}"
        revoke_connection(session, connection_id, reason=reason[:1000], told=True, now=now)


@dataclass
class FarewellTeller:
    """Tells providers that we have ended the connection."""

    database: Database
    caller: Caller
    clock: Callable[[], datetime]

    def run_due(self) -> None:
        now = self.clock()
        with self.database.reading() as session:
            if not farewells.find_due(session, now=now):
                return
        with self.database.transaction() as session:
            partings = farewells.claim_farewells(session, now=now)
        for parting in partings:
            problem = self._tell(parting)
            with self.database.transaction() as session:
                farewells.settle_farewell(session, parting.connection.id, problem, now=self.clock())

    def _tell(self, parting: Parting) -> str | None:
        """What went wrong, None if they know."""
        body = {"reason": parting.reason[:1000]}
        try:
            self.caller.call(parting.connection, "POST", "/connection/close", body, deadline_s=FAST_DEADLINE_S)
        except ProviderRefused as refused:
            return None if refused.status in _UNKNOWN else str(refused)
        except SendFailed as failed:
            return str(failed)
        return None
