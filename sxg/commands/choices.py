"""`sxg choices`: what can be chosen live in forms, and the lists that our people keep for that."""

import json
from pathlib import Path

import click

from sxg.client import segment
from sxg.commands.connecting import ENVIRONMENT, JSON, api_options, open_client
from sxg.commands.tables import tell_document, tell_rows
from sxg.failures import CommandFailed


@click.group(no_args_is_help=True)
def choices() -> None:
    """See what can be chosen from live data, and put a new table into a list that people keep.

    \b
    Examples:
      sxg choices list
      sxg choices load data-centres centres.csv
    """


@choices.command("list", epilog=ENVIRONMENT)
@api_options
@JSON
def list_choices(url: str, token: str, allow: str, as_json: bool) -> None:
    """List the definitions of live choices, by name.

    \b
    Example:
      sxg choices list
    """
    with open_client(url, token, allow) as client:
        found = list(client.pages("/choice-definitions"))
    tell_rows(found, ("name", "source", "display_field", "updated_at", "description"), as_json)


@choices.command("show", epilog=ENVIRONMENT)
@click.argument("name")
@api_options
def show_choices(name: str, url: str, token: str, allow: str) -> None:
    """Print one definition as JSON.

    \b
    Example:
      sxg choices show data-centres
    """
    with open_client(url, token, allow) as client:
        tell_document(client.get(f"/choice-definitions/{segment(name)}"))


@choices.command("load", epilog=ENVIRONMENT)
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@api_options
@JSON
def load_choices(name: str, file: Path, url: str, token: str, allow: str, as_json: bool) -> None:
    """Put the rows of FILE, a .csv table, in place of all that the list NAME has.

    Its first line names the columns: value, display, consumer (empty: for everybody), and the list's own. It is taken
    over completely or not at all. The user needs the role exchange_admin.

    \b
    Example:
      sxg choices load data-centres centres.csv
    """
    from provider.services.choice_definitions import read_csv  # noqa: PLC0415 - loads the provider

    try:
        rows = read_csv(file.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise CommandFailed(f"{file}: not UTF-8: {error.reason} at byte {error.start}") from None
    with open_client(url, token, allow) as client:
        told = client.put(f"/choice-definitions/{segment(name)}/rows", {"rows": rows})
    click.echo(json.dumps(told) if as_json else f"{name} has {told['rows']} rows now")
