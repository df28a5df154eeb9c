"""`sxg remote-task` and `sxg remote-task-definition`: what ties incidents to tickets, and by which rules."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from sxg.client import ApiProblem, Client, segment
from sxg.commands.audience import audience_options, read_audience
from sxg.commands.connecting import ENVIRONMENT, JSON, api_options, open_client
from sxg.commands.finding import find_revision
from sxg.commands.tables import table, tell_document, tell_outcomes, tell_rows

_PATH, _NOUN = "/remote-task-definitions", "definition"


@click.group("remote-task", no_args_is_help=True)
def remote_task() -> None:
    """See what ties incidents to tickets of consumers; stop one, let it go on, try again what waits.

    \b
    Examples:
      sxg remote-task list --trouble
      sxg remote-task retry --all
      sxg remote-task disconnect ACME-RT0000001 --reason "it floods us"
    """


@remote_task.command("list", epilog=ENVIRONMENT)
@click.option("--status", type=click.Choice(["connected", "disconnected", "error"]), help="Only those.")
@click.option("--trouble", is_flag=True, help="Only those of which something did not get through.")
@api_options
@JSON
def list_tasks(status: str | None, trouble: bool, url: str, token: str, allow: str, as_json: bool) -> None:
    """List remote tasks, and below each what did not get through.

    \b
    Examples:
      sxg remote-task list --trouble
      sxg remote-task list --status error
    """
    with open_client(url, token, allow) as client:
        found = [one for one in client.pages("/remote-tasks") if status in (None, one["status"])]
    rows = [one for one in found if one["problems"] or not trouble]
    if as_json:
        click.echo(json.dumps({"items": rows}))
        return
    for line in _with_problems(rows):
        click.echo(line)


@remote_task.command("show", epilog=ENVIRONMENT)
@click.argument("number")
@api_options
def show_task(number: str, url: str, token: str, allow: str) -> None:
    """Print one remote task as JSON.

    \b
    Example:
      sxg remote-task show ACME-RT0000001
    """
    with open_client(url, token, allow) as client:
        tell_document(client.get(f"/remote-tasks/{segment(number)}"))


@remote_task.command("disconnect", epilog=ENVIRONMENT)
@click.argument("number")
@click.option("--reason", required=True, help="Why; the consumer reads it.")
@api_options
@JSON
def disconnect_task(number: str, reason: str, url: str, token: str, allow: str, as_json: bool) -> None:
    """Stop all copying of a remote task, both ways. Neither record is deleted.

    \b
    Example:
      sxg remote-task disconnect ACME-RT0000001 --reason "it floods us"
    """
    with open_client(url, token, allow) as client:
        _tell(client.post(f"/remote-tasks/{segment(number)}/disconnect", {"reason": reason}), as_json)


@remote_task.command("connect", epilog=ENVIRONMENT)
@click.argument("number")
@api_options
@JSON
def connect_task(number: str, url: str, token: str, allow: str, as_json: bool) -> None:
    """Let a remote task go on that we stopped; what changed meanwhile follows.

    \b
    Example:
      sxg remote-task connect ACME-RT0000001
    """
    with open_client(url, token, allow) as client:
        _tell(client.post(f"/remote-tasks/{segment(number)}/connect"), as_json)


@remote_task.command("retry", epilog=ENVIRONMENT)
@click.argument("numbers", metavar="NUMBER...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All of which a value waits for a row of a transform.")
@api_options
@JSON
def retry_tasks(numbers: Sequence[str], everything: bool, url: str, token: str, allow: str, as_json: bool) -> None:
    """Try again the values that wait for a row of a transform, once the row is there. Exit code 1 if some still wait.

    \b
    Examples:
      sxg remote-task retry ACME-RT0000001
      sxg remote-task retry --all
    """
    if bool(numbers) == everything:
        raise click.UsageError("name remote tasks, or say --all")
    with open_client(url, token, allow) as client:
        wanted = _waiting(client) if everything else numbers
        outcomes = [_retry(client, number) for number in wanted]
    if not outcomes and not as_json:
        click.echo("nothing waits")
    tell_outcomes(outcomes, as_json)


@click.group("remote-task-definition", no_args_is_help=True)
def remote_task_definition() -> None:
    """See by which rules incidents follow tickets; publish a definition, or end it. DEFINITION is a name or an id.

    \b
    Examples:
      sxg remote-task-definition list
      sxg remote-task-definition publish Incidents --all-consumers
      sxg remote-task-definition retire Incidents
    """


@remote_task_definition.command("list", epilog=ENVIRONMENT)
@api_options
@JSON
def list_definitions(url: str, token: str, allow: str, as_json: bool) -> None:
    """List definitions, each revision in a line.

    \b
    Example:
      sxg remote-task-definition list
    """
    with open_client(url, token, allow) as client:
        found = list(client.pages(_PATH))
    tell_rows(found, ("identity", "revision", "state", "name"), as_json)


@remote_task_definition.command("show", epilog=ENVIRONMENT)
@click.argument("definition")
@api_options
def show_definition(definition: str, url: str, token: str, allow: str) -> None:
    """Print one definition as JSON: which fields follow each other, and all revisions.

    \b
    Example:
      sxg remote-task-definition show Incidents
    """
    with open_client(url, token, allow) as client:
        identity = find_revision(client, _PATH, definition, _NOUN)["identity"]
        tell_document(client.get(f"{_PATH}/{segment(identity)}"))


@remote_task_definition.command("publish", epilog=ENVIRONMENT)
@click.argument("definition")
@audience_options
@api_options
@JSON
def publish_definition(
    definition: str, all_consumers: bool, criteria: str | None, url: str, token: str, allow: str, as_json: bool
) -> None:
    """Publish the draft of a definition, or change whom the published one is for. Consumers decide on their part.

    The user needs the role exchange_admin.

    \b
    Example:
      sxg remote-task-definition publish Incidents --criteria '{"companies": ["ACME"]}'
    """
    audience = read_audience(all_consumers, criteria)
    if audience is None:
        raise click.UsageError("say whom it is for: --all-consumers or --criteria")
    with open_client(url, token, allow) as client:
        identity = find_revision(client, _PATH, definition, _NOUN)["identity"]
        _tell_definition(client.post(f"{_PATH}/{segment(identity)}/publish", {"criteria": audience}), as_json)


@remote_task_definition.command("retire", epilog=ENVIRONMENT)
@click.argument("definition")
@api_options
@JSON
def retire_definition(definition: str, url: str, token: str, allow: str, as_json: bool) -> None:
    """End the use of a definition: consumers lose it, and all its remote tasks are disconnected at once.

    The user needs the role exchange_admin.

    \b
    Example:
      sxg remote-task-definition retire Incidents
    """
    with open_client(url, token, allow) as client:
        identity = find_revision(client, _PATH, definition, _NOUN)["identity"]
        _tell_definition(client.post(f"{_PATH}/{segment(identity)}/retire"), as_json)


def _waiting(client: Client) -> list[str]:
    tasks = client.pages("/remote-tasks")
    return [one["number"] for one in tasks if any(problem["kind"] == "hole" for problem in one["problems"])]


def _retry(client: Client, number: str) -> dict[str, Any]:
    try:
        left = client.post(f"/remote-tasks/{segment(number)}/replay")["problems"]
    except ApiProblem as refused:
        return {"name": number, "is_done": False, "message": str(refused)}
    waits = [one["reason"] for one in left if one["kind"] == "hole"]
    return {"name": number, "is_done": not waits, "message": "; ".join(waits) or "nothing waits any more"}


def _with_problems(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    lines = table(rows, ("number", "status", "parent_number", "updated_at"))
    yield lines[0]
    for line, row in zip(lines[1:], rows, strict=True):
        yield line
        for problem in row["problems"]:
            yield f"  -> {problem['label']}: {problem['reason']}"


def _tell(task: Mapping[str, Any], as_json: bool) -> None:
    click.echo(json.dumps(task) if as_json else f"{task['number']}: {task['status']}")


def _tell_definition(definition: Mapping[str, Any], as_json: bool) -> None:
    click.echo(json.dumps(definition) if as_json else f"{definition['name']}: {definition['state']}")
