"""Lists for people: aligned columns with a head. Scripts take --json."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from sxg.failures import REFUSED


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> list[str]:
    """The head and a line for each row; what is missing is blank."""
    cells = [list(columns)] + [["" if row.get(name) is None else str(row[name]) for name in columns] for row in rows]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    return ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def tell_rows(found: Sequence[Mapping[str, Any]], columns: Sequence[str], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"items": found}))
        return
    for line in table(found, columns):
        click.echo(line)


def tell_outcomes(outcomes: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """What became of each: `name`, `is_done` and `message`. Ends the command with REFUSED unless all went."""
    if as_json:
        click.echo(json.dumps({"outcomes": outcomes}))
    else:
        for one in outcomes:
            click.echo(f"{one['name']}: {one['message']}", err=not one["is_done"])
    if not all(one["is_done"] for one in outcomes):
        raise click.exceptions.Exit(REFUSED)


def tell_document(document: Mapping[str, Any]) -> None:
    """All that is known of one record, as JSON that people can read too."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))
