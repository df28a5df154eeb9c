"""`sxg entitlements`: why may a consumer order something, and what would change."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from sxg.client import segment
from sxg.commands.audience import read_criteria
from sxg.commands.connecting import ENVIRONMENT, JSON, api_options, open_client

Row = Mapping[str, Any]
_HOLDS = {True: "yes", False: "no", None: "?"}


@click.group(no_args_is_help=True)
def entitlements() -> None:
    """See why a consumer may, or may not, order an item; what would change; and decide on removals that are held.

    \b
    Examples:
      sxg entitlements explain --consumer ACME --item "SD-WAN Package"
      sxg entitlements preview
      sxg entitlements held
    """


@entitlements.command(epilog=ENVIRONMENT)
@click.option("--consumer", required=True, help="The id, name, company or number prefix of a connection.")
@click.option("--item", required=True, help="The id or name of a catalog item.")
@api_options
@JSON
def explain(consumer: str, item: str, url: str, token: str, allow: str, as_json: bool) -> None:
    """Say why a consumer is, or is not, entitled to an item: each condition, and what it looked at.

    \b
    Example:
      sxg entitlements explain --consumer ACME --item "SD-WAN Package"
    """
    with open_client(url, token, allow) as client:
        told = client.get("/entitlements/explain", consumer=consumer, item=item)
    if as_json:
        click.echo(json.dumps(told))
        return
    click.echo(told["answer"])
    for line in told["criteria"]:
        click.echo(f"  {'  ' * line['depth']}{_HOLDS[line['holds']]:<3} {line['words']}: {line['looked_at']}")


@entitlements.command(epilog=ENVIRONMENT)
@click.option("--item", help="Of this item only, by id or name.")
@click.option("--criteria", help="What the criteria of that item would be, as JSON.")
@api_options
@JSON
def preview(item: str | None, criteria: str | None, url: str, token: str, allow: str, as_json: bool) -> None:
    """Say what computing entitlements now would add and remove, by name. Nothing is changed.

    \b
    Examples:
      sxg entitlements preview
      sxg entitlements preview --item "SD-WAN Package" --criteria '{"companies": ["ACME"]}'
    """
    body = {"item": item, "criteria": read_criteria(criteria)}
    with open_client(url, token, allow) as client:
        told = client.post("/entitlements/preview", {name: value for name, value in body.items() if value is not None})
    if as_json:
        click.echo(json.dumps(told))
        return
    for line in _changes(told["items"]):
        click.echo(line)


@entitlements.command(epilog=ENVIRONMENT)
@api_options
@JSON
def refresh(url: str, token: str, allow: str, as_json: bool) -> None:
    """Compute all entitlements again now. What is right already is neither changed nor sent.

    \b
    Example:
      sxg entitlements refresh
    """
    with open_client(url, token, allow) as client:
        told = client.post("/entitlements/refresh")
    click.echo(json.dumps(told) if as_json else f"{told['changed']} changed")


@entitlements.command(epilog=ENVIRONMENT)
@api_options
@JSON
def held(url: str, token: str, allow: str, as_json: bool) -> None:
    """List the removals of so many entitlements that a person has to look first.

    \b
    Example:
      sxg entitlements held
    """
    with open_client(url, token, allow) as client:
        told = client.get("/held-removals")
    if as_json:
        click.echo(json.dumps(told))
        return
    for one in told["items"]:
        click.echo(
            f"{one['id']}  {one['item']}, {one['audience']}: {len(one['consumers'])} of {one['entitled']} lose it"
        )
        click.echo(f"     {', '.join(consumer['name'] for consumer in one['consumers'])}")
    if not told["items"]:
        click.echo("nothing is held")


@entitlements.command(epilog=ENVIRONMENT)
@click.argument("removal_id", metavar="ID")
@click.option("--keep", is_flag=True, help="Let these consumers keep the item, until its criteria are changed.")
@api_options
@JSON
def decide(removal_id: str, keep: bool, url: str, token: str, allow: str, as_json: bool) -> None:
    """Confirm a removal that is held, or with --keep let these consumers keep the item.

    \b
    Examples:
      sxg entitlements decide 5b0c...
      sxg entitlements decide 5b0c... --keep
    """
    with open_client(url, token, allow) as client:
        told = client.post(f"/held-removals/{segment(removal_id)}/{'keep' if keep else 'confirm'}")
    click.echo(json.dumps(told) if as_json else f"removal {told['id']} is {told['state']}")


def _changes(items: list[Row]) -> Iterator[str]:
    marks = {"added": "+", "removed": "-", "held": "? (held for a person)"}
    for item in items:
        yield item["item"]
        if not any(item[kind] for kind in marks):
            yield "  nothing changes"
        for kind, mark in marks.items():
            for one in item[kind]:
                yield f"  {mark} {one['name']}"
    if not items:
        yield "nothing changes"
