"""The provider's users, made directly on its database: the first one must come from somewhere."""

import json

import click

_DATABASE = click.option(
    "--database-url", envvar="SXG_DATABASE_URL", show_envvar=True, required=True, help="The provider's database."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")


@click.group(no_args_is_help=True)
def user() -> None:
    """Add, list and disable the users of the provider's API, directly on its database.

    \b
    Examples:
      export SXG_DATABASE_URL=sqlite:////var/lib/sxg/provider.db
      sxg user add ada --role admin
      sxg user add grace --role order_manager --role viewer
      sxg user list
    """


@user.command()
@click.argument("name")
@click.option(
    "--role", "roles", multiple=True, required=True, help="May be repeated; an unknown one lists those there are."
)
@_DATABASE
@_JSON
def add(name: str, roles: tuple[str, ...], database_url: str, as_json: bool) -> None:
    """Add the user NAME and print the token, which is shown this once: only its hash is kept.

    \b
    Roles: admin, exchange_admin, catalog_manager, order_agent, order_manager, fulfilment_agent,
    fulfilment_manager, fallout_agent, fallout_manager, process_admin, viewer.

    \b
    Example:
      SXG_TOKEN=$(sxg user add ada --role admin)
    """
    from sxg import databases, schema  # noqa: PLC0415 - loads SQLAlchemy

    databases.check_url(database_url)
    schema.check_migrated("provider", database_url)
    token = databases.add_user(database_url, name, roles)
    click.echo(json.dumps({"name": name, "roles": list(roles), "token": token}) if as_json else token)


@user.command("list")
@_DATABASE
@_JSON
def list_users(database_url: str, as_json: bool) -> None:
    """List the users by name, with their roles.

    \b
    Example:
      sxg user list --json
    """
    from sxg import databases, schema  # noqa: PLC0415

    databases.check_url(database_url)
    schema.check_migrated("provider", database_url)
    users = databases.list_users(database_url)
    if as_json:
        click.echo(json.dumps(users))
        return
    for found in users:
        state = "" if found["active"] else "  (disabled)"
        click.echo(f"{found['name']}  {', '.join(found['roles'])}{state}")


@user.command()
@click.argument("name")
@_DATABASE
def disable(name: str, database_url: str) -> None:
    """End the token of the user NAME at once. The user stays in the audit log.

    \b
    Example:
      sxg user disable grace
    """
    from sxg import databases, schema  # noqa: PLC0415

    databases.check_url(database_url)
    schema.check_migrated("provider", database_url)
    databases.disable_user(database_url, name)
    click.echo(f"{name} is disabled")
