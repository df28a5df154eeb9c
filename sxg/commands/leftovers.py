"""`sxg leftovers`."""

import json
from pathlib import Path
from uuid import UUID

import click


@click.command()
@click.argument("side", type=click.Choice(["provider", "consumer"]))
@click.argument("connection_id", metavar="ID", type=click.UUID)
@click.option("--to", required=True, type=click.Path(path_type=Path), help="A file that is not there yet.")
@click.option("--remove", is_flag=True, help="Remove what was saved, for ever. Other connections keep every row.")
@click.option("--json", "as_json", is_flag=True, help="What was removed as one JSON document.")
def leftovers(side: str, connection_id: UUID, to: Path, remove: bool, as_json: bool) -> None:
    """Save every row of a connection that has ended, one JSON document a line; with --remove, remove them afterwards.

    Run it with the environment of the side's processes. Without it, orders and inventory of an ended connection stay
    readable for ever. The connection itself, its registration, the audit and its number prefix stay in any case.

    \b
    Examples:
      sxg leftovers provider 5b0c... --to acme.jsonl
      sxg leftovers provider 5b0c... --to acme.jsonl --remove
    """
    from sxg.leftovers import save_leftovers  # noqa: PLC0415 - loads SQLAlchemy
    from sxg.settings import read_config  # noqa: PLC0415

    removed = save_leftovers(side, read_config(side), str(connection_id), to.absolute(), remove=remove)
    told = f"saved to {to}" + (f", and removed {sum(removed.values())} rows" if remove else "")
    click.echo(json.dumps({"saved": str(to), "removed": removed}) if as_json else told)
