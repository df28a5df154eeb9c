"""Plain functions that make contracts."""

from typing import Any

from sqlalchemy.orm import Session

from provider.models.contracts import Contract
from provider.services.contracts import activate_contract, create_contract
from tests.factories import AGENT, NOW

TERM = {"starts_on": "2026-01-01", "ends_on": "2027-12-31"}
"""As JSON says it."""
PO_LINE = {"offering": "po-line", "quantity": 25}


def make_contract(session: Session, connection_id: str | None, *, is_active: bool = True, **said: Any) -> Contract:
    """In force unless told otherwise, with one consumer unless `company` or `account` is told."""
    asked = {"name": "Gold support", "connection_id": connection_id, "starts_on": NOW.date(), **said}
    contract = create_contract(session, asked, AGENT, NOW)
    return activate_contract(session, contract.number, AGENT, NOW) if is_active else contract
