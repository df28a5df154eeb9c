"""The commands about what crosses: the catalog, and events on their way."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from sxg.client import ApiProblem, segment
from sxg.commands.connecting import ENVIRONMENT, JSON, api_options, open_client
from sxg.commands.tables import table
from sxg.failures import REFUSED, CommandFailed, Failure


@click.group(no_args_is_help=True)
def catalog() -> None:
    """Import a catalog into the provider, or export the provider's.

    \b
    Examples:
      sxg catalog import products.json
      sxg catalog export --output products.json
    """


@catalog.command("import", epilog=ENVIRONMENT)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@api_options
@JSON
def import_catalog(file: Path, url: str, token: str, allow: str, as_json: bool) -> None:
    """Import a TMF620-shaped FILE of specifications and offerings. Safe to repeat: what is the same stays.

    It is taken over completely or not at all. Every mistake is one line, `file: pointer: reason`, and the exit code 1.
    The user needs the role catalog_manager.

    \b
    Examples:
      sxg catalog import products.json
      sxg catalog import products.json --url https://exchange.example --json
    """
    content = read_json_file(file)
    with open_client(url, token, allow) as client:
        try:
            counts = client.call("POST", "/catalog/import", content)
        except ApiProblem as problem:
            if not problem.errors:
                raise
            raise InvalidFile(file, problem.errors) from None
    told = ", ".join(f"{count} {what}" for what, count in counts.items())
    click.echo(json.dumps(counts) if as_json else f"{file}: {told}")


@catalog.command("export", epilog=ENVIRONMENT)
@click.option("--output", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Write to this file.")
@api_options
def export_catalog(output: Path | None, url: str, token: str, allow: str) -> None:
    """Print the provider's catalog as the TMF620-shaped document that `sxg catalog import` takes.

    All versions are in it, but for archived ones. The user needs a role that sees the catalog, such as viewer.

    \b
    Examples:
      sxg catalog export --output products.json
      sxg catalog export | python -m json.tool
    """
    with open_client(url, token, allow) as client:
        text = json.dumps(client.get("/catalog/export"), indent=1, ensure_ascii=False)
    if output is None:
        click.echo(text)
    else:
        output.write_text(text + "\n", encoding="utf-8")


class InvalidFile(CommandFailed):
    """The document of a file breaks rules; every broken one is a line that editors can jump to."""

    def __init__(self, file: Path, errors: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(str(file))
        lines = [f"{file}: {error.get('pointer') or '/'}: {error.get('message', '')}" for error in errors]
        self.failure = Failure(lines, REFUSED)


def read_json_file(file: Path) -> bytes:
    """The content of a file that is JSON, as it stands there, so that the instance judges what the author wrote.

    Raises CommandFailed with `file:line: reason`.
    """
    try:
        content = file.read_bytes()
        json.loads(content.decode("utf-8"))
        return content
    except RecursionError:
        raise CommandFailed(f"{file}: nested too deeply") from None
    except json.JSONDecodeError as error:
        raise CommandFailed(f"{file}:{error.lineno}: {error.msg} (column {error.colno})") from None
    except UnicodeDecodeError as error:
        raise CommandFailed(f"{file}: not UTF-8: {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise CommandFailed(f"{file}: {error.strerror}") from None


@click.group(no_args_is_help=True)
def deliveries() -> None:
    """Look at events on their way to consumers; replay or skip those that people must decide on.

    \b
    Examples:
      sxg deliveries list --state parked
      sxg deliveries replay 5b0c...
      sxg deliveries skip 5b0c... --reason "sent by hand"
    """


@deliveries.command("list", epilog=ENVIRONMENT)
@click.option("--connection", metavar="ID", help="Only to this connection.")
@click.option("--state", type=click.Choice(["pending", "delivered", "parked", "skipped"]), help="Only in this state.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="How many at most.")
@api_options
@JSON
def list_deliveries(
    connection: str | None, state: str | None, limit: int, url: str, token: str, allow: str, as_json: bool
) -> None:
    """List deliveries, oldest first, and why those that wait are not further.

    A parked one holds up its record until it is replayed or skipped; nothing else needs people.

    \b
    Examples:
      sxg deliveries list --state parked
      sxg deliveries list --state pending --connection 5b0c...
    """
    with open_client(url, token, allow) as client:
        page = client.get("/deliveries", connection=connection, state=state, limit=limit)
    if as_json:
        click.echo(json.dumps(page))
        return
    for line in table(page["items"], ("id", "state", "stream", "sequence", "type", "reason")):
        click.echo(line)
    if page.get("next"):
        click.echo("there are more: raise --limit, or narrow with --state or --connection", err=True)


@deliveries.command(epilog=ENVIRONMENT)
@click.argument("delivery_id", metavar="ID")
@api_options
def show(delivery_id: str, url: str, token: str, allow: str) -> None:
    """Print what is known of one delivery as JSON: its place, its state, and why it is not further.

    \b
    Example:
      sxg deliveries show 5b0c...
    """
    with open_client(url, token, allow) as client:
        delivery = client.get(f"/deliveries/{segment(delivery_id)}")
    click.echo(json.dumps(delivery, indent=2, ensure_ascii=False))


@deliveries.command(epilog=ENVIRONMENT)
@click.argument("delivery_id", metavar="ID")
@api_options
def replay(delivery_id: str, url: str, token: str, allow: str) -> None:
    """Send a parked delivery again, in its old place in the order. The user needs the role exchange_admin.

    \b
    Example:
      sxg deliveries replay 5b0c...
    """
    with open_client(url, token, allow) as client:
        client.post(f"/deliveries/{segment(delivery_id)}/replay")
    click.echo(f"delivery {delivery_id} will be sent again")


@deliveries.command(epilog=ENVIRONMENT)
@click.argument("delivery_id", metavar="ID")
@click.option("--reason", required=True, help="Why; kept in the audit log and told to the consumer.")
@api_options
def skip(delivery_id: str, reason: str, url: str, token: str, allow: str) -> None:
    """Give a parked delivery up: the consumer is told that it was skipped, and what waits behind it goes on.

    The two sides may differ afterwards; `sxg compare` tells. The user needs the role exchange_admin.

    \b
    Example:
      sxg deliveries skip 5b0c... --reason "told them on the phone"
    """
    with open_client(url, token, allow) as client:
        client.post(f"/deliveries/{segment(delivery_id)}/skip", {"reason": reason})
    click.echo(f"delivery {delivery_id} is given up; a tombstone takes its place")
