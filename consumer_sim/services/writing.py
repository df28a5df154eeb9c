"""Rows written as sets: one statement however many rows, on both databases."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from bridge.database import insert_into
from consumer_sim.models import Base


def insert_missing(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows that are not there yet."""
    if rows:
        session.connection().execute(insert_into(session, model).on_conflict_do_nothing(), list(rows))


def upsert(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]], changing: Sequence[str]) -> None:
    """Insert the rows, or set the columns `changing` of those that are there. Rows are (connection_id, id) apart."""
    if not rows:
        return
    statement = insert_into(session, model)
    values = {name: statement.excluded[name] for name in changing}
    keys = ["connection_id", "id"]
    session.connection().execute(statement.on_conflict_do_update(index_elements=keys, set_=values), list(rows))
