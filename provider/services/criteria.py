"""What criteria ask for, read from the database: whether it exists, and what each consumer has of it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from bridge.models import Connection
from bridge.vocabulary import ConnectionState
from provider.domain.contracts import ContractState
from provider.domain.criteria import Agreement, Consumer, Owned, as_id, conditions_of, read_criteria
from provider.domain.errors import FieldError, InvalidFields
from provider.domain.inventory import IN_USE
from provider.models.access import Registration
from provider.models.catalog import ProductOffering, Specification
from provider.models.contracts import Contract, ContractLine
from provider.models.inventory import Product
from provider.models.orders import OrderLine

Document = Mapping[str, Any]

ACCOUNT, LABELS = "account", "labels"
"""Settings of a connection by which consumers are told apart. The company is that of its registration."""


def check_criteria(session: Session, document: Any) -> dict[str, Any]:
    """The document in its normal form. Raises InvalidFields, a pointer for each fault; also for what there is not."""
    found = read_criteria(document)
    faults = [
        fault for pointer, kind, values in conditions_of(document) for fault in _missing(session, pointer, kind, values)
    ]
    if faults:
        raise InvalidFields(faults)
    return found


def read_consumers(session: Session, criteria: Iterable[Document], *where: ColumnElement[bool]) -> dict[str, Consumer]:
    """The connections that fit `where`, with all that these criteria ask of them, by id and in the order of ids.

    Four statements at most, however many connections, criteria and products there are.
    """
    documents = list(criteria)
    asked = _asked(documents)
    query = (
        select(Connection.id, Connection.name, Connection.settings, Registration.company)
        .outerjoin(Registration, Registration.connection_id == Connection.id)
        .where(*where)
        .order_by(Connection.id)
    )
    rows = session.execute(query).all()
    ids = [row.id for row in rows]
    offerings = _read_owned(session, ids, ProductOffering.external_id, asked["owns_offerings"])
    specifications = _read_owned(session, ids, Specification.external_id, asked["owns_specifications"])
    contracts = _read_contracts(session, rows) if _asked_of_contracts(documents) else {}
    return {
        row.id: Consumer(
            connection_id=row.id,
            name=row.name,
            company=row.company,
            account=row.settings.get(ACCOUNT),
            labels=row.settings.get(LABELS) or {},
            settings=row.settings,
            offerings=offerings.get(row.id, {}),
            specifications=specifications.get(row.id, {}),
            contracts=contracts.get(row.id, ()),
        )
        for row in rows
    }


def read_names(session: Session, criteria: Iterable[Document]) -> dict[str, str]:
    """The names of what criteria ask for by id: connections, offerings and specifications."""
    documents = list(criteria)
    asked = _asked(documents)
    for value in _asked_of_contracts(documents):
        for subject, same in _SUBJECTS.items():
            asked[same] |= set(value.get(subject, ()))
    names: dict[str, str] = {}
    for kind, (key, name) in _KEYS.items():
        if asked[kind]:
            rows = session.execute(select(key, name).where(key.in_(asked[kind]))).all()
            names |= {row[0]: row[1] for row in rows}
    return names


_KEYS: Mapping[str, tuple[InstrumentedAttribute[str], InstrumentedAttribute[str]]] = {
    "connection_ids": (Connection.id, Connection.name),
    "owns_offerings": (ProductOffering.external_id, ProductOffering.name),
    "owns_specifications": (Specification.external_id, Specification.name),
}
_NOUNS = {"connection_ids": "connection", "owns_offerings": "product offering", "owns_specifications": "specification"}


_SUBJECTS = {"offerings": "owns_offerings", "specifications": "owns_specifications"}
"""What contracts are asked for, by the condition that asks for the same of products."""


def _asked(criteria: Iterable[Document]) -> dict[str, set[str]]:
    """All values that conditions of a kind name."""
    found: dict[str, set[str]] = {kind: set() for kind in _KEYS}
    for document in criteria:
        for _, kind, values in conditions_of(document):
            if kind in found:
                found[kind] |= set(values)
    return found


def _asked_of_contracts(criteria: Iterable[Document]) -> list[Document]:
    return [value for document in criteria for _, kind, value in conditions_of(document) if kind == "contracts"]


def held_by(
    connection_ids: Collection[str], companies: Collection[str], accounts: Collection[str]
) -> ColumnElement[bool]:
    """Which contracts are with any of these."""
    return or_(
        Contract.connection_id.in_(connection_ids), Contract.company.in_(companies), Contract.account.in_(accounts)
    )


def _read_contracts(session: Session, consumers: Sequence[Row[Any]]) -> dict[str, list[Agreement]]:
    """By connection, the contracts in force that are with it, its company or its account."""
    companies = {one.company for one in consumers if one.company}
    accounts = {one.settings[ACCOUNT] for one in consumers if one.settings.get(ACCOUNT)}
    query = (
        select(Contract, ContractLine.offering, ContractLine.specification)
        .outerjoin(ContractLine, ContractLine.contract_id == Contract.id)
        .where(Contract.state == ContractState.ACTIVE, held_by([one.id for one in consumers], companies, accounts))
        .order_by(Contract.number)
    )
    lines: dict[Contract, list[Any]] = {}
    for row in session.execute(query):
        lines.setdefault(row[0], []).append(row)
    holders: dict[tuple[str | None, ...], list[Agreement]] = {}
    for one, rows in lines.items():
        offerings, specifications = (frozenset(row[column] for row in rows if row[column]) for column in (1, 2))
        holder = (one.connection_id, one.company, one.account)
        holders.setdefault(holder, []).append(Agreement(one.number, one.name, offerings, specifications))
    return {
        one.id: [
            agreement
            for holder in ((one.id, None, None), (None, one.company, None), (None, None, one.settings.get(ACCOUNT)))
            for agreement in holders.get(holder, ())
        ]
        for one in consumers
    }


def _missing(session: Session, pointer: str, kind: str, values: Any) -> Iterable[FieldError]:
    if kind == "contracts":
        for subject, same in _SUBJECTS.items():
            yield from _missing(session, f"{pointer}/{subject}", same, values.get(subject, ()))
    if kind not in _KEYS:
        return
    key, of_connections = _KEYS[kind][0], kind == "connection_ids"
    keys = [as_id(value) if of_connections else value.strip() for value in values]
    query = select(key).where(key.in_({key for key in keys if key is not None}))
    known = set(session.scalars(query.where(Connection.state != ConnectionState.REVOKED) if of_connections else query))
    for index, value in enumerate(values):
        if keys[index] not in known:
            yield FieldError(f"{pointer}/{index}", "unknown", f"there is no {_NOUNS[kind]} {value}")


def _read_owned(
    session: Session, connection_ids: Sequence[str], key: InstrumentedAttribute[str], wanted: Collection[str]
) -> dict[str, dict[str, Owned]]:
    """By connection and external id, whatever the version: how many products in use there are, and the first one."""
    if not wanted or not connection_ids:
        return {}
    query = select(Product.connection_id, key, func.count(), func.min(Product.number))
    if key is ProductOffering.external_id:
        query = query.join(OrderLine, OrderLine.id == Product.order_line_id)
        query = query.join(ProductOffering, ProductOffering.id == OrderLine.product_offering_id)
    else:
        query = query.join(Specification, Specification.id == Product.specification_id)
    query = query.where(key.in_(wanted), Product.state.in_(IN_USE), Product.connection_id.in_(connection_ids))
    found: dict[str, dict[str, Owned]] = {}
    for connection_id, external_id, count, first in session.execute(query.group_by(Product.connection_id, key)):
        found.setdefault(connection_id, {})[external_id] = Owned(count, first)
    return found
