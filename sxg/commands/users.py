"""The people of an instance, made directly on its database: the first one must come from somewhere."""

import json

import click

_SIDE = click.option(
    "--side",
    type=click.Choice(["provider", "consumer"]),
    default="provider",
    show_default=True,
    help="Whose they are.",
)
_DATABASE = click.option(
    "--database-url", envvar="SXG_DATABASE_URL", show_envvar=True, required=True, help="The instance's database."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")
_NAME_MOST = 120


@click.group(no_args_is_help=True)
def user() -> None:
    """Add, list and disable the people of an instance, directly on its database.

    With a password they sign in to its pages. Users of the provider also get a token for its API.

    \b
    Examples:
      export SXG_DATABASE_URL=sqlite:////var/lib/sxg/provider.db
      sxg user add ada --role admin --password
      sxg user add grace --role order_manager --role viewer
      sxg user password grace
      sxg user list
      sxg user add ada --side consumer --role requester --password
    """


@user.command()
@click.argument("name")
@click.option(
    "--role", "roles", multiple=True, required=True, help="May be repeated; an unknown one lists those there are."
)
@click.option(
    "--password", "with_password", is_flag=True, help="Ask for a password for the pages; SXG_PASSWORD is taken if set."
)
@_SIDE
@_DATABASE
@_JSON
def add(name: str, roles: tuple[str, ...], with_password: bool, side: str, database_url: str, as_json: bool) -> None:
    """Add the user NAME. At a provider, print the token for its API, which is shown this once: only its hash is kept.

    \b
    Roles of a provider: admin, exchange_admin, catalog_manager, order_agent, order_manager,
    fulfilment_agent, fulfilment_manager, fallout_agent, fallout_manager, process_admin, viewer.
    Roles of a consumer: admin, requester, viewer.

    \b
    Examples:
      SXG_TOKEN=$(sxg user add ada --role admin)
      SXG_PASSWORD=$(cat secret) sxg user add ada --side consumer --role requester --password
    """
    from sxg import databases  # noqa: PLC0415 - loads SQLAlchemy

    _check_name(name)
    _check_database(side, database_url)
    password = _ask_password() if with_password else None
    added = {"name": name, "roles": list(roles)}
    if side == "provider":
        token = databases.add_user(database_url, name, roles, password=password)
        if not as_json:  # not among the output, which scripts take for the token
            click.echo(f"{name} is added; the token for the API, shown this once:", err=True)
        click.echo(json.dumps(added | {"token": token}) if as_json else token)
    else:
        databases.add_consumer_user(database_url, name, roles, password=password)
        click.echo(json.dumps(added) if as_json else f"{name} is added")


@user.command()
@click.argument("name")
@_SIDE
@_DATABASE
def password(name: str, side: str, database_url: str) -> None:
    """Set a new password for the pages of the user NAME, and sign them out everywhere.

    It is asked for twice, unseen, or taken from SXG_PASSWORD; 12 to 200 characters.

    \b
    Example:
      sxg user password grace
    """
    from sxg import databases  # noqa: PLC0415

    _check_database(side, database_url)
    databases.set_password(side, database_url, name, _ask_password())
    click.echo(f"{name} has a new password")


@user.command("list")
@_SIDE
@_DATABASE
@_JSON
def list_users(side: str, database_url: str, as_json: bool) -> None:
    """List the users by name, with their roles.

    \b
    Example:
      sxg user list --json
    """
    from sxg import databases  # noqa: PLC0415

    _check_database(side, database_url)
    users = databases.list_users(side, database_url)
    if as_json:
        click.echo(json.dumps(users))
        return
    for found in users:
        state = "" if found["active"] else "  (disabled)"
        click.echo(f"{found['name']}  {', '.join(found['roles'])}{state}")


@user.command()
@click.argument("name")
@_SIDE
@_DATABASE
def disable(name: str, side: str, database_url: str) -> None:
    """End the token and the sessions of the user NAME at once. The user stays in the log of what was done.

    \b
    Example:
      sxg user disable grace
    """
    from sxg import databases  # noqa: PLC0415

    _check_database(side, database_url)
    databases.disable_user(side, database_url, name)
    click.echo(f"{name} is disabled")


def _check_database(side: str, database_url: str) -> None:
    from sxg import databases, schema  # noqa: PLC0415

    databases.check_url(database_url)
    schema.check_migrated(side, database_url)


def _check_name(name: str) -> None:
    """One that people can type at the sign-in, which takes no blanks around it."""
    if name != name.strip() or not 1 <= len(name) <= _NAME_MOST or not name.isprintable():
        raise _usage(f"a name is 1 to {_NAME_MOST} characters that can be seen, without blanks around it")


def _ask_password() -> str:
    """Of the environment, else asked for twice; never of the command line, which others on the host can read."""
    from bridge.config import deferred, seal  # noqa: PLC0415
    from webkit.accounts import PASSWORD_LEAST, PASSWORD_MOST  # noqa: PLC0415

    env = deferred()
    told: str = env.str("SXG_PASSWORD", default="")
    seal(env)
    found: str = told or click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    if not PASSWORD_LEAST <= len(found) <= PASSWORD_MOST:
        raise _usage(f"a password has {PASSWORD_LEAST} to {PASSWORD_MOST} characters, this one has {len(found)}")
    return found


def _usage(line: str) -> Exception:
    from sxg.failures import USAGE, CommandFailed  # noqa: PLC0415

    return CommandFailed(line, exit_code=USAGE)
