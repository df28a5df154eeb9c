"""`sxg contract`: what was agreed with consumers."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from sxg.client import ApiProblem, Client, segment
from sxg.commands.connecting import ENVIRONMENT, JSON, api_options, open_client
from sxg.commands.exchange import InvalidFile, read_json_file
from sxg.commands.tables import tell_document, tell_rows
from sxg.failures import CommandFailed

_STATES = ["draft", "active", "expired", "canceled"]


@click.group(no_args_is_help=True)
def contract() -> None:
    """See what was agreed with consumers; take contracts in from a file, and end one.

    \b
    Examples:
      sxg contract list --state active
      sxg contract import contracts.json --activate
    """


@contract.command("list", epilog=ENVIRONMENT)
@click.option("--state", type=click.Choice(_STATES), help="Only in this state.")
@api_options
@JSON
def list_contracts(state: str | None, url: str, token: str, allow: str, as_json: bool) -> None:
    """List contracts by number: with whom each is, and from when to when.

    \b
    Example:
      sxg contract list --state active
    """
    with open_client(url, token, allow) as client:
        found = list(client.pages("/contracts", state=state))
    tell_rows(found, ("number", "name", "holder", "state", "starts_on", "ends_on"), as_json)


@contract.command("show", epilog=ENVIRONMENT)
@click.argument("number")
@api_options
def show_contract(number: str, url: str, token: str, allow: str) -> None:
    """Print one contract with its lines as JSON.

    \b
    Example:
      sxg contract show CON0000001
    """
    with open_client(url, token, allow) as client:
        tell_document(client.get(f"/contracts/{segment(number)}"))


@contract.command("import", epilog=ENVIRONMENT)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--activate", is_flag=True, help="Let them be in force from their first day on; drafts otherwise.")
@api_options
@JSON
def import_contracts(file: Path, activate: bool, url: str, token: str, allow: str, as_json: bool) -> None:
    """Take in FILE: a JSON list of contracts, each with name, starts_on, and connection_id, company or account.

    ends_on and lines may be there, too: `sxg contract show` prints what a line is. They are written one after the
    other; one that is there already, with the same name, holder and first day, is not written again, so that a file
    with a mistake can be mended and taken in once more. Every mistake is one line, and the exit code 1.

    \b
    Example:
      sxg contract import contracts.json --activate
    """
    wanted = json.loads(read_json_file(file))
    if not isinstance(wanted, list) or not all(isinstance(one, dict) for one in wanted):
        raise CommandFailed(f"{file}: a list of contracts, each an object")
    with open_client(url, token, allow) as client:
        known = {_key(one): one for one in client.pages("/contracts") if one["state"] != "canceled"}
        written = [_write(client, file, index, one, known, activate) for index, one in enumerate(wanted)]
    tell_rows(written, ("number", "name", "holder", "state"), as_json)


@contract.command("cancel", epilog=ENVIRONMENT)
@click.argument("number")
@click.option("--reason", required=True, help="Why; shown with the contract.")
@api_options
@JSON
def cancel_contract(number: str, reason: str, url: str, token: str, allow: str, as_json: bool) -> None:
    """End a contract now, for ever; what it entitled to cannot be ordered any more.

    \b
    Example:
      sxg contract cancel CON0000001 --reason "it was sold"
    """
    with open_client(url, token, allow) as client:
        ended = client.post(f"/contracts/{segment(number)}/cancel", {"reason": reason})
    click.echo(json.dumps(ended) if as_json else f"{ended['number']}: {ended['state']}")


def _write(
    client: Client, file: Path, index: int, said: Mapping[str, Any], known: Mapping[Any, Any], activate: bool
) -> dict[str, Any]:
    """The contract as it is then. Raises InvalidFile, with pointers into the file."""
    try:
        written: dict[str, Any] = known.get(_key(said)) or client.post("/contracts", said)
        if activate and written["state"] == "draft" and written["signed_at"] is None:
            written = client.post(f"/contracts/{segment(written['number'])}/activate")
    except ApiProblem as problem:
        errors = problem.errors or [{"message": str(problem)}]
        raise InvalidFile(file, [{**one, "pointer": f"/{index}{one.get('pointer', '')}"} for one in errors]) from None
    return written


def _key(said: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(str(said.get(name) or "") for name in ("name", "connection_id", "company", "account", "starts_on"))
