"""`sxg persona`, `sxg authorised-user` and, at a consumer, `sxg group`: who may order what not everybody may."""

import json

import click

from sxg.client import segment
from sxg.commands.connecting import CONSUMER_API, ENVIRONMENT, JSON, api_options, open_client
from sxg.commands.finding import find_connection, find_user
from sxg.commands.tables import tell_document, tell_rows

_CONSUMER = click.option("--consumer", required=True, help="The id, name, company or number prefix of a connection.")


@click.group(no_args_is_help=True)
def persona() -> None:
    """See what somebody is who may order certain items.

    \b
    Example:
      sxg persona list
    """


@persona.command("list", epilog=ENVIRONMENT)
@api_options
@JSON
def list_personas(url: str, token: str, allow: str, as_json: bool) -> None:
    """List personas by name.

    \b
    Example:
      sxg persona list
    """
    with open_client(url, token, allow) as client:
        tell_rows(list(client.pages("/personas")), ("id", "name", "description"), as_json)


@click.group("authorised-user", no_args_is_help=True)
def authorised_user() -> None:
    """See which users of a consumer may order what asks for a persona; approve one, or withdraw that.

    \b
    Examples:
      sxg authorised-user list --consumer ACME
      sxg authorised-user approve --consumer ACME "Ada Lovelace"
      sxg authorised-user withdraw --consumer ACME "Ada Lovelace" --reason "left the company"
    """


@authorised_user.command("list", epilog=ENVIRONMENT)
@_CONSUMER
@api_options
@JSON
def list_users(consumer: str, url: str, token: str, allow: str, as_json: bool) -> None:
    """List the users that a consumer has named, and whether each is approved.

    \b
    Example:
      sxg authorised-user list --consumer ACME
    """
    with open_client(url, token, allow) as client:
        path = f"/connections/{find_connection(client, consumer)}/authorised-users"
        found = list(client.pages(path))
    tell_rows(found, ("authorised_user_id", "name", "active", "approval", "reason"), as_json)


@authorised_user.command("approve", epilog=ENVIRONMENT)
@click.argument("user")
@_CONSUMER
@api_options
@JSON
def approve_user(user: str, consumer: str, url: str, token: str, allow: str, as_json: bool) -> None:
    """Let USER, a name or an id, hold the personas that are asked for. The role needed is exchange_admin.

    \b
    Example:
      sxg authorised-user approve --consumer ACME "Ada Lovelace"
    """
    _decide(user, consumer, "approve", {}, (url, token, allow), as_json)


@authorised_user.command("withdraw", epilog=ENVIRONMENT)
@click.argument("user")
@_CONSUMER
@click.option("--reason", required=True, help="Why; the consumer reads it.")
@api_options
@JSON
def withdraw_user(user: str, consumer: str, reason: str, url: str, token: str, allow: str, as_json: bool) -> None:
    """Let USER, a name or an id, hold no persona, also one who was approved. What is ordered goes on.

    \b
    Example:
      sxg authorised-user withdraw --consumer ACME "Ada Lovelace" --reason "left the company"
    """
    _decide(user, consumer, "refuse", {"reason": reason}, (url, token, allow), as_json)


@click.group(no_args_is_help=True)
def group() -> None:
    """At a consumer: see its groups, whose members hold personas together.

    \b
    Examples:
      sxg group list
      sxg group show 5b0c...
    """


@group.command("list", epilog=CONSUMER_API)
@api_options
@JSON
def list_groups(url: str, token: str, allow: str, as_json: bool) -> None:
    """List the groups of a consumer's users, by name.

    \b
    Example:
      sxg group list
    """
    with open_client(url, token, allow) as client:
        tell_rows(client.get("/groups")["items"], ("id", "name", "members"), as_json)


@group.command("show", epilog=CONSUMER_API)
@click.argument("group_id", metavar="ID")
@api_options
def show_group(group_id: str, url: str, token: str, allow: str) -> None:
    """Print one group with its members and personas as JSON.

    \b
    Example:
      sxg group show 5b0c...
    """
    with open_client(url, token, allow) as client:
        tell_document(client.get(f"/groups/{segment(group_id)}"))


def _decide(
    user: str, consumer: str, move: str, said: dict[str, str], instance: tuple[str, str, str], as_json: bool
) -> None:
    with open_client(*instance) as client:
        connection_id = find_connection(client, consumer)
        user_id = find_user(client, connection_id, user)["authorised_user_id"]
        path = f"/connections/{connection_id}/authorised-users/{segment(user_id)}/{move}"
        decided = client.post(path, said)
    click.echo(json.dumps(decided) if as_json else f"{decided['name']}: {decided['approval']}")
