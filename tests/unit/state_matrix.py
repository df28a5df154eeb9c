"""State tables as text, written by hand beside the rules rather than derived from them."""

from enum import StrEnum
from typing import TypeVar

S = TypeVar("S", bound=StrEnum)


def cells(states: type[S], matrix: str) -> list[tuple[S, S, bool]]:
    """Every (from, to, legal) of a matrix: one row for each state, columns in the order of the rows, `x` is legal."""
    rows = [line.split() for line in matrix.strip().splitlines()]
    columns = [states(row[0]) for row in rows]
    assert columns == list(states), "the matrix must have a row for every state, in the order of the enum"
    assert all(set(row[1]) <= {"x", "."} and len(row[1]) == len(columns) for row in rows)
    return [
        (source, target, mark == "x")
        for source, row in zip(columns, rows, strict=True)
        for target, mark in zip(columns, row[1], strict=True)
    ]
