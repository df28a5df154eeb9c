"""What would become of entitlements, were they computed now? Reads only, so a dry run is the same as the real one."""

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from bridge.models import Connection
from bridge.vocabulary import ConnectionState
from provider.domain.catalog import RemoteRecordProducerState
from provider.domain.criteria import judge
from provider.domain.entitlements import RemovalLimits, Removals, is_mass_removal
from provider.models.catalog import Entitlement, RemoteRecordProducer
from provider.models.criteria import HeldRemoval
from provider.services.criteria import read_consumers

LIVE = (ConnectionState.ACTIVE, ConnectionState.PAUSED, ConnectionState.DIVERGED)
LIMITS = "removal_limits"
"""Where a session's info keeps the RemovalLimits of this instance."""
_DAY = timedelta(days=1)
_E = Entitlement


@dataclass(frozen=True, slots=True)
class Scope:
    """What is computed. None: everything. `additive`: nothing is removed. `confirmed`: a person decided that these may
    be removed.
    """

    identity: str | None = None
    connection_ids: Collection[str] | None = None
    additive: bool = False
    confirmed: AbstractSet[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Change:
    """Connections by what happens to their right to one item, each sorted. `fresh` have no row yet; `fitting` were kept
    by a person and match again; `held` would be withdrawn, but wait for a person.
    """

    fresh: Sequence[str] = ()
    renewed: Sequence[str] = ()
    regained: Sequence[str] = ()
    withdrawn: Sequence[str] = ()
    held: Sequence[str] = ()
    fitting: Sequence[str] = ()

    @property
    def granted(self) -> list[str]:
        return sorted([*self.fresh, *self.renewed, *self.regained])


@dataclass(frozen=True, slots=True)
class Offer:
    """A producer as consumers are to have it; the criteria may be some that it does not have yet."""

    producer: RemoteRecordProducer
    criteria: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes by identity. `offers` holds no retired items. `holds` are the removals that wait already."""

    offers: Mapping[str, Offer]
    changes: Mapping[str, Change]
    holds: Mapping[str, HeldRemoval]


@dataclass(frozen=True, slots=True)
class _Verdicts:
    """What is said of one item: who matches, and who is known not to. Of the others nothing can be said."""

    wanted: Sequence[str]
    unwanted: AbstractSet[str]


def make_plan(session: Session, now: datetime, scope: Scope, offers: Mapping[str, Offer] | None = None) -> Plan:
    """Compare criteria with entitlements. Removal needs a condition that was looked at and does not hold."""
    offers = find_offers(session, scope.identity) if offers is None else offers
    consumers = read_consumers(session, [offer.criteria for offer in offers.values()], *_in_scope(scope))
    held = _read_entitlements(session, scope)
    holds = _read_holds(session, scope)
    verdicts: dict[str, _Verdicts] = {}
    for identity in sorted(offers.keys() | held.keys() | holds.keys()):
        offer = offers.get(identity)
        holding = {c: judge(offer.criteria, one).holds if offer else False for c, one in consumers.items()}
        unwanted = {c for c, holds_ in holding.items() if holds_ is False}
        verdicts[identity] = _Verdicts([c for c, holds_ in holding.items() if holds_], unwanted)
    lost = {identity: _lost(one, held.get(identity, {})) for identity, one in verdicts.items()}
    guarded = {identity: some - scope.confirmed for identity, some in lost.items() if identity in offers}
    waiting = _find_waiting(session, now, guarded, holds)
    changes = {}
    for identity, one in verdicts.items():
        stays = lost[identity] if scope.additive and identity in offers else waiting.get(identity, set())
        leaves = lost[identity] - stays
        held_back = () if scope.additive else sorted(stays)
        changes[identity] = _change(offers.get(identity), one, held.get(identity, {}), leaves, held_back, consumers)
    return Plan(offers, changes, holds)


def find_offers(session: Session, identity: str | None) -> dict[str, Offer]:
    """What is published."""
    query = select(RemoteRecordProducer).where(RemoteRecordProducer.state == RemoteRecordProducerState.PUBLISHED)
    if identity is not None:
        query = query.where(RemoteRecordProducer.identity == identity)
    return {one.identity: Offer(one, one.criteria or {}) for one in session.scalars(query)}


def _lost(verdicts: _Verdicts, rows: Mapping[str, Entitlement]) -> set[str]:
    """Who has the item, does not match any more, and was not told by a person to keep it."""
    return {c for c, row in rows.items() if row.entitled and row.kept_by is None} & verdicts.unwanted


def _change(
    offer: Offer | None, verdicts: _Verdicts, rows: Mapping[str, Entitlement], leaves: AbstractSet[str],
    held: Sequence[str], looked_at: Collection[str],
) -> Change:  # fmt: skip
    """A person's word that a consumer keeps an item ends when the item does."""
    if offer is None:
        leaves = {c for c, row in rows.items() if row.entitled} & set(looked_at)
    stay = {c: row for c, row in rows.items() if row.entitled and c not in leaves and c in looked_at}
    revision = offer.producer.revision if offer else None
    wanted = verdicts.wanted
    return Change(
        fresh=[c for c in wanted if c not in rows],
        renewed=sorted(c for c, row in stay.items() if offer and row.revision != revision),
        regained=[c for c in wanted if c in rows and not rows[c].entitled],
        withdrawn=sorted(leaves),
        held=held,
        fitting=[c for c in wanted if c in rows and rows[c].kept_by is not None],
    )


def _find_waiting(
    session: Session, now: datetime, lost: Mapping[str, set[str]], holds: Mapping[str, HeldRemoval]
) -> dict[str, set[str]]:
    """Of what would be lost, what a person has to look at first, by identity."""
    waiting = {identity: set(some) for identity, some in lost.items() if identity in holds}
    pairs = [(identity, c) for identity, some in lost.items() for c in some]
    if not pairs:
        return waiting
    limits: RemovalLimits = session.info.get(LIMITS) or RemovalLimits()
    by_item = _count_by(session, now, _E.identity)
    by_consumer = _count_by(session, now, _E.connection_id)
    total = Removals(len(pairs), sum(recent for recent, _ in by_item.values()), sum(n for _, n in by_item.values()))
    everything = is_mass_removal(total, limits, of_all=True)
    items = _find_mass([identity for identity, _ in pairs], by_item, limits)
    consumers = _find_mass([c for _, c in pairs], by_consumer, limits)
    for identity, c in pairs:
        if everything or identity in items or c in consumers:
            waiting.setdefault(identity, set()).add(c)
    return waiting


def _find_mass(keys: Sequence[str], known: Mapping[str, tuple[int, int]], limits: RemovalLimits) -> set[str]:
    lost: dict[str, int] = {}
    for key in keys:
        lost[key] = lost.get(key, 0) + 1
    return {key for key, count in lost.items() if is_mass_removal(Removals(count, *known.get(key, (0, 0))), limits)}


def _count_by(session: Session, now: datetime, key: InstrumentedAttribute[str]) -> dict[str, tuple[int, int]]:
    """How many were lost by themselves within the last day, and how many there are."""
    recent = func.sum(case((_E.withdrawn_at > now - _DAY, 1), else_=0))
    entitled = func.sum(case((_E.entitled, 1), else_=0))
    return {row[0]: (int(row[1]), int(row[2])) for row in session.execute(select(key, recent, entitled).group_by(key))}


def _in_scope(scope: Scope) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [Connection.state.in_(LIVE)]
    return found if scope.connection_ids is None else [*found, Connection.id.in_(scope.connection_ids)]


def _read_entitlements(session: Session, scope: Scope) -> dict[str, dict[str, Entitlement]]:
    query = select(_E).execution_options(populate_existing=True)
    if scope.identity is not None:
        query = query.where(_E.identity == scope.identity)
    if scope.connection_ids is not None:
        query = query.where(_E.connection_id.in_(scope.connection_ids))
    found: dict[str, dict[str, Entitlement]] = {}
    for row in session.scalars(query):
        found.setdefault(row.identity, {})[row.connection_id] = row
    return found


def _read_holds(session: Session, scope: Scope) -> dict[str, HeldRemoval]:
    query = select(HeldRemoval).where(HeldRemoval.state == "held").execution_options(populate_existing=True)
    if scope.identity is not None:
        query = query.where(HeldRemoval.identity == scope.identity)
    return {row.identity: row for row in session.scalars(query)}
