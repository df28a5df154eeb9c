"""`sxg backup`."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from sxg.failures import REFUSED

_JSON = click.option("--json", "as_json", is_flag=True, help="The manifest as one JSON document.")


@click.group(no_args_is_help=True)
def backup() -> None:
    """Save an instance while it runs, and check what was saved.

    \b
    Examples:
      sxg backup provider --to /backups/2026-11-21
      sxg backup verify /backups/2026-11-21
    """


def _saving(side: str) -> Callable[[Path, bool, bool], None]:
    def save(to: Path, keys: bool, as_json: bool) -> None:
        from sxg.backup import make_backup  # noqa: PLC0415 - loads SQLAlchemy
        from sxg.settings import read_config  # noqa: PLC0415

        manifest = make_backup(side, read_config(side), to.absolute(), datetime.now(UTC), with_keys=keys)
        size = sum(file["bytes"] for file in manifest.files.values())
        told = f"{to}: {', '.join(manifest.files)} of {manifest.instance_name}, {size} bytes"
        click.echo(json.dumps(asdict(manifest)) if as_json else told)

    save.__doc__ = f"""Save the {side}'s database as of one moment, its key file and its epoch to a new directory.

    Run it with the environment of the {side}'s processes; they may go on working. SQLite is saved by its online backup,
    PostgreSQL by pg_dump, which must be on PATH. Whoever has the directory has the secrets of every connection:
    --no-keys leaves the key file to be saved elsewhere. docs/operations.md says how to restore.

    \b
    Example:
      sxg backup {side} --to /backups/$(date +%F)
    """
    return save


for _side in ("provider", "consumer"):
    _command: Callable[..., None] = _saving(_side)
    for _option in (
        _JSON,
        click.option("--keys/--no-keys", default=True, show_default=True, help="Whether to save the key file."),
        click.option("--to", required=True, type=click.Path(path_type=Path), help="A directory that is not there yet."),
    ):
        _command = _option(_command)
    backup.command(_side)(_command)


@backup.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@_JSON
def verify(directory: Path, as_json: bool) -> None:
    """Check that the backup in DIRECTORY is whole: every file by its hash, and the database by reading it.

    \b
    Exit codes: 0 whole, 1 not.

    \b
    Example:
      sxg backup verify /backups/2026-11-21
    """
    from sxg.backup import verify_backup  # noqa: PLC0415

    manifest, faults = verify_backup(directory)
    if as_json:
        click.echo(json.dumps({**asdict(manifest), "faults": faults}))
    else:
        for fault in faults:
            click.echo(f"{directory}: {fault}")
        whole = f"whole, {manifest.side} {manifest.instance_name} of {manifest.made_at}, epoch {manifest.epoch}"
        click.echo(f"{directory}: {'damaged' if faults else whole}")
    if faults:
        raise click.exceptions.Exit(REFUSED)
