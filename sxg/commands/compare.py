"""`sxg compare`."""

import json
from collections.abc import Sequence

import click

from sxg.client import Unreachable
from sxg.commands.connecting import allow_option, open_client
from sxg.compare import Behind, behind_lines, find_behind, report_lines
from sxg.compare import compare as compare_sides
from sxg.failures import REFUSED


@click.command()
@click.option(
    "--provider-url", envvar="SXG_PROVIDER_URL", show_envvar=True, required=True, help="The provider's address."
)
@click.option(
    "--provider-token",
    envvar="SXG_PROVIDER_TOKEN",
    show_envvar=True,
    required=True,
    help="A user who may read connections.",
)
@click.option(
    "--consumer-url", envvar="SXG_CONSUMER_URL", show_envvar=True, required=True, help="The consumer's address."
)
@click.option(
    "--consumer-token", envvar="SXG_CONSUMER_TOKEN", show_envvar=True, required=True, help="The consumer's token."
)
@click.option("--connection", "connections", multiple=True, metavar="ID", help="Only this connection; may be repeated.")
@click.option("--timeout", "timeout_s", default=30.0, show_default=True, help="Seconds to wait for quiet.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
@allow_option
def compare(
    provider_url: str,
    provider_token: str,
    consumer_url: str,
    consumer_token: str,
    connections: tuple[str, ...],
    timeout_s: float,
    as_json: bool,
    allow: str,
) -> None:
    """Compare what both instances hold, record by record, and say every difference.

    Waits until nothing is on its way; then tasks with their comments, cases, scratchpads and files, products, catalog
    items, authorised users, remote tasks and their definitions are compared field by field, and a record that only one
    side has is a difference as well. Nothing is changed.

    When the consumer does not answer, what the provider still holds for it is told instead.

    \b
    Exit codes: 0 equal, 1 different, 3 one of the two does not answer.

    \b
    Example (`sxg demo` prints these settings):
      export SXG_PROVIDER_URL=http://127.0.0.1:8000 SXG_PROVIDER_TOKEN=sxu_...
      export SXG_CONSUMER_URL=http://127.0.0.1:8001 SXG_CONSUMER_TOKEN=...
      sxg compare
      sxg compare --json | python -m json.tool
    """
    with (
        open_client(provider_url, provider_token, allow) as provider,
        open_client(consumer_url, consumer_token, allow) as consumer,
    ):
        try:
            report = compare_sides(provider, consumer, connection_ids=connections, timeout_s=timeout_s)
        except Unreachable as failed:
            _tell_behind(find_behind(provider, consumer.url, connections), str(failed), as_json)
            raise
    if as_json:
        click.echo(json.dumps(report.to_json()))
    else:
        for line in report_lines(report):
            click.echo(line)
    if report.differences:
        raise click.exceptions.Exit(REFUSED)


def _tell_behind(behind: Sequence[Behind], problem: str, as_json: bool) -> None:
    """Nothing could be compared; this is what will be different until the consumer is back."""
    if as_json:
        click.echo(json.dumps({"unreachable": problem, "behind": [one.to_json() for one in behind]}))
        return
    for line in behind_lines(behind):
        click.echo(line)
