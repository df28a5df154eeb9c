"""Remote record producers for those who look after them: each with whom it is for, and what they made of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Select, and_, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from bridge.models import Connection
from bridge.vocabulary import ConnectionState
from provider.domain.catalog import RemoteRecordProducerState
from provider.domain.criteria import say_criteria
from provider.models.access import Registration
from provider.models.catalog import Entitlement, ProductOffering, RemoteRecordProducer, Specification
from provider.services.contract_search import list_contract_names
from provider.services.criteria import read_names
from provider.services.personas import read_personas
from provider.services.producers import list_revisions
from provider.services.revisions import explain_revisions, find_actions

Document = dict[str, Any]

_PUBLISHED = aliased(RemoteRecordProducer)
_P = RemoteRecordProducer
SORTABLE = ("name", "kind", "category", "state", "revision", "entitled", "active")
NOBODY, NOT_ALL = "nobody", "not_all"
"""How far a published item came: no connection may order it, or some that may have not activated it."""
_REACH: Mapping[str, Callable[[Any], Any]] = {
    NOBODY: lambda item: item.published.is_not(None) & (item.entitled == 0),
    NOT_ALL: lambda item: item.published.is_not(None) & (item.active < item.entitled),
}


def search_producers(
    session: Session, *, text: str = "", state: str = "", kind: str = "", reach: str = "", sort: str = "name",
    descending: bool = False, offset: int = 0, limit: int = 25,
) -> tuple[list[Document], int]:  # fmt: skip
    """One page of the items that match, each by its newest revision, and how many match in all.

    `published` is the revision that consumers have now, `criteria` whom it is for; `entitled` and `active` count
    connections; `reach` is NOBODY, NOT_ALL or empty.
    """
    found = _items().where(*_conditions(text, state, kind)).subquery()
    narrowed = [_REACH[reach](found.c)] if reach in _REACH else []
    total = session.scalar(select(func.count()).select_from(found).where(*narrowed)) or 0
    key = func.lower(found.c.name) if sort == "name" else found.c[sort]
    order = key.desc() if descending else key
    wanted = select(found).where(*narrowed).order_by(order, found.c.name, found.c.identity)
    rows = session.execute(wanted.offset(offset).limit(limit))
    return [dict(row) for row in rows.mappings()], total


def count_reaching_nobody(session: Session) -> int:
    """Published items that no connection may order."""
    found = _items().subquery()
    return session.scalar(select(func.count()).select_from(found).where(_REACH[NOBODY](found.c))) or 0


def show_producer(session: Session, identity: str) -> Document:
    """An item with its revisions, newest first, whom the published one is for, and what each of them made of it.

    `newest` is what is to be reviewed; `published` is empty while nothing is. `actions` is what may be done with the
    item, and each of `revisions` says what may be done with it. Of a bundle, `is_bundle` is true. Raises NotFound.
    """
    oldest_first = list_revisions(session, identity)
    revisions = oldest_first[::-1]
    published = next((one for one in revisions if one.state == RemoteRecordProducerState.PUBLISHED), None)
    return {
        "newest": revisions[0],
        "published": published,
        "revisions": explain_revisions(oldest_first)[::-1],
        "actions": find_actions(oldest_first),
        "entitlements": _entitlements(session, revisions[0].identity),
        "audience": _audience(session, published.criteria if published else None),
        "personas": [one["name"] for one in read_personas(session, revisions[0].persona_ids).values()],
        "is_bundle": _is_bundle(session, revisions[0].product_offering_id),
    }


def list_possible_consumers(session: Session) -> list[Document]:
    """Every connection that an item may be published to, by name, with its company."""
    query = (
        select(Connection.id, Connection.name, Connection.state, Registration.company)
        .outerjoin(Registration, Registration.connection_id == Connection.id)
        .where(Connection.state != ConnectionState.REVOKED)
        .order_by(func.lower(Connection.name), Connection.id)
    )
    return [dict(row) | {"choice": (row["id"], row["name"])} for row in session.execute(query).mappings()]


def list_conditions(session: Session) -> Document:
    """What criteria can ask for: the companies that are registered, what can be owned, by external id and name, and
    contracts by name.
    """
    companies = select(Registration.company).where(Registration.connection_id.is_not(None)).distinct()
    found: Document = {"companies": [(one, one) for one in session.scalars(companies.order_by(Registration.company))]}
    for kind, model in (("owns_offerings", ProductOffering), ("owns_specifications", Specification)):
        names = select(model.external_id, func.max(model.name)).group_by(model.external_id)
        found[kind] = [(row[0], row[1]) for row in session.execute(names.order_by(func.max(model.name)))]
    contracts = [(one, one) for one in list_contract_names(session)]
    found["contracts"] = [("*", "Any contract"), *contracts] if contracts else []
    found["contract_offerings"] = found["owns_offerings"] if contracts else []
    return found


def _items() -> Select[Any]:
    newest = select(_P.identity, func.max(_P.revision).label("revision")).group_by(_P.identity).subquery()
    active = case((Entitlement.consumer_state == "active", 1), else_=0)
    counts = (
        select(Entitlement.identity, func.count().label("entitled"), func.sum(active).label("active"))
        .where(Entitlement.entitled)
        .group_by(Entitlement.identity)
        .subquery()
    )
    return (
        select(
            *(getattr(_P, name) for name in ("identity", "name", "kind", "category", "revision", "state")),
            _PUBLISHED.revision.label("published"),
            _PUBLISHED.criteria.label("criteria"),
            func.coalesce(counts.c.entitled, 0).label("entitled"),
            func.coalesce(counts.c.active, 0).label("active"),
        )
        .join(newest, and_(newest.c.identity == _P.identity, newest.c.revision == _P.revision))
        .outerjoin(
            _PUBLISHED,
            and_(_PUBLISHED.identity == _P.identity, _PUBLISHED.state == RemoteRecordProducerState.PUBLISHED),
        )
        .outerjoin(counts, counts.c.identity == _P.identity)
    )


def _conditions(text: str, state: str, kind: str) -> list[Any]:
    found: list[Any] = []
    if text:
        found.append(or_(*(column.icontains(text, autoescape=True) for column in (_P.name, _P.category))))
    if state:
        found.append(_P.state == state)
    if kind:
        found.append(_P.kind == kind)
    return found


def _entitlements(session: Session, identity: str) -> Sequence[Any]:
    query = (
        select(
            Entitlement.connection_id, Connection.name, Entitlement.revision, Entitlement.consumer_state,
            Entitlement.active_revision, Entitlement.updated_at,
        )
        .join(Connection, Connection.id == Entitlement.connection_id)
        .where(Entitlement.identity == identity, Entitlement.entitled)
        .order_by(func.lower(Connection.name), Connection.id)
    )  # fmt: skip
    return session.execute(query).mappings().all()


def _is_bundle(session: Session, offering_id: str | None) -> bool:
    return bool(offering_id and session.get_one(ProductOffering, offering_id).members)


def _audience(session: Session, criteria: Mapping[str, Any] | None) -> str:
    """In words."""
    return say_criteria(criteria, read_names(session, [criteria or {}]))
