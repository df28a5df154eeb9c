"""Lists in pages: by the key of the last row, so that they stay right while rows are added."""

from typing import Any

from sqlalchemy import Select
from sqlalchemy.orm import Session


def read_page(
    session: Session, query: Select[Any], id_column: Any, *, after: str | None, limit: int
) -> tuple[list[Any], str | None]:
    """Rows by id, those after the id `after`, and the id to go on after, if there are more."""
    if after is not None:
        query = query.where(id_column > after)
    rows = list(session.scalars(query.order_by(id_column).limit(limit + 1)))
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None
