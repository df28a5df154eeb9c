"""The commands about orders and the work on them: end one, and settle what a consumer wishes to end."""

import json
from collections.abc import Mapping
from typing import Any

import click

from sxg.client import segment
from sxg.commands.connecting import ENVIRONMENT, JSON, api_options, open_client

_NUMBER = click.argument("number", metavar="NUMBER")


@click.group(no_args_is_help=True)
def order() -> None:
    """Cancel an order, and settle a cancellation that a consumer asked for. The user needs a role that may, as
    order_manager.

    \b
    Examples:
      sxg order cancel ORD0001042 --reason "Asked by phone."
      sxg order approve-cancellation ORD0001042
    """


@order.command(epilog=ENVIRONMENT)
@_NUMBER
@click.option("--reason", required=True, help="Why; the consumer reads it.")
@api_options
@JSON
def cancel(number: str, reason: str, url: str, token: str, allow: str, as_json: bool) -> None:
    """Begin to cancel an order: before approval it is cancelled, after it somebody decides, too late it is refused.

    \b
    Example:
      sxg order cancel ORD0001042 --reason "Asked by phone."
    """
    with open_client(url, token, allow) as client:
        _tell(client.post(f"/orders/{segment(number)}/cancel", {"reason": reason}), as_json)


@order.command("approve-cancellation", epilog=ENVIRONMENT)
@_NUMBER
@click.option("--message", help="For the consumer.")
@api_options
@JSON
def approve_cancellation(number: str, message: str | None, url: str, token: str, allow: str, as_json: bool) -> None:
    """Agree to a cancellation that is being assessed: what was done is undone.

    \b
    Example:
      sxg order approve-cancellation ORD0001042 --message "As you wish."
    """
    with open_client(url, token, allow) as client:
        _tell(client.post(f"/orders/{segment(number)}/cancellation/approve", {"message": message}), as_json)


@order.command("decline-cancellation", epilog=ENVIRONMENT)
@_NUMBER
@click.option("--reason", required=True, help="Why; the consumer reads it.")
@api_options
@JSON
def decline_cancellation(number: str, reason: str, url: str, token: str, allow: str, as_json: bool) -> None:
    """Refuse a cancellation that is being assessed: the work goes on where it was.

    \b
    Example:
      sxg order decline-cancellation ORD0001042 --reason "It is built in."
    """
    with open_client(url, token, allow) as client:
        _tell(client.post(f"/orders/{segment(number)}/cancellation/decline", {"reason": reason}), as_json)


@click.group(no_args_is_help=True)
def order_task() -> None:
    """Cancel one task of an order. The user needs a role that does the work, as fulfilment_agent.

    \b
    Example:
      sxg order-task cancel TASK0000007 --reason "Done by the depot."
    """


@order_task.command("cancel", epilog=ENVIRONMENT)
@_NUMBER
@click.option("--reason", required=True, help="Why; colleagues read it.")
@api_options
@JSON
def cancel_task(number: str, reason: str, url: str, token: str, allow: str, as_json: bool) -> None:
    """Cancel a task that need not be done. Its order goes on with the others.

    \b
    Example:
      sxg order-task cancel TASK0000007 --reason "Done by the depot."
    """
    with open_client(url, token, allow) as client:
        body = {"to": "cancelled", "reason": reason}
        _tell(client.post(f"/order-tasks/{segment(number)}/move", body), as_json)


def _tell(document: Mapping[str, Any], as_json: bool) -> None:
    told = f"{document['number']}: {document['state_label']}"
    click.echo(json.dumps(document) if as_json else told)
