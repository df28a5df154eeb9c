"""The commands of a consumer about connections: connect to a provider, see how far it came, steer it."""

import json
from collections.abc import Sequence
from typing import Any

import click

from sxg.client import segment
from sxg.commands.connecting import CONSUMER_API, JSON, api_options, open_client
from sxg.commands.connections import SECRET, Row, tell, tell_rotations
from sxg.failures import REFUSED


@click.group(no_args_is_help=True)
def provider_connection() -> None:
    """At a consumer: connect to a provider, go on where that stopped, and see how far it came.

    \b
    Examples:
      sxg provider-connection begin --provider-url https://exchange.example --prefix ACME --registration-token sxr_...
      sxg provider-connection list
      sxg provider-connection resume 5b0c...
    """


@provider_connection.command(epilog=CONSUMER_API)
@click.option("--provider-url", required=True, help="The provider's base address.")
@click.option("--registration-token", required=True, help="What the provider's people handed over.")
@click.option("--prefix", required=True, help="Begins the numbers of requests: 2 to 12 of A-Z and 0-9.")
@api_options
@JSON
def begin(
    provider_url: str, registration_token: str, prefix: str, url: str, token: str, allow: str, as_json: bool
) -> None:
    """Connect, and go as far as the provider lets us. Safe to repeat: it goes on where it stopped.

    With a reissued token the same connection goes on. Exit code 1 when it is not connected afterwards.

    \b
    Example:
      sxg provider-connection begin --provider-url https://exchange.example --prefix ACME --registration-token sxr_...
    """
    body = {"provider_url": provider_url, "token": registration_token, "number_prefix": prefix}
    with open_client(url, token, allow) as client:
        _tell_step(client.post("/connections", body), as_json)


@provider_connection.command("resume", epilog=CONSUMER_API)
@click.argument("connection_id", metavar="ID")
@api_options
@JSON
def resume_connecting(connection_id: str, url: str, token: str, allow: str, as_json: bool) -> None:
    """Take up connecting where it stopped. Exit code 1 when it is not connected afterwards.

    \b
    Example:
      sxg provider-connection resume 5b0c...
    """
    with open_client(url, token, allow) as client:
        _tell_step(client.post(f"/connections/{segment(connection_id)}/resume"), as_json)


@provider_connection.command("rotate", epilog=CONSUMER_API)
@click.argument("connection_id", metavar="ID")
@SECRET
@api_options
@JSON
def rotate_here(connection_id: str, secrets: Sequence[str], url: str, token: str, allow: str, as_json: bool) -> None:
    """Fetch new secrets from the provider and prove them, now. Nothing is refused meanwhile. Safe to repeat.

    \b
    Example:
      sxg provider-connection rotate 5b0c...
    """
    body: dict[str, Any] = {"secrets": list(secrets)} if secrets else {}
    with open_client(url, token, allow) as client:
        tell_rotations(client.post(f"/connections/{segment(connection_id)}/rotate", body), as_json)


@provider_connection.command("move", epilog=CONSUMER_API)
@click.argument("connection_id", metavar="ID")
@click.option("--provider-url", help="Where the provider answers now. Without it, it is told where we answer now.")
@api_options
@JSON
def move_here(connection_id: str, provider_url: str | None, url: str, token: str, allow: str, as_json: bool) -> None:
    """After one side has moved: find the provider at its new address, or tell it ours. Nothing is registered anew.

    The new address must prove itself first, and until then the former one stays in force. Exit code 1 if it did not.

    \b
    Examples:
      sxg provider-connection move 5b0c...
      sxg provider-connection move 5b0c... --provider-url https://new.exchange.example
    """
    with open_client(url, token, allow) as client:
        told = client.post(f"/connections/{segment(connection_id)}/address", {"provider_url": provider_url})
    problem = told["provider"]["new_url_problem"]
    said = (
        f"the address did not prove itself: {problem}" if problem else f"the provider is at {told['provider']['url']}"
    )
    click.echo(json.dumps(told) if as_json else f"connection {told['id']}: {said}")
    if problem:
        raise click.exceptions.Exit(REFUSED)


@provider_connection.command("accept", epilog=CONSUMER_API)
@click.argument("connection_id", metavar="ID")
@click.option("--refuse", is_flag=True, help="It is a copy: it stays refused, and is not shown any more.")
@api_options
@JSON
def accept_epoch_here(connection_id: str, refuse: bool, url: str, token: str, allow: str, as_json: bool) -> None:
    """Say that an instance that was refused as a copy is the provider itself, restored from a backup.

    \b
    Example:
      sxg provider-connection accept 5b0c...
    """
    with open_client(url, token, allow) as client:
        settled = client.post(f"/connections/{segment(connection_id)}/epoch", {"accept": not refuse})
    click.echo(json.dumps(settled) if as_json else f"connection {settled['id']} is {settled['state']}")


@provider_connection.command("revoke", epilog=CONSUMER_API)
@click.argument("connection_id", metavar="ID")
@click.option("--reason", required=True, help="Why; the provider's people read it too.")
@api_options
@JSON
def revoke_here(connection_id: str, reason: str, url: str, token: str, allow: str, as_json: bool) -> None:
    """End a connection for ever, also when the provider is gone: it is told when it can be reached.

    Its items cannot be ordered any more; requests and products stay readable.

    \b
    Example:
      sxg provider-connection revoke 5b0c... --reason "the contract ended"
    """
    with open_client(url, token, allow) as client:
        ended = client.post(f"/connections/{segment(connection_id)}/revoke", {"reason": reason})
    click.echo(json.dumps(ended) if as_json else f"connection {ended['id']} is {ended['state']}")


@provider_connection.command("list", epilog=CONSUMER_API)
@api_options
@JSON
def list_provider_connections(url: str, token: str, allow: str, as_json: bool) -> None:
    """List the connections to providers: the step of each, what it is stuck at, and the last test event that came.

    \b
    Example:
      sxg provider-connection list
    """
    with open_client(url, token, allow) as client:
        found = list(client.pages("/connections"))
    told = [
        {**one, "provider": one["provider"]["url"], "last_test": (one["last_test"] or {}).get("at")} for one in found
    ]
    tell(
        found if as_json else told,
        ("id", "provider", "number_prefix", "state", "step", "waiting", "last_test", "problem"),
        as_json,
    )


def _tell_step(made: Row, as_json: bool) -> None:
    stuck = f"stopped at the step {made['step']}: {made['problem']}"
    said = f"connected to {made['provider']['name']}, numbers begin with {made['number_prefix']}"
    done = made["step"] == "done"
    click.echo(json.dumps(made) if as_json else f"connection {made['id']}: {said if done else stuck}")
    if not done:
        raise click.exceptions.Exit(REFUSED)
