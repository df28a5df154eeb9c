"""What the endpoints work with: put together once by `app`, found here during a request."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import flask
from sqlalchemy.orm import Session

from bridge.carriers import Senders, WebhookCarrier
from bridge.database import Database
from bridge.egress import AddressGuard
from bridge.identity import Identity, Keyring
from bridge.web import request_id

_KEY = "sxg-provider"
USER_AGENT = "sxg-provider/1"


@dataclass(frozen=True)
class Context:
    """One instance of the provider, as its processes see it."""

    database: Database
    keyring: Keyring
    identity: Identity
    guard: AddressGuard
    clock: Callable[[], datetime]

    def install(self, app: flask.Flask) -> None:
        app.extensions[_KEY] = self

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A write transaction whose audit entries name this request."""
        with self.database.transaction() as session:
            session.info["request_id"] = request_id.get() or None
            yield session

    def carrier(self) -> WebhookCarrier:
        """For one request of ours; a Sender belongs to one thread."""
        return WebhookCarrier(Senders(self.guard, USER_AGENT), self.keyring, self.identity, self.clock)


def here() -> Context:
    """The context of the app that answers this request."""
    context: Context = flask.current_app.extensions[_KEY]
    return context
