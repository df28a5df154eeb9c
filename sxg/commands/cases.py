"""`sxg case` and `sxg scratchpad`: provider tasks without an order, and what programs left on provider tasks."""

import json
from collections.abc import Mapping
from typing import Any

import click

from sxg.client import segment
from sxg.commands.connecting import ENVIRONMENT, JSON, api_options, open_client
from sxg.commands.finding import find_connection
from sxg.commands.tables import tell_document, tell_rows

_STATES = ["received", "work_in_progress", "awaiting_info", "resolved", "closed", "cancelled"]


@click.group(no_args_is_help=True)
def case() -> None:
    """See what consumers ask for without an order; open a case on our own, and close one.

    \b
    Examples:
      sxg case list --state received
      sxg case show ACME-PT0000007
      sxg case open --consumer ACME "Works on the line in Berlin tonight"
    """


@case.command("list", epilog=ENVIRONMENT)
@click.option("--state", type=click.Choice(_STATES), help="Only in this state.")
@api_options
@JSON
def list_cases(state: str | None, url: str, token: str, allow: str, as_json: bool) -> None:
    """List cases by number: whose each is, how far, and for whom it waits.

    \b
    Example:
      sxg case list --state received
    """
    with open_client(url, token, allow) as client:
        found = list(client.pages("/cases", state=state))
    tell_rows(found, ("number", "company", "priority", "state", "waits_for", "short_description"), as_json)


@case.command("show", epilog=ENVIRONMENT)
@click.argument("number")
@api_options
def show_case(number: str, url: str, token: str, allow: str) -> None:
    """Print one case as JSON: the answers, what both sides said, and how it came here.

    \b
    Example:
      sxg case show ACME-PT0000007
    """
    with open_client(url, token, allow) as client:
        tell_document(client.get(f"/cases/{segment(number)}"))


@case.command("open", epilog=ENVIRONMENT)
@click.argument("short_description", metavar="TEXT")
@click.option("--consumer", required=True, help="The id, name, company or number prefix of a connection.")
@click.option("--description", default="", help="More of it.")
@click.option("--priority", type=click.Choice(["low", "moderate", "high", "critical"]), default="moderate")
@api_options
@JSON
def open_case(consumer: str, url: str, token: str, allow: str, as_json: bool, **said: str) -> None:
    """Tell a consumer of something before it asks, as alert monitoring may; its people acknowledge it.

    \b
    Example:
      sxg case open --consumer ACME --priority high "Works on the line in Berlin tonight"
    """
    with open_client(url, token, allow) as client:
        body = {"connection_id": find_connection(client, consumer), **said}
        _tell(client.post("/cases", body), as_json)


@case.command("close", epilog=ENVIRONMENT)
@click.argument("number")
@click.option("--reason", required=True, help="Why; the consumer reads it.")
@api_options
@JSON
def close_case(number: str, reason: str, url: str, token: str, allow: str, as_json: bool) -> None:
    """Close a case with a proposed solution that the consumer does not answer.

    \b
    Example:
      sxg case close ACME-PT0000007 --reason "No answer for two weeks."
    """
    with open_client(url, token, allow) as client:
        _tell(client.post(f"/cases/{segment(number)}/close", {"reason": reason}), as_json)


@click.group(no_args_is_help=True)
def scratchpad() -> None:
    """Read and write what programs of both sides leave on a provider task, with or without an order.

    \b
    Examples:
      sxg scratchpad list ACME-PT0000001
      sxg scratchpad set ACME-PT0000001 tracking_number 1Z999 --client-visible
    """


@scratchpad.command("list", epilog=ENVIRONMENT)
@click.argument("number")
@api_options
@JSON
def list_entries(number: str, url: str, token: str, allow: str, as_json: bool) -> None:
    """List both sides' entries of a provider task, by name.

    \b
    Example:
      sxg scratchpad list ACME-PT0000001
    """
    with open_client(url, token, allow) as client:
        found = client.get(f"/provider-tasks/{segment(number)}/scratchpad")["items"]
    tell_rows(found, ("name", "value", "client_visible", "author", "written_at"), as_json)


@scratchpad.command("set", epilog=ENVIRONMENT)
@click.argument("number")
@click.argument("name")
@click.argument("value")
@click.option("--client-visible", is_flag=True, help="Requesters see it, too.")
@api_options
@JSON
def set_entry(
    number: str, name: str, value: str, client_visible: bool, url: str, token: str, allow: str, as_json: bool
) -> None:
    """Write an entry; the consumer is told.

    \b
    Example:
      sxg scratchpad set ACME-PT0000001 tracking_number 1Z999 --client-visible
    """
    body = {"value": value, "client_visible": client_visible}
    with open_client(url, token, allow) as client:
        entry = client.put(f"/provider-tasks/{segment(number)}/scratchpad/{segment(name)}", body)
    click.echo(json.dumps(entry) if as_json else f"{number}: {entry['name']} = {entry['value']}")


def _tell(found: Mapping[str, Any], as_json: bool) -> None:
    click.echo(json.dumps(found) if as_json else f"{found['number']}: {found['state_label']}")
