"""Contracts with consumers: written, activated and canceled by people, begun and ended by their dates.

Whoever changes one leaves it to the sweeper to compute again what its consumers are entitled to.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from typing import Any

from sqlalchemy import and_, delete, insert, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from bridge import failpoints
from bridge.ids import new_id
from bridge.models import Connection, table_of
from bridge.vocabulary import ConnectionState
from provider.domain.contracts import CONTRACT_MOVES, ContractState, state_on
from provider.domain.criteria import as_id
from provider.domain.errors import Conflict, FieldError, InvalidFields, NotFound
from provider.models.access import Registration
from provider.models.catalog import ProductOffering, Specification
from provider.models.contracts import Contract, ContractLine
from provider.models.criteria import EntitlementCheck
from provider.services.audit import record_audit
from provider.services.criteria import ACCOUNT
from provider.services.numbers import next_number
from provider.services.pages import Page, read_page

Document = dict[str, Any]
Transaction = Callable[[], AbstractContextManager[Session]]

HOLDERS = ("connection_id", "company", "account")
"""With whom it is: exactly one of them."""
WHILE_SIGNED = ("name", "ends_on")
"""What can be changed of a contract that people have activated."""
LINES_LIMIT = 200
AT_ONCE = 200
"""How many contracts one round looks after; the next one goes on."""

_S = ContractState
_LOOK_AGAIN = insert(table_of(EntitlementCheck))


def list_contracts(session: Session, *, state: str = "", limit: int, after: Sequence[Any] | None) -> Page[Document]:
    """All contracts, by number."""
    query = select(Contract).where(Contract.state == state) if state else select(Contract)
    page = read_page(session, query, [Contract.number], limit=limit, after=after)
    return Page(contracts_data(session, page.items), page.next_key)


def get_contract(session: Session, number: str, *, lock: bool = False) -> Contract:
    """Raises NotFound."""
    query = select(Contract).where(Contract.number == number)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    found = session.scalars(query).one_or_none()
    if found is None:
        raise NotFound("contract", number[:80])
    return found


def show_contract(session: Session, number: str) -> Document:
    """Raises NotFound."""
    return contracts_data(session, [get_contract(session, number)])[0]


def create_contract(session: Session, said: Mapping[str, Any], actor: str, now: datetime) -> Contract:
    """A draft of `name`, one of HOLDERS, `starts_on`, `ends_on` and `lines`. Raises InvalidFields."""
    lines = list(said.get("lines") or ())
    _refuse([*_holder_faults(session, said), *_term_faults(said), *_line_faults(session, lines)])
    contract = Contract(
        id=new_id(),
        number=next_number(session, "contract"),
        state=_S.DRAFT,
        created_at=now,
        updated_at=now,
        **{name: said.get(name) for name in ("name", *HOLDERS, "starts_on", "ends_on")},
    )
    session.add(contract)
    session.flush()
    _write_lines(session, contract, lines)
    record_audit(session, actor, "contract.create", f"contract/{contract.number}", now, _plain(said))
    return contract


def edit_contract(session: Session, number: str, said: Mapping[str, Any], actor: str, now: datetime) -> Contract:
    """What is not said stays. Once it is activated only WHILE_SIGNED can change, and nothing after its end.

    Raises NotFound, InvalidFields, Conflict `contract_signed` or `contract_ended`.
    """
    contract = get_contract(session, number, lock=True)
    _require_open(contract)
    fixed = sorted(set(said) - set(WHILE_SIGNED)) if contract.signed_at else []
    if fixed:
        message = f"it is in force or will be: only its name and its last day can change, not {', '.join(fixed)}"
        raise Conflict("contract_signed", message)
    after = {name: getattr(contract, name) for name in ("name", *HOLDERS, "starts_on", "ends_on")} | dict(said)
    lines = said.get("lines")
    _refuse([*_holder_faults(session, after), *_term_faults(after), *_line_faults(session, lines or ())])
    for name, value in said.items():
        if name != "lines":
            setattr(contract, name, value)
    if lines is not None:
        _write_lines(session, contract, lines)
    contract.updated_at = now
    record_audit(session, actor, "contract.edit", f"contract/{number}", now, _plain(said))
    session.flush()
    if contract.state == _S.ACTIVE:
        _look_again(session, contract, now)
    _keep_date(session, contract, actor, now)
    return contract


def activate_contract(session: Session, number: str, actor: str, now: datetime) -> Contract:
    """From its first day on it is in force. Raises NotFound, IllegalMove, Conflict `contract_over`."""
    contract = get_contract(session, number, lock=True)
    CONTRACT_MOVES.move(ContractState(contract.state), _S.ACTIVE)
    if contract.ends_on is not None and contract.ends_on < now.date():
        raise Conflict("contract_over", "its last day has passed; change that first")
    if contract.signed_at is None:
        contract.signed_at = contract.updated_at = now
        record_audit(session, actor, "contract.sign", f"contract/{number}", now)
    _keep_date(session, contract, actor, now)
    return contract


def cancel_contract(session: Session, number: str, reason: str, actor: str, now: datetime) -> Contract:
    """End it now, or throw a draft away. Raises NotFound, IllegalMove."""
    contract = get_contract(session, number, lock=True)
    contract.reason = reason
    _move(session, contract, _S.CANCELED, actor, now)
    return contract


def keep_dates(reading: Transaction, transaction: Transaction, *, now: datetime) -> int:
    """Begin and end contracts whose day has come, each in a transaction of its own. Returns how many there were."""
    with reading() as session:
        numbers = find_due_contracts(session, now.date())
    for number in numbers:
        with transaction() as session:
            _keep_date(session, get_contract(session, number, lock=True), "system/schedule", now)
            failpoints.hit("contracts.in_tx")
    return len(numbers)


def find_due_contracts(session: Session, today: date) -> list[str]:
    """The numbers of those whose state is not what their dates give."""
    is_over = Contract.ends_on < today
    begins = and_(
        Contract.state == _S.DRAFT, Contract.signed_at.is_not(None), Contract.starts_on <= today,
        or_(Contract.ends_on.is_(None), ~is_over),
    )  # fmt: skip
    due = or_(begins, and_(Contract.state == _S.ACTIVE, is_over))
    return list(session.scalars(select(Contract.number).where(due).order_by(Contract.number).limit(AT_ONCE)))


def contracts_data(session: Session, contracts: Sequence[Contract]) -> list[Document]:
    """Contracts as documents with their lines, in four statements however many there are."""
    query = select(ContractLine).where(ContractLine.contract_id.in_([one.id for one in contracts]))
    lines: dict[str, list[ContractLine]] = {}
    for line in session.scalars(query.order_by(ContractLine.contract_id, ContractLine.position)):
        lines.setdefault(line.contract_id, []).append(line)
    every = [line for some in lines.values() for line in some]
    offerings = _names(session, ProductOffering.external_id, ProductOffering.name, {one.offering for one in every})
    kinds = _names(session, Specification.external_id, Specification.name, {one.specification for one in every})
    consumers = _names(session, Connection.id, Connection.name, {one.connection_id for one in contracts})
    return [
        _data(one, consumers) | {"lines": [_line_data(line, offerings, kinds) for line in lines.get(one.id, ())]}
        for one in contracts
    ]


def _data(contract: Contract, consumers: Mapping[str, str]) -> Document:
    names = ("number", "name", *HOLDERS, "state", "starts_on", "ends_on", "signed_at", "reason", "created_at")
    return {name: getattr(contract, name) for name in names} | {
        "state_label": ContractState(contract.state).label,
        "holder": contract.company or contract.account or consumers.get(contract.connection_id or "", ""),
        "awaits_start": contract.state == _S.DRAFT and contract.signed_at is not None,
    }


def _line_data(line: ContractLine, offerings: Mapping[str, str], kinds: Mapping[str, str]) -> Document:
    name = offerings.get(line.offering or "") or kinds.get(line.specification or "")
    return {
        "offering": line.offering,
        "specification": line.specification,
        "name": name or line.offering or line.specification,
        "quantity": line.quantity,
    }


def _names(
    session: Session, key: InstrumentedAttribute[str], name: InstrumentedAttribute[str], wanted: set[str | None]
) -> dict[str, str]:
    keys = {one for one in wanted if one}
    rows = session.execute(select(key, name).where(key.in_(keys))) if keys else ()
    return {row[0]: row[1] for row in rows}


def _move(session: Session, contract: Contract, wanted: ContractState, actor: str, now: datetime) -> None:
    before = contract.state
    contract.state = CONTRACT_MOVES.move(ContractState(before), wanted)
    contract.updated_at = now
    detail = {"from": before, "to": str(wanted), "reason": contract.reason}
    record_audit(session, actor, "contract.move", f"contract/{contract.number}", now, detail)
    session.flush()
    if _S.ACTIVE in (before, wanted):
        _look_again(session, contract, now)


def _keep_date(session: Session, contract: Contract, actor: str, now: datetime) -> None:
    state = ContractState(contract.state)
    is_signed, starts_on, ends_on = contract.signed_at is not None, contract.starts_on, contract.ends_on
    wanted = state_on(state, is_signed=is_signed, starts_on=starts_on, ends_on=ends_on, today=now.date())
    if wanted is not state:
        _move(session, contract, wanted, actor, now)


def _look_again(session: Session, contract: Contract, now: datetime) -> None:
    """What its consumers may order is computed within seconds, and not while whoever changes it waits."""
    query = select(Connection.id).where(Connection.state != ConnectionState.REVOKED)
    if contract.connection_id:
        query = query.where(Connection.id == contract.connection_id)
    elif contract.company:
        query = query.join(Registration, Registration.connection_id == Connection.id)
        query = query.where(Registration.company == contract.company)
    else:
        query = query.where(Connection.settings[ACCOUNT].as_string() == contract.account)
    rows = [{"connection_id": one, "reason": "contract", "created_at": now} for one in session.scalars(query)]
    if rows:
        session.connection().execute(_LOOK_AGAIN, rows)


def _require_open(contract: Contract) -> None:
    if CONTRACT_MOVES.is_final(ContractState(contract.state)):
        raise Conflict("contract_ended", f"this contract is {contract.state} and stays as it is")


def _refuse(faults: Sequence[FieldError]) -> None:
    if faults:
        raise InvalidFields(faults)


def _holder_faults(session: Session, said: Mapping[str, Any]) -> Iterator[FieldError]:
    given = [name for name in HOLDERS if said.get(name)]
    if len(given) != 1:
        pointer = f"/{given[-1]}" if given else f"/{HOLDERS[0]}"
        yield FieldError(pointer, "holder", f"a contract is with exactly one of {', '.join(HOLDERS)}")
    elif key := said.get("connection_id"):
        found = session.get(Connection, as_id(key)) if as_id(key) else None
        if found is None or found.state == ConnectionState.REVOKED:
            yield FieldError("/connection_id", "unknown", f"there is no connection {key}")


def _term_faults(said: Mapping[str, Any]) -> Iterator[FieldError]:
    if said.get("ends_on") is not None and said["ends_on"] < said["starts_on"]:
        yield FieldError("/ends_on", "range", "the last day is before the first")


def _line_faults(session: Session, lines: Sequence[Mapping[str, Any]]) -> Iterator[FieldError]:
    if len(lines) > LINES_LIMIT:
        yield FieldError("/lines", "too_many", f"at most {LINES_LIMIT} lines")
        return
    kinds = (("offering", ProductOffering.external_id), ("specification", Specification.external_id))
    known = {
        kind: set(session.scalars(select(key).where(key.in_({one[kind] for one in lines if one.get(kind)}))))
        for kind, key in kinds
    }
    for index, line in enumerate(lines):
        given = [kind for kind, _ in kinds if line.get(kind)]
        if len(given) != 1:
            yield FieldError(f"/lines/{index}", "subject", "a line is for one offering or one specification")
        elif line[given[0]] not in known[given[0]]:
            yield FieldError(f"/lines/{index}/{given[0]}", "unknown", f"there is no {given[0]} {line[given[0]]}")


def _write_lines(session: Session, contract: Contract, lines: Sequence[Mapping[str, Any]]) -> None:
    session.execute(delete(ContractLine).where(ContractLine.contract_id == contract.id))
    session.add_all(
        ContractLine(
            contract_id=contract.id, position=position,
            **{name: line.get(name) or None for name in ("offering", "specification", "quantity")},
        )
        for position, line in enumerate(lines, start=1)
    )  # fmt: skip
    session.flush()


def _plain(said: Mapping[str, Any]) -> Document:
    """For the audit, which is JSON."""
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in said.items()}
