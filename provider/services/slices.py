"""One page of a list that people leaf through, and how long the list is."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session


def read_slice(session: Session, query: Select[Any], *, offset: int, limit: int) -> tuple[Sequence[Any], int]:
    """The rows from `offset`, and how many there are in all, counted in the same pass where there are any."""
    rows = session.execute(query.add_columns(func.count().over()).offset(offset).limit(limit)).all()
    if rows or not offset:
        return [row[:-1] for row in rows], rows[0][-1] if rows else 0
    return [], session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
