"""The options by which a command reaches an instance's API."""

from collections.abc import Callable
from typing import TypeVar

import click

from sxg.client import LOOPBACK, Client

_F = TypeVar("_F", bound=Callable[..., object])
_ALLOW = "Networks that may be called although they are private, and over plain http; loopback may always."


def api_options(function: _F) -> _F:
    """--url, --token and --allow for one instance."""
    for option in reversed(
        [
            click.option(
                "--url", envvar="SXG_URL", show_envvar=True, required=True, help="The provider's base address."
            ),
            click.option(
                "--token",
                envvar="SXG_TOKEN",
                show_envvar=True,
                required=True,
                help="A user's token, from `sxg user add`.",
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
