"""Contracts as a list for people, and what one can be written about."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from bridge.models import Connection
from bridge.vocabulary import ConnectionState
from provider.models.access import Registration
from provider.models.catalog import ProductOffering, Specification
from provider.models.contracts import Contract
from provider.services.contracts import contracts_data
from provider.services.criteria import ACCOUNT
from provider.services.slices import read_slice

Document = dict[str, Any]
Choices = list[tuple[str, str]]

_HOLDER = func.coalesce(Contract.company, Contract.account, Connection.name)
_COLUMNS: Mapping[str, Any] = {
    "number": Contract.number,
    "name": func.lower(Contract.name),
    "holder": func.lower(_HOLDER),
    "state": Contract.state,
    "starts": Contract.starts_on,
    "ends": func.coalesce(Contract.ends_on, date.max),
}
SORTABLE = tuple(_COLUMNS)


def search_contracts(
    session: Session, *, text: str = "", state: str = "", sort: str = "number", descending: bool = False,
    offset: int = 0, limit: int = 25,
) -> tuple[list[Document], int]:  # fmt: skip
    """One page of those that match, and how many there are. `text` is part of a number, a name or who it is with."""
    query = select(Contract).outerjoin(Connection, Connection.id == Contract.connection_id)
    conditions: list[ColumnElement[bool]] = [Contract.state == state] if state else []
    if text:
        columns: tuple[ColumnElement[str], ...] = (Contract.number, Contract.name, _HOLDER)  # type: ignore[assignment]
        conditions.append(or_(*(column.icontains(text, autoescape=True) for column in columns)))
    key = _COLUMNS[sort]
    query = query.where(*conditions).order_by(key.desc() if descending else key.asc(), Contract.number)
    rows, total = read_slice(session, query, offset=offset, limit=limit)
    return contracts_data(session, [row[0] for row in rows]), total


def list_holders(session: Session) -> dict[str, Choices]:
    """With whom a contract can be: connections, companies and accounts, each as value and label."""
    living = Connection.state != ConnectionState.REVOKED
    consumers = select(Connection.id, Connection.name).where(living).order_by(func.lower(Connection.name))
    companies = select(Registration.company).where(Registration.connection_id.is_not(None)).distinct()
    account = Connection.settings[ACCOUNT].as_string()
    accounts = select(account).where(account.is_not(None)).distinct().order_by(account)
    return {
        "connection_id": [(row.id, row.name) for row in session.execute(consumers)],
        "company": [(one, one) for one in session.scalars(companies.order_by(Registration.company))],
        "account": [(one, one) for one in session.scalars(accounts)],
    }


def list_subjects(session: Session) -> Choices:
    """What a line can be for: `offering:{id}` or `specification:{id}`, with its name."""
    found: Choices = []
    for kind, model in (("offering", ProductOffering), ("specification", Specification)):
        names = select(model.external_id, func.max(model.name)).group_by(model.external_id)
        found += [(f"{kind}:{row[0]}", row[1]) for row in session.execute(names.order_by(func.max(model.name)))]
    return found


def list_contract_names(session: Session) -> list[str]:
    """By which criteria can ask."""
    return list(session.scalars(select(Contract.name).distinct().order_by(Contract.name)))
