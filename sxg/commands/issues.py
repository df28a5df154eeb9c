"""`sxg issue`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from sxg.commands.connecting import ENVIRONMENT, JSON, api_options, open_client
from sxg.commands.tables import table

_COLUMNS = ("connection", "kind", "subject", "count", "first_at", "last_at")


@click.group(no_args_is_help=True)
def issue() -> None:
    """See what is wrong with connections, on a provider or a consumer, and what to do.

    \b
    Examples:
      sxg issue list
      sxg issue list --resolved
    """


@issue.command("list", epilog=ENVIRONMENT)
@click.option("--connection", "connection_id", type=click.UUID, help="Of this connection only.")
@click.option("--resolved", is_flag=True, help="Those that are over, instead of the open ones.")
@api_options
@JSON
def list_issues(connection_id: str | None, resolved: bool, url: str, token: str, allow: str, as_json: bool) -> None:
    """List the issues, those seen last first, at most 200. An issue is resolved by itself when it is not found again.

    \b
    Example:
      sxg issue list --connection 5b0c...
    """
    asked = {"connection_id": connection_id, "resolved": "true" if resolved else None}
    with open_client(url, token, allow) as client:
        told = client.get("/issues", **asked)
    if as_json:
        click.echo(json.dumps(told))
        return
    for line in _lines(told["items"]):
        click.echo(line)


def _lines(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What is wrong and what helps stand below each."""
    lines = table(found, _COLUMNS)
    yield lines[0]
    for line, row in zip(lines[1:], found, strict=True):
        yield line
        yield f"     {row['fault']}"
        yield f"  -> {row['advice']}"
