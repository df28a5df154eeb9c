"""One instance of the consumer, put together once by each of its processes. No web framework: workers share it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from bridge.database import Database
from bridge.egress import AddressGuard, Sender
from bridge.files import FileStore
from bridge.identity import Identity, Keyring, ensure_instance
from bridge.jobs import Bell
from bridge.models import Instance
from bridge.outbox import Rendering
from bridge.vocabulary import UNSEQUENCED
from consumer_sim.config import ConsumerConfig
from consumer_sim.services.addresses import Mover
from consumer_sim.services.attachment_lane import AttachmentLane
from consumer_sim.services.calling import Caller
from consumer_sim.services.connecting import Connector
from consumer_sim.services.history import Historian, want_history
from consumer_sim.services.live_choices import Chooser
from consumer_sim.services.offboarding import FarewellTeller
from consumer_sim.services.receiving import HANDLERS
from consumer_sim.services.rotations import Rotator
from consumer_sim.services.tokens import ClientCredentials


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

    def connector(self, sender: Sender) -> Connector:
        return Connector(
            database=self.database,
            keyring=self.keyring,
            identity=self.identity,
            tokens=self.tokens,
            sender=sender,
            public_url=self.config.public_url,
            clock=self.clock,
            spoken=self.spoken,
        )

    @property
    def spoken(self) -> list[str]:
        """The types of events that this instance knows."""
        return sorted(set(HANDLERS) - UNSEQUENCED - set(self.config.unknown_events))

    @property
    def caller(self) -> Caller:
        """For calls that are made now."""
        return Caller(self.tokens, self.identity, self.sender)

    @property
    def chooser(self) -> Chooser:
        """For what can be chosen in forms."""
        return Chooser(self.database, self.caller, self.clock)

    @property
    def files(self) -> FileStore:
        """Where attachments lie."""
        return FileStore(self.config.data_dir)

    @property
    def attachment_lane(self) -> AttachmentLane:
        """Moves attachments; one for each process that does."""
        return AttachmentLane(self.database, self.caller, self.files, self.config.attachments, self.clock)

    @property
    def historian(self) -> Historian:
        """Fetches what was said, after something was lost here."""
        return Historian(self.database, self.caller, self.clock)

    @property
    def rotator(self) -> Rotator:
        """For new secrets."""
        return Rotator(self.database, self.keyring, self.caller, self.clock)

    @property
    def farewell_teller(self) -> FarewellTeller:
        """For connections that our people have ended."""
        return FarewellTeller(self.database, self.caller, self.clock)

    @property
    def mover(self) -> Mover:
        """For changes of address."""
        return Mover(self.database, self.keyring, self.guard, self.caller, self.config.public_url, self.clock)

    def sender(self) -> Sender:
        """For one request of ours; close it."""
        return Sender(self.guard, user_agent="sxg-consumer/1")


def make_context(config: ConsumerConfig, clock: Callable[[], datetime]) -> Context:
    database = Database(config.database_url)
    keyring = Keyring.load(config.data_dir)
    with database.transaction() as session:
        before = session.scalars(select(Instance.epoch)).first()
        identity = ensure_instance(session, config.display_name, config.data_dir)
        if before not in (None, identity.epoch):  # restored: something may be lost
            want_history(session, now=clock())
    database.info["outbox"] = Rendering(identity.source)
    if config.redis_url:
        database.bell = Bell(config.redis_url, identity.id)
    return Context(
        config=config,
        database=database,
        keyring=keyring,
        identity=identity,
        guard=AddressGuard(config.egress_allow),
        tokens=ClientCredentials(keyring),
        clock=clock,
    )
