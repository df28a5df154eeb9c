"""What commands that reach an instance's API have in common."""

from collections.abc import Callable
from typing import TypeVar

import click

from sxg.client import LOOPBACK, Client

JSON = click.option("--json", "as_json", is_flag=True, help="The answer as one JSON document.")
ENVIRONMENT = """\b
The address and the token may stand in the environment:
  export SXG_URL=http://127.0.0.1:8000 SXG_TOKEN=sxu_...
"""
CONSUMER_API = """\b
The address and the token of the consumer may stand in the environment:
  export SXG_URL=http://127.0.0.1:8001 SXG_TOKEN=... (its SXG_API_TOKEN)
"""

_F = TypeVar("_F", bound=Callable[..., object])
_ALLOW = "Networks that may be called although they are private, and over plain http; loopback may always."


def api_options(function: _F) -> _F:
    """--url, --token and --allow for one instance."""
    for option in reversed(
        [
            click.option(
                "--url", envvar="SXG_URL", show_envvar=True, required=True, help="The instance's base address."
            ),
            click.option(
                "--token",
                envvar="SXG_TOKEN",
                show_envvar=True,
                required=True,
                help="A user's token, from `sxg user add`; a consumer's is its SXG_API_TOKEN.",
            ),
            allow_option,
        ]
    ):
        function = option(function)
    return function


def allow_option(function: _F) -> _F:
    return click.option(
        "--allow", envvar="SXG_EGRESS_ALLOW", show_envvar=True, metavar="CIDR[,CIDR]", default="", help=_ALLOW
    )(function)


def open_client(url: str, token: str, allow: str) -> Client:
    """A client for these options; ClientError when one of them cannot be used."""
    networks = [network.strip() for network in allow.split(",") if network.strip()]
    return Client(url, token, (*LOOPBACK, *networks))
