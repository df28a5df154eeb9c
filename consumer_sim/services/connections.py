"""The providers this instance is connected to, or on its way to be."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from bridge import identity
from bridge.identity import Keyring
from bridge.models import Connection, Stream
from bridge.vocabulary import ConnectionState
from consumer_sim.models import CatalogItem, ProviderConnection
from consumer_sim.services import catalog
from consumer_sim.services.authorised_users import tell_all_again
from consumer_sim.services.errors import ConnectionNotUsable, NotFound
from consumer_sim.services.history import want_reunion


@dataclass(frozen=True, slots=True)
class Link:
    """What is known of one provider: our side of connecting, and the connection once the provider made it."""

    connecting: ProviderConnection
    connection: Connection | None

    @property
    def state(self) -> str:
        return self.connection.state if self.connection else ConnectionState.PENDING


def begin_connecting(
    session: Session, keyring: Keyring, provider_url: str, token: str, number_prefix: str, *, now: datetime
) -> ProviderConnection:
    """A new attempt, or the one under way with this provider: a reissued token takes the place of the former.

    Another prefix with another token is another connection to that provider; with the same token it is a correction.
    """
    token_hash = hashlib.sha256(token.encode()).hexdigest()
    same_token = ProviderConnection.token_hash == token_hash
    under_way = and_(ProviderConnection.step != "done", ProviderConnection.requested_prefix == number_prefix)
    query = select(ProviderConnection).where(
        ProviderConnection.provider_url == provider_url, or_(same_token, under_way)
    )
    found = session.scalars(query.order_by(same_token.desc(), ProviderConnection.created_at).with_for_update()).first()
    if found is None:
        found = ProviderConnection(
            id=str(uuid4()), provider_url=provider_url, step="complete", auto_activate=False, created_at=now
        )
        session.add(found)
    elif found.step != "complete" and found.token_hash == token_hash:
        return found
    else:
        found.step = "complete"
    found.token, found.token_hash, found.requested_prefix = keyring.seal({"token": token}), token_hash, number_prefix
    found.problem, found.updated_at = None, now
    return found


def get_link(session: Session, link_id: str, *, lock: bool = False) -> Link:
    """By our id or the wire's. Raises NotFound."""
    query = select(ProviderConnection).where(
        or_(ProviderConnection.id == link_id, ProviderConnection.connection_id == link_id)
    )
    connecting = session.scalars(query.with_for_update() if lock else query).first()
    if connecting is None:
        raise NotFound("connection", link_id)
    connection = session.get(Connection, connecting.connection_id) if connecting.connection_id else None
    return Link(connecting, connection)


def get_links(session: Session) -> Sequence[Link]:
    """All of them, oldest first."""
    query = select(ProviderConnection, Connection).outerjoin(
        Connection, Connection.id == ProviderConnection.connection_id
    )
    rows = session.execute(query.order_by(ProviderConnection.created_at, ProviderConnection.id)).all()
    return [Link(connecting, connection) for connecting, connection in rows]


def count_waiting(session: Session, connection_ids: Sequence[str]) -> dict[str, int]:
    """How many of our calls are not settled yet, parked ones and those behind them included, by connection."""
    query = select(Stream.connection_id, func.sum(Stream.next_sequence - Stream.head)).where(
        Stream.connection_id.in_(connection_ids), Stream.next_sequence > Stream.head
    )
    return {row[0]: int(row[1]) for row in session.execute(query.group_by(Stream.connection_id))}


def set_auto_activate(session: Session, link: Link, auto_activate: bool, *, now: datetime) -> None:
    """Activate what is offered as it comes, and now what waits already; but for what we are too old for."""
    link.connecting.auto_activate = auto_activate
    link.connecting.updated_at = now
    if not auto_activate:
        return
    waiting = select(CatalogItem).where(
        CatalogItem.connection_id == link.connecting.connection_id, CatalogItem.state == "pending_activation"
    )
    for item in session.scalars(waiting.order_by(CatalogItem.id).with_for_update()).all():
        if catalog.can_use(item):
            catalog.activate_item(session, item, now=now)


def settle_epoch(session: Session, connection_id: str, *, accept: bool, now: datetime) -> None:
    """Say whether a provider that was refused as a copy is the provider itself, restored, or not; then it is told our
    users again. Raises ConnectionNotUsable when none was refused.
    """
    if identity.settle_epoch(session, connection_id, accept=accept, now=now) is None:
        raise ConnectionNotUsable("open, and no copied or restored provider was refused on it")
    if accept:
        want_reunion(session, connection_id, now=now)
        tell_all_again(session, connection_id, now=now)
    session.info.setdefault("due", set()).add(connection_id)


def get_connected_id(session: Session, link_id: str | None) -> str:
    """The wire's id of a connection, of the oldest if none is named. Raises NotFound."""
    links = [get_link(session, link_id)] if link_id else get_links(session)
    for link in links:
        if link.connection is not None:
            return link.connection.id
    raise NotFound("connection", link_id or "yet")
