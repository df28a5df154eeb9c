"""`sxg doctor`."""

import json
from datetime import UTC, datetime

import click

from sxg.commands.instances import SIDE


@click.command()
@click.argument("side", type=SIDE)
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of lines.")
def doctor(side: str, as_json: bool) -> None:
    """Say what is configured, reachable and healthy on this instance, and what to do about what is not.

    Run it with the environment of the instance's own processes. It looks at the settings, the database and its schema,
    the key file and the epoch, the translation tables, Redis with its workers and the sweeper, and at each connection:
    its state, what waits, what is parked, how old the oldest is, failures and the next probe. Nothing is changed.

    \b
    Exit codes: 0 healthy, 1 something needs attention, 2 wrong settings (each is named),
    3 the database or Redis cannot be reached.

    \b
    Examples:
      sxg doctor provider
      sxg doctor consumer --json | python -m json.tool
    """
    from sxg.doctor import examine, report_lines  # noqa: PLC0415 - loads SQLAlchemy and RQ
    from sxg.settings import check_lease, read_config  # noqa: PLC0415

    config = read_config(side)
    check_lease(config)
    diagnosis = examine(side, config, datetime.now(UTC))
    if as_json:
        click.echo(json.dumps(diagnosis.to_json()))
    else:
        for line in report_lines(diagnosis):
            click.echo(line)
    raise click.exceptions.Exit(diagnosis.exit_code)
