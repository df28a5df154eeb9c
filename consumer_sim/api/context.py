"""What the endpoints work with: put together once by `app`, found here during a request."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import flask

from bridge.database import Database
from bridge.egress import AddressGuard, Sender
from bridge.identity import Identity, Keyring
from consumer_sim.config import ConsumerConfig
from consumer_sim.services.connecting import Connector
from consumer_sim.services.tokens import ClientCredentials

_KEY = "sxg-consumer"


@dataclass(frozen=True)
class Context:
    """One instance of the consumer, as its processes see it."""

    config: ConsumerConfig
    database: Database
    keyring: Keyring
    identity: Identity
    guard: AddressGuard
    tokens: ClientCredentials
    clock: Callable[[], datetime]

    def install(self, app: flask.Flask) -> None:
        app.extensions[_KEY] = self

    def connector(self, sender: Sender) -> Connector:
        return Connector(
            database=self.database,
            keyring=self.keyring,
            identity=self.identity,
            tokens=self.tokens,
            sender=sender,
            public_url=self.config.public_url,
            clock=self.clock,
        )

    def sender(self) -> Sender:
        """For one request of ours; close it."""
        return Sender(self.guard, user_agent="sxg-consumer/1")


def here() -> Context:
    """The context of the app that answers this request."""
    context: Context = flask.current_app.extensions[_KEY]
    return context
