"""Lists for people: aligned columns with a head. Scripts take --json."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> list[str]:
    """The head and a line for each row; what is missing is blank."""
    cells = [list(columns)] + [["" if row.get(name) is None else str(row[name]) for name in columns] for row in rows]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    return ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]
