"""Why may, or may a consumer not, order an item; and what would other criteria change?"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from bridge.models import Connection
from bridge.vocabulary import ConnectionState
from provider.domain.catalog import RemoteRecordProducerState
from provider.domain.criteria import Finding, as_id, judge
from provider.domain.errors import FieldError, InvalidFields, NotFound
from provider.models.access import Registration
from provider.models.catalog import Entitlement, RemoteRecordProducer
from provider.models.criteria import HeldRemoval
from provider.services.criteria import check_criteria, read_consumers, read_names
from provider.services.entitlement_plans import LIVE, Offer, Scope, find_offers, make_plan

Document = dict[str, Any]
_S = RemoteRecordProducerState
_P = RemoteRecordProducer


def explain_entitlement(session: Session, consumer: str, item: str) -> Document:
    """Why a consumer is, or is not, entitled to an item: the answer in words, and each condition with what it looked
    at. `consumer` is the id, name, company or number prefix of a connection, `item` the id or name of an item.

    Raises NotFound, and InvalidFields (/consumer, /item) when several are meant.
    """
    connection, producer = _find_connection(session, consumer), _find_item(session, item)
    criteria = producer.criteria or {}
    facts = read_consumers(session, [criteria], Connection.id == connection.id)[connection.id]
    row = session.get(Entitlement, (connection.id, producer.identity))
    finding = judge(criteria, facts, read_names(session, [criteria])) if producer.state == _S.PUBLISHED else None
    return {
        "connection_id": connection.id,
        "consumer": connection.name,
        "item_id": producer.identity,
        "item": producer.name,
        "entitled": bool(row and row.entitled),
        "matches": finding.holds if finding else None,
        "answer": _answer(session, connection, producer, row, finding),
        "criteria": list(_lines(finding)) if finding else [],
        "kept_by": row.kept_by if row else None,
        "since": row.updated_at if row else None,
    }


def preview_entitlements(
    session: Session, now: datetime, identity: str | None = None, criteria: Mapping[str, Any] | None = None
) -> list[Document]:
    """What computing entitlements now would add and remove, by name, for each item for which it would do anything; of
    one item also with criteria, or a draft, that it does not have yet. Nothing is written.

    Raises NotFound, InvalidFields (/criteria).
    """
    if identity is None and criteria is not None:
        raise InvalidFields([FieldError("/item", "required", "criteria are those of one item")])
    offers = find_offers(session, None) if identity is None else {}
    if identity is not None:
        item = _find_item(session, identity)
        wanted = check_criteria(session, criteria) if criteria is not None else dict(item.criteria or {})
        offers = {item.identity: Offer(_newest(session, item), wanted)} if wanted else {}
        identity = item.identity
    plan = make_plan(session, now, Scope(identity), offers)
    names = dict(session.execute(select(Connection.id, Connection.name)).all())
    found = [
        {
            "item_id": key,
            "item": plan.offers[key].producer.name if key in plan.offers else key,
            "added": _named(names, [*change.fresh, *change.regained]),
            "removed": _named(names, change.withdrawn),
            "held": _named(names, change.held),
        }
        for key, change in plan.changes.items()
    ]
    return [one for one in found if identity or one["added"] or one["removed"] or one["held"]]


def list_items_for(session: Session) -> list[Document]:
    """Every published item by name, to choose one from."""
    query = select(_P.identity, _P.name).where(_P.state == _S.PUBLISHED).order_by(func.lower(_P.name), _P.identity)
    return [dict(row) for row in session.execute(query).mappings()]


def list_items_of(session: Session, connection_id: str) -> dict[str, str]:
    """The published items that a connection is entitled to: their names by id."""
    query = (
        select(_P.identity, _P.name)
        .where(_P.state == _S.PUBLISHED)
        .join(Entitlement, Entitlement.identity == _P.identity)
    )
    mine = query.where(Entitlement.connection_id == connection_id, Entitlement.entitled)
    return {row.identity: row.name for row in session.execute(mine.order_by(func.lower(_P.name), _P.identity))}


def _answer(
    session: Session, connection: Connection, producer: RemoteRecordProducer, row: Entitlement | None,
    finding: Finding | None,
) -> str:  # fmt: skip
    """In a sentence."""
    may = "may" if row and row.entitled else "may not"
    return f"{connection.name} {may} order {producer.name}: {_why(session, connection, producer, row, finding)}."


def _why(
    session: Session, connection: Connection, producer: RemoteRecordProducer, row: Entitlement | None,
    finding: Finding | None,
) -> str:  # fmt: skip
    if connection.state not in LIVE:
        return f"its connection is {connection.state}"
    if finding is None:
        return f"the item is {producer.state}, not published"
    if finding.holds is None:
        return "the criteria ask for what cannot be looked at, so it stays as it was"
    has = bool(row and row.entitled)
    return _why_still(session, connection, producer, row) if has and not finding.holds else _WHY[has, finding.holds]


_WHY = {
    (True, True): "it matches the criteria",
    (False, False): "it does not match the criteria",
    (False, True): "it matches the criteria, and gets the item as soon as entitlements are computed again",
}


def _why_still(
    session: Session, connection: Connection, producer: RemoteRecordProducer, row: Entitlement | None
) -> str:
    if row and row.kept_by:
        return f"it does not match the criteria any more, and {row.kept_by} decided that it keeps the item"
    held = select(HeldRemoval).where(HeldRemoval.identity == producer.identity, HeldRemoval.state == "held")
    found = session.scalars(held).one_or_none()
    if found and connection.id in found.connection_ids:
        return "it does not match any more, and the removal is held with many others until a person confirms it"
    return "it does not match the criteria any more and loses the item as soon as entitlements are computed again"


def _lines(finding: Finding, depth: int = 0) -> Sequence[Document]:
    """The conditions in reading order, each as deep as it is combined."""
    own = {"depth": depth, "words": finding.words, "holds": finding.holds, "looked_at": finding.looked_at}
    return [own, *(line for part in finding.parts for line in _lines(part, depth + 1))]


def _named(names: Mapping[str, str], ids: Sequence[str]) -> list[Document]:
    return sorted(({"connection_id": one, "name": names[one]} for one in ids), key=lambda one: one["name"].lower())


def _find_connection(session: Session, consumer: str) -> Connection:
    query = select(Connection)
    if key := as_id(consumer):
        found = session.scalars(query.where(Connection.id == key)).all()
    else:
        query = query.outerjoin(Registration, Registration.connection_id == Connection.id)
        texts = (Connection.name, Connection.number_prefix, Registration.company)
        query = query.where(or_(*(func.lower(text) == consumer.lower() for text in texts)))
        found = session.scalars(query.where(Connection.state != ConnectionState.REVOKED).limit(2)).all()
    if len(found) > 1:
        message = f"several consumers are called {consumer}; give the id of the connection"
        raise InvalidFields([FieldError("/consumer", "ambiguous", message)])
    if not found:
        raise NotFound("consumer", consumer[:80])
    return found[0]


def _find_item(session: Session, item: str) -> RemoteRecordProducer:
    """Its published revision, or the newest one when none is."""
    condition = _P.identity == key if (key := as_id(item)) else func.lower(_P.name) == item.lower()
    rows = session.scalars(select(_P).where(condition).order_by(_P.revision.desc())).all()
    if len({row.identity for row in rows}) > 1:
        raise InvalidFields(
            [FieldError("/item", "ambiguous", f"several items are called {item}; give the id of the item")]
        )
    if not rows:
        raise NotFound("catalog item", item[:80])
    return next((row for row in rows if row.state == _S.PUBLISHED), rows[0])


def _newest(session: Session, item: RemoteRecordProducer) -> RemoteRecordProducer:
    """What publishing would publish: the draft, or what is published."""
    draft = select(_P).where(_P.identity == item.identity, _P.state == _S.DRAFT).order_by(_P.revision.desc())
    return session.scalars(draft.limit(1)).first() or item
