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


def by_columns(rows: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """The rows apart by the columns they have, in their order: usually they are all alike."""
    apart: dict[frozenset[str], list[Mapping[str, Any]]] = {}
    for row in rows:
        apart.setdefault(frozenset(row), []).append(row)
    return list(apart.values())


def upsert(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]], changing: Sequence[str]) -> None:
    """Insert the rows, or set the columns `changing` of those that are there, as far as a row has them. Rows are
    (connection_id, id) apart.
    """
    for alike in by_columns(rows):
        statement = insert_into(session, model)
        values = {name: statement.excluded[name] for name in changing if name in alike[0]}
        keys = ["connection_id", "id"]
        session.connection().execute(statement.on_conflict_do_update(index_elements=keys, set_=values), alike)
