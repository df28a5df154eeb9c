"""The commands of a provider about connections: register a consumer, see how its connection does, steer it."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import click

from sxg.client import Client, segment
from sxg.commands.connecting import ENVIRONMENT, JSON, api_options, open_client
from sxg.commands.tables import table
from sxg.failures import REFUSED

Row = Mapping[str, Any]
SECRET = click.option(
    "--secret", "secrets", multiple=True, type=click.Choice(["webhook_secret", "client_secret"]),
    help="Which one; both unless named. May be repeated.",
)  # fmt: skip
_GRACE = "How long the former one stays good after the new one is proven."


@click.group(no_args_is_help=True)
def registration() -> None:
    """Register a consumer at the provider, and see how far it came.

    \b
    Examples:
      sxg registration create --company ACME --contact-name Ada --contact-email ada@acme.example
      sxg registration list
      sxg registration reissue REG0000001
    """


@registration.command(epilog=ENVIRONMENT)
@click.option("--company", required=True, help="Who connects. A company may have several connections.")
@click.option("--contact-name", required=True, help="Whom to speak to.")
@click.option("--contact-email", required=True, help="Where to write to.")
@click.option("--base-url", help="Where their instance is: the token is then good for callbacks below it only.")
@click.option("--callback-url", help="Where events are to go: the token is then good for this callback only.")
@api_options
@JSON
def create(url: str, token: str, allow: str, as_json: bool, **asked: str | None) -> None:
    """Register a consumer, and print the token to hand over to it: shown this once, good for one use within 24 h.

    The user needs the role exchange_admin.

    \b
    Example:
      sxg registration create --company ACME --contact-name Ada --contact-email ada@acme.example \\
          --base-url https://acme.example
    """
    with open_client(url, token, allow) as client:
        made = client.post("/registrations", {name: value for name, value in asked.items() if value is not None})
    _tell_token(made, as_json)


@registration.command("list", epilog=ENVIRONMENT)
@api_options
@JSON
def list_registrations(url: str, token: str, allow: str, as_json: bool) -> None:
    """List registrations: at which step each stands, what it is stuck at, and what to do.

    \b
    The steps:
      complete   the consumer has to come with its token
      verify     it has its credentials; its callback has to prove itself
      done       it is connected
      closed     it was revoked before that

    \b
    Example:
      sxg registration list
    """
    with open_client(url, token, allow) as client:
        found = list(client.pages("/registrations"))
    tell(found, ("number", "company", "base_url", "state", "step", "problem"), as_json)


@registration.command("show", epilog=ENVIRONMENT)
@click.argument("key", metavar="NUMBER")
@api_options
def show_registration(key: str, url: str, token: str, allow: str) -> None:
    """Print one registration, by its number or id, as JSON.

    \b
    Example:
      sxg registration show REG0000001
    """
    with open_client(url, token, allow) as client:
        _print(client.get(f"/registrations/{segment(key)}"))


@registration.command(epilog=ENVIRONMENT)
@click.argument("key", metavar="NUMBER")
@api_options
@JSON
def reissue(key: str, url: str, token: str, allow: str, as_json: bool) -> None:
    """Print a new token for a registration whose token is lost or too old; the former one ends at once.

    May be repeated until the consumer's callback has proven itself. The user needs the role exchange_admin.

    \b
    Example:
      sxg registration reissue REG0000001
    """
    with open_client(url, token, allow) as client:
        made = client.post(f"/registrations/{segment(key)}/reissue")
    _tell_token(made, as_json)


@click.group(no_args_is_help=True)
def connection() -> None:
    """See how the connections to consumers do; test, pause, resume or revoke one.

    \b
    Examples:
      sxg connection list
      sxg connection test 5b0c...
      sxg connection pause 5b0c... --reason "their maintenance"
    """


@connection.command("list", epilog=ENVIRONMENT)
@api_options
@JSON
def list_connections(url: str, token: str, allow: str, as_json: bool) -> None:
    """List connections: in which state each is, what is wrong with it, and what to do.

    \b
    Example:
      sxg connection list
    """
    with open_client(url, token, allow) as client:
        found = list(client.pages("/connections"))
    tell(found, ("id", "name", "company", "number_prefix", "state", "problem"), as_json)


@connection.command("show", epilog=ENVIRONMENT)
@click.argument("connection_id", metavar="ID")
@api_options
def show_connection(connection_id: str, url: str, token: str, allow: str) -> None:
    """Print one connection as JSON, with what waits, what is parked, and what its last answers taught.

    \b
    Example:
      sxg connection show 5b0c...
    """
    with open_client(url, token, allow) as client:
        _print(client.get(f"/connections/{segment(connection_id)}"))


@connection.command(epilog=ENVIRONMENT)
@click.argument("connection_id", metavar="ID")
@api_options
@JSON
def test(connection_id: str, url: str, token: str, allow: str, as_json: bool) -> None:
    """Send a test event now, and say what the consumer answered. Exit code 1 unless it was taken.

    The consumer shows the same event id with its connection. The user needs the role exchange_admin.

    \b
    Example:
      sxg connection test 5b0c...
    """
    with open_client(url, token, allow) as client:
        told = client.post(f"/connections/{segment(connection_id)}/test-event")
    text = f"{told['detail']}, within {told['took_s']:g} s (event {told['event_id']})"
    click.echo(json.dumps(told) if as_json else text)
    if not told["delivered"]:
        raise click.exceptions.Exit(REFUSED)


@connection.command(epilog=ENVIRONMENT)
@click.argument("connection_id", metavar="ID")
@click.option("--reason", required=True, help="Why; shown with the connection.")
@api_options
@JSON
def pause(connection_id: str, reason: str, url: str, token: str, allow: str, as_json: bool) -> None:
    """Stop the flow both ways, at once. What happens meanwhile is kept, and sent after `sxg connection resume`.

    \b
    Example:
      sxg connection pause 5b0c... --reason "their maintenance"
    """
    with open_client(url, token, allow) as client:
        _tell_state(client, connection_id, "pause", {"reason": reason}, as_json)


@connection.command(epilog=ENVIRONMENT)
@click.argument("connection_id", metavar="ID")
@api_options
@JSON
def resume(connection_id: str, url: str, token: str, allow: str, as_json: bool) -> None:
    """Let it flow again, after a pause or once a divergence is mended.

    \b
    Example:
      sxg connection resume 5b0c...
    """
    with open_client(url, token, allow) as client:
        _tell_state(client, connection_id, "resume", {}, as_json)


@connection.command(epilog=ENVIRONMENT)
@click.argument("connection_id", metavar="ID")
@click.option("--to", "callback_url", required=True, help="Where its events are to go.")
@api_options
@JSON
def move(connection_id: str, callback_url: str, url: str, token: str, allow: str, as_json: bool) -> None:
    """Send a consumer's events to another address, once that has proven itself. Until then they go to the former one.

    \b
    Example:
      sxg connection move 5b0c... --to https://new.acme.example/exchange/events
    """
    with open_client(url, token, allow) as client:
        _tell_state(client, connection_id, "callback", {"callback_url": callback_url}, as_json)


@connection.command(epilog=ENVIRONMENT)
@click.argument("connection_id", metavar="ID")
@click.option("--refuse", is_flag=True, help="It is a copy: it stays refused, and is not shown any more.")
@api_options
@JSON
def accept(connection_id: str, refuse: bool, url: str, token: str, allow: str, as_json: bool) -> None:
    """Say that an instance that was refused as a copy is the consumer itself, restored from a backup.

    From now the former instance is refused, should it still run. Compare both sides afterwards.

    \b
    Example:
      sxg connection accept 5b0c...
    """
    with open_client(url, token, allow) as client:
        _tell_state(client, connection_id, "epoch", {"accept": not refuse}, as_json)


@connection.command(epilog=ENVIRONMENT)
@click.argument("connection_id", metavar="ID")
@SECRET
@click.option("--grace-hours", type=click.FloatRange(0, 720), default=24.0, help=_GRACE, show_default=True)
@api_options
@JSON
def rotate(
    connection_id: str, secrets: Sequence[str], grace_hours: float, url: str, token: str, allow: str, as_json: bool
) -> None:
    """Ask the consumer to fetch new secrets with the next heartbeat. Nothing is refused meanwhile.

    The former secrets stay good until the new ones are proven, and through the grace after that. Run it again to see
    how far it came: what is under way is not begun anew.

    \b
    Examples:
      sxg connection rotate 5b0c...
      sxg connection rotate 5b0c... --secret webhook_secret --grace-hours 0
    """
    body: dict[str, Any] = {"grace_s": grace_hours * 3600, **({"secrets": list(secrets)} if secrets else {})}
    with open_client(url, token, allow) as client:
        tell_rotations(client.post(f"/connections/{segment(connection_id)}/rotate", body), as_json)


@connection.command(epilog=ENVIRONMENT)
@click.argument("connection_id", metavar="ID")
@click.option("--reason", required=True, help="Why; shown with the connection.")
@api_options
@JSON
def revoke(connection_id: str, reason: str, url: str, token: str, allow: str, as_json: bool) -> None:
    """End a connection for ever: its next request is refused already. Only a new registration leads back.

    \b
    Example:
      sxg connection revoke 5b0c... --reason "the contract ended"
    """
    with open_client(url, token, allow) as client:
        _tell_state(client, connection_id, "revoke", {"reason": reason}, as_json)


def tell(found: Sequence[Row], columns: Sequence[str], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"items": found}))
        return
    for line in _with_advice(table(found, columns), found):
        click.echo(line)


def _with_advice(lines: Sequence[str], found: Iterable[Row]) -> Iterator[str]:
    """What helps stands below what is stuck."""
    yield lines[0]
    for line, row in zip(lines[1:], found, strict=True):
        yield line
        if row.get("problem") and row.get("advice"):
            yield f"  -> {row['advice']}"


def _tell_token(made: Row, as_json: bool) -> None:
    """The token alone on standard output, for scripts."""
    if as_json:
        click.echo(json.dumps(made))
        return
    click.echo(f"registration {made['number']} of {made['company']}", err=True)
    click.echo(made["token"])


def _tell_state(client: Client, connection_id: str, move: str, body: Mapping[str, Any], as_json: bool) -> None:
    moved = client.post(f"/connections/{segment(connection_id)}/{move}", body)
    click.echo(json.dumps(moved) if as_json else f"connection {moved['name']} is {moved['state']}")


def tell_rotations(told: Row, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(told))
        return
    for line in table(told["items"], ("secret", "state", "started_at", "proven_at", "former_until")):
        click.echo(line)


def _print(document: Row) -> None:
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))
