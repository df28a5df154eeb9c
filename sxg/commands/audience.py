"""Whom something is published to, as options of a command."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

_F = TypeVar("_F", bound=Callable[..., object])


def audience_options(function: _F) -> _F:
    """--all-consumers and --criteria."""
    for option in (
        click.option("--criteria", help='Only to consumers that fit, as JSON: \'{"companies": ["ACME"]}\'.'),
        click.option("--all-consumers", is_flag=True, help="To everybody, also to consumers that connect later."),
    ):
        function = option(function)
    return function


def read_audience(all_consumers: bool, criteria: str | None) -> dict[str, Any] | None:
    """The criteria that the options say; None if they say none. Raises click's usage errors."""
    if all_consumers and criteria is not None:
        raise click.UsageError("--all-consumers and --criteria say two things; give one of them")
    return {"all_consumers": True} if all_consumers else read_criteria(criteria)


def read_criteria(text: str | None) -> dict[str, Any] | None:
    """Raises click's usage errors."""
    try:
        found = json.loads(text) if text is not None else None
    except ValueError as error:
        raise click.BadParameter(f"not JSON: {error}", param_hint="--criteria") from None
    if found is not None and not isinstance(found, dict):
        raise click.BadParameter("a JSON object", param_hint="--criteria")
    return found
