"""`sxg mapping`: in which words a consumer reads our states, and what the values of its remote tasks mean."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from sxg.client import ApiProblem, Client
from sxg.commands.connecting import ENVIRONMENT, JSON, api_options, open_client
from sxg.commands.exchange import InvalidFile, read_json_file
from sxg.commands.finding import find_connection
from sxg.commands.tables import tell_document
from sxg.failures import CommandFailed

_PATHS = {"tables": "mapping", "transforms": "transforms"}
"""What a file may have, and where it goes, below the connection."""
_CONSUMER = click.option(
    "--consumer", required=True, help="Id, name, company or prefix of a connection; the id alone for a process_admin."
)
_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group(no_args_is_help=True)
def mapping() -> None:
    """See in which words a consumer reads our states, and its remote tasks; try others, put them in force, go back.

    \b
    Examples:
      sxg mapping show --consumer ACME > words.json
      sxg mapping try --consumer ACME words.json
      sxg mapping put --consumer ACME words.json
      sxg mapping reset --consumer ACME
    """


@mapping.command("show", epilog=ENVIRONMENT)
@_CONSUMER
@api_options
def show_mapping(consumer: str, url: str, token: str, allow: str) -> None:
    """Print what is in force for a consumer, its own or everybody's, as a file that `try` and `put` take.

    \b
    Example:
      sxg mapping show --consumer ACME > words.json
    """
    with open_client(url, token, allow) as client:
        path = f"/connections/{find_connection(client, consumer)}"
        tell_document({member: client.get(f"{path}/{where}")[member] for member, where in _PATHS.items()})


@mapping.command("try", epilog=ENVIRONMENT)
@_CONSUMER
@_FILE
@api_options
@JSON
def try_mapping(consumer: str, file: Path, url: str, token: str, allow: str, as_json: bool) -> None:
    """Say what the words of FILE would have made of a consumer's last messages and remote tasks. Nothing is changed.

    \b
    Example:
      sxg mapping try --consumer ACME words.json
    """
    with open_client(url, token, allow) as client:
        path = f"/connections/{find_connection(client, consumer)}"
        wanted = _news(client, path, _read(file))
        found = {
            member: _send(client, file, "POST", f"{path}/{_PATHS[member]}/dry-run", {member: words})
            for member, words in wanted.items()
        }
    if as_json:
        click.echo(json.dumps(found))
        return
    for line in _changes(found):
        click.echo(line)


@mapping.command("put", epilog=ENVIRONMENT)
@_CONSUMER
@_FILE
@api_options
@JSON
def put_mapping(consumer: str, file: Path, url: str, token: str, allow: str, as_json: bool) -> None:
    """Put the words of FILE in force for one consumer; what it sees otherwise now is told again.

    Every mistake is one line, `file: pointer: reason`, and the exit code 1. The user needs the role process_admin.

    \b
    Example:
      sxg mapping put --consumer ACME words.json
    """
    with open_client(url, token, allow) as client:
        path = f"/connections/{find_connection(client, consumer)}"
        for member, words in _news(client, path, _read(file)).items():
            _send(client, file, "PUT", f"{path}/{_PATHS[member]}", {member: words})
        found = {member: client.get(f"{path}/{where}") for member, where in _PATHS.items()}
    _tell_versions(found, as_json)


@mapping.command("reset", epilog=ENVIRONMENT)
@_CONSUMER
@click.option("--only", type=click.Choice(list(_PATHS)), help="Of states (tables) or of remote tasks (transforms).")
@api_options
@JSON
def reset_mapping(consumer: str, only: str | None, url: str, token: str, allow: str, as_json: bool) -> None:
    """Let a consumer read what everybody reads. The user needs the role process_admin.

    \b
    Examples:
      sxg mapping reset --consumer ACME
      sxg mapping reset --consumer ACME --only transforms
    """
    members = [only] if only else list(_PATHS)
    with open_client(url, token, allow) as client:
        path = f"/connections/{find_connection(client, consumer)}"
        found = {member: client.call("DELETE", f"{path}/{_PATHS[member]}") for member in members}
    _tell_versions(found, as_json)


def _read(file: Path) -> dict[str, Any]:
    """What the file has of each kind. Raises CommandFailed."""
    found = json.loads(read_json_file(file))
    if not isinstance(found, dict) or not found or not set(found) <= set(_PATHS):
        raise CommandFailed(f"{file}: an object with {' or '.join(_PATHS)}, as `sxg mapping show` prints it")
    return found


def _news(client: Client, path: str, words: Mapping[str, Any]) -> dict[str, Any]:
    """What of the words is not everybody's anyway: a copy of those would stay as it is when they are changed."""
    found: dict[str, Any] = {}
    for member, told in words.items():
        shown = client.get(f"{path}/{_PATHS[member]}")
        if member == "transforms" and isinstance(told, dict):
            same = [name for name in told if name not in shown["own"] and told[name] == shown["transforms"].get(name)]
            found[member] = {name: table for name, table in told.items() if name not in same}
        elif not (shown["is_default"] and told == shown[member]):
            found[member] = told
    return {member: told for member, told in found.items() if told}


def _send(client: Client, file: Path, method: str, path: str, body: Mapping[str, Any]) -> Any:
    """The answer. Raises InvalidFile with each mistake."""
    try:
        return client.call(method, path, body)
    except ApiProblem as problem:
        if not problem.errors:
            raise
        raise InvalidFile(file, problem.errors) from None


def _changes(found: Mapping[str, Any]) -> Iterator[str]:
    if not found:
        yield "nothing in the file is other than what is in force"
    for member, answer in found.items():
        looked_at = "messages" if member == "tables" else "remote tasks"
        yield f"{member}: {len(answer['changed'])} changes, {answer['checked']} {looked_at} looked at"
        for one in answer["changed"]:
            field = f" {one['field']}" if "field" in one else ""
            yield f"  {one['number']}{field}: {_said(one['before'])} -> {_said(one['after'])}"


def _said(words: Any) -> str:
    """What a consumer reads."""
    if words is None:
        return "waits, without a row"
    return f"{words['state_label']} ({words['state']})" if isinstance(words, Mapping) else str(words)


def _tell_versions(found: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found))
        return
    for member, shown in found.items():
        own = f"its own, version {shown['version']}"
        click.echo(f"{member}: {'those of everybody' if shown['is_default'] else own}")
