"""One instance of the provider, put together once by each of its processes. No web framework: workers share it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.attachments import AttachmentLimits
from bridge.carriers import Senders, WebhookCarrier
from bridge.database import Database
from bridge.egress import AddressGuard
from bridge.files import FileStore
from bridge.identity import Identity, Keyring, ensure_instance
from bridge.jobs import Bell
from bridge.logs import request_id, traceparent
from bridge.models import Connection, Instance
from bridge.outbox import Rendering
from provider.config import ProviderConfig
from provider.services import addresses
from provider.services.entitlement_plans import LIMITS
from provider.services.errors import ChallengeFailed
from provider.services.mappings import adopt_tables
from provider.services.numbers import skip_given_numbers
from provider.services.registrations import send_challenge
from provider.services.transforms import adopt_transforms

USER_AGENT = "sxg-provider/1"


@dataclass(frozen=True)
class Context:
    """One instance of the provider, as its processes see it."""

    database: Database
    keyring: Keyring
    identity: Identity
    guard: AddressGuard
    files: FileStore
    attachment_limits: AttachmentLimits
    clock: Callable[[], datetime]
    lease_s: float
    """How long a worker may hold a connection."""

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A write transaction whose audit entries name this request, and whose events carry its trace."""
        with self.database.transaction() as session:
            session.info["request_id"] = request_id.get() or None
            session.info["traceparent"] = traceparent.get() or None
            yield session

    def carrier(self) -> WebhookCarrier:
        """For one request of ours; a Sender belongs to one thread."""
        return WebhookCarrier(Senders(self.guard, USER_AGENT), self.keyring, self.identity, self.clock)

    def move_callback(self, connection_id: str, url: str, *, by_consumer: bool, actor: str) -> Connection:
        """Wanted, challenged and settled, in that order; why it failed stays with the connection.

        Raises as `want_callback` does, and ChallengeFailed.
        """
        with self.transaction() as session:
            wanted = addresses.want_callback(
                session, self.guard, connection_id, url, by_consumer=by_consumer, actor=actor, now=self.clock()
            )
            challenge = addresses.prepare_move(session, self.identity, wanted.id, now=self.clock())
        try:
            send_challenge(self.carrier(), challenge)
        except ChallengeFailed as failed:
            with self.transaction() as session:
                addresses.note_failure(session, wanted.id, failed.reason)
            raise
        with self.transaction() as session:
            return addresses.settle_move(session, challenge, actor=actor, now=self.clock())


def make_context(config: ProviderConfig, clock: Callable[[], datetime]) -> Context:
    """What web and worker processes share: the database with its bell, the keys, the identity, the mapping tables."""
    database = Database(config.database_url)
    keyring = Keyring.load(config.data_dir)
    with database.transaction() as session:
        before = session.scalars(select(Instance.epoch)).first()
        identity = ensure_instance(session, config.display_name, config.data_dir)
        if before not in (None, identity.epoch):
            skip_given_numbers(session)
        version, tables = adopt_tables(session, config.mappings_dir, now=clock())
        adopt_transforms(session, config.mappings_dir, now=clock())
    database.info["outbox"] = Rendering(identity.source, version, {version: tables})
    database.info[LIMITS] = config.removal_limits
    if config.redis_url:
        database.bell = Bell(config.redis_url, identity.id)
    return Context(
        database=database,
        keyring=keyring,
        identity=identity,
        guard=AddressGuard(config.egress_allow),
        files=FileStore(config.data_dir),
        attachment_limits=config.attachments,
        clock=clock,
        lease_s=config.lease_s,
    )
