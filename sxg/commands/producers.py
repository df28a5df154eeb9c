"""`sxg producer`: what consumers are offered."""

import json
from collections.abc import Sequence

import click

from sxg.client import segment
from sxg.commands.audience import audience_options, read_audience
from sxg.commands.connecting import ENVIRONMENT, JSON, api_options, open_client
from sxg.commands.finding import find_revision
from sxg.commands.tables import tell_document, tell_outcomes, tell_rows

_PATH, _NOUN = "/remote-record-producers", "item"
_STATES = ["draft", "published", "inactive", "retired", "archived"]
_AT_ONCE = 20


@click.group(no_args_is_help=True)
def producer() -> None:
    """See what consumers are offered, publish drafts, and take items back. ITEM is a name or an id.

    \b
    Examples:
      sxg producer list --state draft
      sxg producer publish "SD-WAN Package" "Managed Wi-Fi" --all-consumers
      sxg producer retire "SD-WAN Package"
    """


@producer.command("list", epilog=ENVIRONMENT)
@click.option("--state", type=click.Choice(_STATES), help="Only in this state.")
@api_options
@JSON
def list_producers(state: str | None, url: str, token: str, allow: str, as_json: bool) -> None:
    """List remote record producers, each revision in a line.

    \b
    Example:
      sxg producer list --state draft
    """
    with open_client(url, token, allow) as client:
        found = [row for row in client.pages(_PATH) if state in (None, row["state"])]
    tell_rows(found, ("identity", "revision", "state", "kind", "name"), as_json)


@producer.command("show", epilog=ENVIRONMENT)
@click.argument("item")
@api_options
def show_producer(item: str, url: str, token: str, allow: str) -> None:
    """Print one item as JSON: its form, whom it is for, and all revisions.

    \b
    Example:
      sxg producer show "SD-WAN Package"
    """
    with open_client(url, token, allow) as client:
        identity = find_revision(client, _PATH, item, _NOUN)["identity"]
        tell_document(client.get(f"{_PATH}/{segment(identity)}"))


@producer.command("publish", epilog=ENVIRONMENT)
@click.argument("items", metavar="ITEM...", nargs=-1, required=True)
@audience_options
@api_options
@JSON
def publish_producers(
    items: Sequence[str], all_consumers: bool, criteria: str | None, url: str, token: str, allow: str, as_json: bool
) -> None:
    """Publish the drafts of items, each judged by itself. Exit code 1 unless all of them went.

    Without --all-consumers and --criteria each goes to whom it is for already; one that was for nobody is refused. The
    user needs the role exchange_admin.

    \b
    Examples:
      sxg producer publish "SD-WAN Package" --criteria '{"companies": ["ACME"]}'
      sxg producer publish "Managed Wi-Fi" "SIP Trunk" --all-consumers
    """
    audience = read_audience(all_consumers, criteria)
    with open_client(url, token, allow) as client:
        identities = [find_revision(client, _PATH, item, _NOUN)["identity"] for item in items]
        batches = [identities[start : start + _AT_ONCE] for start in range(0, len(identities), _AT_ONCE)]
        answers = [client.post(f"{_PATH}/bulk/publish", {"identities": some, "criteria": audience}) for some in batches]
    tell_outcomes([outcome for answer in answers for outcome in answer["outcomes"]], as_json)


@producer.command("retire", epilog=ENVIRONMENT)
@click.argument("item")
@api_options
@JSON
def retire_producer(item: str, url: str, token: str, allow: str, as_json: bool) -> None:
    """End ordering of an item, everywhere and at once. Open orders and products go on.

    The user needs the role exchange_admin.

    \b
    Example:
      sxg producer retire "SD-WAN Package"
    """
    with open_client(url, token, allow) as client:
        identity = find_revision(client, _PATH, item, _NOUN)["identity"]
        retired = client.post(f"{_PATH}/{segment(identity)}/retire")
    click.echo(json.dumps(retired) if as_json else f"{retired['name']}: {retired['state']}")
